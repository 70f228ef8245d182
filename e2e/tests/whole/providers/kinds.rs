//! Each kind of provider is made, changed and deleted.

use super::support::{
    GENERATED, LOGIN, all_in_qlik, apply, by_hand, certificate, change, delete, effects, id, in_qlik, pass, ready,
    saml, says, stage, tenant,
};
use e2e::sim::BrowserTest;
use e2e::stage::Inside;
use qlik_operator::crd::QlikIdentityProvider;
use serde_json::{Value, json};
use std::path::Path;

fn oidc(product: &str) -> String {
    LOGIN.replace("auth0\n", &format!("{product}\n"))
}

const MACHINE: &str = "oidc:
  provider: okta
  interactive: false
  discoveryUrl: https://acme.okta.example
  audience: qlik
  allowedClientIds: [robot]";

const EXPLICIT: &str = "oidc:
  provider: generic
  endpoints:
    issuer: https://login.acme.example
    jwksUri: https://login.acme.example/jwks
    tokenEndpoint: https://login.acme.example/token
    authorizationEndpoint: https://login.acme.example/authorize
  clientId: qlik
  clientSecretRef: {name: login}";

fn described() -> String {
    let body = certificate().lines().filter(|line| !line.starts_with("-----")).collect::<String>();
    format!(
        "saml:\n  provider: azureAD\n  metadata: '<EntityDescriptor entityID=\"https://sts.acme.example\"><X509Certificate>{body}</X509Certificate><SingleSignOnService Location=\"https://sts.acme.example/sso\"/></EntityDescriptor>'"
    )
}

#[tokio::test]
async fn every_kind_becomes_ready_and_goes_without_a_trace() {
    let (stage, _operator) = stage("idp").await;
    let products = ["auth0", "okta", "generic", "salesforce", "keycloak", "adfs", "azureAD"];
    let mut kinds: Vec<(String, usize)> = products.iter().map(|product| (oidc(product), 1)).collect();
    kinds.extend([(EXPLICIT.to_owned(), 1), (saml("https://login.acme.example"), 1), (described(), 1)]);
    kinds.extend([(MACHINE.to_owned(), 0), (GENERATED.to_owned(), 0)]);
    for (spec, activations) in kinds {
        stage.sim.clear_journal();
        let made = apply(&stage, "login", &spec).await;
        let shown = in_qlik(&stage, &id(&made));
        assert_eq!(shown["active"], true, "{spec}");
        let mut expected = vec!["idp.created"];
        expected.extend(vec!["idp.patched"; activations]);
        assert_eq!(effects(&stage), expected, "{spec}");
        let status = made.status.as_ref().unwrap();
        assert_eq!(status.active, Some(true));
        assert_eq!(status.recovery_address.is_some(), activations == 1, "{spec}");
        assert!(shown["description"].as_str().unwrap().starts_with("[qo:"), "{shown}");
        delete(&stage, "login").await;
        assert!(all_in_qlik(&stage).is_empty(), "{spec}");
    }
    let event = stage.until_event("login", "Deleted").await.unwrap();
    assert!(event.contains("Deleted"), "{event}");
}

