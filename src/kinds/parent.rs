//! A child's tenant: whether it may be worked in, and how. Taken from the cache, so that children who wait cost nothing.

use super::tenant;
use crate::crd::{
    ChildTenant, Lifecycle, OffboardingPhase, Phase, QlikOffboarding, QlikTenant, Reason, START_ANEW, TenantRef,
};
use crate::engine::{Context, Error, Managed, within};
use crate::plan::Finding;
use crate::plan::offboarding::history::State;
use crate::qlik::{Credential, Region, TenantApi, TenantHost, TenantId};
use crate::secrets;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::Api;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{CustomResourceExt, Resource as _, ResourceExt};
use std::collections::BTreeMap;

/// An object that lives inside a tenant.
pub(crate) trait Child: Managed + CustomResourceExt {
    /// The tenant that its manifest names.
    fn tenant_ref(&self) -> &TenantRef;
    /// The tenant that its counterpart was last seen in.
    fn recorded(&self) -> Option<&ChildTenant>;
    /// Whether it has a counterpart in Qlik Cloud, as far as its status tells.
    fn has_counterpart(&self) -> bool;
    /// What is true of it, as its status says.
    fn conditions(&self) -> &[Condition];
    /// The Secrets that the operator writes for it, and those that it refers to.
    fn secrets(&self) -> (Vec<String>, Vec<String>);
}

/// The tenant that a child lives in.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    pub(crate) id: TenantId,
    pub(crate) host: TenantHost,
    pub(crate) region: Region,
    pub(crate) credential: Credential,
    pub(crate) source: String,
}

impl Parent {
    /// The tenant's API.
    pub(crate) fn api(&self, cx: &Context) -> TenantApi {
        cx.cloud.tenant(&self.host, &self.credential)
    }

    /// What a child's status keeps of it.
    pub(crate) fn record(&self) -> ChildTenant {
        ChildTenant {
            id: self.id.to_string(),
            hostname: self.host.hostname().to_string(),
            region: self.region.to_string(),
            credentials_source: self.source.clone(),
        }
    }
}

/// Whether a child may be worked on.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// Yes, here.
    Usable(Box<Parent>),
    /// Not now.
    Waiting(Finding),
    /// The tenant is deactivated or purged: there is nothing to do inside it.
    Covered(Finding),
}

/// Looks at the tenant of a child.
pub(crate) async fn standing<K: Child>(child: &K, cx: &Context) -> Result<Standing, Error> {
    let name = &child.tenant_ref().name;
    let namespace = child.meta().namespace.clone().unwrap_or_default();
    let Some(tenant) = find(name, &namespace, cx).await? else {
        return without_object(child, cx).await;
    };
    if let Some(standing) = unusable(&tenant, child.has_counterpart()) {
        return Ok(standing);
    }
    let broken = |problem: String| Finding::passing(Phase::Pending, Reason::TenantNotReady, problem);
    let Some(bound) = tenant::bound_of(&tenant, cx)? else {
        return Ok(Standing::Waiting(broken(format!("QlikTenant {name} has no tenant yet"))));
    };
    let consents = child.meta().annotations.as_ref().is_some_and(|all| start_anew(all, child.recorded()));
    if let Some(recorded) = child.recorded().filter(|recorded| recorded.id != bound.0.as_str())
        && child.has_counterpart()
        && !consents
    {
        return replaced(child, recorded, &bound.0, cx).await;
    }
    let region = Region::from(tenant.spec.region);
    let (credential, source) = tenant::credentials_of(&tenant, region, cx).await?;
    Ok(Standing::Usable(Box::new(Parent { id: bound.0, host: bound.1, region, credential, source })))
}

/// Whether somebody said that the counterpart in this tenant is left behind and another one is made.
pub(crate) fn start_anew(annotations: &BTreeMap<String, String>, recorded: Option<&ChildTenant>) -> bool {
    recorded.is_some_and(|recorded| annotations.get(START_ANEW) == Some(&recorded.id))
}

/// What is said of that.
pub(crate) const LEFT_BEHIND: &str = "the tenant behind spec.tenantRef is another one: what was made in the former one is left there, as asked by annotation, and made anew here";

