//! Faults and hooks: what the client sees, and what happened nevertheless.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use e2e::sim::{After, Config, Effect, Entry, FaultPlan, Match, Trickle, When};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::cloud::{Cloud, REGISTER};

const CREATE: &str = "/api/v1/tenants";

struct Scene {
    cloud: Cloud,
    token: String,
}

impl Scene {
    async fn new() -> Self {
        Self::with(Config::default()).await
    }

    async fn with(config: Config) -> Self {
        let cloud = Cloud::with(config);
        let token = cloud.token(REGISTER, &cloud.us()).await;
        Self { cloud, token }
    }

    fn create(&self) -> RequestBuilder {
        let body = json!({ "licenseKey": self.cloud.sim.ready().license_key });
        self.cloud.request(Method::POST, REGISTER, CREATE).bearer_auth(&self.token).json(&body)
    }

    fn plan(&self, effect: Effect) {
        self.cloud.sim.fault(FaultPlan::new(Match::on("POST", CREATE), effect));
    }

    fn tenants(&self) -> usize {
        self.cloud.sim.tenants().len()
    }
}

#[tokio::test]
async fn dropped_connections_commit_or_not() {
    let scene = Scene::new().await;
    for (when, tenants) in [(When::Before, 0), (When::After, 1)] {
        scene.plan(Effect::Drop(when));
        assert!(scene.create().send().await.is_err());
        assert_eq!(scene.tenants(), tenants);
    }
    let journal = scene.cloud.sim.journal();
    let drops: Vec<_> = journal.iter().filter(|entry| entry.path == CREATE).collect();
    assert_eq!(drops.iter().map(|entry| entry.status).collect::<Vec<_>>(), [None, None]);
    assert_eq!(drops.iter().map(|entry| entry.committed).collect::<Vec<_>>(), [false, true]);
    assert_eq!(drops[0].fault.as_deref(), Some("dropBefore"));
    assert_eq!(drops[1].effect.as_deref(), Some("tenant.created"));
    assert!(drops.iter().all(|entry| entry.caller == Some(scene.cloud.us().client_id)));
}

#[tokio::test]
async fn error_statuses_commit_when_told_to() {
    let scene = Scene::new().await;
    for (commit, tenants) in [(false, 0), (true, 1)] {
        let effect = Effect::Status { status: 503, code: Some("X-1".to_owned()), title: None, retry_after: Some(7) };
        scene.cloud.sim.fault(FaultPlan::new(Match::on("POST", CREATE), effect).commit(commit));
        let answer = Cloud::answer(scene.create()).await;
        assert_eq!(answer.error(), (503, "X-1"));
        assert_eq!(answer.headers["retry-after"], "7");
        assert_eq!(scene.tenants(), tenants);
    }
    assert_eq!(Cloud::answer(scene.create()).await.status, 201);
}

#[tokio::test]
async fn bodies_can_be_cut_slow_or_nonsense() {
    let scene = Scene::new().await;
    scene.plan(Effect::Truncate(10));
    let response = scene.create().send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert!(response.bytes().await.is_err());

    scene.plan(Effect::Trickle(Trickle { chunk: 100, every_ms: 1 }));
    assert!(Cloud::answer(scene.create()).await.body["id"].is_string());

    scene.plan(Effect::WrongType);
    let wrong = Cloud::answer(scene.create()).await;
    assert!(wrong.status == 201 && wrong.body.is_array());
    assert_eq!(scene.tenants(), 3);

    scene.plan(Effect::Html);
    let html = Cloud::answer(scene.create()).await;
    assert_eq!((html.status.as_u16(), html.headers["content-type"].to_str().unwrap()), (200, "text/html"));
    scene.plan(Effect::Redirect("https://evil.example/".to_owned()));
    let away = Cloud::answer(scene.create()).await;
    assert_eq!((away.status.as_u16(), away.headers["location"].to_str().unwrap()), (307, "https://evil.example/"));
    assert_eq!(scene.tenants(), 3);
}

