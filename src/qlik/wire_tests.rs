//! The client against a loopback server: what goes over the wire, and what comes of each kind of answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::stream;
use http::{Request, Response};

use super::testing::{Server, acme, answer, at, credential, is_token, tenant_id, token};
use super::{Class, Cloud, Effect, Endpoints, Error, Patch, PurgeDays, Region, Secret, Setting, TenantStatus};
use crate::clock::Clock;

const TENANT: &str = r#"{"id":"TiQ8GPVr8qI714Lp5ChAAFFaU24MJy69","name":"acme","status":"active","region":"us",
    "hostnames":["acme.us.qlikcloud.com","x_y"],"created":"2026-11-24T10:00:00.000Z","createdByUser":"",
    "enableAppOpeningFeedback":true,"enableAnalyticCreation":"odd"}"#;
const GET: &str = "GET /api/v1/tenants/TiQ8GPVr8qI714Lp5ChAAFFaU24MJy69";
const TOKEN: &str = "POST /oauth/token";

async fn server(handler: impl Fn(&Request<Bytes>) -> Option<Response<Body>> + Send + Sync + 'static) -> Server {
    Server::start(move |request| if is_token(request) { token("t") } else { handler(request) }).await
}

async fn get(cloud: &Cloud) -> Result<super::Tenant, Error> {
    cloud.tenant(&acme(cloud), &credential()).get(&tenant_id()).await
}

async fn create(cloud: &Cloud) -> Result<super::Tenant, Error> {
    cloud.register(Region::Us, &credential()).create(&Secret::new("key"), false).await
}

#[tokio::test]
async fn reads_a_tenant_and_qliks_date() {
    let server = server(|request| {
        assert_eq!(request.headers()["authorization"], "Bearer t");
        assert!(request.headers()["user-agent"].to_str().unwrap().starts_with("qlik-operator/"));
        let mut response = answer(200, TENANT)?;
        response.headers_mut().insert("date", "Tue, 24 Nov 2026 18:00:00 GMT".parse().unwrap());
        Some(response)
    })
    .await;
    let tenant = get(&server.cloud()).await.unwrap();
    assert_eq!((tenant.name.as_deref(), tenant.status), (Some("acme"), TenantStatus::Active));
    assert_eq!(tenant.hostnames.len(), 1, "the list ends before what is no hostname");
    assert_eq!(tenant.created, Some(at("2026-11-24T10:00:00Z")));
    assert_eq!(tenant.settings.get(Setting::EnableAppOpeningFeedback), Some(true));
    assert_eq!(tenant.settings.get(Setting::EnableAnalyticCreation), None);
    assert_eq!(server.clock.now(), at("2026-11-24T18:00:00Z"));
    assert!(server.clock.doubt().is_some());
}

#[tokio::test]
async fn one_token_for_all_who_ask_at_once() {
    let server = server(|_| answer(200, TENANT)).await;
    let cloud = server.cloud();
    let outcomes = futures::future::join_all((0..20).map(|_| get(&cloud))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!((server.count(TOKEN), server.count(GET)), (1, 20));
    // Renewed before its end.
    server.clock.turn(jiff::SignedDuration::ZERO, Duration::from_secs(21_600 - 59));
    get(&cloud).await.unwrap();
    assert_eq!(server.count(TOKEN), 2);
}

#[tokio::test]
async fn one_failure_for_all_who_wait_and_none_is_kept() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |request| match is_token(request) {
        true if asked.fetch_add(1, Ordering::SeqCst) == 0 => answer(500, ""),
        true => token("t"),
        false => answer(200, TENANT),
    })
    .await;
    let cloud = server.cloud();
    for outcome in futures::future::join_all((0..5).map(|_| get(&cloud))).await {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::NoToken { .. }), "{error}");
        assert_eq!((error.class(), error.effect()), (Class::Transient, Effect::None));
    }
    assert_eq!(server.journal(), [TOKEN]);
    get(&cloud).await.unwrap();
}

#[tokio::test]
async fn who_gives_up_leaves_nothing_stuck() {
    let server = server(|_| answer(200, TENANT)).await;
    let cloud = server.cloud();
    // The first gives up while others wait for the same token; they still get it.
    let (mut first, mut second) = (Box::pin(get(&cloud)), Box::pin(get(&cloud)));
    assert!(futures::poll!(&mut first).is_pending() && futures::poll!(&mut second).is_pending());
    drop(first);
    second.await.unwrap();
    // All give up: the request ends with them, and the next one starts anew.
    let cloud = server.cloud();
    let mut alone = Box::pin(get(&cloud));
    assert!(futures::poll!(&mut alone).is_pending());
    drop(alone);
    get(&cloud).await.unwrap();
}

