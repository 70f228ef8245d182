//! The protocols of a `QlikIdentityProvider`.

use super::identity_provider::yes;
use super::{KeyAlgorithm, PublicKeyRef, Rotation, SecretTarget};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `OpenID` Connect.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.discoveryUrl) != has(self.endpoints)").message("spec.oidc takes exactly one of the two: discoveryUrl (from which Qlik Cloud reads the endpoints) or endpoints (each written out)"),
    validation = Rule::new("(has(self.interactive) && !self.interactive) || (has(self.clientId) && has(self.clientSecretRef))").message("people log in through a client of the provider: write oidc.clientId and oidc.clientSecretRef, or interactive: false for programs that bring tokens"),
    validation = Rule::new("!has(self.interactive) || self.interactive || (!has(self.clientId) && !has(self.clientSecretRef) && !has(self.scope))").message("a machine provider (interactive: false) only checks tokens: leave clientId, clientSecretRef and scope out"),
    validation = Rule::new("(has(self.interactive) && !self.interactive) || (!has(self.audience) && (!has(self.allowedClientIds) || size(self.allowedClientIds) == 0))").message("oidc.audience and oidc.allowedClientIds are for machine providers: write interactive: false beside them, or leave them out"),
    validation = Rule::new("!has(self.emailVerifiedAlwaysTrue) || !self.emailVerifiedAlwaysTrue || self.provider in ['adfs', 'azureAD']").message("oidc.emailVerifiedAlwaysTrue is for adfs and azureAD only, which do not say whether an address is verified: map claims.emailVerified instead"),
)]
pub struct OidcProvider {
    /// Whose product it is.
    pub provider: OidcProduct,
    /// `true` (default): people log in. `false`: programs bring tokens of the provider.
    #[serde(default = "yes")]
    pub interactive: bool,
    /// Where the provider describes itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^https://[^ \\t\\n\\r]+$')").message("oidc.discoveryUrl is an https address, for instance https://login.example.com/.well-known/openid-configuration"))]
    pub discovery_url: Option<String>,
    /// The endpoints, for a provider that does not describe itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<OidcEndpoints>,
    /// Id of Qlik Cloud's client at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub client_id: Option<String>,
    /// The Secret with the client's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<ClientSecretRef>,
    /// Where in a token each value stands. What is left out takes the default of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<OidcClaims>,
    /// Put before a user's name, as in `realm\name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 254))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9][A-Za-z0-9._-]+$')").message("oidc.realm has letters, digits, dots, dashes and underscores and begins with a letter or digit, for instance example.com"))]
    pub realm: Option<String>,
    /// Scopes to ask for, separated by blanks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 254))]
    #[x_kube(
        validation = Rule::new("self.matches('^[^ ,]+( [^ ,]+)*$')").message("oidc.scope is one text with a single blank between scopes, for instance openid profile email"),
        validation = Rule::new("self.split(' ').exists(s, s == 'openid')").message("oidc.scope must have openid among its scopes, for instance openid profile email"),
    )]
    pub scope: Option<String>,
    /// Signature of the provider's tokens. Qlik's own default is RS256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_signature_alg: Option<IdTokenAlgorithm>,
    /// Take the claims from the id token and not from the userinfo endpoint. Qlik's own default is true for adfs and azureAD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_claims_from_id_token: Option<bool>,
    /// Do not ask for `offline_access`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_offline_access_scope: Option<bool>,
    /// Take each address for verified; adfs and azureAD only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified_always_true: Option<bool>,
    /// The audience of tokens; machine providers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub audience: Option<String>,
    /// Clients whose tokens are taken; machine providers only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 512)))]
    pub allowed_client_ids: Vec<String>,
}

/// Products that Qlik Cloud knows for `OpenID` Connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Qlik's own")]
pub enum OidcProduct {
    Auth0,
    Okta,
    Generic,
    Salesforce,
    Keycloak,
    Adfs,
    #[serde(rename = "azureAD")]
    AzureAd,
}

impl OidcProduct {
    /// The word in Qlik's API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth0 => "auth0",
            Self::Okta => "okta",
            Self::Generic => "generic",
            Self::Salesforce => "salesforce",
            Self::Keycloak => "keycloak",
            Self::Adfs => "adfs",
            Self::AzureAd => "azureAD",
        }
    }
}

/// Signatures of id tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are those of RFC 7518")]
pub enum IdTokenAlgorithm {
    RS256,
    RS512,
}

