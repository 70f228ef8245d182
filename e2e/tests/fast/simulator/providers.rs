//! Identity providers: what is taken and refused, and the way from pending options to an active login.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use e2e::sim::{BrowserTest, Options, SecondInteractive, SecretsInGet};
use reqwest::Method;
use serde_json::{Value, json};

use super::cloud::Cloud;
use super::keys::Signer;
use super::office::Office;

const PATH: &str = "/api/v1/identity-providers";

/// Creates what must be accepted; its id.
async fn make(office: &Office, body: Value) -> String {
    office.created(body).await["id"].as_str().unwrap().to_owned()
}

async fn activate(office: &Office, id: &str, active: bool) -> u16 {
    office.patch(id, json!([{ "op": "replace", "path": "/active", "value": active }])).await.status.as_u16()
}

fn login() -> Value {
    json!({
        "clientId": "app", "clientSecret": "s3cr3t-of-the-provider", "discoveryUrl": "https://idp.example.com/oidc",
        "claimsMapping": { "sub": ["/sub"], "name": ["/name"], "email": ["/email"] }, "realm": "example.com",
    })
}

fn oidc(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = json!({ "protocol": "OIDC", "provider": "generic", "interactive": true, "pendingOptions": login() });
    change(&mut body);
    body
}

fn skipping() -> Value {
    json!({ "protocol": "OIDC", "provider": "azureAD", "interactive": true, "skipVerify": true, "options": login() })
}

fn certificate() -> String {
    rcgen::generate_simple_self_signed(vec!["idp.example.com".to_owned()]).unwrap().cert.pem().lines().collect()
}

fn saml(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = json!({ "protocol": "SAML", "provider": "okta", "interactive": true, "pendingOptions": {
        "entityId": "https://idp.example.com", "signOnUrl": "https://idp.example.com/sso",
        "certificates": [{ "certificate": certificate(), "name": "first" }],
        "claimsMapping": { "sub": ["sub"], "name": ["name"], "email": ["mail"], "groups": ["g"], "picture": ["p"] },
    }});
    change(&mut body);
    body
}

fn jwt(pem: &str) -> Value {
    json!({ "protocol": "jwtAuth", "provider": "external", "options": {
        "issuer": "https://issuer.example.com", "staticKeys": [{ "kid": "one", "pem": pem }] } })
}

fn metadata(xml: &str) -> Value {
    json!({ "raw": STANDARD.encode(xml) })
}

#[tokio::test]
async fn every_kind_of_provider_can_be_made() {
    let office = Office::open(PATH, Options::default()).await;
    let endpoints = json!({ "issuer": "https://idp.example.com", "jwks_uri": "https://idp.example.com/jwks",
        "token_endpoint": "https://idp.example.com/token", "authorization_endpoint": "https://idp.example.com/auth" });
    let explicit = office.created(oidc(|body| {
        body["pendingOptions"]["discoveryUrl"] = Value::Null;
        body["pendingOptions"]["openid_configuration"] = endpoints;
    }));
    assert_eq!(explicit.await["pendingOptions"]["openid_configuration"]["issuer"], "https://idp.example.com");
    let options = json!({ "discoveryUrl": "https://idp.example.com", "audience": "qlik", "allowedClientIds": ["a"],
        "claimsMapping": { "sub": ["/sub"], "client_id": ["/cid"] } });
    let machine = json!({ "protocol": "OIDC", "provider": "okta", "interactive": false, "options": options });
    assert_eq!(office.created(machine).await["active"], true);
    let content = certificate().replace("-----BEGIN CERTIFICATE-----", "").replace("-----END CERTIFICATE-----", "");
    let xml = format!(
        r#"<EntityDescriptor entityID="https://idp"><ds:X509Certificate>{content}</ds:X509Certificate>
        <SingleSignOnService Location="https://idp/sso"/></EntityDescriptor>"#
    );
    let described = office.created(saml(|body| {
        let mapping = body["pendingOptions"]["claimsMapping"].take();
        body["options"] = json!({ "claimsMapping": mapping, "metadata": metadata(&xml) });
        body["pendingOptions"] = Value::Null;
        body["skipVerify"] = json!(true);
    }));
    let described = described.await;
    assert_eq!(described["options"]["certificates"][0]["certificate"], certificate_of(&content), "{described}");
    assert_eq!((&described["active"], &described["options"]["entityId"]), (&json!(false), &json!("https://idp")));
    assert_eq!(activate(&office, described["id"].as_str().unwrap(), true).await, 204);
    let effects = ["idp.created", "idp.created", "idp.created", "idp.patched"];
    assert_eq!(office.effects(), effects);
}

fn certificate_of(content: &str) -> String {
    format!("-----BEGIN CERTIFICATE-----{content}-----END CERTIFICATE-----")
}

