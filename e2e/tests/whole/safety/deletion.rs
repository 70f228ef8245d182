//! Deletions that were not meant, or not meant like that.

use super::support::*;
use e2e::sim::Status;
use e2e::stage::{Setup, Stage, condition, manifest};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;

#[tokio::test]
async fn plain_delete() {
    let (stage, _operator) = stage("plain").await;
    onboard(&stage, "acme", "alias: acme\noffboarding: {confirmHostname: acme.us.qlikcloud.com}").await;
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    untouched(&stage, 1);
    // What is left behind is on record.
    let records = stage.records_of("acme").await.unwrap();
    let said: Vec<_> =
        records.iter().map(|record| format!("{:?}", record.spec.entries.last().unwrap().event)).collect();
    assert_eq!(said, ["Released"]);
}

#[tokio::test]
async fn delete_with_a_wrong_hostname() {
    let (stage, _operator) = stage("wrong").await;
    let spec = "alias: acme\noffboarding: {onDelete: Deactivate, confirmHostname: acmee.us.qlikcloud.com}";
    onboard(&stage, "acme", spec).await;
    stage.delete("acme").await.unwrap();
    let words = ["confirmHostname says acmee.us.qlikcloud.com", "acme.us.qlikcloud.com", "onDelete: Retain"];
    let acme = stalls(&stage, "acme", "ConfirmHostnameMismatch", &words).await;
    assert_eq!(condition(&acme, "DeletionHeld").map(|c| c.status.as_str()), Some("True"));
    poke(&stage, "acme").await;
    untouched(&stage, 1);
    // The way out that the message names.
    stage.patch("acme", json!({ "spec": { "offboarding": { "onDelete": "Retain" } } })).await.unwrap();
    stage.until_gone("acme").await.unwrap();
    untouched(&stage, 1);
}

#[tokio::test]
async fn delete_with_the_hostname_of_another_tenant() {
    let (stage, _operator) = stage("foreign").await;
    onboard(
        &stage,
        "acme",
        "alias: acme\noffboarding: {onDelete: Deactivate, confirmHostname: globex.us.qlikcloud.com}",
    )
    .await;
    onboard(&stage, "globex", "alias: globex").await;
    stage.delete("acme").await.unwrap();
    stalls(&stage, "acme", "ConfirmHostnameMismatch", &["globex.us.qlikcloud.com", "the tenant is"]).await;
    poke(&stage, "acme").await;
    untouched(&stage, 2);
}

#[tokio::test]
async fn an_empty_hostname_is_refused_at_apply() {
    let (stage, _operator) = stage("empty").await;
    onboard(&stage, "acme", "alias: acme").await;
    for spec in [
        "offboarding: {onDelete: Deactivate, confirmHostname: \"\"}",
        "offboarding: {onDelete: Deactivate}",
        "lifecycle: Deactivated",
        "lifecycle: Deactivated\noffboarding: {confirmHostname: \"\"}",
    ] {
        let refused = stage.apply(&manifest("acme", &format!("alias: acme\n{spec}"))).await.unwrap_err().to_string();
        assert!(refused.contains("confirmHostname") && refused.contains("hostname of the tenant"), "{refused}");
    }
    poke(&stage, "acme").await;
    untouched(&stage, 1);
}

#[tokio::test]
async fn namespace_delete() {
    let (stage, operator) = stage("swept").await;
    onboard(&stage, "acme", &deletable("acme", "")).await;
    onboard(&stage, "globex", &deletable("globex", ", release: Purged, eraseSecrets: {referenced: true}")).await;
    let namespaces: Api<Namespace> = Api::all(stage.admin());
    namespaces.delete(stage.ns(), &DeleteParams::default()).await.unwrap();
    let gone = async || Ok(namespaces.get_opt(stage.ns()).await?.is_none().then_some(()));
    stage.until_some("the namespace goes away", gone).await.unwrap();
    drop(operator);
    untouched(&stage, 2);
}

#[tokio::test]
async fn crd_delete() {
    // The whole kind goes, which no other test could bear.
    let stage = Stage::alone(Setup::new("kind")).await.unwrap();
    let operator = stage.operator().await.unwrap();
    onboard(&stage, "acme", &deletable("acme", "")).await;
    let crds: Api<CustomResourceDefinition> = Api::all(stage.admin());
    let name = "qliktenants.qlik-operator.dev";
    crds.delete(name, &DeleteParams::default()).await.unwrap();
    let gone = async || Ok(crds.get_opt(name).await?.is_none().then_some(()));
    stage.until_some("the kind goes away", gone).await.unwrap();
    drop(operator);
    untouched(&stage, 1);
}

