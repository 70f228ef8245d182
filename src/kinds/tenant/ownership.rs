//! Which object a tenant belongs to. Of all that claim it, the first recorded claim has it, then the smaller uid; who
//! only asks for it by `spec.adopt` comes after every recorded one. Malformed objects count by what can be read of them.
//!
//! The answer is known or unknown, never assumed. Each pass looks into the caches, which costs nothing; right before what
//! cannot be taken back the API server itself is asked, in every scope that the operator serves.

use crate::crd::{QlikTenant, Reason};
use crate::engine::{Context, Error, Lean, within};
use crate::qlik::TenantId;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use kube::api::{Api, ListParams};
use kube::{Resource, ResourceExt};
use std::collections::BTreeMap;
use std::time::Duration;

/// The recorded holder of a tenant is selected by it.
const HOLDS: &str = "status.tenantId";
/// Who asks for an existing tenant is selected by it.
const ADOPTS: &str = "spec.adopt.tenantId";
/// Lists under way at the same time. Each namespace that the operator serves needs two.
const AT_ONCE: usize = 8;
/// How long all of them may take together.
const DEADLINE: Duration = Duration::from_secs(30);

/// How an object claims a tenant. In the order in which claims count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// Its status says that it holds the tenant, since then. A holder whose date is missing or cannot be read counts as
    /// the first one, since it may be.
    Recorded(Timestamp),
    /// It holds nothing yet and asks for the tenant by `spec.adopt`.
    Asked,
}

/// The tenant that an object holds by its status, or else asks for.
pub(super) fn claimed(object: &Lean<QlikTenant>) -> Option<&str> {
    match object.read() {
        Ok(tenant) => {
            let held = tenant.status.as_ref().and_then(|status| status.tenant_id.as_deref());
            held.or_else(|| tenant.spec.adopt.as_ref().map(|adopt| adopt.tenant_id.as_str()))
        }
        Err(remains) => remains.tenant_id.as_deref().or(remains.adopts.as_deref()),
    }
}

/// The tenant that an object holds by its status.
pub(super) fn held(object: &Lean<QlikTenant>) -> Option<&str> {
    match object.read() {
        Ok(tenant) => tenant.status.as_ref()?.tenant_id.as_deref(),
        Err(remains) => remains.tenant_id.as_deref(),
    }
}

/// An object's claim to this tenant.
fn claim(object: &Lean<QlikTenant>, id: &TenantId) -> Option<Claim> {
    claimed(object).filter(|claimed| *claimed == id.as_str())?;
    if held(object).is_none() {
        return Some(Claim::Asked);
    }
    let since = match object.read() {
        Ok(tenant) => tenant.status.as_ref().and_then(|status| status.bound_at.as_ref()).map(|at| at.0),
        Err(remains) => remains.bound_at.as_deref().and_then(|at| at.parse().ok()),
    };
    Some(Claim::Recorded(since.unwrap_or(Timestamp::MIN)))
}

/// What the object in question claims itself, by its own status: nothing that it did not record in full puts it first.
fn own(tenant: &QlikTenant, id: &TenantId) -> Claim {
    let status = tenant.status.as_ref().filter(|status| status.tenant_id.as_deref() == Some(id.as_str()));
    match status.map(|status| status.bound_at.as_ref()) {
        Some(Some(at)) => Claim::Recorded(at.0),
        Some(None) => Claim::Recorded(Timestamp::MAX),
        None => Claim::Asked,
    }
}

/// Whether another object's claim comes before this one.
fn comes_first(other: &Lean<QlikTenant>, tenant: &QlikTenant, id: &TenantId) -> bool {
    let (mine, theirs) = (tenant.meta().uid.as_deref(), other.meta().uid.as_deref());
    mine != theirs && claim(other, id).is_some_and(|claim| (claim, theirs) < (own(tenant, id), mine))
}

/// The object that this tenant belongs to instead of the one in question, as `namespace/name`, by the caches. Fails while
/// one of them does not hold everything: then nobody knows.
pub(super) fn cached(tenant: &QlikTenant, id: &TenantId, cx: &Context) -> Result<Option<String>, Error> {
    let found = cx.tenants_where(|other| comes_first(other, tenant, id)).next();
    // Asked after the look: a list that began meanwhile makes it worthless.
    let missing = cx.caches.lists.missing();
    if !missing.is_empty() {
        let message = format!("whom the tenant belongs to is not known: {} not listed yet", missing.join(", "));
        return Err(Error::Missing { reason: Reason::KubernetesUnavailable, message });
    }
    Ok(found.map(|other| title(&other)))
}

/// The same by the API server, now. Fails when a single list does: then nobody knows.
pub(super) async fn live(tenant: &QlikTenant, id: &TenantId, cx: &Context) -> Result<Option<String>, Error> {
    let everywhere = tokio::time::timeout(DEADLINE, claims(id, cx)).await;
    let all = everywhere.map_err(|_| Error::KubeTimeout(WHAT))??;
    // What its own status says now, and not what the pass believes.
    let me = tenant.uid().and_then(|uid| all.get(&uid)).and_then(|lean| lean.read().ok()).cloned();
    let me = me.unwrap_or_else(|| QlikTenant { status: None, ..tenant.clone() });
    Ok(all.values().find(|other| comes_first(other, &me, id)).map(title))
}