#[tokio::test]
async fn a_login_is_tested_promoted_and_activated() {
    let office = Office::open(PATH, Options::default()).await;
    let made = office.post(oidc(|_| {})).await;
    assert_eq!((made.status.as_u16(), &made.body["pendingState"]), (201, &json!("pending")), "{made:?}");
    let (id, hash) = (made.body["id"].as_str().unwrap(), made.headers["qlik-idp-popts"].clone());
    assert_eq!((id.len(), &made.body["active"]), (24, &json!(false)));
    let promote = json!([{ "op": "promote-options" }]);
    assert_eq!(office.patch(id, promote.clone()).await.status, 400);
    assert_eq!(activate(&office, id, true).await, 400);

    office.cloud.sim.browser_test(&office.id, id, BrowserTest::ClaimsError).unwrap();
    let seen = office.get(id).await;
    assert_eq!((&seen["pendingState"], &seen["pendingResult"]["status"]), (&json!("error"), &json!("claimsError")));
    assert_eq!(office.patch(id, promote.clone()).await.status, 400);
    office.cloud.sim.browser_test(&office.id, id, BrowserTest::Success).unwrap();
    let seen = office.call(Method::GET, &format!("/{id}"), None).await;
    assert_eq!((&seen.body["pendingState"], &seen.headers["qlik-idp-popts"]), (&json!("verified"), &hash));
    assert_eq!(office.patch(id, promote).await.status, 204);
    let seen = office.get(id).await;
    assert!(seen.get("pendingOptions").is_none() && seen["options"]["clientId"] == "app", "{seen}");
    assert_eq!(activate(&office, id, true).await, 204);
    assert_eq!(activate(&office, id, true).await, 204);
    assert_eq!(office.effects(), ["idp.created", "idp.promoted", "idp.patched"]);
}

#[tokio::test]
async fn what_changed_during_the_test_has_to_be_tested_again() {
    let office = Office::open(PATH, Options::default()).await;
    let made = office.post(oidc(|_| {})).await;
    let id = made.body["id"].as_str().unwrap();
    office.cloud.sim.browser_test(&office.id, id, BrowserTest::Success).unwrap();
    let change = json!([{ "op": "replace", "path": "/pendingOptions/clientSecret", "value": "another-s3cr3t" }]);
    let token = office.cloud.token(&office.host, &office.cloud.us()).await;
    let send = |hash: &str| {
        let request = office.cloud.request(Method::PATCH, &office.host, &format!("{PATH}/{id}"));
        Cloud::answer(request.bearer_auth(&token).header("QLIK-IDP-POPTS-MATCH", hash).json(&change))
    };
    let hash = made.headers["qlik-idp-popts"].to_str().unwrap();
    assert_eq!(send("stale").await.status, 412);
    assert_eq!(send(hash).await.status, 204);
    assert_eq!(send(hash).await.status, 412);
    assert_eq!(office.get(id).await["pendingState"], "pending");
    let journal = format!("{:?}", office.cloud.sim.journal());
    assert!(!journal.contains("s3cr3t") && journal.contains("clientSecret"));
}

#[tokio::test]
async fn one_interactive_provider_is_active_and_qlik_account_is_what_remains() {
    let office = Office::open(PATH, Options::default()).await;
    let (one, two) = (make(&office, skipping()).await, make(&office, skipping()).await);
    let account = || async { office.call(Method::GET, "/me/meta", None).await.status.as_u16() };
    assert_eq!((activate(&office, &one, true).await, activate(&office, &two, true).await), (204, 400));
    let status = office.call(Method::GET, "/status", None).await.body;
    assert_eq!((status["active_interactive_idps_count"].as_u64(), account().await), (Some(1), 404), "{status}");
    let active = office.call(Method::GET, "?active=true", None).await.body;
    assert_eq!((active["data"].as_array().unwrap().len(), &active["data"][0]["id"]), (1, &json!(one)));

    let second_interactive = SecondInteractive::Deactivate;
    office.cloud.sim.set_options(Options { second_interactive, ..Options::default() }).unwrap();
    assert_eq!(activate(&office, &two, true).await, 204);
    assert_eq!(office.get(&one).await["active"], false);
    assert_eq!(office.call(Method::DELETE, &format!("/{two}"), None).await.status, 204);
    assert_eq!(account().await, 200);
    let status = office.call(Method::GET, "/status", None).await.body;
    assert_eq!(status["idps_metadata"][0], json!({ "active": true, "interactive": true, "provider": "qlik" }));
    assert_eq!(office.call(Method::DELETE, &format!("/{two}"), None).await.status, 404);
}

