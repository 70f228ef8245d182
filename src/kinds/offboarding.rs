//! `QlikOffboarding`: follows one countdown to its end, whether or not the `QlikTenant` still exists.

mod look;

use crate::crd::{
    ConditionType, Evidence, ExactTime, OffboardingEntry, OffboardingEvent, OffboardingPhase, Phase, QlikOffboarding,
    QlikOffboardingStatus, REQUESTED_AT, Rules, whole_seconds,
};
use crate::engine::{Acted, Context, Error, Managed, Note, SideFacts};
use crate::kinds::records;
use crate::plan::offboarding::history::{State, entry};
use crate::plan::offboarding::{self as plan, Seen, Step};
use crate::plan::status::{Verdict, conditions};
use crate::plan::{Finding, HOURLY, Next};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use std::sync::LazyLock;
use std::time::Duration;

impl Managed for QlikOffboarding {
    const KIND: &'static str = "QlikOffboarding";
    const FINALIZER: Option<&'static str> = None;
    const WAY_OUT: &'static str = "nothing is needed: it is never held";
    type Status = QlikOffboardingStatus;
    type Seen = Seen;
    type Step = Step;

    fn status(&self) -> Option<&QlikOffboardingStatus> {
        self.status.as_ref()
    }

    fn conditions(status: &QlikOffboardingStatus) -> &[Condition] {
        &status.conditions
    }

    fn suspended(&self) -> bool {
        false
    }

    fn rules() -> &'static Rules {
        static RULES: LazyLock<Rules> = LazyLock::new(Rules::of::<QlikOffboarding>);
        &RULES
    }

    fn at_rest(&self) -> Option<Duration> {
        let status = self.status.as_ref()?;
        let asked = self.annotations().get(REQUESTED_AT) != status.last_handled_reconcile_at.as_ref();
        // A status that was lost, or came from a backup, is made anew.
        let says = State::of(&self.spec, Some(status)).phase == status.phase;
        match status.phase {
            _ if asked || !says => None,
            OffboardingPhase::Requested | OffboardingPhase::Scheduled | OffboardingPhase::Unknown => None,
            OffboardingPhase::Reactivated
            | OffboardingPhase::Cancelled
            | OffboardingPhase::Purged
            | OffboardingPhase::Released => Some(HOURLY * 24),
        }
    }

    async fn observe(&self, draft: &QlikOffboardingStatus, cx: &Context) -> Result<Seen, Error> {
        look::observe(self, draft, cx).await
    }

    fn next(&self, seen: &Seen, now: Timestamp) -> Next<Step> {
        plan::next(seen, now)
    }

    async fn act(
        &self,
        step: &Step,
        seen: Seen,
        draft: QlikOffboardingStatus,
        cx: &Context,
    ) -> Result<Acted<Self>, Error> {
        let entry = self.entry(step, &seen, cx.clock.now());
        let object = records::add(cx, self, vec![entry]).await?;
        let state = State::of(&object.spec, Some(&draft));
        Ok(Acted::wrote(object, written(&state, seen.foreign, draft)))
    }

    fn reflect(&self, seen: &Seen, draft: QlikOffboardingStatus) -> QlikOffboardingStatus {
        written(&seen.state, seen.foreign, draft)
    }

    fn describe(&self, draft: QlikOffboardingStatus, verdict: &Verdict, now: Timestamp) -> QlikOffboardingStatus {
        let generation = self.metadata.generation.unwrap_or_default();
        let list = conditions(&draft.conditions, verdict, generation, now);
        // Only what speaks of a record: it has no credentials and is never held.
        let kinds =
            [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled, ConditionType::PurgeScheduled];
        let ours = |name: &str| kinds.iter().any(|kind| kind.to_string() == name);
        QlikOffboardingStatus {
            conditions: list.into_iter().filter(|c| ours(&c.type_)).collect(),
            last_handled_reconcile_at: self.annotations().get(REQUESTED_AT).cloned(),
            ..draft
        }
    }

    fn progress(_step: &Step) -> Finding {
        Finding::passing(Phase::Deactivated, crate::crd::Reason::PurgePending, "the countdown is followed")
    }

    fn side_facts(seen: &Seen) -> SideFacts {
        let purge_at = seen.state.purge_at.filter(|_| seen.state.phase == OffboardingPhase::Scheduled);
        SideFacts { credentials: None, looked: false, purge_at, secret: None, ..SideFacts::default() }
    }

    fn known_purge(status: &QlikOffboardingStatus) -> Option<Timestamp> {
        let ahead = [OffboardingPhase::Scheduled, OffboardingPhase::Unknown].contains(&status.phase);
        status.purge_at.filter(|_| ahead).map(|at| at.0)
    }

    fn parting(&self, _seen: &Seen) -> Option<Note> {
        None
    }

    fn note(&self, step: &Step, _seen: &Seen) -> Option<Note> {
        let hostname = self.spec.hostnames.first().map_or("", String::as_str);
        let tenant = format!("tenant {} ({hostname})", self.spec.tenant_id);
        let (reason, message) = match step {
            Step::Purged(by) => ("Purged", format!("{tenant} is purged (confirmed by: {by:?})")),
            Step::SeenGone => {
                ("SeenGone", format!("Qlik Cloud says that there is no {tenant}; asked again in an hour"))
            }
            Step::SeenAgain => ("SeenAgain", format!("Qlik Cloud knows {tenant} after all")),
            Step::Reactivated => ("Reactivated", format!("{tenant} is in use again")),
            Step::Off(_) => return None,
            Step::Cancelled => ("Cancelled", format!("the deactivation of {tenant} never took effect")),
        };
        Some(Note { warning: false, reason: reason.into(), action: "Record", message })
    }
}

/// The status that follows from the entries. A copy in another namespace is over only if its entries say so.
fn written(state: &State, foreign: bool, draft: QlikOffboardingStatus) -> QlikOffboardingStatus {
    let open = matches!(state.phase, OffboardingPhase::Requested | OffboardingPhase::Scheduled);
    let status = state.write(draft);
    let phase = if foreign && open { OffboardingPhase::Unknown } else { status.phase };
    QlikOffboardingStatus { phase, ..status }
}

impl QlikOffboarding {
    fn entry(&self, step: &Step, seen: &Seen, now: Timestamp) -> OffboardingEntry {
        match step {
            Step::Purged(by) => OffboardingEntry { confirmed_by: Some(*by), ..entry(OffboardingEvent::Purged, now) },
            Step::SeenGone => entry(OffboardingEvent::SeenGone, now),
            Step::SeenAgain => entry(OffboardingEvent::SeenAgain, now),
            Step::Reactivated => entry(OffboardingEvent::Reactivated, now),
            Step::Cancelled => entry(OffboardingEvent::Cancelled, now),
            Step::Off(date) => {
                let first = seen.state.windows.first().map_or(self.spec.requested_at.0, |window| window.called_at.0);
                let evidence = date.map(|(_, evidence): (Timestamp, Evidence)| evidence);
                OffboardingEntry {
                    deactivated_at: Some(whole_seconds(first)),
                    purge_at: date.map(|(at, _)| ExactTime(at)),
                    evidence,
                    ..entry(OffboardingEvent::Scheduled, now)
                }
            }
        }
    }
}
