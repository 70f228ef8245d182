//! Identity providers over the wire.

use http::Request;
use serde_json::{Value, json};

use super::testing::{Server, acme, answer, at, credential, is_token, token};
use super::{
    Cloud, Effect, NewIdentityProvider, Options, PendingState, Protocol, ProviderChange, ProviderId, Secret, TenantApi,
};

const ID: &str = "65f1c0ffee65f1c0ffee65f1";
const PATH: &str = "/api/v1/identity-providers";

type Reply = Option<http::Response<axum::body::Body>>;

async fn server(handler: impl Fn(&Request<axum::body::Bytes>) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |request| if is_token(request) { token("t") } else { handler(request) }).await
}

fn api(cloud: &Cloud) -> TenantApi {
    cloud.tenant(&acme(cloud), &credential())
}

fn id() -> ProviderId {
    ID.parse().unwrap()
}

fn login() -> Options {
    Options { values: json!({ "clientId": "app", "realm": "r" }), client_secret: Some(Secret::new("canary")) }
}

fn body(request: &Request<axum::body::Bytes>) -> Value {
    serde_json::from_slice(request.body()).unwrap()
}

fn shown(extra: &Value) -> String {
    let mut provider = json!({
        "id": ID, "protocol": "OIDC", "provider": "okta", "interactive": true, "active": true, "description": "d",
        "clockToleranceSec": 5, "createNewUsersOnLogin": false, "postLogoutRedirectUri": "",
        "created": "2026-11-24T10:00:00.000Z", "meta": {}, "unknown": [1],
        "options": { "clientId": "app", "clientSecret": "canary", "realm": null, "decryptingKey": { "jwks": "canary" } },
    });
    for (name, value) in extra.as_object().into_iter().flatten() {
        provider[name.as_str()] = value.clone();
    }
    provider.to_string()
}

#[tokio::test]
async fn reads_a_provider_without_its_secrets() {
    let server = server(|request| {
        assert_eq!(request.uri().path(), format!("{PATH}/{ID}"));
        let mut response = answer(200, &shown(&json!({})))?;
        response.headers_mut().insert("qlik-idp-popts", "v1".parse().unwrap());
        Some(response)
    })
    .await;
    let seen = api(&server.cloud()).identity_provider(&id()).await.unwrap().unwrap();
    assert!(!format!("{seen:?}").contains("canary"));
    assert_eq!(seen.version.as_deref(), Some("v1"));
    let provider = seen.provider;
    assert_eq!((provider.protocol, provider.provider.as_str()), (Protocol::Oidc, "okta"));
    assert_eq!((provider.create_new_users_on_login, provider.post_logout_redirect_uri), (Some(false), None));
    assert_eq!(
        (provider.options, provider.created),
        (Some(json!({ "clientId": "app" })), Some(at("2026-11-24T10:00:00Z")))
    );
    assert_eq!((provider.pending_options, provider.pending_state), (None, None));
}

#[tokio::test]
async fn odd_providers_are_read_all_the_same() {
    for (extra, protocol, interactive) in [
        (json!({ "protocol": "qsefw-local-bearer-token", "interactive": null }), Protocol::Other, false),
        (json!({ "protocol": "jwtAuth", "interactive": null, "options": { "issuer": "i" } }), Protocol::Jwt, false),
        (json!({ "protocol": "SAML", "interactive": null, "options": {} }), Protocol::Saml, true),
        (json!({ "provider": 7, "active": "yes", "options": "none", "created": "soon" }), Protocol::Oidc, true),
    ] {
        let server = server(move |_| answer(200, &shown(&extra))).await;
        let seen = api(&server.cloud()).identity_provider(&id()).await.unwrap().unwrap();
        assert_eq!((seen.provider.protocol, seen.provider.interactive), (protocol, interactive));
    }
}

#[tokio::test]
async fn what_a_trial_came_to_is_read() {
    let pending = json!({ "clientId": "app" });
    for (state, result, expected, said) in [
        (json!("verified"), json!({ "status": "success" }), PendingState::Verified, Some("success")),
        (json!("pending"), Value::Null, PendingState::Pending, None),
        (json!("new word"), json!({}), PendingState::Pending, None),
        (
            json!("error"),
            json!({ "status": "callbackError", "error": "no", "oauth2Error": { "error": "denied" } }),
            PendingState::Error,
            Some("callbackError: no: denied"),
        ),
    ] {
        let extra = json!({ "pendingOptions": pending, "pendingState": state, "pendingResult": result });
        let server = server(move |_| answer(200, &shown(&extra))).await;
        let seen = api(&server.cloud()).identity_provider(&id()).await.unwrap().unwrap().provider;
        assert_eq!((seen.pending_state, seen.pending_answer.as_deref()), (Some(expected), said));
    }
}

