//! Every kind of app gets what it needs and can use it, if it is one that can.

use super::support::{all_in_qlik, apply, by_hand, client_id, effects, in_qlik, stage};
use e2e::app::{App, As, Given};
use e2e::stage::{Inside, Setup, Stage, client_manifest, is_ready};
use qlik_operator::crd::QlikOAuthClient;
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, SignatureAlgorithm};
use serde_json::{Value, json};

/// Deletes the object and sees its client go.
async fn end(stage: &Stage) {
    stage.delete_child::<QlikOAuthClient>("app").await.unwrap();
    stage.until_child_gone::<QlikOAuthClient>("app").await.unwrap();
    assert!(all_in_qlik(stage).is_empty());
}

#[tokio::test]
async fn a_web_app_whose_users_log_in() {
    let (stage, _operator) = stage("type").await;
    let spec = "appType: web\nscopes: [user_default, offline_access]\nredirectUris: ['https://a.example.com/cb']\n\
                auth: {clientSecret: {secret: {name: app}}}";
    let id = client_id(&apply(&stage, spec).await);
    let shown = in_qlik(&stage, &id);
    assert_eq!((&shown["appType"], &shown["allowedAuthMethods"]), (&json!("web"), &json!(["client_secret"])));
    // It is nobody by itself.
    let given = stage.read_secret("app").await.unwrap();
    let refused = App::new(&stage.sim).unwrap().token(&given, As::Itself).await.unwrap_err();
    assert_eq!(refused.status(), Some(400));
    end(&stage).await;
}

#[tokio::test]
async fn a_machine_that_acts_as_users() {
    let (stage, _operator) = stage("type").await;
    let spec = "appType: web\nscopes: [user_default]\ngrantTypes: ['urn:qlik:oauth:user-impersonation']\n\
                consent: Trusted\nauth: {clientSecret: {secret: {name: app}}}";
    apply(&stage, spec).await;
    let anna = json!({ "subject": "idp|anna", "name": "Anna", "email": "anna@example.com" });
    by_hand(&stage, "POST", "/api/v1/users", anna);
    let (app, given) = (App::new(&stage.sim).unwrap(), stage.read_secret("app").await.unwrap());
    assert_eq!(app.whoami(&given, As::User("idp|anna")).await.unwrap()["name"], "Anna");
    assert_eq!(app.whoami(&given, As::Itself).await.unwrap_err().status(), Some(400));
    end(&stage).await;
}

#[tokio::test]
async fn public_clients_keep_no_secret_and_get_one_only_with_their_id() {
    let (stage, _operator) = stage("type").await;
    let spa = "appType: spa\nscopes: [user_default]\nredirectUris: ['https://a.example.com/cb']\n\
               allowedOrigins: ['https://a.example.com']";
    let app = apply(&stage, spa).await;
    assert!(app.condition("SecretInSync").is_none() && app.status.unwrap().secret_name.is_none());
    end(&stage).await;
    let native = "appType: native\nscopes: [user_default]\nredirectUris: ['http://localhost:8765/callback']";
    for (spec, kind) in [(spa, "spa"), (native, "native")] {
        let id = client_id(&apply(&stage, &format!("{spec}\nauth: {{none: {{secret: {{name: {kind}}}}}}}")).await);
        let shown = in_qlik(&stage, &id);
        assert_eq!((&shown["appType"], &shown["clientSecrets"]), (&json!(kind), &json!([])));
        let given = stage.read_secret(kind).await.unwrap();
        assert_eq!(given.keys().collect::<Vec<_>>(), ["clientId", "host", "tokenUrl"]);
        assert_eq!(given["clientId"], id);
        stage.patch_secret(kind, json!({ "stringData": { "clientId": "other" } })).await.unwrap();
        stage.client_pass("app").await.unwrap();
        assert_eq!(stage.read_secret(kind).await.unwrap(), given);
        end(&stage).await;
    }
}

#[tokio::test]
async fn anonymous_embedding_in_stockholm() {
    let stage = Stage::new(Setup::new("type")).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    let se = stage.sim.ready().regional["se"].clone();
    stage.secret("se", &[("clientId", &se.client_id), ("clientSecret", &se.client_secret)]).await.unwrap();
    let tenant = e2e::stage::manifest("acme", "").replace("region: us", "region: se").replace("qlik-credentials", "se");
    stage.apply(&tenant).await.unwrap();
    stage.until("acme", "is ready", is_ready).await.unwrap();
    let id = client_id(&apply(&stage, "appType: anonymous-embed\nallowedOrigins: ['https://www.example.com']").await);
    assert_eq!(in_qlik(&stage, &id)["appType"], "anonymous-embed");
    end(&stage).await;
}

/// What a refusal by Qlik Cloud says to people: here, that the region is the wrong one.
#[tokio::test]
async fn anonymous_embedding_elsewhere_says_why_not() {
    let (stage, _operator) = stage("type").await;
    let spec = "appType: anonymous-embed\nallowedOrigins: ['https://www.example.com']";
    stage.apply(&client_manifest("app", "acme", spec)).await.unwrap();
    let app = stage.until_client("app", "is refused", |c| c.is("Stalled")).await.unwrap();
    assert!(app.message().contains("region se"), "{}", app.message());
    assert!(effects(&stage).is_empty());
    stage.delete_child::<QlikOAuthClient>("app").await.unwrap();
    stage.until_child_gone::<QlikOAuthClient>("app").await.unwrap();
}

