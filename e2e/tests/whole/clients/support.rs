//! What the scenarios share: a tenant with clients in a known state, and what the simulator knows of them.

use e2e::app::{App, As, Given};
use e2e::sim::ByHand;
use e2e::stage::{Inside, Operator, Setup, Stage, client_manifest, in_phase, is_ready, manifest};
use qlik_operator::crd::QlikOAuthClient;
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const PATH: &str = "/api/v1/oauth-clients";

/// A machine-to-machine client whose secret is written to the Secret `app`.
pub(crate) const MACHINE: &str = "appType: web
grantTypes: [client_credentials]
scopes: [user_default, 'apps:read']
consent: Trusted
auth: {clientSecret: {secret: {name: app}}}";

/// A stage with one operator and the tenant `acme` in use.
pub(crate) async fn stage(prefix: &str) -> (Stage, Operator) {
    let stage = Stage::new(Setup::new(prefix)).await.unwrap();
    let operator = stage.operator().await.unwrap();
    onboard(&stage).await;
    (stage, operator)
}

/// Applies the tenant `acme` and waits until it is in use.
pub(crate) async fn onboard(stage: &Stage) {
    stage.apply(&manifest("acme", "alias: acme")).await.unwrap();
    stage.until("acme", "is ready", |t| is_ready(t) && in_phase(t, "Ready")).await.unwrap();
}

/// A stage on which the client `app` of the tenant `acme` is ready.
pub(crate) async fn ready(prefix: &str, spec: &str) -> (Stage, Operator) {
    let (stage, operator) = stage(prefix).await;
    apply(&stage, spec).await;
    (stage, operator)
}

/// Applies the client `app` and waits until it is as declared.
pub(crate) async fn apply(stage: &Stage, spec: &str) -> QlikOAuthClient {
    stage.apply(&client_manifest("app", "acme", spec)).await.unwrap();
    stage.until_client("app", "is ready", Inside::is_ready).await.unwrap()
}

/// Waits until the client `app` is not as declared, for this reason, and says these words.
pub(crate) async fn refused(stage: &Stage, why: &str, words: &[&str]) -> QlikOAuthClient {
    let says = |c: &QlikOAuthClient| {
        let said = c.message();
        !c.is_ready() && c.reason() == why && words.iter().all(|word| said.contains(word))
    };
    stage.until_client("app", &format!("says {why} and {words:?}"), says).await.unwrap()
}

pub(crate) fn client_id(object: &QlikOAuthClient) -> String {
    object.status.as_ref().and_then(|s| s.client_id.clone()).unwrap_or_default()
}

pub(crate) async fn id(stage: &Stage) -> String {
    client_id(&stage.clients().get("app").await.unwrap())
}

/// The tenant `acme` in Qlik Cloud.
pub(crate) fn tenant(stage: &Stage) -> String {
    stage.sim.tenants().first().map(|tenant| tenant.id.clone()).unwrap()
}

/// What a human does in the portal.
#[track_caller]
pub(crate) fn by_hand(stage: &Stage, method: &str, path: &str, body: Value) -> Value {
    let path = if path.starts_with("/api/") { path.to_owned() } else { format!("{PATH}{path}") };
    let wanted = ByHand { method: method.to_owned(), path, body: (!body.is_null()).then_some(body) };
    let done = stage.sim.by_hand(&tenant(stage), &wanted).unwrap();
    assert!(done.status < 300, "{method} {}: {done:?}", wanted.path);
    done.body
}

/// A client as the portal shows it.
#[track_caller]
pub(crate) fn in_qlik(stage: &Stage, id: &str) -> Value {
    by_hand(stage, "GET", &format!("/{id}"), Value::Null)
}

/// Every client of the tenant.
#[track_caller]
pub(crate) fn all_in_qlik(stage: &Stage) -> Vec<Value> {
    by_hand(stage, "GET", "", Value::Null)["data"].as_array().unwrap().clone()
}

/// The hints of a client's secrets.
#[track_caller]
pub(crate) fn hints(stage: &Stage, id: &str) -> Vec<String> {
    let client = in_qlik(stage, id);
    client["clientSecrets"].as_array().unwrap().iter().map(|s| s["hint"].as_str().unwrap().to_owned()).collect()
}

/// What took effect on clients, in order, since the journal was last cleared.
pub(crate) fn effects(stage: &Stage) -> Vec<String> {
    let of_clients =
        |effect: &String| ["oauth-client.", "secret.", "connection."].iter().any(|start| effect.starts_with(start));
    stage.sim.journal().into_iter().filter(|e| e.committed).filter_map(|e| e.effect).filter(of_clients).collect()
}

/// The app works with what its Secret says.
#[track_caller]
pub(crate) fn works<'a>(stage: &'a Stage, given: &'a Given) -> impl Future<Output = ()> + 'a {
    let place = std::panic::Location::caller();
    async move {
        let done = App::new(&stage.sim).unwrap().whoami(given, As::Itself).await;
        assert!(done.is_ok(), "at {place}: {done:?}");
    }
}

/// Whether Qlik Cloud takes this secret.
pub(crate) async fn takes(stage: &Stage, given: &Given, secret: &str) -> bool {
    let mut given = given.clone();
    given.insert("clientSecret".to_owned(), secret.to_owned());
    match App::new(&stage.sim).unwrap().token(&given, As::Itself).await {
        Ok(_) => true,
        Err(error) if error.status() == Some(401) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Sets or removes one of the operator's annotations of the client `app`.
pub(crate) async fn annotate(stage: &Stage, key: &str, value: &str) {
    let key = format!("qlik-operator.dev/{key}");
    let patch = json!({ "metadata": { "annotations": { key: value } } });
    stage.patch_child::<QlikOAuthClient>("app", patch).await.unwrap();
}

/// Secrets that a status speaks of: their ids and whether they retire.
pub(crate) fn issued(object: &QlikOAuthClient) -> Vec<(String, bool)> {
    let issued = object.status.as_ref().map(|s| s.issued.clone()).unwrap_or_default();
    issued.into_iter().map(|issued| (issued.id, issued.retires_at.is_some())).collect()
}
