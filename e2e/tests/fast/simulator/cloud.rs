//! A running simulator with a client that finds its virtual hosts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use e2e::sim::{Config, Credentials, Running, Sim};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// Every name is this machine; the port comes from the URL.
struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, _: Name) -> Resolving {
        let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Box::pin(async move { Ok(Box::new(std::iter::once(here)) as Addrs) })
    }
}

pub(crate) const REGISTER: &str = "register.us.qlikcloud.com";
pub(crate) const CONSOLE: &str = "console.qlikcloud.com";

/// A simulator and a client.
pub(crate) struct Cloud {
    pub(crate) sim: Running,
    pub(crate) http: Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// Status and first error code.
    pub(crate) fn error(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["errors"][0]["code"].as_str().unwrap_or_default())
    }
}

impl Cloud {
    pub(crate) fn start() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let sim = Sim::start(config).unwrap();
        let ca = Certificate::from_pem(&std::fs::read(sim.ca_file().unwrap()).unwrap()).unwrap();
        let http = Client::builder()
            .tls_certs_only([ca])
            .dns_resolver(Arc::new(Loopback))
            .redirect(Policy::none())
            .build()
            .unwrap();
        Self { sim, http }
    }

    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.sim.tls().unwrap().port())
    }

    pub(crate) fn request(&self, method: Method, host: &str, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(host, path))
    }

    pub(crate) async fn answer(request: RequestBuilder) -> Answer {
        read(request.send().await.unwrap()).await
    }

    pub(crate) fn us(&self) -> Credentials {
        self.sim.ready().regional["us"].clone()
    }

    pub(crate) async fn ask_token(&self, host: &str, credentials: &Credentials) -> Answer {
        let body = json!({
            "grant_type": "client_credentials",
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
        });
        Self::answer(self.request(Method::POST, host, "/oauth/token").json(&body)).await
    }

    pub(crate) async fn token(&self, host: &str, credentials: &Credentials) -> String {
        let answer = self.ask_token(host, credentials).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["access_token"].as_str().unwrap().to_owned()
    }

    /// A call with a fresh token of that very host.
    pub(crate) async fn call(&self, method: Method, host: &str, path: &str, body: Option<Value>) -> Answer {
        let credentials = if host == CONSOLE { self.sim.ready().organization.clone() } else { self.us() };
        let token = self.token(host, &credentials).await;
        let mut request = self.request(method, host, path).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Self::answer(request).await
    }

    pub(crate) async fn get(&self, host: &str, path: &str) -> Answer {
        self.call(Method::GET, host, path, None).await
    }

    /// Creates a tenant over the API; its id and host name.
    pub(crate) async fn tenant(&self) -> (String, String) {
        let key = &self.sim.ready().license_key;
        let answer = self.call(Method::POST, REGISTER, "/api/v1/tenants", Some(json!({ "licenseKey": key }))).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&answer.body["id"]), text(&answer.body["hostnames"][0]))
    }

    /// Calls an action on the register host with a confirm header.
    pub(crate) async fn action(&self, id: &str, action: &str, confirm: Option<&str>, body: Option<Value>) -> Answer {
        let token = self.token(REGISTER, &self.us()).await;
        let path = format!("/api/v1/tenants/{id}/actions/{action}");
        let mut request = self.request(Method::POST, REGISTER, &path).bearer_auth(token);
        if let Some(hostname) = confirm {
            request = request.header("qlik-confirm-hostname", hostname);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        Self::answer(request).await
    }
}

pub(crate) async fn read(response: Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.unwrap();
    Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
}
