//! OAuth clients: their limits, secrets, consent, lists, and the tokens that they get.

use std::time::Duration;

use e2e::sim::{Config, Effect, FaultPlan, Match, Options, PortalTenant, When};
use reqwest::Method;
use serde_json::{Value, json};

use super::cloud::{Answer, Cloud};
use super::keys::Signer;
use super::office::Office;

const PATH: &str = "/api/v1/oauth-clients";
const IMPERSONATION: &str = "urn:qlik:oauth:user-impersonation";
const TRUST: &str = "/consentMethod";

fn machine() -> Value {
    json!({
        "appType": "web", "clientName": "machine", "allowedGrantTypes": ["client_credentials", IMPERSONATION],
        "allowedScopes": ["user_default", "admin_classic"], "connectionConfig": { "consentMethod": "trusted" },
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut body = json!({ "appType": "web", "clientName": "x" });
    body[name] = value;
    body
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn token(office: &Office, change: Value) -> Answer {
    let mut body = json!({ "grant_type": "client_credentials" });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    Cloud::answer(office.cloud.request(Method::POST, &office.host, "/oauth/token").json(&body)).await
}

async fn use_token(office: &Office, answer: &Answer, path: &str) -> Answer {
    let token = answer.body["access_token"].as_str().unwrap();
    Cloud::answer(office.cloud.request(Method::GET, &office.host, path).bearer_auth(token)).await
}

async fn delete(office: &Office, id: &str, confirm: Option<&str>) -> u16 {
    let token = office.cloud.token(&office.host, &office.cloud.us()).await;
    let request = office.cloud.request(Method::DELETE, &office.host, &format!("{PATH}/{id}")).bearer_auth(token);
    let request = confirm.into_iter().fold(request, |request, confirm| request.header("qlik-confirm-delete", confirm));
    Cloud::answer(request).await.status.as_u16()
}

#[tokio::test]
async fn a_machine_gets_tokens_until_it_is_deleted() {
    let office = Office::open(PATH, Options::default()).await;
    let made = office.created(machine()).await;
    let (id, secret) = (text(&made["clientId"]), text(&made["clientSecret"]));
    assert_eq!((id.len(), secret.len(), &made["clientSecretHint"]), (32, 64, &json!(secret[..5])));
    let proof = json!({ "client_id": id, "client_secret": secret });
    let issued = token(&office, proof.clone()).await;
    assert_eq!((issued.status.as_u16(), &issued.body["scope"]), (200, &json!("user_default admin_classic")));
    assert_eq!(use_token(&office, &issued, PATH).await.status, 200);
    let me = use_token(&office, &issued, "/api/v1/users/me").await;
    let me = use_token(&office, &issued, me.headers["location"].to_str().unwrap()).await.body;
    assert_eq!((&me["name"], &me["subject"]), (&json!("machine"), &json!(format!("qlikbot\\{id}"))));

    for (scope, status) in [("user_default", 200), ("admin_classic:read", 200), ("admin.apps", 400)] {
        let mut asked = proof.clone();
        asked["scope"] = json!(scope);
        assert_eq!(token(&office, asked).await.status, status, "{scope}");
    }
    let narrow = token(&office, json!({ "client_id": id, "client_secret": secret, "scope": "user_default" })).await;
    assert_eq!(use_token(&office, &narrow, "/api/v1/identity-providers").await.status, 403);

    assert_eq!([delete(&office, &id, None).await, delete(&office, &id, Some("x")).await], [400, 400]);
    assert_eq!([delete(&office, &id, Some(&id)).await, delete(&office, &id, Some(&id)).await], [204, 404]);
    assert_eq!(token(&office, proof).await.error(), (400, "OAUTH-14"));
    // what was issued lives on for its six hours
    assert_eq!(use_token(&office, &issued, PATH).await.status, 200);
    office.cloud.sim.advance(Duration::from_secs(21_600));
    assert_eq!(use_token(&office, &issued, PATH).await.status, 401);
    assert_eq!(office.effects(), ["oauth-client.created", "oauth-client.deleted"]);
}

#[tokio::test]
async fn only_trusted_machines_with_the_right_grant_get_tokens() {
    let office = Office::open(PATH, Options::default()).await;
    let mut body = machine();
    body["connectionConfig"] = Value::Null;
    body["allowedGrantTypes"] = json!(["client_credentials"]);
    let made = office.created(body).await;
    let id = text(&made["clientId"]);
    let proof = json!({ "client_id": id, "client_secret": made["clientSecret"] });
    assert_eq!(token(&office, proof.clone()).await.error(), (400, "OAUTH-14"));
    let config = format!("{id}/connection-configs/me");
    let want = json!({ "consentMethod": "required", "status": "active", "deletedByOwner": false });
    assert_eq!(office.get(&config).await, want);
    let trust = |path: &str, value: &str| json!([{ "op": "replace", "path": path, "value": value }]);
    assert_eq!(office.patch(&config, trust("/status", "trusted")).await.status, 400);
    assert_eq!(office.patch(&config, trust(TRUST, "always")).await.status, 400);
    assert_eq!(office.patch(&config, trust(TRUST, "trusted")).await.status, 204);
    assert_eq!(token(&office, proof.clone()).await.status, 200);
    let mut impersonation = proof.clone();
    impersonation["grant_type"] = json!(IMPERSONATION);
    assert_eq!(token(&office, impersonation).await.status, 400);
    let wrong = json!({ "client_id": id, "client_secret": "wrong" });
    assert_eq!(token(&office, wrong).await.status, 401);
    let gone = office.call(Method::DELETE, &format!("/{config}"), None).await;
    assert_eq!((gone.status.as_u16(), token(&office, proof).await.error()), (204, (400, "OAUTH-14")));
    assert_eq!(office.get(&config).await["errors"][0]["code"], "HTTP-404");
    assert_eq!(office.effects(), ["oauth-client.created", "connection.patched", "connection.deleted"]);
}

#[tokio::test]
async fn five_secrets_are_known_by_their_hints_alone() {
    let office = Office::with(PATH, Config { secret_prefix: "canary-".to_owned(), ..Config::default() }).await;
    let made = office.created(machine()).await;
    let id = text(&made["clientId"]);
    let secrets = format!("/{id}/client-secrets");
    let first = text(&made["clientSecret"]);
    for _ in 0..4 {
        let more = office.call(Method::POST, &secrets, None).await;
        let (secret, hint) = (text(&more.body["clientSecret"]), text(&more.body["hint"]));
        assert!(more.status == 201 && secret.starts_with(&hint) && hint.len() == 5 && secret.contains("canary-"));
        let proof = json!({ "client_id": id, "client_secret": secret });
        assert_eq!(token(&office, proof).await.status, 200);
    }
    assert_eq!(office.call(Method::POST, &secrets, None).await.error(), (409, "HTTP-409"));
    assert_eq!(office.get(&id).await["clientSecrets"].as_array().unwrap().len(), 5);
    let by_hint = format!("{secrets}/{}", &first[..5]);
    assert_eq!(office.call(Method::DELETE, &by_hint, None).await.status, 204);
    assert_eq!(office.call(Method::DELETE, &by_hint, None).await.status, 404);
    assert_eq!(token(&office, json!({ "client_id": id, "client_secret": first })).await.status, 401);
    let by_hand = office.by_hand("post", &secrets, None);
    assert_eq!((by_hand.status, office.effects().len()), (201, 6));
    let (journal, seen) = (format!("{:?}", office.cloud.sim.journal()), office.get(&id).await.to_string());
    assert!(!journal.contains("canary") && !seen.contains("canary"));
}

#[tokio::test]
async fn what_no_client_can_be_is_refused_with_a_pointer() {
    let office = Office::open(PATH, Options::default()).await;
    let uris: Vec<String> = (0..6).map(|n| format!("https://a.example.com/{n}")).collect();
    let jwk = Signer::ec().jwk("k");
    let jwk = |change: (&str, &str)| {
        let mut key = jwk.clone();
        key[change.0] = json!(change.1);
        with("publicKeys", json!([key]))
    };
    let rsa = json!([{ "kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k", "e": "AQAB", "n": "_".repeat(171) }]);
    for (body, pointer) in [
        (with("clientName", json!("")), "/clientName"),
        (with("clientName", json!("x".repeat(513))), "/clientName"),
        (with("description", json!("x".repeat(4097))), "/description"),
        (with("logoUri", json!("logo.png")), "/logoUri"),
        (with("appType", json!("desktop")), "/appType"),
        (with("appType", json!("anonymous-embed")), "/appType"),
        (with("redirectUris", json!(uris)), "/redirectUris"),
        (with("redirectUris", json!(["/callback"])), "/redirectUris"),
        (with("redirectUris", json!([uris[0], uris[0]])), "/redirectUris"),
        (with("redirectUris", json!([format!("https://a/{}", "x".repeat(256))])), "/redirectUris"),
        (with("allowedOrigins", json!(uris)), "/allowedOrigins"),
        (with("allowedOrigins", json!(["https://a.example.com/path"])), "/allowedOrigins"),
        (with("allowedScopes", json!(["x".repeat(257)])), "/allowedScopes"),
        (with("allowedGrantTypes", json!(["authorization_code"])), "/allowedGrantTypes"),
        (with("allowedAuthMethods", json!(["none"])), "/allowedAuthMethods"),
        (with("allowedAuthMethods", json!(["private_key_jwt"])), "/publicKeys"),
        (with("connectionConfig", json!({ "consentMethod": "required" })), "/connectionConfig/consentMethod"),
        (with("publicKeys", rsa), "/publicKeys/0/n"),
        (jwk(("alg", "ES256")), "/publicKeys/0/alg"),
        (jwk(("crv", "P-256")), "/publicKeys/0/crv"),
        (jwk(("kid", "")), "/publicKeys/0/kid"),
        (jwk(("use", "enc")), "/publicKeys/0/use"),
        (jwk(("d", "AQAB")), "/publicKeys/0/d"),
        (json!({ "appType": "spa", "clientName": "x", "allowedGrantTypes": [IMPERSONATION] }), "/allowedGrantTypes"),
    ] {
        let answer = office.post(body).await;
        let error = &answer.body["errors"][0];
        assert_eq!((answer.status.as_u16(), error["source"]["pointer"].as_str()), (400, Some(pointer)), "{answer:?}");
    }
    assert!(office.effects().is_empty());
    let spa =
        json!({ "appType": "spa", "clientName": "spa", "redirectUris": uris[..5], "allowedOrigins": ["https://a"] });
    assert!(office.created(spa).await.get("clientSecret").is_none());
}

#[tokio::test]
async fn anonymous_embedding_is_for_stockholm() {
    let office = Office::open(PATH, Options::default()).await;
    let wanted = PortalTenant { region: "se".to_owned(), license_number: None, name: None, alias: None };
    let tenant = office.cloud.sim.create_tenant(wanted).unwrap();
    let credentials = office.cloud.sim.ready().regional["se"].clone();
    let token = office.cloud.token(&tenant.hostnames[0], &credentials).await;
    let request = office.cloud.request(Method::POST, &tenant.hostnames[0], PATH).bearer_auth(token);
    let body = with("appType", json!("anonymous-embed"));
    assert_eq!(Cloud::answer(request.json(&body)).await.status, 201);
}

#[tokio::test]
async fn a_patch_changes_settings_whole_and_may_make_a_secret() {
    let office = Office::open(PATH, Options::default()).await;
    let mut body = machine();
    body["allowedAuthMethods"] = json!(["private_key_jwt"]);
    body["publicKeys"] = json!([Signer::ec().jwk("k")]);
    let made = office.created(body).await;
    let id = text(&made["clientId"]);
    assert!(made.get("clientSecret").is_none() && made["clientSecrets"] == json!([]));
    assert_eq!(office.call(Method::POST, &format!("/{id}/client-secrets"), None).await.status, 400);
    let rename = json!({ "op": "replace", "path": "/clientName", "value": "renamed" });
    for bad in [
        json!({ "op": "replace", "path": "/appType", "value": "spa" }),
        json!({ "op": "replace", "path": "/connectionConfig", "value": {} }),
        json!({ "op": "remove", "path": "/clientName" }),
        json!({ "op": "test", "path": "/clientName", "value": "x" }),
        json!({ "op": "remove", "path": "/publicKeys" }),
    ] {
        assert_eq!(office.patch(&id, json!([rename, bad])).await.status, 400, "{bad}");
        assert_eq!(office.get(&id).await["clientName"], "machine");
    }
    let lists = json!([rename,
        { "op": "add", "path": "/redirectUris", "value": "https://a/1" },
        { "op": "add", "path": "/redirectUris", "value": "https://a/2" },
        { "op": "remove", "path": "/redirectUris", "value": "https://a/1" },
        { "op": "remove", "path": "/allowedScopes", "value": ["admin_classic"] }]);
    assert_eq!(office.patch(&id, lists.clone()).await.status, 204);
    let seen = office.get(&id).await;
    assert_eq!((&seen["redirectUris"], &seen["allowedScopes"]), (&json!(["https://a/2"]), &json!(["user_default"])));
    let method = json!([{ "op": "add", "path": "/allowedAuthMethods", "value": "client_secret" }]);
    let changed = office.patch(&id, method.clone()).await;
    assert_eq!(changed.status, 202);
    let proof = json!({ "client_id": id, "client_secret": changed.body["clientSecret"] });
    assert_eq!(token(&office, proof).await.status, 200);
    let same = json!([{ "op": "replace", "path": "/clientName", "value": "renamed" }]);
    assert_eq!(office.patch(&id, same).await.status, 204);
    assert_eq!(office.effects(), ["oauth-client.created", "oauth-client.patched", "oauth-client.patched"]);
}

#[tokio::test]
async fn a_private_key_proves_who_a_client_is_once_for_each_assertion() {
    let office = Office::open(PATH, Options::default()).await;
    let signer = Signer::ec();
    let mut body = machine();
    body["allowedAuthMethods"] = json!(["private_key_jwt"]);
    body["publicKeys"] = json!([signer.jwk("k")]);
    let id = text(&office.created(body).await["clientId"]);
    let now = office.cloud.sim.now().as_second();
    let good = json!({ "iss": id, "sub": id, "aud": format!("https://{}/oauth/token", office.host), "jti": "1",
        "iat": now, "exp": now + 300 });
    let ask = |assertion: String| {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let body = json!({ "client_id": id, "client_assertion_type": kind, "client_assertion": assertion });
        let office = &office;
        async move { token(office, body).await.status.as_u16() }
    };
    for (name, value) in [
        ("iss", json!("other")),
        ("sub", json!("other")),
        ("aud", json!(format!("https://{}/oauth/token/", office.host))),
        ("jti", Value::Null),
        ("exp", json!(now + 301)),
        ("exp", json!(now - 1)),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        assert_eq!(ask(signer.sign("k", &claims)).await, 401, "{name}");
    }
    assert_eq!(ask(signer.sign("another", &good)).await, 401);
    assert_eq!(ask(Signer::ec().sign("k", &good)).await, 401);
    let assertion = signer.sign("k", &good);
    assert_eq!([ask(assertion.clone()).await, ask(assertion).await], [200, 401]);
}

#[tokio::test]
async fn impersonation_needs_a_user_who_is_there_and_makes_nobody_an_administrator() {
    let office = Office::open(PATH, Options::default()).await;
    let made = office.created(machine()).await;
    let user = json!({ "subject": "idp|anna", "name": "Anna", "email": "anna@example.com" });
    let post = || office.cloud.call(Method::POST, &office.host, "/api/v1/users", Some(user.clone()));
    let anna = post().await;
    assert_eq!((anna.status.as_u16(), post().await.status.as_u16()), (201, 409));
    let ask = |field: &str, value: &Value| {
        let body = json!({ "grant_type": IMPERSONATION, "client_id": made["clientId"],
            "client_secret": made["clientSecret"], "user_lookup": { "field": field, "value": value } });
        let office = &office;
        async move { token(office, body).await }
    };
    let issued = ask("subject", &json!("idp|anna")).await;
    let me = use_token(&office, &issued, "/api/v1/users/me").await;
    assert_eq!(me.headers["location"], format!("/api/v1/users/{}", anna.body["id"].as_str().unwrap()));
    assert_eq!(use_token(&office, &issued, "/api/v1/identity-providers").await.status, 403);
    let plain = use_token(&office, &issued, &format!("{PATH}/{}", text(&made["clientId"]))).await;
    assert!(plain.status == 200 && plain.body.get("clientSecrets").is_none());
    assert_eq!(ask("userId", &anna.body["id"]).await.status, 200);
    for (field, value) in [("subject", "nobody"), ("email", "anna@example.com")] {
        assert_eq!(ask(field, &json!(value)).await.status, 400);
    }
}

#[tokio::test]
async fn tokens_are_listed_and_taken_back() {
    let office = Office::open("/api/v1/oauth-tokens", Options { max_page: Some(1), ..Options::default() }).await;
    let made = office.cloud.call(Method::POST, &office.host, PATH, Some(machine())).await.body;
    let proof = json!({ "client_id": made["clientId"], "client_secret": made["clientSecret"] });
    let (one, two) = (token(&office, proof.clone()).await, token(&office, proof).await);
    let me = use_token(&office, &one, "/api/v1/users/me").await.headers["location"].clone();
    let user = me.to_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let page = office.call(Method::GET, &format!("?userId={user}"), None).await.body;
    let next = page["links"]["next"]["href"].as_str().unwrap();
    let last = office.call(Method::GET, &next[next.find('?').unwrap()..], None).await.body;
    let ids = [&page, &last].map(|page| text(&page["data"][0]["id"]));
    for id in &ids {
        assert_eq!(office.call(Method::DELETE, &format!("/{id}"), None).await.status, 204);
    }
    assert_ne!(ids[0], ids[1]);
    for revoked in [&one, &two] {
        assert_eq!(use_token(&office, revoked, "/api/v1/users/me").await.status, 401);
    }
    let own = office.cloud.token(&office.host, &office.cloud.us()).await;
    let revoke = || office.cloud.request(Method::POST, &office.host, "/oauth/revoke").form(&[("token", &own)]);
    assert_eq!(Cloud::answer(revoke()).await.status, 200);
    let call = office.cloud.request(Method::GET, &office.host, "/api/v1/users/me").bearer_auth(&own);
    assert_eq!(Cloud::answer(call).await.status, 401);
}

#[tokio::test]
async fn clients_are_listed_filtered_and_sorted() {
    let office = Office::open(PATH, Options { max_page: Some(2), ..Options::default() }).await;
    for (name, kind) in [("b", "spa"), ("a", "web"), ("c", "web")] {
        office.created(json!({ "appType": kind, "clientName": name })).await;
    }
    let names = |body: &Value| -> Vec<String> {
        body["data"].as_array().unwrap().iter().map(|client| text(&client["clientName"])).collect()
    };
    let first = office.call(Method::GET, "?sort=%2BclientName&totalResults=true", None).await.body;
    assert_eq!((names(&first), &first["totalResults"]), (vec!["a".to_owned(), "b".to_owned()], &json!(3)));
    assert_eq!(first["data"][0]["connectionConfig"]["deletedByOwner"], false);
    let next = first["links"]["next"]["href"].as_str().unwrap();
    assert_eq!(names(&office.call(Method::GET, &next[next.find('?').unwrap()..], None).await.body), ["c"]);
    let filtered = office.call(Method::GET, "?sort=-clientName&filter=appType%20eq%20%22web%22", None).await.body;
    assert_eq!(names(&filtered), ["c", "a"]);
    for bad in ["?sort=description", "?filter=description%20eq%201", "?limit=101", "?next=%21"] {
        assert_eq!(office.call(Method::GET, bad, None).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_published_client_serves_the_region_and_each_tenant_says_how() {
    let office = Office::open(PATH, Options::default()).await;
    let made = office.created(machine()).await;
    let id = text(&made["clientId"]);
    let (_, other) = office.cloud.tenant().await;
    let path = format!("{PATH}/{id}/connection-configs/me");
    assert_eq!(office.cloud.get(&other, &path).await.status, 404);
    assert_eq!(office.call(Method::POST, &format!("/{id}/actions/publish"), None).await.status, 201);
    assert_eq!(office.cloud.get(&other, &path).await.body["consentMethod"], "required");
    let ask = || {
        let body =
            json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": made["clientSecret"] });
        Cloud::answer(office.cloud.request(Method::POST, &other, "/oauth/token").json(&body))
    };
    assert_eq!(ask().await.status, 400);
    let trust = json!([{ "op": "replace", "path": TRUST, "value": "trusted" }]);
    assert_eq!(office.cloud.call(Method::PATCH, &other, &path, Some(trust)).await.status, 204);
    assert_eq!(ask().await.status, 200);
    let rename = json!([{ "op": "replace", "path": "/clientName", "value": "x" }]);
    assert_eq!(office.cloud.call(Method::PATCH, &other, &format!("{PATH}/{id}"), Some(rename)).await.status, 404);
    assert_eq!(delete(&office, &id, Some(&id)).await, 204);
    assert_eq!(office.cloud.get(&other, &path).await.body["deletedByOwner"], true);
    assert_eq!(ask().await.error(), (400, "OAUTH-14"));
}

#[tokio::test]
async fn a_lost_answer_leaves_its_effect_and_no_secret_behind() {
    let office = Office::with(PATH, Config { secret_prefix: "canary-".to_owned(), ..Config::default() }).await;
    let id = text(&office.created(machine()).await["clientId"]);
    let lost = |method: &str, path: &str| {
        office.cloud.sim.fault(FaultPlan::new(Match::on(method, path), Effect::Drop(When::After)));
    };
    let token = office.cloud.token(&office.host, &office.cloud.us()).await;
    for (path, body) in [("", machine()), (&format!("/{id}/client-secrets"), Value::Null)] {
        lost("POST", &format!("{PATH}{path}"));
        let request = office.cloud.request(Method::POST, &office.host, &format!("{PATH}{path}")).bearer_auth(&token);
        assert!(request.json(&body).send().await.is_err());
    }
    assert_eq!(office.get(&id).await["clientSecrets"].as_array().unwrap().len(), 2);
    assert_eq!(office.call(Method::GET, "", None).await.body["data"].as_array().unwrap().len(), 2);
    assert_eq!(office.effects(), ["oauth-client.created", "oauth-client.created", "secret.created"]);
    assert!(!format!("{:?}", office.cloud.sim.journal()).contains("canary"));
}
