//! An identity provider as Qlik Cloud shows it, and what is sent to make or change one.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::envelope::tame;
use super::ids::ProviderId;
use super::secret::Secret;
use super::tenants::instant;

/// How people or programs get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `OpenID` Connect.
    Oidc,
    /// SAML.
    Saml,
    /// Tokens that somebody else signs.
    Jwt,
    /// One that cannot be made through the API.
    Other,
}

impl Protocol {
    /// Qlik's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oidc => "OIDC",
            Self::Saml => "SAML",
            Self::Jwt => "jwtAuth",
            Self::Other => "other",
        }
    }

    fn read(text: Option<&str>) -> Self {
        match text {
            Some("OIDC") => Self::Oidc,
            Some("SAML") => Self::Saml,
            Some("jwtAuth") => Self::Jwt,
            Some(_) | None => Self::Other,
        }
    }
}

/// Where the trial of pending options stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PendingState {
    /// Nobody has tried them, or it is not known.
    Pending,
    /// The login worked.
    Verified,
    /// The login failed.
    Error,
}

/// An identity provider. Its secrets are not kept: Qlik does not say whether it shows, masks or omits them.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentityProvider {
    /// Its id.
    pub id: ProviderId,
    /// Its protocol.
    pub protocol: Protocol,
    /// Whose product it is.
    pub provider: String,
    /// People log in through it.
    pub interactive: bool,
    /// It is in use.
    pub active: bool,
    /// Its description.
    pub description: String,
    /// How far its clock may be off, in seconds, where given.
    pub clock_tolerance_sec: Option<i64>,
    /// Whether people who log in for the first time become users, where given.
    pub create_new_users_on_login: Option<bool>,
    /// Where people go after they log out, where given.
    pub post_logout_redirect_uri: Option<String>,
    /// When it was made, where given.
    pub created: Option<Timestamp>,
    /// The options in force, an object.
    pub options: Option<Value>,
    /// The options that wait for a trial, an object.
    pub pending_options: Option<Value>,
    /// Where their trial stands, where there are any.
    pub pending_state: Option<PendingState>,
    /// What came of the last trial, in Qlik's words.
    pub pending_answer: Option<String>,
    /// Fields that the answer does not show, by their names there: Qlik's schema has all of them optional.
    pub hidden: Vec<&'static str>,
    /// The id of its key as it was written, for whoever remembers that; it counts where Qlik Cloud does not show the key.
    pub written_kid: Option<String>,
}

/// The optional fields of a provider that are compared, by their names in Qlik's API. Not among them are those that come and
/// go, `options` and `pendingOptions`.
const OPTIONAL: [&str; 6] = ["active", "description", "interactive", "postLogoutRedirectUri", "protocol", "provider"];

/// A provider, and the version of its pending options where Qlik gave it (`QLIK-IDP-POPTS`).
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// The provider.
    pub provider: IdentityProvider,
    /// The version.
    pub version: Option<String>,
}

impl IdentityProvider {
    /// Reads one. Only the id is required: whatever else is odd, a provider that was just made must be known.
    pub(super) fn read(body: &Value) -> Result<Self, &'static str> {
        let text = |field| body.get(field).and_then(Value::as_str).map(str::to_owned);
        let id = text("id").and_then(|id| ProviderId::try_from(id).ok()).ok_or("it has no provider id")?;
        let protocol = Protocol::read(body.get("protocol").and_then(Value::as_str));
        let flag = |field| body.get(field).and_then(Value::as_bool);
        let pending_options = body.get("pendingOptions").and_then(shown);
        Ok(Self {
            id,
            protocol,
            provider: text("provider").unwrap_or_default(),
            interactive: flag("interactive").unwrap_or(matches!(protocol, Protocol::Oidc | Protocol::Saml)),
            active: flag("active").unwrap_or(false),
            description: text("description").unwrap_or_default(),
            clock_tolerance_sec: body.get("clockToleranceSec").and_then(Value::as_i64),
            create_new_users_on_login: flag("createNewUsersOnLogin"),
            post_logout_redirect_uri: text("postLogoutRedirectUri").filter(|uri| !uri.is_empty()),
            created: text("created").as_deref().and_then(instant),
            options: body.get("options").and_then(shown),
            pending_state: (pending_options.is_some() || body.get("pendingState").is_some())
                .then(|| pending_state(body)),
            pending_options,
            pending_answer: body.get("pendingResult").and_then(answer),
            hidden: OPTIONAL.into_iter().filter(|field| body.get(field).is_none_or(Value::is_null)).collect(),
            written_kid: None,
        })
    }

    /// A value of the options in force.
    pub fn option(&self, name: &str) -> Option<&Value> {
        self.options.as_ref()?.get(name)
    }

    /// Whether Qlik Cloud does not show this field of it.
    pub fn hides(&self, field: &str) -> bool {
        self.hidden.contains(&field)
    }

    /// Whether Qlik Cloud shows this field of it, which it need not.
    pub fn shows(&self, field: &str) -> bool {
        OPTIONAL.contains(&field) && !self.hides(field)
    }

    /// People log in through it, as far as Qlik Cloud shows that.
    pub fn reigns(&self) -> bool {
        self.active && self.interactive
    }

    /// People log in through it, or Qlik Cloud does not show enough to say that they do not.
    pub fn may_reign(&self) -> bool {
        (self.active || self.hides("active")) && (self.interactive || self.hides_its_kind())
    }

    /// Qlik Cloud does not show whether it is for people.
    pub fn hides_its_kind(&self) -> bool {
        self.hides("interactive") && self.hides("protocol")
    }

    /// The id of its only key, for one that takes signed tokens.
    pub fn kid(&self) -> Option<&str> {
        let shown = || self.option("staticKeys")?.get(0)?.get("kid")?.as_str();
        shown().or(self.written_kid.as_deref())
    }
}

