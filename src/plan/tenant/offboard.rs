//! The tenant is to be off: deactivate it exactly once, and follow the countdown.

use super::{
    Announcement, Bound, Desired, Finding, RecordSeen, Seen, Step, View, another_is_meant, erase, human, settled,
    under_permit, wait,
};
use crate::crd::{
    Evidence, Lifecycle, OffboardingPhase, OnDelete, Phase, PurgeConfirmation, RESTART_PURGE_WINDOW, Reason, Trigger,
};
use crate::plan::intent::{IntentStep, Permit, TAKE_OVER};
use crate::plan::{HOURLY, Next};
use crate::qlik::{Hostname, Tenant};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Declared `Deactivated`.
pub(super) fn declared(want: &Desired, seen: &Seen, bound: &Bound, now: Timestamp) -> Next<Step> {
    match bring_off(want, seen, Trigger::Lifecycle, now) {
        Ok(record) => countdown(want, seen, bound, record, now),
        Err(next) => next,
    }
}

/// Everything until the tenant is off and that is on record. `Ok` is the record to go on with.
pub(super) fn bring_off<'a>(
    want: &Desired,
    seen: &'a Seen,
    trigger: Trigger,
    now: Timestamp,
) -> Result<&'a RecordSeen, Next<Step>> {
    match (&seen.tenant, &seen.record) {
        // Before everything else: a tenant that answers is in use, whatever a record says.
        (View::Active(tenant), record) => Err(still_active(want, seen, tenant, record.as_ref(), trigger, now)),
        (_, Some(record)) if record.phase() == OffboardingPhase::Purged => Ok(record),
        (View::Disabled | View::Gone, None) => Err(match &seen.lost {
            Some(lost) => Next::Do(Step::RestoreRecord(Box::new(lost.clone()))),
            None => Next::Do(Step::OpenRecord(Trigger::OutOfBand)),
        }),
        (View::Disabled | View::Gone, Some(record)) => match record.phase() {
            OffboardingPhase::Requested => Err(proven_off(seen, record)),
            OffboardingPhase::Scheduled | OffboardingPhase::Purged | OffboardingPhase::Unknown => Ok(record),
            // An earlier off-boarding ended and the tenant is off again: that was somebody else.
            OffboardingPhase::Reactivated | OffboardingPhase::Cancelled | OffboardingPhase::Released => {
                Err(Next::Do(Step::OpenRecord(Trigger::OutOfBand)))
            }
        },
        (View::NotAsked, Some(record)) if record.phase() == OffboardingPhase::Scheduled => Ok(record),
        (View::NotAsked, _) => {
            Err(wait(Phase::Deactivating, Reason::QlikUnavailable, "the tenant was not looked at", SOON))
        }
    }
}

/// The tenant answers although it is to be off.
fn still_active(
    want: &Desired,
    seen: &Seen,
    tenant: &Tenant,
    record: Option<&RecordSeen>,
    trigger: Trigger,
    now: Timestamp,
) -> Next<Step> {
    match record.map(|record| (record, record.phase())) {
        None if seen.lost.is_some() => reactivated_elsewhere(),
        Some((record, OffboardingPhase::Scheduled)) => {
            // Qlik does not say how fast a deactivation shows on the tenant's host, so a fresh one gets time.
            let since = record.state.deactivated_at.unwrap_or(record.requested_at);
            if now.duration_since(since) < SHOWS_WITHIN {
                let message = "Qlik confirmed the deactivation; waiting for the tenant's host to show it";
                return wait(Phase::Deactivating, Reason::Deactivating, message, SOON);
            }
            Next::Do(Step::CloseRecord { record: record.name.clone(), phase: OffboardingPhase::Reactivated })
        }
        // The record was wrong, or Qlik brought the tenant back: it says so before anything else happens.
        Some((record, OffboardingPhase::Purged)) => {
            Next::Do(Step::CloseRecord { record: record.name.clone(), phase: OffboardingPhase::Reactivated })
        }
        Some((_, OffboardingPhase::Unknown)) => human(
            Reason::ReactivatedOutOfBand,
            "the tenant is in use, and a record that was restored from a backup says that it was to be deactivated; nothing is \
             done by that record. To keep the tenant set spec.lifecycle: Active; to off-board it set lifecycle Active first \
             and then Deactivated",
        ),
        Some((record, OffboardingPhase::Reactivated))
            if !(trigger == Trigger::Deletion && record.trigger != trigger) =>
        {
            reactivated_elsewhere()
        }
        Some((record, OffboardingPhase::Requested)) => match came_back(seen, tenant, record, now) {
            // It was off and is back: the call took effect after all, and somebody undid it.
            Some(true) => {
                Next::Do(Step::CloseRecord { record: record.name.clone(), phase: OffboardingPhase::Reactivated })
            }
            Some(false) => deactivate(want, seen, tenant, Some(record), trigger, now),
            None => effect_unknown(),
        },
        Some((_, OffboardingPhase::Reactivated | OffboardingPhase::Cancelled | OffboardingPhase::Released)) | None => {
            deactivate(want, seen, tenant, None, trigger, now)
        }
    }
}

