//! What people are told about an OAuth client: status, progress, events. Pure.

use super::super::parent::{LEFT_BEHIND, is_ready, start_anew};
use super::Sight;
use super::delivery;
use crate::crd::{
    IssuedSecret, Phase, QlikOAuthClient, QlikOAuthClientStatus, REQUESTED_AT, ROTATE_AT, Reason, whole_seconds,
};
use crate::engine::{Error, Note, SideFacts};
use crate::plan::Finding;
use crate::plan::child::Place;
use crate::plan::oauth_client::{Authentication, Content, Found, Issued, SecretSeen, Step, rotates_at};
use crate::plan::status::{Verdict, conditions};
use jiff::Timestamp;
use kube::ResourceExt;

/// What a deactivated tenant means for its children, found out before the tenant's object says so.
pub(super) fn covered() -> Finding {
    let message = "the tenant is deactivated: nothing inside it works, and nothing is done there";
    Finding::passing(Phase::Deactivated, Reason::CoveredByTenantDeactivated, message)
}

/// An error of a Secret's write that another attempt does not end.
pub(super) fn is_final(error: &Error) -> bool {
    matches!(error, Error::Misconfigured { .. } | Error::Missing { .. })
}

/// The draft with what was just seen.
pub(super) fn reflect(
    object: &QlikOAuthClient,
    sight: &Sight,
    mut draft: QlikOAuthClientStatus,
) -> QlikOAuthClientStatus {
    draft.secret_name = sight.delivery.as_ref().map(|delivery| delivery.name.clone());
    let Found::One(client) = &sight.seen.client else {
        return draft;
    };
    draft.missing_since = None;
    if sight.seen.id.is_none() {
        return draft;
    }
    draft.client_id = Some(client.id.to_string());
    draft.tenant = sight.parent.as_ref().map(|parent| parent.record()).or(draft.tenant);
    draft.not_compared.clone_from(&sight.seen.written.not_compared);
    draft.published_at = client.published_at.map(whole_seconds);
    if let SecretSeen::Ours(carried) = &sight.seen.secret {
        draft.issued = carried.issued.iter().map(shown).collect();
        draft.next_rotation_at = rotates_at(&sight.want, carried).map(whole_seconds);
    }
    if sight.want.authentication == Authentication::Secret {
        let ours = |hint: &str| draft.issued.iter().any(|issued| issued.id == hint);
        let foreign = client.secrets.iter().filter(|secret| !ours(&secret.hint)).count();
        draft.foreign_secrets = (foreign > 0).then(|| i32::try_from(foreign).unwrap_or(i32::MAX));
    }
    let asked = object.annotations().get(ROTATE_AT);
    let nothing_to_rotate = matches!(sight.want.authentication, Authentication::Public | Authentication::GivenKey(_));
    let done = sight.held.as_ref().and_then(|held| delivery::rotated_for(held)) == asked.map(String::as_str);
    if asked.is_some() && (nothing_to_rotate || done || sight.seen.rotate.is_none()) {
        draft.last_handled_rotate_at = asked.cloned();
    }
    draft
}

fn shown(issued: &Issued) -> IssuedSecret {
    IssuedSecret {
        id: issued.id.clone(),
        created_at: whole_seconds(issued.created_at),
        retires_at: issued.retires_at.map(whole_seconds),
    }
}

/// The status after a pass.
pub(super) fn describe(
    object: &QlikOAuthClient,
    draft: QlikOAuthClientStatus,
    verdict: &Verdict,
    now: Timestamp,
) -> QlikOAuthClientStatus {
    let generation = object.metadata.generation.unwrap_or_default();
    let suspended = verdict.finding.reason == Reason::Suspended;
    let old = object.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    let missing_since = match verdict.finding.reason {
        Reason::CounterpartGone => draft.missing_since.clone().or(Some(whole_seconds(now))),
        _ => draft.missing_since.clone(),
    };
    QlikOAuthClientStatus {
        missing_since,
        observed_generation: Some(generation),
        last_handled_reconcile_at: if suspended {
            draft.last_handled_reconcile_at.clone()
        } else {
            object.annotations().get(REQUESTED_AT).cloned()
        },
        conditions: conditions(old, verdict, generation, now),
        ..draft
    }
}

pub(super) fn side_facts(sight: &Sight) -> SideFacts {
    let looked = sight.seen.client != Found::NotAsked;
    let accepted = Finding::passing(Phase::Ready, Reason::Settled, "Qlik Cloud accepted the credentials");
    SideFacts {
        credentials: looked.then_some(accepted),
        looked,
        purge_at: None,
        secret: secret(sight),
        offboarding: None,
        not_compared: sight.seen.written.not_compared.clone(),
    }
}