#[tokio::test]
async fn a_token_no_longer_accepted_is_renewed_once() {
    let issued = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        if is_token(request) {
            return token(&format!("t{}", issued.fetch_add(1, Ordering::SeqCst)));
        }
        let accepted = if request.method() == "GET" { "Bearer t0" } else { "Bearer t1" };
        if request.headers()["authorization"] == accepted { answer(200, TENANT) } else { answer(401, "") }
    })
    .await;
    let cloud = server.cloud();
    let api = cloud.tenant(&acme(&cloud), &credential());
    api.get(&tenant_id()).await.unwrap();
    api.patch(&tenant_id(), &[Patch::Name("n".into())]).await.unwrap();
    assert_eq!(server.journal().len(), 5, "token, GET, PATCH refused, token, PATCH");
    // The renewed one is not accepted for this: once more, then no.
    let error = api.get(&tenant_id()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized(_)), "{error}");
    assert_eq!(server.journal().len(), 8);
}

#[tokio::test]
async fn a_disabled_tenant_is_told_from_a_bad_credential() {
    for (body, label) in
        [(r#"{"errors":[{"code":"TENANT_DISABLED","status":"401"}]}"#, "tenant_disabled"), ("{}", "bad_credentials")]
    {
        let server = Server::start(move |_| answer(401, body)).await;
        assert_eq!(get(&server.cloud()).await.unwrap_err().label(), label);
        assert_eq!(server.journal(), [TOKEN]);
    }
}

type Case = Box<dyn Fn() -> Option<Response<Body>> + Send + Sync>;

#[tokio::test]
async fn a_missing_token_endpoint_is_not_a_missing_tenant() {
    let server = Server::start(|_| answer(404, "")).await;
    let error = get(&server.cloud()).await.unwrap_err();
    assert_eq!((error.label(), error.class()), ("no_token", Class::Transient));
}

#[tokio::test]
async fn a_disabled_tenant_costs_no_new_token() {
    let server = server(|request| match request.method().as_str() {
        "GET" => answer(200, TENANT),
        _ => answer(401, r#"{"errors":[{"code":"TENANT_DEACTIVATED"}]}"#),
    })
    .await;
    let cloud = server.cloud();
    get(&cloud).await.unwrap();
    let api = cloud.tenant(&acme(&cloud), &credential());
    let error = api.patch(&tenant_id(), &[Patch::Name("n".into())]).await.unwrap_err();
    assert_eq!((error.label(), server.journal().len()), ("tenant_disabled", 3));
}

#[tokio::test]
async fn an_answer_that_is_not_good_leaves_a_write_unknown() {
    let big = format!("\"{}\"", "x".repeat(2 * 1024 * 1024));
    let cases: Vec<(&str, Case)> = vec![
        ("no_answer", Box::new(|| None)),
        ("no_answer", Box::new(cut_short)),
        ("malformed", Box::new(|| answer(201, "{\"id\":"))),
        ("malformed", Box::new(|| answer(201, "{\"name\":\"x\"}"))),
        ("malformed", Box::new(|| answer(204, ""))),
        ("too_large", Box::new(move || answer(201, &big))),
        ("server", Box::new(|| answer(502, "<html>"))),
    ];
    for (label, case) in cases {
        let server = server(move |_| case()).await;
        let error = create(&server.cloud()).await.unwrap_err();
        assert_eq!((error.label(), error.effect()), (label, Effect::Unknown), "{error}");
        assert_eq!(server.count("POST /api/v1/tenants"), 1, "{label}: a POST goes out once");
    }
}

/// Promises more than it gives.
#[expect(clippy::unnecessary_wraps, reason = "what a handler gives back")]
fn cut_short() -> Option<Response<Body>> {
    let part: [Result<&str, std::io::Error>; 2] = [Ok("{\"id\":\"TiQ8"), Err(std::io::Error::other("cut"))];
    Some(Response::builder().status(201).body(Body::from_stream(stream::iter(part))).unwrap())
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let server = server(|_| {
        let mut response = answer(302, "")?;
        response.headers_mut().insert("location", "/api/v1/elsewhere?secret=canary".parse().unwrap());
        Some(response)
    })
    .await;
    let error = create(&server.cloud()).await.unwrap_err();
    assert_eq!((error.label(), error.effect()), ("redirected", Effect::None));
    assert!(!error.to_string().contains("canary"));
    assert_eq!(server.journal().len(), 2);
}

#[tokio::test]
async fn nothing_is_sent_without_the_right_certificate() {
    let server = server(|_| answer(200, TENANT)).await;
    let other = Server::start(|_| None).await;
    let endpoints = Endpoints {
        domain: "qlikcloud.com".parse().unwrap(),
        ca_pem: Some(other.ca_pem.clone()),
        connect_to: Some(server.address),
    };
    let cloud = Cloud::new(endpoints.clone(), Clock::system()).unwrap();
    let error = get(&cloud).await.unwrap_err();
    assert_eq!((error.label(), error.effect()), ("unreachable", Effect::None));
    assert!(server.journal().is_empty());
    // Nobody listens where the other server was.
    let nowhere = Endpoints { connect_to: Some(unused_address().await), ..endpoints.clone() };
    let error = get(&Cloud::new(nowhere, Clock::system()).unwrap()).await.unwrap_err();
    assert_eq!((error.label(), error.effect()), ("unreachable", Effect::None));
    let no_ca = Endpoints { ca_pem: Some(b"nothing".to_vec()), ..endpoints };
    assert_eq!(Cloud::new(no_ca, Clock::system()).err().unwrap().class(), Class::Misconfigured);
}

async fn unused_address() -> std::net::SocketAddr {
    tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn after_a_429_there_are_no_calls_until_its_time() {
    let asked = AtomicUsize::new(0);
    let server = server(move |_| {
        if asked.fetch_add(1, Ordering::SeqCst) > 0 {
            return answer(200, TENANT);
        }
        let mut response = answer(429, r#"{"errors":[{"code":"HTTP-429"}]}"#)?;
        response.headers_mut().insert("retry-after", "30".parse().unwrap());
        Some(response)
    })
    .await;
    let cloud = server.cloud();
    for _ in 0..3 {
        assert_eq!(get(&cloud).await.unwrap_err().class(), Class::Throttled(Duration::from_secs(30)));
    }
    assert_eq!(server.count(GET), 1);
    assert_eq!((cloud.stats().closed, cloud.stats().held), (1, 2));
    server.clock.turn(jiff::SignedDuration::ZERO, Duration::from_secs(30));
    get(&cloud).await.unwrap();
    server.clock.turn(jiff::SignedDuration::ZERO, Duration::from_hours(24));
    cloud.sweep();
    assert_eq!(cloud.stats().budgets, 0);
}

#[tokio::test]
async fn deactivate_and_reactivate() {
    let server = server(|request| {
        assert_eq!(request.headers()["qlik-confirm-hostname"], "acme.us.qlikcloud.com");
        assert_eq!(request.headers()["content-type"], "application/json");
        if request.uri().path().ends_with("/reactivate") {
            return answer(200, "");
        }
        assert_eq!(request.body().as_ref(), br#"{"purgeAfterDays":30}"#);
        let id = if request.uri().path().contains("TiQ8") { "TiQ8GPVr8qI714Lp5ChAAFFaU24MJy69" } else { "another" };
        answer(200, &format!(r#"{{"id":"{id}","status":"disabled","estimatedPurgeDate":"2026-12-24T12:00:00.000Z"}}"#))
    })
    .await;
    let register = server.cloud().register(Region::Us, &credential());
    let (host, days) = ("acme.us.qlikcloud.com".parse().unwrap(), PurgeDays::try_from(30).unwrap());
    let done = register.deactivate(&tenant_id(), (&host, days), false).await.unwrap();
    assert_eq!(done.purge_at, Some(at("2026-12-24T12:00:00Z")));
    register.reactivate(&tenant_id(), &host).await.unwrap();
    let error = register.deactivate(&"mine".parse().unwrap(), (&host, days), false).await.unwrap_err();
    assert_eq!((error.label(), error.effect()), ("malformed", Effect::Unknown));
}

#[tokio::test]
async fn patches_go_out_together() {
    let server = server(|request| {
        let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(
            body,
            serde_json::json!([
                {"op": "replace", "path": "/hostnames/1", "value": "new.us.qlikcloud.com"},
                {"op": "replace", "path": "/enableAppOpeningFeedback", "value": true},
            ])
        );
        answer(204, "")
    })
    .await;
    let cloud = server.cloud();
    let api = cloud.tenant(&acme(&cloud), &credential());
    api.patch(&tenant_id(), &[]).await.unwrap();
    assert!(server.journal().is_empty());
    let alias = Patch::Alias("new.us.qlikcloud.com".parse().unwrap());
    api.patch(&tenant_id(), &[alias, Patch::Flag(Setting::EnableAppOpeningFeedback, true)]).await.unwrap();
}

#[tokio::test]
async fn a_page_instead_of_an_answer_is_no_success() {
    let server = server(|_| answer(200, "<html>welcome to the proxy</html>")).await;
    let cloud = server.cloud();
    let host = acme(&cloud);
    let patched = cloud.tenant(&host, &credential()).patch(&tenant_id(), &[Patch::Name("n".into())]).await;
    let register = cloud.register(Region::Us, &credential());
    let reactivated = register.reactivate(&tenant_id(), host.hostname()).await;
    for error in [patched.unwrap_err(), reactivated.unwrap_err()] {
        assert_eq!((error.label(), error.effect()), ("malformed", Effect::Unknown), "{error}");
    }
}
