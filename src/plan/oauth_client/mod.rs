//! What should happen next to one OAuth client.
//!
//! `mod` decides about the client itself, `secret` about the Secret that its app reads, `drift` compares.

mod desired;
mod drift;
mod facts;
mod secret;

pub use desired::{Authentication, Desired, Turnover};
pub use drift::{CONSENT, fields, same_keys, written_unseen};
pub use facts::{Carried, Content, Found, Issued, MAX_SECRETS, Minting, SecretSeen, Seen, Step};
pub use secret::rotates_at;

use super::child::{self, Place, RETRY, SECOND_LOOK, SOON, until, wait};
use super::intent::{Call, IntentSeen, IntentStep, Permit};
use super::{Deletion, Finding, Next, human};
use crate::crd::{Phase, Reason};
use crate::qlik::{Consent, OauthClient, OauthClientChange, OauthClientId};
use jiff::Timestamp;
use std::time::Duration;

/// Decides the next step of one OAuth client.
pub fn next(want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    if seen.deletion != Deletion::None {
        return release(want, seen, now);
    }
    match &seen.place {
        Place::Waiting(finding) => return Next::Wait { finding: finding.clone(), recheck: WAITING },
        Place::Covered(finding) => return Next::Settled { finding: finding.clone(), recheck: WAITING },
        Place::Usable { moved: true, .. } if seen.id.is_some() => return Next::Do(Step::Forget),
        Place::Usable { .. } => {}
    }
    if let Some(next) = secret::blocked(seen) {
        return next;
    }
    let Some(id) = &seen.id else {
        return without_id(seen, now);
    };
    match &seen.client {
        Found::One(client) if client.id == *id => in_use(want, seen, client, now),
        Found::One(_) | Found::Many(_) | Found::Unmarked(_) | Found::NotAsked => {
            wait(Reason::Creating, "the client was not looked at yet", SOON)
        }
        Found::None => gone(seen, now),
    }
}

/// How often a child looks at its tenant by itself; the tenant's own changes wake it at once.
const WAITING: Duration = Duration::from_secs(600);

/// There is no client as far as the status knows: take one back that carries the mark, or make one.
fn without_id(seen: &Seen, now: Timestamp) -> Next<Step> {
    match &seen.client {
        Found::One(client) => return Next::Do(Step::Bind(client.id.clone())),
        Found::Many(ids) => return ambiguous(ids),
        Found::Unmarked(ids) => return unmarked(seen, ids, now),
        Found::NotAsked => return wait(Reason::Creating, "the tenant's clients were not looked at yet", SOON),
        Found::None => {}
    }
    child::create(&seen.intent, seen.held, now, Step::Announce, Step::Create)
}

fn ambiguous(ids: &[OauthClientId]) -> Next<Step> {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    human(
        Reason::CounterpartAmbiguous,
        format!(
            "{} OAuth clients carry this object's mark: {}. Delete all but one in Qlik Cloud, or take the mark out of their descriptions",
            ids.len(),
            ids.join(", ")
        ),
    )
}

/// A call of unknown outcome may have made one of these, and Qlik Cloud does not show the mark that would tell.
fn unmarked(seen: &Seen, ids: &[OauthClientId], now: Timestamp) -> Next<Step> {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    if let Permit::Wait(_) = seen.intent.permit(IntentStep::Create, now) {
        return child::create(&seen.intent, seen.held, now, Step::Announce, Step::Create);
    }
    human(
        Reason::CreateOutcomeUnknown,
        format!(
            "the answer to the creation was lost, and Qlik Cloud does not show the description of {}, which has this object's name: \
             whether it was made here is not known, and no other one is made. If nothing uses it, delete it in Qlik Cloud",
            ids.join(", ")
        ),
    )
}

/// The client is not there any more, though the status knows it. Believed at the second look.
fn gone(seen: &Seen, now: Timestamp) -> Next<Step> {
    match seen.missing_since {
        Some(since) if until(since + SECOND_LOOK, now).is_zero() => Next::Do(Step::Forget),
        Some(since) => wait(Reason::CounterpartGone, GONE, until(since + SECOND_LOOK, now)),
        None => wait(Reason::CounterpartGone, GONE, SECOND_LOOK),
    }
}

const GONE: &str =
    "the OAuth client is not in Qlik Cloud any more; after a second look another one is made, with another client id";