fn reactivated_elsewhere() -> Next<Step> {
    human(
        Reason::ReactivatedOutOfBand,
        "the tenant was reactivated, not by this operator; it is not deactivated again by itself. To keep it set \
         spec.lifecycle: Active (or, while deleting, offboarding.onDelete: Retain); to off-board it again set \
         lifecycle Active first and then Deactivated",
    )
}

/// Whether the tenant's state changed after the deactivation was decided, so that it was off and is back. Some seconds are
/// allowed for the difference between the two dates, neither of which is more exact than that. `None` when a call was
/// made, its outcome is not known, and Qlik Cloud does not say when the state changed: its schema has that optional.
fn came_back(seen: &Seen, tenant: &Tenant, record: &RecordSeen, now: Timestamp) -> Option<bool> {
    let decided = record.requested_at.checked_add(SignedDuration::from_secs(5)).unwrap_or(Timestamp::MAX);
    match tenant.status_changed {
        Some(changed) => Some(changed > decided),
        // Nothing was sent yet, or what was sent is known to have had no effect.
        None => match seen.intent.permit(IntentStep::Deactivate, now) {
            Permit::TakeOver => None,
            // The announcement may have been taken away by hand; the record then stands for a call that was made.
            Permit::Announce
                if seen.intent.of(IntentStep::Deactivate).is_none() && !record.state.unknown.is_empty() =>
            {
                None
            }
            Permit::Act(_) | Permit::Announce | Permit::Wait(_) | Permit::Unreadable => Some(false),
        },
    }
}

/// A second deactivation would restart a countdown, or be one that nobody decided: a human tells.
fn effect_unknown() -> Next<Step> {
    human(
        Reason::DeactivationOutcomeUnknown,
        "the answer to a deactivation was lost, the tenant is in use, and Qlik Cloud does not say whether it was off meanwhile: it \
         is not deactivated again by itself. To keep it set spec.lifecycle: Active (or, while deleting, offboarding.onDelete: \
         Retain); to off-board it set lifecycle Active first and then Deactivated",
    )
}

/// Announces, records and makes the one call; each in a turn of its own.
fn deactivate(
    want: &Desired,
    seen: &Seen,
    tenant: &Tenant,
    record: Option<&RecordSeen>,
    trigger: Trigger,
    now: Timestamp,
) -> Next<Step> {
    let confirm = match confirmed(want, tenant) {
        Ok(confirm) => confirm,
        Err(problem) => return human(Reason::ConfirmHostnameMismatch, problem),
    };
    if let Some(doubt) = &seen.doubt {
        return human(Reason::ClockDoubt, format!("not deactivated: {doubt}"));
    }
    let announce =
        Announcement { step: IntentStep::Deactivate, record: record.map(|record| record.name.clone()), replaces: None };
    // An intent that was removed by hand leaves the record as the trace of a call that may be under way.
    let last_call = |record: &RecordSeen| record.state.last_call.as_ref().map_or(record.requested_at, |made| made.at);
    if let Some(record) = record
        && seen.intent.of(IntentStep::Deactivate).is_none()
        && now.duration_since(last_call(record)) < SignedDuration::try_from(TAKE_OVER).unwrap_or(SignedDuration::MAX)
    {
        let message = "a deactivation was recorded and its outcome is not known yet";
        return wait(Phase::Deactivating, Reason::DeactivationOutcomeUnknown, message, SOON);
    }
    let (days, announced) = (i32::from(want.days.get()), announced(seen, IntentStep::Deactivate));
    let act = match record {
        Some(record) if !seen.targets.is_empty() => {
            Step::PlanErasure { record: record.name.clone(), targets: seen.targets.clone() }
        }
        // What is asked for is on record before it is asked: an estimate rests on it should the answer be lost.
        Some(record) if !record.state.has_call(days, announced) => {
            Step::NoteCall { record: record.name.clone(), days, announced }
        }
        Some(record) => Step::Deactivate { record: record.name.clone(), confirm },
        None => Step::OpenRecord(trigger),
    };
    // The tenant answers: a call that is older than the take-over time did not take effect.
    under_permit(seen, announce, now, true, act)
}

