//! One look at everything that the decision about an identity provider needs.

use super::super::parent::{Parent, Standing, standing};
use super::super::tenant::swept;
use super::keyring::{self, Keyring};
use super::others::Others;
use super::{Sight, report};
use crate::crd::{
    CHILD_FINALIZER, DeletionPolicy, INTENT, Phase, QlikIdentityProvider, QlikIdentityProviderStatus, REQUESTED_AT,
    ROTATE_AT, Reason,
};
use crate::engine::{Context, Error, root};
use crate::keys::PublicKey;
use crate::plan::Deletion;
use crate::plan::Finding;
use crate::plan::child::Place;
use crate::plan::drift::Written;
use crate::plan::fingerprint::{Comparison, Fingerprint, Key, compare};
use crate::plan::identity_provider::{Desired, Print, Record, SecretSeen, Seen, Trial, is_live, waits_for_trial};
use crate::plan::intent::{Call, Intent, IntentSeen, IntentStep, Permit};
use crate::plan::marker::Marker;
use crate::qlik::{self, IdentityProvider, ProviderId, Secret};
use crate::secrets::{self, Target};
use jiff::Timestamp;
use kube::ResourceExt;
use std::time::Duration;

/// A list is good enough for the comparison that comes with each interval when it is not older than this.
const LISTED_WITHIN: Duration = Duration::from_secs(60);
/// Kubernetes' dates have whole seconds.
const WHOLE_SECOND: Duration = Duration::from_secs(1);

pub(super) async fn observe(
    object: &QlikIdentityProvider,
    draft: &QlikIdentityProviderStatus,
    cx: &Context,
) -> Result<Sight, Error> {
    let marker = marker(object, cx);
    let sight = Sight {
        want: Desired::read(&object.spec, &marker, None),
        seen: from_object(object, draft, cx)?,
        parent: None,
        client_secret: None,
        fingerprint: None,
        keyring: Keyring::read(&object.spec),
        held: None,
    };
    let placed = |deletion, place| Sight { seen: Seen { deletion, place, ..sight.seen.clone() }, ..sight.clone() };
    let deletion = sight.seen.deletion;
    if deletion != Deletion::None {
        if object.spec.deletion_policy == DeletionPolicy::Orphan || !sight.seen.held {
            return Ok(sight);
        }
        if swept(object, cx).await? {
            return Ok(placed(Deletion::Sweeping, sight.seen.place.clone()));
        }
    }
    let parent = match standing(object, cx).await? {
        Standing::Waiting(finding) => return Ok(placed(deletion, Place::Waiting(finding))),
        Standing::Covered(finding) => return Ok(placed(deletion, Place::Covered(finding))),
        Standing::Usable(parent) => parent,
    };
    let moved = draft.tenant.as_ref().is_some_and(|recorded| recorded.id != parent.id.as_str());
    let place = Place::Usable { id: parent.id.clone(), moved };
    let sight = Sight { parent: Some(parent.clone()), ..placed(deletion, place) };
    if moved && sight.seen.record.current.is_some() {
        return Ok(sight);
    }
    Look { object, draft, cx, parent: &parent, marker: &marker }.look(sight).await
}

/// Names what the providers of a tenant have in common, for the memory of what was changed when.
pub(super) fn shared_by(parent: &Parent) -> String {
    format!("providers of {}", parent.host.hostname())
}

/// The mark of an object.
pub(super) fn marker(object: &QlikIdentityProvider, cx: &Context) -> Marker {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    Marker::new(&cx.cluster, "QlikIdentityProvider", &namespace, &name, &object.uid().unwrap_or_default())
}

fn parse(id: &str) -> Result<ProviderId, Error> {
    id.parse().map_err(|e| Error::Misconfigured {
        reason: Reason::SpecInvalid,
        message: format!("the status was changed by hand and cannot be used: {e}; remove the id from the status"),
    })
}

/// What the object itself tells.
fn from_object(object: &QlikIdentityProvider, draft: &QlikIdentityProviderStatus, cx: &Context) -> Result<Seen, Error> {
    let annotation = object.annotations().get(INTENT).map(String::as_str);
    let settled = |intent: &Intent| draft.settled_intent.as_ref() == Some(&intent.nonce);
    let known = |intent: &Intent| if settled(intent) { Call::Closed } else { cx.ledger.known(intent) };
    let rotate = object.annotations().get(ROTATE_AT).filter(|at| Some(*at) != draft.last_handled_rotate_at.as_ref());
    Ok(Seen {
        deletion: Deletion::of(&object.metadata),
        held: object.finalizers().iter().any(|f| f == CHILD_FINALIZER),
        place: Place::Waiting(Finding::passing(Phase::Pending, Reason::TenantNotReady, "not looked at yet")),
        intent: IntentSeen::read(annotation, known),
        looked: false,
        mine: Vec::new(),
        unmarked: Vec::new(),
        record: record(draft, None)?,
        written: written(draft, draft.observed_generation != object.metadata.generation),
        version: None,
        rival: None,
        occupant: None,
        secret: SecretSeen::NotWanted,
        rotate: rotate.cloned(),
    })
}

