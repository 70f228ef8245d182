//! What the scenarios share: tenants in a known state, what people are told, and counts.

use e2e::app::{App, As};
use e2e::sim::ByHand;
use e2e::stage::{Inside, Operator, Setup, Stage, client_manifest, condition, in_phase, is_ready, manifest};
use kube::api::{ListParams, Patch, PatchParams};
use qlik_operator::crd::{OffboardingPhase, QlikOAuthClient, QlikOffboarding, QlikOffboardingStatus, QlikTenant};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);

/// Longer than a call of unknown outcome keeps others from acting.
pub(crate) const TAKE_OVER: Duration = Duration::from_mins(11);

/// A machine-to-machine client whose secret is written to the Secret `app`.
const MACHINE: &str = "appType: web
grantTypes: [client_credentials]
scopes: [user_default]
consent: Trusted
auth: {clientSecret: {secret: {name: app}}}";

/// A stage with one operator.
pub(crate) async fn stage(prefix: &str) -> (Stage, Operator) {
    stage_of(Setup::new(prefix)).await
}

/// A stage of this kind with one operator.
pub(crate) async fn stage_of(setup: Setup) -> (Stage, Operator) {
    let stage = Stage::new(setup).await.unwrap();
    let operator = stage.operator().await.unwrap();
    (stage, operator)
}

/// Ends an operator in order, and waits until it is gone.
pub(crate) async fn end(operator: Operator) {
    operator.terminate().unwrap();
    operator.ended().await;
}

/// Ends an operator as a node does that loses its power, and starts the next one.
pub(crate) async fn restarted(stage: &Stage, operator: Operator) -> Operator {
    operator.kill9().unwrap();
    operator.ended().await;
    stage.operator().await.unwrap()
}

/// The hostname of an alias.
pub(crate) fn host(alias: &str) -> String {
    format!("{alias}.us.qlikcloud.com")
}

/// The spec of the tenant `acme`, armed: whoever takes it off has confirmed its hostname.
pub(crate) fn armed(more: &str) -> String {
    format!("alias: acme\noffboarding: {{confirmHostname: {}{more}}}", host("acme"))
}

/// The spec of the tenant `acme`, off.
pub(crate) fn off(more: &str) -> String {
    format!("{}\nlifecycle: Deactivated", armed(more))
}

/// Applies a tenant and waits until it is in use.
pub(crate) async fn onboard(stage: &Stage, name: &str, spec: &str) -> QlikTenant {
    stage.put(&manifest(name, spec)).await.unwrap();
    in_use(stage, name).await
}

/// Waits until a tenant is in use.
pub(crate) async fn in_use(stage: &Stage, name: &str) -> QlikTenant {
    stage.until(name, "is in use", |t| is_ready(t) && in_phase(t, "Ready")).await.unwrap()
}

/// Applies a tenant and waits until it is off.
pub(crate) async fn offboard(stage: &Stage, name: &str, spec: &str) -> QlikTenant {
    stage.put(&manifest(name, spec)).await.unwrap();
    is_off(stage, name).await
}

/// Waits until a tenant is off.
pub(crate) async fn is_off(stage: &Stage, name: &str) -> QlikTenant {
    stage.until(name, "is off", |t| is_ready(t) && in_phase(t, "Deactivated")).await.unwrap()
}

/// The id of the tenant that an object holds.
pub(crate) fn id_of(tenant: &QlikTenant) -> String {
    tenant.status.as_ref().and_then(|status| status.tenant_id.clone()).unwrap_or_default()
}

/// Why an object is ready or not, by its manifest as it stands.
pub(crate) fn reason(tenant: &QlikTenant) -> &str {
    let current = condition(tenant, "Ready").filter(|c| c.observed_generation == tenant.metadata.generation);
    current.map_or("", |c| c.reason.as_str())
}

/// What people are told about that.
pub(crate) fn said(tenant: &QlikTenant) -> &str {
    condition(tenant, "Ready").map_or("", |c| c.message.as_str())
}

/// The purge date in the object's status.
pub(crate) fn purge_at(tenant: &QlikTenant) -> Option<jiff::Timestamp> {
    tenant.status.as_ref()?.purge.as_ref()?.purge_at.map(|at| at.0)
}

/// Waits until people are told this reason, in these words.
pub(crate) async fn told(stage: &Stage, name: &str, why: &str, words: &[&str]) -> QlikTenant {
    let tenant = stage.until(name, &format!("says {why}"), |tenant| reason(tenant) == why).await.unwrap();
    let said = said(&tenant);
    assert!(words.iter().all(|word| said.contains(word)), "{said:?} does not say all of {words:?}");
    tenant
}

