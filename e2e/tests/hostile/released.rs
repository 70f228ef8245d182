//! A namespace is deleted with the tenants in it: they live on, and no record can be written there any more. What a later
//! namespace of the same name asks for is compared with what the operator kept in its own namespace.

use e2e::cluster::TestNamespace;
use e2e::process::until;
use e2e::stage::{Error, Operator, PATIENCE, Setup, Stage, condition, is_ready, is_stalled, manifest, rights};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use qlik_operator::plan::released::LARGEST;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A stage, and a namespace of the operator's own beside the one that is deleted.
async fn ground(prefix: &str) -> (Stage, TestNamespace) {
    let stage = Stage::new(Setup::new(prefix)).await.unwrap();
    let own = stage.cluster.namespace(&format!("{prefix}-own")).await.unwrap();
    rights::own_namespace(stage.cluster, own.name(), rights::OPERATORS).await.unwrap();
    (stage, own)
}

async fn operator(stage: &Stage, own: &str) -> Operator {
    stage.operator_with(stage.identity.kubeconfig(), &["--operator-namespace", own]).await.unwrap()
}

/// Tenants without an alias, by which one of them would be found.
async fn onboard(stage: &Stage, names: &[&str]) -> BTreeMap<String, String> {
    let all: Vec<_> = names.iter().map(|name| manifest(name, "")).collect();
    stage.apply(&all.join("---\n")).await.unwrap();
    let mut ids = BTreeMap::new();
    for name in names {
        let tenant = stage.until(name, "is ready", is_ready).await.unwrap();
        ids.insert((*name).to_owned(), tenant.status.unwrap().tenant_id.unwrap());
    }
    ids
}

async fn delete_namespace(stage: &Stage) {
    let namespaces: Api<Namespace> = Api::all(stage.admin());
    namespaces.delete(stage.ns(), &DeleteParams::default()).await.unwrap();
    let gone = async || Ok::<_, Error>(namespaces.get_opt(stage.ns()).await?.is_none().then_some(()));
    until(PATIENCE, "the namespace goes away", gone).await.unwrap();
}

