//! What people are told about a tenant: status, progress, events. Pure.

use super::Sight;
use crate::crd::{
    Deactivator, ExactTime, OffboardingPhase, Phase, Purge, QlikTenant, QlikTenantStatus, REACTIVATE, REQUESTED_AT,
    Reason, Trigger, whole_seconds,
};
use crate::engine::{Note, SideFacts};
use crate::plan::Finding;
use crate::plan::intent::{Call, IntentSeen, IntentStep};
use crate::plan::status::{Verdict, conditions};
use crate::plan::tenant::{RecordSeen, Seen, Step, View};
use crate::qlik::Patch;
use jiff::Timestamp;
use kube::ResourceExt;

/// The draft with what was just seen.
pub(super) fn reflect(tenant: &QlikTenant, sight: &Sight, mut draft: QlikTenantStatus) -> QlikTenantStatus {
    let seen = &sight.seen;
    draft.last_handled_reactivate = used_consent(tenant, seen, draft.last_handled_reactivate);
    draft.pending_creation = pending_creation(seen, draft.pending_creation);
    if let Some((_, source)) = &sight.credentials {
        draft.credentials_source = Some(source.clone());
    }
    if let View::Active(_) = &seen.tenant {
        draft.not_compared.clone_from(&seen.written.not_compared);
    }
    if let (Some(_), View::Active(tenant)) = (&seen.bound, &seen.tenant)
        && !tenant.hostnames.is_empty()
    {
        draft.hostnames = tenant.hostnames.iter().map(ToString::to_string).collect();
        draft.hostname = tenant.hostnames.last().map(ToString::to_string);
    }
    if sight.want.as_ref().is_some_and(|want| seen.in_use(want)) {
        draft.offboarding = None;
        draft.purge = None;
    } else if let Some(record) = &seen.record {
        draft.offboarding = Some(record.name.clone());
        draft.purge = purge(record);
    }
    draft
}

/// The creation of unknown outcome, until the object holds a tenant, or a human gave it up, or it is known to have had no
/// effect. On the ordinary course there is none.
fn pending_creation(seen: &Seen, before: Option<String>) -> Option<String> {
    if seen.bound.is_some() || seen.hostless.is_some() {
        return None;
    }
    match &seen.intent {
        IntentSeen::Found { intent, call: Call::Unknown } if intent.step == IntentStep::Create => {
            Some(intent.nonce.clone())
        }
        IntentSeen::Found { .. } => None,
        IntentSeen::None | IntentSeen::Unreadable => {
            let pending = before.or_else(|| seen.pending_creation.clone());
            pending.filter(|nonce| seen.asks.start_anew.as_ref() != Some(nonce))
        }
    }
}

/// A consent to bring the tenant back is for one deactivation: once the tenant is seen in use it has done its work, and
/// means nothing for a later one. It can be given again after it was taken away.
fn used_consent(tenant: &QlikTenant, seen: &Seen, before: Option<String>) -> Option<String> {
    let consent = tenant.annotations().get(REACTIVATE)?;
    let in_use = seen.bound.is_some() && matches!(seen.tenant, View::Active(_));
    if in_use { Some(consent.clone()) } else { before.filter(|used| used == consent) }
}

fn purge(record: &RecordSeen) -> Option<Purge> {
    match record.phase() {
        OffboardingPhase::Requested
        | OffboardingPhase::Reactivated
        | OffboardingPhase::Cancelled
        | OffboardingPhase::Released => None,
        OffboardingPhase::Scheduled | OffboardingPhase::Purged | OffboardingPhase::Unknown => Some(Purge {
            deactivated_at: record.state.deactivated_at.map(whole_seconds),
            purge_at: record.state.purge_at.map(ExactTime),
            purge_after_days: (record.trigger != Trigger::OutOfBand).then_some(record.days()),
            by: match record.trigger {
                Trigger::Lifecycle | Trigger::Deletion => Deactivator::Operator,
                Trigger::OutOfBand | Trigger::Release => Deactivator::Other,
            },
            evidence: record.state.evidence,
        }),
    }
}

