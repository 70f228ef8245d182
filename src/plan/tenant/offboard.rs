//! The tenant is to be off: deactivate it exactly once, and follow the countdown.

use super::{Announcement, Bound, Desired, RecordSeen, Seen, Step, View, erase, human, settled, under_permit, wait};
use crate::crd::{Evidence, OffboardingPhase, Phase, RESTART_PURGE_WINDOW, Reason, Trigger};
use crate::plan::intent::{IntentStep, TAKE_OVER};
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
        (_, Some(record)) if record.phase == OffboardingPhase::Purged => Ok(record),
        (View::Active(tenant), record) => Err(still_active(want, seen, tenant, record.as_ref(), trigger, now)),
        (View::Disabled | View::Gone, None) => Err(match &seen.lost {
            Some(lost) => Next::Do(Step::RestoreRecord(Box::new(lost.clone()))),
            None => Next::Do(Step::OpenRecord(Trigger::OutOfBand)),
        }),
        (View::Disabled | View::Gone, Some(record)) => match record.phase {
            OffboardingPhase::Requested => Err(proven_off(seen, record)),
            OffboardingPhase::Scheduled | OffboardingPhase::Purged => Ok(record),
            // An earlier off-boarding ended and the tenant is off again: that was somebody else.
            OffboardingPhase::Reactivated | OffboardingPhase::Cancelled => {
                Err(Next::Do(Step::OpenRecord(Trigger::OutOfBand)))
            }
        },
        (View::NotAsked, Some(record)) if record.phase == OffboardingPhase::Scheduled => Ok(record),
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
    match record.map(|record| (record, record.phase)) {
        None if seen.lost.is_some() => reactivated_elsewhere(),
        Some((record, OffboardingPhase::Scheduled)) => {
            // Qlik does not say how fast a deactivation shows on the tenant's host, so a fresh one gets time.
            let since = record.deactivated_at.unwrap_or(record.requested_at);
            if now.duration_since(since) < SHOWS_WITHIN {
                let message = "Qlik confirmed the deactivation; waiting for the tenant's host to show it";
                return wait(Phase::Deactivating, Reason::Deactivating, message, SOON);
            }
            Next::Do(Step::CloseRecord { record: record.name.clone(), phase: OffboardingPhase::Reactivated })
        }
        Some((record, OffboardingPhase::Reactivated))
            if !(trigger == Trigger::Deletion && record.trigger != trigger) =>
        {
            reactivated_elsewhere()
        }
        // It was off and is back: the call took effect after all, and somebody undid it.
        Some((record, OffboardingPhase::Requested)) if came_back(tenant, record) => {
            Next::Do(Step::CloseRecord { record: record.name.clone(), phase: OffboardingPhase::Reactivated })
        }
        Some((record, OffboardingPhase::Requested)) => deactivate(want, seen, tenant, Some(record), trigger, now),
        Some((_, OffboardingPhase::Reactivated | OffboardingPhase::Cancelled | OffboardingPhase::Purged)) | None => {
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

/// Whether the tenant's state changed after the deactivation was decided. Some seconds are allowed for the difference
/// between the two dates, neither of which is more exact than that.
fn came_back(tenant: &Tenant, record: &RecordSeen) -> bool {
    let decided = record.requested_at + SignedDuration::from_secs(5);
    tenant.status_changed.is_some_and(|changed| changed > decided)
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
        Err(next) => return next,
    };
    if let Some(doubt) = &seen.doubt {
        return human(Reason::ClockDoubt, format!("not deactivated: {doubt}"));
    }
    let announce =
        Announcement { step: IntentStep::Deactivate, record: record.map(|record| record.name.clone()), replaces: None };
    // An intent that was removed by hand leaves the record as the trace of a call that may be under way.
    if let Some(record) = record
        && seen.intent.of(IntentStep::Deactivate).is_none()
        && now.duration_since(record.requested_at) < SignedDuration::try_from(TAKE_OVER).unwrap_or(SignedDuration::MAX)
    {
        let message = "a deactivation was recorded and its outcome is not known yet";
        return wait(Phase::Deactivating, Reason::DeactivationOutcomeUnknown, message, SOON);
    }
    let act = match record {
        Some(record) if !seen.targets.is_empty() => {
            Step::PlanErasure { record: record.name.clone(), targets: seen.targets.clone() }
        }
        Some(record) => Step::Deactivate { record: record.name.clone(), confirm },
        None => Step::OpenRecord(trigger),
    };
    // The tenant answers: a call that is older than the take-over time did not take effect.
    under_permit(seen, announce, now, true, act)
}

/// Nothing is deactivated unless a human wrote one of the tenant's own hostnames.
fn confirmed(want: &Desired, tenant: &Tenant) -> Result<Hostname, Next<Step>> {
    match &want.confirm {
        Some(confirm) if tenant.hostnames.contains(confirm) => Ok(confirm.clone()),
        confirm => {
            let names: Vec<_> = tenant.hostnames.iter().map(ToString::to_string).collect();
            let wrote = confirm.as_ref().map_or("nothing".to_owned(), ToString::to_string);
            Err(human(
                Reason::ConfirmHostnameMismatch,
                format!(
                    "not deactivated: offboarding.confirmHostname says {wrote}, and the tenant is {}. Write that name to confirm, or set lifecycle: Active and onDelete: Retain",
                    names.join(" or ")
                ),
            ))
        }
    }
}

/// The answer was lost, or the process died; the tenant being off proves that the call took effect.
pub(super) fn proven_off(seen: &Seen, record: &RecordSeen) -> Next<Step> {
    let record_name = record.name.clone();
    if record.trigger == Trigger::OutOfBand {
        if seen.tenant == View::Gone {
            return Next::Do(Step::CloseRecord { record: record_name, phase: OffboardingPhase::Purged });
        }
        let purge_at = seen.organization_purge_at;
        let evidence = purge_at.map(|_| Evidence::Organization);
        return Next::Do(Step::Schedule { record: record_name, deactivated_at: None, purge_at, evidence });
    }
    let (deactivated_at, purge_at, evidence) = match (seen.answered, seen.organization_purge_at) {
        (Some((made, at)), _) => (made, at, Evidence::Date),
        (None, Some(at)) => (record.requested_at, at, Evidence::Organization),
        (None, None) => {
            (record.requested_at, earliest(record.requested_at, record.purge_after_days), Evidence::Estimated)
        }
    };
    Next::Do(Step::Schedule {
        record: record_name,
        deactivated_at: Some(deactivated_at),
        purge_at: Some(purge_at),
        evidence: Some(evidence),
    })
}

/// The earliest date at which Qlik may purge a tenant that was deactivated at `from` or later.
pub(super) fn earliest(from: Timestamp, days: i32) -> Timestamp {
    from.checked_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MAX)
}