/// Whether the Secret says what works.
fn secret(sight: &Sight) -> Option<Finding> {
    let name = &sight.delivery.as_ref()?.name;
    if let Place::Covered(finding) = &sight.seen.place {
        return Some(finding.clone());
    }
    let pending = |text: String| Some(Finding::passing(Phase::Configuring, Reason::SecretPending, text));
    let SecretSeen::Ours(carried) = &sight.seen.secret else {
        return match &sight.seen.secret {
            SecretSeen::Foreign(owner) => {
                Some(Finding::human(Reason::SecretConflict, format!("Secret {name} belongs to {owner}")))
            }
            SecretSeen::NotWanted => None,
            SecretSeen::Free | SecretSeen::Former | SecretSeen::Terminating | SecretSeen::Ours(_) => {
                pending(format!("Secret {name} is not written yet"))
            }
        };
    };
    let Found::One(client) = &sight.seen.client else {
        return None;
    };
    let known =
        |issued: &Issued| client.hides("clientSecrets") || client.secrets.iter().any(|secret| secret.hint == issued.id);
    let works = match sight.want.authentication {
        Authentication::Secret => carried.current().is_some_and(known),
        Authentication::GeneratedKey => carried.is_whole(),
        Authentication::GivenKey(_) | Authentication::Public => true,
    };
    if works && carried.content == Content::AsDeclared {
        let message = format!("Secret {name} carries what the app needs");
        return Some(Finding::passing(Phase::Ready, Reason::Settled, message));
    }
    pending(format!("Secret {name} is being written"))
}

/// What people are told while a step is under way.
pub(super) fn progress(step: &Step) -> Finding {
    let (phase, reason, message) = match step {
        Step::Hold | Step::Announce | Step::Create | Step::Bind(_) => {
            (Phase::Creating, Reason::Creating, "the client is being made")
        }
        Step::Forget => (Phase::Pending, Reason::CounterpartGone, "the former client is gone and was given up"),
        Step::Change(_) | Step::SetConsent(_) | Step::Publish => {
            (Phase::Configuring, Reason::Configuring, "the client is being brought to what is declared")
        }
        Step::Reserve { .. }
        | Step::Mint { .. }
        | Step::NewKey { .. }
        | Step::Deliver { .. }
        | Step::Discard { .. } => (Phase::Configuring, Reason::SecretPending, "the Secret is being written"),
        Step::Delete(_) => (Phase::Pending, Reason::Deleting, "the client is being deleted in Qlik Cloud"),
    };
    Finding::passing(phase, reason, message)
}

/// The event for a step that was made, if people should know.
pub(super) fn note(object: &QlikOAuthClient, step: &Step) -> Option<Note> {
    let note =
        |warning, reason: &str, action, message: String| Some(Note { warning, reason: reason.into(), action, message });
    let status = object.status.as_ref();
    let settled =
        status.is_some_and(|s| is_ready(&s.conditions) && s.observed_generation == object.metadata.generation);
    match step {
        Step::Create => note(false, "Created", "Create", "made an OAuth client in Qlik Cloud".into()),
        Step::Bind(id) => {
            note(false, "TakenBack", "Bind", format!("OAuth client {id} carries this object's mark and is taken back"))
        }
        Step::Forget if start_anew(object.annotations(), status.and_then(|s| s.tenant.as_ref())) => {
            note(false, "Moved", "Forget", LEFT_BEHIND.into())
        }
        Step::Forget => note(
            true,
            "CounterpartGone",
            "Forget",
            "the OAuth client does not exist any more in Qlik Cloud; another one is made, with another client id"
                .into(),
        ),
        Step::Change(changes) => {
            let fields: Vec<_> = changes.iter().map(crate::qlik::OauthClientChange::field).collect();
            let (reason, why) =
                if settled { ("DriftCorrected", "changed outside, written back") } else { ("Configured", "written") };
            note(false, reason, "Patch", format!("{why}: {}", fields.join(", ")))
        }
        Step::SetConsent(consent) => note(false, "Configured", "Patch", format!("consent is now {consent:?}")),
        Step::Publish => note(false, "Published", "Publish", "published to every tenant of the region".into()),
        Step::Mint { former } | Step::NewKey { former } => {
            let what = if former.is_empty() {
                "a secret was made and written to the Secret"
            } else {
                "a new secret was made and written to the Secret; the former one works on for a while"
            };
            note(false, if former.is_empty() { "SecretIssued" } else { "Rotated" }, "Rotate", what.into())
        }
        Step::Deliver { issued } if settled && same_secrets(status, issued) => {
            note(true, "SecretRepaired", "Write", "the Secret was not as it should be and was written again".into())
        }
        Step::Discard { hint, lost: true } => note(
            true,
            "SecretDiscarded",
            "Discard",
            format!("secret {hint} was made and never delivered: it was deleted in Qlik Cloud"),
        ),
        Step::Discard { hint, lost: false } => note(
            false,
            "SecretRetired",
            "Discard",
            format!("secret {hint} was replaced and its time is over: it was deleted in Qlik Cloud"),
        ),
        Step::Delete(id) => note(false, "Deleted", "Delete", format!("deleted OAuth client {id} in Qlik Cloud")),
        Step::Hold | Step::Announce | Step::Reserve { .. } | Step::Deliver { .. } => None,
    }
}

/// Whether the status speaks of these very secrets: then the Secret is not written because one came or went.
fn same_secrets(status: Option<&QlikOAuthClientStatus>, issued: &[Issued]) -> bool {
    let known = status.map(|status| status.issued.as_slice()).unwrap_or_default();
    known.len() == issued.len() && known.iter().zip(issued).all(|(known, issued)| known.id == issued.id)
}

/// The event when the object goes and its client does not.
pub(super) fn parting(sight: &Sight) -> Option<Note> {
    let id = sight.seen.id.as_ref()?;
    (sight.seen.client != Found::None).then(|| Note {
        warning: true,
        reason: "LeftInQlik".into(),
        action: "Release",
        message: format!(
            "OAuth client {id} stays in Qlik Cloud: it goes with its tenant's purge, or is taken back by an object of this name; otherwise delete it there"
        ),
    })
}