/// The status after a pass.
pub(super) fn describe(
    tenant: &QlikTenant,
    draft: QlikTenantStatus,
    verdict: &Verdict,
    now: Timestamp,
) -> QlikTenantStatus {
    let generation = tenant.metadata.generation.unwrap_or_default();
    let suspended = verdict.finding.reason == Reason::Suspended;
    let old = tenant.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    QlikTenantStatus {
        phase: if suspended { draft.phase } else { verdict.finding.phase },
        observed_generation: Some(generation),
        last_handled_reconcile_at: if suspended {
            draft.last_handled_reconcile_at.clone()
        } else {
            tenant.annotations().get(REQUESTED_AT).cloned()
        },
        conditions: conditions(old, verdict, generation, now),
        ..draft
    }
}

pub(super) fn side_facts(sight: &Sight) -> SideFacts {
    let seen = &sight.seen;
    let looked = seen.tenant != View::NotAsked;
    // Only who answers has looked at the credentials: a disabled tenant says 401 and a missing one 404 before that.
    let accepted = sight.credentials.is_some() && (matches!(seen.tenant, View::Active(_)) || sight.license.is_some());
    let purge_at = seen
        .record
        .as_ref()
        .filter(|record| matches!(record.phase(), OffboardingPhase::Scheduled | OffboardingPhase::Unknown))
        .and_then(|record| record.state.purge_at);
    SideFacts {
        credentials: accepted
            .then(|| Finding::passing(Phase::Ready, Reason::Settled, "Qlik Cloud accepted the credentials")),
        looked,
        purge_at,
        secret: None,
        not_compared: seen.written.not_compared.clone(),
        offboarding: sight.want.as_ref().and_then(|want| crate::plan::tenant::offboarding_ready(want, seen)),
    }
}

/// What people are told while a step is under way.
pub(super) fn progress(step: &Step) -> Finding {
    let (phase, reason, message) = match step {
        Step::Hold | Step::Create | Step::CloseIntent | Step::Announce(_) => {
            (Phase::Creating, Reason::Creating, "the tenant is being created")
        }
        Step::Bind { .. } | Step::Patch(_) => {
            (Phase::Configuring, Reason::Configuring, "name, alias and settings are being written")
        }
        Step::Unbind => (Phase::Pending, Reason::Creating, "the former tenant was given up"),
        Step::RecordRelease => (Phase::Retained, Reason::Settled, "the tenant is let go and lives on"),
        Step::OpenRecord(_)
        | Step::NoteCall { .. }
        | Step::Deactivate { .. }
        | Step::RestartWindow { .. }
        | Step::Schedule { .. } => (Phase::Deactivating, Reason::Deactivating, "the tenant is being deactivated"),
        Step::Reactivate { .. } | Step::CloseRecord { .. } => {
            (Phase::Reactivating, Reason::Reactivating, "the tenant is being brought back")
        }
        Step::RestoreRecord(_) => (Phase::Deactivated, Reason::PurgePending, "the record is being written again"),
        Step::PlanErasure { .. } | Step::Erase(_) | Step::ConfirmErasure { .. } => {
            (Phase::Deactivated, Reason::ErasePending, "Secrets are being erased")
        }
    };
    Finding::passing(phase, reason, message)
}

