//! There is no tenant yet: adopt one, or create exactly one.

use super::{Announcement, Desired, Lookup, RecordSeen, Seen, Step, View, human, settled, under_permit, wait};
use crate::crd::{Lifecycle, OffboardingPhase, Origin, Phase, REACTIVATE, Reason, START_ANEW};
use crate::plan::intent::{Call, IntentSeen, IntentStep, Permit};
use crate::plan::{HOURLY, Next};
use crate::qlik::{TenantHost, TenantId};
use jiff::Timestamp;
use std::time::Duration;

pub(super) fn next(want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    if let Some((id, host)) = &want.adopt {
        return adopt(want, seen, id, host);
    }
    // The status was lost, and a record of this very object still knows its tenant.
    if let Some(record) = seen.record.as_ref().filter(|record| record.uid == seen.uid)
        && seen.asks.start_anew.as_deref() != Some(record.tenant_id.as_str())
    {
        let hostnames = record.hostnames.iter().filter_map(|h| h.parse().ok()).collect();
        return Next::Do(Step::Bind { id: record.tenant_id.clone(), hostnames, origin: Origin::Created });
    }
    if let Some(previous) = &seen.previous
        && seen.asks.start_anew.as_deref() != Some(previous.tenant_id.as_str())
    {
        return previous_tenant(previous);
    }
    if want.lifecycle == Lifecycle::Deactivated {
        let message = "declared Deactivated and there is no tenant: nothing is created and nothing deactivated";
        return settled(Phase::Pending, Reason::NothingToDeactivate, message, HOURLY);
    }
    create(seen, now)
}

/// Takes over a tenant whose id and hostname both match what Qlik says.
pub(super) fn adopt(want: &Desired, seen: &Seen, id: &TenantId, host: &TenantHost) -> Next<Step> {
    match &seen.tenant {
        View::Active(tenant) if tenant.id == *id && tenant.hostnames.contains(host.hostname()) => {
            if !seen.held {
                return Next::Do(Step::Hold);
            }
            let hostnames = tenant.hostnames.clone();
            Next::Do(Step::Bind { id: id.clone(), hostnames, origin: Origin::Adopted })
        }
        View::Active(_) | View::Gone => human(
            Reason::AdoptMismatch,
            format!("Qlik Cloud has no tenant {id} at {}: correct spec.adopt", host.hostname()),
        ),
        // A disabled tenant cannot be asked who it is. Our own record of it can: id and hostname must both be there.
        View::Disabled => match &seen.record {
            Some(record) if record.hostnames.iter().any(|h| h.eq_ignore_ascii_case(host.hostname().as_str())) => {
                if !seen.held {
                    return Next::Do(Step::Hold);
                }
                let hostnames = record.hostnames.iter().filter_map(|h| h.parse().ok()).collect();
                Next::Do(Step::Bind { id: id.clone(), hostnames, origin: Origin::Adopted })
            }
            Some(_) | None if seen.asks.brings_back(host.hostname()) && want.lifecycle == Lifecycle::Active => {
                if seen.reactivation_sent {
                    return wait(Phase::Reactivating, Reason::Reactivating, "waiting for the tenant's host", SOON);
                }
                Next::Do(Step::Reactivate { id: id.clone(), confirm: host.hostname().clone() })
            }
            Some(_) | None => human(
                Reason::DeactivatedOutOfBand,
                format!(
                    "the tenant at {h} is deactivated, and not by this operator: set annotation {REACTIVATE}={h} to bring it back",
                    h = host.hostname()
                ),
            ),
        },
        View::NotAsked => wait(Phase::Pending, Reason::Creating, "the tenant was not looked at yet", SOON),
    }
}

fn previous_tenant(previous: &RecordSeen) -> Next<Step> {
    let id = &previous.tenant_id;
    let hostname = previous.hostnames.first().map_or("", String::as_str);
    let state = match (previous.phase, previous.purge_at) {
        (OffboardingPhase::Reactivated, _) => "was brought back and still exists".to_owned(),
        (_, Some(at)) => format!("will be purged at {at}"),
        (_, None) => "is being deactivated".to_owned(),
    };
    human(
        Reason::PreviousTenantScheduled,
        format!(
            "an earlier tenant of this name, {hostname}, {state} (QlikOffboarding {record}). To bring it back, set spec.adopt to {{tenantId: {id}, hostname: {hostname}}}. \
             To give it up and create a new one, set annotation {START_ANEW}={id}",
            record = previous.name
        ),
    )
}

/// Creates exactly one tenant. Qlik knows no idempotency key, so an unknown outcome is never answered by a second call
/// unless the organization API, or a human, says that there was no first effect.
fn create(seen: &Seen, now: Timestamp) -> Next<Step> {
    let given_up = |token: &str| seen.asks.start_anew.as_deref() == Some(token);
    let traces_lost = match &seen.intent {
        // The finalizer is only ever added together with an intent or before a binding: here both were lost by hand.
        IntentSeen::None => seen.held,
        // A creation is known to have taken place, or a later step was announced: there was a tenant, and the status
        // that named it is gone. Giving a tenant up removes the announcement with it.
        IntentSeen::Found { intent, call } => intent.step != IntentStep::Create || *call == Call::Closed,
        IntentSeen::Unreadable => false,
    };
    if traces_lost && !given_up(LOST) {
        return outcome_unknown(
            LOST,
            "this object once held a tenant, or tried to create one, and its status was removed",
        );
    }
    if let IntentSeen::Found { intent, call: Call::Unknown } = &seen.intent
        && !traces_lost
        && !given_up(&intent.nonce)
        && let Some(next) = resolve(seen, &intent.nonce, now)
    {
        return next;
    }
    under_permit(seen, Announcement::of(IntentStep::Create), now, true, Step::Create)
}

/// A creation of unknown outcome: `None` when it is known to have had no effect, or is too young to tell.
pub(super) fn resolve(seen: &Seen, nonce: &str, now: Timestamp) -> Option<Next<Step>> {
    if seen.intent.permit(IntentStep::Create, now) != Permit::TakeOver {
        return None;
    }
    match &seen.lookup {
        Lookup::Found { tenants, .. } if tenants.is_empty() => None,
        Lookup::Found { tenants, rivals: 0 } if tenants.len() == 1 => {
            let (id, hostname) = tenants.first()?.clone();
            Some(Next::Do(Step::Bind { id, hostnames: vec![hostname], origin: Origin::Created }))
        }
        Lookup::Found { tenants, .. } => {
            let names: Vec<_> = tenants.iter().map(|(id, host)| format!("{host} ({id})")).collect();
            Some(outcome_unknown(nonce, &format!("it may be one of {}", names.join(", "))))
        }
        Lookup::Impossible | Lookup::NotAsked => Some(outcome_unknown(
            nonce,
            "the answer to the creation was lost, and without an organization credential nobody can ask Qlik",
        )),
    }
}

fn outcome_unknown(nonce: &str, why: &str) -> Next<Step> {
    human(
        Reason::CreateOutcomeUnknown,
        format!(
            "whether a tenant was created is not known: {why}. If there is one, set spec.adopt to its id and hostname. \
             If there is none, set annotation {START_ANEW}={nonce} and one is created"
        ),
    )
}

/// Stands for the nonce where no intent is left to give one.
const LOST: &str = "lost";
const SOON: Duration = Duration::from_secs(5);
