//! A tenant's OAuth clients: their settings, secrets, and the consent of every tenant that uses them.

pub(crate) mod check;
mod patch;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::clock::iso;
use super::world::World;

/// How many secrets a client has at most.
pub(crate) const MAX_SECRETS: usize = 5;
/// How many characters of a secret everybody may see.
pub(crate) const HINT: usize = 5;

/// A secret of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientSecret {
    pub(crate) value: String,
    pub(crate) created: Timestamp,
    /// User id of whoever made it.
    pub(crate) created_by: String,
}

impl ClientSecret {
    /// The part by which it is known.
    pub(crate) fn hint(&self) -> &str {
        self.value.get(..HINT).unwrap_or_default()
    }
}

/// What one tenant says about its use of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Users have to consent: no client can act on its own.
    Required,
    Trusted,
    /// The tenant threw its configuration away.
    Deleted,
}

/// An OAuth client.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OauthClient {
    pub(crate) id: String,
    /// The tenant that made it.
    pub(crate) tenant: String,
    /// Region of that tenant: a published client can be used in all of it.
    pub(crate) region: String,
    /// What the create and patch requests set, by field name.
    pub(crate) settings: Value,
    pub(crate) secrets: Vec<ClientSecret>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) created_by_type: &'static str,
    pub(crate) published: Option<Timestamp>,
    pub(crate) deleted: bool,
    /// Tenant id → its connection; a tenant that never said anything is not there.
    pub(crate) connections: BTreeMap<String, Connection>,
}

impl OauthClient {
    /// The strings of a list among the settings.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        self.settings[name].as_array().map_or_else(Vec::new, |list| list.iter().filter_map(Value::as_str).collect())
    }

    /// A setting that is a string.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.settings[name].as_str().unwrap_or_default()
    }

    /// Whether it proves itself in this way.
    pub(crate) fn authenticates_by(&self, method: &str) -> bool {
        self.list("allowedAuthMethods").contains(&method)
    }

    /// What a tenant that may use the client says about it.
    pub(crate) fn connection(&self, tenant: &str) -> Connection {
        self.connections.get(tenant).copied().unwrap_or(Connection::Required)
    }

    /// Adds a secret.
    pub(crate) fn add_secret(&mut self, value: String, by: &str, now: Timestamp) {
        self.secrets.push(ClientSecret { value, created: now, created_by: by.to_owned() });
    }

    /// The secrets without their values.
    pub(crate) fn hints(&self) -> Value {
        let hint = |secret: &ClientSecret| json!({ "hint": secret.hint(), "createdAt": iso(secret.created), "createdBy": secret.created_by });
        self.secrets.iter().map(hint).collect()
    }

    /// The client as everybody in the tenant may see it.
    pub(crate) fn plain(&self) -> Value {
        let mut view = self.settings.clone();
        if let Some(map) = view.as_object_mut() {
            for name in ["redirectUris", "allowedOrigins", "publicKeys", "connectionConfig"] {
                map.remove(name);
            }
        }
        view["clientId"] = json!(self.id);
        view["createdAt"] = json!(iso(self.created));
        view["updatedAt"] = json!(iso(self.updated));
        view["createdByType"] = json!(self.created_by_type);
        if let Some(at) = self.published {
            view["publishedAt"] = json!(iso(at));
        }
        view
    }

    /// The client as an administrator of its tenant sees it.
    pub(crate) fn full(&self) -> Value {
        let mut view = self.plain();
        for name in ["redirectUris", "allowedOrigins", "publicKeys"] {
            if let Some(value) = self.settings.get(name) {
                view[name] = value.clone();
            }
        }
        view["clientSecrets"] = self.hints();
        if let Some(consent) = self.connection(&self.tenant).consent() {
            view["connectionConfig"] = json!({ "consentMethod": consent });
        }
        view
    }

    /// The same in an administrator's list.
    pub(crate) fn item(&self) -> Value {
        let mut view = self.full();
        if view.get("connectionConfig").is_some() {
            view["connectionConfig"] = self.connection_view(&self.tenant);
        }
        view
    }

    /// A tenant's connection.
    pub(crate) fn connection_view(&self, tenant: &str) -> Value {
        let consent = self.connection(tenant).consent();
        json!({ "consentMethod": consent, "status": "active", "deletedByOwner": self.deleted })
    }
}

impl Connection {
    /// Qlik's word, as long as there is a configuration.
    pub(crate) fn consent(self) -> Option<&'static str> {
        match self {
            Self::Required => Some("required"),
            Self::Trusted => Some("trusted"),
            Self::Deleted => None,
        }
    }
}

impl World {
    /// A client that its own tenant still has.
    pub(crate) fn own_client(&self, tenant: &str, id: &str) -> Option<&OauthClient> {
        self.oauth.get(id).filter(|client| client.tenant == tenant && !client.deleted)
    }

    /// A client that a tenant may know: one of its own, or a published one of its region. Those may be deleted.
    pub(crate) fn visible_client(&self, tenant: &str, id: &str) -> Option<&OauthClient> {
        let region = self.tenants.get(tenant).map(|tenant| tenant.region.as_str());
        self.oauth.get(id).filter(|client| {
            let published = client.published.is_some() && region == Some(client.region.as_str());
            if client.tenant == tenant { !client.deleted } else { published }
        })
    }
}
