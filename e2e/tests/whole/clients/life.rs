//! The ordinary course.

use super::support::{HOUR, MACHINE, all_in_qlik, apply, by_hand, client_id, effects, in_qlik, refused, stage, works};
use e2e::stage::Inside;
use qlik_operator::crd::QlikOAuthClient;
use serde_json::{Value, json};

#[tokio::test]
async fn an_app_gets_what_it_needs_and_loses_it_with_the_object() {
    let (stage, _operator) = stage("client").await;
    let app = apply(&stage, MACHINE).await;
    assert_eq!(effects(&stage), ["oauth-client.created"]);
    let (id, given) = (client_id(&app), stage.read_secret("app").await.unwrap());
    let generated = app.status.as_ref().and_then(|s| s.tenant.as_ref()).map(|t| format!("https://{}", t.hostname));
    let keys: Vec<_> = given.keys().map(String::as_str).collect();
    assert_eq!(keys, ["clientId", "clientSecret", "host", "tokenUrl"]);
    assert_eq!((given["clientId"].as_str(), given["host"].as_str()), (id.as_str(), generated.unwrap().as_str()));
    works(&stage, &given).await;
    assert!(app.is("SecretInSync") && app.is("CredentialsValid"), "{}", app.shown());
    let status = app.status.unwrap();
    assert_eq!(status.secret_name.as_deref(), Some("app"));
    assert_eq!(status.issued.len(), 1);

    stage.delete_child::<QlikOAuthClient>("app").await.unwrap();
    stage.until_child_gone::<QlikOAuthClient>("app").await.unwrap();
    assert!(all_in_qlik(&stage).is_empty());
    assert_eq!(effects(&stage), ["oauth-client.created", "oauth-client.deleted"]);
    stage
        .until_some("the Secret is collected", async || Ok((!stage.has_secret("app").await?).then_some(())))
        .await
        .unwrap();
}

/// Each field, how it is declared otherwise, what the simulator shows then, and what a human makes of it.
fn fields() -> Vec<(&'static str, Value, Value, Value)> {
    let field = |name, spec: Value, field: &str, shown: Value, by_hand: Value| {
        (
            name,
            spec,
            json!({ field: shown }),
            json!([{ "op": "replace", "path": format!("/{field}"), "value": by_hand }]),
        )
    };
    let one = |spec: &'static str, name: &'static str, value: Value, other: Value| {
        field(spec, json!({ spec: value }), name, value.clone(), other)
    };
    vec![
        one("clientName", "clientName", json!("Another name"), json!("By hand")),
        one("clientUri", "clientUri", json!("https://a.example.com"), json!("https://by.hand")),
        one("logoUri", "logoUri", json!("https://a.example.com/logo.png"), json!("https://by.hand/logo.png")),
        one("redirectUris", "redirectUris", json!(["https://a.example.com/cb"]), json!(["https://by.hand/cb"])),
        one("allowedOrigins", "allowedOrigins", json!(["https://a.example.com"]), json!(["https://by.hand"])),
        one("scopes", "allowedScopes", json!(["user_default"]), json!(["user_default", "admin_classic"])),
        one(
            "grantTypes",
            "allowedGrantTypes",
            json!(["urn:qlik:oauth:user-impersonation"]),
            json!(["client_credentials"]),
        ),
    ]
}

#[tokio::test]
async fn every_field_is_changed_and_kept_with_one_patch_each() {
    let (stage, _operator) = stage("client").await;
    let id = client_id(&apply(&stage, MACHINE).await);
    for (name, spec, shown, by_hand_patch) in fields() {
        stage.sim.clear_journal();
        stage.patch_child::<QlikOAuthClient>("app", json!({ "spec": spec })).await.unwrap();
        stage.until_client("app", &format!("is ready with another {name}"), Inside::is_ready).await.unwrap();
        let (field, value) = shown.as_object().unwrap().iter().next().unwrap();
        assert_eq!(in_qlik(&stage, &id)[field], *value, "{name}");
        assert_eq!(effects(&stage), ["oauth-client.patched"], "{name}");

        stage.sim.clear_journal();
        by_hand(&stage, "PATCH", &format!("/{id}"), by_hand_patch);
        assert_ne!(in_qlik(&stage, &id)[field], *value, "{name}");
        stage.client_pass("app").await.unwrap();
        assert_eq!(in_qlik(&stage, &id)[field], *value, "{name}");
        assert_eq!(effects(&stage), ["oauth-client.patched"], "{name}");
        stage.until_event("app", "DriftCorrected").await.unwrap();
    }
}

#[tokio::test]
async fn the_description_is_for_people_and_carries_the_mark() {
    let (stage, _operator) = stage("client").await;
    let id = client_id(&apply(&stage, MACHINE).await);
    let shown = || in_qlik(&stage, &id)["description"].as_str().unwrap().to_owned();
    assert!(shown().starts_with("[qo:"), "{}", shown());
    stage.patch_child::<QlikOAuthClient>("app", json!({ "spec": { "description": "Nightly reloads" } })).await.unwrap();
    stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
    let wanted = shown();
    assert!(wanted.starts_with("Nightly reloads [qo:"), "{wanted}");
    for by_hand_text in ["", "Something else", "Nightly reloads", &format!("{wanted} and more")] {
        // More often than three times within a day it would be taken for somebody's will.
        stage.turn(HOUR * 49).unwrap();
        stage.client_pass("app").await.unwrap();
        stage.sim.clear_journal();
        let change = json!([{ "op": "replace", "path": "/description", "value": by_hand_text }]);
        by_hand(&stage, "PATCH", &format!("/{id}"), change);
        stage.client_pass("app").await.unwrap();
        assert_eq!((shown(), effects(&stage)), (wanted.clone(), vec!["oauth-client.patched".to_owned()]));
    }
}

