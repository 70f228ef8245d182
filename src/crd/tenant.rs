//! `QlikTenant`: one Qlik Cloud tenant.

use super::Phase;
use super::drift::Drift;
use super::names::{ExactTime, LocalSecretRef, SecretKeyRef};
use super::offboarding::Evidence;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One Qlik Cloud tenant: created or adopted, kept as declared, and off-boarded when the manifest says so.
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "qlik-operator.dev",
    version = "v1alpha1",
    kind = "QlikTenant",
    plural = "qliktenants",
    singular = "qliktenant",
    shortname = "qt",
    category = "qlik",
    namespaced,
    cel,
    status = "QlikTenantStatus",
    derive = "PartialEq",
    doc = "One Qlik Cloud tenant: created or adopted, kept as declared, and off-boarded when the manifest says so. Deleting this object leaves the tenant alone unless spec.offboarding says otherwise.",
    selectable = ".status.tenantId",
    selectable = ".spec.adopt.tenantId",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Hostname", type_ = "string", json_path = ".status.hostname"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region"),
    printcolumn(name = "Purge-At", type_ = "string", json_path = ".status.purge.purgeAt"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.license) || has(self.adopt)")
        .message("spec.license is missing: write license.keyRef (a Secret with the signed license key) or license.fromTenant (a tenant whose license to use), or adopt an existing tenant with spec.adopt"),
    validation = Rule::new("!has(self.lifecycle) || self.lifecycle != 'Deactivated' || (has(self.offboarding) && has(self.offboarding.confirmHostname))")
        .message("lifecycle: Deactivated needs offboarding.confirmHostname: write the hostname of the tenant that is to be deactivated (see status.hostname)"),
    validation = Rule::new("!has(oldSelf.adopt) || !has(self.adopt) || self.adopt.tenantId == oldSelf.adopt.tenantId")
        .message("spec.adopt cannot be changed to another tenant: delete this object (its tenant is kept) and create a new one that adopts the other"),
)]
pub struct QlikTenantSpec {
    /// Qlik Cloud region of the tenant. It cannot be changed: Qlik cannot move a tenant between regions.
    #[x_kube(validation = Rule::new("self == oldSelf").message("spec.region cannot be changed, a tenant stays in its region: create another QlikTenant for the new region"))]
    pub region: RegionCode,

    /// Secret with the keys `clientId` and `clientSecret` of the regional OAuth client. Without it the operator's
    /// default credentials for the region are used, where its settings allow them to this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<LocalSecretRef>,

    /// Where the license key of a new tenant comes from. Only read while creating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<License>,

    /// Take over an existing tenant instead of creating one. Both values must match what Qlik Cloud says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<Adopt>,

    /// What to do when `alias` belongs to a tenant already that these credentials manage: `Hold` (default) shows it and
    /// waits for `adopt`; `Adopt` takes it over, which is how a cluster is built anew from Git. `Adopt` needs a
    /// `credentialsRef`, or a namespace that the operator's setting `--adoption-namespaces` names.
    #[serde(default)]
    pub on_existing: OnExisting,

    /// Name shown in the tenant. Left alone when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub display_name: Option<String>,

    /// First label of the tenant's second hostname, for instance `acme` for acme.eu.qlikcloud.com. Left alone when
    /// absent: Qlik has no way to remove an alias through its API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("spec.alias is the first label of the hostname only: lower-case letters, digits and inner dashes, for instance acme and not acme.eu.qlikcloud.com"))]
    pub alias: Option<String>,

    /// Switches of the tenant. Each is left alone when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<TenantSettings>,

    /// `Active` (default) or `Deactivated`: the reversible way to off-board, an update that Git can revert. A
    /// deactivated tenant is purged for ever after `offboarding.purgeAfterDays`.
    #[serde(default)]
    pub lifecycle: Lifecycle,

    /// What happens when the tenant is off-boarded or this object is deleted. The defaults never touch Qlik.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offboarding: Option<TenantOffboarding>,

    /// Stop acting on this object, deletion included, until it is set back.
    #[serde(default)]
    pub suspend: bool,

