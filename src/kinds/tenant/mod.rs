//! `QlikTenant`: how the facts of a decision are gathered, and how its steps are made.

mod act;
mod alias;
mod erasure;
mod gather;
mod letting_go;
mod limit;
mod observe;
mod own_maps;
mod ownership;
mod released;
mod report;
mod requested;

pub(super) use gather::swept;

use crate::crd::{FINALIZER, Phase, QlikTenant, QlikTenantStatus, REQUESTED_AT, RESTART_PURGE_WINDOW, Reason, Rules};
use crate::engine::{Acted, Context, Error, Managed, Note, SideFacts};
use crate::plan::status::Verdict;
use crate::plan::tenant::{Desired, Seen, Step};
use crate::plan::{Finding, HOURLY, Next, duration};
use crate::qlik::{Credential, Region, Secret, TenantHost, TenantId};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use std::sync::LazyLock;
use std::time::Duration;

/// The tenant that an object holds by its status: id and host.
pub(super) fn bound_of(tenant: &QlikTenant, cx: &Context) -> Result<Option<(TenantId, TenantHost)>, Error> {
    let draft = tenant.status.clone().unwrap_or_default();
    let bound = observe::bound(tenant, &draft, &tenant.uid().unwrap_or_default(), cx)?;
    Ok(bound.map(|bound| (bound.id, bound.host)))
}

/// The credentials for a tenant, and where they come from.
pub(super) async fn credentials_of(
    tenant: &QlikTenant,
    region: Region,
    cx: &Context,
) -> Result<(Credential, String), Error> {
    gather::credentials(tenant, region, cx).await
}

/// Everything that one turn found out about a tenant.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What the manifest asks for; `None` when the object only has to be let go.
    want: Option<Desired>,
    /// What was observed.
    seen: Seen,
    /// The credentials that were used, and where they come from.
    credentials: Option<(Credential, String)>,
    /// The license key, gathered when a tenant is to be created.
    license: Option<Secret>,
}

impl Managed for QlikTenant {
    const KIND: &'static str = "QlikTenant";
    const FINALIZER: Option<&'static str> = Some(FINALIZER);
    const WAY_OUT: &'static str = "set spec.offboarding.onDelete: Retain. A tenant that is in use then stays in use; one that is deactivated already is purged on its date, and only a new object with spec.adopt brings it back";
    type Status = QlikTenantStatus;
    type Seen = Box<Sight>;
    type Step = Step;

    fn status(&self) -> Option<&QlikTenantStatus> {
        self.status.as_ref()
    }

    fn conditions(status: &QlikTenantStatus) -> &[Condition] {
        &status.conditions
    }

    fn suspended(&self) -> bool {
        self.spec.suspend
    }

    fn rules() -> &'static Rules {
        static RULES: LazyLock<Rules> = LazyLock::new(Rules::of::<QlikTenant>);
        &RULES
    }

    fn at_rest(&self) -> Option<Duration> {
        let status = self.status.as_ref()?;
        let ready = status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
        let current = status.observed_generation == self.metadata.generation;
        let asked = self.annotations().get(REQUESTED_AT) != status.last_handled_reconcile_at.as_ref();
        let restart = self.annotations().get(RESTART_PURGE_WINDOW).and_then(|at| at.parse::<Timestamp>().ok());
        let restart = restart.is_some() && restart == status.purge.as_ref().and_then(|p| p.purge_at).map(|at| at.0);
        let held = self.finalizers().iter().any(|f| f == FINALIZER);
        if !ready || !current || asked || restart || !held || self.metadata.deletion_timestamp.is_some() {
            return None;
        }
        match status.phase {
            Phase::Ready => duration::parse(&self.spec.interval),
            Phase::Deactivated => Some(HOURLY),
            Phase::Purged => Some(HOURLY * 24),
            Phase::Pending
            | Phase::Creating
            | Phase::Configuring
            | Phase::Deactivating
            | Phase::Reactivating
            | Phase::Retained
            | Phase::Stalled => None,
        }
    }

    async fn observe(&self, draft: &QlikTenantStatus, cx: &Context) -> Result<Box<Sight>, Error> {
        observe::observe(self, draft, cx).await.map(Box::new)
    }

    fn next(&self, seen: &Box<Sight>, now: Timestamp) -> Next<Step> {
        match &seen.want {
            Some(want) => crate::plan::tenant::next(want, &seen.seen, now),
            None => crate::plan::tenant::let_go(&seen.seen),
        }
    }

    async fn act(
        &self,
        step: &Step,
        seen: Box<Sight>,
        draft: QlikTenantStatus,
        cx: &Context,
    ) -> Result<Acted<Self>, Error> {
        act::act(self, step, seen, draft, cx).await
    }

    fn reflect(&self, seen: &Box<Sight>, draft: QlikTenantStatus) -> QlikTenantStatus {
        report::reflect(self, seen, draft)
    }

    fn describe(&self, draft: QlikTenantStatus, verdict: &Verdict, now: Timestamp) -> QlikTenantStatus {
        report::describe(self, draft, verdict, now)
    }

    fn progress(step: &Step) -> Finding {
        report::progress(step)
    }

    fn side_facts(seen: &Box<Sight>) -> SideFacts {
        report::side_facts(seen)
    }

    fn known_purge(status: &QlikTenantStatus) -> Option<Timestamp> {
        status.purge.as_ref().and_then(|purge| purge.purge_at).map(|at| at.0)
    }

    fn parting(&self, _seen: &Box<Sight>) -> Option<Note> {
        None
    }

    fn note(&self, step: &Step, seen: &Box<Sight>) -> Option<Note> {
        report::note(self, step, &seen.seen)
    }
}

/// A spec that cannot be used although the API server took it: an older schema, or a setting of this operator.
fn invalid(problem: &crate::plan::tenant::Invalid) -> Error {
    Error::Misconfigured { reason: Reason::SpecInvalid, message: problem.to_string() }
}