#[tokio::test]
async fn consent_is_kept_as_declared_and_a_published_client_stays_published() {
    let (stage, _operator) = stage("client").await;
    let spec = "appType: web\nredirectUris: ['https://a.example.com/cb']\nauth: {clientSecret: {secret: {name: app}}}";
    let id = client_id(&apply(&stage, spec).await);
    let consent = || in_qlik(&stage, &id)["connectionConfig"]["consentMethod"].as_str().unwrap().to_owned();
    assert_eq!(consent(), "required");
    for wanted in ["Trusted", "Required", "Trusted"] {
        stage.sim.clear_journal();
        stage.patch_child::<QlikOAuthClient>("app", json!({ "spec": { "consent": wanted } })).await.unwrap();
        stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
        assert_eq!((consent(), effects(&stage)), (wanted.to_lowercase(), vec!["connection.patched".to_owned()]));
    }
    let change = json!([{ "op": "replace", "path": "/consentMethod", "value": "required" }]);
    by_hand(&stage, "PATCH", &format!("/{id}/connection-configs/me"), change);
    stage.client_pass("app").await.unwrap();
    assert_eq!(consent(), "trusted");
    // A human threw the whole configuration away.
    by_hand(&stage, "DELETE", &format!("/{id}/connection-configs/me"), Value::Null);
    stage.client_pass("app").await.unwrap();
    refused(&stage, "QlikRefused", &["connection configuration", "Delete the client there"]).await;
}

#[tokio::test]
async fn it_is_published_once_and_stays_so() {
    let (stage, _operator) = stage("client").await;
    let id = client_id(&apply(&stage, MACHINE).await);
    stage.sim.clear_journal();
    stage.patch_child::<QlikOAuthClient>("app", json!({ "spec": { "publish": true } })).await.unwrap();
    let app = stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
    assert_eq!(effects(&stage), ["oauth-client.published"]);
    let at = app.status.unwrap().published_at.unwrap().0;
    assert!(in_qlik(&stage, &id)["publishedAt"].as_str().unwrap().starts_with(&at.to_string()[..19]));
    stage.client_pass("app").await.unwrap();
    assert_eq!(effects(&stage), ["oauth-client.published"]);
}

#[tokio::test]
async fn one_that_somebody_published_says_that_it_cannot_be_taken_back() {
    let (stage, _operator) = stage("client").await;
    let id = client_id(&apply(&stage, MACHINE).await);
    by_hand(&stage, "POST", &format!("/{id}/actions/publish"), Value::Null);
    stage.client_pass("app").await.unwrap();
    refused(&stage, "NotReversible", &["spec.publish: true"]).await;
    // The app works on.
    works(&stage, &stage.read_secret("app").await.unwrap()).await;
    stage.patch_child::<QlikOAuthClient>("app", json!({ "spec": { "publish": true } })).await.unwrap();
    stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
}

#[tokio::test]
async fn the_secret_is_written_in_the_words_of_the_app() {
    let (stage, _operator) = stage("client").await;
    let spec = MACHINE.replace(
        "{secret: {name: app}}",
        "{secret: {name: app, labels: {team: blue}, annotations: {example.com/reload: 'true'},
          template: {QLIK_SECRET: '${clientSecret}', 'config.ini': \"url=${tenantUrl}\\nid=${clientId}\\nprice=5$$\\n\"}}}",
    );
    apply(&stage, &spec).await;
    let given = stage.read_secret("app").await.unwrap();
    let keys: Vec<_> = given.keys().map(String::as_str).collect();
    assert_eq!(keys, ["QLIK_SECRET", "config.ini"]);
    assert!(given["config.ini"].starts_with("url=https://") && given["config.ini"].ends_with("\nprice=5$\n"));
    let secret = stage.patch_secret("app", json!({ "metadata": { "labels": { "theirs": "1" } } })).await.unwrap();
    let (labels, annotations) = (secret.metadata.labels.unwrap(), secret.metadata.annotations.unwrap());
    assert_eq!((labels["team"].as_str(), annotations["example.com/reload"].as_str()), ("blue", "true"));
    let all = format!("{labels:?}{annotations:?}");
    assert!(!all.contains(&given["QLIK_SECRET"]), "the secret shows in the Secret's metadata");
    // What others put beside ours stays, and a changed template is written with the same secret.
    let spec = spec.replace("QLIK_SECRET", "PASSWORD").replace("blue", "green");
    stage.apply(&e2e::stage::client_manifest("app", "acme", &spec)).await.unwrap();
    stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
    let again = stage.read_secret("app").await.unwrap();
    assert_eq!(again.get("PASSWORD"), given.get("QLIK_SECRET"));
    let secret = stage.patch_secret("app", json!({})).await.unwrap();
    let labels = secret.metadata.labels.unwrap();
    assert_eq!((labels["team"].as_str(), labels["theirs"].as_str()), ("green", "1"));
    assert_eq!(effects(&stage), ["oauth-client.created"]);
}
