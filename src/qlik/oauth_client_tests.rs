//! OAuth clients against a loopback server: what goes over the wire, and what comes of each kind of answer.

use axum::body::{Body, Bytes};
use http::{Request, Response};
use serde_json::{Value, json};

use super::testing::{Server, acme, answer, at, credential, is_token, token};
use super::{
    Class, Consent, Effect, Error, Jwk, NewOauthClient, OauthClient, OauthClientChange, OauthClientId, TenantApi,
};

const LIST: &str = "/api/v1/oauth-clients";
const ONE: &str = "/api/v1/oauth-clients/c1";
const NOT_FOUND: &str = r#"{"errors":[{"code":"HTTP-404","title":"Not found"}]}"#;

async fn server(handler: impl Fn(&Request<Bytes>) -> Option<Response<Body>> + Send + Sync + 'static) -> Server {
    Server::start(move |request| if is_token(request) { token("t") } else { handler(request) }).await
}

/// A server that answers everything with this.
async fn always(status: u16, body: &'static str) -> Server {
    server(move |_| answer(status, body)).await
}

fn api(server: &Server) -> TenantApi {
    let cloud = server.cloud();
    cloud.tenant(&acme(&cloud), &credential())
}

fn id() -> OauthClientId {
    "c1".parse().unwrap()
}

fn asked(request: &Request<Bytes>) -> (String, Value) {
    let body = request.body();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(body).unwrap() };
    (format!("{} {}", request.method(), request.uri().path()), body)
}

fn jwk() -> Jwk {
    let text = json!({ "kty": "EC", "alg": "ES384", "use": "sig", "kid": "k", "crv": "P-384", "x": "eA", "y": "eQ" });
    serde_json::from_value(text).unwrap()
}

/// The client `c1` of which only the id and the name are known.
fn bare() -> OauthClient {
    OauthClient::read(&json!({ "clientId": "c1", "clientName": "n" })).unwrap().unwrap()
}

fn wanted() -> NewOauthClient {
    NewOauthClient {
        app_type: "web".into(),
        name: "n".into(),
        description: "d".into(),
        client_uri: None,
        logo_uri: None,
        redirect_uris: vec![],
        allowed_origins: vec![],
        scopes: vec![],
        grant_types: vec![],
        auth_methods: vec![],
        public_keys: vec![],
        consent: Consent::Required,
    }
}

#[tokio::test]
async fn reads_an_administrators_item_and_the_read_object() {
    let full = json!({
        "clientId": "c1", "clientName": "n", "appType": "web", "description": "d", "clientUri": "https://a.example",
        "logoUri": "", "redirectUris": ["https://a.example/cb"], "allowedOrigins": ["https://a.example"],
        "allowedScopes": ["user_default", 7], "allowedGrantTypes": ["client_credentials"],
        "allowedAuthMethods": ["client_secret", "tomorrows"], "publicKeys": [jwk(), { "kid": 7 }], "jwksUri": null,
        "connectionConfig": { "consentMethod": "trusted", "status": "active", "deletedByOwner": false },
        "clientSecrets": [{ "hint": "e6815", "createdAt": "2026-11-24T10:00:00.000Z", "createdBy": "u" }, {}],
        "publishedAt": "2026-11-24T11:00:00Z", "createdAt": "2026-11-24T10:00:00Z", "disableTag": "", "ownerId": "o",
        "deletedAt": "0001-01-01T00:00:00Z",
    });
    let deleted = json!({ "clientId": "gone", "deletedAt": "2026-11-24T11:00:00Z" });
    let plain = json!({ "clientId": "c1", "clientName": "n", "connectionConfig": { "consentMethod": "new" } });
    let page = json!({ "data": [full, deleted], "links": { "next": { "href": null } }, "totalResults": null });
    let server = server(move |request| {
        answer(200, &if request.uri().path() == LIST { page.to_string() } else { plain.to_string() })
    })
    .await;
    let api = api(&server);
    let mut clients = api.oauth_clients().await.unwrap();
    assert_eq!(clients.len(), 1, "a deleted one is not there");
    let client = clients.remove(0);
    assert_eq!(client.scopes, ["user_default", ""], "what cannot be read is not overlooked");
    assert_eq!(client.auth_methods, ["client_secret", "tomorrows"]);
    assert_eq!(client.public_keys, [jwk(), Jwk::default()]);
    assert_eq!(
        (client.client_uri.as_deref(), client.logo_uri, client.jwks_uri),
        (Some("https://a.example"), None, None)
    );
    assert_eq!((client.consent, client.published_at), (Some(Consent::Trusted), Some(at("2026-11-24T11:00:00Z"))));
    assert_eq!((client.secrets.len(), client.secrets[0].hint.as_str()), (2, "e6815"));
    assert_eq!(client.secrets[0].created_at, Some(at("2026-11-24T10:00:00Z")));
    assert_eq!(api.oauth_client(&id()).await.unwrap(), Some(bare()));
}

