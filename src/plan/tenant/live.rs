//! The tenant exists and is declared `Active`.

use super::{Bound, Desired, RecordSeen, Seen, Step, View, human, offboard, settled, wait};
use crate::crd::{OffboardingPhase, Phase, REACTIVATE, Reason, START_ANEW};
use crate::plan::Next;
use crate::plan::drift::Written;
use crate::plan::intent::{IntentStep, TAKE_OVER};
use crate::qlik::{Patch, Tenant, TenantStatus};
use jiff::Timestamp;
use std::time::Duration;

pub(super) fn next(want: &Desired, seen: &Seen, bound: &Bound, now: Timestamp) -> Next<Step> {
    match &seen.tenant {
        View::Active(tenant) => active(want, seen, tenant, now),
        View::Disabled => match (&seen.record, &seen.lost) {
            (Some(record), _) if !record.is_resolved() => offboard::proven_off(seen, record),
            (None, Some(lost)) => Next::Do(Step::RestoreRecord(Box::new(lost.clone()))),
            (Some(_) | None, _) => disabled(seen, bound),
        },
        View::Gone => gone(seen, bound),
        View::NotAsked => wait(Phase::Pending, Reason::QlikUnavailable, "the tenant was not looked at", SOON),
    }
}

fn active(want: &Desired, seen: &Seen, tenant: &Tenant, now: Timestamp) -> Next<Step> {
    if let Some(record) = &seen.record {
        match record.phase() {
            // A deactivation of unknown outcome may still arrive. It is only written off once it is old.
            OffboardingPhase::Requested if age(last_attempt(seen, record), now) < TAKE_OVER => {
                let message = "the tenant is declared Active again; a deactivation of unknown outcome may still arrive";
                return wait(Phase::Reactivating, Reason::DeactivationOutcomeUnknown, message, SOON * 3);
            }
            OffboardingPhase::Requested => return close(record, OffboardingPhase::Cancelled),
            // A tenant in use wins over any record, one that says that it was purged included.
            OffboardingPhase::Scheduled | OffboardingPhase::Purged | OffboardingPhase::Unknown => {
                return close(record, OffboardingPhase::Reactivated);
            }
            OffboardingPhase::Reactivated | OffboardingPhase::Cancelled | OffboardingPhase::Released => {}
        }
    }
    match &tenant.status {
        // A host that answers for a tenant has it in use, whether or not it says so.
        TenantStatus::Active | TenantStatus::NotSaid => {}
        // What `user-access-disabled` means is undocumented: the tenant answers, so it is kept as declared.
        TenantStatus::UserAccessDisabled | TenantStatus::Disabled | TenantStatus::Deleted | TenantStatus::Other(_) => {
            let message =
                format!("the tenant answers, with the state {:?}; look at it in the Qlik Cloud portal", tenant.status);
            return human(Reason::QlikRefused, message);
        }
    }
    let changes = drift(want, tenant, &seen.written);
    if changes.is_empty() {
        return settled(Phase::Ready, Reason::Settled, "the tenant is as declared", want.interval);
    }
    let fields: Vec<_> = changes.iter().map(Patch::field).collect();
    seen.written.fought_over(&fields, now).unwrap_or(Next::Do(Step::Patch(changes)))
}

/// When a deactivation that this record is about may have been sent for the last time.
fn last_attempt(seen: &Seen, record: &RecordSeen) -> Timestamp {
    seen.intent.of(IntentStep::Deactivate).map_or(record.requested_at, |intent| intent.at.max(record.requested_at))
}

fn close(record: &RecordSeen, phase: OffboardingPhase) -> Next<Step> {
    Next::Do(Step::CloseRecord { record: record.name.clone(), phase })
}

/// What has to be written so that the tenant is as declared. What the manifest leaves out is left alone.
pub(super) fn drift(want: &Desired, have: &Tenant, written: &Written) -> Vec<Patch> {
    let mut changes = Vec::new();
    let mut compare = |change: Patch, same: Option<bool>| {
        if !same.unwrap_or(!written.hidden_is_due(change.field())) {
            changes.push(change);
        }
    };
    if let Some(name) = &want.display_name {
        compare(Patch::Name(name.clone()), have.name.as_ref().map(|shown| shown == name));
    }
    // The first hostname is Qlik's own; the alias is the second.
    if let Some(alias) = &want.alias {
        compare(Patch::Alias(alias.clone()), Some(have.hostnames.iter().skip(1).any(|shown| shown == alias)));
    }
    for (setting, value) in &want.flags {
        compare(Patch::Flag(*setting, *value), have.settings.get(*setting).map(|shown| shown == *value));
    }
    changes
}

/// Off, though declared `Active`: brought back when the deactivation was ours, reported when it was not.
fn disabled(seen: &Seen, bound: &Bound) -> Next<Step> {
    let hostname = bound.host.hostname();
    let ours = seen.record.as_ref().is_some_and(|record| {
        record.trigger != crate::crd::Trigger::OutOfBand
            && matches!(record.phase(), OffboardingPhase::Scheduled | OffboardingPhase::Purged)
    });
    let asked = bound.hostnames.iter().chain([hostname]).any(|host| seen.asks.brings_back(host));
    if seen.reactivation_sent {
        return wait(Phase::Reactivating, Reason::Reactivating, "waiting for the tenant's host to answer again", SOON);
    }
    if ours || asked {
        return Next::Do(Step::Reactivate { id: bound.id.clone(), confirm: hostname.clone() });
    }
    let on_record = seen.record.as_ref().and_then(|record| record.state.purge_at);
    let until = seen.organization_purge_at.or(on_record);
    let until = until.map(|at| format!(" and will be purged at {at}")).unwrap_or_default();
    let first = if seen.asks.reactivate_used { "take away the annotation that was used before and " } else { "" };
    human(
        Reason::DeactivatedOutOfBand,
        format!(
            "the tenant was deactivated, not by this operator{until}: to bring it back {first}set annotation {REACTIVATE}={hostname}; to agree set spec.lifecycle: Deactivated"
        ),
    )
}

/// A tenant that is gone is never made anew by itself.
fn gone(seen: &Seen, bound: &Bound) -> Next<Step> {
    if seen.asks.start_anew.as_deref() == Some(bound.id.as_str()) {
        return Next::Do(Step::Unbind);
    }
    human(
        Reason::TenantGone,
        format!(
            "Qlik Cloud does not know tenant {id} any more; nothing is created in its place. For a new, empty tenant set annotation {START_ANEW}={id}",
            id = bound.id
        ),
    )
}

fn age(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or(Duration::ZERO)
}

const SOON: Duration = Duration::from_secs(5);