/// The `QlikTenant` holds another tenant than the one that the counterpart was made in. A deleted child is cleaned up where
/// its counterpart is; otherwise a human decides, since moving would leave the former one behind with a secret that works.
async fn replaced<K: Child>(
    child: &K,
    recorded: &ChildTenant,
    now: &TenantId,
    cx: &Context,
) -> Result<Standing, Error> {
    if child.meta().deletion_timestamp.is_some() {
        if let Some(covered) = by_record(recorded, cx) {
            return Ok(covered);
        }
        return recorded_parent(recorded, child, cx).await.map(|parent| Standing::Usable(Box::new(parent)));
    }
    Ok(Standing::Waiting(Finding::human(
        Reason::TenantReplaced,
        format!(
            "QlikTenant {name} holds tenant {now} now, and this object's counterpart is in tenant {was} ({host}): nothing is done in either. \
             To make it anew in the present tenant, and leave what is in the former one, set annotation {START_ANEW}={was}; to clean up the former \
             one delete this object",
            name = child.tenant_ref().name,
            was = recorded.id,
            host = recorded.hostname,
        ),
    )))
}

/// What of a tenant's state keeps a child from being worked on; `None` when nothing does.
fn unusable(tenant: &QlikTenant, has_counterpart: bool) -> Option<Standing> {
    let name = tenant.name_any();
    let status = tenant.status.as_ref();
    let phase = status.map_or(Phase::Pending, |s| s.phase);
    let waiting =
        |text: String| Some(Standing::Waiting(Finding::passing(Phase::Pending, Reason::TenantNotReady, text)));
    let covered = |reason, text: String| Some(Standing::Covered(Finding::passing(Phase::Deactivated, reason, text)));
    let declared_off = tenant.spec.lifecycle == Lifecycle::Deactivated;
    let deactivated = status.is_some_and(|s| s.purge.is_some());
    match phase {
        Phase::Purged => {
            covered(Reason::CoveredByTenantPurged, format!("QlikTenant {name} is purged, and everything inside it"))
        }
        Phase::Reactivating => waiting(format!("QlikTenant {name} is being brought back")),
        Phase::Deactivated => Some(covered_off(&name)),
        _ if deactivated => Some(covered_off(&name)),
        // It is declared so, and something stands in the way that a human has to see to: until then it is in use.
        Phase::Stalled if declared_off && is_current(tenant) => None,
        _ if declared_off || phase == Phase::Deactivating => {
            waiting(format!("QlikTenant {name} is going to be deactivated: nothing is done inside it"))
        }
        Phase::Ready => None,
        // A tenant in use that has some trouble of its own (a refused alias, a slow Qlik Cloud) keeps what it has.
        Phase::Pending | Phase::Creating | Phase::Configuring | Phase::Retained | Phase::Stalled if has_counterpart => {
            None
        }
        Phase::Pending
        | Phase::Creating
        | Phase::Configuring
        | Phase::Retained
        | Phase::Stalled
        | Phase::Deactivating => {
            let reason =
                status.and_then(|s| s.conditions.iter().find(|c| c.type_ == "Ready")).map(|c| c.reason.clone());
            waiting(format!(
                "QlikTenant {name} is not ready yet ({})",
                reason.unwrap_or_else(|| "not looked at".to_owned())
            ))
        }
    }
}

/// Whether the status speaks of the manifest as it stands.
fn is_current(tenant: &QlikTenant) -> bool {
    tenant.status.as_ref().is_some_and(|status| status.observed_generation == tenant.metadata.generation)
}

fn covered_off(name: &str) -> Standing {
    Standing::Covered(Finding::passing(
        Phase::Deactivated,
        Reason::CoveredByTenantDeactivated,
        format!("QlikTenant {name} is deactivated: nothing inside it works, and nothing is done there"),
    ))
}

/// The `QlikTenant` is gone. What was made inside it is still cleaned up when the child is deleted.
async fn without_object<K: Child>(child: &K, cx: &Context) -> Result<Standing, Error> {
    let name = &child.tenant_ref().name;
    let missing = Standing::Waiting(Finding::passing(
        Phase::Pending,
        Reason::TenantMissing,
        format!("QlikTenant {name} does not exist in this namespace: create it, or correct spec.tenantRef"),
    ));
    let Some(recorded) = child.recorded() else {
        return Ok(missing);
    };
    if let Some(covered) = by_record(recorded, cx) {
        return Ok(covered);
    }
    if child.meta().deletion_timestamp.is_none() {
        return Ok(missing);
    }
    recorded_parent(recorded, child, cx).await.map(|parent| Standing::Usable(Box::new(parent)))
}

