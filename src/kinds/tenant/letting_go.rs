//! An object goes and its tenant lives on: the trace that is left behind.

use super::Sight;
use super::released::{self, Kept};
use crate::crd::{OffboardingEvent, QlikTenant, QlikTenantStatus, Trigger};
use crate::engine::{Context, Error};
use crate::kinds::records;
use crate::plan::offboarding::history::entry;
use crate::plan::released::Released;
use crate::qlik::{Hostname, TenantId};
use kube::ResourceExt;

/// Writes the record of a tenant that is let go. In a namespace that is being deleted nothing can be created any more, and
/// where the definition of the records is deleted none can be written; then an entry is kept in the operator's namespace.
pub(super) async fn record(
    tenant: &QlikTenant,
    sight: &Sight,
    draft: &QlikTenantStatus,
    cx: &Context,
) -> Result<(), Error> {
    let Some((id, hostnames)) = held(sight) else {
        return Ok(());
    };
    let (namespace, name) = (tenant.namespace().unwrap_or_default(), tenant.name_any());
    let listed = hostnames.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    tracing::warn!(namespace, name, tenant = %id, hostnames = listed, region = ?tenant.spec.region,
        "this object lets its tenant go; nothing is changed in Qlik Cloud");
    let now = cx.clock.now();
    let kept = Released {
        tenant_id: id.clone(),
        hostnames: hostnames.iter().map(ToString::to_string).collect(),
        region: crate::qlik::Region::from(tenant.spec.region).to_string(),
        namespace,
        name: name.clone(),
        at: now,
    };
    // The same name for the same object, so that a repeated attempt finds what the first one wrote.
    let record = records::name_for(&name, &tenant.uid().unwrap_or_default());
    let opening = records::Opening {
        name: &record,
        tenant,
        id: &id,
        hostnames,
        trigger: Trigger::Release,
        days: tenant.spec.offboarding.as_ref().map_or(30, |offboarding| offboarding.purge_after_days),
        requested_at: now,
        credentials_source: source(tenant, draft),
        entries: vec![entry(OffboardingEvent::Released, now)],
    };
    match records::open(cx, opening).await {
        Err(error) if error.is_terminating() || error.is_not_found() => {
            keep(&kept, cx).await;
            Ok(())
        }
        other => other,
    }
}

/// Keeps an entry. The object goes whatever becomes of that: nothing may hold up the deletion of a namespace for ever.
async fn keep(kept: &Released, cx: &Context) {
    let why = match released::keep(kept, cx).await {
        Ok(Kept::Written) => return,
        Ok(Kept::Full) => "every ConfigMap for it is full".to_owned(),
        Ok(Kept::Nowhere) => "the operator's own namespace is not known".to_owned(),
        Err(error) => error.chain(),
    };
    let Released { namespace, name, tenant_id, hostnames, region, .. } = kept;
    tracing::error!(namespace, name, tenant = %tenant_id, hostnames = hostnames.join(", "), region, why,
        "no trace of a tenant that is let go could be kept but this line: a QlikTenant of this name will not be compared with it");
}

/// The tenant that the object holds, as far as it tells.
fn held(sight: &Sight) -> Option<(TenantId, Vec<Hostname>)> {
    if let Some(bound) = &sight.seen.bound {
        return Some((bound.id.clone(), bound.generated_first()));
    }
    if let Some(id) = &sight.seen.hostless {
        return Some((id.clone(), Vec::new()));
    }
    let made = sight.seen.intent.created();
    let made = made.map(|(id, hostname)| (id.clone(), hostname.cloned().into_iter().collect()));
    // Of a creation whose answer was lost nobody knows the id: what is on record then is that there may be a tenant.
    made.or_else(|| sight.seen.intent.lost_creation().map(|id| (id, Vec::new())))
}

fn source(tenant: &QlikTenant, draft: &QlikTenantStatus) -> String {
    let by_spec = || match &tenant.spec.credentials_ref {
        Some(reference) => format!("Secret/{}", reference.name),
        None => format!("Default/{}", crate::qlik::Region::from(tenant.spec.region)),
    };
    draft.credentials_source.clone().unwrap_or_else(by_spec)
}
