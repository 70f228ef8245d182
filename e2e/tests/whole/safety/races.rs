//! Decisions that are overtaken: by a change of mind, by a death, by a second operator.

use super::support::*;
use e2e::cluster::proxy::{After, Before, Hooks, Proxy};
use e2e::sim::Status;
use e2e::stage::{Operator, Setup, Stage, manifest};
use http::Method;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use qlik_operator::crd::QlikTenant;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// The requests of the operator between the decision to deactivate and the call, by method and end of path.
const BEFORE_THE_CALL: [(&Method, &str); 3] =
    [(&Method::PATCH, "/qliktenants/acme"), (&Method::POST, "/qlikoffboardings"), (&Method::GET, "/qliktenants/acme")];

fn patch_now(kubeconfig: PathBuf, namespace: String, patch: Value) {
    at_once(kubeconfig, async move |client| {
        let api: kube::Api<QlikTenant> = kube::Api::namespaced(client, &namespace);
        api.patch("acme", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    });
}

fn delete_namespace_now(kubeconfig: PathBuf, namespace: String) {
    at_once(kubeconfig, async move |client| {
        let api: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(client);
        api.delete(&namespace, &DeleteParams::default()).await.unwrap();
    });
}

/// The object is changed back to Active while its operator, which has not heard of it, goes on to the given request.
async fn changed_back_before(request: usize) {
    let stage = Stage::new(Setup::new("stale")).await.unwrap();
    let armed = Arc::new(AtomicBool::new(false));
    let hooks = {
        let (armed, admin, ns) = (armed.clone(), stage.cluster.kubeconfig().to_path_buf(), stage.ns().to_owned());
        Hooks::default().before_request(move |call| {
            let (method, end) = BEFORE_THE_CALL[request];
            if call.method == method && call.path.ends_with(end) && armed.swap(false, Ordering::SeqCst) {
                patch_now(admin.clone(), ns.clone(), json!({ "spec": { "lifecycle": "Active" } }));
            }
            Before::Forward
        })
    };
    let proxy = Proxy::start(stage.cluster, &stage.identity, hooks).await.unwrap();
    let _operator = stage.operator_with(proxy.kubeconfig(), &[]).await.unwrap();
    onboard(&stage, "acme", "alias: acme").await;
    armed.store(true, Ordering::SeqCst);
    stage.apply(&manifest("acme", &off("acme", ""))).await.unwrap();
    let changed = async || Ok((!armed.load(Ordering::SeqCst)).then_some(()));
    stage.until_some("the object is changed back", changed).await.unwrap();
    // A record that was opened stands for a call that may arrive; it is written off after its ten minutes.
    stage.turn(HOUR).unwrap();
    stage.until("acme", "is ready", |t| is_ready(t) && phase(t) == "Ready").await.unwrap();
    poke(&stage, "acme").await;
    untouched(&stage, 1);
    let records = stage.records().list(&ListParams::default()).await.unwrap().items;
    assert!(records.iter().all(|r| format!("{:?}", r.status.as_ref().unwrap().phase) == "Cancelled"), "{records:#?}");
}

/// The object is deleted with `Deactivate`, and then, just before the call, something is done that forbids it.
async fn deletion_overtaken_by(what: impl Fn(&Stage) -> Box<dyn Fn() + Send + Sync>) -> (Stage, Operator, Proxy) {
    let stage = Stage::new(Setup::new("overtaken")).await.unwrap();
    let armed = Arc::new(AtomicBool::new(false));
    let hooks = {
        let (armed, act) = (armed.clone(), what(&stage));
        Hooks::default().before_request(move |call| {
            let (method, end) = BEFORE_THE_CALL[2];
            if call.method == method && call.path.ends_with(end) && armed.swap(false, Ordering::SeqCst) {
                act();
            }
            Before::Forward
        })
    };
    let proxy = Proxy::start(stage.cluster, &stage.identity, hooks).await.unwrap();
    let operator = stage.operator_with(proxy.kubeconfig(), &[]).await.unwrap();
    onboard(&stage, "acme", &deletable("acme", "")).await;
    armed.store(true, Ordering::SeqCst);
    stage.delete("acme").await.unwrap();
    let done = async || Ok((!armed.load(Ordering::SeqCst)).then_some(()));
    stage.until_some("the operator is about to call", done).await.unwrap();
    (stage, operator, proxy)
}

fn patching(patch: Value) -> impl Fn(&Stage) -> Box<dyn Fn() + Send + Sync> {
    move |stage| {
        let (admin, ns, patch) = (stage.cluster.kubeconfig().to_path_buf(), stage.ns().to_owned(), patch.clone());
        Box::new(move || patch_now(admin.clone(), ns.clone(), patch.clone()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_to_retain_just_before_the_call() {
    let retain = patching(json!({ "spec": { "offboarding": { "onDelete": "Retain" } } }));
    let (stage, _operator, _proxy) = deletion_overtaken_by(retain).await;
    stage.until_gone("acme").await.unwrap();
    untouched(&stage, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suspended_just_before_the_call() {
    let (stage, _operator, _proxy) = deletion_overtaken_by(patching(json!({ "spec": { "suspend": true } }))).await;
    stage.until("acme", "is suspended", |t| reason(t) == "Suspended").await.unwrap();
    untouched(&stage, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirmation_withdrawn_just_before_the_call() {
    let wrong = patching(json!({ "spec": { "offboarding": { "confirmHostname": "x.us.qlikcloud.com" } } }));
    let (stage, _operator, _proxy) = deletion_overtaken_by(wrong).await;
    stalls(&stage, "acme", "ConfirmHostnameMismatch", &["x.us.qlikcloud.com"]).await;
    untouched(&stage, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn namespace_deleted_just_before_the_call() {
    let sweep = |stage: &Stage| -> Box<dyn Fn() + Send + Sync> {
        let (admin, ns) = (stage.cluster.kubeconfig().to_path_buf(), stage.ns().to_owned());
        Box::new(move || delete_namespace_now(admin.clone(), ns.clone()))
    };
    let (stage, _operator, _proxy) = deletion_overtaken_by(sweep).await;
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(stage.admin());
    let gone = async || Ok(namespaces.get_opt(stage.ns()).await?.is_none().then_some(()));
    stage.until_some("the namespace goes away", gone).await.unwrap();
    untouched(&stage, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_back_to_active_before_the_announcement() {
    changed_back_before(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_back_to_active_before_the_record() {
    changed_back_before(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_back_to_active_just_before_the_call() {
    changed_back_before(2).await;
}

/// An operator that dies right after the first such request once it is armed, and its proxy.
struct Doomed {
    armed: Arc<AtomicBool>,
    victim: Arc<OnceLock<Operator>>,
    _proxy: Proxy,
}

impl Doomed {
    async fn new(stage: &Stage, (method, end): (&'static Method, &'static str)) -> Self {
        let armed = Arc::new(AtomicBool::new(false));
        let victim: Arc<OnceLock<Operator>> = Arc::new(OnceLock::new());
        let hooks = {
            let (armed, victim) = (armed.clone(), victim.clone());
            Hooks::default().after_request(move |asked| {
                if asked.method == method && asked.path.ends_with(end) && armed.swap(false, Ordering::SeqCst) {
                    victim.get().unwrap().kill9().unwrap();
                    return After::Drop;
                }
                After::Answer
            })
        };
        let proxy = Proxy::start(stage.cluster, &stage.identity, hooks).await.unwrap();
        let operator = stage.operator_with(proxy.kubeconfig(), &[]).await.unwrap();
        assert!(victim.set(operator).is_ok());
        Self { armed, victim, _proxy: proxy }
    }

    fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    async fn dies(&self) {
        self.victim.get().unwrap().wait(e2e::stage::PATIENCE).await.unwrap();
    }
}

/// The operator dies right after the given request; the manifest is changed back before the next operator starts.
async fn killed_after(request: usize) {
    let stage = Stage::new(Setup::new("killed")).await.unwrap();
    let doomed = Doomed::new(&stage, BEFORE_THE_CALL[request]).await;
    onboard(&stage, "acme", "alias: acme").await;
    doomed.arm();
    stage.apply(&manifest("acme", &off("acme", ""))).await.unwrap();
    doomed.dies().await;
    stage.apply(&manifest("acme", "alias: acme")).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    poke(&stage, "acme").await;
    stage.turn(HOUR).unwrap();
    stage.until("acme", "is ready", |t| is_ready(t) && phase(t) == "Ready").await.unwrap();
    poke(&stage, "acme").await;
    untouched(&stage, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_the_announcement() {
    killed_after(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_the_record() {
    killed_after(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_just_before_the_call() {
    killed_after(2).await;
}

/// The record of a tenant that is let go is written, and its writer is dead: the object goes all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_the_record_and_the_release() {
    let stage = Stage::new(Setup::new("release")).await.unwrap();
    let doomed = Doomed::new(&stage, (&Method::POST, "/qlikoffboardings")).await;
    onboard(&stage, "acme", "alias: acme").await;
    doomed.arm();
    stage.delete("acme").await.unwrap();
    doomed.dies().await;
    let _operator = stage.operator().await.unwrap();
    stage.until_gone("acme").await.unwrap();
    stage.until_released("acme").await.unwrap();
    assert_eq!(stage.records().list(&ListParams::default()).await.unwrap().items.len(), 1);
    untouched(&stage, 1);
}

#[tokio::test]
async fn two_operators_running_at_once() {
    let stage = Stage::new(Setup::new("two")).await.unwrap();
    let _operators = (stage.operator().await.unwrap(), stage.operator().await.unwrap());
    let names = ["acme", "globex", "initech", "umbrella"];
    let all: Vec<_> = names.iter().map(|name| manifest(name, &format!("alias: {name}"))).collect();
    stage.apply(&all.join("---\n")).await.unwrap();
    for name in names {
        stage.until(name, "is ready", |t| is_ready(t) && phase(t) == "Ready").await.unwrap();
    }
    assert_eq!((stage.called("POST", "/api/v1/tenants"), stage.sim.tenants().len()), (4, 4));
    let all: Vec<_> =
        names.iter().map(|name| manifest(name, &format!("alias: {name}\ndisplayName: {name} Ltd"))).collect();
    stage.apply(&all.join("---\n")).await.unwrap();
    for name in names {
        stage.until(name, "is changed", |t| is_ready(t) && t.metadata.generation == Some(2)).await.unwrap();
    }
    assert!(stage.sim.tenants().iter().all(|t| t.name.ends_with(" Ltd")));
    untouched(&stage, 4);
    // Off-boarding, half by lifecycle and half by deletion.
    let off: Vec<_> = names[..2].iter().map(|name| manifest(name, &off(name, ""))).collect();
    let going: Vec<_> = names[2..].iter().map(|name| manifest(name, &deletable(name, ""))).collect();
    stage.apply(&[off, going].concat().join("---\n")).await.unwrap();
    for name in &names[2..] {
        stage.delete(name).await.unwrap();
    }
    for name in &names[..2] {
        stage.until(name, "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    }
    for name in &names[2..] {
        stage.until_gone(name).await.unwrap();
    }
    assert_eq!((deactivations(&stage), stage.committed("tenant.deactivated")), (4, 4), "each exactly once");
    let records = stage.records().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(records.len(), 4, "one record for each");
    for record in records {
        let tenant = stage.sim.tenant(&record.spec.tenant_id).unwrap();
        assert_eq!(record.status.unwrap().purge_at.map(|at| at.0), tenant.purge_at);
        assert_eq!(tenant.status, Status::Disabled);
    }
    // Brought back by both, and gone off again by neither.
    let back: Vec<_> = names[..2].iter().map(|name| manifest(name, &format!("alias: {name}"))).collect();
    stage.apply(&back.join("---\n")).await.unwrap();
    for name in &names[..2] {
        stage.until(name, "is back", |t| is_ready(t) && phase(t) == "Ready").await.unwrap();
    }
    assert_eq!((deactivations(&stage), stage.committed("tenant.reactivated")), (4, 2));
}

/// Counts writes of the two operators for one decision, so that a change in how they race shows up here first.
#[tokio::test]
async fn two_operators_announce_one_call() {
    let stage = Stage::new(Setup::new("announce")).await.unwrap();
    let announced = Arc::new(AtomicUsize::new(0));
    let hooks = {
        let announced = announced.clone();
        Hooks::default().after_request(move |asked| {
            if asked.method == Method::PATCH && asked.path.ends_with("/qliktenants/acme") && asked.status.is_success() {
                announced.fetch_add(1, Ordering::SeqCst);
            }
            After::Answer
        })
    };
    let proxy = Proxy::start(stage.cluster, &stage.identity, hooks).await.unwrap();
    let first = stage.operator_with(proxy.kubeconfig(), &[]).await.unwrap();
    let second = stage.operator_with(proxy.kubeconfig(), &[]).await.unwrap();
    onboard(&stage, "acme", "alias: acme").await;
    assert_eq!(announced.swap(0, Ordering::SeqCst), 2, "one of them announced the creation, and wrote what it made");
    offboard(&stage, "acme", &off("acme", "")).await;
    assert_eq!(announced.load(Ordering::SeqCst), 1, "one of them announced the deactivation");
    drop((first, second));
    assert_eq!(deactivations(&stage), 1);
}