/// A pass that was asked for is through.
pub(crate) async fn pass(stage: &Stage, name: &str) -> QlikTenant {
    assert!(stage.pass(name).await.unwrap(), "{name} is there");
    stage.tenants().get(name).await.unwrap()
}

/// Sets or removes one of the operator's annotations.
pub(crate) async fn annotate(stage: &Stage, name: &str, key: &str, value: Option<&str>) {
    let key = format!("qlik-operator.dev/{key}");
    stage.patch(name, json!({ "metadata": { "annotations": { key: value } } })).await.unwrap();
}

/// Sets one of the operator's annotations on a record.
pub(crate) async fn annotate_record(stage: &Stage, name: &str, key: &str, value: &str) {
    let key = format!("qlik-operator.dev/{key}");
    let patch = Patch::Merge(json!({ "metadata": { "annotations": { key: value } } }));
    stage.records().patch(name, &PatchParams::default(), &patch).await.unwrap();
}

/// The only record.
pub(crate) async fn record(stage: &Stage) -> QlikOffboarding {
    let mut all = stage.records().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(all.len(), 1, "records");
    all.remove(0)
}

/// The name and the status of a record.
pub(crate) fn status_of(record: &QlikOffboarding) -> (String, QlikOffboardingStatus) {
    (record.metadata.name.clone().unwrap(), record.status.clone().unwrap_or_default())
}

/// Asks the record for a pass and waits until it is through.
pub(crate) async fn record_pass(stage: &Stage, name: &str, mark: &str) -> QlikOffboardingStatus {
    annotate_record(stage, name, "requested-at", mark).await;
    let handled = async || {
        let status = stage.records().get(name).await?.status.unwrap_or_default();
        Ok((status.last_handled_reconcile_at.as_deref() == Some(mark)).then_some(status))
    };
    stage.until_some(&format!("{name}: a pass on request"), handled).await.unwrap()
}

/// Waits until a record stands so.
pub(crate) async fn record_in(stage: &Stage, name: &str, phase: OffboardingPhase) -> QlikOffboardingStatus {
    let mut last = QlikOffboardingStatus::default();
    let so = async || {
        last = stage.records().get(name).await?.status.unwrap_or_default();
        Ok((last.phase == phase).then(|| last.clone()))
    };
    let found = stage.in_time(&format!("{name} is {phase:?}"), so).await;
    found.unwrap_or_else(|error| panic!("{error}; it is {last:#?}"))
}

/// The reason of a record.
pub(crate) fn record_reason(status: &QlikOffboardingStatus) -> (&str, &str) {
    let ready = status.conditions.iter().find(|c| c.type_ == "Ready");
    ready.map_or(("", ""), |ready| (&ready.reason, &ready.message))
}

/// The client `app` of the tenant `acme`, ready.
pub(crate) async fn client(stage: &Stage) -> QlikOAuthClient {
    stage.apply(&client_manifest("app", "acme", MACHINE)).await.unwrap();
    client_ready(stage).await
}

/// Waits until the client `app` is ready.
pub(crate) async fn client_ready(stage: &Stage) -> QlikOAuthClient {
    stage.until_client("app", "is ready", |client| client.is_ready() && client.reason() == "Settled").await.unwrap()
}

/// The app works with what its Secret says.
pub(crate) async fn app_works(stage: &Stage) {
    let given = stage.read_secret("app").await.unwrap();
    let done = App::new(&stage.sim).unwrap().whoami(&given, As::Itself).await;
    assert!(done.is_ok(), "{done:?}");
}

/// How many clients a tenant has in Qlik Cloud.
pub(crate) fn clients_in(stage: &Stage, id: &str) -> usize {
    in_tenant(stage, id, "GET", "/api/v1/oauth-clients", &Value::Null)["data"].as_array().map_or(0, Vec::len)
}

/// What a human does inside a tenant.
pub(crate) fn in_tenant(stage: &Stage, id: &str, method: &str, path: &str, body: &Value) -> Value {
    let body = (!body.is_null()).then(|| body.clone());
    let done = stage.sim.by_hand(id, &ByHand { method: method.to_owned(), path: path.to_owned(), body }).unwrap();
    assert!(done.status < 300, "{method} {path}: {done:?}");
    done.body
}

/// How often `POST …/deactivate` was called, with whatever outcome.
pub(crate) fn deactivations(stage: &Stage) -> usize {
    stage.called("POST", "/actions/deactivate")
}

/// How often `POST /tenants` was called, with whatever outcome.
pub(crate) fn creations(stage: &Stage) -> usize {
    stage.called("POST", "/api/v1/tenants")
}
