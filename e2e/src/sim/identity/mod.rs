//! A tenant's identity providers as state machines: pending → verified → promoted, active or not.

mod check;
mod patch;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::clock::iso;
use super::config::SecretsInGet;
use super::ids::derived;
use super::world::World;

/// The protocols that a provider can be made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Oidc,
    Saml,
    Jwt,
}

impl Protocol {
    /// Qlik's word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Oidc => "OIDC",
            Self::Saml => "SAML",
            Self::Jwt => "jwtAuth",
        }
    }
}

/// What came of a person's test of the pending options in a browser: Qlik's `pendingResult.status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BrowserTest {
    /// The login worked: the options are verified.
    Success,
    /// The login page is open and nobody has logged in yet.
    Pending,
    /// Something went wrong.
    Error,
    /// A mapped claim is missing.
    ClaimsError,
    /// The provider answered with an error.
    CallbackError,
    /// The provider gave no token.
    TokenError,
    /// The provider does not keep to the protocol.
    ProtocolError,
    /// The provider cannot be reached.
    NetworkError,
    /// Somebody changed the options meanwhile.
    ConfigChangedDuringTestError,
}

impl BrowserTest {
    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Pending => "pending",
            Self::Error => "error",
            Self::ClaimsError => "claimsError",
            Self::CallbackError => "callbackError",
            Self::TokenError => "tokenError",
            Self::ProtocolError => "protocolError",
            Self::NetworkError => "networkError",
            Self::ConfigChangedDuringTestError => "configChangedDuringTestError",
        }
    }

    fn state(self) -> &'static str {
        match self {
            Self::Success => "verified",
            Self::Pending => "pending",
            Self::Error
            | Self::ClaimsError
            | Self::CallbackError
            | Self::TokenError
            | Self::ProtocolError
            | Self::NetworkError
            | Self::ConfigChangedDuringTestError => "error",
        }
    }
}

/// An identity provider.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Provider {
    pub(crate) id: String,
    pub(crate) tenant_ids: Vec<String>,
    pub(crate) protocol: Protocol,
    /// Qlik's `provider`: whose product it is.
    pub(crate) product: String,
    pub(crate) interactive: bool,
    pub(crate) active: bool,
    pub(crate) description: String,
    pub(crate) clock_tolerance: i64,
    pub(crate) creates_users: bool,
    pub(crate) post_logout: Option<String>,
    pub(crate) meta: Value,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// What is in force.
    pub(crate) options: Option<Value>,
    /// What waits for a person's test.
    pub(crate) pending: Option<Value>,
    /// The last test of what is pending, and when it was.
    pub(crate) test: Option<(BrowserTest, Timestamp)>,
}

impl Provider {
    /// The provider as the API shows it.
    pub(crate) fn view(&self, secrets: SecretsInGet) -> Value {
        let mut view = json!({
            "id": self.id,
            "tenantIds": self.tenant_ids,
            "protocol": self.protocol.as_str(),
            "provider": self.product,
            "interactive": self.interactive,
            "active": self.active,
            "description": self.description,
            "clockToleranceSec": self.clock_tolerance,
            "created": iso(self.created),
            "lastUpdated": iso(self.updated),
            "meta": self.meta,
        });
        if self.protocol != Protocol::Jwt {
            view["createNewUsersOnLogin"] = json!(self.creates_users);
        }
        if let Some(address) = &self.post_logout {
            view["postLogoutRedirectUri"] = json!(address);
        }
        if let Some(options) = &self.options {
            view["options"] = shown(options, secrets);
        }
        if let Some(pending) = &self.pending {
            view["pendingOptions"] = shown(pending, secrets);
            view["pendingState"] = json!(self.test.map_or("pending", |(test, _)| test.state()));
        }
        if let Some((test, at)) = self.test {
            let mut result = json!({ "status": test.as_str(), "protocol": self.protocol.as_str(), "started": iso(at) });
            if test.state() == "error" {
                result["error"] = json!("the login could not be completed");
            }
            view["pendingResult"] = result;
        }
        view
    }

    /// The hash of the pending options that `QLIK-IDP-POPTS` carries.
    pub(crate) fn pending_hash(&self) -> String {
        // the id makes equal options of two providers differ, as a hash that stands for a version should
        let text = format!("{}{}", self.id, self.pending.as_ref().unwrap_or(&Value::Null));
        derived(&text, 32)
    }

    /// Whether the pending options may be promoted.
    pub(crate) fn verified(&self) -> bool {
        self.pending.is_some() && matches!(self.test, Some((BrowserTest::Success, _)))
    }

    /// What a person's test found.
    pub(crate) fn tested(&mut self, test: BrowserTest, now: Timestamp) {
        self.test = Some((test, now));
        self.updated = now;
    }

    /// The active provider of people's logins: there is at most one.
    pub(crate) fn reigns(&self) -> bool {
        self.active && self.interactive
    }

    /// A field of the options in force.
    pub(crate) fn option(&self, name: &str) -> Option<&Value> {
        self.options.as_ref().and_then(|options| options.get(name))
    }
}

/// Options with their secret as the simulator's options have it.
fn shown(options: &Value, secrets: SecretsInGet) -> Value {
    let mut options = options.clone();
    if let Some(map) = options.as_object_mut().filter(|map| map.contains_key("clientSecret")) {
        match secrets {
            SecretsInGet::Echo => {}
            SecretsInGet::Mask => {
                map.insert("clientSecret".to_owned(), json!("********"));
            }
            SecretsInGet::Omit => {
                map.remove("clientSecret");
            }
        }
    }
    options
}

/// The Qlik Account login, which every tenant has and which is active as long as nothing else is.
pub(crate) fn qlik_account(tenant: &str, created: Timestamp, active: bool) -> Value {
    let id = derived(tenant, 24);
    json!({
        "id": id, "tenantIds": [tenant], "protocol": "OIDC", "provider": "qlik", "interactive": true,
        "active": active, "description": "Qlik Account", "clockToleranceSec": 5, "createNewUsersOnLogin": true,
        "created": iso(created), "lastUpdated": iso(created), "meta": Map::new(), "options": Map::new(),
    })
}

impl World {
    /// The providers of a tenant, in the order of their creation.
    pub(crate) fn providers_of(&self, tenant: &str) -> &[Provider] {
        self.providers.get(tenant).map_or(&[], Vec::as_slice)
    }

    /// One of them.
    pub(crate) fn provider_mut(&mut self, tenant: &str, id: &str) -> Option<&mut Provider> {
        self.providers.get_mut(tenant)?.iter_mut().find(|provider| provider.id == id)
    }

    /// Whether people log in with their Qlik Account, for want of an active provider.
    pub(crate) fn falls_back(&self, tenant: &str) -> bool {
        !self.providers_of(tenant).iter().any(Provider::reigns)
    }
}