/// Off and on record: follow the countdown, and erase what has to go once the purge is confirmed.
fn countdown(want: &Desired, seen: &Seen, bound: &Bound, record: &RecordSeen, now: Timestamp) -> Next<Step> {
    if record.phase == OffboardingPhase::Purged {
        return erase::next(seen, record).unwrap_or_else(|| {
            settled(Phase::Purged, Reason::Purged, "the tenant was purged and its Secrets are erased", HOURLY * 24)
        });
    }
    if let Some(next) = restart_window(want, seen, bound, record, now) {
        return next;
    }
    // Another operator may have put its estimate on record before this one could write the answer.
    let known = seen.answered.map(|(_, at)| (at, Evidence::Date));
    let known = known.or(seen.organization_purge_at.map(|at| (at, Evidence::Organization)));
    if let (Some((at, evidence)), Some(Evidence::Estimated) | None) = (known, record.evidence)
        && record.purge_at != Some(at)
    {
        let (record, deactivated_at) = (record.name.clone(), record.deactivated_at);
        return Next::Do(Step::Schedule { record, deactivated_at, purge_at: Some(at), evidence: Some(evidence) });
    }
    let Some(at) = record.purge_at else {
        let message =
            "deactivated by somebody else; without an organization credential nobody can tell when it is purged";
        return settled(Phase::Deactivated, Reason::PurgeDateUnknown, message, HOURLY);
    };
    let mut message = match record.evidence {
        Some(Evidence::Estimated) => format!("deactivated; will be purged not before {at} (Qlik's own date was lost)"),
        Some(Evidence::Date | Evidence::Organization) | None => format!("deactivated; will be purged at {at}"),
    };
    if i32::from(want.days.get()) != record.purge_after_days && record.trigger != Trigger::OutOfBand {
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
    if record.purge_at != Some(asked) || seen.tenant != View::Disabled {
        return None;
    }
    let confirm = want.confirm.clone().filter(|c| bound.hostnames.contains(c) || c == bound.host.hostname())?;
    if let Some(doubt) = &seen.doubt {
        return Some(human(Reason::ClockDoubt, format!("the purge window is not restarted: {doubt}")));
    }
    let announce =
        Announcement { step: IntentStep::RestartWindow, record: Some(record.name.clone()), replaces: Some(asked) };
    // A call for this very date whose outcome is unknown is never repeated: it may have restarted the countdown, and
    // the date on record stays the earliest possible one.
    if let Some(intent) = seen.intent.of(IntentStep::RestartWindow)
        && intent.replaces == Some(asked)
        && !matches!(
            seen.intent.permit(IntentStep::RestartWindow, now),
            super::Permit::Act(_) | super::Permit::Announce
        )
    {
        let (purge_at, evidence) = match (seen.answered, seen.organization_purge_at) {
            (Some((_, at)), _) => (Some(at), Evidence::Date),
            (None, Some(at)) => (Some(at), Evidence::Organization),
            (None, None) => (record.purge_at, Evidence::Estimated),
        };
        return (record.evidence != Some(evidence) || record.purge_at != purge_at).then(|| {
            Next::Do(Step::Schedule {
                record: record.name.clone(),
                deactivated_at: Some(now),
                purge_at,
                evidence: Some(evidence),
            })
        });
    }
    let act = Step::RestartWindow { record: record.name.clone(), confirm };
    Some(under_permit(seen, announce, now, true, act))
}

const SOON: Duration = Duration::from_secs(15);

/// How long a confirmed deactivation may take to show on the tenant's host.
const SHOWS_WITHIN: SignedDuration = SignedDuration::from_mins(2);