/// When the call was announced that may be made now. Without an announcement none may.
fn announced(seen: &Seen, step: IntentStep) -> Timestamp {
    seen.intent.of(step).map_or(Timestamp::MAX, |intent| intent.at)
}

/// Whether what the manifest says of the tenant's end could be done, as far as the hostname tells; `None` where it asks for
/// no end or the tenant was not seen. A wrong hostname is said at once, and not on the day on which it matters.
pub fn ready(want: &Desired, seen: &Seen) -> Option<Finding> {
    let asks = want.lifecycle == Lifecycle::Deactivated || want.on_delete == OnDelete::Deactivate;
    let (View::Active(tenant), Some(bound)) = (&seen.tenant, &seen.bound) else {
        return None;
    };
    if let Some(problem) = another_is_meant(want, bound).filter(|_| asks) {
        return Some(Finding::human(Reason::AdoptMismatch, problem));
    }
    asks.then(|| match confirmed(want, tenant) {
        Ok(confirm) => {
            let message = format!("offboarding.confirmHostname names this tenant: {confirm}");
            Finding::passing(Phase::Ready, Reason::Settled, message)
        }
        Err(problem) => Finding::human(Reason::ConfirmHostnameMismatch, problem),
    })
}

/// Nothing is deactivated unless a human wrote one of the tenant's own hostnames. An error says which they are.
fn confirmed(want: &Desired, tenant: &Tenant) -> Result<Hostname, String> {
    match &want.confirm {
        Some(confirm) if tenant.hostnames.contains(confirm) => Ok(confirm.clone()),
        confirm => {
            let names: Vec<_> = tenant.hostnames.iter().map(ToString::to_string).collect();
            let wrote = confirm.as_ref().map_or("nothing".to_owned(), ToString::to_string);
            Err(format!(
                "offboarding.confirmHostname says {wrote}, and the tenant is {}: it is not deactivated. Write that name to confirm, or set \
                 lifecycle: Active and onDelete: Retain",
                names.join(" or ")
            ))
        }
    }
}

/// The answer was lost, or the process died; the tenant being off proves that the call took effect.
pub(super) fn proven_off(seen: &Seen, record: &RecordSeen) -> Next<Step> {
    let record_name = record.name.clone();
    if record.trigger == Trigger::OutOfBand {
        let purge_at = seen.organization_purge_at;
        let evidence = purge_at.map(|_| Evidence::Organization);
        return Next::Do(Step::Schedule { record: record_name, deactivated_at: None, purge_at, evidence });
    }
    let (deactivated_at, purge_at, evidence) = match (seen.answered, seen.organization_purge_at) {
        (Some((made, Some(at))), _) => (made, at, Evidence::Date),
        (_, Some(at)) => (record.requested_at, at, Evidence::Organization),
        (_, None) => (record.requested_at, record.earliest_purge(), Evidence::Estimated),
    };
    Next::Do(Step::Schedule {
        record: record_name,
        deactivated_at: Some(deactivated_at),
        purge_at: Some(purge_at),
        evidence: Some(evidence),
    })
}

