//! What an OAuth client of a tenant is, to Qlik and to us.

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::ids::OauthClientId;
use super::jwk::Jwk;
use super::secret::Secret;
use super::tenants::instant;

/// Whether users have to consent before a client may act for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Consent {
    /// They have to. A client that acts for itself cannot get a token then.
    Required,
    /// The tenant has consented for all of them.
    Trusted,
}

impl Consent {
    /// Qlik's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Trusted => "trusted",
        }
    }

    /// Reads Qlik's word.
    pub(super) fn read(word: Option<&Value>) -> Option<Self> {
        [Self::Required, Self::Trusted].into_iter().find(|consent| word.is_some_and(|word| word == consent.name()))
    }

    /// What can be asked for when a client is created: trust, or nothing.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
    fn is_required(&self) -> bool {
        *self == Self::Required
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
    fn as_config<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        json!({ "consentMethod": self.name() }).serialize(to)
    }
}

/// What is shown of a secret after it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHint {
    /// Its first characters, by which it is named.
    pub hint: String,
    /// When it was made, where given.
    pub created_at: Option<Timestamp>,
    /// The user who made it, where given.
    pub created_by: Option<String>,
}

/// An OAuth client. What is empty in Qlik's answer is `None` here, as what is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OauthClient {
    /// Its id.
    pub id: OauthClientId,
    /// `web`, `native`, `spa` or `anonymous-embed`.
    pub app_type: String,
    /// Its display name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// The page of whatever uses it.
    pub client_uri: Option<String>,
    /// The picture that the consent page shows.
    pub logo_uri: Option<String>,
    /// Where a login may lead back to.
    pub redirect_uris: Vec<String>,
    /// From where a browser may use it.
    pub allowed_origins: Vec<String>,
    /// The scopes that it may ask for.
    pub scopes: Vec<String>,
    /// The grants that it may use besides a login.
    pub grant_types: Vec<String>,
    /// How it proves itself.
    pub auth_methods: Vec<String>,
    /// The keys that it may sign with.
    pub public_keys: Vec<Jwk>,
    /// Where its keys are published.
    pub jwks_uri: Option<String>,
    /// The consent of this tenant; `None` when there is none on record or it is of an unknown kind.
    pub consent: Option<Consent>,
    /// Since when all tenants of the region may use it.
    pub published_at: Option<Timestamp>,
    /// Its secrets, without the secret part.
    pub secrets: Vec<SecretHint>,
    /// Fields that the answer does not show, by their names there: in Qlik's schema they are optional. A service may leave out
    /// what is empty, so this says that a field is not known, not that it is empty.
    pub hidden: Vec<&'static str>,
}

/// An OAuth client to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewOauthClient {
    /// `web`, `native`, `spa` or `anonymous-embed`.
    pub app_type: String,
    /// Its display name.
    #[serde(rename = "clientName")]
    pub name: String,
    /// Its description.
    pub description: String,
    /// The page of whatever uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// The picture that the consent page shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Where a login may lead back to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    /// From where a browser may use it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_origins: Vec<String>,
    /// The scopes that it may ask for.
    #[serde(rename = "allowedScopes", skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The grants that it may use besides a login.
    #[serde(rename = "allowedGrantTypes", skip_serializing_if = "Vec::is_empty")]
    pub grant_types: Vec<String>,
    /// How it proves itself.
    #[serde(rename = "allowedAuthMethods", skip_serializing_if = "Vec::is_empty")]
    pub auth_methods: Vec<String>,
    /// The keys that it may sign with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub public_keys: Vec<Jwk>,
    /// The consent of this tenant.
    #[serde(
        rename = "connectionConfig",
        skip_serializing_if = "Consent::is_required",
        serialize_with = "Consent::as_config"
    )]
    pub consent: Consent,
}

/// A change of a client. `None` takes the value away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OauthClientChange {
    /// Its display name.
    Name(String),
    /// Its description.
    Description(String),
    /// The page of whatever uses it.
    ClientUri(Option<String>),
    /// The picture that the consent page shows.
    LogoUri(Option<String>),
    /// Where a login may lead back to.
    RedirectUris(Vec<String>),
    /// From where a browser may use it.
    AllowedOrigins(Vec<String>),
    /// The scopes that it may ask for.
    Scopes(Vec<String>),
    /// The grants that it may use besides a login.
    GrantTypes(Vec<String>),
    /// How it proves itself.
    AuthMethods(Vec<String>),
    /// The keys that it may sign with.
    PublicKeys(Vec<Jwk>),
    /// No address where further keys are fetched from.
    NoJwksUri,
}

/// The optional fields of a client that are compared, by their names in Qlik's API.
const OPTIONAL: [&str; 10] = [
    "description",
    "clientUri",
    "logoUri",
    "redirectUris",
    "allowedOrigins",
    "allowedScopes",
    "allowedGrantTypes",
    "allowedAuthMethods",
    "publicKeys",
    "clientSecrets",
];

impl OauthClient {
    /// Whether Qlik Cloud does not show this field of it.
    pub fn hides(&self, field: &str) -> bool {
        self.hidden.contains(&field)
    }

