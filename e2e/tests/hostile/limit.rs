//! A limit for many at once: whoever deletes every armed tenant in one go loses ten of them, and is told in time about the
//! others. With NIGHTLY set there are 200 of them instead of 25.

use e2e::process::until;
use e2e::stage::{Error, Operator, PATIENCE, Setup, Stage, condition, is_ready, manifest};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use qlik_operator::crd::QlikTenant;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const LIMIT: usize = 10;
const RING: &str = "qlik-operator-deactivations";

fn many() -> usize {
    if e2e::nightly::nightly() { 200 } else { 25 }
}

async fn operator(stage: &Stage, limit: &str) -> Operator {
    stage.operator_with(stage.identity.kubeconfig(), &["--max-deactivations", limit]).await.unwrap()
}

async fn end(operator: Operator) {
    operator.terminate().unwrap();
    operator.ended().await;
}

/// So many tenants in use, each of which its deletion deactivates.
async fn armed(stage: &Stage, count: usize) {
    let all: Vec<_> = (0..count)
        .map(|n| {
            let host = format!("t{n}.us.qlikcloud.com");
            manifest(
                &format!("t{n}"),
                &format!("alias: t{n}\noffboarding: {{onDelete: Deactivate, confirmHostname: {host}}}"),
            )
        })
        .collect();
    stage.apply(&all.join("---\n")).await.unwrap();
    all_are(stage, count, "are ready", is_ready).await.unwrap();
}

/// Waits until exactly so many objects are as wanted.
async fn all_are(
    stage: &Stage,
    count: usize,
    what: &str,
    wanted: impl Fn(&QlikTenant) -> bool,
) -> Result<Vec<QlikTenant>, Error> {
    let tenants = stage.tenants();
    let what = format!("{count} tenants {what}");
    let mut seen = 0;
    let found = until::<_, Error, _>(PATIENCE * 3, &what, async || {
        let all = tenants.list(&ListParams::default()).await?.items;
        let so: Vec<_> = all.into_iter().filter(|tenant| wanted(tenant)).collect();
        seen = so.len();
        Ok((so.len() == count).then_some(so))
    });
    found.await.map_err(|error| format!("{error}: {seen}").into())
}

fn waits(tenant: &QlikTenant) -> bool {
    condition(tenant, "Ready").is_some_and(|c| c.reason == "DeactivationLimitReached")
}

fn calls(stage: &Stage) -> usize {
    stage.called("POST", "/actions/deactivate")
}

fn ring(stage: &Stage) -> Api<ConfigMap> {
    Api::namespaced(stage.admin(), stage.ns())
}

async fn delete_all(stage: &Stage) {
    stage.kubectl(&["delete", "qliktenants", "--all", "--wait=false"]).await.unwrap();
}

/// Every object that waits is told to leave its tenant alone, and goes.
async fn take_back(stage: &Stage) {
    let retain = Patch::Merge(json!({ "spec": { "offboarding": { "onDelete": "Retain" } } }));
    for tenant in stage.tenants().list(&ListParams::default()).await.unwrap().items {
        let name = tenant.metadata.name.unwrap();
        stage.tenants().patch(&name, &PatchParams::default(), &retain).await.unwrap();
    }
    all_are(stage, 0, "are left", |_| true).await.unwrap();
}

fn in_use(stage: &Stage) -> usize {
    stage.sim.tenants().iter().filter(|tenant| tenant.status == e2e::sim::Status::Active).count()
}

