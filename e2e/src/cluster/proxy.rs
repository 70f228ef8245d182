//! A proxy in front of the API server for one operator process, with a say in what becomes of its requests.
//!
//! It speaks plain HTTP on loopback and forwards with that operator's own client certificate, so that RBAC and the
//! audit log see the operator. Connections that are handed over (exec, port-forward) are not supported.
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, Bytes};
use futures::stream;
use http::{HeaderMap, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::Cluster;
use super::error::{Error, kube_error};
use super::identity::{Certified, Identity};
use super::kubeconfig::{Access, load};

/// A request that has not been forwarded yet.
#[derive(Debug, Clone)]
pub struct Call {
    /// The HTTP method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query, empty when there is none.
    pub query: String,
    /// Whether it asks for a stream of changes.
    pub is_watch: bool,
}

/// A request that the API server has answered.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its number among the answered ones, from 1.
    pub seq: u64,
    /// The HTTP method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query, empty when there is none.
    pub query: String,
    /// The answer's status.
    pub status: StatusCode,
    /// Whether it asked for a stream of changes; those are not shown to [`Hooks::after_request`].
    pub is_watch: bool,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// The API server gets it.
    Forward,
    /// It is answered with this status without reaching the API server.
    Fail(StatusCode),
    /// The connection is closed without an answer.
    Drop,
    /// There is never an answer.
    Hang,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It is passed on.
    Answer,
    /// The connection is closed without it.
    Drop,
}

type BeforeRequest = Arc<dyn Fn(&Call) -> Before + Send + Sync>;
type AfterRequest = Arc<dyn Fn(&Request) -> After + Send + Sync>;

/// The say that a test has; by default everything passes.
#[derive(Clone)]
pub struct Hooks {
    before_request: BeforeRequest,
    after_request: AfterRequest,
    watches: watch::Receiver<bool>,
}

impl Hooks {
    /// Asked before each request is forwarded, watches included.
    #[must_use]
    pub fn before_request(mut self, hook: impl Fn(&Call) -> Before + Send + Sync + 'static) -> Self {
        self.before_request = Arc::new(hook);
        self
    }

    /// Asked when the API server has answered in full and the answer is not yet passed on, watches excluded.
    #[must_use]
    pub fn after_request(mut self, hook: impl Fn(&Request) -> After + Send + Sync + 'static) -> Self {
        self.after_request = Arc::new(hook);
        self
    }

    /// Streams are passed on while this says true. What comes meanwhile is passed on later, as by a slow API server.
    #[must_use]
    pub fn watches(mut self, flow: watch::Receiver<bool>) -> Self {
        self.watches = flow;
        self
    }
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            before_request: Arc::new(|_| Before::Forward),
            after_request: Arc::new(|_| After::Answer),
            watches: watch::channel(true).1,
        }
    }
}