fn pending_state(body: &Value) -> PendingState {
    match body.get("pendingState").and_then(Value::as_str) {
        Some("verified") => PendingState::Verified,
        Some("error") => PendingState::Error,
        Some(_) | None => PendingState::Pending,
    }
}

/// Options without what is secret in them; empty ones are none.
fn shown(options: &Value) -> Option<Value> {
    const SECRET: [&str; 2] = ["clientSecret", "decryptingKey"];
    let kept: Map<_, _> = options
        .as_object()?
        .iter()
        .filter(|(name, value)| !SECRET.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    (!kept.is_empty()).then_some(Value::Object(kept))
}

/// What came of a trial, for people.
fn answer(result: &Value) -> Option<String> {
    let text = |pointer| result.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()).map(tame);
    let parts = ["/status", "/error", "/oauth2Error/error", "/oauth2Error/errorDescription"];
    let said: Vec<_> = parts.into_iter().filter_map(text).collect();
    (!said.is_empty()).then(|| said.join(": "))
}

/// Options to send, with the secret that they are never read back with.
#[derive(Clone)]
pub struct Options {
    /// All but the secret, an object.
    pub values: Value,
    /// The secret of Qlik Cloud's client at the provider.
    pub client_secret: Option<Secret>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("values", &self.values).field("client_secret", &self.client_secret).finish()
    }
}

// Written out, so that the secret is never copied into a `Value`, which would not be wiped.
impl Serialize for Options {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values =
            self.values.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), Part::Plain(value)));
        let secret = self.client_secret.as_ref().map(|secret| ("clientSecret", Part::Secret(secret.expose())));
        serializer.collect_map(values.chain(secret))
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Plain(&'a Value),
    Secret(&'a str),
}

/// A provider to be made.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewIdentityProvider {
    /// Its protocol.
    #[serde(serialize_with = "word")]
    pub protocol: Protocol,
    /// Whose product it is.
    pub provider: String,
    /// People log in through it; left out for one that takes signed tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interactive: Option<bool>,
    /// Its description.
    pub description: String,
    /// How far its clock may be off, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_tolerance_sec: Option<i32>,
    /// Whether people who log in for the first time become users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_new_users_on_login: Option<bool>,
    /// Where people go after they log out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_logout_redirect_uri: Option<String>,
    /// Nobody has to try the login first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_verify: bool,
    /// The options in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Options>,
    /// The options that wait for a trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_options: Option<Options>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn word<S: Serializer>(protocol: &Protocol, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(protocol.as_str())
}

/// A change to a provider.
#[derive(Clone, Debug)]
pub enum ProviderChange {
    /// Puts it in or out of use.
    Active(bool),
    /// Sets the description.
    Description(String),
    /// Sets how far its clock may be off, in seconds.
    ClockToleranceSec(i32),
    /// Sets where people go after they log out; an empty text takes it away.
    PostLogoutRedirectUri(String),
    /// Replaces the options in force.
    Options(Options),
    /// Replaces the options that wait for a trial.
    PendingOptions(Options),
    /// Puts the options in force that were tried.
    Promote,
}

impl ProviderChange {
    /// The options that it sets.
    pub(super) fn options(&self) -> Option<&Options> {
        match self {
            Self::Options(options) | Self::PendingOptions(options) => Some(options),
            Self::Active(_)
            | Self::Description(_)
            | Self::ClockToleranceSec(_)
            | Self::PostLogoutRedirectUri(_)
            | Self::Promote => None,
        }
    }
}

impl Serialize for ProviderChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn replace<S: Serializer>(serializer: S, path: &str, value: impl Serialize) -> Result<S::Ok, S::Error> {
            #[derive(Serialize)]
            struct Replace<'a, V> {
                op: &'a str,
                path: &'a str,
                value: V,
            }
            Replace { op: "replace", path, value }.serialize(serializer)
        }
        match self {
            Self::Active(active) => replace(serializer, "/active", active),
            Self::Description(text) => replace(serializer, "/description", text),
            Self::ClockToleranceSec(seconds) => replace(serializer, "/clockToleranceSec", seconds),
            Self::PostLogoutRedirectUri(uri) => replace(serializer, "/postLogoutRedirectUri", uri),
            Self::Options(options) => replace(serializer, "/options", options),
            Self::PendingOptions(options) => replace(serializer, "/pendingOptions", options),
            Self::Promote => serializer.collect_map([("op", "promote-options")]),
        }
    }
}