#[tokio::test]
async fn skipped_verification_may_activate_and_secrets_show_as_chosen() {
    let options = Options { skip_verify_activates: true, idp_secrets: SecretsInGet::Echo, ..Options::default() };
    let office = Office::open(PATH, options.clone()).await;
    let id = make(&office, skipping()).await;
    let seen = office.get(&id).await;
    assert_eq!((&seen["active"], &seen["options"]["clientSecret"]), (&json!(true), &login()["clientSecret"]));
    assert_eq!(office.post(skipping()).await.status, 400);
    for (idp_secrets, want) in [(SecretsInGet::Mask, json!("********")), (SecretsInGet::Omit, Value::Null)] {
        office.cloud.sim.set_options(Options { idp_secrets, ..options.clone() }).unwrap();
        assert_eq!(office.get(&id).await["options"]["clientSecret"], want);
    }
}

#[tokio::test]
async fn the_qlik_account_login_can_be_listed_and_not_removed() {
    let office = Office::open(PATH, Options { list_qlik_account: true, ..Options::default() }).await;
    let listed = office.call(Method::GET, "", None).await.body;
    let id = listed["data"][0]["id"].as_str().unwrap();
    assert_eq!(
        (listed["data"][0]["provider"].as_str(), office.get(id).await["active"].as_bool()),
        (Some("qlik"), Some(true))
    );
    assert_eq!(office.call(Method::DELETE, &format!("/{id}"), None).await.status, 400);
    assert_eq!(activate(&office, id, false).await, 400);
}

#[tokio::test]
async fn what_no_provider_can_be_is_refused_with_a_pointer() {
    let office = Office::open(PATH, Options::default()).await;
    let set = |pointer: &'static str, value: Value| {
        move |body: &mut Value| {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            body.pointer_mut(parent).unwrap()[name] = value;
        }
    };
    let pending = |name: &'static str, value: Value| oidc(move |body| body["pendingOptions"][name] = value);
    let many: Vec<Value> = (0..6).map(|_| json!({ "certificate": certificate() })).collect();
    let folded = certificate().replacen("-----M", "-----\nM", 1);
    for (body, pointer) in [
        (oidc(set("/description", json!("x".repeat(129)))), "/description"),
        (oidc(set("/clockToleranceSec", json!(7201))), "/clockToleranceSec"),
        (
            oidc(set("/postLogoutRedirectUri", json!(format!("https://a/{}", "x".repeat(2083))))),
            "/postLogoutRedirectUri",
        ),
        (oidc(set("/provider", json!("external"))), "/provider"),
        (oidc(set("/protocol", json!("LDAP"))), "/protocol"),
        (oidc(set("/interactive", Value::Null)), "/interactive"),
        (oidc(set("/pendingOptions", Value::Null)), "/pendingOptions"),
        (oidc(set("/options", login())), "/options"),
        (oidc(set("/interactive", json!(false))), "/options"),
        (pending("clientSecret", Value::Null), "/pendingOptions/clientSecret"),
        (pending("discoveryUrl", Value::Null), "/pendingOptions/discoveryUrl"),
        (pending("openid_configuration", json!({})), "/pendingOptions/discoveryUrl"),
        (pending("realm", json!("-x")), "/pendingOptions/realm"),
        (pending("realm", json!("x".repeat(255))), "/pendingOptions/realm"),
        (pending("scope", json!("x".repeat(255))), "/pendingOptions/scope"),
        (pending("idTokenSignatureAlg", json!("HS256")), "/pendingOptions/idTokenSignatureAlg"),
        (pending("emailVerifiedAlwaysTrue", json!(true)), "/pendingOptions/emailVerifiedAlwaysTrue"),
        (pending("claimsMapping", json!({ "sub": ["sub"] })), "/pendingOptions/claimsMapping/sub"),
        (pending("claimsMapping", Value::Null), "/pendingOptions/claimsMapping"),
        (saml(set("/interactive", json!(false))), "/interactive"),
        (saml(set("/pendingOptions/certificates", json!([]))), "/pendingOptions/certificates"),
        (saml(set("/pendingOptions/certificates", json!(many))), "/pendingOptions/certificates"),
        (
            saml(set("/pendingOptions/certificates/0/certificate", json!(folded))),
            "/pendingOptions/certificates/0/certificate",
        ),
        (saml(set("/pendingOptions/nameIdFormat", json!("email"))), "/pendingOptions/nameIdFormat"),
        (saml(set("/pendingOptions/claimsMapping/picture", Value::Null)), "/pendingOptions/claimsMapping/picture"),
        (saml(set("/pendingOptions/metadata", json!({ "raw": "PHg+" }))), "/pendingOptions/entityId"),
    ] {
        let answer = office.post(body).await;
        let error = &answer.body["errors"][0];
        assert_eq!((answer.status.as_u16(), error["source"]["pointer"].as_str()), (400, Some(pointer)), "{answer:?}");
        assert!(error["status"] == 400 && answer.body.get("traceId").is_none());
    }
    let foreign = office.post(oidc(set("/tenantIds", json!(["another"])))).await;
    assert_eq!(foreign.status, 403);
    assert!(office.effects().is_empty());
}