#[tokio::test]
async fn answers_can_be_late_or_never_come() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let hook = move |entry: &Entry| {
        told.send(entry.clone()).unwrap();
        After::Answer
    };
    let scene = Scene::with(Config { after_request: Some(Arc::new(hook)), ..Config::default() }).await;
    heard.recv().await.unwrap();
    // what never comes has no effect unless told so; late is after the effect
    for (effect, status, tenants) in [(Effect::Hang, None, 0), (Effect::DelayMs(600_000), Some(201), 1)] {
        scene.plan(effect);
        let waiting = tokio::spawn(scene.create().send());
        let entry = heard.recv().await.unwrap();
        assert_eq!((entry.status, entry.committed, scene.tenants()), (status, tenants == 1, tenants));
        assert!(!waiting.is_finished());
        waiting.abort();
    }
}

#[tokio::test]
async fn a_storm_ends_by_the_virtual_clock() {
    let scene = Scene::new().await;
    scene.plan(Effect::Storm429 { retry_after: 3600 });
    for _ in 0..3 {
        assert_eq!(Cloud::answer(scene.create()).await.error(), (429, "HTTP-429"));
    }
    scene.cloud.sim.advance(Duration::from_hours(1));
    assert_eq!(Cloud::answer(scene.create()).await.status, 201);
    assert!(scene.cloud.sim.faults().is_empty());
}

#[tokio::test]
async fn a_hook_can_cut_the_client_off_after_any_request() {
    let cut = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&cut);
    let hook = move |entry: &Entry| {
        if entry.seq == seen.load(Ordering::SeqCst) { After::Drop } else { After::Answer }
    };
    let cloud = Cloud::with(Config { after_request: Some(Arc::new(hook)), ..Config::default() });
    let token = cloud.token(REGISTER, &cloud.us()).await;
    cut.store(2, Ordering::SeqCst);
    let body = json!({ "licenseKey": cloud.sim.ready().license_key });
    let create = || cloud.request(Method::POST, REGISTER, CREATE).bearer_auth(&token).json(&body);
    assert!(create().send().await.is_err());
    assert_eq!(cloud.sim.tenants().len(), 1);
    let entry = cloud.sim.journal().pop().unwrap();
    assert_eq!((entry.seq, entry.status, entry.committed), (2, None, true));
    assert_eq!(Cloud::answer(create()).await.status, 201);
}

#[tokio::test]
async fn the_journal_holds_patches_and_no_secrets() {
    let scene = Scene::new().await;
    let (id, host) = scene.cloud.tenant().await;
    let patch = json!([{ "op": "replace", "path": "/name", "value": "n" }]);
    scene.cloud.call(Method::PATCH, &host, &format!("/api/v1/tenants/{id}"), Some(patch.clone())).await;
    let journal = scene.cloud.sim.journal();
    let entry = journal.last().unwrap();
    assert_eq!((entry.effect.as_deref(), entry.body.as_ref()), (Some("tenant.patched"), Some(&patch)));
    assert_eq!(entry.tenant_id.as_ref(), Some(&id));
    let text = serde_json::to_string(&journal).unwrap();
    for secret in [&scene.token, &scene.cloud.us().client_secret, &scene.cloud.sim.ready().license_key] {
        assert!(!text.contains(secret.as_str()));
    }
    assert!(journal.iter().all(|entry| entry.method == "PATCH" || entry.body.is_none()));
}

#[tokio::test]
async fn both_protocols_are_spoken_and_both_can_be_cut() {
    let cloud = Cloud::start();
    let ca = std::fs::read(cloud.sim.ca_file().unwrap()).unwrap();
    let address = cloud.sim.tls().unwrap();
    let builder = || {
        let ca = reqwest::Certificate::from_pem(&ca).unwrap();
        Client::builder().tls_certs_only([ca]).resolve(REGISTER, address)
    };
    for (client, version) in [
        (builder().http1_only().build().unwrap(), reqwest::Version::HTTP_11),
        (builder().build().unwrap(), reqwest::Version::HTTP_2),
    ] {
        let url = cloud.url(REGISTER, "/nowhere");
        let response = client.get(&url).send().await.unwrap();
        assert_eq!((response.version(), response.status().as_u16()), (version, 404));
        let body: Value = response.json().await.unwrap();
        assert!(body["traceId"].is_string(), "{body}");
        cloud.sim.fault(FaultPlan::new(Match::default(), Effect::Drop(When::After)));
        assert!(client.get(&url).send().await.is_err());
    }
}