fn signing(more: &str) -> String {
    format!(
        "appType: web\ngrantTypes: [client_credentials]\nscopes: [user_default]\nconsent: Trusted\nauth: {{privateKeyJwt: {more}}}"
    )
}

#[tokio::test]
async fn a_machine_that_signs_with_a_key_made_for_it() {
    let (stage, _operator) = stage("type").await;
    for algorithm in ["RS256", "RS512", "ES384"] {
        // A Secret of its own each: Kubernetes takes its time to collect the former one.
        let secret = format!("app-{}", algorithm.to_lowercase());
        let spec = signing(&format!("{{generate: {{algorithm: {algorithm}, secret: {{name: {secret}}}}}}}"));
        let id = client_id(&apply(&stage, &spec).await);
        let given = stage.read_secret(&secret).await.unwrap();
        let keys: Vec<_> = given.keys().map(String::as_str).collect();
        assert_eq!(keys, ["algorithm", "clientId", "host", "keyId", "privateKey", "tokenUrl"]);
        assert_eq!(given["algorithm"], algorithm);
        App::new(&stage.sim).unwrap().whoami(&given, As::Itself).await.unwrap();
        let shown = in_qlik(&stage, &id);
        assert_eq!((&shown["allowedAuthMethods"], &shown["clientSecrets"]), (&json!(["private_key_jwt"]), &json!([])));
        assert!(!shown.to_string().contains("\"d\":"), "a private key went to Qlik Cloud");
        // Somebody puts a key of their own beside it.
        let (_, theirs) = pair(&PKCS_ECDSA_P384_SHA384);
        let own = shown["publicKeys"][0].clone();
        let change = json!([{ "op": "replace", "path": "/publicKeys", "value": [own, jwk(&theirs)] }]);
        stage.sim.clear_journal();
        by_hand(&stage, "PATCH", &format!("/{id}"), change);
        stage.client_pass("app").await.unwrap();
        assert_eq!(in_qlik(&stage, &id)["publicKeys"], json!([own]));
        assert_eq!(effects(&stage), ["oauth-client.patched"]);
        end(&stage).await;
    }
}

#[tokio::test]
async fn a_machine_that_signs_with_a_key_of_its_own() {
    let (stage, _operator) = stage("type").await;
    for (kind, algorithm) in [(&PKCS_RSA_SHA256, "RS256"), (&PKCS_ECDSA_P384_SHA384, "ES384")] {
        let (own, name) = (KeyPair::generate_for(kind).unwrap(), format!("key-{}", algorithm.to_lowercase()));
        stage.secret(&name, &[("publicKey", &own.public_key_pem())]).await.unwrap();
        let app = apply(&stage, &signing(&format!("{{publicKeyRef: {{name: {name}}}}}"))).await;
        let id = client_id(&app);
        given_key_works(&stage, &app, (&own, algorithm)).await;
        // Another key of its own.
        let next = KeyPair::generate_for(kind).unwrap();
        stage.sim.clear_journal();
        stage.patch_secret(&name, json!({ "stringData": { "publicKey": next.public_key_pem() } })).await.unwrap();
        let app = stage.client_pass("app").await.unwrap();
        assert_eq!(effects(&stage), ["oauth-client.patched"]);
        given_key_works(&stage, &app, (&next, algorithm)).await;
        assert_eq!(client_id(&app), id);
        // A private key handed in by mistake is not sent anywhere.
        stage.sim.clear_journal();
        stage.patch_secret(&name, json!({ "stringData": { "publicKey": next.serialize_pem() } })).await.unwrap();
        stage.client_pass("app").await.unwrap();
        let app = stage.until_client("app", "refuses the key", |c| c.reason() == "SecretInvalid").await.unwrap();
        assert!(app.message().contains(&name) && effects(&stage).is_empty(), "{}", app.message());
        end(&stage).await;
    }
}

async fn given_key_works(stage: &Stage, app: &QlikOAuthClient, (own, algorithm): (&KeyPair, &str)) {
    let shown = in_qlik(stage, &client_id(app));
    let host = app.status.as_ref().unwrap().tenant.as_ref().unwrap().hostname.clone();
    let kid = shown["publicKeys"][0]["kid"].as_str().unwrap();
    let values = [
        ("clientId", client_id(app)),
        ("host", format!("https://{host}")),
        ("tokenUrl", format!("https://{host}/oauth/token")),
        ("keyId", kid.to_owned()),
        ("algorithm", algorithm.to_owned()),
        ("privateKey", own.serialize_pem()),
    ];
    let given: Given = values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    App::new(&stage.sim).unwrap().whoami(&given, As::Itself).await.unwrap();
}

fn pair(kind: &'static SignatureAlgorithm) -> (KeyPair, Vec<u8>) {
    let pair = KeyPair::generate_for(kind).unwrap();
    let point = rcgen::PublicKeyData::der_bytes(&pair).to_vec();
    (pair, point)
}

fn jwk(point: &[u8]) -> Value {
    use base64::Engine;
    let text = |bytes| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = point[1..].split_at(48);
    json!({ "kty": "EC", "alg": "ES384", "use": "sig", "kid": "theirs", "crv": "P-384", "x": text(x), "y": text(y) })
}
