//! One look at everything that the decision about an OAuth client needs.

use super::super::fence;
use super::super::parent::{Parent, Standing, is_ready, standing};
use super::super::tenant::swept;
use super::delivery::{self, Delivery};
use super::{Sight, report};
use crate::crd::{
    CHILD_FINALIZER, ClientAuth, INTENT, Phase, PublicKeyRef, QlikOAuthClient, QlikOAuthClientStatus, REQUESTED_AT,
    ROTATE_AT, Reason,
};
use crate::engine::{Context, Error, Lean, root};
use crate::keys::{Algorithm, PublicKey};
use crate::plan::Deletion;
use crate::plan::Finding;
use crate::plan::child::Place;
use crate::plan::drift::Written;
use crate::plan::intent::{Call, Intent, IntentSeen, IntentStep, Permit};
use crate::plan::marker::Marker;
use crate::plan::oauth_client::{Carried, Desired, Found, Issued, SecretSeen, Seen};
use crate::qlik::{self, Jwk, OauthClient, OauthClientId};
use crate::secrets::{self, Target};
use jiff::Timestamp;
use kube::ResourceExt;
use std::time::Duration;

/// A list is good enough for the comparison that comes with each interval when it is not older than this.
const LISTED_WITHIN: Duration = Duration::from_secs(60);
/// After a change of our own, clients are read one by one for this long instead of by ever newer lists.
const READ_SINGLY: Duration = Duration::from_secs(90);

pub(super) async fn observe(
    object: &QlikOAuthClient,
    draft: &QlikOAuthClientStatus,
    cx: &Context,
) -> Result<Sight, Error> {
    let marker = marker(object, cx);
    let mut seen = from_object(object, draft, cx)?;
    let plain = |seen| Sight {
        want: Desired::read(&object.spec, &marker, None),
        seen,
        parent: None,
        held: None,
        delivery: Delivery::read(&object.spec),
    };
    if seen.deletion != Deletion::None {
        let orphan = object.spec.deletion_policy == crate::crd::DeletionPolicy::Orphan;
        if orphan || !seen.held {
            return Ok(plain(seen));
        }
        if swept(object, cx).await? {
            seen.deletion = Deletion::Sweeping;
            return Ok(plain(seen));
        }
    }
    let parent = match standing(object, cx).await? {
        Standing::Waiting(finding) => {
            seen.place = Place::Waiting(finding);
            return Ok(plain(seen));
        }
        Standing::Covered(finding) => {
            seen.place = Place::Covered(finding);
            return Ok(plain(seen));
        }
        Standing::Usable(parent) => parent,
    };
    let moved = draft.tenant.as_ref().is_some_and(|recorded| recorded.id != parent.id.as_str());
    seen.place = Place::Usable { id: parent.id.clone(), moved };
    if moved {
        return Ok(Sight { parent: Some(parent), ..plain(seen) });
    }
    Look { object, draft, cx, parent: &parent, marker: &marker }
        .look(seen)
        .await
        .map(|sight| Sight { parent: Some(parent.clone()), ..sight })
}

/// The mark of an object.
pub(super) fn marker(object: &QlikOAuthClient, cx: &Context) -> Marker {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    Marker::new(&cx.cluster, "QlikOAuthClient", &namespace, &name, &object.uid().unwrap_or_default())
}

