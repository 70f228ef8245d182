//! What the plans of a tenant's children have in common.

use super::intent::{IntentSeen, IntentStep, Permit};
use super::{Finding, Next, human};
use crate::crd::{INTENT, Phase, Reason};
use crate::qlik::TenantId;
use jiff::Timestamp;
use std::time::Duration;

/// Where the child's tenant stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It may be worked in.
    Usable {
        /// Its id.
        id: TenantId,
        /// It is not the one that the counterpart was made in.
        moved: bool,
    },
    /// Not now.
    Waiting(Finding),
    /// It is deactivated or purged.
    Covered(Finding),
}

/// A first look that does not find the counterpart is believed after this long.
pub const SECOND_LOOK: Duration = Duration::from_secs(15);
/// How often to look while something passes by itself.
pub const SOON: Duration = Duration::from_secs(2);
/// How often to look while something else has to happen first.
pub(super) const RETRY: Duration = Duration::from_secs(15);

/// Nothing is done now, and that passes by itself.
pub(super) fn wait<S>(reason: Reason, message: impl Into<String>, recheck: Duration) -> Next<S> {
    Next::Wait { finding: Finding::passing(Phase::Pending, reason, message), recheck }
}

/// A creation under the announcement that it needs, once the finalizer holds the object.
pub(super) fn create<S>(intent: &IntentSeen, held: bool, now: Timestamp, announce: S, act: S) -> Next<S> {
    match intent.permit(IntentStep::Create, now) {
        Permit::Act(_) if held => Next::Do(act),
        // The list shows that an earlier call had no effect: what it would have made carries the mark.
        Permit::Act(_) | Permit::Announce | Permit::TakeOver => Next::Do(announce),
        Permit::Wait(left) => wait(
            Reason::CreateOutcomeUnknown,
            "waiting up to ten minutes to learn whether the previous call took effect",
            left.min(RETRY),
        ),
        Permit::Unreadable => human(
            Reason::SpecInvalid,
            format!(
                "the annotation {INTENT} was changed by hand; remove it once no operator is working on this object"
            ),
        ),
    }
}

/// The commonest reason why what an object made does not carry its mark, and the way out of it.
pub(super) fn other_cluster(intent: &IntentSeen) -> String {
    let made = match intent.cluster() {
        Some(id) => format!("this object announced its counterpart under {id}"),
        None => "under which one this object announced its counterpart is not known".to_owned(),
    };
    format!(
        "The commonest cause is a cluster that was replaced, so that the operator runs with another --cluster-id than before: {made}. \
         Start the operator with the former one (docs/DISASTER-RECOVERY.md), and this passes by itself."
    )
}

/// The time until an instant; nothing when it is past.
pub(super) fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
}
