//! `QlikOAuthClient`: one OAuth client of a tenant, and the Secret through which an app gets it.

use super::child::default_interval;
use super::drift::Drift;
use super::{ChildTenant, DeletionPolicy, IssuedSecret, KeyAlgorithm, PublicKeyRef, Rotation, SecretTarget, TenantRef};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an OAuth client should be. Limits are those of
/// <https://qlik.dev/apis/rest/oauth-clients/>.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "qlik-operator.dev",
    version = "v1alpha1",
    kind = "QlikOAuthClient",
    plural = "qlikoauthclients",
    singular = "qlikoauthclient",
    shortname = "qoc",
    category = "qlik",
    namespaced,
    cel,
    status = "QlikOAuthClientStatus",
    derive = "PartialEq",
    doc = "An OAuth client of a Qlik Cloud tenant, kept as declared. Its generated secret or key is written to a Secret for the app, and replaced without a gap when its time has come.",
    selectable = ".spec.tenantRef.name",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Tenant", type_ = "string", json_path = ".spec.tenantRef.name"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.appType"),
    printcolumn(name = "Client-Id", type_ = "string", json_path = ".status.clientId"),
    printcolumn(name = "Secret", type_ = "string", json_path = ".status.secretName"),
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
    validation = Rule::new("self.appType != 'web' || (has(self.auth) && (has(self.auth.clientSecret) || has(self.auth.privateKeyJwt)))")
        .message("a web client authenticates: write auth.clientSecret (a generated secret, written to a Secret) or auth.privateKeyJwt (a key pair)"),
    validation = Rule::new("self.appType == 'web' || !has(self.auth) || has(self.auth.none)")
        .message("spa, native and anonymous-embed clients are public and keep no secret: leave spec.auth out, or write auth.none.secret to get the client id in a Secret; a server-side app uses appType: web"),
    validation = Rule::new("self.appType != 'web' || !has(self.auth) || !has(self.auth.none)")
        .message("auth.none is for public clients (spa, native, anonymous-embed): a web client writes auth.clientSecret or auth.privateKeyJwt"),
    validation = Rule::new("self.appType == 'web' || !has(self.grantTypes) || size(self.grantTypes) == 0")
        .message("grantTypes are for appType: web only: leave them out, or make a web client for machine-to-machine use"),
    validation = Rule::new("self.appType != 'spa' || ((has(self.redirectUris) && size(self.redirectUris) > 0) && (has(self.allowedOrigins) && size(self.allowedOrigins) > 0))")
        .message("a spa client needs redirectUris (where Qlik sends users back to) and allowedOrigins (where the page is served from), for instance https://app.example.com/callback and https://app.example.com"),
    validation = Rule::new("self.appType != 'native' || (has(self.redirectUris) && size(self.redirectUris) > 0)")
        .message("a native client needs redirectUris, for instance http://localhost:8765/callback or com.example.app:/callback"),
    validation = Rule::new("self.appType != 'anonymous-embed' || !has(self.redirectUris) || size(self.redirectUris) == 0")
        .message("an anonymous-embed client logs nobody in: leave redirectUris out, and write allowedOrigins"),
    validation = Rule::new("self.appType != 'anonymous-embed' || (has(self.allowedOrigins) && size(self.allowedOrigins) > 0)")
        .message("an anonymous-embed client needs allowedOrigins: the origins of the pages that embed Qlik, for instance https://www.example.com"),
    validation = Rule::new("self.appType != 'native' || !has(self.allowedOrigins) || size(self.allowedOrigins) == 0")
        .message("allowedOrigins are for pages in a browser: leave them out of a native client"),
    validation = Rule::new("self.appType != 'web' || (has(self.grantTypes) && size(self.grantTypes) > 0) || (has(self.redirectUris) && size(self.redirectUris) > 0)")
        .message("a web client needs a way in: redirectUris for users who log in, or grantTypes: [client_credentials] for machine-to-machine use"),
    validation = Rule::new("!has(self.grantTypes) || size(self.grantTypes) == 0 || (has(self.consent) && self.consent == 'Trusted')")
        .message("a machine-to-machine client has nobody to ask for consent, Qlik refuses it tokens otherwise: write consent: Trusted"),
    validation = Rule::new("!has(self.grantTypes) || !self.grantTypes.exists(g, g == 'urn:qlik:oauth:user-impersonation') || !has(self.scopes) || !self.scopes.exists(s, s == 'admin_classic' || s.startsWith('admin.'))")
        .message("an impersonation client never gets admin scopes (it acts as any user): keep user_default here and make a second client for administration"),
    validation = Rule::new("!has(self.grantTypes) || !self.grantTypes.exists(g, g == 'urn:qlik:oauth:user-impersonation') || (has(self.auth) && has(self.auth.clientSecret))")
        .message("user impersonation authenticates with a client secret: write auth.clientSecret"),
    validation = Rule::new("!has(oldSelf.auth) || (has(self.auth) && has(self.auth.clientSecret) == has(oldSelf.auth.clientSecret) && has(self.auth.privateKeyJwt) == has(oldSelf.auth.privateKeyJwt))")
        .message("how a client authenticates cannot be changed, apps would be locked out: create another QlikOAuthClient, switch the app over, then delete this one"),
)]
pub struct QlikOAuthClientSpec {
    /// The tenant that the client belongs to.
    #[x_kube(validation = Rule::new("self == oldSelf").message("spec.tenantRef cannot be changed, a client belongs to one tenant: create another QlikOAuthClient for the other tenant"))]
    pub tenant_ref: TenantRef,
    /// Kind of app; it cannot be changed.
    #[x_kube(validation = Rule::new("self == oldSelf").message("spec.appType cannot be changed in Qlik Cloud: create another QlikOAuthClient"))]
    pub app_type: AppType,
    /// Name shown in the tenant.
    #[schemars(length(min = 1, max = 512))]
    pub client_name: String,
    /// Text for people. The operator's mark is put behind it in Qlik Cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4000))]
    #[x_kube(validation = Rule::new("!self.contains('[qo:')").message("spec.description must not contain [qo:, which begins the operator's own mark"))]
    pub description: Option<String>,
    /// Page of the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^https?://[^ \\t\\n\\r]+$')").message("clientUri is the address of a page, for instance https://app.example.com"))]
    pub client_uri: Option<String>,
    /// Picture of the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^https://[^ \\t\\n\\r]+$')").message("logoUri is the https address of a picture, for instance https://app.example.com/logo.png"))]
    pub logo_uri: Option<String>,
    /// What the client may do; no more than the app needs. An empty list allows nothing beyond logging in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 256)))]
    #[x_kube(
        validation = Rule::new("self.all(s, s.matches('^[a-z][A-Za-z0-9._:-]*$'))").message("a scope is one of Qlik's scope names, for instance user_default or apps:read: no blanks, and each scope is an item of its own"),
        validation = Rule::new("self.all(s, self.exists_one(t, s == t))").message("spec.scopes has the same scope twice: remove one"),
        validation = Rule::new("self.all(s, !s.startsWith('tenants:') && !s.startsWith('cloud-console.'))").message("tenants:… and cloud-console.… are scopes of regional and organization clients, no client of a tenant can have them: remove them"),
    )]
    pub scopes: Vec<String>,
    /// Machine-to-machine grants of a web client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    #[x_kube(validation = Rule::new("self.all(g, self.exists_one(h, g == h))").message("spec.grantTypes has the same grant twice: remove one"))]
    pub grant_types: Vec<GrantType>,
    /// Where Qlik sends users back to, at most five.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 256)))]
    #[x_kube(
        validation = Rule::new("size(self) <= 5").message("Qlik keeps at most five redirectUris of a client: remove some, or make a second client"),
        validation = Rule::new("self.all(u, u.matches('^[a-zA-Z][-+.a-zA-Z0-9]*:[^ \\t\\n\\r#]+$') && (!u.matches('^(?i)https?:') || u.matches('^(?i)https?://[^/]')))").message("a redirect URI is absolute and has neither blanks nor a fragment (#), for instance https://app.example.com/callback"),
        validation = Rule::new("self.all(u, !u.matches('^(?i)http:') || u.matches('^http://(localhost|127[.]0[.]0[.]1|\\\\[::1\\\\])(:[0-9]+)?([/?].*)?$'))").message("a redirect URI uses https: over http a login code can be read on the way; http is for localhost only"),
        validation = Rule::new("self.all(u, !u.matches('^(?i)(javascript|vbscript|data|blob|file|about):'))").message("a redirect URI is a page or an app, not a script or a file: begin it with https://, or with a scheme of your app, for instance com.example.app:/callback"),
        validation = Rule::new("self.all(u, !u.contains('*'))").message("a redirect URI has no wildcard: write each address in full"),
        validation = Rule::new("self.all(u, self.exists_one(v, u == v))").message("spec.redirectUris has the same address twice: remove one"),
    )]
    pub redirect_uris: Vec<String>,
    /// Origins whose pages may use the client, at most five.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 256)))]
    #[x_kube(
        validation = Rule::new("size(self) <= 5").message("Qlik keeps at most five allowedOrigins of a client: remove some, or make a second client"),
        validation = Rule::new("self.all(o, !o.contains('*'))").message("an allowed origin has no wildcard: anybody could serve a page below it. Write each origin in full, for instance https://app.example.com"),
        validation = Rule::new("self.all(o, o.contains('*') || o.matches('^https://[-.a-z0-9]+(:[0-9]+)?$') || o.matches('^http://(localhost|127[.]0[.]0[.]1)(:[0-9]+)?$'))").message("an allowed origin is scheme and host only, in lower case, with https (http for localhost only), for instance https://app.example.com, without a path or a slash at the end"),
        validation = Rule::new("self.all(o, self.exists_one(p, o == p))").message("spec.allowedOrigins has the same origin twice: remove one"),
    )]
    pub allowed_origins: Vec<String>,
    /// Whether users are asked for consent.
    #[serde(default)]
    pub consent: Consent,
    /// Let every tenant of the region use the client. Qlik Cloud cannot take that back.
    #[serde(default)]
    #[x_kube(validation = Rule::new("!oldSelf || self").message("spec.publish cannot be taken back in Qlik Cloud: create another QlikOAuthClient and delete this one"))]
    pub publish: bool,
    /// How the client authenticates, and the Secret that the app reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<ClientAuth>,
    /// What deleting this object does to the client: `Delete` (default) or `Orphan`.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// Stop acting on this object, deletion included, until it is set back.
    #[serde(default)]
    pub suspend: bool,
    /// How often the client is compared with this object, as a duration such as `30m`; from `1m` to `24h`.
    #[serde(default = "default_interval")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]{1,5}(h|m|s))+$')").message("spec.interval is a duration made of hours, minutes and seconds, for instance 30m or 1h30m"),
        validation = Rule::new("!self.matches('^([0-9]{1,5}(h|m|s))+$') || (duration(self) >= duration('1m') && duration(self) <= duration('24h'))").message("spec.interval must be between 1m and 24h"),
    )]
    pub interval: String,
}

