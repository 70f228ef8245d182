//! Secrets that have to go: planned on record, deleted, and confirmed absent, in this order.

use super::{Deletion, Desired, RecordSeen, Seen, Step, TargetSeen, View, human, wait};
use crate::crd::{Lifecycle, OffboardingPhase, OnDelete, Phase, Reason, ReleasePolicy, SecretOutcome, Trigger};
use crate::plan::Next;
use std::time::Duration;

/// The next step of the erasure; `None` once everything that has to go is confirmed to be gone.
pub(super) fn next(seen: &Seen, record: &RecordSeen) -> Option<Next<Step>> {
    if seen.targets.is_empty() {
        return None;
    }
    if let Some(doubt) = &seen.doubt {
        return Some(human(Reason::ClockDoubt, format!("no Secret is erased: {doubt}")));
    }
    let as_seen = |target: &TargetSeen| {
        record.secrets.iter().any(|e| {
            let same = e.name == target.name && target.uid.as_ref().is_none_or(|uid| e.uid == *uid);
            same && (e.outcome == SecretOutcome::Kept) == target.kept
        })
    };
    if !seen.targets.iter().all(as_seen) {
        return Some(Next::Do(Step::PlanErasure { record: record.name.clone(), targets: seen.targets.clone() }));
    }
    let present: Vec<_> = seen.targets.iter().filter(|t| t.uid.is_some() && !t.kept).cloned().collect();
    if !present.is_empty() {
        if present.iter().all(|t| t.terminating) {
            let message = "Secrets are being deleted and something still holds them: look at their finalizers";
            return Some(wait(Phase::Deactivated, Reason::ErasePending, message, Duration::from_secs(15)));
        }
        return Some(Next::Do(Step::Erase(present)));
    }
    record.planned().next().map(|_| Next::Do(Step::ConfirmErasure { record: record.name.clone() }))
}

/// Whether it is time to erase: at the purge while the object lives, at release when it is deleted.
pub fn due(want: &Desired, deletion: Deletion, record: &RecordSeen, tenant: &View) -> bool {
    if matches!(tenant, View::Active(_)) {
        return false; // a tenant in use wins over any record
    }
    let purged = record.phase() == OffboardingPhase::Purged;
    let scheduled = record.phase() == OffboardingPhase::Scheduled;
    match deletion {
        Deletion::Sweeping => false,
        Deletion::None => want.lifecycle == Lifecycle::Deactivated && purged,
        Deletion::Requested if want.on_delete == OnDelete::Retain => false,
        Deletion::Requested => match want.release {
            ReleasePolicy::Scheduled => purged || scheduled,
            ReleasePolicy::Purged => purged,
        },
    }
}

/// Whether the deactivation is about to be called for: then what will have to go is put on record first.
pub fn ahead(seen: &Seen) -> bool {
    let requested = |record: &RecordSeen| {
        record.phase() == OffboardingPhase::Requested && record.trigger != Trigger::OutOfBand && record.uid == seen.uid
    };
    seen.bound.is_some()
        && seen.deletion != Deletion::Sweeping
        && matches!(seen.tenant, View::Active(_))
        && seen.record.as_ref().is_some_and(requested)
}
