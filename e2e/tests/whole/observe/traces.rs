//! Traces as a collector receives them, and what becomes of the work when there is none.

use super::support::Shown;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use e2e::canary::Canary;
use e2e::process::Exit;
use e2e::stage::{Error, Inside, PATIENCE, Setup, Stage, client_manifest, in_phase, is_ready, manifest};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a collector was sent, as bytes.
type Bodies = Arc<Mutex<Vec<Bytes>>>;

/// A collector, which ends with the test's runtime.
struct Collector {
    address: SocketAddr,
    bodies: Bodies,
}

impl Collector {
    async fn start() -> Self {
        let bodies = Bodies::default();
        let routes = axum::Router::new().route("/v1/traces", post(receive)).with_state(bodies.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, bodies }
    }

    fn bodies(&self) -> Vec<Bytes> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        self.bodies().into_iter().map(|body| ExportTraceServiceRequest::decode(body).unwrap()).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let resources = self.requests().into_iter().flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }
}

async fn receive(State(bodies): State<Bodies>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    bodies.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    StatusCode::OK
}

/// An attribute of a span, as text.
fn attribute(span: &Span, key: &str) -> Option<String> {
    let value = span.attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
    Some(match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

fn is(span: &Span, name: &str, attributes: &[(&str, &str)]) -> bool {
    span.name == name && attributes.iter().all(|(key, value)| attribute(span, key).as_deref() == Some(value))
}

fn hex(id: &[u8]) -> String {
    use std::fmt::Write;
    id.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Onboards `acme` with a client inside.
async fn onboard(stage: &Stage) {
    stage.apply(&manifest("acme", "alias: acme")).await.unwrap();
    stage.until("acme", "is ready", |t| is_ready(t) && in_phase(t, "Ready")).await.unwrap();
    stage.apply(&client_manifest("app", "acme", super::metrics::MACHINE)).await.unwrap();
    stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
}

#[tokio::test]
async fn passes_are_traced_with_the_calls_in_them_and_without_secrets() {
    let canary = e2e::canary::word();
    // What is traced does not follow from what is logged.
    let mut setup = Setup { log: "warn,qlik_operator=info".to_owned(), ..Setup::new("traces") };
    setup.sim.secret_prefix.clone_from(&canary);
    let (collector, stage) = (Collector::start().await, Stage::new(setup).await.unwrap());
    let shown = Shown::start(&stage, &["--otlp-endpoint", &format!("http://{}/", collector.address)]).await;
    onboard(&stage).await;
    let traces = |scrape: &e2e::openmetrics::Scrape| -> BTreeSet<String> {
        let buckets = scrape.all("qlik_operator_pass_duration_seconds_bucket");
        buckets.iter().filter_map(|sample| sample.exemplar.as_ref()?.get("trace_id").cloned()).collect()
    };
    let exemplars = traces(&shown.scrape().await.unwrap());
    assert!(!exemplars.is_empty(), "a bucket names a trace");
    // What is still waiting goes out at the end.
    shown.operator.terminate().unwrap();
    assert_eq!(shown.operator.wait(PATIENCE).await.unwrap(), Exit::Code(0));
    let spans = collector.spans();
    passes(&spans, stage.ns());
    let exported: BTreeSet<_> = spans.iter().map(|span| hex(&span.trace_id)).collect();
    assert!(exemplars.is_subset(&exported), "{exemplars:?} is not in {exported:?}");
    let resource = collector.requests()[0].resource_spans[0].resource.clone().unwrap();
    let name = resource.attributes.iter().find(|attribute| attribute.key == "service.name").unwrap().value.clone();
    assert_eq!(name.unwrap().value, Some(Value::StringValue("qlik-operator".to_owned())));
    let bird = Canary::new([&canary]);
    for body in collector.bodies() {
        assert!(!bird.is_in(&String::from_utf8_lossy(&body)), "a secret is in the traces");
    }
    assert!(bird.is_in(&stage.read_secret("app").await.unwrap()["clientSecret"]), "the canary flies");
    let log = shown.operator.log().unwrap();
    assert!(log.contains("\"message\":\"started\"") && !log.contains("\"span"), "log lines are as they were: {log}");
}

/// Each pass is a trace of its own, with what it did in it.
fn passes(spans: &[Span], namespace: &str) {
    let names: BTreeSet<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["kubernetes.request", "pass", "qlik.call"]));
    let of_acme = [("kind", "QlikTenant"), ("namespace", namespace), ("name", "acme"), ("generation", "1")];
    let acme: Vec<_> = spans.iter().filter(|span| is(span, "pass", &of_acme)).collect();
    assert!(acme.iter().any(|span| is(span, "pass", &[("outcome", "settled")])), "{acme:#?}");
    for span in spans {
        if span.name == "pass" {
            assert!(span.parent_span_id.is_empty() && attribute(span, "uid").is_some_and(|uid| uid.len() == 36));
            continue;
        }
        let parent = |it: &&Span| it.span_id == span.parent_span_id && it.trace_id == span.trace_id;
        assert!(spans.iter().any(|it| parent(&it)), "{span:#?} is in no pass");
        assert!(attribute(span, "outcome").is_some(), "{span:#?}");
    }
    let inside = |name: &str, attributes: &[(&str, &str)]| {
        spans
            .iter()
            .any(|span| is(span, name, attributes) && acme.iter().any(|pass| pass.span_id == span.parent_span_id))
    };
    let create = [("api", "tenants.create"), ("method", "POST"), ("status", "201"), ("outcome", "success")];
    assert!(inside("qlik.call", &create));
    assert!(inside("qlik.call", &[("api", "token"), ("outcome", "success")]));
    for what in ["hold the object", "write what a call made", "write the id to the status"] {
        assert!(inside("kubernetes.request", &[("what", what), ("outcome", "ok")]), "{what}");
    }
}

/// A collector that is away, and one that takes everything and says nothing.
#[tokio::test]
async fn without_a_collector_the_work_goes_on() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (address, says_so) in [(away, true), (silent.local_addr().unwrap(), false)] {
        let stage = Stage::new(Setup::new("traces-away")).await.unwrap();
        let endpoint = format!("http://{address}");
        let operator = stage.operator_with(stage.identity.kubeconfig(), &["--otlp-endpoint", &endpoint]).await.unwrap();
        onboard(&stage).await;
        let told = |line: &str| line.contains("traces cannot be exported; the work goes on");
        if says_so {
            operator.wait_for_line(PATIENCE, told).await.unwrap();
        }
        let since = Instant::now();
        operator.terminate().unwrap();
        let exit: Result<Exit, Error> = operator.wait(PATIENCE).await.map_err(Into::into);
        assert_eq!(exit.unwrap(), Exit::Code(0));
        assert!(since.elapsed() < Duration::from_secs(20), "it ended only after {:?}", since.elapsed());
        let log = operator.log().unwrap();
        assert!(!log.contains("the pass failed"), "{log}");
        assert!(log.lines().filter(|line| told(line)).count() <= 1, "it is told once: {log}");
    }
}