#[tokio::test]
async fn a_suspended_object_deleted() {
    let (stage, _operator) = stage("suspended").await;
    onboard(&stage, "acme", &deletable("acme", "")).await;
    stage.patch("acme", json!({ "spec": { "suspend": true } })).await.unwrap();
    stage.until("acme", "is suspended", |t| reason(t) == "Suspended").await.unwrap();
    stage.delete("acme").await.unwrap();
    let held = |t: &qlik_operator::crd::QlikTenant| {
        condition(t, "DeletionHeld").is_some_and(|c| c.status == "True" && c.reason == "Suspended")
    };
    let acme = stage.until("acme", "is held", held).await.unwrap();
    assert!(message(&acme).contains("spec.suspend is set"), "{}", message(&acme));
    // Seen again after a day, as another tenant's drift read shows, and still nothing.
    onboard(&stage, "globex", "alias: globex").await;
    stage.turn(DAY).unwrap();
    poke(&stage, "globex").await;
    untouched(&stage, 2);
    stage.patch("acme", json!({ "spec": { "suspend": false } })).await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert_eq!((deactivations(&stage), stage.committed("tenant.deactivated")), (1, 1));
}

#[tokio::test]
async fn an_object_created_again_under_the_same_name() {
    let (stage, _operator) = stage("again").await;
    let first = onboard(&stage, "acme", &deletable("acme", "")).await;
    // Its finalizer torn off, it is gone without a word to anybody.
    stage.patch("acme", json!({ "spec": { "suspend": true } })).await.unwrap();
    stage.until("acme", "is suspended", |t| reason(t) == "Suspended").await.unwrap();
    stage.delete("acme").await.unwrap();
    stage.patch("acme", json!({ "metadata": { "finalizers": null } })).await.unwrap();
    stage.until_gone("acme").await.unwrap();
    untouched(&stage, 1);
    let adopt = format!("adopt: {{tenantId: {}, hostname: acme.us.qlikcloud.com}}\n", tenant_id(&first));
    let second = onboard(&stage, "acme", &format!("{adopt}{}", deletable("acme", ""))).await;
    assert_eq!(tenant_id(&second), tenant_id(&first));
    assert_ne!(second.metadata.uid, first.metadata.uid);
    untouched(&stage, 1);
}

#[tokio::test]
async fn pruned_with_deactivate_and_restored_an_hour_later() {
    let (stage, _operator) = stage("pruned").await;
    let spec = deletable("acme", "");
    let id = tenant_id(&onboard(&stage, "acme", &spec).await);
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert_eq!((deactivations(&stage), stage.committed("tenant.deactivated")), (1, 1));
    stage.turn(HOUR).unwrap();
    stage.apply(&manifest("acme", &spec)).await.unwrap();
    let hostname = stage.sim.tenants()[0].hostnames[0].clone();
    let adopt = format!("spec.adopt to {{tenantId: {id}, hostname: {hostname}}}");
    let words = [adopt.as_str(), "will be purged at", "qlik-operator.dev/start-anew"];
    stalls(&stage, "acme", "PreviousTenantScheduled", &words).await;
    poke(&stage, "acme").await;
    assert_eq!(stage.called("POST", "/api/v1/tenants"), 1, "no second tenant");
    assert_eq!(stage.called("POST", "/actions/reactivate"), 0, "not brought back by itself");
    stage.patch("acme", json!({ "spec": { "adopt": { "tenantId": id, "hostname": hostname } } })).await.unwrap();
    stage.until("acme", "is back", |t| is_ready(t) && phase(t) == "Ready").await.unwrap();
    assert_eq!(stage.sim.tenants().len(), 1);
    assert_eq!(stage.sim.tenants()[0].status, Status::Active);
    assert_eq!((deactivations(&stage), stage.committed("tenant.reactivated")), (1, 1));
    let records = stage.records().list(&kube::api::ListParams::default()).await.unwrap().items;
    let ends: Vec<_> = records.iter().map(|r| format!("{:?}", r.status.as_ref().unwrap().phase)).collect();
    assert_eq!(ends, ["Reactivated"]);
}

#[tokio::test]
async fn restored_and_given_up() {
    let (stage, _operator) = stage("anew").await;
    let first = onboard(&stage, "acme", "displayName: Acme").await;
    let hostname = first.status.as_ref().unwrap().hostname.clone().unwrap();
    let offboarding = json!({ "spec": { "offboarding": { "onDelete": "Deactivate", "confirmHostname": hostname } } });
    stage.patch("acme", offboarding).await.unwrap();
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    stage.apply(&manifest("acme", "displayName: Acme")).await.unwrap();
    stalls(&stage, "acme", "PreviousTenantScheduled", &[]).await;
    annotate(&stage, "acme", "start-anew", Some("another")).await.unwrap();
    poke(&stage, "acme").await;
    assert_eq!(stage.sim.tenants().len(), 1, "the annotation has to name the tenant that is given up");
    annotate(&stage, "acme", "start-anew", Some(&tenant_id(&first))).await.unwrap();
    let second = stage.until("acme", "is ready", is_ready).await.unwrap();
    assert_ne!(tenant_id(&second), tenant_id(&first));
    assert_eq!((deactivations(&stage), stage.sim.tenants().len()), (1, 2));
    let old = stage.sim.tenant(&tenant_id(&first)).unwrap();
    assert_eq!(old.status, Status::Disabled, "what was given up goes on to its purge");
}