/// What the off-boarding records say of a tenant whose object is gone.
fn by_record(recorded: &ChildTenant, cx: &Context) -> Option<Standing> {
    let of_it = |record: &QlikOffboarding| {
        let phase = State::of(&record.spec, record.status.as_ref()).phase;
        (record.spec.tenant_id == recorded.id).then_some((record.spec.requested_at.0, phase))
    };
    let (_, phase) = cx
        .caches
        .offboardings
        .iter()
        .flat_map(Store::state)
        .filter_map(|lean| lean.0.0.as_ref().ok().and_then(of_it))
        .max_by_key(|(at, _)| *at)?;
    match phase {
        OffboardingPhase::Scheduled => Some(covered_off(&recorded.hostname)),
        OffboardingPhase::Purged => Some(Standing::Covered(Finding::passing(
            Phase::Purged,
            Reason::CoveredByTenantPurged,
            format!("the tenant {} is purged, and everything inside it", recorded.hostname),
        ))),
        OffboardingPhase::Requested
        | OffboardingPhase::Reactivated
        | OffboardingPhase::Cancelled
        | OffboardingPhase::Released
        | OffboardingPhase::Unknown => None,
    }
}

/// The tenant as a child's status remembers it.
async fn recorded_parent<K: Child>(recorded: &ChildTenant, child: &K, cx: &Context) -> Result<Parent, Error> {
    let broken = |problem: String| Error::Misconfigured {
        reason: Reason::SpecInvalid,
        message: format!(
            "the QlikTenant is gone and status.tenant cannot be used ({problem}): create it again, or set spec.deletionPolicy: Orphan"
        ),
    };
    let region: Region = recorded.region.parse().map_err(|e| broken(format!("region {e}")))?;
    let hostname = recorded.hostname.parse().map_err(|e| broken(format!("hostname {e}")))?;
    let host = cx.cloud.hosts().tenant(&hostname, region).map_err(|e| broken(e.to_string()))?;
    let id = recorded.id.parse().map_err(|e| broken(format!("id {e}")))?;
    let namespace = child.meta().namespace.clone().unwrap_or_default();
    let credential = match recorded.credentials_source.strip_prefix("Secret/") {
        Some(name) => secrets::credential(&cx.client, &namespace, name).await?,
        None => cx.settings.default_credential(region, &namespace).map_err(|e| broken(e.to_string()))?,
    };
    Ok(Parent { id, host, region, credential, source: recorded.credentials_source.clone() })
}

/// The `QlikTenant`, from the cache; read live where the cache does not know it, since the cache may still be filling, or
/// is behind the watch that woke the child, which would not be woken again.
async fn find(name: &str, namespace: &str, cx: &Context) -> Result<Option<QlikTenant>, Error> {
    let reference = ObjectRef::new(name).within(namespace);
    let malformed = || Error::Missing {
        reason: Reason::TenantNotReady,
        message: format!("QlikTenant {name} cannot be understood: see its conditions"),
    };
    let cached = cx.caches.tenants.iter().find_map(|store| store.get(&reference));
    if let Some(lean) = cached.filter(|lean| !cx.ledger.is_old(lean.meta())) {
        return lean.0.0.as_ref().map(|tenant| Some(tenant.clone())).map_err(|_| malformed());
    }
    let api: Api<crate::engine::Lean<QlikTenant>> = Api::namespaced(cx.client.clone(), namespace);
    let found = within("read the QlikTenant", api.get_opt(name)).await?;
    found.map(|lean| lean.0.0.map_err(|_| malformed())).transpose()
}

/// Whether a change of its tenant gives a child something to do.
pub(crate) fn concerns<K: Child>(child: &K, tenant: &QlikTenant) -> bool {
    if child.meta().deletion_timestamp.is_some() || tenant.metadata.deletion_timestamp.is_some() {
        return true;
    }
    let moved = child.recorded().is_some_and(|recorded| {
        let status = tenant.status.as_ref();
        status.and_then(|s| s.tenant_id.as_deref()).is_some_and(|id| id != recorded.id)
    });
    let stands_so = match unusable(tenant, child.has_counterpart()) {
        None => is_ready(child.conditions()) && !is_covered(child.conditions()),
        Some(Standing::Covered(finding) | Standing::Waiting(finding)) => {
            // The words too: they say what the tenant itself waits for.
            let said = ready(child.conditions());
            said.is_some_and(|c| c.reason == finding.reason.to_string() && c.message == finding.message)
        }
        Some(Standing::Usable(_)) => true,
    };
    moved || !stands_so
}

fn ready(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|c| c.type_ == "Ready")
}

fn reason(conditions: &[Condition]) -> Option<&String> {
    ready(conditions).map(|c| &c.reason)
}

/// Whether the declared state is reached.
pub(crate) fn is_ready(conditions: &[Condition]) -> bool {
    ready(conditions).is_some_and(|c| c.status == "True")
}

/// Whether an object stands as its tenant's end makes it stand.
pub(crate) fn is_covered(conditions: &[Condition]) -> bool {
    let covered = [Reason::CoveredByTenantDeactivated, Reason::CoveredByTenantPurged].map(|reason| reason.to_string());
    reason(conditions).is_some_and(|reason| covered.contains(reason))
}