/// What the status knows. `now` is the fingerprint of what is declared.
fn record(draft: &QlikIdentityProviderStatus, now: Option<&String>) -> Result<Record, Error> {
    let print = |stored: Option<&String>| print(stored, now.map_or("", String::as_str));
    let retiring = draft.retiring.iter().map(|one| Ok((parse(&one.id)?, one.retires_at.0)));
    let successor = draft.successor.as_ref();
    let trial = draft.verification.as_ref().filter(|trial| trial.fingerprint.is_some());
    let trial = trial.map(|trial| {
        let (version, print) = (trial.version.clone(), print(trial.fingerprint.as_ref()));
        Ok::<_, Error>(Trial { id: parse(&trial.provider_id)?, print, version })
    });
    Ok(Record {
        current: draft.provider_id.as_deref().map(parse).transpose()?,
        successor: successor.map(|successor| parse(&successor.id)).transpose()?,
        retiring: retiring.collect::<Result<_, Error>>()?,
        print: print(draft.fingerprint.as_ref()),
        successor_print: print(successor.and_then(|successor| successor.fingerprint.as_ref())),
        trial: trial.transpose()?,
        active: draft.active,
        key_since: None,
    })
}

fn written(draft: &QlikIdentityProviderStatus, outdated: bool) -> Written {
    Written { drift: draft.drift.clone(), not_compared: draft.not_compared.clone(), unseen: Vec::new(), outdated }
}

/// What is known after a step of our own: the providers as they are now, and what the draft says of them.
pub(super) fn after(mut sight: Sight, draft: &QlikIdentityProviderStatus) -> Result<Sight, Error> {
    sight.seen.record = record(draft, sight.fingerprint.as_ref())?;
    let unseen = std::mem::take(&mut sight.seen.written.unseen);
    sight.seen.written = Written { unseen, ..written(draft, sight.seen.written.outdated) };
    remember(&mut sight.seen.mine, &sight.want, draft);
    key_since(&mut sight.seen, draft);
    let trial = sight.seen.record.trial.clone();
    sight.seen.version = trial.and_then(|trial| Some((trial.id, trial.version?)));
    if let IntentSeen::Found { intent, call } = &mut sight.seen.intent
        && draft.settled_intent.as_ref() == Some(&intent.nonce)
    {
        *call = Call::Closed;
    }
    Ok(sight)
}

/// What is known of the object's own providers where Qlik Cloud does not show it: their keys, and whether they are for people.
fn remember(mine: &mut [IdentityProvider], want: &Desired, draft: &QlikIdentityProviderStatus) {
    let successor = draft.successor.as_ref();
    for provider in mine {
        provider.interactive |= provider.hides_its_kind() && want.interactive;
        let is = |id: &str| id == provider.id.as_str();
        let kid = if draft.provider_id.as_deref().is_some_and(is) {
            draft.key_id.as_ref()
        } else if let Some(successor) = successor.filter(|successor| is(&successor.id)) {
            successor.key_id.as_ref()
        } else {
            draft.retiring.iter().find(|one| is(&one.id)).and_then(|one| one.key_id.as_ref())
        };
        provider.written_kid = kid.cloned();
    }
}

/// Since when the key in use is.
fn key_since(seen: &mut Seen, draft: &QlikIdentityProviderStatus) {
    let kid = seen.current().and_then(IdentityProvider::kid).map(str::to_owned);
    let known = draft.keys.iter().find(|issued| Some(&issued.id) == kid.as_ref());
    seen.record.key_since = known.map(|issued| issued.created_at.0);
}

/// The issuer whose tokens are taken now.
pub(super) fn issuer_in_use(want: &Desired, seen: &Seen) -> String {
    let issuer = seen.current().and_then(|current| current.option("issuer")).and_then(|issuer| issuer.as_str());
    issuer.unwrap_or(want.issuer()).to_owned()
}