/// The endpoints of a provider.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[self.issuer, self.jwksUri, self.tokenEndpoint, self.authorizationEndpoint].all(u, u.matches('^https://[^ \\t\\n\\r]+$')) && (!has(self.userinfoEndpoint) || self.userinfoEndpoint.matches('^https://[^ \\t\\n\\r]+$')) && (!has(self.endSessionEndpoint) || self.endSessionEndpoint.matches('^https://[^ \\t\\n\\r]+$')) && (!has(self.introspectionEndpoint) || self.introspectionEndpoint.matches('^https://[^ \\t\\n\\r]+$'))").message("each of oidc.endpoints is an https address, for instance https://login.example.com/oauth2/token"))]
pub struct OidcEndpoints {
    /// Who issues the tokens.
    #[schemars(length(max = 2048))]
    pub issuer: String,
    /// The provider's public keys.
    #[schemars(length(max = 2048))]
    pub jwks_uri: String,
    /// Where a code becomes a token.
    #[schemars(length(max = 2048))]
    pub token_endpoint: String,
    /// Where people log in.
    #[schemars(length(max = 2048))]
    pub authorization_endpoint: String,
    /// Where more is said of a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub userinfo_endpoint: Option<String>,
    /// Where people log out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub end_session_endpoint: Option<String>,
    /// Where a token is looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub introspection_endpoint: Option<String>,
}

/// Where in a token each value stands: JSON pointers, the first that is there counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.sub) ? self.sub : [], has(self.name) ? self.name : [], has(self.email) ? self.email : [], has(self.groups) ? self.groups : [], has(self.locale) ? self.locale : [], has(self.picture) ? self.picture : [], has(self.zoneinfo) ? self.zoneinfo : [], has(self.clientId) ? self.clientId : [], has(self.emailVerified) ? self.emailVerified : []].all(l, l.all(p, p.startsWith('/')))").message("claims are JSON pointers, each with a slash in front: write /sub and not sub, /address/country for one inside another"))]
#[expect(missing_docs, reason = "the names are those of the claims")]
pub struct OidcClaims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 10), inner(length(max = 256)))]
    pub sub: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(max = 256)))]
    pub name: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(max = 256)))]
    pub email: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(max = 256)))]
    pub groups: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(max = 256)))]
    pub locale: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(max = 256)))]
    pub picture: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(max = 256)))]
    pub zoneinfo: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(max = 256)))]
    pub client_id: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(max = 256)))]
    pub email_verified: Option<Vec<String>>,
}

/// A client secret in a Secret of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientSecretRef {
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message("this is the name of a Secret in the same namespace: lower-case letters, digits, inner dashes and dots, for instance acme-login"))]
    pub name: String,
    /// Key inside the Secret.
    #[serde(default = "client_secret")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')").message("this is a key of the Secret: letters, digits, dashes, dots and underscores, for instance clientSecret; the secret itself belongs into the Secret"))]
    pub key: String,
}

fn client_secret() -> String {
    "clientSecret".to_owned()
}

/// SAML.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.metadata) != (has(self.entityId) || has(self.signOnUrl) || (has(self.certificates) && size(self.certificates) > 0))").message("spec.saml takes either metadata (the provider's XML) or entityId, signOnUrl and certificates, not both"),
    validation = Rule::new("has(self.metadata) || (has(self.entityId) && has(self.signOnUrl) && has(self.certificates) && size(self.certificates) > 0)").message("spec.saml without metadata needs all three: entityId, signOnUrl and one to five certificates"),
)]
pub struct SamlProvider {
    /// Whose product it is.
    pub provider: SamlProduct,
    /// The provider's metadata, as XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 262_144))]
    #[x_kube(validation = Rule::new("self.contains('EntityDescriptor') && self.contains('entityID')").message("saml.metadata is the provider's XML itself, with an EntityDescriptor: not an address and not base64"))]
    pub metadata: Option<String>,
    /// The provider's entity id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub entity_id: Option<String>,
    /// Where people log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^https://[^ \\t\\n\\r]+$')").message("saml.signOnUrl is an https address, for instance https://login.example.com/saml/sso"))]
    pub sign_on_url: Option<String>,
    /// The provider's certificates, one to five; they are public.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = Rule::new("size(self) <= 5").message("Qlik keeps at most five certificates of a provider: remove those that have run out"))]
    pub certificates: Vec<SamlCertificate>,
    /// Form of the users' names. Qlik's own default is `Unspecified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_id_format: Option<NameIdFormat>,
    /// Names of attributes. What is left out takes the default of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<SamlClaims>,
    /// Take logins that begin at the provider's own page.
    #[serde(default)]
    pub allow_idp_initiated_login: bool,
}

