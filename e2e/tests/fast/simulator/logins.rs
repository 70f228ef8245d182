//! Logging in with a signed JWT: what it takes, and what the session that follows may do.

use std::time::Duration;

use e2e::sim::Options;
use jsonwebtoken::Algorithm;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::cloud::{Answer, Cloud, read};
use super::keys::Signer;
use super::office::Office;

const ISSUER: &str = "https://issuer.example.com";

async fn office(signer: &Signer) -> Office {
    let office = Office::open("/api/v1/identity-providers", Options::default()).await;
    let options = json!({ "issuer": ISSUER, "staticKeys": [{ "kid": "k", "pem": signer.line() }] });
    office.created(json!({ "protocol": "jwtAuth", "provider": "external", "options": options })).await;
    office
}

fn claims(office: &Office) -> Value {
    let now = office.cloud.sim.now().as_second();
    json!({ "iss": ISSUER, "aud": "qlik.api/login/jwt-session", "sub": "idp|anna", "subType": "user", "name": "Anna",
        "email": "anna@example.com", "email_verified": true, "jti": "1", "iat": now, "nbf": now, "exp": now + 3600 })
}

fn login(office: &Office, token: &str) -> RequestBuilder {
    office.cloud.request(Method::POST, &office.host, "/login/jwt-session").bearer_auth(token)
}

/// Logs in; the cookies that were set.
async fn cookies(office: &Office, token: &str) -> String {
    let answer = Cloud::answer(login(office, token)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let set = answer.headers.get_all("set-cookie").iter();
    let pairs: Vec<&str> = set.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap()).collect();
    assert_eq!(pairs.len(), 3);
    pairs.join("; ")
}

async fn with_cookies(office: &Office, path: &str, cookies: &str) -> Answer {
    read(office.cloud.request(Method::GET, &office.host, path).header("cookie", cookies).send().await.unwrap()).await
}

#[tokio::test]
async fn the_first_login_makes_the_user_and_the_next_finds_it() {
    for signer in [Signer::rsa(Algorithm::RS256), Signer::ec()] {
        let office = office(&signer).await;
        let mut person = claims(&office);
        let first = cookies(&office, &signer.sign("k", &person)).await;
        person["name"] = json!("Anna B.");
        cookies(&office, &signer.sign("k", &person)).await;
        let me = with_cookies(&office, "/api/v1/users/me", &first).await;
        let me = with_cookies(&office, me.headers["location"].to_str().unwrap(), &first).await.body;
        assert_eq!((&me["subject"], &me["name"]), (&json!("idp|anna"), &json!("Anna B.")), "{me}");
        let filter = "/api/v1/users?filter=subject%20eq%20%22idp%7Canna%22&totalResults=true";
        assert_eq!(office.cloud.get(&office.host, filter).await.body["totalResults"], 1);
        assert_eq!(with_cookies(&office, "/api/v1/identity-providers", &first).await.status, 403);
        assert_eq!(office.effects(), ["idp.created", "session.created", "session.created"]);
    }
}

#[tokio::test]
async fn what_the_provider_does_not_vouch_for_is_refused() {
    let signer = Signer::ec();
    let office = office(&signer).await;
    let now = office.cloud.sim.now().as_second();
    let refused = |token: String| {
        let request = login(&office, &token);
        async move { Cloud::answer(request).await.status.as_u16() }
    };
    for (name, value) in [
        ("iss", json!("https://other.example.com")),
        ("aud", json!("qlik.api")),
        ("subType", json!("bot")),
        ("sub", Value::Null),
        ("email", Value::Null),
        ("exp", json!(now + 3700)),
        ("exp", json!(now - 60)),
        ("nbf", json!(now + 60)),
    ] {
        let mut bad = claims(&office);
        bad[name] = value;
        assert_eq!(refused(signer.sign("k", &bad)).await, 401, "{name}");
    }
    assert_eq!(refused(signer.sign("another", &claims(&office))).await, 401);
    assert_eq!(refused(Signer::ec().sign("k", &claims(&office))).await, 401);
    let listed = office.call(Method::GET, "", None).await.body;
    let id = listed["data"][0]["id"].as_str().unwrap();
    office.call(Method::DELETE, &format!("/{id}"), None).await;
    assert_eq!(refused(signer.sign("k", &claims(&office))).await, 401);
}

#[tokio::test]
async fn writes_in_a_session_need_its_csrf_token_and_sessions_end() {
    let signer = Signer::ec();
    let office = office(&signer).await;
    let cookies = cookies(&office, &signer.sign("k", &claims(&office))).await;
    let post = |csrf: Option<&str>| {
        let request = office.cloud.request(Method::POST, &office.host, "/api/v1/users").header("cookie", &cookies);
        let request = csrf.into_iter().fold(request, |request, csrf| request.header("qlik-csrf-token", csrf));
        Cloud::answer(request.json(&json!({ "subject": "x" })))
    };
    assert_eq!(post(None).await.error(), (403, "CSRF-TOKEN-2"));
    let csrf = with_cookies(&office, "/api/v1/csrf-token", &cookies).await;
    assert_eq!(csrf.status, 204);
    // the token is right, and Anna is no administrator
    assert_eq!(post(csrf.headers["qlik-csrf-token"].to_str().ok()).await.error(), (403, "HTTP-403"));
    assert_eq!(office.cloud.get(&office.host, "/api/v1/csrf-token").await.status, 400);
    office.cloud.sim.advance(Duration::from_hours(24));
    assert_eq!(with_cookies(&office, "/api/v1/users/me", &cookies).await.status, 401);
}
