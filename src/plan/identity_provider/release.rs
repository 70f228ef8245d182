//! The object is being deleted.

use super::{Desired, RETRY, Seen, Step, wait};
use crate::crd::Reason;
use crate::plan::Deletion;
use crate::plan::Next;
use crate::plan::child::{Place, SOON};
use crate::plan::intent::{Call, IntentSeen, IntentStep, Permit};
use crate::qlik::IdentityProvider;
use jiff::Timestamp;

pub(super) fn next(want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    if seen.deletion == Deletion::Sweeping || want.orphan || !seen.held {
        return Next::Release;
    }
    match &seen.place {
        // It ends with its tenant, or cannot be reached any more.
        Place::Covered(_) | Place::Usable { moved: true, .. } => return Next::Release,
        Place::Waiting(_) if seen.record.current.is_none() && !may_have_made(&seen.intent) => return Next::Release,
        Place::Waiting(finding) => return Next::Wait { finding: finding.clone(), recheck: RETRY },
        Place::Usable { .. } => {}
    }
    if !seen.looked {
        return wait(Reason::Deleting, "the tenant's identity providers were not looked at yet", SOON);
    }
    // The one that people log in through goes last.
    let last = |provider: &&IdentityProvider| provider.active;
    if let Some(provider) = seen.mine.iter().min_by_key(last) {
        return Next::Do(Step::Delete(provider.id.clone()));
    }
    match (&seen.intent, seen.intent.permit(IntentStep::Create, now)) {
        (IntentSeen::Found { call: Call::Unknown, .. }, Permit::Wait(left)) => wait(
            Reason::CreateOutcomeUnknown,
            "a provider may still be made by an earlier call; this object goes once that is known",
            left.min(RETRY),
        ),
        _ => Next::Release,
    }
}

fn may_have_made(intent: &IntentSeen) -> bool {
    matches!(intent, IntentSeen::Found { call: Call::Unknown | Call::Closed, .. })
}