/// Products that Qlik Cloud knows for SAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Qlik's own")]
pub enum SamlProduct {
    Okta,
    Generic,
    Adfs,
    #[serde(rename = "azureAD")]
    AzureAd,
}

impl SamlProduct {
    /// The word in Qlik's API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Okta => "okta",
            Self::Generic => "generic",
            Self::Adfs => "adfs",
            Self::AzureAd => "azureAD",
        }
    }
}

/// A certificate of a SAML provider.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SamlCertificate {
    /// The certificate, as PEM.
    #[schemars(length(max = 16_384))]
    #[x_kube(
        validation = Rule::new("!self.contains('PRIVATE KEY')").message("this holds a private key: give the certificate alone, and replace that key, since it was shown"),
        validation = Rule::new("self.contains('PRIVATE KEY') || self.matches('^[ \\t\\n\\r]*-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----[ \\t\\n\\r]*$')").message("this is one certificate as PEM, with its -----BEGIN CERTIFICATE----- and -----END CERTIFICATE----- lines; each further one is an item of its own"),
    )]
    pub certificate: String,
    /// Text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// It checks signatures.
    #[serde(default = "yes")]
    pub signature: bool,
    /// It encrypts.
    #[serde(default)]
    pub encryption: bool,
}

/// Forms of users' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum NameIdFormat {
    /// An address.
    EmailAddress,
    /// A name that never changes.
    Persistent,
    /// Whatever the provider gives.
    Unspecified,
}

impl NameIdFormat {
    /// The word in Qlik's API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmailAddress => "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
            Self::Persistent => "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
            Self::Unspecified => "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
        }
    }
}

/// Names of attributes, the first that is there counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are those of the claims")]
pub struct SamlClaims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 10), inner(length(max = 256)))]
    pub sub: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(max = 256)))]
    pub name: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(max = 256)))]
    pub email: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(max = 256)))]
    pub groups: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(max = 256)))]
    pub picture: Option<Vec<String>>,
}

/// Tokens that an app signs for its users.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct JwtProvider {
    /// Who issues the tokens: their claim `iss`.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(validation = Rule::new("!self.matches('[ \\t\\n\\r]')").message("jwt.issuer is what the app writes into the claim iss, without blanks, for instance https://app.example.com"))]
    pub issuer: String,
    /// The key that the tokens are signed with.
    pub key: JwtKey,
}

/// A key for tokens: exactly one of a given public key and a generated pair.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.publicKeyRef) != has(self.generate)").message("jwt.key takes exactly one of the two: publicKeyRef (a public key of your own, with kid) or generate (a key pair made here)"),
    validation = Rule::new("has(self.publicKeyRef) == has(self.kid)").message("jwt.key.kid names a key of your own: write it beside publicKeyRef, and leave it out beside generate, where the Secret says it"),
    validation = Rule::new("has(self.generate) == has(oldSelf.generate)").message("a generated key pair cannot be exchanged for a given one, apps would be locked out: create another QlikIdentityProvider, switch the app over, then delete this one"),
)]
pub struct JwtKey {
    /// A public key of your own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_ref: Option<PublicKeyRef>,
    /// How the tokens name that key: their header `kid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub kid: Option<String>,
    /// A key pair that the operator makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<JwtKeyPair>,
}

/// A key pair that the operator makes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct JwtKeyPair {
    /// Algorithm of the signatures.
    #[serde(default)]
    pub algorithm: KeyAlgorithm,
    /// The Secret to write. Default keys: `host`, `issuer`, `keyId`, `audience`, `algorithm`, `privateKey`. Names for
    /// `template`: these (`tenantUrl` for `host`) and `hostname`, `publicKey`.
    #[x_kube(
        validation = Rule::new("!has(self.template) || self.template.all(k, self.template[k].matches('^([^$]|[$][$]|[$][{](tenantUrl|hostname|issuer|keyId|audience|algorithm|privateKey|publicKey)[}])*$'))").message("secret.template knows ${tenantUrl}, ${hostname}, ${issuer}, ${keyId}, ${audience}, ${algorithm}, ${privateKey} and ${publicKey}; a dollar sign of your own is written $$"),
        validation = Rule::new("!has(self.template) || self.template.exists(k, self.template[k] == '${privateKey}')").message("secret.template needs one key whose whole text is ${privateKey}, for instance privateKey: ${privateKey}"),
        validation = Rule::new("!has(self.template) || !('next.privateKey' in self.template)").message("next.privateKey is where the operator keeps the private key that takes over next: choose another key of the Secret in secret.template"),
    )]
    pub secret: SecretTarget,
    /// When the key is replaced. Without it only on request (annotation `qlik-operator.dev/rotate-at`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}
