//! Traces by OTLP/HTTP. Spans wait in a bounded queue and go out beside the passes: a collector that is slow or away costs
//! spans, never time.

use opentelemetry::KeyValue;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use url::Url;

/// One export is given up after this time.
const DEADLINE: Duration = Duration::from_secs(10);

/// Makes what exports to this collector; nothing is sent yet.
pub(super) fn provider(endpoint: &str, runtime: &Handle) -> Result<SdkTracerProvider, String> {
    let problem = |why: String| format!("--otlp-endpoint {endpoint:?}: {why}");
    let url = Url::parse(endpoint).map_err(|e| problem(e.to_string()))?;
    if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
        return Err(problem("it must be an address such as http://collector:4318".to_owned()));
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(DEADLINE)
        .with_http_client(Collector::new(&url, runtime).map_err(|e| problem(e.to_string()))?)
        .build()
        .map_err(|e| problem(e.to_string()))?;
    let resource = Resource::builder()
        .with_service_name(env!("CARGO_PKG_NAME"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build())
}

/// The connection to the collector. Spans are exported by a thread outside of the runtime, requests are made inside it.
#[derive(Debug)]
struct Collector {
    http: reqwest::Client,
    runtime: Handle,
    /// Whether the last export went well: only changes are logged.
    away: Arc<AtomicBool>,
}

impl Collector {
    fn new(endpoint: &Url, runtime: &Handle) -> Result<Self, reqwest::Error> {
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("qlik-operator/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(DEADLINE);
        if endpoint.scheme() == "http" {
            // No certificate is needed then, and none need be on this machine.
            http = http.tls_certs_only([]);
        }
        Ok(Self { http: http.build()?, runtime: runtime.clone(), away: Arc::default() })
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Collector {
    fn send_bytes<'a: 'b, 'b>(&'a self, request: Request<Bytes>) -> Sending<'b>
    where
        Self: 'b,
    {
        let http = self.http.clone();
        let sending = self.runtime.spawn(async move { send(&http, request).await });
        Box::pin(async move {
            let answer = sending.await.map_err(HttpError::from).flatten();
            self.tell(&answer);
            answer
        })
    }
}

async fn send(http: &reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (parts, body) = request.into_parts();
    let request = http.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
    let answer = request.send().await?;
    let status = answer.status();
    let body = answer.bytes().await?;
    Ok(Response::builder().status(status).body(body)?)
}

impl Collector {
    /// Logs that the collector is away, and that it is back.
    fn tell(&self, answer: &Result<Response<Bytes>, HttpError>) {
        let trouble = match answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("the collector answers {}", answer.status().as_u16())),
            Err(error) => Some(crate::engine::chain(&**error)),
        };
        match (self.away.swap(trouble.is_some(), Ordering::Relaxed), trouble) {
            (false, Some(trouble)) => tracing::warn!(error = trouble, "traces cannot be exported; the work goes on"),
            (true, None) => tracing::info!("traces are exported again"),
            (true, Some(_)) | (false, None) => {}
        }
    }
}
