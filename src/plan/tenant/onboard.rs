//! There is no tenant yet: adopt one, take a former one back, or create exactly one.

use super::{
    AliasSeen, Announcement, Desired, Lookup, RecordSeen, Seen, Step, View, human, settled, under_permit, wait,
};
use crate::crd::{Lifecycle, OffboardingPhase, Origin, Phase, REACTIVATE, Reason, START_ANEW};
use crate::plan::intent::{Call, IntentSeen, IntentStep, LOST_CREATION, Permit};
use crate::plan::released::Released;
use crate::plan::{HOURLY, Next};
use crate::qlik::{Hostname, TenantHost, TenantId};
use jiff::Timestamp;
use std::time::Duration;

pub(super) fn next(want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    if let Some((id, host)) = &want.adopt {
        return adopt(want, seen, id, host);
    }
    let given_up = |id: &TenantId| seen.asks.start_anew.as_deref() == Some(id.as_str());
    // The status was lost, and a record of this very object still knows its tenant.
    if let Some(record) = seen.record.as_ref().filter(|record| record.uid == seen.uid && !record.copied)
        && !given_up(&record.tenant_id)
    {
        let hostnames = record.hostnames.iter().filter_map(|h| h.parse().ok()).collect();
        return Next::Do(Step::Bind { id: record.tenant_id.clone(), hostnames, origin: Origin::Created });
    }
    if let Some(previous) = &seen.previous
        && !given_up(&previous.tenant_id)
    {
        return previous_tenant(seen, previous);
    }
    // The status was lost, with a restore for instance, and the intent still tells what the creation made.
    if let Some((id, hostname)) = seen.intent.created()
        && !given_up(id)
    {
        return made_before(seen, id, hostname);
    }
    if want.lifecycle == Lifecycle::Deactivated {
        let message = "declared Deactivated and there is no tenant: nothing is created and nothing deactivated";
        return settled(Phase::Pending, Reason::NothingToDeactivate, message, HOURLY);
    }
    create(want, seen, now)
}

