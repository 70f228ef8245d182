//! `QlikIdentityProvider`: how the facts of a decision are gathered, and how its steps are made.

mod act;
mod calls;
mod keyring;
mod observe;
mod others;
mod report;

use super::parent::{Child, Parent, is_ready};
use crate::crd::{
    CHILD_FINALIZER, ChildTenant, JwtKey, QlikIdentityProvider, QlikIdentityProviderStatus, REQUESTED_AT, ROTATE_AT,
    Rules, TenantRef,
};
use crate::engine::{Acted, Context, Error, Managed, Note, SideFacts};
use crate::plan::identity_provider::{Desired, Seen, Step};
use crate::plan::status::Verdict;
use crate::plan::{Finding, Next, duration};
use crate::qlik::Secret;
use crate::secrets::Held;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use keyring::Keyring;
use kube::ResourceExt;
use std::sync::LazyLock;
use std::time::Duration;

/// Everything that one turn found out about an identity provider.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What the manifest asks for.
    want: Desired,
    /// What was observed.
    seen: Seen,
    /// The tenant, where it may be worked in.
    parent: Option<Box<Parent>>,
    /// The secret of Qlik Cloud's client at the provider.
    client_secret: Option<Secret>,
    /// Stands for the declared options, secret included.
    fingerprint: Option<String>,
    /// The Secret that the manifest asks for.
    keyring: Option<Keyring>,
    /// The Secret as it stands, where it is ours.
    held: Option<Box<Held>>,
}

impl Child for QlikIdentityProvider {
    fn tenant_ref(&self) -> &TenantRef {
        &self.spec.tenant_ref
    }

    fn recorded(&self) -> Option<&ChildTenant> {
        self.status.as_ref()?.tenant.as_ref()
    }

    fn has_counterpart(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.provider_id.is_some())
    }

    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default()
    }

    fn secrets(&self) -> (Vec<String>, Vec<String>) {
        let login = self.spec.oidc.as_ref().and_then(|oidc| oidc.client_secret_ref.as_ref()).map(|r| r.name.clone());
        let key = self.spec.jwt.as_ref().map(|jwt| &jwt.key);
        let given = key.and_then(|JwtKey { public_key_ref, .. }| public_key_ref.as_ref()).map(|r| r.name.clone());
        let written = Keyring::read(&self.spec).map(|keyring| keyring.name);
        (written.into_iter().collect(), login.into_iter().chain(given).collect())
    }
}

impl Managed for QlikIdentityProvider {
    const KIND: &'static str = "QlikIdentityProvider";
    const FINALIZER: Option<&'static str> = Some(CHILD_FINALIZER);
    const WAY_OUT: &'static str = "set spec.deletionPolicy: Orphan, which leaves the provider in Qlik Cloud";
    type Status = QlikIdentityProviderStatus;
    type Seen = Box<Sight>;
    type Step = Step;

    fn status(&self) -> Option<&QlikIdentityProviderStatus> {
        self.status.as_ref()
    }

    fn conditions(status: &QlikIdentityProviderStatus) -> &[Condition] {
        &status.conditions
    }

    fn suspended(&self) -> bool {
        self.spec.suspend
    }

    fn rules() -> &'static Rules {
        static RULES: LazyLock<Rules> = LazyLock::new(Rules::of::<QlikIdentityProvider>);
        &RULES
    }

    fn at_rest(&self) -> Option<Duration> {
        let status = self.status.as_ref()?;
        let current = status.observed_generation == self.metadata.generation;
        let asked = self.annotations().get(REQUESTED_AT) != status.last_handled_reconcile_at.as_ref();
        let rotate = self.annotations().get(ROTATE_AT) != status.last_handled_rotate_at.as_ref();
        let held = self.finalizers().iter().any(|f| f == CHILD_FINALIZER);
        let living = self.metadata.deletion_timestamp.is_none();
        let over = status.retiring.is_empty() && status.successor.is_none();
        let rests = is_ready(&status.conditions) && current && !asked && !rotate && held && living && over;
        rests.then(|| duration::parse(&self.spec.interval))?
    }

    /// The providers of a tenant are compared by one list of it.
    fn slot(&self) -> String {
        format!("{}/{}", self.namespace().unwrap_or_default(), self.spec.tenant_ref.name)
    }

    async fn observe(&self, draft: &QlikIdentityProviderStatus, cx: &Context) -> Result<Box<Sight>, Error> {
        observe::observe(self, draft, cx).await.map(Box::new)
    }

    fn next(&self, seen: &Box<Sight>, now: Timestamp) -> Next<Step> {
        crate::plan::identity_provider::next(&seen.want, &seen.seen, now)
    }

    async fn act(
        &self,
        step: &Step,
        seen: Box<Sight>,
        draft: QlikIdentityProviderStatus,
        cx: &Context,
    ) -> Result<Acted<Self>, Error> {
        act::act(self, step, seen, (draft, cx)).await
    }

    fn reflect(&self, seen: &Box<Sight>, draft: QlikIdentityProviderStatus) -> QlikIdentityProviderStatus {
        report::reflect(self, seen, draft)
    }

    fn describe(
        &self,
        draft: QlikIdentityProviderStatus,
        verdict: &Verdict,
        now: Timestamp,
    ) -> QlikIdentityProviderStatus {
        report::describe(self, draft, verdict, now)
    }

    fn progress(step: &Step) -> Finding {
        report::progress(step)
    }

    fn side_facts(seen: &Box<Sight>) -> SideFacts {
        report::side_facts(seen)
    }

    fn known_purge(_status: &QlikIdentityProviderStatus) -> Option<Timestamp> {
        None
    }

    fn parting(&self, seen: &Box<Sight>) -> Option<Note> {
        report::parting(seen)
    }

    fn note(&self, step: &Step, _seen: &Self::Seen) -> Option<Note> {
        report::note(self, step)
    }
}
