//! Tokens: how they are asked for, what they open, and when they stop doing so.

use std::time::Duration;

use e2e::sim::{ClientRequest, Credentials, Options};
use reqwest::Method;
use serde_json::json;

use super::cloud::{CONSOLE, Cloud, REGISTER};

#[tokio::test]
async fn json_form_and_basic_are_all_accepted() {
    let cloud = Cloud::start();
    let Credentials { client_id, client_secret } = cloud.us();
    let post = || cloud.request(Method::POST, REGISTER, "/oauth/token");
    let full = [
        ("grant_type", "client_credentials"),
        ("client_id", client_id.as_str()),
        ("client_secret", client_secret.as_str()),
    ];
    for request in [
        post().form(&full),
        post().form(&full[..1]).basic_auth(&client_id, Some(&client_secret)),
        post().json(&json!({ "grant_type": "client_credentials" })).basic_auth(&client_id, Some(&client_secret)),
    ] {
        let answer = Cloud::answer(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["expires_in"], 21600);
        assert_eq!(answer.body["scope"], "admin_classic tenants:create tenants:deactivate tenants:reactivate");
    }
}

#[tokio::test]
async fn bad_credentials_have_their_own_answers() {
    let cloud = Cloud::start();
    let (us, wrong) = (cloud.us(), "wrong".to_owned());
    let secret = Credentials { client_secret: wrong.clone(), ..us.clone() };
    assert_eq!(cloud.ask_token(REGISTER, &secret).await.error(), (401, "HTTP-401"));
    let unknown = Credentials { client_id: wrong, ..us.clone() };
    assert_eq!(cloud.ask_token(REGISTER, &unknown).await.error(), (400, "OAUTH-14"));
    let organization = cloud.sim.ready().organization.clone();
    assert_eq!(cloud.ask_token(REGISTER, &organization).await.error(), (400, "OAUTH-14"));
    assert_eq!(cloud.ask_token(CONSOLE, &us).await.error(), (400, "OAUTH-14"));
    assert_eq!(cloud.ask_token("register.eu.qlikcloud.com", &us).await.error(), (400, "OAUTH-14"));
    let answer = cloud.ask_token(REGISTER, &secret).await;
    // OAuth's errors have neither status nor trace id in the body
    assert!(answer.body["errors"][0].get("status").is_none() && answer.body.get("traceId").is_none());
    let body = json!({ "grant_type": "refresh_token", "client_id": us.client_id });
    let answer = Cloud::answer(cloud.request(Method::POST, REGISTER, "/oauth/token").json(&body)).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn a_token_serves_its_own_host_until_it_expires() {
    let cloud = Cloud::start();
    let (id, host) = cloud.tenant().await;
    let path = format!("/api/v1/tenants/{id}");
    let get = |token: String| Cloud::answer(cloud.request(Method::GET, &host, &path).bearer_auth(token));
    let own = cloud.token(&host, &cloud.us()).await;
    let foreign = cloud.token(REGISTER, &cloud.us()).await;
    assert_eq!(get(own.clone()).await.status, 200);
    assert_eq!(get(foreign).await.error(), (401, "HTTP-401"));
    cloud.sim.advance(Duration::from_secs(21_599 - 60));
    assert_eq!(get(own.clone()).await.status, 200);
    cloud.sim.advance(Duration::from_secs(61));
    assert_eq!(get(own).await.error(), (401, "HTTP-401"));
}

#[tokio::test]
async fn scopes_narrow() {
    let cloud = Cloud::start();
    let us = cloud.us();
    let ask = |scope: &str| {
        let body = json!({ "grant_type": "client_credentials", "client_id": us.client_id,
            "client_secret": us.client_secret, "scope": scope });
        Cloud::answer(cloud.request(Method::POST, REGISTER, "/oauth/token").json(&body))
    };
    assert_eq!(ask("admin.apps").await.status, 400);
    let token = ask("user_default").await.body["access_token"].as_str().unwrap().to_owned();
    let body = json!({ "licenseKey": cloud.sim.ready().license_key });
    let create = cloud.request(Method::POST, REGISTER, "/api/v1/tenants").bearer_auth(token).json(&body);
    assert_eq!(Cloud::answer(create).await.error(), (403, "HTTP-403"));
}

#[tokio::test]
async fn the_first_token_makes_the_bot_and_the_bot_can_be_disabled() {
    let cloud = Cloud::start();
    let (id, host) = cloud.tenant().await;
    assert!(cloud.sim.tenant(&id).unwrap().users.is_empty());
    let answer = cloud.get(&host, "/api/v1/users/me").await;
    assert_eq!(answer.status, 301);
    let location = answer.headers["location"].to_str().unwrap().to_owned();
    let user = cloud.get(&host, &location).await.body;
    assert_eq!(user["subject"], format!("qlikbot\\{}", cloud.us().client_id));
    assert_eq!((&user["tenantId"], &user["name"]), (&json!(id), &json!("US OAuth client")));
    assert_eq!(cloud.sim.tenant(&id).unwrap().users.len(), 1);

    let token = cloud.token(&host, &cloud.us()).await;
    cloud.sim.disable_bots(&id, true).unwrap();
    assert_eq!(cloud.ask_token(&host, &cloud.us()).await.error(), (403, "HTTP-403"));
    let me = cloud.request(Method::GET, &host, "/api/v1/users/me").bearer_auth(&token);
    assert_eq!(Cloud::answer(me).await.error(), (401, "HTTP-401"));
    cloud.sim.delete_bots(&id).unwrap();
    let again = cloud.get(&host, "/api/v1/users/me").await;
    assert_ne!(again.headers["location"].to_str().unwrap(), location);
}

#[tokio::test]
async fn another_licences_client_sees_and_touches_nothing() {
    let cloud = Cloud::start();
    let (id, host) = cloud.tenant().await;
    let other = cloud.sim.add_client(ClientRequest { region: "us".to_owned(), license_number: None }).unwrap();
    assert_eq!(cloud.ask_token(&host, &other.credentials).await.error(), (401, "HTTP-401"));
    let token = cloud.token(REGISTER, &other.credentials).await;
    let path = format!("/api/v1/tenants/{id}/actions/deactivate");
    let request = cloud.request(Method::POST, REGISTER, &path).bearer_auth(&token);
    assert_eq!(Cloud::answer(request.header("qlik-confirm-hostname", &host)).await.status, 403);
    let body = json!({ "licenseKey": cloud.sim.ready().license_key });
    let create = cloud.request(Method::POST, REGISTER, "/api/v1/tenants").bearer_auth(&token).json(&body);
    assert_eq!(Cloud::answer(create).await.error(), (403, "TENANTS-23"));
    cloud.sim.remove_client(&other.credentials.client_id).unwrap();
    assert_eq!(cloud.ask_token(REGISTER, &other.credentials).await.error(), (400, "OAUTH-14"));
}

#[tokio::test]
async fn metadata_leads_to_the_key_that_verifies() {
    let cloud = Cloud::start();
    let answer = Cloud::answer(cloud.request(Method::GET, REGISTER, "/.well-known/oauth-authorization-server")).await;
    assert_eq!(answer.body["issuer"], format!("https://{REGISTER}"));
    let keys = Cloud::answer(cloud.http.get(answer.body["jwks_uri"].as_str().unwrap())).await;
    let key = &keys.body["keys"][0];
    let token = cloud.token(REGISTER, &cloud.us()).await;
    let header = jsonwebtoken::decode_header(&token).unwrap();
    assert_eq!((header.alg, header.kid.as_deref()), (jsonwebtoken::Algorithm::ES384, key["kid"].as_str()));
}

#[tokio::test]
async fn a_used_up_tier_answers_429_until_its_window_ends() {
    let cloud = Cloud::start();
    let (_, host) = cloud.tenant().await;
    let token = cloud.token(&host, &cloud.us()).await;
    // a thousand a minute for five minutes, scaled to five in all
    cloud.sim.set_options(Options { rate_scale: 0.001, ..Options::default() }).unwrap();
    let me = || Cloud::answer(cloud.request(Method::GET, &host, "/api/v1/tenants/me").bearer_auth(&token));
    for _ in 0..5 {
        assert_eq!(me().await.status, 302);
    }
    let limited = me().await;
    assert_eq!(limited.error(), (429, "HTTP-429"));
    let wait: u64 = limited.headers["retry-after"].to_str().unwrap().parse().unwrap();
    cloud.sim.advance(Duration::from_secs(wait));
    assert_eq!(me().await.status, 302);
}