#[tokio::test]
async fn lists_every_page() {
    let server = server(|request| match request.uri().query() {
        Some("limit=50") => answer(
            200,
            &format!(
                r#"{{"data":[{}],"links":{{"next":{{"href":"https://elsewhere.example{PATH}?next=2"}}}}}}"#,
                shown(&json!({}))
            ),
        ),
        Some("next=2") => answer(200, &format!(r#"{{"data":[{}]}}"#, shown(&json!({ "id": "other" })))),
        other => panic!("{other:?}"),
    })
    .await;
    let all = api(&server.cloud()).identity_providers().await.unwrap();
    assert_eq!(all.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), [ID, "other"]);
}

#[tokio::test]
async fn creates_with_the_secret_in_its_place() {
    let server = server(|request| {
        assert_eq!(
            body(request),
            json!({ "protocol": "OIDC", "provider": "okta", "interactive": true, "description": "d", "skipVerify": true,
                "options": { "clientId": "app", "realm": "r", "clientSecret": "canary" } })
        );
        answer(201, &shown(&json!({})))
    })
    .await;
    let new = NewIdentityProvider {
        protocol: Protocol::Oidc,
        provider: "okta".into(),
        interactive: Some(true),
        description: "d".into(),
        clock_tolerance_sec: None,
        create_new_users_on_login: None,
        post_logout_redirect_uri: None,
        skip_verify: true,
        options: Some(login()),
        pending_options: None,
    };
    assert!(!format!("{new:?}").contains("canary"));
    let made = api(&server.cloud()).create_identity_provider(&new, false).await.unwrap();
    assert_eq!((made.provider.id, made.version), (id(), None));
}

#[tokio::test]
async fn a_secret_that_an_answer_repeats_is_not_repeated() {
    let server =
        server(|_| answer(400, r#"{"errors":[{"code":"canary","title":"bad clientSecret=canary, sorry"}]}"#)).await;
    for change in [ProviderChange::Options(login()), ProviderChange::PendingOptions(login())] {
        let error = api(&server.cloud()).change_identity_provider(&id(), &[change], None).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary") && shown.contains("bad clientSecret=[redacted], sorry"), "{shown}");
    }
}

#[tokio::test]
async fn changes_go_out_together_and_only_for_the_version_that_was_seen() {
    let server = server(|request| {
        let Some(version) = request.headers().get("qlik-idp-popts-match") else {
            let options = json!({ "clientId": "app", "realm": "r", "clientSecret": "canary" });
            assert_eq!(
                body(request),
                json!([
                    { "op": "replace", "path": "/active", "value": false },
                    { "op": "replace", "path": "/description", "value": "d" },
                    { "op": "replace", "path": "/clockToleranceSec", "value": 9 },
                    { "op": "replace", "path": "/postLogoutRedirectUri", "value": "" },
                    { "op": "replace", "path": "/options", "value": options },
                    { "op": "replace", "path": "/pendingOptions", "value": options },
                ])
            );
            return answer(204, "");
        };
        assert_eq!(body(request), json!([{ "op": "promote-options" }]));
        answer(if version == "v1" { 204 } else { 412 }, "")
    })
    .await;
    let cloud = server.cloud();
    let api = api(&cloud);
    api.change_identity_provider(&id(), &[], None).await.unwrap();
    assert!(server.journal().is_empty());
    let all = [
        ProviderChange::Active(false),
        ProviderChange::Description("d".into()),
        ProviderChange::ClockToleranceSec(9),
        ProviderChange::PostLogoutRedirectUri(String::new()),
        ProviderChange::Options(login()),
        ProviderChange::PendingOptions(login()),
    ];
    api.change_identity_provider(&id(), &all, None).await.unwrap();
    api.change_identity_provider(&id(), &[ProviderChange::Promote], Some("v1")).await.unwrap();
    let error = api.change_identity_provider(&id(), &[ProviderChange::Promote], Some("v2")).await.unwrap_err();
    assert_eq!((error.label(), error.effect()), ("precondition_failed", Effect::None));
}

#[tokio::test]
async fn only_qliks_own_word_means_that_a_provider_is_gone() {
    let told = r#"{"errors":[{"code":"HTTP-404","title":"Not found"}]}"#;
    for (reply, gone) in [(told, true), ("<html>", false)] {
        let server = server(move |_| answer(404, reply)).await;
        let cloud = server.cloud();
        let found = api(&cloud).identity_provider(&id()).await;
        assert_eq!(found.is_ok_and(|found| found.is_none()), gone);
        assert_eq!(api(&cloud).delete_identity_provider(&id()).await.is_ok(), gone);
    }
}

#[tokio::test]
async fn an_answer_of_another_provider_is_none() {
    let server = server(|_| answer(200, &shown(&json!({ "id": "other" })))).await;
    assert_eq!(api(&server.cloud()).identity_provider(&id()).await.unwrap_err().label(), "malformed");
}
