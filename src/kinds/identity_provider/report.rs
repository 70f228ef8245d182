//! What people are told about an identity provider: status, progress, events. Pure.

use super::super::parent::{LEFT_BEHIND, is_ready, start_anew};
use super::Sight;
use super::keyring;
use crate::crd::{
    IssuedSecret, Phase, QlikIdentityProvider, QlikIdentityProviderStatus, REQUESTED_AT, ROTATE_AT, Reason,
    VerificationState, VerificationStatus, whole_seconds,
};
use crate::engine::{Note, SideFacts};
use crate::plan::Deletion;
use crate::plan::Finding;
use crate::plan::child::Place;
use crate::plan::identity_provider::{
    Change, KeySource, Print, Role, SecretSeen, Step, is_live, rotates_at, waits_for_trial,
};
use crate::plan::status::{Verdict, conditions};
use crate::qlik::{IdentityProvider, PendingState, Protocol};
use jiff::Timestamp;
use kube::ResourceExt;

type Status = QlikIdentityProviderStatus;

/// What a deactivated tenant means for its children, found out before the tenant's object says so.
pub(super) fn covered() -> Finding {
    let message = "the tenant is deactivated: nothing inside it works, and nothing is done there";
    Finding::passing(Phase::Deactivated, Reason::CoveredByTenantDeactivated, message)
}

/// Where the trial of a provider's login stands.
pub(super) fn verification(provider: &IdentityProvider, host: &str) -> VerificationStatus {
    VerificationStatus {
        state: match provider.pending_state {
            Some(PendingState::Error) => VerificationState::Failed,
            Some(PendingState::Pending | PendingState::Verified) | None => VerificationState::Pending,
        },
        page: format!("https://{host}/console"),
        provider_id: provider.id.to_string(),
        answer: provider.pending_answer.clone(),
        version: None,
        fingerprint: None,
    }
}

/// The draft with what was just seen.
pub(super) fn reflect(object: &QlikIdentityProvider, sight: &Sight, mut draft: Status) -> Status {
    let (want, seen) = (&sight.want, &sight.seen);
    draft.protocol = Some(if want.protocol == Protocol::Jwt { "JWT" } else { want.protocol.as_str() }.to_owned());
    draft.provider = Some(if want.protocol == Protocol::Jwt { want.issuer() } else { want.product }.to_owned());
    draft.secret_name = sight.keyring.as_ref().map(|keyring| keyring.name.clone());
    let Some(parent) = sight.parent.as_ref().filter(|_| seen.looked) else {
        return draft;
    };
    let host = parent.host.hostname();
    draft.recovery_address = want.interactive.then(|| format!("https://{host}/login/recover"));
    // What is not shown stays as it was last seen, or written.
    if seen.current().is_none_or(|current| !current.hides("active")) {
        draft.active = seen.current().map(|current| current.active);
    }
    draft.not_compared.clone_from(&seen.written.not_compared);
    if !seen.mine.is_empty() {
        draft.tenant = Some(parent.record());
    }
    // What is gone is nothing to wait for.
    let there = |id: &str| seen.mine.iter().any(|provider| provider.id.as_str() == id);
    draft.retiring.retain(|one| there(&one.id));
    draft.successor.take_if(|successor| !there(&successor.id));
    if seen.deletion != Deletion::None {
        return draft;
    }
    note_trial(sight, &host.to_string(), &mut draft);
    note_keys(object, sight, &mut draft);
    draft
}

/// What is to be tried, and what is written without a doubt though nobody remembers having written it.
fn note_trial(sight: &Sight, host: &str, draft: &mut Status) {
    let (want, seen) = (&sight.want, &sight.seen);
    let known = draft.verification.take();
    let live = |provider: &IdentityProvider| is_live(want, provider, seen);
    let waiting = seen.on_trial().filter(|p| want.tried && waits_for_trial(p, seen) && !live(p));
    if let Some(provider) = waiting {
        let known = known.filter(|trial| trial.provider_id == provider.id.as_str());
        let (version, fingerprint) = known.map(|trial| (trial.version, trial.fingerprint)).unwrap_or_default();
        draft.verification = Some(VerificationStatus { version, fingerprint, ..verification(provider, host) });
        return;
    }
    let Some(current) = seen.current().filter(|current| live(current)) else {
        draft.verification = known;
        return;
    };
    // Promoted by a call whose answer was lost.
    let promoted = known.filter(|trial| trial.provider_id == current.id.as_str()).and_then(|trial| trial.fingerprint);
    if let Some(fingerprint) = promoted.filter(|_| !waits_for_trial(current, seen)) {
        draft.fingerprint = Some(fingerprint);
    } else if seen.record.print == Print::Unknown && (want.tried || want.protocol == Protocol::Saml) {
        draft.fingerprint.clone_from(&sight.fingerprint);
    }
}

