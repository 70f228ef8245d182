//! A loopback TLS server for the wire tests. A test gives it a function from request to answer; it keeps a journal.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::{Cloud, Credential, Endpoints, Secret, TenantHost, TenantId};
use crate::clock::Clock;

/// What a request looked like, and what is answered: `None` breaks the connection without a word.
pub(super) type Handler = dyn Fn(&Request<Bytes>) -> Option<Response<Body>> + Send + Sync;

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) ca_pem: Vec<u8>,
    pub(super) clock: Clock,
    journal: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Starts one that asks `handler` and offers both protocols, as Qlik Cloud does.
    pub(super) async fn start(
        handler: impl Fn(&Request<Bytes>) -> Option<Response<Body>> + Send + Sync + 'static,
    ) -> Self {
        let names = ["acme.us.qlikcloud.com", "register.us.qlikcloud.com", "console.qlikcloud.com"];
        let made = rcgen::generate_simple_self_signed(names.map(str::to_owned)).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        tls.alpn_protocols = ["h2", "http/1.1"].map(|name| name.as_bytes().to_vec()).into();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let journal = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), Arc::new(handler), journal.clone()));
        let clock = Clock::by_hand("2026-11-24T12:00:00Z".parse().unwrap());
        Self { address, ca_pem: made.cert.pem().into_bytes(), clock, journal, task }
    }

    pub(super) fn cloud(&self) -> Cloud {
        let endpoints = Endpoints {
            domain: "qlikcloud.com".parse().unwrap(),
            ca_pem: Some(self.ca_pem.clone()),
            connect_to: Some(self.address),
        };
        Cloud::new(endpoints, self.clock.clone()).unwrap()
    }

    /// Method and path of each request so far.
    pub(super) fn journal(&self) -> Vec<String> {
        self.journal.lock().unwrap().clone()
    }

    pub(super) fn count(&self, request: &str) -> usize {
        self.journal().iter().filter(|seen| seen.as_str() == request).count()
    }
}

/// Ends with the server: the connections' tasks are aborted when the set is dropped.
async fn serve(listener: TcpListener, tls: TlsAcceptor, handler: Arc<Handler>, journal: Arc<Mutex<Vec<String>>>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (tls, handler, journal) = (tls.clone(), handler.clone(), journal.clone());
        connections.spawn(async move {
            let Ok(stream) = tls.accept(tcp).await else { return };
            let service = service_fn(|request: Request<Incoming>| {
                let (handler, journal) = (handler.clone(), journal.clone());
                async move {
                    let (parts, body) = request.into_parts();
                    let body = axum::body::to_bytes(Body::new(body), usize::MAX).await.unwrap();
                    journal.lock().unwrap().push(format!("{} {}", parts.method, parts.uri.path()));
                    let request = Request::from_parts(parts, body);
                    handler(&request).ok_or_else(|| std::io::Error::other("break"))
                }
            });
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what a handler gives back")]
pub(super) fn answer(status: u16, body: &str) -> Option<Response<Body>> {
    Some(Response::builder().status(status).body(Body::from(body.to_owned())).unwrap())
}

/// An answer to a token request.
pub(super) fn token(value: &str) -> Option<Response<Body>> {
    answer(200, &format!(r#"{{"access_token":"{value}","token_type":"Bearer","expires_in":21600}}"#))
}

pub(super) fn is_token(request: &Request<Bytes>) -> bool {
    request.uri().path() == "/oauth/token"
}

pub(super) fn credential() -> Credential {
    Credential { client_id: "client".parse().unwrap(), client_secret: Secret::new("canary-client-secret") }
}

pub(super) fn acme(cloud: &Cloud) -> TenantHost {
    cloud.hosts().tenant(&"acme.us.qlikcloud.com".parse().unwrap(), super::Region::Us).unwrap()
}

pub(super) fn tenant_id() -> TenantId {
    "TiQ8GPVr8qI714Lp5ChAAFFaU24MJy69".parse().unwrap()
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
