//! What was valid then is valid now: nothing is lost, nothing is done again.

use super::stage;
use e2e::stage::{Inside, client_manifest, in_phase, is_ready, manifest};
use serde_json::{Value, json};

/// The definitions as they were before there were clients and identity providers.
const EARLIER: &str = include_str!("crds-before-children.yaml");

const SPEC: &str = "displayName: Acme\nalias: acme\nsettings: {enableAppOpeningFeedback: true}\ninterval: 1h\noffboarding: \
                    {purgeAfterDays: 12, confirmHostname: acme.us.qlikcloud.com, onDelete: Retain, release: Purged, \
                    eraseSecrets: {names: [extra]}}";

#[tokio::test]
async fn an_object_of_an_earlier_schema_goes_on_as_it_was() {
    let (_turn, stage) = stage("stored").await.unwrap();
    stage.cluster.apply_crds(EARLIER).await.unwrap();
    stage.apply(&manifest("acme", SPEC)).await.unwrap();
    let operator = stage.operator().await.unwrap();
    let before = stage.until("acme", "is ready", is_ready).await.unwrap();
    drop(operator);
    stage.sim.clear_journal();

    stage.cluster.apply_crds(&qlik_operator::cli::crds()).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    stage.pass("acme").await.unwrap();
    let after = stage.until("acme", "is ready", is_ready).await.unwrap();
    assert_eq!(after.spec, before.spec);
    let id = |tenant: &qlik_operator::crd::QlikTenant| tenant.status.as_ref().and_then(|s| s.tenant_id.clone());
    assert!(id(&before).is_some());
    assert_eq!(id(&after), id(&before));
    let writes: Vec<_> =
        stage.sim.journal().into_iter().filter(|e| e.method != "GET" && !e.path.contains("/oauth/")).collect();
    assert!(writes.is_empty(), "{writes:?}");

    // What is new works with what is old, and what is old can be off-boarded by the rules it was written under.
    stage.apply(&client_manifest("app", "acme", CLIENT)).await.unwrap();
    stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
    stage.patch("acme", json!({ "spec": { "lifecycle": "Deactivated" } })).await.unwrap();
    let off = stage.until("acme", "is off", |t| is_ready(t) && in_phase(t, "Deactivated")).await.unwrap();
    let purge = off.status.and_then(|status| status.purge).unwrap();
    assert_eq!(purge.purge_after_days, Some(12));
    assert_eq!(stage.committed("tenant.deactivated"), 1);
}

pub(crate) const CLIENT: &str = "appType: web\ngrantTypes: [client_credentials]\nconsent: Trusted\nscopes: [user_default]\n\
                      auth: {clientSecret: {secret: {name: app}}}";

#[tokio::test]
async fn an_older_operator_may_read_what_a_later_schema_stored() {
    let (_turn, stage) = stage("later").await.unwrap();
    let later = super::stricter::changed(|schema| {
        let spec = schema.pointer_mut("/properties/spec/properties").and_then(Value::as_object_mut);
        if let Some(fields) = spec {
            fields.insert("fieldOfTheFuture".to_owned(), json!({ "type": "string" }));
        }
    });
    stage.cluster.apply_crds(&later).await.unwrap();
    stage.apply(&manifest("acme", "alias: acme\nfieldOfTheFuture: kept")).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    stage.until("acme", "is ready", is_ready).await.unwrap();
    // It works with what it knows and takes away nothing of the rest.
    let kept = stage.kubectl(&["get", "qliktenant", "acme", "--output", "jsonpath={.spec.fieldOfTheFuture}"]).await;
    assert_eq!(kept.unwrap(), "kept");
}
