//! The steps of an identity provider that change something in Qlik Cloud.

use super::super::fence;
use super::act::{Draft, Outcome, Work};
use super::report;
use crate::crd::{SuccessorProvider, VerificationStatus};
use crate::engine::{Acted, Error};
use crate::plan::drift::Written;
use crate::plan::identity_provider::{Change, Print, Role, differing, unchangeable, written_unseen};
use crate::plan::intent::IntentStep;
use crate::qlik::{
    self, IdentityProvider, NewIdentityProvider, Options, Protocol, ProviderChange, ProviderId, TenantApi,
};
use serde_json::json;

impl Work<'_> {
    pub(super) fn api(&self) -> Result<TenantApi, Error> {
        Ok(self.parent()?.api(self.cx))
    }

    fn options(&self) -> Options {
        Options { values: self.sight.want.options.clone(), client_secret: self.sight.client_secret.clone() }
    }

    pub(super) async fn create(&self, role: Role, kid: Option<&str>, draft: Draft) -> Outcome {
        let nonce = self.sight.seen.intent.of(IntentStep::Create).ok_or(Error::Raced)?.nonce.clone();
        let new = self.new_provider(kid)?;
        let api = self.api()?;
        fence::still_the_same(self.object, &nonce, self.cx).await?;
        let paid = fence::has_turn(self.object, self.cx);
        let made = fence::announced(&nonce, api.create_identity_provider(&new, paid), self.cx).await?;
        let mut provider = made.provider;
        provider.written_kid = kid.map(str::to_owned);
        self.cx.ledger.made(&self.uid(), provider.id.as_str());
        self.touch();
        let mut draft = Draft { settled_intent: Some(nonce), ..draft };
        draft.not_compared = self.not_compared(&provider);
        if role == Role::Only {
            // The whole manifest is written, but that it is in use.
            self.cx.ledger.wrote_unseen(&self.uid(), written_unseen(&self.sight.want, &provider));
            draft.active = None;
        }
        let (id, print, key_id) = (provider.id.to_string(), self.sight.fingerprint.clone(), kid.map(str::to_owned));
        if self.sight.want.tried {
            draft.verification = self.trial(&provider, made.version.clone());
        }
        let print = print.filter(|_| !self.sight.want.tried);
        match role {
            Role::Only => (draft.provider_id, draft.fingerprint, draft.key_id) = (Some(id), print, key_id),
            Role::Successor => draft.successor = Some(SuccessorProvider { id, fingerprint: print, key_id }),
        }
        // The mark finds it again, so the status of the whole pass is soon enough.
        let mut known = self.knowing(draft, |mine| mine.push(provider))?;
        if let Some(sight) = known.seen.as_mut().filter(|_| role == Role::Only) {
            sight.seen.written.outdated = false;
        }
        Ok(known)
    }

    fn new_provider(&self, kid: Option<&str>) -> Result<NewIdentityProvider, Error> {
        let want = &self.sight.want;
        let mut options = self.options();
        if want.protocol == Protocol::Jwt {
            options.values["staticKeys"] = json!([self.public_key(kid)?]);
        }
        let (live, pending) = if want.tried { (None, Some(options)) } else { (Some(options), None) };
        Ok(NewIdentityProvider {
            protocol: want.protocol,
            provider: want.product.to_owned(),
            interactive: (want.protocol != Protocol::Jwt).then_some(want.interactive),
            description: want.description.clone(),
            clock_tolerance_sec: want.clock_tolerance_sec,
            create_new_users_on_login: want.create_new_users_on_login,
            post_logout_redirect_uri: want.post_logout_redirect_uri.clone(),
            skip_verify: want.interactive && !want.tried,
            options: live,
            pending_options: pending,
        })
    }

    fn public_key(&self, kid: Option<&str>) -> Result<serde_json::Value, Error> {
        use crate::plan::identity_provider::KeySource;
        if let KeySource::Given { kid, pem } = &self.sight.want.key {
            return Ok(json!({ "kid": kid, "pem": pem }));
        }
        let (Some(kid), Some(keyring), Some(held)) = (kid, &self.sight.keyring, &self.sight.held) else {
            return Err(Error::Raced);
        };
        let pem = keyring.pairs(held).public(kid).ok_or(Error::Raced)?.one_line_pem();
        Ok(json!({ "kid": kid, "pem": pem }))
    }

    /// What of a provider cannot be compared, now that its options were written: what is known of it that they do not
    /// concern, what Qlik Cloud shows otherwise, and the options themselves where they are not there.
    fn not_compared(&self, provider: &IdentityProvider) -> Vec<String> {
        let known = self.sight.seen.written.not_compared.iter().filter(|field| provider.hides(field)).cloned();
        let (written, there) = if self.sight.want.tried {
            ("pendingOptions", provider.pending_options.is_some())
        } else {
            ("options", provider.options.is_some())
        };
        let mut fields: Vec<_> = known.chain(self.shown_otherwise(provider)).collect();
        fields.extend((!there).then(|| written.to_owned()));
        fields
    }

    /// Fields of a provider just written that Qlik shows otherwise. To write them again would not help.
    fn shown_otherwise(&self, provider: &IdentityProvider) -> Vec<String> {
        let want = &self.sight.want;
        let mut seen = self.sight.seen.clone();
        (seen.record.current, seen.record.print) = (Some(provider.id.clone()), Print::Same);
        seen.written.not_compared.clear();
        let shown = provider.options.as_ref().or(provider.pending_options.as_ref());
        let options = shown.map(|shown| differing(want, shown)).unwrap_or_default();
        let fields = unchangeable(want, provider, &seen).into_iter().filter(|field| *field != "options");
        let fields = fields.filter(|field| *field != "issuer").map(str::to_owned);
        options.into_iter().chain(fields).collect()
    }

    fn trial(&self, provider: &IdentityProvider, version: Option<String>) -> Option<VerificationStatus> {
        let host = self.sight.parent.as_ref()?.host.hostname().to_string();
        let fingerprint = self.sight.fingerprint.clone();
        Some(VerificationStatus { version, fingerprint, ..report::verification(provider, &host) })
    }

    pub(super) async fn change(&self, id: &ProviderId, changes: &[Change], mut draft: Draft) -> Outcome {
        let want = &self.sight.want;
        let sent: Vec<_> = changes
            .iter()
            .map(|change| match change {
                Change::Active(active) => ProviderChange::Active(*active),
                Change::Description => ProviderChange::Description(want.description.clone()),
                // Only differs where it is declared.
                Change::ClockTolerance => ProviderChange::ClockToleranceSec(want.clock_tolerance_sec.unwrap_or(5)),
                Change::PostLogout => {
                    ProviderChange::PostLogoutRedirectUri(want.post_logout_redirect_uri.clone().unwrap_or_default())
                }
                Change::Options => ProviderChange::Options(self.options()),
                Change::Pending => ProviderChange::PendingOptions(self.options()),
            })
            .collect();
        let api = self.api()?;
        api.change_identity_provider(id, &sent, None).await?;
        self.touch();
        if changes.iter().any(|change| matches!(change, Change::Active(_))) {
            self.touch_all()?;
        }
        let mut after = self.provider(id)?.clone();
        self.note_fields(&after, changes, &mut draft);
        for change in changes {
            self.apply(*change, &mut after);
        }
        if changes.iter().any(|change| matches!(change, Change::Options | Change::Pending)) {
            // What was written is read back once: how Qlik shows it, and the version that is to be tried.
            let found = api.identity_provider(id).await?.ok_or(Error::Raced)?;
            draft.not_compared = self.not_compared(&found.provider);
            if changes.contains(&Change::Pending) {
                draft.verification = self.trial(&found.provider, found.version.clone());
            } else {
                self.note_print(id, &mut draft);
            }
            after = found.provider;
        }
        self.knowing(draft, |mine| replace(mine, after))
    }

    /// What is on record once these fields of the provider in use are written.
    fn note_fields(&self, provider: &IdentityProvider, changes: &[Change], draft: &mut Draft) {
        if Some(&provider.id) != self.sight.seen.record.current.as_ref() {
            return;
        }
        let fields: Vec<_> = changes.iter().map(|change| change.field()).collect();
        let written = &self.sight.seen.written;
        let Written { drift, unseen, .. } = written.after(&fields, |field| provider.hides(field), self.cx.clock.now());
        self.cx.ledger.wrote_unseen(&self.uid(), unseen);
        draft.drift = drift;
    }

    fn note_print(&self, id: &ProviderId, draft: &mut Draft) {
        let print = self.sight.fingerprint.clone();
        match &mut draft.successor {
            Some(successor) if successor.id == id.as_str() => successor.fingerprint = print,
            Some(_) | None => draft.fingerprint = print,
        }
    }

    /// What a change makes of a provider: Qlik answers it with nothing. It is looked at again soon.
    fn apply(&self, change: Change, provider: &mut IdentityProvider) {
        let want = &self.sight.want;
        provider.hidden.retain(|field| *field != change.field());
        match change {
            Change::Active(active) => provider.active = active,
            Change::Description => provider.description.clone_from(&want.description),
            Change::ClockTolerance => provider.clock_tolerance_sec = want.clock_tolerance_sec.map(i64::from),
            Change::PostLogout => provider.post_logout_redirect_uri.clone_from(&want.post_logout_redirect_uri),
            Change::Options => provider.options = Some(want.options.clone()),
            Change::Pending => provider.pending_options = Some(want.options.clone()),
        }
    }

    pub(super) async fn promote(&self, id: &ProviderId, version: Option<&str>, mut draft: Draft) -> Outcome {
        let promoted = self.api()?.change_identity_provider(id, &[ProviderChange::Promote], version).await;
        promoted.map_err(|error| match error {
            // Somebody changed the options after they were tried: look again.
            qlik::Error::PreconditionFailed(_) => Error::Raced,
            error => error.into(),
        })?;
        self.touch();
        let print = draft.verification.take().and_then(|trial| trial.fingerprint);
        match &mut draft.successor {
            Some(successor) if successor.id == id.as_str() => successor.fingerprint = print,
            Some(_) | None => draft.fingerprint = print,
        }
        let mut after = self.provider(id)?.clone();
        after.options = after.pending_options.take().or_else(|| Some(self.sight.want.options.clone()));
        draft.not_compared.retain(|field| field != "pendingOptions");
        after.pending_state = None;
        self.knowing(draft, |mine| replace(mine, after))
    }

    /// Puts one provider in the place of another. Where Qlik Cloud does that in one, nobody is locked out for a moment;
    /// else the former one goes first, and comes back when the new one cannot be put in use.
    pub(super) async fn switch(&self, from: &ProviderId, to: &ProviderId, mut draft: Draft) -> Outcome {
        let api = self.api()?;
        let set = async |id: &ProviderId, active| {
            api.change_identity_provider(id, &[ProviderChange::Active(active)], None).await
        };
        self.touch_all()?;
        match set(to, true).await {
            Ok(()) => {}
            Err(qlik::Error::Refused(_)) => {
                set(from, false).await?;
                if let Err(error) = set(to, true).await {
                    if let Err(worse) = set(from, true).await {
                        tracing::warn!(provider = %from, error = %worse, "the former login could not be put back in use yet");
                    }
                    return Err(error.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
        self.touch_all()?;
        // It may not be seen that this was done.
        draft.active = Some(true);
        Ok(Acted::look_again(draft))
    }

    pub(super) async fn delete(&self, id: &ProviderId, mut draft: Draft) -> Outcome {
        let api = self.api()?;
        match api.delete_identity_provider(id).await {
            // Qlik may refuse to remove a login that is in use.
            Err(qlik::Error::Refused(_)) if self.provider(id)?.active && self.provider(id)?.interactive => {
                api.change_identity_provider(id, &[ProviderChange::Active(false)], None).await?;
                self.touch_all()?;
                api.delete_identity_provider(id).await?;
            }
            outcome => outcome?,
        }
        self.touch_all()?;
        draft.retiring.retain(|one| one.id != id.as_str());
        draft.successor.take_if(|successor| successor.id == id.as_str());
        self.knowing(draft, |mine| mine.retain(|provider| provider.id != *id))
    }
}

fn replace(mine: &mut [IdentityProvider], after: IdentityProvider) {
    if let Some(before) = mine.iter_mut().find(|provider| provider.id == after.id) {
        *before = after;
    }
}