/// Kinds of apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AppType {
    /// An app with a server that can keep a secret; also machine-to-machine.
    Web,
    /// An app on a device.
    Native,
    /// A page that runs in the browser alone.
    Spa,
    /// Pages that embed Qlik for people who do not log in; only in region se.
    AnonymousEmbed,
}

impl AppType {
    /// The word in Qlik's API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Native => "native",
            Self::Spa => "spa",
            Self::AnonymousEmbed => "anonymous-embed",
        }
    }
}

/// Grants of machine-to-machine clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum GrantType {
    /// The client acts as itself.
    #[serde(rename = "client_credentials")]
    ClientCredentials,
    /// The client acts as a user of the tenant.
    #[serde(rename = "urn:qlik:oauth:user-impersonation")]
    UserImpersonation,
}

impl GrantType {
    /// The word in Qlik's API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::UserImpersonation => "urn:qlik:oauth:user-impersonation",
        }
    }
}

/// Whether users are asked for consent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Consent {
    /// Users are asked.
    #[default]
    Required,
    /// The client is trusted; nobody is asked.
    Trusted,
}

/// How a client authenticates: exactly one of the three.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.clientSecret), has(self.privateKeyJwt), has(self.none)].filter(x, x).size() == 1").message("spec.auth takes exactly one of the three: clientSecret (a generated secret), privateKeyJwt (a key pair), or none (a public client)"))]
pub struct ClientAuth {
    /// A secret that Qlik Cloud generates (`client_secret`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<ClientSecretAuth>,
    /// A signed assertion (`private_key_jwt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key_jwt: Option<PrivateKeyJwtAuth>,
    /// Nothing: a public client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none: Option<PublicClient>,
}