/// Another namespace of the same name, with the same Secrets.
async fn namespace_again(stage: &Stage) {
    let metadata = ObjectMeta { name: Some(stage.ns().to_owned()), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    Api::<Namespace>::all(stage.admin()).create(&PostParams::default(), &namespace).await.unwrap();
    stage.write_secrets().await.unwrap();
}

/// What is kept, by `ConfigMap` and tenant id.
async fn kept(stage: &Stage, own: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let maps: Api<ConfigMap> = Api::namespaced(stage.admin(), own);
    let all = maps.list(&ListParams::default()).await.unwrap().items.into_iter();
    let named = all.map(|map| (map.metadata.name.unwrap(), map.data.unwrap_or_default()));
    named.filter(|(name, _)| name.starts_with("qlik-operator-released-")).collect()
}

fn creations(stage: &Stage) -> usize {
    stage.called("POST", "/api/v1/tenants")
}

/// Waits until the object is held by the tenant that it once let go, and is told both ways out.
async fn is_held(stage: &Stage, name: &str, id: &str) {
    let held = stage.until(name, "is held", |t| is_stalled(t, "PreviousTenantReleased")).await.unwrap();
    let said = condition(&held, "Ready").unwrap().message.clone();
    let hostname = stage.sim.tenant(id).unwrap().hostnames[0].clone();
    for word in [format!("adopt to {{tenantId: {id}, hostname: {hostname}}}"), format!("start-anew={id}")] {
        assert!(said.contains(&word), "{said:?} does not say {word}");
    }
}

async fn adopt(stage: &Stage, name: &str, id: &str) {
    let hostname = stage.sim.tenant(id).unwrap().hostnames[0].clone();
    stage.patch(name, json!({ "spec": { "adopt": { "tenantId": id, "hostname": hostname } } })).await.unwrap();
    let back = stage.until(name, "has its tenant again", is_ready).await.unwrap();
    assert_eq!(back.status.unwrap().tenant_id.as_deref(), Some(id));
}

#[tokio::test]
async fn a_namespace_of_the_same_name_does_not_pay_for_second_tenants() {
    let (stage, own) = ground("let-go").await;
    let _operator = operator(&stage, own.name()).await;
    let ids = onboard(&stage, &["acme", "globex"]).await;
    assert!(kept(&stage, own.name()).await.is_empty(), "nothing is kept of tenants in use");
    delete_namespace(&stage).await;
    let pages = kept(&stage, own.name()).await;
    let page = &pages["qlik-operator-released-1"];
    assert_eq!((pages.len(), page.len()), (1, 2), "{pages:?}");
    let acme: Value = serde_json::from_str(&page[&ids["acme"]]).unwrap();
    let hostname = stage.sim.tenant(&ids["acme"]).unwrap().hostnames[0].clone();
    assert_eq!(
        (&acme["tenantId"], &acme["hostnames"], &acme["region"], &acme["namespace"], &acme["name"]),
        (&json!(ids["acme"]), &json!([hostname]), &json!("us"), &json!(stage.ns()), &json!("acme"))
    );

    namespace_again(&stage).await;
    stage.apply(&[manifest("acme", ""), manifest("globex", "")].join("---\n")).await.unwrap();
    is_held(&stage, "acme", &ids["acme"]).await;
    is_held(&stage, "globex", &ids["globex"]).await;
    assert_eq!(creations(&stage), 2, "no second tenant");

    adopt(&stage, "acme", &ids["acme"]).await;
    let anew = |id: &str| json!({ "metadata": { "annotations": { "qlik-operator.dev/start-anew": id } } });
    stage.patch("globex", anew(&ids["acme"])).await.unwrap();
    is_held(&stage, "globex", &ids["globex"]).await;
    stage.patch("globex", anew(&ids["globex"])).await.unwrap();
    let other = stage.until("globex", "has another tenant", is_ready).await.unwrap().status.unwrap().tenant_id.unwrap();
    assert_ne!(other, ids["globex"]);
    assert_eq!((creations(&stage), stage.called("POST", "/actions/deactivate")), (3, 0));
    let left: usize = kept(&stage, own.name()).await.values().map(BTreeMap::len).sum();
    assert_eq!(left, 0, "one is held again, the other was given up");
    onboard(&stage, &["initech"]).await;
    assert_eq!(creations(&stage), 4, "who was never here gets a tenant as ever");
}

/// The `ConfigMap`s are filled one after the other, and nothing that stands there is dropped.
#[tokio::test]
async fn what_is_full_is_continued() {
    let (stage, own) = ground("let-go-full").await;
    let maps: Api<ConfigMap> = Api::namespaced(stage.admin(), own.name());
    let filler = |name: &str, room: usize| ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([("filler".to_owned(), "x".repeat(LARGEST - "filler".len() - room))])),
        ..ConfigMap::default()
    };
    for (name, room) in [("qlik-operator-released-1", 0), ("qlik-operator-released-2", 350)] {
        maps.create(&PostParams::default(), &filler(name, room)).await.unwrap();
    }
    let _operator = operator(&stage, own.name()).await;
    let ids = onboard(&stage, &["t0", "t1", "t2"]).await;
    delete_namespace(&stage).await;
    let sizes = |pages: BTreeMap<String, BTreeMap<String, String>>| -> Vec<_> {
        pages.values().map(|page| page.keys().filter(|id| *id != "filler").count()).collect()
    };
    assert_eq!(sizes(kept(&stage, own.name()).await), [0, 1, 2]);
    namespace_again(&stage).await;
    let again: Vec<_> = ids.keys().map(|name| manifest(name, "")).collect();
    stage.apply(&again.join("---\n")).await.unwrap();
    for (name, id) in &ids {
        is_held(&stage, name, id).await;
        adopt(&stage, name, id).await;
    }
    assert_eq!(creations(&stage), 3);
    let pages = kept(&stage, own.name()).await;
    assert!(pages["qlik-operator-released-1"].contains_key("filler"), "what stood there stays");
    assert_eq!(sizes(pages), [0, 0, 0]);
}

/// Where nothing can be kept, the log tells, and the deletion of the namespace is not held up.
#[tokio::test]
async fn what_cannot_be_kept_is_in_the_log() {
    let (stage, own) = ground("let-go-log").await;
    let first = operator(&stage, own.name()).await;
    let ids = onboard(&stage, &["acme"]).await;
    first.terminate().unwrap();
    first.ended().await;
    let nowhere = stage.cluster.namespace("let-go-log-no-rights").await.unwrap();
    let second = operator(&stage, nowhere.name()).await;
    delete_namespace(&stage).await;
    let words = ["no trace of a tenant that is let go could be kept", &ids["acme"]];
    second.wait_for_line(PATIENCE, |line| words.iter().all(|word| line.contains(word))).await.unwrap();
    assert_eq!(stage.called("POST", "/actions/deactivate"), 0);
}