/// Fails unless this object may go on with its tenant by [`live`].
pub(super) async fn first(tenant: &QlikTenant, id: &TenantId, cx: &Context) -> Result<(), Error> {
    match live(tenant, id, cx).await? {
        None => Ok(()),
        Some(owner) => Err(Error::Missing {
            reason: Reason::Conflict,
            message: format!("the tenant belongs to {owner}, whose claim is older; nothing is done here"),
        }),
    }
}

const WHAT: &str = "list the objects that claim the tenant";

/// Every object that claims this tenant, by uid.
async fn claims(id: &TenantId, cx: &Context) -> Result<BTreeMap<String, Lean<QlikTenant>>, Error> {
    let scopes: Vec<Api<Lean<QlikTenant>>> = match cx.settings.namespaces.as_slice() {
        [] => vec![Api::all(cx.client.clone())],
        some => some.iter().map(|namespace| Api::namespaced(cx.client.clone(), namespace)).collect(),
    };
    let by = |api: Api<Lean<QlikTenant>>| [HOLDS, ADOPTS].map(|field| (api.clone(), format!("{field}={id}")));
    let lists = scopes.into_iter().flat_map(by).map(|(api, selector)| async move {
        within(WHAT, api.list(&ListParams::default().fields(&selector))).await.map_err(not_selectable)
    });
    let lists: Vec<_> = stream::iter(lists).buffer_unordered(AT_ONCE).try_collect().await?;
    let objects = lists.into_iter().flat_map(|list| list.items);
    Ok(objects.map(|object| (object.meta().uid.clone().unwrap_or_default(), object)).collect())
}

/// What the API server says of a definition that is older than this operator helps nobody by itself.
fn not_selectable(error: Error) -> Error {
    match &error {
        Error::Kube { source, .. } if matches!(&**source, kube::Error::Api(status) if status.code == 400) => {
            Error::Misconfigured {
                reason: Reason::Forbidden,
                message: format!(
                    "{}: apply the CustomResourceDefinitions of this version of the operator",
                    error.chain()
                ),
            }
        }
        _ => error,
    }
}

fn title(object: &Lean<QlikTenant>) -> String {
    let meta = object.meta();
    format!("{}/{}", meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ID: &str = "vi06S40US9YCpugS6IuyR0OQ7HuGweu0";
    const OTHER: &str = "x";

    /// An object of this uid; `held` and `since` are its status, `adopts` its wish.
    fn object(uid: &str, held: Option<&str>, since: Option<&str>, adopts: Option<&str>) -> Value {
        let adopt = adopts.map(|id| json!({ "tenantId": id, "hostname": "acme.us.qlikcloud.com" }));
        let mut spec = json!({ "region": "us", "license": { "fromTenant": "a.us.qlikcloud.com" } });
        spec.as_object_mut().unwrap().extend(adopt.map(|adopt| ("adopt".to_owned(), adopt)));
        json!({
            "apiVersion": "qlik-operator.dev/v1alpha1", "kind": "QlikTenant",
            "metadata": { "name": uid, "namespace": "n", "uid": uid }, "spec": spec,
            "status": { "tenantId": held, "boundAt": since },
        })
    }

    fn malformed(mut object: Value) -> Value {
        object["spec"]["region"] = json!("mars");
        object
    }

    #[test]
    fn the_first_recorded_claim_has_it_then_the_uid() {
        const EARLY: Option<&str> = Some("2026-01-01T00:00:00Z");
        const LATE: Option<&str> = Some("2026-01-02T00:00:00Z");
        let (it, none) = (Some(ID), None);
        for (mine, theirs, theirs_first) in [
            // Recorded against recorded: the date, then the uid.
            (object("m", it, LATE, none), object("z", it, EARLY, none), true),
            (object("m", it, EARLY, none), object("a", it, LATE, none), false),
            (object("m", it, EARLY, none), object("a", it, EARLY, none), true),
            (object("m", it, EARLY, none), object("z", it, EARLY, none), false),
            // Who only asks comes after every recorded one, whatever the uid; among themselves the uid counts.
            (object("m", it, LATE, none), object("a", none, none, it), false),
            (object("m", none, none, it), object("z", it, LATE, none), true),
            (object("m", none, none, it), object("a", none, none, it), true),
            (object("m", none, none, it), object("z", none, none, it), false),
            // A holder without a date may be the first one; nobody puts himself first without one.
            (object("m", it, EARLY, none), object("z", it, none, none), true),
            (object("m", it, none, none), object("z", it, LATE, none), true),
            // What holds another tenant does not claim this one, even if it once asked for it.
            (object("m", none, none, it), object("a", Some(OTHER), EARLY, it), false),
            (object("m", none, none, it), object("a", none, none, none), false),
            // Malformed ones count just so.
            (object("m", it, LATE, none), malformed(object("z", it, EARLY, none)), true),
            (object("m", it, EARLY, none), malformed(object("a", it, LATE, none)), false),
            (object("m", it, EARLY, none), malformed(object("z", it, Some("yesterday"), none)), true),
            (object("m", none, none, it), malformed(object("a", none, none, it)), true),
            (object("m", it, LATE, none), malformed(object("a", none, none, it)), false),
            // Nobody is his own rival.
            (object("m", it, LATE, none), object("m", it, EARLY, none), false),
        ] {
            let (tenant, other) = (mine.clone(), theirs.clone());
            let tenant: QlikTenant = serde_json::from_value(tenant).unwrap();
            let other: Lean<QlikTenant> = serde_json::from_value(other).unwrap();
            assert_eq!(comes_first(&other, &tenant, &ID.parse().unwrap()), theirs_first, "{mine}\n{theirs}");
        }
    }
}
