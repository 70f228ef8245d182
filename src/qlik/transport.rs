//! One HTTPS request and its answer: deadlines, size caps, the `Date` header, and no surprises. Nothing is retried here
//! and no redirect is followed, so a call happens at most once and only where it was meant to.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::{AUTHORIZATION, DATE, HeaderName, HeaderValue, RETRY_AFTER};
use serde::de::DeserializeOwned;
use tracing::Instrument;
use zeroize::Zeroizing;

use super::call::Call;
use super::classify::{Asked, classify, http_date, retry_after};
use super::envelope::{Envelope, tame};
use super::error::Error;
use super::ids::Hostname;
use super::last_look::LastLook;
use super::secret::Secret;
use crate::clock::Clock;
use crate::metrics::Calls;
use crate::term::Term;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BODY: usize = 1024 * 1024;
/// With thousands of tenants, each a host of its own, idle connections are not kept for long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Where Qlik Cloud is: settings of the operator, never of an object.
#[derive(Clone)]
pub struct Endpoints {
    /// The domain under which every host is, normally `qlikcloud.com`.
    pub domain: Hostname,
    /// PEM certificates that are trusted *instead of* the system's roots.
    pub ca_pem: Option<Vec<u8>>,
    /// Connect here whatever the host; TLS still checks the host's name. Turns proxies of the environment off.
    pub connect_to: Option<SocketAddr>,
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints")
            .field("domain", &self.domain)
            .field("ca_pem", &self.ca_pem.as_ref().map(|_| ".."))
            .field("connect_to", &self.connect_to)
            .finish()
    }
}

/// A good answer. The body may hold secrets: it does not print and is wiped.
pub(super) struct Answer {
    pub(super) host: Hostname,
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// A header, if it is there and text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Reads the body. What the parser complains about is not passed on: it may quote the body.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|_| self.malformed("it is not the JSON that this call answers"))
    }

    /// A body that is not needed. None is fine; one that is no JSON comes from somebody who stands in front of Qlik Cloud,
    /// and then the call may never have got there.
    pub(super) fn optional_json(&self) -> Result<serde_json::Value, Error> {
        if self.body.trim_ascii().is_empty() { Ok(serde_json::Value::Null) } else { self.json() }
    }

    pub(super) fn malformed(&self, reason: &'static str) -> Error {
        Error::Malformed { host: self.host.clone(), reason }
    }
}

#[derive(Clone)]
pub(super) struct Transport {
    http: reqwest::Client,
    clock: Clock,
    calls: Calls,
    term: Term,
}

/// Sends every host to one address.
struct Fixed(SocketAddr);

impl reqwest::dns::Resolve for Fixed {
    fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let addresses: reqwest::dns::Addrs = Box::new(std::iter::once(self.0));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

impl Transport {
    pub(super) fn new(endpoints: &Endpoints, clock: Clock) -> Result<Self, Error> {
        let setting = |what| move |error| Error::Setting { what, source: Some(Arc::new(error)) };
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("qlik-operator/", env!("CARGO_PKG_VERSION")))
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // See `LastLook`. Calls to one tenant are few at a time, so they miss little.
            .http1_only()
            // A POST goes out once, whoever turns it away.
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT);
        if let Some(pem) = &endpoints.ca_pem {
            let roots = reqwest::Certificate::from_pem_bundle(pem).map_err(setting("the CA file"))?;
            if roots.is_empty() {
                return Err(Error::Setting { what: "a CA file without a certificate", source: None });
            }
            builder = builder.tls_certs_only(roots);
        }
        if let Some(address) = endpoints.connect_to {
            builder = builder.no_proxy().dns_resolver(Arc::new(Fixed(address)));
        }
        let http = builder.build().map_err(setting("the TLS settings"))?;
        Ok(Self { http, clock, calls: Calls::default(), term: Term::unlimited() })
    }

    /// Sends no call that changes something once this time is over.
    pub(super) fn within(mut self, term: Term) -> Self {
        self.term = term;
        self
    }

    /// Whether calls that change something are sent now.
    pub(super) fn leads(&self) -> bool {
        self.term.holds(self.clock.monotonic())
    }

    /// Where the requests are counted.
    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Sends one call, once. Logs what happened, never what was in it.
    pub(super) async fn send(
        &self,
        asked: Asked,
        host: &Hostname,
        call: &Call,
        token: Option<&Secret>,
    ) -> Result<Answer, Error> {
        use tracing::field::Empty;
        let span = tracing::debug_span!(
            "qlik.call", api = call.api, method = %call.method, %host, status = Empty, outcome = Empty,
            duration_ms = Empty, trace_id = Empty
        );
        async {
            let start = self.clock.monotonic();
            let outcome = self.exchange(asked, host, call, token).await;
            let took = self.clock.monotonic().saturating_sub(start);
            let span = tracing::Span::current();
            let class = outcome.as_ref().map_or_else(|error| error.class().label(), |_| "success");
            self.calls.ended(call.family(), call.verb(), (class, took));
            span.record("outcome", class);
            span.record("duration_ms", u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            match &outcome {
                Ok(_) => tracing::debug!(outcome = "ok"),
                Err(error) => {
                    if let Some(trace_id) = error.reply().and_then(|reply| reply.trace_id.as_deref()) {
                        span.record("trace_id", trace_id);
                    }
                    tracing::debug!(outcome = error.label());
                }
            }
            outcome
        }
        .instrument(span)
        .await
    }

    async fn exchange(
        &self,
        asked: Asked,
        host: &Hostname,
        call: &Call,
        token: Option<&Secret>,
    ) -> Result<Answer, Error> {
        let mut headers = call.headers.clone();
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, bearer(token)?);
        }
        let mut request =
            self.http.request(call.method.clone(), call.url(host)?).headers(headers).timeout(call.deadline);
        if let Some(body) = &call.body {
            let last_look = LastLook::new(body.to_vec(), self.term.clone(), self.clock.clone());
            request = request.body(reqwest::Body::wrap(last_look));
        }
        let mut response = request.send().await.map_err(|error| broken(host, call.deadline, error))?;
        let status = response.status();
        tracing::Span::current().record("status", status.as_u16());
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        if let Some(date) = header(DATE).and_then(http_date) {
            self.clock.saw_qlik_date(date);
        }
        let wait = retry_after(header(RETRY_AFTER), self.clock.now());
        // Some of Qlik's APIs put the trace id there instead of into the body.
        let trace_id = header(HeaderName::from_static("x-b3-traceid")).map(tame);
        let headers = std::mem::take(response.headers_mut());
        let body = read_body(host, call.deadline, &mut response).await;
        if status.is_success() || (call.redirect_answers && status.is_redirection()) {
            if let Some(trace_id) = trace_id {
                tracing::Span::current().record("trace_id", trace_id);
            }
            return Ok(Answer { host: host.clone(), status: status.as_u16(), headers, body: body? });
        }
        // The status alone says whether the call took effect, so a body that cannot be read makes no difference.
        let mut envelope = body.map(|body| Envelope::read(&body, &call.secrets)).unwrap_or_default();
        envelope.trace_id = envelope.trace_id.or(trace_id);
        Err(classify(asked, host, status.as_u16(), envelope, wait))
    }
}

