//! `QlikIdentityProvider`: one way in which people or programs get into a tenant.

use super::child::default_interval;
use super::drift::Drift;
use super::identity_protocols::{JwtProvider, OidcProvider, SamlProvider};
use super::{ChildTenant, DeletionPolicy, IssuedSecret, TenantRef};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an identity provider should be. Limits are those of <https://qlik.dev/apis/rest/identity-providers/>.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "qlik-operator.dev",
    version = "v1alpha1",
    kind = "QlikIdentityProvider",
    plural = "qlikidentityproviders",
    singular = "qlikidentityprovider",
    shortname = "qidp",
    category = "qlik",
    namespaced,
    cel,
    status = "QlikIdentityProviderStatus",
    derive = "PartialEq",
    doc = "An identity provider of a Qlik Cloud tenant, kept as declared: OIDC, SAML, or JWT with a key pair that the operator makes and replaces without a gap. What Qlik Cloud cannot change is replaced, and the former one goes on working until the new one does.",
    selectable = ".spec.tenantRef.name",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Tenant", type_ = "string", json_path = ".spec.tenantRef.name"),
    printcolumn(name = "Protocol", type_ = "string", json_path = ".status.protocol"),
    printcolumn(name = "Provider/Issuer", type_ = "string", json_path = ".status.provider"),
    printcolumn(name = "Active", type_ = "boolean", json_path = ".status.active"),
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
    validation = Rule::new("[has(self.oidc), has(self.saml), has(self.jwt)].filter(x, x).size() == 1")
        .message("write exactly one of the three: spec.oidc (OpenID Connect), spec.saml, or spec.jwt (signed tokens, for embedding)"),
    validation = Rule::new("has(self.oidc) == has(oldSelf.oidc) && has(self.saml) == has(oldSelf.saml)")
        .message("the protocol cannot be changed, it is another way to log in: create another QlikIdentityProvider, then delete this one"),
    validation = Rule::new("!has(self.jwt) || !has(self.active) || self.active")
        .message("Qlik Cloud cannot deactivate a JWT provider: delete this object instead of writing active: false"),
    validation = Rule::new("!has(self.jwt) || !has(self.verification) || self.verification == 'Skip'")
        .message("a JWT provider logs nobody in through a browser: leave verification out"),
    validation = Rule::new("!has(self.oidc) || !has(self.oidc.interactive) || self.oidc.interactive || !has(self.verification) || self.verification == 'Skip'")
        .message("a machine provider (oidc.interactive: false) has no login that a human could try: leave verification out"),
    validation = Rule::new("!has(self.jwt) || (!has(self.createNewUsersOnLogin) && !has(self.postLogoutRedirectUri))")
        .message("createNewUsersOnLogin and postLogoutRedirectUri are for logins in a browser: leave them out beside spec.jwt"),
)]
pub struct QlikIdentityProviderSpec {
    /// The tenant that the provider belongs to.
    #[x_kube(validation = Rule::new("self == oldSelf").message("spec.tenantRef cannot be changed, a provider belongs to one tenant: create another QlikIdentityProvider for the other tenant"))]
    pub tenant_ref: TenantRef,
    /// `OpenID` Connect: people who log in, or programs that bring a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcProvider>,
    /// SAML: people who log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saml: Option<SamlProvider>,
    /// Tokens that an app signs for its users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtProvider>,
    /// Whether it is in use. Of a tenant's providers for people one is, and then stands in place of the login with a
    /// Qlik Account.
    #[serde(default = "yes")]
    pub active: bool,
    /// Text for people. The operator's mark is put behind it in Qlik Cloud, which keeps 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 96))]
    #[x_kube(validation = Rule::new("!self.contains('[qo:')").message("spec.description must not contain [qo:, which begins the operator's own mark"))]
    pub description: Option<String>,
    /// How far the provider's clock may be off, in seconds. Qlik's own default is 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 7200))]
    pub clock_tolerance_sec: Option<i32>,
    /// Whether people who log in for the first time become users. Qlik's own default is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_new_users_on_login: Option<bool>,
    /// Where people go after they log out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2083))]
    #[x_kube(validation = Rule::new("self.matches('^https://[^ \\t\\n\\r]+$')").message("postLogoutRedirectUri is an https address, for instance https://www.example.com/bye"))]
    pub post_logout_redirect_uri: Option<String>,
    /// Whether a human tries the login before it is used: `Skip` (default) or `Browser`.
    #[serde(default)]
    pub verification: Verification,
    /// What deleting this object does to the provider: `Delete` (default) or `Orphan`.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// Stop acting on this object, deletion included, until it is set back.
    #[serde(default)]
    pub suspend: bool,
    /// How often the provider is compared with this object, as a duration such as `30m`; from `1m` to `24h`.
    #[serde(default = "default_interval")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]{1,5}(h|m|s))+$')").message("spec.interval is a duration made of hours, minutes and seconds, for instance 30m or 1h30m"),
        validation = Rule::new("!self.matches('^([0-9]{1,5}(h|m|s))+$') || (duration(self) >= duration('1m') && duration(self) <= duration('24h'))").message("spec.interval must be between 1m and 24h"),
    )]
    pub interval: String,
}

