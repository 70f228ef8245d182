//! What a decision needs from Kubernetes: Secrets, other objects, whether everything is being swept away.

use super::{Sight, ownership};
use crate::crd::{OffboardingPhase, QlikOffboarding, QlikTenant, Reason, Trigger};
use crate::engine::{Context, Error, Lean, within};
use crate::plan::intent::{IntentSeen, IntentStep};
use crate::plan::offboarding::history::State;
use crate::plan::tenant::{Desired, Lookup};
use crate::qlik::{Credential, Hostname, OrgTenant, Region, Secret, TenantId};
use crate::secrets;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::Api;
use kube::{CustomResourceExt, Resource, ResourceExt};

/// The credentials of a tenant, and where they come from.
pub(super) async fn credentials(
    tenant: &QlikTenant,
    region: Region,
    cx: &Context,
) -> Result<(Credential, String), Error> {
    let namespace = tenant.namespace().unwrap_or_default();
    if let Some(reference) = &tenant.spec.credentials_ref {
        let credential = secrets::credential(&cx.client, &namespace, &reference.name).await?;
        return Ok((credential, format!("Secret/{}", reference.name)));
    }
    let credential = cx.settings.default_credential(region, &namespace).map_err(|error| {
        let reason = match &error {
            crate::config::NoDefault::NotAllowed(_) => Reason::CredentialsNotAllowed,
            crate::config::NoDefault::None(_) | crate::config::NoDefault::Unreadable { .. } => {
                Reason::CredentialsMissing
            }
        };
        Error::Misconfigured { reason, message: error.to_string() }
    })?;
    Ok((credential, format!("Default/{region}")))
}

/// Asks the organization API for the hostnames of a tenant whose own answer had none.
pub(super) async fn hostnames_of(id: &TenantId, cx: &Context) -> Result<Lookup, Error> {
    let Some(credential) = cx.settings.organization_credential() else {
        return Ok(Lookup::Impossible);
    };
    let found = cx.cloud.organization(&credential).tenant(id).await?;
    let hostnames = found.map(|tenant| tenant.hostnames).unwrap_or_default();
    let tenants = hostnames.into_iter().map(|hostname| (id.clone(), hostname)).collect();
    Ok(Lookup::Found { tenants, rivals: 0, nameless: 0, ours: false })
}

/// The license key for a new tenant.
pub(super) async fn license(
    tenant: &QlikTenant,
    want: &Desired,
    credential: &Credential,
    cx: &Context,
) -> Result<Secret, Error> {
    let missing = |message: &str| Error::Misconfigured { reason: Reason::LicenseMissing, message: message.to_owned() };
    let license = tenant.spec.license.as_ref().ok_or_else(|| missing("spec.license is missing"))?;
    if let Some(reference) = &license.key_ref {
        let namespace = tenant.namespace().unwrap_or_default();
        return secrets::license_key(&cx.client, &namespace, &reference.name, &reference.key).await;
    }
    let source = license.from_tenant.as_ref().ok_or_else(|| missing("spec.license names no source"))?;
    let bad = |problem: String| Error::Misconfigured {
        reason: Reason::ForeignHost,
        message: format!("spec.license.fromTenant {problem}"),
    };
    let hostname: Hostname = source.parse().map_err(|e| bad(format!("{e}")))?;
    let host = cx.cloud.hosts().tenant(&hostname, want.region).map_err(|e| bad(e.to_string()))?;
    cx.cloud.tenant(&host, credential).license_key().await.map_err(|error| not_there_yet(error, &hostname))
}

/// The tenant whose license is to be shared may be made by a manifest that was applied together with this one: that it
/// does not answer yet passes by itself.
fn not_there_yet(error: crate::qlik::Error, hostname: &Hostname) -> Error {
    use crate::qlik::Error as E;
    let absent = matches!(crate::engine::root(&error), E::NotFound(_) | E::Unreachable { .. } | E::TenantDisabled(_));
    if !absent {
        return error.into();
    }
    Error::Missing {
        reason: Reason::LicenseMissing,
        message: format!(
            "{hostname} does not answer, so its license cannot be shared; it is asked again. Is spec.license.fromTenant a tenant in use?"
        ),
    }
}

/// Whether the namespace, or the kind itself, is being deleted. Then nothing is deactivated or deleted in Qlik Cloud.
pub(in crate::kinds) async fn swept<K: CustomResourceExt + Resource<DynamicType = ()>>(
    object: &K,
    cx: &Context,
) -> Result<bool, Error> {
    let namespace = object.meta().namespace.clone().unwrap_or_default();
    let namespaces: Api<Namespace> = Api::all(cx.client.clone());
    let found = within("read the namespace", namespaces.get_opt(&namespace)).await?;
    if found.is_none_or(|ns| ns.metadata.deletion_timestamp.is_some()) {
        return Ok(true);
    }
    let definitions: Api<CustomResourceDefinition> = Api::all(cx.client.clone());
    match within("read the CustomResourceDefinition", definitions.get_metadata_opt(K::crd_name())).await {
        Ok(found) => Ok(found.is_none_or(|crd| crd.metadata.deletion_timestamp.is_some())),
        Err(error) if error.lacks_a_right() => no_more_made::<K>(cx).await,
        Err(error) => Err(error),
    }
}

