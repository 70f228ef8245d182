//! The steps of an OAuth client. Each makes one effect, in Qlik Cloud or in Kubernetes; what a one-time answer holds is
//! written to its Secret in the same step.

use super::super::fence;
use super::super::parent::Parent;
use super::{Sight, observe};
use crate::crd::{CHILD_FINALIZER, QlikOAuthClient, QlikOAuthClientStatus, Reason};
use crate::engine::{Acted, Context, Error, api_of, write};
use crate::plan::drift::Written;
use crate::plan::intent::IntentStep;
use crate::plan::oauth_client::{
    Authentication, CONSENT, Carried, Found, SecretSeen, Seen, Step, fields, written_unseen,
};
use crate::qlik::{self, NewOauthClient, OauthClient, OauthClientChange, OauthClientId};
use kube::ResourceExt;
use serde_json::json;

type Draft = QlikOAuthClientStatus;

pub(super) async fn act(
    object: &QlikOAuthClient,
    step: &Step,
    sight: Box<Sight>,
    (draft, cx): (Draft, &Context),
) -> Result<Acted<QlikOAuthClient>, Error> {
    let work = Work { object, sight: &sight, cx };
    match step {
        Step::Hold => {
            let held = write::hold(&api_of(object, &cx.client), &object.metadata, CHILD_FINALIZER, json!({})).await?;
            Ok(Acted::wrote(held, draft))
        }
        Step::Announce => Ok(Acted::wrote(work.announce().await?, draft)),
        Step::Create => work.create(draft).await,
        Step::Bind(id) => Ok(Acted { persist: true, ..Acted::look_again(work.bound(id, draft)) }),
        Step::Forget => Ok(Acted { persist: true, ..Acted::look_again(work.forgotten(draft)) }),
        Step::Change(changes) => work.change(changes, draft).await,
        Step::SetConsent(consent) => {
            if !work.api()?.set_consent(work.id()?, *consent).await? {
                return Err(no_connection(work.id()?));
            }
            work.knowing((draft, work.after_consent()), |client| client.consent = Some(*consent))
        }
        Step::Publish => {
            let at = work.api()?.publish_oauth_client(work.id()?).await?;
            work.knowing((draft, work.sight.seen.written.clone()), |client| client.published_at = Some(at))
        }
        Step::Reserve { issued, before } => {
            work.reserve(issued, before).await?;
            Ok(Acted::look_again(draft))
        }
        Step::Mint { former } => work.mint(former, draft).await,
        Step::NewKey { former } => work.new_key(former, draft).await,
        Step::Deliver { issued } => {
            let id = work.id()?.to_string();
            let values = work.held_values(issued);
            work.write_secret(&id, issued, &values, None).await?;
            Ok(Acted::look_again(draft))
        }
        Step::Discard { hint, .. } => {
            work.api()?.delete_client_secret(work.id()?, hint).await?;
            let written = work.sight.seen.written.clone();
            work.knowing((draft, written), |client| client.secrets.retain(|secret| secret.hint != *hint))
        }
        Step::Delete(id) => {
            let deleted = work.api()?.delete_oauth_client(id).await;
            // Whatever came of it: the next object of this name must not find it in a list from before.
            cx.ledger.touch(&observe::place(object), cx.clock.monotonic());
            deleted?;
            let mut seen = sight.seen.clone();
            seen.client = Found::None;
            Ok(Acted { seen: Some(work.sight_of(seen)), ..Acted::look_again(draft) })
        }
    }
}

/// The tenant's configuration of the client was deleted, which no request seen so far undoes.
fn no_connection(id: &OauthClientId) -> Error {
    Error::Misconfigured {
        reason: Reason::QlikRefused,
        message: format!(
            "consent cannot be set: the connection configuration of OAuth client {id} was deleted in Qlik Cloud. Delete the client there, and another one is made in its place"
        ),
    }
}

pub(super) struct Work<'a> {
    pub(super) object: &'a QlikOAuthClient,
    pub(super) sight: &'a Sight,
    pub(super) cx: &'a Context,
}