pub(super) fn yes() -> bool {
    true
}

/// Whether a human tries a login before Qlik Cloud uses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Verification {
    /// No: it is used at once.
    #[default]
    Skip,
    /// Yes: it is used once Qlik Cloud says that the login worked. The status says where to try it.
    Browser,
}

/// What the operator knows of the provider.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct QlikIdentityProviderStatus {
    /// The tenant that the provider is in.
    pub tenant: Option<ChildTenant>,
    /// `OIDC`, `SAML` or `JWT`.
    pub protocol: Option<String>,
    /// Whose product it is, or the issuer of the tokens.
    pub provider: Option<String>,
    /// The provider's id in Qlik Cloud.
    pub provider_id: Option<String>,
    /// The id of the key that it was made with, for one that takes signed tokens.
    pub key_id: Option<String>,
    /// Whether it is in use, as last seen.
    pub active: Option<bool>,
    /// The provider that is about to take over, because Qlik Cloud cannot change the present one.
    pub successor: Option<SuccessorProvider>,
    /// Former providers of this object that still work.
    #[serde(default)]
    pub retiring: Vec<RetiringProvider>,
    /// The trial of a login by a human.
    pub verification: Option<VerificationStatus>,
    /// Where administrators log in with a Qlik Account when the provider does not let them in.
    pub recovery_address: Option<String>,
    /// The Secret that carries what an app needs to sign tokens.
    pub secret_name: Option<String>,
    /// Keys that the operator made, the one in use first.
    #[serde(default)]
    pub keys: Vec<IssuedSecret>,
    /// When the key is replaced next.
    pub next_rotation_at: Option<Time>,
    /// Stands for what was written to Qlik Cloud, secrets included; it cannot be read back.
    pub fingerprint: Option<String>,
    /// What was last changed outside and written back, while the same comes again.
    pub drift: Option<Drift>,
    /// Fields that Qlik Cloud does not show, or shows otherwise than they were written, by their names in its API. They are
    /// not compared.
    #[serde(default)]
    pub not_compared: Vec<String>,
    /// Names the last announced creation whose outcome stands in this status.
    pub settled_intent: Option<String>,
    /// The generation that this status speaks of.
    pub observed_generation: Option<i64>,
    /// The last value of the annotation `qlik-operator.dev/requested-at` that was acted on.
    pub last_handled_reconcile_at: Option<String>,
    /// The last value of the annotation `qlik-operator.dev/rotate-at` that was acted on.
    pub last_handled_rotate_at: Option<String>,
    /// What is true of the provider now.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// A provider that is about to take over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuccessorProvider {
    /// Its id in Qlik Cloud.
    pub id: String,
    /// Stands for what was written to Qlik Cloud, secrets included.
    pub fingerprint: Option<String>,
    /// The id of the key that it was made with, for one that takes signed tokens.
    pub key_id: Option<String>,
}

/// A former provider that still works.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetiringProvider {
    /// Its id in Qlik Cloud.
    pub id: String,
    /// When it is deleted.
    pub retires_at: Time,
    /// The id of its key, for one that takes signed tokens.
    pub key_id: Option<String>,
}

/// Where the trial of a login stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum VerificationState {
    /// Nobody has tried the login yet.
    Pending,
    /// The login was tried and failed.
    Failed,
}

/// The trial of a login by a human.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerificationStatus {
    /// Where it stands.
    pub state: VerificationState,
    /// The page that a tenant administrator has to open.
    pub page: String,
    /// The provider's id in Qlik Cloud.
    pub provider_id: String,
    /// What Qlik Cloud answered to the last trial.
    pub answer: Option<String>,
    /// The version of the options that are to be tried, as Qlik Cloud names it.
    pub version: Option<String>,
    /// Stands for these options, secrets included.
    pub fingerprint: Option<String>,
}
