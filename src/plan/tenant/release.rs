//! The object is being deleted. Nothing irreversible happens by default, and nothing blocks for ever without saying why.

use super::{Deletion, Desired, Seen, Step, View, erase, human, offboard, onboard, wait};
use crate::crd::{OffboardingPhase, OnDelete, Phase, Reason, ReleasePolicy, Trigger};
use crate::plan::intent::{Call, IntentSeen, IntentStep, Permit};
use crate::plan::{HOURLY, Next};
use jiff::Timestamp;

pub(super) fn next(want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    let retain = seen.deletion == Deletion::Sweeping || want.on_delete == OnDelete::Retain;
    if retain || !seen.held || seen.other_owner.is_some() {
        return Next::Release;
    }
    if seen.bound.is_none() {
        return unbound(want, seen, now);
    }
    let record = match offboard::bring_off(want, seen, Trigger::Deletion, now) {
        Ok(record) => record,
        Err(next) => return next,
    };
    let purged = record.phase == OffboardingPhase::Purged || seen.tenant == View::Gone;
    if want.release == ReleasePolicy::Purged && !purged {
        return match record.purge_at {
            Some(at) => wait(
                Phase::Deactivated,
                Reason::PurgePending,
                format!("held until the purge at {at}, as offboarding.release: Purged asks"),
                HOURLY,
            ),
            None => human(
                Reason::PurgeDateUnknown,
                "offboarding.release: Purged holds this object, and nobody can tell when the tenant is purged; set release: Scheduled to let it go",
            ),
        };
    }
    erase::next(seen, record).unwrap_or(Next::Release)
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
             so that it can be deactivated, or offboarding.onDelete: Retain to let this object go",
        ),
    }
}