/// Takes over a tenant whose id and hostname both match what Qlik says.
pub(super) fn adopt(want: &Desired, seen: &Seen, id: &TenantId, host: &TenantHost) -> Next<Step> {
    match &seen.tenant {
        View::Active(tenant) if tenant.id == *id && tenant.hostnames.contains(host.hostname()) => {
            if !seen.held {
                return Next::Do(Step::Hold);
            }
            take_over(seen, id, tenant.hostnames.clone(), Origin::Adopted)
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
                take_over(seen, id, hostnames, Origin::Adopted)
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

/// Takes a tenant that was seen for this object's own, unless the clocks cannot be trusted.
fn take_over(seen: &Seen, id: &TenantId, hostnames: Vec<Hostname>, origin: Origin) -> Next<Step> {
    match &seen.doubt {
        Some(doubt) => human(Reason::ClockDoubt, format!("tenant {id} is not taken over: {doubt}")),
        None => Next::Do(Step::Bind { id: id.clone(), hostnames, origin }),
    }
}

/// An earlier object of this name held a tenant that still exists, as far as is known. One that was let go and is in use is
/// taken back; about every other a human decides.
fn previous_tenant(seen: &Seen, previous: &RecordSeen) -> Next<Step> {
    let id = &previous.tenant_id;
    let hostname = previous.hostnames.first().map_or("", String::as_str);
    let released = previous.phase() == OffboardingPhase::Released && !previous.copied;
    if let (true, View::Active(tenant)) = (released, &seen.tenant) {
        if !seen.held {
            return Next::Do(Step::Hold);
        }
        return take_over(seen, id, tenant.hostnames.clone(), Origin::Adopted);
    }
    if id.as_str().starts_with(LOST_CREATION) {
        return human(
            Reason::PreviousTenantReleased,
            format!(
                "an earlier object of this name was deleted while nobody knew whether a tenant had been created for it (QlikOffboarding \
                 {}). Look into the My Qlik portal: if there is one, set spec.adopt to its id and hostname; if there is none, set \
                 annotation {START_ANEW}={id}",
                previous.name
            ),
        );
    }
    if seen.tenant == View::Gone {
        return human(
            Reason::PreviousTenantReleased,
            format!(
                "Qlik Cloud does not know tenant {id} any more, which an earlier object of this name held (QlikOffboarding {}). For a \
                 new, empty tenant set annotation {START_ANEW}={id}",
                previous.name
            ),
        );
    }
    let (reason, state) = match (previous.phase(), previous.state.purge_at) {
        (OffboardingPhase::Reactivated | OffboardingPhase::Cancelled, _) => {
            (Reason::PreviousTenantScheduled, "was brought back and still exists".to_owned())
        }
        (OffboardingPhase::Released, _) => (Reason::PreviousTenantReleased, released_state(&seen.tenant).to_owned()),
        (OffboardingPhase::Unknown, at) => {
            let date = at.map(|at| format!(", with the purge date {at}")).unwrap_or_default();
            let state =
                format!("is on a record that was restored from a backup{date}; what happened since is not known");
            (Reason::PreviousTenantScheduled, state)
        }
        (_, Some(at)) => (Reason::PreviousTenantScheduled, format!("will be purged at {at}")),
        (_, None) => (Reason::PreviousTenantScheduled, "is being deactivated".to_owned()),
    };
    human(
        reason,
        format!(
            "an earlier tenant of this name, {hostname}, {state} (QlikOffboarding {record}). To bring it back, set spec.adopt to {{tenantId: {id}, hostname: {hostname}}}. \
             To give it up and create a new one, set annotation {START_ANEW}={id}",
            record = previous.name
        ),
    )
}

/// The tenant is there and Qlik Cloud did not say under which name: its answer had no hostname, which its schema allows.
pub(super) fn without_a_host(want: &Desired, seen: &Seen, id: &TenantId) -> Next<Step> {
    match (&want.adopt, &seen.lookup) {
        (Some((adopted, host)), _) if adopted == id => match adopt(want, seen, id, host) {
            // It is this object's own already; only its name was missing.
            Next::Do(Step::Bind { id, hostnames, .. }) => {
                Next::Do(Step::Bind { id, hostnames, origin: Origin::Created })
            }
            other => other,
        },
        (_, Lookup::Found { tenants, .. }) if tenants.first().is_some_and(|(found, _)| found == id) => {
            let hostnames = tenants.iter().map(|(_, hostname)| hostname.clone()).collect();
            Next::Do(Step::Bind { id: id.clone(), hostnames, origin: Origin::Created })
        }
        (_, _) => human(
            Reason::HostnameUnknown,
            format!(
                "tenant {id} was created, and Qlik Cloud did not say under which hostname: look it up in the My Qlik portal and \
                 set spec.adopt to {{tenantId: {id}, hostname: …}}"
            ),
        ),
    }
}

/// A creation on record whose status is gone: the tenant is taken back once Qlik Cloud shows it in use.
fn made_before(seen: &Seen, id: &TenantId, hostname: Option<&Hostname>) -> Next<Step> {
    if let View::Active(tenant) = &seen.tenant {
        if !seen.held {
            return Next::Do(Step::Hold);
        }
        return take_over(seen, id, tenant.hostnames.clone(), Origin::Created);
    }
    let state = match &seen.tenant {
        View::Disabled => "it is deactivated now",
        View::Gone => "Qlik Cloud does not know it any more",
        View::Active(_) | View::NotAsked => "it was not looked at",
    };
    human(
        Reason::CreateOutcomeUnknown,
        format!(
            "this object created tenant {id} ({host}) and lost its status; {state}. To go on with it, set spec.adopt to {{tenantId: {id}, hostname: {host}}}. \
             To give it up and create a new one, set annotation {START_ANEW}={id}",
            host = hostname.map_or("hostname not known", |hostname| hostname.as_str()),
        ),
    )
}

fn released_state(tenant: &View) -> &'static str {
    match tenant {
        View::Disabled => "was let go, and somebody deactivated it since",
        View::Active(_) | View::Gone | View::NotAsked => "was let go and was in use then",
    }
}

/// Creates exactly one tenant. Qlik knows no idempotency key, so an unknown outcome is never answered by a second call
/// unless the organization API, or a human, says that there was no first effect.
fn create(want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    let given_up = |token: &str| seen.asks.start_anew.as_deref() == Some(token);
    let traces_lost = match &seen.intent {
        // The finalizer is only ever added together with an intent or before a binding: here it was lost by hand. Or a
        // `kubectl replace` took both away, and the status still tells of the call.
        IntentSeen::None => seen.held || seen.pending_creation.is_some(),
        // A creation is known to have taken place, or a later step was announced: there was a tenant, and the status
        // that named it is gone. Giving a tenant up removes the announcement with it.
        IntentSeen::Found { intent, call } => intent.step != IntentStep::Create || *call == Call::Closed,
        IntentSeen::Unreadable => false,
    };
    let pending = seen.pending_creation.as_deref().unwrap_or(LOST);
    // Asked only where no call is under way. Who has the alias says more than that traces are gone: with `onExisting: Adopt`
    // the finalizer comes before the binding, and no announcement does.
    if let Some(next) = let_go_elsewhere(seen).or_else(|| alias_in_use(want, seen)) {
        return next;
    }
    if traces_lost && !given_up(pending) {
        return outcome_unknown(
            pending,
            "this object once held a tenant, or tried to create one, and the traces of that were removed",
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

/// An earlier object of this name let a tenant go, in a namespace of this name that is no more: it may be another team's by
/// now, so a human decides, or `onExisting: Adopt` by the tenant's alias.
fn let_go_elsewhere(seen: &Seen) -> Option<Next<Step>> {
    let Released { tenant_id: id, hostnames, region, at, .. } = seen.kept.as_ref()?;
    let taken_back = matches!(&seen.alias, AliasSeen::Ours { id: found, adopt: true, .. } if found == id);
    if taken_back || seen.asks.start_anew.as_deref() == Some(id.as_str()) {
        return None;
    }
    let hostname = hostnames.first().map_or("…", String::as_str);
    Some(human(
        Reason::PreviousTenantReleased,
        format!(
            "an earlier QlikTenant of this namespace and name let tenant {id} ({hostname}, region {region}) go at {at}, where no \
             record of it could be written; it lives on, as far as is known. To take it over, set spec.adopt to {{tenantId: {id}, \
             hostname: {hostname}}}. To give it up and create a new one, set annotation {START_ANEW}={id}"
        ),
    ))
}

/// An alias that is in use is found out before a tenant is paid for that cannot have it.
fn alias_in_use(want: &Desired, seen: &Seen) -> Option<Next<Step>> {
    let alias = want.alias.as_ref()?;
    let taken = |message: String| Some(human(Reason::AliasInUse, message));
    match &seen.alias {
        AliasSeen::NotAsked | AliasSeen::Free => None,
        AliasSeen::Wanted(other) => taken(format!(
            "QlikTenant {other} asks for the alias {alias} as well, and comes first: nothing is created here; choose another spec.alias"
        )),
        AliasSeen::Ours { id, hostnames, adopt: true } => {
            Some(if seen.held { take_over(seen, id, hostnames.clone(), Origin::Adopted) } else { Next::Do(Step::Hold) })
        }
        AliasSeen::Ours { id, adopt: false, .. } => taken(format!(
            "the alias {alias} belongs to tenant {id}, which these credentials manage: nothing is created. To take it over, set \
             spec.adopt to {{tenantId: {id}, hostname: {alias}}}; for a new tenant choose another spec.alias"
        )),
        AliasSeen::Disabled => taken(format!(
            "the alias {alias} belongs to a tenant that is deactivated: nothing is created. To bring it back, set spec.adopt to its id \
             (see the My Qlik portal) and {alias}, with annotation {REACTIVATE}={alias}; for a new tenant choose another spec.alias"
        )),
        AliasSeen::Foreign => taken(format!(
            "the host of alias {alias} does not accept these credentials (it belongs to another tenant, or the credentials are wrong): \
             nothing is created; choose another spec.alias"
        )),
        AliasSeen::Unclear(why) => Some(wait(
            Phase::Pending,
            Reason::QlikUnavailable,
            format!("whether the alias {alias} is free cannot be told, so nothing is created yet: {why}"),
            Duration::from_secs(60),
        )),
    }
}

/// A creation of unknown outcome: `None` when it is known to have had no effect, or is too young to tell. What the
/// organization API lists, or does not list, decides only where this operator alone makes tenants in the subscription:
/// another operator, or a human in the portal, may have made the one that is there, and Qlik does not say how soon a new
/// one is listed.
pub(super) fn resolve(seen: &Seen, nonce: &str, now: Timestamp) -> Option<Next<Step>> {
    if seen.intent.permit(IntentStep::Create, now) != Permit::TakeOver {
        return None;
    }
    if let Some(doubt) = &seen.doubt {
        return Some(human(Reason::ClockDoubt, format!("what became of an earlier call is not decided: {doubt}")));
    }
    match &seen.lookup {
        Lookup::Found { tenants, nameless: 0, ours: true, .. } if tenants.is_empty() => None,
        Lookup::Found { tenants, rivals: 0, nameless: 0, ours: true } if tenants.len() == 1 => {
            let (id, hostname) = tenants.first()?.clone();
            Some(Next::Do(Step::Bind { id, hostnames: vec![hostname], origin: Origin::Created }))
        }
        Lookup::Found { tenants, nameless, .. } => Some(outcome_unknown(nonce, &candidates(tenants, *nameless))),
        Lookup::Impossible | Lookup::NotAsked => Some(outcome_unknown(
            nonce,
            "the answer to the creation was lost, and without an organization credential nobody can ask Qlik",
        )),
    }
}

fn candidates(tenants: &[(TenantId, Hostname)], nameless: usize) -> String {
    let listed: Vec<_> =
        tenants.iter().map(|(id, host)| format!("adopt: {{tenantId: {id}, hostname: {host}}}")).collect();
    let more = if nameless > 0 { format!(", and {nameless} without a hostname") } else { String::new() };
    match listed.len() {
        0 if nameless == 0 => {
            "the answer to the creation was lost, and the organization API lists no tenant that was made then"
                .to_owned()
        }
        _ => format!(
            "it may be one of these, which were made at that time and belong to no object: {}{more}",
            listed.join(" or ")
        ),
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