fn note_keys(object: &QlikIdentityProvider, sight: &Sight, draft: &mut Status) {
    let (want, seen) = (&sight.want, &sight.seen);
    let asked = object.annotations().get(ROTATE_AT);
    let KeySource::Generated(_) = want.key else {
        draft.last_handled_rotate_at = asked.cloned(); // there is nothing to be replaced
        return;
    };
    let Some(current) = seen.current() else { return };
    draft.key_id = current.kid().map(str::to_owned);
    let since = |provider: &IdentityProvider| {
        let known = draft.keys.iter().find(|key| Some(key.id.as_str()) == provider.kid()).map(|key| key.created_at.0);
        known.or(provider.created).unwrap_or_default()
    };
    let key = |provider: &IdentityProvider, retires_at: Option<Timestamp>| {
        let (id, created_at) = (provider.kid()?.to_owned(), whole_seconds(since(provider)));
        Some(IssuedSecret { id, created_at, retires_at: retires_at.map(whole_seconds) })
    };
    let former = draft.retiring.iter().filter_map(|one| {
        let provider = seen.mine.iter().find(|provider| provider.id.as_str() == one.id)?;
        key(provider, Some(one.retires_at.0))
    });
    let keys: Vec<_> = key(current, None).into_iter().chain(former).collect();
    draft.keys = keys;
    draft.next_rotation_at = rotates_at(want, seen, current).map(whole_seconds);
    let carried = sight.held.as_deref().and_then(keyring::rotated_for);
    let in_use = match &seen.secret {
        SecretSeen::Ours(keys) => {
            keys.staged.is_none() && keys.current.as_ref().map(|pair| pair.kid.as_str()) == current.kid()
        }
        _ => false,
    };
    if asked.is_none() || (in_use && carried == asked.map(String::as_str)) {
        draft.last_handled_rotate_at = asked.cloned();
    }
}

