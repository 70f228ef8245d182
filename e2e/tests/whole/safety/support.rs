//! What the scenarios share: tenants in a known state, questions about them, and counts.

use e2e::stage::{Error, Operator, Setup, Stage, condition, manifest};
use qlik_operator::crd::QlikTenant;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);

/// A stage with one operator.
pub(crate) async fn stage(prefix: &str) -> (Stage, Operator) {
    let stage = Stage::new(Setup::new(prefix)).await.unwrap();
    let operator = stage.operator().await.unwrap();
    (stage, operator)
}

/// The spec lines of a tenant with this alias that a deletion deactivates.
pub(crate) fn deletable(alias: &str, more: &str) -> String {
    format!("alias: {alias}\noffboarding: {{onDelete: Deactivate, confirmHostname: {}{more}}}", host(alias))
}

/// The spec lines of a tenant with this alias that is off.
pub(crate) fn off(alias: &str, more: &str) -> String {
    format!("alias: {alias}\nlifecycle: Deactivated\noffboarding: {{confirmHostname: {}{more}}}", host(alias))
}

/// The hostname of an alias.
pub(crate) fn host(alias: &str) -> String {
    format!("{alias}.us.qlikcloud.com")
}

/// Applies a tenant and waits until it is as declared.
pub(crate) async fn onboard(stage: &Stage, name: &str, spec: &str) -> QlikTenant {
    stage.apply(&manifest(name, spec)).await.unwrap();
    stage.until(name, "is ready", |t| is_ready(t) && phase(t) == "Ready").await.unwrap()
}

/// Applies a tenant that is off and waits until it is.
pub(crate) async fn offboard(stage: &Stage, name: &str, spec: &str) -> QlikTenant {
    stage.apply(&manifest(name, spec)).await.unwrap();
    stage.until(name, "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap()
}

pub(crate) fn is_ready(tenant: &QlikTenant) -> bool {
    let generation = tenant.metadata.generation;
    condition(tenant, "Ready").is_some_and(|c| c.status == "True" && c.observed_generation == generation)
}

pub(crate) fn phase(tenant: &QlikTenant) -> String {
    tenant.status.as_ref().map(|s| s.phase.to_string()).unwrap_or_default()
}

/// Why the object is not ready, or is, as of its newest generation.
pub(crate) fn reason(tenant: &QlikTenant) -> &str {
    let generation = tenant.metadata.generation;
    condition(tenant, "Ready").filter(|c| c.observed_generation == generation).map_or("", |c| c.reason.as_str())
}

pub(crate) fn message(tenant: &QlikTenant) -> &str {
    condition(tenant, "Ready").map_or("", |c| c.message.as_str())
}

pub(crate) fn tenant_id(tenant: &QlikTenant) -> String {
    tenant.status.as_ref().and_then(|s| s.tenant_id.clone()).unwrap_or_default()
}

pub(crate) fn purge_at(tenant: &QlikTenant) -> Option<jiff::Timestamp> {
    tenant.status.as_ref()?.purge.as_ref()?.purge_at.map(|at| at.0)
}

/// Waits until the object stalls for this reason, says these words to its reader, and fails if it does not.
pub(crate) async fn stalls(stage: &Stage, name: &str, why: &str, words: &[&str]) -> QlikTenant {
    let stalled = |t: &QlikTenant| {
        let current = |c: &&_| {
            let c: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition = c;
            c.observed_generation == t.metadata.generation
        };
        condition(t, "Stalled").filter(current).is_some_and(|c| c.status == "True" && c.reason == why)
    };
    let tenant = stage.until(name, &format!("stalls with {why}"), stalled).await.unwrap();
    let said = message(&tenant);
    assert!(words.iter().all(|word| said.contains(word)), "{said:?} does not say all of {words:?}");
    tenant
}

/// Asks for a pass and waits until one that began later has been published.
pub(crate) async fn poke(stage: &Stage, name: &str) -> QlikTenant {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let word = format!("pass-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    annotate(stage, name, "requested-at", Some(&word)).await.unwrap();
    let handled =
        |t: &QlikTenant| t.status.as_ref().and_then(|s| s.last_handled_reconcile_at.as_deref()) == Some(&word);
    stage.until(name, "made the pass that was asked for", handled).await.unwrap()
}

/// Sets or removes one of the operator's annotations.
pub(crate) async fn annotate(stage: &Stage, name: &str, key: &str, value: Option<&str>) -> Result<QlikTenant, Error> {
    let key = format!("qlik-operator.dev/{key}");
    stage.patch(name, json!({ "metadata": { "annotations": { key: value } } })).await
}

/// Writes the status by hand, as nobody should.
pub(crate) async fn write_status(stage: &Stage, name: &str, status: Value) {
    let (params, patch) = (kube::api::PatchParams::default(), kube::api::Patch::Merge(json!({ "status": status })));
    stage.tenants().patch_status(name, &params, &patch).await.unwrap();
}

/// Does something with all rights, on a thread of its own, and waits for it: hooks are called where nothing may be awaited.
pub(crate) fn at_once<F>(kubeconfig: PathBuf, what: F)
where
    F: AsyncFnOnce(kube::Client) + Send + 'static,
{
    let done = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let config = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
            let options = kube::config::KubeConfigOptions::default();
            let config = kube::Config::from_custom_kubeconfig(config, &options).await.unwrap();
            what(kube::Client::try_from(config).unwrap()).await;
        });
    });
    done.join().unwrap();
}

/// How often `POST …/deactivate` was called, with whatever outcome.
pub(crate) fn deactivations(stage: &Stage) -> usize {
    stage.called("POST", "/actions/deactivate")
}

/// Nothing was deactivated, nothing was ever called that could have, and exactly these many tenants exist in use.
#[track_caller]
pub(crate) fn untouched(stage: &Stage, tenants: usize) {
    assert_eq!(deactivations(stage), 0, "calls of POST …/deactivate");
    let all = stage.sim.tenants();
    assert_eq!(all.len(), tenants, "tenants: {all:#?}");
    assert!(all.iter().all(|t| t.status == e2e::sim::Status::Active), "{all:#?}");
}

/// The events about an object, each as `REASON: note`.
pub(crate) async fn events(stage: &Stage, name: &str) -> Vec<String> {
    let api: kube::Api<k8s_openapi::api::events::v1::Event> = kube::Api::namespaced(stage.admin(), stage.ns());
    let all = api.list(&kube::api::ListParams::default()).await.unwrap().items;
    all.into_iter()
        .filter(|event| event.regarding.as_ref().and_then(|o| o.name.as_deref()) == Some(name))
        .map(|event| format!("{}: {}", event.reason.unwrap_or_default(), event.note.unwrap_or_default()))
        .collect()
}

/// Waits for an event about an object.
pub(crate) async fn event(stage: &Stage, name: &str, start: &str) -> String {
    let found = async || Ok(events(stage, name).await.into_iter().find(|event| event.starts_with(start)));
    stage.until_some(&format!("the event {start} about {name}"), found).await.unwrap()
}
