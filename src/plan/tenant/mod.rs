//! What should happen next to one Qlik Cloud tenant.
//!
//! The whole policy is in these few files: `onboard` (there is no tenant yet), `live` (declared `Active`), `offboard`
//! (declared `Deactivated`, or deleted with `onDelete: Deactivate`), `release` (the object is being deleted), `erase`.

mod desired;
mod erase;
mod facts;
mod live;
mod offboard;
mod onboard;
mod release;
mod steps;

pub use desired::{Desired, Invalid};
pub use erase::{ahead as erasure_ahead, due as erasure_due};
pub use facts::{AliasSeen, Asks, Bound, Lookup, RecordSeen, Seen, TargetSeen, View, current_record, previous_record};
pub use offboard::ready as offboarding_ready;
pub use release::let_go;
pub use steps::{Announcement, Step};

use super::intent::{IntentStep, Permit};
use super::{Deletion, Finding, Next, human};
use crate::crd::{INTENT, Lifecycle, Phase, Reason};
use jiff::Timestamp;
use std::time::Duration;

/// Decides the next step of one tenant.
pub fn next(want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    if seen.deletion != Deletion::None {
        return release::next(want, seen, now);
    }
    if let Some(owner) = &seen.other_owner {
        let message = format!(
            "the tenant belongs to QlikTenant {owner}, which holds it longer: delete this object; nothing happens in Qlik Cloud"
        );
        return human(Reason::Conflict, message);
    }
    if seen.hostless.is_some() && seen.intent.of(IntentStep::Create).is_some_and(|intent| intent.outcome.is_none()) {
        return Next::Do(Step::CloseIntent);
    }
    if let Some(id) = &seen.hostless {
        return onboard::without_a_host(want, seen, id);
    }
    let Some(bound) = &seen.bound else {
        return onboard::next(want, seen, now);
    };
    if !seen.held {
        return Next::Do(Step::Hold); // somebody removed the finalizer by hand
    }
    if seen.intent.of(IntentStep::Create).is_some_and(|intent| intent.outcome.is_none()) {
        return Next::Do(Step::CloseIntent);
    }
    let next = match want.lifecycle {
        Lifecycle::Active => live::next(want, seen, bound, now),
        Lifecycle::Deactivated => offboard::declared(want, seen, bound, now),
    };
    unless_another_is_meant(want, bound, next)
}

/// An object that holds one tenant and whose `spec.adopt` names another one speaks of two: it changes neither. What was
/// done before is still followed and written down, and a tenant is brought back.
fn unless_another_is_meant(want: &Desired, bound: &Bound, next: Next<Step>) -> Next<Step> {
    let Some(problem) = another_is_meant(want, bound) else { return next };
    match next {
        Next::Do(step) if !step.leads_to_change() => Next::Do(step),
        Next::Do(_) | Next::Settled { .. } => human(Reason::AdoptMismatch, problem),
        Next::Wait { .. } | Next::Release => next,
    }
}

/// What to say where `spec.adopt` names another tenant than the one that the object holds.
fn another_is_meant(want: &Desired, bound: &Bound) -> Option<String> {
    let (named, _) = want.adopt.as_ref().filter(|(named, _)| *named != bound.id)?;
    let (id, host) = (&bound.id, bound.host.hostname());
    Some(format!(
        "this object holds tenant {id} ({host}), and spec.adopt names another one, {named}: neither is changed. To go on with \
         {id} take spec.adopt away, or set it to {{tenantId: {id}, hostname: {host}}}; for {named} create another object"
    ))
}

fn wait(phase: Phase, reason: Reason, message: impl Into<String>, recheck: Duration) -> Next<Step> {
    Next::Wait { finding: Finding::passing(phase, reason, message), recheck }
}

fn settled(phase: Phase, reason: Reason, message: impl Into<String>, recheck: Duration) -> Next<Step> {
    Next::Settled { finding: Finding::passing(phase, reason, message), recheck }
}

/// Turns a permit into the step that it allows: `act` under a fresh intent, an announcement, or waiting.
///
/// `harmless` tells whether what is observed shows that an earlier call of unknown outcome had no effect.
fn under_permit(seen: &Seen, announce: Announcement, now: Timestamp, harmless: bool, act: Step) -> Next<Step> {
    let (phase, unknown) = match announce.step {
        IntentStep::Create => (Phase::Creating, Reason::CreateOutcomeUnknown),
        IntentStep::Deactivate | IntentStep::RestartWindow => (Phase::Deactivating, Reason::DeactivationOutcomeUnknown),
    };
    match seen.intent.permit(announce.step, now) {
        Permit::Act(_) if seen.held => Next::Do(act),
        Permit::Act(_) | Permit::Announce => Next::Do(Step::Announce(announce)),
        Permit::TakeOver if seen.doubt.is_some() => {
            let doubt = seen.doubt.as_deref().unwrap_or_default();
            human(Reason::ClockDoubt, format!("what became of an earlier call is not decided: {doubt}"))
        }
        Permit::TakeOver if harmless => Next::Do(Step::Announce(announce)),
        Permit::TakeOver => wait(phase, unknown, "whether the last call took effect is not known yet", RETRY),
        Permit::Wait(left) => {
            let message = "waiting up to ten minutes to learn whether the previous call took effect";
            wait(phase, unknown, message, left.min(RETRY))
        }
        Permit::Unreadable => human(
            Reason::SpecInvalid,
            format!(
                "the annotation {INTENT} was changed by hand; remove it once no operator is working on this object"
            ),
        ),
    }
}

/// How often to look while an outcome is unknown.
const RETRY: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests;