    /// Takes a change that Qlik accepted as made: its answer shows nothing.
    pub fn apply(&mut self, change: &OauthClientChange) {
        use OauthClientChange as Change;
        self.hidden.retain(|field| *field != change.field());
        match change.clone() {
            Change::Name(name) => self.name = name,
            Change::Description(text) => self.description = Some(text),
            Change::ClientUri(uri) => self.client_uri = uri,
            Change::LogoUri(uri) => self.logo_uri = uri,
            Change::RedirectUris(list) => self.redirect_uris = list,
            Change::AllowedOrigins(list) => self.allowed_origins = list,
            Change::Scopes(list) => self.scopes = list,
            Change::GrantTypes(list) => self.grant_types = list,
            Change::AuthMethods(list) => self.auth_methods = list,
            Change::PublicKeys(keys) => self.public_keys = keys,
            Change::NoJwksUri => self.jwks_uri = None,
        }
    }
}

impl OauthClientChange {
    /// Qlik's name of what changes.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Name(_) => "clientName",
            Self::Description(_) => "description",
            Self::ClientUri(_) => "clientUri",
            Self::LogoUri(_) => "logoUri",
            Self::RedirectUris(_) => "redirectUris",
            Self::AllowedOrigins(_) => "allowedOrigins",
            Self::Scopes(_) => "allowedScopes",
            Self::GrantTypes(_) => "allowedGrantTypes",
            Self::AuthMethods(_) => "allowedAuthMethods",
            Self::PublicKeys(_) => "publicKeys",
            Self::NoJwksUri => "jwksUri",
        }
    }

    pub(super) fn operation(&self) -> Value {
        let value = match self {
            Self::Name(text) | Self::Description(text) => Some(json!(text)),
            Self::ClientUri(text) | Self::LogoUri(text) => text.as_ref().map(|text| json!(text)),
            Self::RedirectUris(list)
            | Self::AllowedOrigins(list)
            | Self::Scopes(list)
            | Self::GrantTypes(list)
            | Self::AuthMethods(list) => Some(json!(list)),
            Self::PublicKeys(keys) => Some(json!(keys)),
            Self::NoJwksUri => None,
        };
        let path = format!("/{}", self.field());
        match value {
            Some(value) => json!({ "op": "replace", "path": path, "value": value }),
            None => json!({ "op": "remove", "path": path }),
        }
    }
}

/// A secret just made, shown this once.
#[derive(Clone, Debug)]
pub struct MintedSecret {
    /// Its first characters, by which it is named.
    pub hint: String,
    /// The secret.
    pub secret: Secret,
    /// When it was made, where given.
    pub created_at: Option<Timestamp>,
    /// The user who made it, where given.
    pub created_by: Option<String>,
}

impl OauthClient {
    /// Reads a client as lists, reads and creations answer it; the error says what is wrong. Only the id is required:
    /// whatever else is odd, a client just made must be known. `None` is one that is deleted and only remembered.
    pub(super) fn read(body: &Value) -> Result<Option<Self>, &'static str> {
        let text = |field| text(body, field);
        let id = text("clientId").and_then(|id| OauthClientId::try_from(id).ok()).ok_or("it has no client id")?;
        if when(body, "deletedAt").is_some() {
            return Ok(None);
        }
        let list = |field| items(body, field).map(|item| item.as_str().unwrap_or_default().to_owned()).collect();
        Ok(Some(Self {
            id,
            app_type: text("appType").unwrap_or_default(),
            name: text("clientName").unwrap_or_default(),
            description: text("description"),
            client_uri: text("clientUri"),
            logo_uri: text("logoUri"),
            redirect_uris: list("redirectUris"),
            allowed_origins: list("allowedOrigins"),
            scopes: list("allowedScopes"),
            grant_types: list("allowedGrantTypes"),
            auth_methods: list("allowedAuthMethods"),
            public_keys: items(body, "publicKeys").map(Jwk::read).collect(),
            jwks_uri: text("jwksUri"),
            consent: Consent::read(body.pointer("/connectionConfig/consentMethod")),
            published_at: when(body, "publishedAt"),
            secrets: items(body, "clientSecrets").map(SecretHint::read).collect(),
            hidden: OPTIONAL.into_iter().filter(|field| body.get(field).is_none_or(Value::is_null)).collect(),
        }))
    }
}

impl SecretHint {
    pub(super) fn read(body: &Value) -> Self {
        Self {
            hint: text(body, "hint").unwrap_or_default(),
            created_at: when(body, "createdAt"),
            created_by: text(body, "createdBy"),
        }
    }
}

/// A text that is there and not empty.
pub(super) fn text(body: &Value, field: &str) -> Option<String> {
    body.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A date that is there. Some programs write the beginning of their time for none at all.
pub(super) fn when(body: &Value, field: &str) -> Option<Timestamp> {
    body.get(field).and_then(Value::as_str).and_then(instant).filter(|at| *at > Timestamp::UNIX_EPOCH)
}

fn items<'a>(body: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    body.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// Takes the secret out of an answer: the text itself moves, so that no copy of it stays behind.
pub(super) fn take_secret(body: &mut Value) -> Option<Secret> {
    match body.get_mut("clientSecret").map(Value::take) {
        Some(Value::String(secret)) if !secret.is_empty() => Some(Secret::new(secret)),
        Some(_) | None => None,
    }
}
