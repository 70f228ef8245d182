//! One call of an API, before it is sent.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use serde::Serialize;
use url::Url;
use zeroize::Zeroizing;

use super::error::Error;
use super::ids::Hostname;
use super::limits::Tier;
use super::secret::Secret;

const DEADLINE: Duration = Duration::from_secs(20);

/// One call of an API, independent of who makes it and where.
#[derive(Clone)]
pub(super) struct Call {
    /// Names the call in logs.
    pub(super) api: &'static str,
    pub(super) tier: Tier,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Zeroizing<Vec<u8>>>,
    pub(super) secrets: Vec<Secret>,
    pub(super) deadline: Duration,
    /// Its turn in the rate budget was taken before.
    pub(super) paid: bool,
    pub(super) redirect_answers: bool,
}

impl Call {
    pub(super) fn new(api: &'static str, method: Method, path: impl Into<String>) -> Self {
        let tier = if method == Method::GET { Tier::One } else { Tier::Two };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        Self {
            api,
            tier,
            method,
            path: path.into(),
            query: None,
            headers,
            body: None,
            secrets: Vec::new(),
            deadline: DEADLINE,
            paid: false,
            redirect_answers: false,
        }
    }

    /// Sets the query, already encoded.
    pub(super) fn query(mut self, query: String) -> Self {
        self.query = Some(query);
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Result<Self, Error> {
        let value = HeaderValue::from_str(value)
            .map_err(|_| Error::Setting { what: "a value that is sent as a header", source: None })?;
        self.headers.insert(HeaderName::from_static(name), value);
        Ok(self)
    }

    pub(super) fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body)
            .map_err(|_| Error::Setting { what: "a value that is sent as JSON", source: None })?;
        self.body = Some(Zeroizing::new(body));
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(self)
    }

    /// Says that its body holds this secret, so that it is not repeated where the answer does.
    pub(super) fn hiding(mut self, secret: &Secret) -> Self {
        self.secrets.push(secret.clone());
        self
    }

    /// Says whether its turn in the rate budget was taken before.
    pub(super) fn with_turn(mut self, paid: bool) -> Self {
        self.paid = paid;
        self
    }

    pub(super) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Takes a redirect for a good answer, for what stands in its `Location`; it is not followed either.
    pub(super) fn redirect_answers(mut self) -> Self {
        self.redirect_answers = true;
        self
    }

    /// The API that it is part of: a word for metrics, of which there are few.
    pub(super) fn family(&self) -> &'static str {
        match self.api.split('.').next().unwrap_or_default() {
            "tenants" => "tenants",
            "licenses" => "licenses",
            "oauth_clients" => "oauth-clients",
            "identity_providers" => "identity-providers",
            "users" => "users",
            "organization" => "organization",
            "token" => "oauth-token",
            "oauth" => "oauth-metadata",
            _ => "other",
        }
    }

    /// Its method: a word for metrics.
    pub(super) fn verb(&self) -> &'static str {
        match self.method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::PATCH => "PATCH",
            Method::PUT => "PUT",
            Method::DELETE => "DELETE",
            _ => "other",
        }
    }

    pub(super) fn url(&self, host: &Hostname) -> Result<Url, Error> {
        let mut url = Url::parse(&format!("https://{host}/"))
            .map_err(|_| Error::Setting { what: "a hostname of Qlik Cloud", source: None })?;
        url.set_path(&self.path);
        url.set_query(self.query.as_deref());
        Ok(url)
    }
}