/// A generated client secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientSecretAuth {
    /// The Secret to write. Default keys: `host`, `clientId`, `clientSecret`, `previousClientSecret`, `tokenUrl`. Names for
    /// `template`: `tenantUrl`, `hostname`, `clientId`, `clientSecret`, `previousClientSecret`, `tokenUrl`, `scopes`.
    #[x_kube(
        validation = Rule::new("!has(self.template) || self.template.all(k, self.template[k].matches('^([^$]|[$][$]|[$][{](tenantUrl|hostname|clientId|clientSecret|previousClientSecret|tokenUrl|scopes)[}])*$'))").message("secret.template knows ${tenantUrl}, ${hostname}, ${clientId}, ${clientSecret}, ${previousClientSecret}, ${tokenUrl} and ${scopes}; a dollar sign of your own is written $$"),
        validation = Rule::new("!has(self.template) || self.template.exists(k, self.template[k] == '${clientSecret}')").message("secret.template needs one key whose whole text is ${clientSecret}, for instance clientSecret: ${clientSecret}"),
    )]
    pub secret: SecretTarget,
    /// When the secret is replaced. Without it only on request (annotation `qlik-operator.dev/rotate-at`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// A key pair: exactly one of a given public key and a generated pair.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.publicKeyRef) != has(self.generate)").message("auth.privateKeyJwt takes exactly one of the two: publicKeyRef (a public key of your own) or generate (a key pair made here)"),
    validation = Rule::new("has(self.generate) == has(oldSelf.generate)").message("a generated key pair cannot be exchanged for a given one: create another QlikOAuthClient, switch the app over, then delete this one"),
)]
pub struct PrivateKeyJwtAuth {
    /// A public key of your own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_ref: Option<PublicKeyRef>,
    /// A key pair that the operator makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<GeneratedKey>,
}