/// The same for an operator that has Roles only, none of which can grant reading a definition. Discovery is open to every
/// service account, and does not offer `create` any more before the first object of a kind that ends is deleted.
async fn no_more_made<K: Resource<DynamicType = ()>>(cx: &Context) -> Result<bool, Error> {
    let group = K::api_version(&());
    let served = within("list the kinds that are served", cx.client.list_api_group_resources(&group)).await?;
    let kind = served.resources.iter().find(|kind| kind.name == K::plural(&()));
    Ok(kind.is_none_or(|kind| !kind.verbs.iter().any(|verb| verb == "create")))
}

/// Asks the organization API what became of a creation whose answer was lost.
pub(super) async fn lookup(
    tenant: &QlikTenant,
    intent: &IntentSeen,
    region: Region,
    cx: &Context,
) -> Result<Lookup, Error> {
    let Some(intent) = intent.of(IntentStep::Create) else {
        return Ok(Lookup::NotAsked);
    };
    let Some(credential) = cx.settings.organization_credential() else {
        return Ok(Lookup::Impossible);
    };
    let early = intent.at.checked_sub(BEFORE).unwrap_or(Timestamp::MIN);
    let window = (early, intent.at.checked_add(AFTER).unwrap_or(Timestamp::MAX));
    let organization = cx.cloud.organization(&credential);
    let created = organization.created_since(cx.settings.subscription.as_deref(), window.0, region).await?;
    let ours = cx.settings.organization_is_ours;
    let owned = |id: &TenantId| cx.tenants_where(|it| ownership::claimed(it) == Some(id.as_str())).next().is_some();
    let created: Vec<_> =
        created.into_iter().filter(|t| t.created_at.is_none_or(|at| at <= window.1) && !owned(&t.id)).collect();
    // A tenant that somebody has named already may well be somebody else's.
    let named = created.iter().filter(|t| !is_untouched(t)).count();
    let lost = cx.tenants_where(|other| other.meta().uid != tenant.metadata.uid && lost_then(other, window)).count();
    let rivals = named + lost;
    let nameless = created.iter().filter(|t| t.hostnames.is_empty()).count();
    let tenants = created.into_iter().filter_map(|t| Some((t.id, t.hostnames.first()?.clone()))).collect();
    Ok(Lookup::Found { tenants, rivals, nameless, ours })
}

/// As Qlik makes a tenant: one hostname, and its label for a name.
fn is_untouched(tenant: &OrgTenant) -> bool {
    let label = tenant.hostnames.first().and_then(|host| host.as_str().split('.').next());
    tenant.hostnames.len() == 1 && label == Some(tenant.name.as_str())
}

/// Created tenants may carry a date a little before the announcement, by the difference of two clocks.
const BEFORE: SignedDuration = SignedDuration::from_secs(60);
/// The holder acts within a minute and waits half a minute for the answer.
const AFTER: SignedDuration = SignedDuration::from_secs(180);

/// Whether another object announced a creation at about the same time and has no tenant yet.
fn lost_then(other: &Lean<QlikTenant>, window: (Timestamp, Timestamp)) -> bool {
    let bound = ownership::held(other).is_some();
    let annotation = other.annotations().get(crate::crd::INTENT).map(String::as_str);
    let intent = IntentSeen::read(annotation, |_| crate::plan::intent::Call::Unknown);
    let from = window.0.checked_sub(AFTER).unwrap_or(Timestamp::MIN);
    let near = |at: Timestamp| at >= from && at <= window.1;
    !bound && intent.of(IntentStep::Create).is_some_and(|intent| near(intent.at))
}

/// Whether a record of this object waits for its outcome, by the cache: reason enough to read the records themselves.
/// The status may not name it, when the decision was taken back between the record and the call.
pub(super) fn has_open_record(tenant: &QlikTenant, cx: &Context) -> bool {
    let uid = tenant.uid().unwrap_or_default();
    let open = |record: &QlikOffboarding| {
        record.spec.tenant.uid == uid
            && record.spec.trigger != Trigger::Release
            && State::of(&record.spec, record.status.as_ref()).phase == OffboardingPhase::Requested
    };
    let may_be_open = |record: &Lean<QlikOffboarding>| match record.read() {
        Ok(record) => open(record),
        Err(remains) => remains.recorded_uid.as_deref() == Some(uid.as_str()),
    };
    cx.caches.offboardings.iter().any(|store| store.find(may_be_open).is_some())
}

/// A sight of an object that only has to be let go.
pub(super) fn nothing_to_decide(seen: crate::plan::tenant::Seen) -> Sight {
    Sight { want: None, seen, credentials: None, license: None }
}