/// What a fingerprint on record says.
fn print(stored: Option<&String>, now: &str) -> Print {
    let read = |text: &str| text.parse::<Fingerprint>().ok();
    match stored.and_then(|text| read(text)).zip(read(now)) {
        Some((stored, now)) => match compare(&stored, &now) {
            Comparison::Same => Print::Same,
            Comparison::Differs => Print::Differs,
            Comparison::OtherKey => Print::Unknown,
        },
        None => Print::Unknown,
    }
}

struct Look<'a> {
    object: &'a QlikIdentityProvider,
    draft: &'a QlikIdentityProviderStatus,
    cx: &'a Context,
    parent: &'a Parent,
    marker: &'a Marker,
}

impl Look<'_> {
    async fn look(&self, mut sight: Sight) -> Result<Sight, Error> {
        let deleting = sight.seen.deletion != Deletion::None;
        if !deleting {
            sight.client_secret = self.client_secret().await?;
            sight.want = Desired::read(&self.object.spec, self.marker, self.given_key().await?);
            self.compare_prints(&mut sight)?;
        }
        match self.providers(&sight.want, &mut sight.seen).await {
            Ok(()) => sight.seen.looked = true,
            Err(Error::Qlik(error)) if matches!(root(&error), qlik::Error::TenantDisabled(_)) => {
                // The tenant was deactivated and its own object does not say so yet.
                sight.seen.place = Place::Covered(report::covered());
                return Ok(sight);
            }
            Err(error) => return Err(error),
        }
        if !deleting {
            key_since(&mut sight.seen, self.draft);
            self.read_trial(&mut sight).await?;
            self.read_secret(&mut sight).await?;
        }
        Ok(sight)
    }

    async fn client_secret(&self) -> Result<Option<Secret>, Error> {
        let login = self.object.spec.oidc.as_ref().and_then(|oidc| oidc.client_secret_ref.as_ref());
        let Some(reference) = login else { return Ok(None) };
        let namespace = self.object.namespace().unwrap_or_default();
        secrets::referenced(&self.cx.client, &namespace, &reference.name, &reference.key).await.map(Some)
    }

    /// The public key that the manifest refers to, on one line.
    async fn given_key(&self) -> Result<Option<String>, Error> {
        let reference = self.object.spec.jwt.as_ref().and_then(|jwt| jwt.key.public_key_ref.as_ref());
        let Some(reference) = reference else { return Ok(None) };
        let namespace = self.object.namespace().unwrap_or_default();
        let text = secrets::referenced(&self.cx.client, &namespace, &reference.name, &reference.key).await?;
        let public = PublicKey::parse(text.expose()).map_err(|problem| Error::Misconfigured {
            reason: Reason::SecretInvalid,
            message: format!("Secret {}: key {}: {problem}", reference.name, reference.key),
        })?;
        Ok(Some(public.one_line_pem()))
    }

    /// Whether what was written is what is declared now, by the fingerprints on record.
    fn compare_prints(&self, sight: &mut Sight) -> Result<(), Error> {
        let key = Key::new(&self.parent.credential.client_secret);
        let options = sight.want.options.to_string();
        let secret = sight.client_secret.as_ref().map(Secret::expose).unwrap_or_default();
        let now = key.of(&[("options", options.as_bytes()), ("clientSecret", secret.as_bytes())]).to_string();
        sight.seen.record = record(self.draft, Some(&now))?;
        sight.fingerprint = Some(now);
        Ok(())
    }

    /// The object's own providers, and who stands in their way.
    async fn providers(&self, want: &Desired, seen: &mut Seen) -> Result<(), Error> {
        let api = self.parent.api(self.cx);
        let list = api.recent_identity_providers(self.newer_than(seen)).await?;
        let uid = self.object.uid().unwrap_or_default();
        let made = self.cx.ledger.made_for(&uid).and_then(|id| id.parse().ok());
        let Record { current, successor, retiring, .. } = &seen.record;
        let known: Vec<ProviderId> =
            current.iter().chain(successor).chain(retiring.iter().map(|(id, _)| id)).chain(&made).cloned().collect();
        let mut mine: Vec<_> = list.iter().filter(|provider| self.is_mine(provider, &known)).cloned().collect();
        for id in &known {
            // One that a list does not show is asked for by itself before it is missed.
            if list.iter().all(|provider| provider.id != *id)
                && mine.iter().all(|provider| provider.id != *id)
                && let Some(found) = api.identity_provider(id).await?
            {
                mine.push(found.provider);
            }
        }
        seen.mine = mine;
        remember(&mut seen.mine, want, self.draft);
        if let Some(current) = seen.current().cloned() {
            // What is shown again can be compared again.
            let shown = |field: &str| match field {
                "options" => current.options.is_some(),
                "pendingOptions" => current.pending_options.is_some(),
                _ => current.shows(field),
            };
            let uid = self.object.uid().unwrap_or_default();
            self.cx.ledger.looked(&uid, &mut seen.written, |field| !shown(field));
        }
        if seen.deletion == Deletion::None {
            let others = Others { object: self.object, parent: self.parent, cx: self.cx };
            seen.rival = others.rival();
            if seen.mine.is_empty() && matches!(seen.intent, IntentSeen::Found { call: Call::Unknown, .. }) {
                seen.unmarked = others.unmarked(&list, want);
            }
            seen.occupant = others.occupant(&list, &seen.mine);
        }
        Ok(())
    }

    /// Whether a provider is this object's own: by its mark, or by the status where somebody took the mark away.
    fn is_mine(&self, provider: &IdentityProvider, known: &[ProviderId]) -> bool {
        match Marker::split(&provider.description).1 {
            Some(mark) if mark == *self.marker => true,
            // Of a former object of this name; one of another protocol cannot take its place.
            Some(mark) => {
                mark.same_place(self.marker) && (provider.hides("protocol") || provider.protocol == self.protocol())
            }
            None => known.contains(&provider.id),
        }
    }

    fn protocol(&self) -> qlik::Protocol {
        Desired::read(&self.object.spec, self.marker, None).protocol
    }

    /// How new a list has to be: after a change of our own newer than that, on request and after a call of unknown outcome
    /// as new as can be, for a new object newer than the object. Objects that were applied together share one.
    fn newer_than(&self, seen: &Seen) -> Duration {
        let now = self.cx.clock.monotonic();
        let touched = self.cx.ledger.touched(&self.object.uid().unwrap_or_default()).unwrap_or(Duration::ZERO);
        // What this process did for another object of the tenant matters to all but those that only have to go.
        let others = self.cx.ledger.touched(&shared_by(self.parent)).filter(|_| seen.deletion == Deletion::None);
        let touched = touched.max(others.unwrap_or(Duration::ZERO));
        let ordinary = now.saturating_sub(LISTED_WITHIN).max(touched.saturating_add(Duration::from_nanos(1)));
        let asked = self.object.annotations().get(REQUESTED_AT) != self.draft.last_handled_reconcile_at.as_ref();
        // Once a call of unknown outcome is old enough to be given up, any list that is good enough would show what it made.
        let unknown = matches!(seen.intent.permit(IntentStep::Create, self.cx.clock.now()), Permit::Wait(_));
        match &seen.intent {
            _ if asked || unknown => return now,
            IntentSeen::Found { .. } => return ordinary,
            IntentSeen::None | IntentSeen::Unreadable => {}
        }
        let created = self.object.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |at| at.0);
        let age = Duration::try_from(self.cx.clock.now().duration_since(created)).unwrap_or(Duration::ZERO);
        now.saturating_sub(age.saturating_add(WHOLE_SECOND).min(LISTED_WITHIN)).max(ordinary)
    }

    /// The version of the options that a human is to try, and what came of it.
    async fn read_trial(&self, sight: &mut Sight) -> Result<(), Error> {
        let seen = &sight.seen;
        let waits =
            |p: &&IdentityProvider| sight.want.tried && waits_for_trial(p, seen) && !is_live(&sight.want, p, seen);
        let Some(id) = seen.on_trial().filter(waits).map(|provider| provider.id.clone()) else {
            return Ok(());
        };
        let Some(found) = self.parent.api(self.cx).identity_provider(&id).await? else {
            return Ok(());
        };
        sight.seen.version = found.version.map(|version| (id.clone(), version));
        if let Some(provider) = sight.seen.mine.iter_mut().find(|provider| provider.id == id) {
            *provider = found.provider;
        }
        Ok(())
    }

    async fn read_secret(&self, sight: &mut Sight) -> Result<(), Error> {
        let Some(keyring) = &sight.keyring else { return Ok(()) };
        sight.seen.secret = match secrets::look(&self.cx.client, self.object, &keyring.name).await? {
            Target::Free => SecretSeen::Free,
            Target::Former => SecretSeen::Former,
            Target::Terminating => SecretSeen::Terminating,
            Target::Foreign(owner) => SecretSeen::Foreign(owner),
            Target::Ours(held) => {
                // A request that the Secret was written for is done, even if the status does not say so yet.
                sight.seen.rotate.take_if(|asked| keyring::rotated_for(&held) == Some(asked));
                let keys = keyring.keys(self.parent, &held, &issuer_in_use(&sight.want, &sight.seen))?;
                sight.held = Some(held);
                SecretSeen::Ours(keys)
            }
        };
        Ok(())
    }
}
