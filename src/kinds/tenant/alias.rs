//! Who has an alias, before a tenant is paid for that cannot have it.

use crate::crd::{INTENT, OnExisting, QlikTenant};
use crate::engine::{Context, Error, Lean, root};
use crate::plan::intent::{Call, IntentSeen, IntentStep};
use crate::plan::tenant::{AliasSeen, Desired};
use crate::qlik::{self, Credential, Hostname};
use jiff::Timestamp;
use kube::ResourceExt;

/// Looks at the other objects first, which costs nothing, then at the host of that name in Qlik Cloud.
pub(super) async fn look(
    tenant: &QlikTenant,
    (alias, want): (&Hostname, &Desired),
    credential: &Credential,
    cx: &Context,
) -> Result<AliasSeen, Error> {
    if let Some(other) = wanted_by(tenant, alias, cx) {
        return Ok(AliasSeen::Wanted(other));
    }
    let Ok(host) = cx.cloud.hosts().tenant(alias, want.region) else {
        return Ok(AliasSeen::Unclear("it is no name of a tenant".to_owned()));
    };
    match cx.cloud.tenant(&host, credential).me().await {
        Ok(found) => {
            let hostnames = if found.hostnames.is_empty() { vec![alias.clone()] } else { found.hostnames };
            Ok(AliasSeen::Ours { id: found.id, hostnames, adopt: adopts(tenant, cx) })
        }
        Err(error) => meaning(error),
    }
}

/// What a failure says. A name that no tenant has answers 404, as far as Qlik's pages tell; an answer that is not understood
/// holds the creation.
fn meaning(error: qlik::Error) -> Result<AliasSeen, Error> {
    use qlik::Error as E;
    match root(&error) {
        E::NotFound(_) => Ok(AliasSeen::Free),
        E::TenantDisabled(_) => Ok(AliasSeen::Disabled),
        E::BadCredentials(_) | E::Unauthorized(_) | E::BotDisabled(_) | E::Forbidden(_) => Ok(AliasSeen::Foreign),
        E::Throttled { .. } | E::NotLeading { .. } => Err(error.into()),
        other => Ok(AliasSeen::Unclear(other.to_string())),
    }
}

/// Whether the manifest may take the tenant over by itself: by the namespace's own credentials, or where a setting allows
/// it to the namespace. Otherwise an alias alone would be enough to get hold of any tenant of the default credentials.
fn adopts(tenant: &QlikTenant, cx: &Context) -> bool {
    let namespace = tenant.namespace().unwrap_or_default();
    tenant.spec.on_existing == OnExisting::Adopt
        && (tenant.spec.credentials_ref.is_some() || cx.settings.may_adopt(&namespace))
}

/// Another object of the region that asks for the same alias and comes first: it has a tenant already, or has announced
/// its creation, or was the first to ask this process.
pub(super) fn wanted_by(tenant: &QlikTenant, alias: &Hostname, cx: &Context) -> Option<String> {
    let label = alias.as_str().split('.').next()?;
    let asks = |other: &QlikTenant| {
        let is_alias = |name: &String| name.eq_ignore_ascii_case(alias.as_str());
        let shown = other.status.as_ref().is_some_and(|status| status.hostnames.iter().any(is_alias));
        let lives = other.metadata.deletion_timestamp.is_none();
        lives && (shown || (other.spec.region == tenant.spec.region && other.spec.alias.as_deref() == Some(label)))
    };
    let order = |it: &QlikTenant| announced(it).map(|at| (at, it.metadata.uid.clone()));
    let mine = order(tenant);
    let first = |other: &QlikTenant| {
        let bound = other.status.as_ref().is_some_and(|status| status.tenant_id.is_some());
        bound || order(other).is_some_and(|theirs| mine.as_ref().is_none_or(|mine| theirs < *mine))
    };
    let other_asks = |other: &Lean<QlikTenant>, so: &dyn Fn(&QlikTenant) -> bool| {
        let other = other.read().ok().filter(|other| other.metadata.uid != tenant.metadata.uid);
        other.is_some_and(|other| asks(other) && so(other))
    };
    let name = |other: std::sync::Arc<Lean<QlikTenant>>| {
        format!("{}/{}", other.namespace().unwrap_or_default(), other.name_any())
    };
    let before = cx.tenants_where(|other| other_asks(other, &first)).next();
    if before.is_some() {
        return before.map(name);
    }
    let of = |uid: &str| {
        cx.tenants_where(|other| other_asks(other, &|other| other.metadata.uid.as_deref() == Some(uid))).next()
    };
    let holder = cx.ledger.claim_alias(alias, &tenant.uid().unwrap_or_default(), |uid| of(uid).is_some());
    of(&holder).map(name)
}

/// When an object announced a creation that may have taken effect, or may still.
fn announced(tenant: &QlikTenant) -> Option<Timestamp> {
    let annotation = tenant.annotations().get(INTENT).map(String::as_str);
    match IntentSeen::read(annotation, |_| Call::Unknown) {
        IntentSeen::Found { intent, call } if intent.step == IntentStep::Create && call != Call::Refused => {
            Some(intent.at)
        }
        IntentSeen::None | IntentSeen::Unreadable | IntentSeen::Found { .. } => None,
    }
}
