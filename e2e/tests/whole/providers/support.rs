//! What the scenarios share.

use e2e::sim::ByHand;
use e2e::stage::{Inside, Operator, Setup, Stage, child_manifest, in_phase, is_ready, manifest};
use qlik_operator::crd::QlikIdentityProvider;
use serde_json::{Value, json};

pub(crate) const PATH: &str = "/api/v1/identity-providers";

/// A login through `OpenID` Connect.
pub(crate) const LOGIN: &str = "oidc:
  provider: auth0
  discoveryUrl: https://acme.auth0.example/.well-known/openid-configuration
  clientId: qlik
  clientSecretRef: {name: login}
  realm: acme.example";

/// Tokens that an app signs with a key pair made by the operator.
pub(crate) const GENERATED: &str = "jwt:
  issuer: https://app.acme.example
  key: {generate: {algorithm: ES384, secret: {name: signing}}}";

/// A stage with one operator and the tenant `acme` in use, and the Secret of a login.
pub(crate) async fn stage(prefix: &str) -> (Stage, Operator) {
    stage_of(Setup::new(prefix)).await
}

pub(crate) async fn stage_of(setup: Setup) -> (Stage, Operator) {
    let stage = Stage::new(setup).await.unwrap();
    let operator = stage.operator().await.unwrap();
    stage.secret("login", &[("clientSecret", "canary-of-the-login")]).await.unwrap();
    stage.apply(&manifest("acme", "alias: acme")).await.unwrap();
    stage.until("acme", "is ready", |t| is_ready(t) && in_phase(t, "Ready")).await.unwrap();
    (stage, operator)
}

/// Applies a provider of the tenant `acme`.
pub(crate) async fn put(stage: &Stage, name: &str, spec: &str) {
    stage.apply(&child_manifest("QlikIdentityProvider", (name, "acme"), spec)).await.unwrap();
}

/// Applies it and waits until it is as declared.
pub(crate) async fn apply(stage: &Stage, name: &str, spec: &str) -> QlikIdentityProvider {
    put(stage, name, spec).await;
    ready(stage, name).await
}

pub(crate) async fn ready(stage: &Stage, name: &str) -> QlikIdentityProvider {
    stage.until_child::<QlikIdentityProvider>(name, "is ready", Inside::is_ready).await.unwrap()
}

/// Changes its spec with a merge patch and waits until it is as declared again.
pub(crate) async fn change(stage: &Stage, name: &str, spec: Value) -> QlikIdentityProvider {
    stage.patch_child::<QlikIdentityProvider>(name, json!({ "spec": spec })).await.unwrap();
    ready(stage, name).await
}

/// Waits until it is not as declared, for this reason, and says these words.
pub(crate) async fn says(stage: &Stage, name: &str, why: &str, words: &[&str]) -> QlikIdentityProvider {
    let wanted = |object: &QlikIdentityProvider| !object.is_ready() && object.reason() == why;
    let object = stage.until_child(name, &format!("says {why}"), wanted).await.unwrap();
    let said = object.message();
    assert!(words.iter().all(|word| said.contains(word)), "{said:?} does not say all of {words:?}");
    object
}

pub(crate) fn id(object: &QlikIdentityProvider) -> String {
    object.status.as_ref().and_then(|status| status.provider_id.clone()).unwrap_or_default()
}

/// The tenant `acme` in Qlik Cloud.
pub(crate) fn tenant(stage: &Stage) -> String {
    stage.sim.tenants().first().map(|tenant| tenant.id.clone()).unwrap()
}

/// What a human does in the portal.
#[track_caller]
pub(crate) fn by_hand(stage: &Stage, method: &str, path: &str, body: Value) -> Value {
    let wanted =
        ByHand { method: method.to_owned(), path: format!("{PATH}{path}"), body: (!body.is_null()).then_some(body) };
    let done = stage.sim.by_hand(&tenant(stage), &wanted).unwrap();
    assert!(done.status < 300, "{method} {}: {done:?}", wanted.path);
    done.body
}

/// Sets a field by hand.
#[track_caller]
pub(crate) fn set_by_hand(stage: &Stage, id: &str, path: &str, value: &Value) {
    by_hand(stage, "PATCH", &format!("/{id}"), json!([{ "op": "replace", "path": path, "value": value }]));
}

/// A provider as the portal shows it.
#[track_caller]
pub(crate) fn in_qlik(stage: &Stage, id: &str) -> Value {
    by_hand(stage, "GET", &format!("/{id}"), Value::Null)
}

/// Every provider of the tenant.
#[track_caller]
pub(crate) fn all_in_qlik(stage: &Stage) -> Vec<Value> {
    by_hand(stage, "GET", "", Value::Null)["data"].as_array().unwrap().clone()
}

/// What took effect on providers, in order, since the journal was last cleared.
pub(crate) fn effects(stage: &Stage) -> Vec<String> {
    let committed = stage.sim.journal().into_iter().filter(|e| e.committed).filter_map(|e| e.effect);
    committed.filter(|effect| effect.starts_with("idp.")).collect()
}

/// Sets one of the operator's annotations.
pub(crate) async fn annotate(stage: &Stage, name: &str, key: &str, value: &str) {
    let key = format!("qlik-operator.dev/{key}");
    let patch = json!({ "metadata": { "annotations": { key: value } } });
    stage.patch_child::<QlikIdentityProvider>(name, patch).await.unwrap();
}

/// A pass that was asked for is through.
pub(crate) async fn pass(stage: &Stage, name: &str) -> QlikIdentityProvider {
    stage.child_pass(name).await.unwrap()
}

/// Deletes it and waits until it is gone.
pub(crate) async fn delete(stage: &Stage, name: &str) {
    stage.delete_child::<QlikIdentityProvider>(name).await.unwrap();
    stage.until_child_gone::<QlikIdentityProvider>(name).await.unwrap();
}

/// A certificate of a provider.
pub(crate) fn certificate() -> String {
    rcgen::generate_simple_self_signed(vec!["login.acme.example".to_owned()]).unwrap().cert.pem()
}

/// A login through SAML, with this entity id.
pub(crate) fn saml(entity: &str) -> String {
    let pem = certificate().lines().fold(String::new(), |pem, line| pem + "      " + line + "\n");
    format!(
        "saml:\n  provider: okta\n  entityId: {entity}\n  signOnUrl: https://login.acme.example/sso\n  certificates:\n  - name: first\n    certificate: |\n{pem}"
    )
}