    /// How often the tenant is compared with this object, as a duration such as `30m` or `1h30m`; from `1m` to `24h`.
    #[serde(default = "default_interval")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]{1,5}(h|m|s))+$')").message("spec.interval is a duration made of hours, minutes and seconds, for instance 30m or 1h30m"),
        validation = Rule::new("!self.matches('^([0-9]{1,5}(h|m|s))+$') || (duration(self) >= duration('1m') && duration(self) <= duration('24h'))").message("spec.interval must be between 1m and 24h"),
    )]
    pub interval: String,
}

fn default_interval() -> String {
    "30m".to_owned()
}

/// Region codes of Qlik Cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the codes are Qlik's own words")]
pub enum RegionCode {
    Us,
    Eu,
    De,
    Uk,
    Se,
    Jp,
    Ap,
    Sg,
    In,
    Ae,
    Br,
    Fr,
    Il,
}

/// Where the license key comes from: exactly one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.keyRef) != has(self.fromTenant)").message("spec.license takes exactly one of the two: keyRef (a Secret with the signed license key) or fromTenant (the hostname of a tenant whose license to use)"))]
pub struct License {
    /// Secret and key with the signed license key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_ref: Option<SecretKeyRef>,
    /// Hostname of a tenant of the same region and subscription, whose license the new tenant shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?([.][a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)+$')").message("spec.license.fromTenant is a bare hostname, for instance acme.eu.qlikcloud.com, without https:// and without a path"))]
    pub from_tenant: Option<String>,
}

/// An existing tenant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Adopt {
    /// Id of the tenant, as `GET /api/v1/tenants/me` gives it.
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_-]{1,64}$')").message("spec.adopt.tenantId is the tenant's id, letters, digits, dashes and underscores as GET /api/v1/tenants/me shows it, not a hostname"))]
    #[schemars(length(max = 128))]
    pub tenant_id: String,
    /// One of the tenant's hostnames.
    #[x_kube(validation = Rule::new("self.matches('^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?([.][a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)+$')").message("spec.adopt.hostname is a bare hostname, for instance acme.eu.qlikcloud.com, without https:// and without a path"))]
    #[schemars(length(max = 253))]
    pub hostname: String,
}

/// What to do with a tenant that has the alias already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum OnExisting {
    /// Show it, and wait for a human.
    #[default]
    Hold,
    /// Take it over.
    Adopt,
}

/// Switches that `PATCH /api/v1/tenants/{id}` offers. Absent ones are left as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantSettings {
    /// Give the role that creates shared spaces to every professional user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_assign_create_shared_spaces_role_to_professionals: Option<bool>,
    /// Give the role that creates private analytics content to every professional user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_assign_private_analytics_content_creator_role_to_professionals: Option<bool>,
    /// Give the role that contributes to data services to every professional user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_assign_data_services_contributor_role_to_professionals: Option<bool>,
    /// Analytics creation. Deprecated by Qlik, which removes it in March 2027.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_analytic_creation: Option<bool>,
    /// Ask users for feedback on how apps open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_app_opening_feedback: Option<bool>,
}

/// Whether the tenant is meant to be in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Lifecycle {
    /// In use.
    #[default]
    Active,
    /// Deactivated, and purged by Qlik when its window ends.
    Deactivated,
}

/// What off-boarding means for this tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.onDelete) || self.onDelete != 'Deactivate' || has(self.confirmHostname)").message("offboarding.onDelete: Deactivate needs offboarding.confirmHostname: write the hostname of the tenant that a deletion may deactivate (see status.hostname), or use onDelete: Retain"))]
pub struct TenantOffboarding {
    /// Days between deactivation and purge, 10 to 90. A change after the deactivation changes nothing in Qlik.
    #[serde(default = "default_purge_days")]
    #[schemars(range(min = 10, max = 90))]
    pub purge_after_days: i32,
    /// A hostname of the tenant, written by hand. Nothing is ever deactivated unless it matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?([.][a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)+$')").message("offboarding.confirmHostname is a bare hostname of the tenant, for instance acme.eu.qlikcloud.com, without https:// and without a path"))]
    #[schemars(length(max = 253))]
    pub confirm_hostname: Option<String>,
    /// What deleting this object does: `Retain` (default) leaves the tenant alone; `Deactivate` deactivates it.
    #[serde(default)]
    pub on_delete: OnDelete,
    /// When a deleted object may go: once Qlik confirmed the purge date (`Scheduled`, default), or only once the
    /// tenant is purged (`Purged`).
    #[serde(default)]
    pub release: ReleasePolicy,
    /// Secrets to erase when the tenant is off-boarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erase_secrets: Option<EraseSecrets>,
}

