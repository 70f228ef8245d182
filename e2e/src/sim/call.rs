//! A request as handlers see it, and what they answer.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::refusal::Refusal;
use super::vhost::VirtualHost;

/// A request, read to its end.
#[derive(Debug)]
pub(crate) struct Call {
    /// `https` or `http`.
    pub(crate) scheme: &'static str,
    /// Host with port, as the client wrote it.
    pub(crate) authority: String,
    /// Host without port, lower case.
    pub(crate) host: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body was over the limit and has not been read.
    pub(crate) too_large: bool,
}

impl Call {
    /// Scheme and authority, for absolute links.
    pub(crate) fn base(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// Path and query.
    pub(crate) fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The last value of a query parameter.
    pub(crate) fn param(&self, name: &str) -> Option<String> {
        let query = self.query.as_deref().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name).last().map(|(_, v)| v.into_owned())
    }

    /// The body as JSON. The content type is not looked at: Qlik's own clients differ in it.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|_| Refusal::bad_request("the request body is not valid"))
    }

    /// Whether there is a body at all.
    pub(crate) fn has_body(&self) -> bool {
        !self.body.iter().all(u8::is_ascii_whitespace)
    }
}

/// Who calls, according to a checked token.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) client_id: String,
    /// The user id; on hosts without users the client id.
    pub(crate) subject: String,
    pub(crate) scopes: Vec<String>,
    /// The id inside the access token; empty for people in a browser.
    pub(crate) token: String,
}

/// What a handler is given besides the world.
pub(crate) struct Context<'a> {
    pub(crate) call: &'a Call,
    pub(crate) host: &'a VirtualHost,
    pub(crate) now: Timestamp,
    /// Present exactly where the endpoint asks for a token.
    pub(crate) caller: Option<Caller>,
    /// The path's variable parts.
    pub(crate) params: Vec<String>,
}

impl Context<'_> {
    /// The first variable part of the path.
    pub(crate) fn id(&self) -> &str {
        self.params.first().map_or("", String::as_str)
    }

    /// The caller's client id; empty for endpoints without a token.
    pub(crate) fn client_id(&self) -> &str {
        self.caller.as_ref().map_or("", |caller| caller.client_id.as_str())
    }

    /// The tenant whose host was called; empty on other hosts.
    pub(crate) fn tenant_id(&self) -> &str {
        match self.host {
            VirtualHost::Tenant(id) => id,
            VirtualHost::Register(_) | VirtualHost::Console | VirtualHost::Unknown => "",
        }
    }
}

/// An answer, before faults have their way with it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Option<Value>,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// What changed; absent for reads.
    pub(crate) effect: Option<&'static str>,
    pub(crate) tenant_id: Option<String>,
    /// The client that proved who it is, where that happens in the handler itself.
    pub(crate) client_id: Option<String>,
}

impl Reply {
    /// An answer with a JSON body.
    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self { body: Some(body), ..Self::empty(status) }
    }

    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, body: None, headers: Vec::new(), effect: None, tenant_id: None, client_id: None }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Says what changed.
    pub(crate) fn effect(mut self, effect: &'static str) -> Self {
        self.effect = Some(effect);
        self
    }

    /// Says which tenant it was about.
    pub(crate) fn tenant(mut self, id: &str) -> Self {
        self.tenant_id = Some(id.to_owned());
        self
    }
}