/// A running proxy; dropping it closes all its connections.
pub struct Proxy {
    address: SocketAddr,
    kubeconfig: PathBuf,
    upstream: Arc<Upstream>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts one that forwards as `identity`. It runs in the caller's runtime.
    pub async fn start(cluster: &Cluster, identity: &Identity, hooks: Hooks) -> Result<Self, Error> {
        let no_certificate =
            || Error::Unsupported("a proxy needs an identity that has a client certificate".to_owned());
        let certified = identity.certified.as_ref().ok_or_else(no_certificate)?;
        let upstream = Arc::new(Upstream {
            client: client(certified)?,
            server: cluster.server.trim_end_matches('/').to_owned(),
            hooks,
            finished: AtomicU64::new(0),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let kubeconfig = cluster.new_file("proxy", "kubeconfig");
        let server = format!("http://{address}");
        Access { server: &server, authority: None, credentials: None, token: None }.write(&kubeconfig)?;
        let task = tokio::spawn(accept(listener, Arc::clone(&upstream)));
        Ok(Self { address, kubeconfig, upstream, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The kubeconfig file for the operator.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A client that goes through the proxy.
    pub async fn client(&self) -> Result<kube::Client, Error> {
        kube::Client::try_from(load(&self.kubeconfig).await?).map_err(kube_error("make a client"))
    }

    /// How many requests the API server has answered, watches excluded, answers that were dropped included.
    pub fn finished(&self) -> u64 {
        self.upstream.finished.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without an answer")]
struct Closed;

async fn accept(listener: TcpListener, upstream: Arc<Upstream>) {
    // Owned by this task: aborting it ends them all.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let upstream = Arc::clone(&upstream);
        let serve = service_fn(move |request| {
            let upstream = Arc::clone(&upstream);
            async move { upstream.serve(request).await }
        });
        connections.spawn(async move {
            // It ends with an error whenever a hook wants it closed or the operator dies: the point of it all.
            let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), serve).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

struct Upstream {
    client: reqwest::Client,
    server: String,
    hooks: Hooks,
    finished: AtomicU64,
}

impl Upstream {
    async fn serve(&self, request: http::Request<Incoming>) -> Result<Response<Body>, Closed> {
        let call = Call::of(&request);
        match (self.hooks.before_request)(&call) {
            Before::Forward => {}
            Before::Fail(status) => return Ok(failure(status)),
            Before::Drop => return Err(Closed),
            Before::Hang => std::future::pending().await,
        }
        let answer = self.forward(request).await.map_err(|_| Closed)?;
        if call.streams() {
            return Ok(passed_on(&answer, answer.status()).map(|()| streamed(answer, self.hooks.watches.clone())));
        }
        let head = passed_on(&answer, answer.status());
        let body = answer.bytes().await.map_err(|_| Closed)?;
        let seq = self.finished.fetch_add(1, Ordering::SeqCst) + 1;
        match (self.hooks.after_request)(&call.answered(seq, head.status())) {
            After::Answer => Ok(head.map(|()| Body::from(body))),
            After::Drop => Err(Closed),
        }
    }

    async fn forward(&self, request: http::Request<Incoming>) -> Result<reqwest::Response, Closed> {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let body: Bytes = axum::body::to_bytes(Body::new(body), usize::MAX).await.map_err(|_| Closed)?;
        let mut headers = head.headers;
        headers.remove(header::HOST);
        remove_hop_by_hop(&mut headers);
        let request = self.client.request(head.method, format!("{}{path}", self.server)).headers(headers);
        // An API server that is down looks to the operator as it would without the proxy: no answer.
        request.body(body).send().await.map_err(|_| Closed)
    }
}

impl Call {
    fn of(request: &http::Request<Incoming>) -> Self {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let is_watch = has_flag(&query, "watch");
        Self { method: request.method().clone(), path: request.uri().path().to_owned(), query, is_watch }
    }

    /// Whether the answer comes bit by bit; a container's log may be followed, too.
    fn streams(&self) -> bool {
        self.is_watch || has_flag(&self.query, "follow")
    }

    fn answered(self, seq: u64, status: StatusCode) -> Request {
        let Self { method, path, query, is_watch } = self;
        Request { seq, method, path, query, status, is_watch }
    }
}

fn has_flag(query: &str, name: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(key, value)| key == name && (value == "true" || value == "1"))
}

/// One connection for each request under way, as a client of the API server without HTTP/2 would have: closing one
/// ends that request and no other.
fn client(certified: &Certified) -> Result<reqwest::Client, Error> {
    let Certified { credentials, authority } = certified;
    let identity = format!("{}{}", credentials.certificate, credentials.key);
    Ok(reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(authority.as_bytes())?])
        .identity(reqwest::Identity::from_pem(identity.as_bytes())?)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .http1_only()
        .build()?)
}

/// The head of the answer, to be passed on.
fn passed_on(answer: &reqwest::Response, status: StatusCode) -> Response<()> {
    let mut head = Response::new(());
    *head.status_mut() = status;
    *head.headers_mut() = answer.headers().clone();
    remove_hop_by_hop(head.headers_mut());
    head
}

/// Passes a body on as it comes. A break in it is passed on as one.
fn streamed(answer: reqwest::Response, flow: watch::Receiver<bool>) -> Body {
    Body::from_stream(stream::try_unfold((answer, flow), |(mut answer, mut flow)| async move {
        let chunk = answer.chunk().await?;
        // Nobody is left who could hold it back: it flows.
        let _ = flow.wait_for(|flows| *flows).await;
        Ok::<_, reqwest::Error>(chunk.map(|chunk| (chunk, (answer, flow))))
    }))
}

/// RFC 9110, section 7.6.1: these speak about one connection only.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::TE, header::TRAILER] {
        headers.remove(name);
    }
}

/// A failure as the API server itself would put it.
fn failure(status: StatusCode) -> Response<Body> {
    let reason = status.canonical_reason().unwrap_or_default();
    let body = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "refused by the test", "reason": reason.replace(' ', ""), "code": status.as_u16(),
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