/// Names whatever object has this name, this one and the next.
pub(super) fn place(object: &QlikOAuthClient) -> String {
    format!("QlikOAuthClient/{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

/// What the object itself tells.
fn from_object(object: &QlikOAuthClient, draft: &QlikOAuthClientStatus, cx: &Context) -> Result<Seen, Error> {
    let uid = object.uid().unwrap_or_default();
    let id = draft.client_id.clone().or_else(|| cx.ledger.made_for(&uid));
    let id = id.map(|id| id.parse::<OauthClientId>()).transpose().map_err(|e| Error::Misconfigured {
        reason: Reason::SpecInvalid,
        message: format!("the status was changed by hand and cannot be used: {e}; remove status.clientId"),
    })?;
    let annotation = object.annotations().get(INTENT).map(String::as_str);
    let rotate = object.annotations().get(ROTATE_AT).filter(|at| Some(*at) != draft.last_handled_rotate_at.as_ref());
    Ok(Seen {
        deletion: Deletion::of(&object.metadata),
        held: object.finalizers().iter().any(|f| f == CHILD_FINALIZER),
        place: Place::Waiting(Finding::passing(Phase::Pending, Reason::TenantNotReady, "not looked at yet")),
        intent: IntentSeen::read(annotation, |intent: &Intent| cx.ledger.known(intent)),
        id,
        client: Found::NotAsked,
        foreign_mark: false,
        missing_since: draft.missing_since.as_ref().map(|at| at.0),
        written: Written {
            drift: draft.drift.clone(),
            not_compared: draft.not_compared.clone(),
            unseen: Vec::new(),
            outdated: draft.observed_generation != object.metadata.generation,
        },
        secret: SecretSeen::NotWanted,
        known: draft.issued.iter().map(known).collect(),
        me: None,
        rotate: rotate.cloned(),
    })
}

/// A secret as the status remembers it.
fn known(issued: &crate::crd::IssuedSecret) -> Issued {
    Issued {
        id: issued.id.clone(),
        created_at: issued.created_at.0,
        retires_at: issued.retires_at.as_ref().map(|at| at.0),
        by: None,
        fingerprint: None,
        jwk: None,
    }
}

/// A request for a rotation that the Secret was written for is done, even if the status does not say so yet.
fn note_rotation(seen: &mut Seen, held: &secrets::Held) {
    if delivery::rotated_for(held).is_some() && delivery::rotated_for(held) == seen.rotate.as_deref() {
        seen.rotate = None;
    }
}

struct Look<'a> {
    object: &'a QlikOAuthClient,
    draft: &'a QlikOAuthClientStatus,
    cx: &'a Context,
    parent: &'a Parent,
    marker: &'a Marker,
}

impl Look<'_> {
    async fn look(&self, mut seen: Seen) -> Result<Sight, Error> {
        let deleting = seen.deletion != Deletion::None;
        let want = Desired::read(&self.object.spec, self.marker, self.given_key(deleting).await?);
        let delivery = Delivery::read(&self.object.spec);
        let mut held = None;
        if let Some(delivery) = delivery.as_ref().filter(|_| !deleting) {
            let target = secrets::look(&self.cx.client, self.object, &delivery.name).await?;
            seen.secret = self.known_call(delivery.carried(&target, self.parent)?);
            if let Target::Ours(found) = target {
                note_rotation(&mut seen, &found);
                held = Some(found);
            }
        }
        match self.client(&seen).await {
            Ok(found) => seen.client = found,
            Err(Error::Qlik(error)) if matches!(root(&error), qlik::Error::TenantDisabled(_)) => {
                // The tenant was deactivated and its own object does not say so yet.
                seen.place = Place::Covered(report::covered());
            }
            Err(error) => return Err(error),
        }
        if let Found::One(client) = &mut seen.client
            && client.consent.is_none()
            && want.consent == qlik::Consent::Trusted
        {
            client.consent = self.parent.api(self.cx).consent(&client.id).await?;
        }
        if let Found::One(client) = &mut seen.client {
            let uid = self.object.uid().unwrap_or_default();
            self.cx.ledger.looked(&uid, &mut seen.written, |field| client.hides(field));
            // Qlik Cloud cannot take it back, so what was seen once stays so where it is not shown.
            client.published_at = client.published_at.or(self.draft.published_at.as_ref().map(|at| at.0));
        }
        if let Found::One(client) = &seen.client {
            seen.foreign_mark = self.is_foreign(&seen, client).await?;
            seen.me = self.me(&seen, client).await?;
        }
        Ok(Sight { want, seen, parent: None, held, delivery })
    }

    /// What this process knows of the call that a Secret announces.
    fn known_call(&self, mut secret: SecretSeen) -> SecretSeen {
        if let SecretSeen::Ours(carried) = &mut secret
            && let Some((minting, call)) = &mut carried.minting
        {
            *call = self.cx.ledger.of_nonce(&minting.nonce).unwrap_or(Call::Unknown);
        }
        secret
    }

    /// Whether the client is another object's by its mark, or has none while another client or the Secret tells that this
    /// is not the one that was made here: a status that was changed by hand must not lead to what others made.
    async fn is_foreign(&self, seen: &Seen, client: &OauthClient) -> Result<bool, Error> {
        let (_, mark) = Marker::split(client.description.as_deref().unwrap_or_default());
        if let Some(mark) = mark {
            return Ok(!mark.same_place(self.marker));
        }
        if let SecretSeen::Ours(Carried { client_id: Some(of), .. }) = &seen.secret {
            return Ok(of != client.id.as_str());
        }
        let newest = self.cx.clock.monotonic().saturating_sub(LISTED_WITHIN);
        let list = self.parent.api(self.cx).recent_oauth_clients(newest).await?;
        Ok(self.marked(&list) != Found::None)
    }

    /// The client by its id, or by the mark where there is none.
    async fn client(&self, seen: &Seen) -> Result<Found, Error> {
        let (api, now) = (self.parent.api(self.cx), self.cx.clock.monotonic());
        let Some(id) = &seen.id else {
            let list = api.recent_oauth_clients(self.newer_than_object(seen, now)).await?;
            let found = self.marked(&list);
            if found == Found::None && matches!(seen.intent, IntentSeen::Found { call: Call::Unknown, .. }) {
                return Ok(self.unmarked(&list));
            }
            if found == Found::None && seen.deletion == Deletion::None && self.is_about_to_announce(seen) {
                fence::take_turn(self.object, api.pay_for_write(), self.cx).await?;
            }
            return Ok(found);
        };
        let uid = self.object.uid().unwrap_or_default();
        let touched = self.cx.ledger.touched(&uid).unwrap_or(Duration::ZERO);
        let newest = now.saturating_sub(LISTED_WITHIN).max(touched.saturating_add(Duration::from_nanos(1)));
        // Whoever asks for a look has just done something, and wants it seen.
        let asked = self.object.annotations().get(REQUESTED_AT) != self.draft.last_handled_reconcile_at.as_ref();
        let ordinary = is_ready(&self.draft.conditions)
            && !asked
            && self.draft.observed_generation == self.object.metadata.generation
            && seen.deletion == Deletion::None;
        let recently_changed = !touched.is_zero() && now.saturating_sub(touched) < READ_SINGLY;
        let list = if !ordinary {
            None
        } else if recently_changed {
            api.oauth_clients_at_hand(newest)
        } else {
            Some(api.recent_oauth_clients(newest).await?)
        };
        let found = match list {
            // One that a list does not show, or not as the Secret says, is asked for by itself before it is missed.
            Some(list) => match list.iter().find(|client| client.id == *id && seen.agrees_with(client)) {
                Some(client) => Some(client.clone()),
                None => api.oauth_client(id).await?,
            },
            None => api.oauth_client(id).await?,
        };
        match found {
            Some(client) => Ok(Found::One(Box::new(client))),
            // The last look that there is: the id may be of a former client, and the present one carries the mark.
            None if seen.deletion != Deletion::None => Ok(self.marked(&api.recent_oauth_clients(now).await?)),
            None => Ok(Found::None),
        }
    }

    fn is_about_to_announce(&self, seen: &Seen) -> bool {
        match seen.intent.permit(IntentStep::Create, self.cx.clock.now()) {
            Permit::Announce | Permit::TakeOver => true,
            Permit::Act(_) | Permit::Wait(_) | Permit::Unreadable => false,
        }
    }

    /// How new a list has to be in which an object's client may be missing: newer than the object, and after a call of
    /// unknown outcome as new as can be. Objects that were applied together share one.
    fn newer_than_object(&self, seen: &Seen, now: Duration) -> Duration {
        match &seen.intent {
            IntentSeen::Found { call: Call::Unknown | Call::Closed, .. } => return now,
            // The list was looked at before this was announced.
            IntentSeen::Found { call: Call::NotSent | Call::NoEffect | Call::Refused, .. } => {
                return now.saturating_sub(LISTED_WITHIN);
            }
            IntentSeen::None | IntentSeen::Unreadable => {}
        }
        // One of this name was made or deleted since: a list from before that would mislead.
        let touched =
            self.cx.ledger.touched(&place(self.object)).map_or(Duration::ZERO, |at| at + Duration::from_nanos(1));
        let created = self.object.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |at| at.0);
        let age = Duration::try_from(self.cx.clock.now().duration_since(created)).unwrap_or(Duration::ZERO);
        now.saturating_sub(age.saturating_add(WHOLE_SECOND).min(LISTED_WITHIN)).max(touched)
    }

    fn marked(&self, list: &[OauthClient]) -> Found {
        let ours = |client: &&OauthClient| {
            let (_, mark) = Marker::split(client.description.as_deref().unwrap_or_default());
            mark.is_some_and(|mark| mark.same_place(self.marker))
        };
        let found: Vec<_> = list.iter().filter(ours).collect();
        match found.as_slice() {
            [] => Found::None,
            [one] => Found::One(Box::new((*one).clone())),
            many => Found::Many(many.iter().map(|client| client.id.clone()).collect()),
        }
    }

    /// The clients of which it cannot be told whether they are what a lost call made: no description is shown of them.
    fn unmarked(&self, list: &[OauthClient]) -> Found {
        let spec = &self.object.spec;
        let alike = |client: &&OauthClient| {
            client.hides("description") && client.name == spec.client_name && client.app_type == spec.app_type.as_str()
        };
        let theirs = |id: &str| {
            let holds = |other: &Lean<QlikOAuthClient>| {
                let status = other.0.0.as_ref().ok().and_then(|other| other.status.as_ref());
                status.and_then(|status| status.client_id.as_deref()) == Some(id)
            };
            self.cx.caches.oauth_clients.iter().any(|store| store.find(holds).is_some())
        };
        let ids: Vec<_> =
            list.iter().filter(alike).map(|client| client.id.clone()).filter(|id| !theirs(id.as_str())).collect();
        if ids.is_empty() { Found::None } else { Found::Unmarked(ids) }
    }

    /// As whom the operator makes secrets: asked only where a secret needs an explanation.
    async fn me(&self, seen: &Seen, client: &OauthClient) -> Result<Option<String>, Error> {
        let issued = match &seen.secret {
            SecretSeen::Ours(carried) => carried.issued.as_slice(),
            _ => &[],
        };
        let explained = |hint: &str| issued.iter().any(|issued| issued.id == hint);
        if seen.deletion != Deletion::None || client.secrets.iter().all(|secret| explained(&secret.hint)) {
            return Ok(None);
        }
        match issued.iter().find_map(|issued| issued.by.clone()) {
            Some(me) => Ok(Some(me)),
            None => Ok(self.parent.api(self.cx).my_user_id().await?),
        }
    }

    /// The public key that the manifest refers to.
    async fn given_key(&self, deleting: bool) -> Result<Option<Jwk>, Error> {
        let auth =
            self.object.spec.auth.as_ref().and_then(|ClientAuth { private_key_jwt, .. }| private_key_jwt.as_ref());
        let Some(PublicKeyRef { name, key }) = auth.and_then(|auth| auth.public_key_ref.as_ref()).filter(|_| !deleting)
        else {
            return Ok(None);
        };
        let namespace = self.object.namespace().unwrap_or_default();
        let text = secrets::referenced(&self.cx.client, &namespace, name, key).await?;
        let bad = |problem| Error::Misconfigured {
            reason: Reason::SecretInvalid,
            message: format!("Secret {name}: key {key}: {problem}"),
        };
        let public = PublicKey::parse(text.expose()).map_err(bad)?;
        let algorithm = if public.fits(Algorithm::Es384) { Algorithm::Es384 } else { Algorithm::Rs256 };
        let kid = public.thumbprint();
        public.jwk(&kid, algorithm).map(Some).map_err(bad)
    }
}

/// Kubernetes' dates have whole seconds.
const WHOLE_SECOND: Duration = Duration::from_secs(1);