/// The client is there: bring it to what is declared, then its secret.
fn in_use(want: &Desired, seen: &Seen, client: &OauthClient, now: Timestamp) -> Next<Step> {
    if !seen.held {
        return Next::Do(Step::Hold); // somebody removed the finalizer by hand
    }
    if seen.foreign_mark {
        return human(
            Reason::Conflict,
            format!(
                "OAuth client {} carries the mark of another object, or none while another client is this object's: nothing is done to it here, and it works on. {} Otherwise status.clientId was changed by hand, or copied from another object: remove status.clientId",
                client.id,
                child::other_cluster(&seen.intent)
            ),
        );
    }
    let changes = drift::changes(want, seen, client, now);
    // Without any configuration users are asked.
    let consent = client.consent.unwrap_or(Consent::Required) != want.consent;
    // A key that has come or gone is no matter of taste.
    let keys = changes.iter().any(|change| matches!(change, OauthClientChange::PublicKeys(_)));
    let differs = consent || !changes.is_empty();
    let fought = seen.written.fought_over(&fields(&changes), now).filter(|_| differs && !keys);
    if fought.is_none() && !changes.is_empty() {
        return Next::Do(Step::Change(changes));
    }
    if fought.is_none() && consent {
        return Next::Do(Step::SetConsent(want.consent));
    }
    if want.publish && client.published_at.is_none() {
        return Next::Do(Step::Publish);
    }
    if let Some(next) = secret::next(want, seen, client, now) {
        return next;
    }
    fought.unwrap_or_else(|| settled(want, seen, client, now))
}

fn settled(want: &Desired, seen: &Seen, client: &OauthClient, now: Timestamp) -> Next<Step> {
    let due = secret::due(want, seen, client, now);
    let recheck = due.map_or(want.interval, |at| until(at, now).max(SOON).min(want.interval));
    if !want.publish && client.published_at.is_some() {
        let message = "the client is published to every tenant of the region, and Qlik Cloud cannot take that back: set spec.publish: true, or create another client and delete this one";
        return human(Reason::NotReversible, message);
    }
    let message = match seen.secret.retiring() {
        Some(at) => format!("the client is as declared; its former secret works until {at}"),
        None => "the client is as declared".to_owned(),
    };
    Next::Settled { finding: Finding::passing(Phase::Ready, Reason::Settled, message), recheck }
}

/// The object is being deleted.
fn release(want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    if seen.deletion == Deletion::Sweeping || want.orphan || !seen.held {
        return Next::Release;
    }
    match &seen.place {
        // It ends with its tenant, or cannot be reached any more.
        Place::Covered(_) | Place::Usable { moved: true, .. } => return Next::Release,
        Place::Waiting(_) if seen.id.is_none() && !may_have_made(&seen.intent) => return Next::Release,
        Place::Waiting(finding) => return Next::Wait { finding: finding.clone(), recheck: RETRY },
        Place::Usable { .. } => {}
    }
    match &seen.client {
        Found::One(client) if seen.foreign_mark => human(
            Reason::Conflict,
            format!("OAuth client {} is not this object's by the marks and is not deleted", client.id),
        ),
        Found::One(client) => Next::Do(Step::Delete(client.id.clone())),
        Found::Many(ids) => ambiguous(ids),
        Found::Unmarked(ids) => match seen.intent.permit(IntentStep::Create, now) {
            Permit::Wait(_) => unmarked(seen, ids, now),
            _ => Next::Release,
        },
        Found::NotAsked if seen.id.is_some() => wait(Reason::Deleting, "the client was not looked at yet", SOON),
        Found::NotAsked | Found::None => match &seen.intent {
            IntentSeen::Found { call: Call::Unknown, .. } if seen.id.is_none() => {
                match seen.intent.permit(IntentStep::Create, now) {
                    Permit::Wait(left) => wait(
                        Reason::CreateOutcomeUnknown,
                        "a client may still be made by an earlier call; this object goes once that is known",
                        left.min(RETRY),
                    ),
                    _ => Next::Release,
                }
            }
            IntentSeen::None | IntentSeen::Unreadable | IntentSeen::Found { .. } => Next::Release,
        },
    }
}

fn may_have_made(intent: &IntentSeen) -> bool {
    matches!(intent, IntentSeen::Found { call: Call::Unknown | Call::Closed, .. })
}

#[cfg(test)]
mod tests;
