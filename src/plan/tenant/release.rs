//! The object is being deleted. Nothing irreversible happens by default, and nothing blocks for ever without saying why.

use super::{Deletion, Desired, Seen, Step, erase, human, offboard, onboard, unless_another_is_meant, wait};
use crate::crd::{OffboardingPhase, OnDelete, Phase, Reason, ReleasePolicy, Trigger};
use crate::plan::intent::{Call, IntentSeen, IntentStep, Permit};
use crate::plan::{HOURLY, Next};
use jiff::Timestamp;

pub(super) fn next(want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    let retain = seen.deletion == Deletion::Sweeping || want.on_delete == OnDelete::Retain;
    if retain || !seen.held || seen.other_owner.is_some() {
        return let_go(seen);
    }
    if let Some(id) = &seen.hostless {
        return human(
            Reason::HostnameUnknown,
            format!(
                "tenant {id} cannot be deactivated, its hostname is not known: set spec.adopt to its id and hostname, or offboarding.onDelete: Retain"
            ),
        );
    }
    let Some(bound) = &seen.bound else {
        return unbound(want, seen, now);
    };
    let record = match offboard::bring_off(want, seen, Trigger::Deletion, now) {
        Ok(record) => record,
        Err(next) => return unless_another_is_meant(want, bound, next),
    };
    let purged = record.phase() == OffboardingPhase::Purged;
    if want.release == ReleasePolicy::Purged && !purged {
        return match record.state.purge_at {
            Some(at) => {
                let held = format!("held until the purge at {at}, as offboarding.release: Purged asks");
                let message = if now < at {
                    held
                } else {
                    format!("{held}; the purge is not confirmed yet, see QlikOffboarding {}", record.name)
                };
                wait(Phase::Deactivated, Reason::PurgePending, message, HOURLY)
            }
            None => human(
                Reason::PurgeDateUnknown,
                "offboarding.release: Purged holds this object, and nobody can tell when the tenant is purged; set release: Scheduled to let it go",
            ),
        };
    }
    // A copy of a record decides nothing: what it speaks of is let go as it is.
    if record.phase() == OffboardingPhase::Unknown {
        return let_go(seen);
    }
    erase::next(seen, record).unwrap_or(Next::Release)
}

/// The object goes and its tenant lives on: that it was here stays on record, so that an object of the same name takes it
/// back and does not create another one. Nothing has to be written where a record of its off-boarding says it already.
pub fn let_go(seen: &Seen) -> Next<Step> {
    let made = seen.intent.created().is_some() || seen.intent.lost_creation().is_some();
    let holds = seen.bound.is_some() || seen.hostless.is_some() || made;
    let recorded = seen.released
        || seen.record.as_ref().is_some_and(|record| {
            matches!(
                record.phase(),
                OffboardingPhase::Requested | OffboardingPhase::Scheduled | OffboardingPhase::Purged
            )
        });
    // Somebody else holds the tenant, or took the finalizer off: then there is nothing to let go.
    if holds && seen.held && !recorded && seen.other_owner.is_none() {
        return Next::Do(Step::RecordRelease);
    }
    Next::Release
}

/// Deleted before there was a tenant, as far as is known.
fn unbound(want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    let IntentSeen::Found { intent, call: Call::Unknown } = &seen.intent else {
        return Next::Release;
    };
    if intent.step != IntentStep::Create || seen.asks.start_anew.as_deref() == Some(intent.nonce.as_str()) {
        return Next::Release;
    }
    if let Some((id, host)) = &want.adopt {
        return onboard::adopt(want, seen, id, host);
    }
    match onboard::resolve(seen, &intent.nonce, now) {
        Some(Next::Do(step)) => Next::Do(step),
        None if seen.intent.permit(IntentStep::Create, now) == Permit::TakeOver => Next::Release,
        Some(_) | None => human(
            Reason::CreateOutcomeUnknown,
            "a tenant may have been created for this object and would be left behind: set spec.adopt to its id and hostname \
             so that it can be deactivated, or offboarding.onDelete: Retain to let this object go; the tenant, if there is one, then stays in use",
        ),
    }
}