/// Marked sensitive, so that no layer below prints it.
fn bearer(token: &Secret) -> Result<HeaderValue, Error> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut value =
        HeaderValue::from_str(&text).map_err(|_| Error::Setting { what: "an access token", source: None })?;
    value.set_sensitive(true);
    Ok(value)
}

async fn read_body(
    host: &Hostname,
    deadline: Duration,
    response: &mut reqwest::Response,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(host, deadline, error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Error::TooLarge { host: host.clone() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Which error of ours an error of reqwest is. Only one that is surely from before the sending counts as unsent.
fn broken(host: &Hostname, after: Duration, error: reqwest::Error) -> Error {
    let host = host.clone();
    let error = error.without_url();
    if error.is_connect() {
        Error::Unreachable { host, source: Arc::new(error) }
    } else if error.is_builder() {
        Error::Setting { what: "a request", source: Some(Arc::new(error)) }
    } else if error.is_timeout() {
        Error::Deadline { host, after }
    } else {
        Error::NoAnswer { host, source: Arc::new(error) }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures::stream;
    use http::{Method, Response};

    use super::super::error::Effect;
    use super::super::testing::Server;
    use super::*;

    #[tokio::test]
    async fn the_deadline_covers_the_body_and_the_protocol_is_1_1() {
        let server = Server::start(|request| {
            assert_eq!(request.version(), http::Version::HTTP_11);
            let never = stream::pending::<Result<&str, std::io::Error>>();
            Some(Response::new(Body::from_stream(never)))
        })
        .await;
        let endpoints = Endpoints {
            domain: "qlikcloud.com".parse().unwrap(),
            ca_pem: Some(server.ca_pem.clone()),
            connect_to: Some(server.address),
        };
        let transport = Transport::new(&endpoints, server.clock.clone()).unwrap();
        let call = Call::new("test", Method::POST, "/").deadline(Duration::from_millis(200));
        let host = "acme.us.qlikcloud.com".parse().unwrap();
        let error = transport.send(Asked::Api, &host, &call, None).await.err().unwrap();
        assert_eq!((error.label(), error.effect()), ("deadline", Effect::Unknown));
        assert_eq!(server.journal(), ["POST /"]);
    }

    /// The lease ends while the connection is being made, before its handshake.
    #[tokio::test]
    async fn a_call_whose_term_ends_in_the_handshake_is_not_made() {
        let server = Server::start(|_| super::super::testing::answer(200, "{}")).await;
        let way = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (clock, behind, address) = (server.clock.clone(), server.address, way.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut near, _)) = way.accept().await {
                clock.turn(jiff::SignedDuration::ZERO, Duration::from_secs(20));
                let mut far = tokio::net::TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            }
        });
        let endpoints = Endpoints {
            domain: "qlikcloud.com".parse().unwrap(),
            ca_pem: Some(server.ca_pem.clone()),
            connect_to: Some(address),
        };
        let term = Term::not_begun();
        let transport = Transport::new(&endpoints, server.clock.clone()).unwrap().within(term.clone());
        let host = "acme.us.qlikcloud.com".parse().unwrap();
        let call = Call::new("test", Method::POST, "/").json(&serde_json::json!({})).unwrap();
        for (until, seen) in [(10, 0), (60, 1)] {
            term.set(Duration::from_secs(until));
            let made = transport.send(Asked::Api, &host, &call, None).await;
            assert_eq!((made.is_ok(), server.journal().len()), (seen == 1, seen));
        }
    }

    #[test]
    fn paths_and_queries_cannot_leave_the_host() {
        let host = "acme.us.qlikcloud.com".parse().unwrap();
        let url = Call::new("test", Method::GET, "//evil.example/?x#y").query("a=b#c".into()).url(&host).unwrap();
        assert_eq!(url.host_str(), Some("acme.us.qlikcloud.com"));
        assert_eq!((url.query(), url.fragment()), (Some("a=b%23c"), None));
    }
}
