//! `QlikOAuthClient`: how the facts of a decision are gathered, and how its steps are made.

mod act;
mod delivery;
mod issue;
mod observe;
mod report;

use super::parent::{Child, Parent, is_ready};
use crate::crd::{
    CHILD_FINALIZER, ChildTenant, QlikOAuthClient, QlikOAuthClientStatus, REQUESTED_AT, ROTATE_AT, Rules, TenantRef,
};
use crate::engine::{Acted, Context, Error, Managed, Note, SideFacts};
use crate::plan::oauth_client::{Desired, Seen, Step};
use crate::plan::status::Verdict;
use crate::plan::{Finding, Next, duration};
use crate::secrets::Held;
use delivery::Delivery;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use std::sync::LazyLock;
use std::time::Duration;

/// Everything that one turn found out about an OAuth client.
#[derive(Debug)]
pub struct Sight {
    /// What the manifest asks for.
    want: Desired,
    /// What was observed.
    seen: Seen,
    /// The tenant, where it may be worked in.
    parent: Option<Box<Parent>>,
    /// The Secret as it stands, where it is ours.
    held: Option<Box<Held>>,
    /// The Secret that the manifest asks for.
    delivery: Option<Delivery>,
}

impl Child for QlikOAuthClient {
    fn tenant_ref(&self) -> &TenantRef {
        &self.spec.tenant_ref
    }

    fn recorded(&self) -> Option<&ChildTenant> {
        self.status.as_ref()?.tenant.as_ref()
    }

    fn has_counterpart(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.client_id.is_some())
    }

    fn secrets(&self) -> (Vec<String>, Vec<String>) {
        let given = self.spec.auth.as_ref().and_then(|auth| auth.private_key_jwt.as_ref()?.public_key_ref.as_ref());
        let written = Delivery::read(&self.spec).map(|delivery| delivery.name);
        (written.into_iter().collect(), given.map(|key| key.name.clone()).into_iter().collect())
    }

    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default()
    }
}

impl Managed for QlikOAuthClient {
    const KIND: &'static str = "QlikOAuthClient";
    const FINALIZER: Option<&'static str> = Some(CHILD_FINALIZER);
    const WAY_OUT: &'static str = "set spec.deletionPolicy: Orphan, which leaves the client in Qlik Cloud";
    type Status = QlikOAuthClientStatus;
    type Seen = Box<Sight>;
    type Step = Step;

    fn status(&self) -> Option<&QlikOAuthClientStatus> {
        self.status.as_ref()
    }

    fn conditions(status: &QlikOAuthClientStatus) -> &[Condition] {
        &status.conditions
    }

    fn suspended(&self) -> bool {
        self.spec.suspend
    }

    fn rules() -> &'static Rules {
        static RULES: LazyLock<Rules> = LazyLock::new(Rules::of::<QlikOAuthClient>);
        &RULES
    }

    fn at_rest(&self) -> Option<Duration> {
        let status = self.status.as_ref()?;
        let current = status.observed_generation == self.metadata.generation;
        let asked = self.annotations().get(REQUESTED_AT) != status.last_handled_reconcile_at.as_ref();
        let rotate = self.annotations().get(ROTATE_AT) != status.last_handled_rotate_at.as_ref();
        let held = self.finalizers().iter().any(|f| f == CHILD_FINALIZER);
        let living = self.metadata.deletion_timestamp.is_none();
        let rests = is_ready(&status.conditions) && current && !asked && !rotate && held && living;
        rests.then(|| duration::parse(&self.spec.interval))?
    }

    /// The clients of a tenant are compared by one list of it.
    fn slot(&self) -> String {
        format!("{}/{}", self.namespace().unwrap_or_default(), self.spec.tenant_ref.name)
    }

    async fn observe(&self, draft: &QlikOAuthClientStatus, cx: &Context) -> Result<Box<Sight>, Error> {
        observe::observe(self, draft, cx).await.map(Box::new)
    }

    fn next(&self, seen: &Box<Sight>, now: Timestamp) -> Next<Step> {
        crate::plan::oauth_client::next(&seen.want, &seen.seen, now)
    }

    async fn act(
        &self,
        step: &Step,
        seen: Box<Sight>,
        draft: QlikOAuthClientStatus,
        cx: &Context,
    ) -> Result<Acted<Self>, Error> {
        act::act(self, step, seen, (draft, cx)).await
    }

    fn reflect(&self, seen: &Box<Sight>, draft: QlikOAuthClientStatus) -> QlikOAuthClientStatus {
        report::reflect(self, seen, draft)
    }

    fn describe(&self, draft: QlikOAuthClientStatus, verdict: &Verdict, now: Timestamp) -> QlikOAuthClientStatus {
        report::describe(self, draft, verdict, now)
    }

    fn progress(step: &Step) -> Finding {
        report::progress(step)
    }

    fn side_facts(seen: &Box<Sight>) -> SideFacts {
        report::side_facts(seen)
    }

    fn known_purge(_status: &QlikOAuthClientStatus) -> Option<Timestamp> {
        None
    }

    fn parting(&self, seen: &Box<Sight>) -> Option<Note> {
        report::parting(seen)
    }

    fn note(&self, step: &Step, _seen: &Self::Seen) -> Option<Note> {
        report::note(self, step)
    }
}