/// Off and on record: follow the countdown, and erase what has to go once the purge is confirmed.
fn countdown(want: &Desired, seen: &Seen, bound: &Bound, record: &RecordSeen, now: Timestamp) -> Next<Step> {
    if record.phase() == OffboardingPhase::Purged {
        return erase::next(seen, record).unwrap_or_else(|| {
            let message = match record.state.confirmed_by {
                Some(PurgeConfirmation::Host | PurgeConfirmation::Organization) => {
                    "the tenant was purged; the Secrets that had to go are erased"
                }
                Some(PurgeConfirmation::Waiver | PurgeConfirmation::None) | None => {
                    "the purge date has passed (not confirmed by Qlik Cloud); the Secrets that had to go are erased"
                }
            };
            settled(Phase::Purged, Reason::Purged, message, HOURLY * 24)
        });
    }
    if let Some(next) = restart_window(want, seen, bound, record, now) {
        return next;
    }
    // Another operator may have put its estimate on record before this one could write the answer.
    let known = seen.answered.and_then(|(_, at)| at).map(|at| (at, Evidence::Date));
    let known = known.or(seen.organization_purge_at.map(|at| (at, Evidence::Organization)));
    if let (Some((at, evidence)), Some(Evidence::Estimated) | None) = (known, record.state.evidence)
        && record.state.purge_at != Some(at)
    {
        let (record, deactivated_at) = (record.name.clone(), record.state.deactivated_at);
        return Next::Do(Step::Schedule { record, deactivated_at, purge_at: Some(at), evidence: Some(evidence) });
    }
    let Some(at) = record.state.purge_at else {
        let message =
            "deactivated by somebody else; without an organization credential nobody can tell when it is purged";
        return settled(Phase::Deactivated, Reason::PurgeDateUnknown, message, HOURLY);
    };
    let mut message = match record.state.evidence {
        Some(Evidence::Estimated) => format!("deactivated; will be purged not before {at} (Qlik's own date was lost)"),
        Some(Evidence::Date | Evidence::Organization) | None => format!("deactivated; will be purged at {at}"),
    };
    if now >= at {
        message = format!(
            "deactivated; the purge date {at} has passed and is not confirmed yet: see QlikOffboarding {}",
            record.name
        );
    }
    if record.phase() == OffboardingPhase::Unknown {
        message = format!(
            "{message}, by a record that was restored from a backup: this object does nothing by it. To go on with it, set spec.adopt to {{tenantId: {}, hostname: {}}}",
            bound.id,
            bound.host.hostname()
        );
    } else if i32::from(want.days.get()) != record.days() && record.trigger != Trigger::OutOfBand {
        message = format!(
            "{message}. purgeAfterDays is now {}, which changes nothing by itself: annotation {RESTART_PURGE_WINDOW}={at} restarts the window",
            want.days
        );
    }
    settled(Phase::Deactivated, Reason::PurgePending, message, HOURLY)
}

/// A one-shot request for a new countdown, valid for exactly the date that it names.
fn restart_window(
    want: &Desired,
    seen: &Seen,
    bound: &Bound,
    record: &RecordSeen,
    now: Timestamp,
) -> Option<Next<Step>> {
    let asked: Timestamp = seen.asks.restart_window.as_deref()?.parse().ok()?;
    let running = record.phase() == OffboardingPhase::Scheduled && record.state.purge_at == Some(asked);
    if !running || seen.tenant != View::Disabled || record.state.restarted_to(asked) {
        return None;
    }
    let confirm = want.confirm.clone().filter(|c| bound.hostnames.contains(c) || c == bound.host.hostname())?;
    if let Some(doubt) = &seen.doubt {
        return Some(human(Reason::ClockDoubt, format!("the purge window is not restarted: {doubt}")));
    }
    let announce =
        Announcement { step: IntentStep::RestartWindow, record: Some(record.name.clone()), replaces: Some(asked) };
    // A call for this very date whose outcome is unknown is never repeated: it may have restarted the countdown, with fewer
    // days perhaps; then the earliest of all possible dates goes on record.
    if let Some(intent) = seen.intent.of(IntentStep::RestartWindow)
        && intent.replaces == Some(asked)
        && !matches!(
            seen.intent.permit(IntentStep::RestartWindow, now),
            super::Permit::Act(_) | super::Permit::Announce
        )
    {
        let (purge_at, evidence) = match (seen.answered, seen.organization_purge_at) {
            (Some((_, Some(at))), _) => (at, Evidence::Date),
            (_, Some(at)) => (at, Evidence::Organization),
            (_, None) => (record.earliest_purge(), Evidence::Estimated),
        };
        return (record.state.evidence != Some(evidence) || record.state.purge_at != Some(purge_at)).then(|| {
            Next::Do(Step::Schedule {
                record: record.name.clone(),
                deactivated_at: record.state.deactivated_at,
                purge_at: Some(purge_at),
                evidence: Some(evidence),
            })
        });
    }
    let (days, announced) = (i32::from(want.days.get()), announced(seen, IntentStep::RestartWindow));
    let act = if record.state.has_call(days, announced) {
        Step::RestartWindow { record: record.name.clone(), confirm }
    } else {
        Step::NoteCall { record: record.name.clone(), days, announced }
    };
    Some(under_permit(seen, announce, now, true, act))
}

const SOON: Duration = Duration::from_secs(15);

/// How long a confirmed deactivation may take to show on the tenant's host.
const SHOWS_WITHIN: SignedDuration = SignedDuration::from_mins(2);