/// A path that a human sets, and to what.
type Hand = Option<(&'static str, Value)>;

/// Each field of a login, how it is declared otherwise, where the simulator shows it, and what a human makes of it.
fn fields() -> Vec<(Value, &'static str, Value, Hand)> {
    vec![
        (json!({ "description": "ours" }), "/description", Value::Null, Some(("/description", json!("by hand")))),
        (json!({ "clockToleranceSec": 60 }), "/clockToleranceSec", json!(60), Some(("/clockToleranceSec", json!(7)))),
        (
            json!({ "postLogoutRedirectUri": "https://acme.example/bye" }),
            "/postLogoutRedirectUri",
            json!("https://acme.example/bye"),
            Some(("/postLogoutRedirectUri", json!("https://by.hand"))),
        ),
        (
            json!({ "oidc": { "realm": "r2" } }),
            "/options/realm",
            json!("r2"),
            Some(("/options/realm", json!("byhand"))),
        ),
        (
            json!({ "oidc": { "realm": null } }),
            "/options/realm",
            Value::Null,
            Some(("/options/realm", json!("byhand"))),
        ),
        (json!({ "oidc": { "clientId": "other" } }), "/options/clientId", json!("other"), None),
        (json!({ "oidc": { "scope": "openid email" } }), "/options/scope", json!("openid email"), None),
        (
            json!({ "oidc": { "claims": { "groups": ["/roles"] } } }),
            "/options/claimsMapping/groups",
            json!(["/roles"]),
            Some(("/options/claimsMapping", json!({ "sub": ["/by-hand"] }))),
        ),
        (
            json!({ "oidc": { "discoveryUrl": "https://two.example" } }),
            "/options/discoveryUrl",
            json!("https://two.example"),
            Some(("/options/discoveryUrl", json!("https://by.hand"))),
        ),
        (json!({ "active": false }), "/active", json!(false), None),
        (json!({ "active": true }), "/active", json!(true), Some(("/active", json!(false)))),
    ]
}

#[tokio::test]
async fn every_field_of_a_login_is_changed_and_kept_with_one_patch_each() {
    let (stage, _operator) = stage("idp").await;
    let id = id(&apply(&stage, "login", LOGIN).await);
    for (spec, pointer, value, hand) in fields() {
        stage.sim.clear_journal();
        change(&stage, "login", spec.clone()).await;
        let shown = || in_qlik(&stage, &id).pointer(pointer).cloned().unwrap_or_default();
        if pointer == "/description" {
            assert!(shown().as_str().unwrap().starts_with("ours [qo:"), "{}", shown());
        } else {
            assert_eq!(shown(), value, "{spec}");
        }
        assert_eq!(effects(&stage), ["idp.patched"], "{spec}");
        let Some((path, other)) = hand else { continue };
        let before = shown();
        by_hand(&stage, "PATCH", &format!("/{id}"), json!([{ "op": "replace", "path": path, "value": other }]));
        assert_ne!(shown(), before, "{spec}");
        stage.sim.clear_journal();
        stage.child_pass::<QlikIdentityProvider>("login").await.unwrap();
        assert_eq!(shown(), before, "{spec}");
        assert_eq!(effects(&stage), ["idp.patched"], "{spec}");
    }
    stage.until_event("login", "DriftCorrected").await.unwrap();
}

#[tokio::test]
async fn another_client_secret_is_written_once_and_never_shown() {
    let (stage, _operator) = stage("idp").await;
    let made = apply(&stage, "login", LOGIN).await;
    stage.sim.clear_journal();
    stage.patch_secret("login", json!({ "stringData": { "clientSecret": "canary-of-another" } })).await.unwrap();
    let after = stage.child_pass::<QlikIdentityProvider>("login").await.unwrap();
    assert_eq!(effects(&stage), ["idp.patched"]);
    let print = |object: &QlikIdentityProvider| object.status.as_ref().and_then(|s| s.fingerprint.clone()).unwrap();
    assert_ne!(print(&made), print(&after));
    stage.child_pass::<QlikIdentityProvider>("login").await.unwrap();
    assert_eq!(effects(&stage), ["idp.patched"]);
    let all = stage.kubectl(&["get", "qidp,events", "-o", "yaml"]).await.unwrap();
    assert!(!all.contains("canary-of"), "{all}");

    stage.delete_secret("login").await.unwrap();
    let object = stage.child_pass::<QlikIdentityProvider>("login").await.unwrap();
    assert!(object.is("Reconciling") && object.reason() == "SecretMissing", "{}", object.shown());
    assert_eq!(all_in_qlik(&stage).len(), 1, "the login works on");
}

/// The samples in `config/samples/identity-providers`, each beside nothing else but its Secrets.
#[tokio::test]
async fn every_sample_becomes_ready() {
    let (stage, _operator) = stage("sample").await;
    stage.delete_secret("login").await.unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/samples");
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    stage.apply(&text(&samples.join("secrets/identity-providers.yaml"))).await.unwrap();
    let mut files: Vec<_> =
        std::fs::read_dir(samples.join("identity-providers")).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 12, "{files:?}");
    for file in files {
        let manifest = text(&file);
        let name = manifest.lines().find_map(|line| line.strip_prefix("  name: ")).unwrap().to_owned();
        stage.apply(&manifest).await.unwrap();
        if manifest.contains("verification: Browser") {
            let object = says(&stage, &name, "VerificationPending", &["Validate"]).await;
            stage.sim.browser_test(&tenant(&stage), &id(&object), BrowserTest::Success).unwrap();
            pass(&stage, &name).await;
        }
        let made = ready(&stage, &name).await;
        assert_eq!(in_qlik(&stage, &id(&made))["active"], true, "{name}");
        delete(&stage, &name).await;
    }
}