#[tokio::test]
async fn a_list_is_whole_or_an_error() {
    let server = server(|request| {
        assert_eq!(request.uri().path(), LIST);
        let (item, next) = match request.uri().query().unwrap() {
            "limit=100" => (r#"{"clientId":"a"}"#, r#"{"href":"https://evil.example/other?limit=100&next=x%3D"}"#),
            "limit=100&next=x%3D" => (r#"{"clientId":"b"}"#, "{}"),
            other => panic!("{other}"),
        };
        answer(200, &format!(r#"{{"data":[{item}],"links":{{"next":{next}}}}}"#))
    })
    .await;
    let clients = api(&server).oauth_clients().await.unwrap();
    assert_eq!(clients.iter().map(|client| client.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    for (body, calls) in [
        (r#"{"data":[],"links":{"next":{"href":"?limit=100"}}}"#, 1),
        (r#"{"data":[],"links":{"next":{"href":"?next=again"}}}"#, 2),
        (r#"{"data":[],"links":{"next":{"href":7}}}"#, 1),
        (r#"{"data":[{"clientId":"../a"}]}"#, 1),
        (r#"{"data":[{"clientName":"a"}]}"#, 1),
        (r#"{"clients":[]}"#, 1),
        ("<html>", 1),
    ] {
        let server = always(200, body).await;
        assert_eq!(api(&server).oauth_clients().await.unwrap_err().label(), "malformed", "{body}");
        assert_eq!(server.count(&format!("GET {LIST}")), calls, "{body}");
    }
}

#[tokio::test]
async fn only_qliks_own_word_makes_a_client_absent() {
    let ours = always(404, NOT_FOUND).await;
    assert_eq!(api(&ours).oauth_client(&id()).await.unwrap(), None);
    api(&ours).delete_oauth_client(&id()).await.unwrap();
    api(&ours).delete_client_secret(&id(), "e6815").await.unwrap();
    for body in ["", "<html>no route</html>", r#"{"message":"no route"}"#] {
        let gateway = always(404, body).await;
        let api = api(&gateway);
        let read = api.oauth_client(&id()).await.map(drop).unwrap_err();
        let (client, secret) = (api.delete_oauth_client(&id()).await, api.delete_client_secret(&id(), "e6815").await);
        for error in [read, client.unwrap_err(), secret.unwrap_err()] {
            assert_eq!(error.label(), "not_found", "{body}");
        }
    }
    let other = always(200, r#"{"clientId":"c2"}"#).await;
    assert_eq!(api(&other).oauth_client(&id()).await.unwrap_err().label(), "malformed");
    let page = always(200, "<html>").await;
    assert_eq!(api(&page).delete_oauth_client(&id()).await.unwrap_err().effect(), Effect::Unknown);
}

#[tokio::test]
async fn creates_with_what_is_wanted_and_nothing_else() {
    let least = json!({ "appType": "web", "clientName": "n", "description": "d" });
    let mut most = wanted();
    (most.consent, most.logo_uri, most.public_keys) = (Consent::Trusted, Some("https://l".into()), vec![jwk()]);
    (most.scopes, most.grant_types) = (vec!["user_default".into()], vec!["client_credentials".into()]);
    (most.auth_methods, most.redirect_uris) = (vec!["client_secret".into()], vec!["https://r".into()]);
    (most.allowed_origins, most.client_uri) = (vec!["https://o".into()], Some("https://c".into()));
    let all = json!({
        "appType": "web", "clientName": "n", "description": "d", "clientUri": "https://c", "logoUri": "https://l",
        "redirectUris": ["https://r"], "allowedOrigins": ["https://o"], "allowedScopes": ["user_default"],
        "allowedGrantTypes": ["client_credentials"], "allowedAuthMethods": ["client_secret"], "publicKeys": [jwk()],
        "connectionConfig": { "consentMethod": "trusted" },
    });
    for (new, expected) in [(wanted(), least), (most, all)] {
        let server = server(move |request| {
            assert_eq!(asked(request), (format!("POST {LIST}"), expected.clone()));
            answer(201, r#"{"clientId":"c1","clientName":"n","clientSecret":"canary-secret"}"#)
        })
        .await;
        let (client, secret) = api(&server).create_oauth_client(&new, false).await.unwrap();
        assert_eq!((&client, secret.as_ref().unwrap().expose()), (&bare(), "canary-secret"));
        assert!(!format!("{client:?} {secret:?}").contains("canary"));
    }
}

#[tokio::test]
async fn a_public_client_has_no_secret_and_an_odd_answer_leaves_it_unknown() {
    for body in
        [r#"{"clientId":"c1"}"#, r#"{"clientId":"c1","clientSecret":""}"#, r#"{"clientId":"c1","clientSecret":null}"#]
    {
        let server = always(201, body).await;
        assert!(api(&server).create_oauth_client(&wanted(), false).await.unwrap().1.is_none(), "{body}");
    }
    for body in ["", "{}", "<html>", r#"{"clientId":"a b","clientSecret":"canary"}"#] {
        let server = always(201, body).await;
        let error = api(&server).create_oauth_client(&wanted(), false).await.unwrap_err();
        assert_eq!((error.label(), error.effect()), ("malformed", Effect::Unknown), "{body}");
        assert!(!format!("{error} {error:?}").contains("canary"));
        assert_eq!(server.count(&format!("POST {LIST}")), 1);
    }
}

#[tokio::test]
async fn changes_go_out_together_and_may_bring_a_secret() {
    let changes = [
        OauthClientChange::Name("n".into()),
        OauthClientChange::Description("d".into()),
        OauthClientChange::ClientUri(None),
        OauthClientChange::LogoUri(Some("https://l".into())),
        OauthClientChange::RedirectUris(vec!["https://r".into()]),
        OauthClientChange::AllowedOrigins(vec![]),
        OauthClientChange::Scopes(vec!["user_default".into()]),
        OauthClientChange::GrantTypes(vec![]),
        OauthClientChange::AuthMethods(vec!["private_key_jwt".into()]),
        OauthClientChange::PublicKeys(vec![jwk()]),
    ];
    for (status, body, secret) in [(204, "", None), (202, r#"{"clientSecret":"canary"}"#, Some("canary"))] {
        let server = server(move |request| {
            let replace = |path: &str, value: Value| json!({ "op": "replace", "path": path, "value": value });
            let expected = json!([
                replace("/clientName", json!("n")),
                replace("/description", json!("d")),
                { "op": "remove", "path": "/clientUri" },
                replace("/logoUri", json!("https://l")),
                replace("/redirectUris", json!(["https://r"])),
                replace("/allowedOrigins", json!([])),
                replace("/allowedScopes", json!(["user_default"])),
                replace("/allowedGrantTypes", json!([])),
                replace("/allowedAuthMethods", json!(["private_key_jwt"])),
                replace("/publicKeys", json!([jwk()])),
            ]);
            assert_eq!(asked(request), (format!("PATCH {ONE}"), expected));
            answer(status, body)
        })
        .await;
        let api = api(&server);
        assert!(api.change_oauth_client(&id(), &[]).await.unwrap().is_none());
        assert!(server.journal().is_empty(), "without a change there is no call");
        let brought = api.change_oauth_client(&id(), &changes).await.unwrap();
        assert_eq!(brought.as_ref().map(super::Secret::expose), secret);
    }
    let page = always(200, "<html>").await;
    let error = api(&page).change_oauth_client(&id(), &changes[..1]).await.unwrap_err();
    assert_eq!((error.label(), error.effect()), ("malformed", Effect::Unknown));
}

#[tokio::test]
async fn consent_publishing_and_deletion() {
    let server = server(|request| {
        let (line, body) = asked(request);
        match line.strip_prefix("PATCH ").or(line.strip_prefix("POST ")).or(line.strip_prefix("DELETE ")).unwrap() {
            "/api/v1/oauth-clients/c1/connection-configs/me" => {
                assert_eq!(body, json!([{ "op": "replace", "path": "/consentMethod", "value": "trusted" }]));
                answer(204, "")
            }
            "/api/v1/oauth-clients/c1/actions/publish" => answer(201, r#"{"publishedAt":"2026-11-24T11:00:00.000Z"}"#),
            ONE => {
                assert_eq!(
                    (line.as_str(), &request.headers()["qlik-confirm-delete"]),
                    (format!("DELETE {ONE}").as_str(), &"c1".parse().unwrap())
                );
                answer(204, "")
            }
            other => panic!("{other}"),
        }
    })
    .await;
    let api = api(&server);
    api.set_consent(&id(), Consent::Trusted).await.unwrap();
    assert_eq!(api.publish_oauth_client(&id()).await.unwrap(), at("2026-11-24T11:00:00Z"));
    api.delete_oauth_client(&id()).await.unwrap();
    assert_eq!(server.journal().len(), 4, "the token and three calls");
}

#[tokio::test]
async fn secrets_come_and_go() {
    let server = server(|request| {
        let (line, body) = asked(request);
        assert_eq!(body, Value::Null);
        match line.as_str() {
            "POST /api/v1/oauth-clients/c1/client-secrets" => answer(
                201,
                r#"{"clientId":"c1","clientSecret":"e6815canary","hint":"e6815","createdAt":"2026-11-24T10:00:00Z"}"#,
            ),
            "DELETE /api/v1/oauth-clients/c1/client-secrets/e6815" => answer(204, ""),
            other => panic!("{other}"),
        }
    })
    .await;
    let api = api(&server);
    let minted = api.mint_client_secret(&id()).await.unwrap();
    assert_eq!((minted.hint.as_str(), minted.secret.expose()), ("e6815", "e6815canary"));
    assert_eq!((minted.created_at, &minted.created_by), (Some(at("2026-11-24T10:00:00Z")), &None));
    assert!(!format!("{minted:?}").contains("canary"));
    api.delete_client_secret(&id(), "e6815").await.unwrap();
    let calls = server.journal().len();
    for hint in ["", ".", "..", "a/b", "a?b", "ä", &"x".repeat(65)] {
        assert_eq!(api.delete_client_secret(&id(), hint).await.unwrap_err().label(), "setting", "{hint}");
    }
    assert_eq!(server.journal().len(), calls, "nothing is sent");
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_says_why() {
    let full = always(409, r#"{"errors":[{"code":"HTTP-409","title":"five"}]}"#).await;
    let error = api(&full).mint_client_secret(&id()).await.unwrap_err();
    assert!(matches!(&error, Error::Refused(reply) if reply.status == 409), "{error}");
    assert_eq!((error.class(), error.effect()), (Class::Conflict, Effect::None));
    for body in [
        "",
        r#"{"clientId":"c1","hint":"e6815"}"#,
        r#"{"clientId":"c1","clientSecret":"canary"}"#,
        r#"{"clientId":"c2","clientSecret":"canary","hint":"e6815"}"#,
    ] {
        let server = always(201, body).await;
        let error = api(&server).mint_client_secret(&id()).await.unwrap_err();
        assert_eq!((error.label(), error.effect()), ("malformed", Effect::Unknown), "{body}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}

#[tokio::test]
async fn who_i_am_is_read_from_the_redirect() {
    for (location, expected) in [
        ("/api/v1/users/65f0c0ffee", Some("65f0c0ffee")),
        ("https://acme.us.qlikcloud.com/api/v1/users/65f0c0ffee?x=y", Some("65f0c0ffee")),
        ("65f0c0ffee", Some("65f0c0ffee")),
        ("/api/v1/users/me", None),
        ("/api/v1/users/", None),
        ("/api/v1/users/a/b", None),
        ("https://proxy.example/login?secret=canary", None),
    ] {
        let server = server(move |_| {
            let mut response = answer(301, "moved")?;
            response.headers_mut().insert("location", location.parse().unwrap());
            Some(response)
        })
        .await;
        let outcome = api(&server).my_user_id().await;
        assert_eq!(outcome.as_ref().ok(), expected.map(|id| Some(id.to_owned())).as_ref(), "{location}");
        if let Err(error) = outcome {
            assert!(error.label() == "redirected" && !format!("{error:?}").contains("canary"));
        }
        assert_eq!(server.journal(), ["POST /oauth/token", "GET /api/v1/users/me"], "it is not followed");
    }
    for (body, expected) in [(r#"{"id":"65f0c0ffee","name":"n"}"#, Some("65f0c0ffee")), ("{}", None)] {
        let server = always(200, body).await;
        assert_eq!(api(&server).my_user_id().await.unwrap().as_deref(), expected);
    }
    assert_eq!(api(&always(301, "").await).my_user_id().await.unwrap_err().label(), "redirected");
}