#[tokio::test]
async fn a_jwt_key_stands_on_one_line_and_alone() {
    let office = Office::open(PATH, Options::default()).await;
    let signer = Signer::ec();
    let refused = |pem: String| {
        let office = &office;
        async move { office.post(jwt(&pem)).await.body["errors"][0]["source"]["pointer"].clone() }
    };
    for pem in
        [signer.pem(), format!("{} ", signer.line()), signer.line().replace("-----END", "\r-----END"), "x".into()]
    {
        assert_eq!(refused(pem).await, "/options/staticKeys/0/pem");
    }
    let mut two = jwt(&signer.line());
    two["options"]["staticKeys"] = json!([{ "kid": "a", "pem": signer.line() }, { "kid": "b", "pem": signer.line() }]);
    assert_eq!(office.post(two).await.status, 400);
    let mut legacy = jwt(&signer.line());
    legacy["interactive"] = json!(false);
    legacy["active"] = json!(true);
    legacy["options"]["jwtLoginEnabled"] = json!(true);
    let id = make(&office, legacy.clone()).await;
    let seen = office.get(&id).await;
    assert!(seen["active"] == true && seen["options"].get("jwtLoginEnabled").is_none(), "{seen}");
    let describe = json!([{ "op": "replace", "path": "/description", "value": "x" }]);
    assert_eq!(office.patch(&id, describe).await.status, 204);
    assert_eq!(activate(&office, &id, false).await, 400);
    make(&office, legacy.clone()).await;
    office.cloud.sim.set_options(Options { unique_jwt_issuer: true, ..Options::default() }).unwrap();
    assert_eq!(office.post(legacy).await.status, 400);
}

#[tokio::test]
async fn a_patch_is_done_whole_or_not_at_all() {
    let office = Office::open(PATH, Options::default()).await;
    let (oidc_id, saml_id) = (make(&office, oidc(|_| {})).await, make(&office, saml(|_| {})).await);
    let describe = json!({ "op": "replace", "path": "/description", "value": "new" });
    for (id, bad) in [
        (&oidc_id, json!({ "op": "replace", "path": "/options/clientSecret", "value": "x" })),
        (&oidc_id, json!({ "op": "add", "path": "/description", "value": "x" })),
        (&oidc_id, json!({ "op": "replace", "path": "/pendingOptions/realm", "value": "-" })),
        (&oidc_id, json!({ "op": "replace", "path": "/clockToleranceSec", "value": -1 })),
        (&saml_id, json!({ "op": "replace", "path": "/options", "value": {} })),
        (&saml_id, json!({ "op": "replace", "path": "/meta", "value": {} })),
        (&saml_id, json!({ "op": "replace", "path": "/pendingOptions/certificates", "value": [] })),
    ] {
        assert_eq!(office.patch(id, json!([describe, bad])).await.status, 400, "{bad}");
        assert_eq!(office.get(id).await["description"], "");
    }
    let xml = r#"<EntityDescriptor entityID="https://new"><SingleSignOnService Location="https://new/sso"/>"#;
    let change = json!([{ "op": "replace", "path": "/pendingOptions/metadata", "value": metadata(xml) }]);
    assert_eq!(office.patch(&saml_id, change).await.status, 204);
    assert_eq!(office.get(&saml_id).await["pendingOptions"]["signOnUrl"], "https://new/sso");
}

#[tokio::test]
async fn lists_are_paged_and_people_act_by_hand() {
    let office = Office::open(PATH, Options { max_page: Some(2), ..Options::default() }).await;
    for _ in 0..3 {
        make(&office, oidc(|_| {})).await;
    }
    let page = office.call(Method::GET, "", None).await.body;
    let next = page["links"]["next"]["href"].as_str().unwrap();
    let query = &next[next.find('?').unwrap()..];
    let last = office.call(Method::GET, query, None).await.body;
    assert_eq!(last["data"].as_array().unwrap().len(), 1);
    assert!(last["links"].get("next").is_none() && last["links"]["prev"]["href"].is_string());
    let count = office.effects().len();
    let path = format!("/{}", last["data"][0]["id"].as_str().unwrap());
    let done = office.by_hand("delete", &path, None);
    assert_eq!((done.status, office.effects().len()), (204, count));
    assert_eq!(office.call(Method::GET, query, None).await.body["data"], json!([]));
    assert_eq!(office.call(Method::GET, "?limit=0", None).await.status, 400);
}
