//! `QlikOffboarding`: follows one countdown to its end, whether or not the `QlikTenant` still exists.

use crate::crd::QlikTenant;
use crate::crd::{
    ConditionType, Evidence, ExactTime, OffboardingPhase, Phase, QlikOffboarding, QlikOffboardingStatus, Rules, Trigger,
};
use crate::engine::{Acted, Context, Error, Managed, Note, SideFacts, api_of, within, write};
use crate::plan::intent::TAKE_OVER;
use crate::plan::offboarding::{self as plan, Organization, Seen, Step};
use crate::plan::status::{Verdict, conditions};
use crate::plan::{Finding, HOURLY, Next};
use crate::qlik::{OrgStatus, Region, TenantId};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{Api, ResourceExt};
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
        match self.status.as_ref()?.phase {
            OffboardingPhase::Requested | OffboardingPhase::Scheduled => None,
            OffboardingPhase::Reactivated | OffboardingPhase::Cancelled | OffboardingPhase::Purged => Some(HOURLY * 24),
        }
    }

    async fn observe(&self, draft: &QlikOffboardingStatus, cx: &Context) -> Result<Seen, Error> {
        let region = Region::from(self.spec.region);
        let purge_at = draft.purge_at.map(|at| at.0);
        let mut seen = Seen {
            phase: draft.phase,
            purge_at,
            latest_purge_at: self.latest_purge(draft),
            evidence: draft.evidence,
            fresh: self.is_fresh(draft, cx.clock.now()),
            orphaned: false,
            organization: Organization::NotAsked,
            doubt: None,
        };
        seen.orphaned = draft.phase == OffboardingPhase::Requested && self.is_orphaned(cx).await?;
        if draft.phase != OffboardingPhase::Scheduled && !seen.orphaned {
            return Ok(seen);
        }
        let id: TenantId = self.spec.tenant_id.parse().map_err(|e| Error::Misconfigured {
            reason: crate::crd::Reason::SpecInvalid,
            message: format!("spec.tenantId {e}"),
        })?;
        if let Some(credential) = cx.settings.organization_credential() {
            seen.organization = match cx.cloud.organization(&credential).tenant(&id).await? {
                None => Organization::NotListed,
                Some(found) => match found.status {
                    OrgStatus::Active => Organization::Active,
                    OrgStatus::Deleted => Organization::Gone,
                    OrgStatus::Disabled | OrgStatus::Deactivated | OrgStatus::Other(_) => {
                        Organization::Off(found.deletion_starts_at)
                    }
                },
            };
        } else if purge_at.is_some_and(|at| cx.clock.now() >= at) {
            // The date is about to decide something, so it is Qlik's own date that has to say so.
            cx.cloud.ask_date(region).await?;
        }
        seen.doubt = cx.doubt();
        Ok(seen)
    }

    fn next(&self, seen: &Seen, now: Timestamp) -> Next<Step> {
        plan::next(seen, now)
    }

    async fn act(
        &self,
        step: &Step,
        _seen: Seen,
        draft: QlikOffboardingStatus,
        cx: &Context,
    ) -> Result<Acted<Self>, Error> {
        let now = Time(cx.clock.now());
        let mut status = draft;
        match step {
            Step::Purged(evidence) => {
                status.phase = OffboardingPhase::Purged;
                status.evidence = Some((*evidence).max(status.evidence.unwrap_or(*evidence)));
                status.closed_at = Some(now);
            }
            Step::Reactivated => {
                status.phase = OffboardingPhase::Reactivated;
                status.closed_at = Some(now);
            }
            Step::Off(at) => {
                status.phase = OffboardingPhase::Scheduled;
                status.purge_at = at.map(ExactTime);
                status.evidence = at.map(|_| Evidence::Organization);
            }
            Step::Cancelled => {
                status.phase = OffboardingPhase::Cancelled;
                status.closed_at = Some(now);
            }
        }
        let object = write::status::<Self, _>(&api_of(self, &cx.client), &self.metadata, &status).await?;
        Ok(Acted::wrote(object, status))
    }

    fn reflect(&self, _seen: &Seen, draft: QlikOffboardingStatus) -> QlikOffboardingStatus {
        draft
    }

    fn describe(&self, draft: QlikOffboardingStatus, verdict: &Verdict, now: Timestamp) -> QlikOffboardingStatus {
        let generation = self.metadata.generation.unwrap_or_default();
        let list = conditions(&draft.conditions, verdict, generation, now);
        // Only what speaks of a record: it has no credentials and is never held.
        let kinds =
            [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled, ConditionType::PurgeScheduled];
        let ours = |name: &str| kinds.iter().any(|kind| kind.to_string() == name);
        QlikOffboardingStatus { conditions: list.into_iter().filter(|c| ours(&c.type_)).collect(), ..draft }
    }

    fn progress(_step: &Step) -> Finding {
        Finding::passing(Phase::Deactivated, crate::crd::Reason::PurgePending, "the countdown is followed")
    }

    fn side_facts(seen: &Seen) -> SideFacts {
        SideFacts { credentials: None, looked: false, purge_at: seen.purge_at, secret: None }
    }

    fn known_purge(status: &QlikOffboardingStatus) -> Option<Timestamp> {
        status.purge_at.map(|at| at.0)
    }

    fn parting(&self, _seen: &Seen) -> Option<Note> {
        None
    }

    fn note(&self, step: &Step) -> Option<Note> {
        let (reason, message) = match step {
            Step::Purged(evidence) => ("Purged", format!("the tenant was purged (evidence: {evidence:?})")),
            Step::Reactivated => ("Reactivated", "the organization API shows the tenant in use again".to_owned()),
            Step::Off(_) => return None,
            Step::Cancelled => ("Cancelled", "the deactivation never took effect".to_owned()),
        };
        Some(Note { warning: false, reason: reason.into(), action: "Record", message })
    }
}

impl QlikOffboarding {
    /// Whether the object that asked is gone. Read live: a cache that is still being filled knows nobody.
    async fn is_orphaned(&self, cx: &Context) -> Result<bool, Error> {
        let api: Api<QlikTenant> = Api::namespaced(cx.client.clone(), &self.namespace().unwrap_or_default());
        let there = within("read the QlikTenant", api.get_metadata_opt(&self.spec.tenant.name)).await?;
        Ok(there.is_none_or(|tenant| tenant.metadata.uid.as_deref() != Some(self.spec.tenant.uid.as_str())))
    }

    /// Whether Qlik may still be about to show what was asked of it.
    fn is_fresh(&self, draft: &QlikOffboardingStatus, now: Timestamp) -> bool {
        let since = draft.deactivated_at.as_ref().map_or(self.spec.requested_at.0, |at| at.0);
        Duration::try_from(now.duration_since(since)).is_ok_and(|age| age < TAKE_OVER) || now < since
    }

    /// The latest date at which Qlik may purge the tenant, where its own answer was lost: the whole window from the last
    /// call that may have taken effect, and a day for the call itself.
    fn latest_purge(&self, draft: &QlikOffboardingStatus) -> Option<Timestamp> {
        if self.spec.trigger == Trigger::OutOfBand {
            return draft.purge_at.map(|at| at.0);
        }
        let from = draft.deactivated_at.as_ref().map_or(self.spec.requested_at.0, |t| t.0);
        let window = SignedDuration::from_hours(24 * (i64::from(self.spec.purge_after_days) + 1));
        let latest = from.checked_add(window).ok()?;
        Some(draft.purge_at.map_or(latest, |at| latest.max(at.0)))
    }
}