/// A key pair that the operator makes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GeneratedKey {
    /// Algorithm of the signatures.
    #[serde(default)]
    pub algorithm: KeyAlgorithm,
    /// The Secret to write. Default keys: `host`, `clientId`, `privateKey`, `keyId`, `algorithm`, `tokenUrl`. Names for
    /// `template`: these (`tenantUrl` for `host`) and `hostname`, `scopes`.
    #[x_kube(
        validation = Rule::new("!has(self.template) || self.template.all(k, self.template[k].matches('^([^$]|[$][$]|[$][{](tenantUrl|hostname|clientId|privateKey|keyId|algorithm|tokenUrl|scopes)[}])*$'))").message("secret.template knows ${tenantUrl}, ${hostname}, ${clientId}, ${privateKey}, ${keyId}, ${algorithm}, ${tokenUrl} and ${scopes}; a dollar sign of your own is written $$"),
        validation = Rule::new("!has(self.template) || self.template.exists(k, self.template[k] == '${privateKey}')").message("secret.template needs one key whose whole text is ${privateKey}, for instance privateKey: ${privateKey}"),
    )]
    pub secret: SecretTarget,
    /// When the key is replaced. Without it only on request (annotation `qlik-operator.dev/rotate-at`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// A client without a secret, whose id is written to a Secret all the same.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicClient {
    /// The Secret to write. Default keys: `host`, `clientId`, `tokenUrl`. Names for `template`: `tenantUrl`, `hostname`,
    /// `clientId`, `tokenUrl`, `scopes`.
    #[x_kube(validation = Rule::new("!has(self.template) || self.template.all(k, self.template[k].matches('^([^$]|[$][$]|[$][{](tenantUrl|hostname|clientId|tokenUrl|scopes)[}])*$'))").message("secret.template of a public client knows ${tenantUrl}, ${hostname}, ${clientId}, ${tokenUrl} and ${scopes}; a dollar sign of your own is written $$"))]
    pub secret: SecretTarget,
}

/// What the operator knows of the client.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct QlikOAuthClientStatus {
    /// The tenant that the client is in.
    pub tenant: Option<ChildTenant>,
    /// The client's id.
    pub client_id: Option<String>,
    /// The Secret that carries what the app needs.
    pub secret_name: Option<String>,
    /// Secrets or keys of the client that the operator made, the one in use first.
    #[serde(default)]
    pub issued: Vec<IssuedSecret>,
    /// How many secrets of the client others made. They are left alone and take up some of the five that Qlik keeps.
    pub foreign_secrets: Option<i32>,
    /// When the secret or key is replaced next.
    pub next_rotation_at: Option<Time>,
    /// Since when every tenant of the region may use the client.
    pub published_at: Option<Time>,
    /// Since when the client is not to be found in Qlik Cloud any more.
    pub missing_since: Option<Time>,
    /// What was last changed outside and written back, while the same comes again.
    pub drift: Option<Drift>,
    /// Fields that were written and that Qlik Cloud does not show, by their names in its API. They are not compared.
    #[serde(default)]
    pub not_compared: Vec<String>,
    /// The generation that this status speaks of.
    pub observed_generation: Option<i64>,
    /// The last value of the annotation `qlik-operator.dev/requested-at` that was acted on.
    pub last_handled_reconcile_at: Option<String>,
    /// The last value of the annotation `qlik-operator.dev/rotate-at` that was acted on.
    pub last_handled_rotate_at: Option<String>,
    /// What is true of the client now.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