fn default_purge_days() -> i32 {
    30
}

/// What deleting a `QlikTenant` does to the tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum OnDelete {
    /// Leave the tenant alone.
    #[default]
    Retain,
    /// Deactivate it, once `confirmHostname` matches.
    Deactivate,
}

/// When a deleted object may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ReleasePolicy {
    /// Once Qlik confirmed the purge date.
    #[default]
    Scheduled,
    /// Once the tenant is purged.
    Purged,
}

/// Which Secrets go when the tenant is off-boarded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EraseSecrets {
    /// Every Secret that this tenant's objects refer to, except those that objects of another live tenant use.
    #[serde(default)]
    pub referenced: bool,
    /// Further Secrets of this namespace, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 253)))]
    #[x_kube(
        validation = Rule::new("self.all(x, x.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$'))").message("offboarding.eraseSecrets.names takes names of Secrets in the same namespace: lower-case letters, digits, inner dashes and dots, no namespace and no wildcard"),
        validation = Rule::new("self.all(x, self.exists_one(y, x == y))").message("offboarding.eraseSecrets.names has the same name twice: remove one"),
    )]
    pub names: Vec<String>,
}

/// What the operator knows of the tenant.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct QlikTenantStatus {
    /// Id of the tenant in Qlik Cloud.
    pub tenant_id: Option<String>,
    /// The hostname to use: the alias where there is one, else the one that Qlik generated.
    pub hostname: Option<String>,
    /// All hostnames; the first was generated by Qlik and never changes.
    #[serde(default)]
    pub hostnames: Vec<String>,
    /// Region of the tenant.
    pub region: Option<String>,
    /// Whether this object created or adopted the tenant.
    pub origin: Option<Origin>,
    /// Names a creation whose answer was lost. It is not given up with the annotation that announced it, which a
    /// `kubectl replace` takes away: without either the object would be taken for a new one.
    pub pending_creation: Option<String>,
    /// Since when this object holds the tenant; where two objects claim one tenant, the older claim wins.
    pub bound_at: Option<Time>,
    /// Where the tenant stands.
    #[serde(default)]
    pub phase: Phase,
    /// The coming or past purge.
    pub purge: Option<Purge>,
    /// Which credentials are used: `Secret/NAME`, or `Default/REGION` for the operator's own.
    pub credentials_source: Option<String>,
    /// Name of the `QlikOffboarding` that records the current deactivation.
    pub offboarding: Option<String>,
    /// The generation that this status speaks of.
    pub observed_generation: Option<i64>,
    /// The last value of the annotation `qlik-operator.dev/requested-at` that was acted on.
    pub last_handled_reconcile_at: Option<String>,
    /// The annotation `qlik-operator.dev/reactivate` that was used, or found with nothing to bring back. It counts once:
    /// for another time take it away and set it again.
    pub last_handled_reactivate: Option<String>,
    /// What was last changed outside and written back, while the same comes again.
    pub drift: Option<Drift>,
    /// Fields that were written and that Qlik Cloud does not show, by their names in its API. They are not compared.
    #[serde(default)]
    pub not_compared: Vec<String>,
    /// What is true of the tenant now.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// How an object came by its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Origin {
    /// Created by this object.
    Created,
    /// Existed before.
    Adopted,
}

/// Who deactivated a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Deactivator {
    /// This operator, for this object.
    Operator,
    /// Somebody else.
    Other,
}

/// A deactivation and the purge that follows from it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Purge {
    /// When the tenant was deactivated, as far as known.
    pub deactivated_at: Option<Time>,
    /// When Qlik purges the tenant, as Qlik gave it.
    pub purge_at: Option<ExactTime>,
    /// The window that was asked for, in days.
    pub purge_after_days: Option<i32>,
    /// Who deactivated the tenant.
    pub by: Deactivator,
    /// How sure the date is.
    pub evidence: Option<Evidence>,
}