/// The event for a step that was made, if people should know.
pub(super) fn note(tenant: &QlikTenant, step: &Step, seen: &Seen) -> Option<Note> {
    let note =
        |reason: &str, action, message: String| Some(Note { warning: false, reason: reason.into(), action, message });
    match step {
        Step::CloseIntent => {
            let made =
                seen.bound.as_ref().map(|bound| format!("created tenant {} at {}", bound.id, bound.host.hostname()));
            let hostless = seen.hostless.as_ref().map(|id| format!("created tenant {id}; its hostname is not known"));
            note("Created", "Create", made.or(hostless)?)
        }
        Step::Bind { id, hostnames, .. } => {
            let at = hostnames.first().map(|hostname| format!(" at {hostname}")).unwrap_or_default();
            note("Bound", "Bind", format!("this object now holds tenant {id}{at}"))
        }
        Step::RecordRelease => Some(Note {
            warning: true,
            reason: "Released".into(),
            action: "Release",
            message: format!(
                "tenant {} is let go and not changed in Qlik Cloud; an object of this name takes it back if it is in use",
                tenant_of(seen)?
            ),
        }),
        Step::Unbind => {
            note("GivenUp", "Unbind", "the tenant that is gone was given up, as asked by annotation".into())
        }
        Step::Patch(changes) => {
            let drifted = tenant
                .status
                .as_ref()
                .is_some_and(|s| s.observed_generation == tenant.metadata.generation && s.phase == Phase::Ready);
            let fields: Vec<_> = changes.iter().map(field).collect();
            let why = if drifted { "changed outside, written back" } else { "written" };
            let reason = if drifted { "DriftCorrected" } else { "Configured" };
            note(reason, "Patch", format!("{why}: {}", fields.join(", ")))
        }
        Step::Deactivate { confirm, .. } => {
            let days = tenant.spec.offboarding.as_ref().map_or(30, |offboarding| offboarding.purge_after_days);
            let back = if tenant.metadata.deletion_timestamp.is_some() {
                "A new object with spec.adopt brings it back before then"
            } else {
                "Set lifecycle: Active before then to keep it"
            };
            let message = format!("deactivated {confirm}; Qlik deletes it for ever in {days} days. {back}");
            Some(Note { warning: true, reason: "Deactivated".into(), action: "Deactivate", message })
        }
        Step::RestartWindow { confirm, .. } => note(
            "PurgeWindowRestarted",
            "Deactivate",
            format!("restarted the purge window of {confirm}, as asked by annotation"),
        ),
        Step::Reactivate { confirm, .. } => note("Reactivated", "Reactivate", format!("reactivated {confirm}")),
        Step::PlanErasure { targets, .. } => {
            let kept: Vec<_> = targets.iter().filter(|t| t.kept).map(|t| format!("{} ({})", t.name, t.rule)).collect();
            (!kept.is_empty()).then(|| Note {
                warning: true,
                reason: "SecretKept".into(),
                action: "Erase",
                message: format!("not erased: {}", kept.join(", ")),
            })
        }
        Step::ConfirmErasure { record } => {
            note("SecretsErased", "Erase", format!("the Secrets that had to go are gone; see QlikOffboarding {record}"))
        }
        Step::RestoreRecord(lost) => Some(Note {
            warning: true,
            reason: "RecordRestored".into(),
            action: "Record",
            message: format!(
                "QlikOffboarding {} was deleted and is written again from this object's status",
                lost.name
            ),
        }),
        Step::Announce(a) if a.step == IntentStep::Deactivate => {
            note("Deactivating", "Announce", "the tenant is going to be deactivated".into())
        }
        Step::Hold
        | Step::Create
        | Step::Announce(_)
        | Step::OpenRecord(_)
        | Step::NoteCall { .. }
        | Step::Schedule { .. }
        | Step::CloseRecord { .. }
        | Step::Erase(_) => None,
    }
}

/// Names the tenant for people: its id, and its hostname where that is known.
fn tenant_of(seen: &Seen) -> Option<String> {
    if let Some(bound) = &seen.bound {
        return Some(format!("{} ({})", bound.id, bound.host.hostname()));
    }
    let made = seen.intent.created().map(|(id, _)| id);
    seen.hostless.as_ref().or(made).map(ToString::to_string)
}

fn field(change: &Patch) -> String {
    match change {
        Patch::Name(name) => format!("name = {name}"),
        Patch::Alias(alias) => format!("alias = {alias}"),
        Patch::Flag(setting, value) => format!("{} = {value}", setting.name()),
    }
}