/// Ten go; a restart, records that are deleted and another hour that has not come let no eleventh through; what waits is
/// taken back and stays in use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_are_deleted_and_ten_go() {
    let stage = Stage::new(Setup::new("limit")).await.unwrap();
    let first = operator(&stage, "10").await;
    let count = many();
    armed(&stage, count).await;
    delete_all(&stage).await;
    let held = all_are(&stage, count - LIMIT, "wait for their turn", waits).await.unwrap();
    let said = condition(&held[0], "Ready").unwrap().message.clone();
    for word in ["--max-deactivations", "region us", "the next may go at", "onDelete: Retain"] {
        assert!(said.contains(word), "{said}");
    }
    assert!(held.iter().all(|tenant| e2e::stage::in_phase(tenant, "Deactivating")));
    assert_eq!((calls(&stage), in_use(&stage)), (LIMIT, count - LIMIT));
    // What waits has no record: there is nothing to clear when it is taken back.
    let records = stage.records().list(&ListParams::default()).await.unwrap().items.len();
    assert_eq!(records, LIMIT, "records");

    stage.records().delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    first.kill9().unwrap();
    let second = operator(&stage, "10").await;
    stage.turn(Duration::from_mins(30)).unwrap();
    all_are(&stage, count - LIMIT, "still wait", waits).await.unwrap();
    end(second).await;
    let lease = format!("{}/qlik-operator", stage.ns());
    let args = ["--max-deactivations", "10", "--leader-election-lease", &lease];
    let third = stage.operator_with(stage.identity.kubeconfig(), &args).await.unwrap();
    let poked = Patch::Merge(json!({ "metadata": { "annotations": { "qlik-operator.dev/requested-at": "again" } } }));
    for tenant in held.iter().take(5) {
        let name = tenant.metadata.name.as_deref().unwrap();
        stage.tenants().patch(name, &PatchParams::default(), &poked).await.unwrap();
    }
    let handled = |tenant: &QlikTenant| {
        waits(tenant) && tenant.status.as_ref().and_then(|s| s.last_handled_reconcile_at.as_deref()) == Some("again")
    };
    all_are(&stage, 5, "were looked at once more", handled).await.unwrap();
    assert_eq!(calls(&stage), LIMIT, "no eleventh");
    take_back(&stage).await;
    assert_eq!((calls(&stage), in_use(&stage)), (LIMIT, count - LIMIT));
    drop(third);
}

/// What has waited goes when its hour has come.
#[tokio::test]
async fn the_next_hour_brings_the_next() {
    let stage = Stage::new(Setup::new("limit-next")).await.unwrap();
    let _operator = operator(&stage, "1").await;
    armed(&stage, 2).await;
    delete_all(&stage).await;
    all_are(&stage, 1, "waits for its turn", waits).await.unwrap();
    assert_eq!(calls(&stage), 1);
    stage.turn(Duration::from_mins(61)).unwrap();
    all_are(&stage, 0, "are left", |_| true).await.unwrap();
    assert_eq!((calls(&stage), in_use(&stage)), (2, 0));
}

/// What was deactivated in the last hour cannot be read, or nothing is allowed: none goes.
#[tokio::test]
async fn what_cannot_be_counted_is_not_made() {
    let stage = Stage::new(Setup::new("limit-unreadable")).await.unwrap();
    let first = operator(&stage, "10").await;
    armed(&stage, 1).await;
    let data = Some(BTreeMap::from([("us".to_owned(), "[{\"at\":\"yesterday\"}]".to_owned())]));
    let metadata = kube::core::ObjectMeta { name: Some(RING.to_owned()), ..Default::default() };
    let broken = ConfigMap { metadata, data, ..ConfigMap::default() };
    ring(&stage).create(&kube::api::PostParams::default(), &broken).await.unwrap();
    stage.patch("t0", json!({ "spec": { "lifecycle": "Deactivated" } })).await.unwrap();
    let said = |tenant: &QlikTenant| {
        waits(tenant) && condition(tenant, "Ready").is_some_and(|c| c.message.contains("cannot be read"))
    };
    stage.until("t0", "says that nothing can be counted", said).await.unwrap();
    end(first).await;
    stage.kubectl(&["delete", "configmap", RING]).await.unwrap();
    let second = operator(&stage, "0").await;
    let forbidden = |tenant: &QlikTenant| {
        waits(tenant) && condition(tenant, "Ready").is_some_and(|c| c.message.contains("forbids every deactivation"))
    };
    stage.until("t0", "says that nothing is allowed", forbidden).await.unwrap();
    assert_eq!((calls(&stage), in_use(&stage)), (0, 1));
    // Taken back at once: there is nothing to wait out.
    stage.patch("t0", json!({ "spec": { "lifecycle": "Active" } })).await.unwrap();
    stage.until("t0", "is as it was", |t| is_ready(t) && e2e::stage::in_phase(t, "Ready")).await.unwrap();
    assert_eq!(calls(&stage), 0);
    drop(second);
}