impl Work<'_> {
    pub(super) fn parent(&self) -> Result<&Parent, Error> {
        self.sight.parent.as_deref().ok_or(Error::Raced)
    }

    pub(super) fn api(&self) -> Result<qlik::TenantApi, Error> {
        Ok(self.parent()?.api(self.cx))
    }

    fn client(&self) -> Result<&OauthClient, Error> {
        match &self.sight.seen.client {
            Found::One(client) => Ok(client),
            Found::NotAsked | Found::None | Found::Many(_) | Found::Unmarked(_) => Err(Error::Raced),
        }
    }

    pub(super) fn id(&self) -> Result<&OauthClientId, Error> {
        self.client().map(|client| &client.id)
    }

    fn uid(&self) -> String {
        self.object.uid().unwrap_or_default()
    }

    pub(super) fn carried(&self) -> Option<&Carried> {
        match &self.sight.seen.secret {
            SecretSeen::Ours(carried) => Some(carried),
            _ => None,
        }
    }

    pub(super) fn touch(&self) {
        self.cx.ledger.touch(&self.uid(), self.cx.clock.monotonic());
    }

    /// Writes the intent, and the finalizer with it, if nothing changed since the decision.
    async fn announce(&self) -> Result<QlikOAuthClient, Error> {
        fence::announce(self.object, CHILD_FINALIZER, &fence::intent(IntentStep::Create, self.cx), self.cx).await
    }

    async fn create(&self, draft: Draft) -> Result<Acted<QlikOAuthClient>, Error> {
        let nonce = self.sight.seen.intent.of(IntentStep::Create).ok_or(Error::Raced)?.nonce.clone();
        let key = self.key_pair().await?;
        let want = &self.sight.want;
        let new = NewOauthClient {
            app_type: want.app_type.to_owned(),
            name: want.name.clone(),
            description: want.description.clone(),
            client_uri: want.client_uri.clone(),
            logo_uri: want.logo_uri.clone(),
            redirect_uris: want.redirect_uris.clone(),
            allowed_origins: want.allowed_origins.clone(),
            scopes: want.scopes.clone(),
            grant_types: want.grant_types.clone(),
            auth_methods: want.authentication.methods().iter().map(|&method| method.to_owned()).collect(),
            public_keys: match (&want.authentication, &key) {
                (Authentication::GivenKey(jwk), _) => vec![(**jwk).clone()],
                (_, Some((_, jwk))) => vec![jwk.clone()],
                (Authentication::Secret | Authentication::GeneratedKey | Authentication::Public, None) => Vec::new(),
            },
            consent: want.consent,
        };
        let (api, key) = (self.api()?, key);
        fence::still_the_same(self.object, &nonce, self.cx).await?;
        let paid = fence::has_turn(self.object, self.cx);
        let (client, secret) = fence::announced(&nonce, api.create_oauth_client(&new, paid), self.cx).await?;
        self.cx.ledger.made(&self.uid(), client.id.as_str());
        self.touch();
        // The next object of this name must not look for it in a list from before.
        self.cx.ledger.touch(&observe::place(self.object), self.cx.clock.monotonic());
        // The whole manifest is written; what the answer does not show of it cannot be compared.
        let unseen = written_unseen(want, &self.sight.seen, &client, self.cx.clock.now());
        self.cx.ledger.wrote_unseen(&self.uid(), unseen.clone());
        let written = Written { unseen, ..Written::default() };
        let draft = Draft { not_compared: Vec::new(), ..self.bound(&client.id, draft) };
        match self.deliver_first(&client, secret, key).await {
            Ok(secret) => {
                let mut seen = Seen { written, ..self.sight.seen.clone() };
                seen.id = Some(client.id.clone());
                (seen.client, seen.secret, seen.rotate) = (Found::One(Box::new(client)), secret, None);
                Ok(Acted { object: None, draft, seen: Some(self.sight_of(seen)), persist: true })
            }
            Err(error) => {
                // The id must not be lost with it; a secret for it is made anew once the Secret can be written.
                tracing::warn!(client = %client.id, error = error.chain(), "the new client's Secret cannot be written yet");
                Ok(Acted { object: None, draft, seen: None, persist: true })
            }
        }
    }

    async fn change(&self, changes: &[OauthClientChange], draft: Draft) -> Result<Acted<QlikOAuthClient>, Error> {
        if changes.iter().any(|change| matches!(change, OauthClientChange::PublicKeys(_))) {
            self.secret_unchanged().await?;
        }
        // A secret in the answer was not asked for by anybody: it is found by its hint, and goes.
        let unasked = self.api()?.change_oauth_client(self.id()?, changes).await?;
        self.touch();
        if unasked.is_some() {
            return Ok(Acted::look_again(draft));
        }
        let (client, fields) = (self.client()?, fields(changes));
        let written = self.sight.seen.written.after(&fields, |field| client.hides(field), self.cx.clock.now());
        self.knowing((draft, written), |client| changes.iter().for_each(|change| client.apply(change)))
    }

    /// What is on record once the consent is set. Beside fields that were written in this pass it is not counted again.
    fn after_consent(&self) -> Written {
        let written = &self.sight.seen.written;
        let before = self.object.status.as_ref().and_then(|status| status.drift.as_ref());
        if written.drift.as_ref() == before {
            written.after(&[CONSENT], |_| false, self.cx.clock.now())
        } else {
            written.clone()
        }
    }

    /// The step's effect taken as seen: Qlik answers it with nothing. It is looked at again soon.
    fn knowing(
        &self,
        (draft, written): (Draft, Written),
        change: impl FnOnce(&mut OauthClient),
    ) -> Result<Acted<QlikOAuthClient>, Error> {
        self.touch();
        self.cx.ledger.wrote_unseen(&self.uid(), written.unseen.clone());
        let draft = Draft { drift: written.drift.clone(), ..draft };
        let mut client = self.client()?.clone();
        change(&mut client);
        let mut seen = Seen { written, ..self.sight.seen.clone() };
        seen.client = Found::One(Box::new(client));
        Ok(Acted { seen: Some(self.sight_of(seen)), ..Acted::look_again(draft) })
    }

    fn sight_of(&self, seen: Seen) -> Box<Sight> {
        Box::new(Sight {
            want: self.sight.want.clone(),
            seen,
            parent: self.sight.parent.clone(),
            held: self.sight.held.clone(),
            delivery: self.sight.delivery.clone(),
        })
    }

    fn bound(&self, id: &OauthClientId, draft: Draft) -> Draft {
        let tenant = self.sight.parent.as_ref().map(|parent| parent.record());
        Draft { client_id: Some(id.to_string()), tenant, missing_since: None, ..draft }
    }

    fn forgotten(&self, draft: Draft) -> Draft {
        self.cx.ledger.safe(&self.uid());
        self.cx.ledger.touch(&observe::place(self.object), self.cx.clock.monotonic());
        Draft { client_id: None, tenant: None, missing_since: None, published_at: None, issued: Vec::new(), ..draft }
    }
}