/// The status after a pass.
pub(super) fn describe(object: &QlikIdentityProvider, draft: Status, verdict: &Verdict, now: Timestamp) -> Status {
    let generation = object.metadata.generation.unwrap_or_default();
    let suspended = verdict.finding.reason == Reason::Suspended;
    let old = object.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    Status {
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
    let looked = sight.seen.looked;
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
    let name = &sight.keyring.as_ref()?.name;
    if let Place::Covered(finding) = &sight.seen.place {
        return Some(finding.clone());
    }
    if !sight.seen.looked {
        return None;
    }
    let pending = |text: String| Some(Finding::passing(Phase::Configuring, Reason::SecretPending, text));
    match &sight.seen.secret {
        SecretSeen::NotWanted => None,
        SecretSeen::Foreign(owner) => {
            Some(Finding::human(Reason::SecretConflict, format!("Secret {name} belongs to {owner}")))
        }
        SecretSeen::Free | SecretSeen::Former | SecretSeen::Terminating => {
            pending(format!("Secret {name} is not written yet"))
        }
        SecretSeen::Ours(keys) => {
            let kid = keys.current.as_ref().map(|pair| pair.kid.as_str());
            let works = kid.is_some()
                && sight.seen.mine.iter().any(|provider| {
                    (provider.active || provider.hides("active")) && provider.kid().is_none_or(|have| Some(have) == kid)
                });
            if works && (keys.in_sync || keys.staged.is_some()) {
                let message = format!("Secret {name} carries what the app needs");
                return Some(Finding::passing(Phase::Ready, Reason::Settled, message));
            }
            pending(format!("Secret {name} is being written, or Qlik Cloud does not know its key yet"))
        }
    }
}

/// What people are told while a step is under way.
pub(super) fn progress(step: &Step) -> Finding {
    let (phase, reason, message) = match step {
        Step::Hold | Step::Announce | Step::Bind(_) | Step::Create { role: Role::Only, .. } => {
            (Phase::Creating, Reason::Creating, "the provider is being made")
        }
        Step::Forget => (Phase::Pending, Reason::CounterpartGone, "the former provider is gone and was given up"),
        Step::NewKey | Step::WriteSecret => (Phase::Configuring, Reason::SecretPending, "the Secret is being written"),
        Step::StageKey | Step::PromoteKey | Step::Retire(..) => {
            (Phase::Configuring, Reason::Rotating, "the key is being replaced; the former one still works")
        }
        Step::Create { role: Role::Successor, .. }
        | Step::Adopt(_)
        | Step::Succeed(_)
        | Step::Switch { .. }
        | Step::Change(..)
        | Step::Promote(..) => {
            (Phase::Configuring, Reason::Configuring, "the provider is being brought to what is declared")
        }
        Step::Delete(_) => (Phase::Pending, Reason::Deleting, "a provider is being deleted in Qlik Cloud"),
    };
    Finding::passing(phase, reason, message)
}

/// The event for a step that was made, if people should know.
pub(super) fn note(object: &QlikIdentityProvider, step: &Step) -> Option<Note> {
    let note =
        |warning, reason: &str, action, message: String| Some(Note { warning, reason: reason.into(), action, message });
    let status = object.status.as_ref();
    let settled =
        status.is_some_and(|s| is_ready(&s.conditions) && s.observed_generation == object.metadata.generation);
    let interactive = status.is_some_and(|status| status.recovery_address.is_some());
    let deleting = object.metadata.deletion_timestamp.is_some();
    match step {
        Step::Create { role: Role::Only, .. } => note(false, "Created", "Create", "made an identity provider in Qlik Cloud".into()),
        Step::Create { role: Role::Successor, .. } => note(
            false,
            "SuccessorCreated",
            "Create",
            "made another identity provider, since Qlik Cloud cannot change the present one; that one works on until this one does".into(),
        ),
        Step::Bind(id) => note(false, "TakenBack", "Bind", format!("identity provider {id} carries this object's mark and is taken back")),
        Step::Forget if start_anew(object.annotations(), status.and_then(|s| s.tenant.as_ref())) => {
            note(false, "Moved", "Forget", LEFT_BEHIND.into())
        }
        Step::Forget => note(true, "CounterpartGone", "Forget", "the identity provider does not exist any more in Qlik Cloud; another one is made".into()),
        Step::Change(id, changes) => {
            let fields: Vec<_> = changes.iter().map(|change| shown(*change)).collect();
            let (reason, why) =
                if settled { ("DriftCorrected", "changed outside, written back") } else { ("Configured", "written") };
            note(false, reason, "Patch", format!("{why}: {} of identity provider {id}", fields.join(", ")))
        }
        Step::Promote(id, _) => note(false, "Promoted", "Promote", format!("the login of identity provider {id} was tried and is now in force")),
        Step::Switch { from, to } => note(false, "Switched", "Switch", format!("people log in through identity provider {to} now, and no more through {from}")),
        Step::StageKey => note(false, "Rotating", "Rotate", "a new key was made; the Secret carries it once Qlik Cloud knows it".into()),
        Step::PromoteKey => note(false, "Rotated", "Rotate", "the Secret carries the new key; the former one works on for a while".into()),
        Step::NewKey => note(false, "KeyIssued", "Rotate", "a key pair was made and written to the Secret".into()),
        Step::WriteSecret if settled => note(true, "SecretRepaired", "Write", "the Secret was not as it should be and was written again".into()),
        Step::Delete(id) if deleting && interactive => note(
            true,
            "Deleted",
            "Delete",
            format!("deleted identity provider {id} in Qlik Cloud; if no other one is in use, people log in with a Qlik Account again"),
        ),
        Step::Delete(id) => note(false, "Deleted", "Delete", format!("deleted identity provider {id} in Qlik Cloud")),
        Step::Hold | Step::Announce | Step::Adopt(_) | Step::Retire(..) | Step::Succeed(_) | Step::WriteSecret => None,
    }
}

fn shown(change: Change) -> String {
    match change {
        Change::Active(active) => format!("active = {active}"),
        change => change.field().to_owned(),
    }
}

/// The event when the object goes and its providers do not.
pub(super) fn parting(sight: &Sight) -> Option<Note> {
    let id = sight.seen.record.current.as_ref()?;
    let gone = sight.seen.looked && sight.seen.mine.is_empty();
    (!gone).then(|| Note {
        warning: true,
        reason: "LeftInQlik".into(),
        action: "Release",
        message: format!(
            "identity provider {id} stays in Qlik Cloud: it goes with its tenant's purge, or is taken back by an object of this name; otherwise delete it there"
        ),
    })
}
