//! What a cluster can do to an operator: objects of an older schema, rights taken away, an API server that goes and comes,
//! finalizers of others, an end in the middle of a call.

use super::support::*;
use e2e::sim::{Effect, FaultPlan, Match};
use e2e::stage::rights::SECRETS;
use e2e::stage::{PATIENCE, Setup, Stage, manifest};
use serde_json::{Value, json};
use std::time::Duration;

async fn private(prefix: &str) -> Stage {
    Stage::alone(Setup::new(prefix)).await.unwrap()
}

async fn raw(stage: &Stage, name: &str) -> Value {
    serde_json::from_str(&stage.kubectl(&["get", "qt", name, "-o", "json"]).await.unwrap()).unwrap()
}

/// Replaces one rule's verbs in the operator's role.
async fn verbs(stage: &Stage, (role, number): (&str, usize), verbs: &[&str]) {
    let patch = json!([{ "op": "replace", "path": format!("/rules/{number}/verbs"), "value": verbs }]).to_string();
    stage.kubectl(&["patch", "clusterrole", role, "--type=json", "-p", &patch]).await.unwrap();
}

/// An object that was stored under a laxer schema is reported on itself and stands in nobody's way.
#[tokio::test]
async fn an_object_that_cannot_be_read_is_told_so_and_hinders_nobody() {
    let stage = private("misfit").await;
    let lax = json!([
        { "op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema",
          "value": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
        { "op": "remove", "path": "/spec/versions/0/selectableFields" },
    ]);
    let crd = "qliktenants.qlik-operator.dev";
    stage.kubectl(&["patch", "crd", crd, "--type=json", "-p", &lax.to_string()]).await.unwrap();
    let broken = manifest("broken", "alias: broken\noffboarding: {purgeAfterDays: soon}");
    let created = async || Ok(stage.apply(&broken).await.ok());
    stage.until_some("the laxer schema takes it", created).await.unwrap();
    stage.cluster.apply_crds(&qlik_operator::cli::crds()).await.unwrap();
    let operator = stage.operator().await.unwrap();
    onboard(&stage, "acme", "alias: acme").await;
    let told = async || {
        let object = raw(&stage, "broken").await;
        let found =
            object["status"]["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == "Stalled").cloned();
        Ok(found.filter(|c| c["status"] == "True"))
    };
    let stalled = stage.until_some("broken is told so", told).await.unwrap();
    assert_eq!(stalled["reason"], "SpecInvalid");
    let said = stalled["message"].as_str().unwrap();
    assert!(said.contains("purgeAfterDays") || said.contains("soon"), "{said}");
    // The same is not written again by a restart, nor by looking again.
    let version = raw(&stage, "broken").await["metadata"]["resourceVersion"].clone();
    operator.terminate().unwrap();
    let _operator = stage.operator().await.unwrap();
    onboard(&stage, "other", "alias: other").await;
    assert_eq!(raw(&stage, "broken").await["metadata"]["resourceVersion"], version, "written again without need");
    stage.patch("broken", json!({ "spec": { "offboarding": { "purgeAfterDays": 30 } } })).await.unwrap();
    stage.until("broken", "is mended", |t| is_ready(t) && phase(t) == "Ready").await.unwrap();
    untouched(&stage, 3);
}

/// Rights on the operator's own kinds: the first rules of this role.
const KINDS: &str = "qlik-operator";

/// Each right that is missing holds what needs it, is named, and once given back nothing has happened twice.
#[tokio::test]
async fn rights_taken_away_and_given_back() {
    let stage = private("rights").await;
    let _operator = stage.operator().await.unwrap();
    onboard(&stage, "acme", &deletable("acme", "")).await;
    verbs(&stage, (KINDS, 2), &["get", "list", "watch"]).await; // no record can be written
    stage.patch("acme", json!({ "spec": { "lifecycle": "Deactivated" } })).await.unwrap();
    stalls(&stage, "acme", "Forbidden", &["cannot create resource \"qlikoffboardings\"", "service account"]).await;
    untouched(&stage, 1);
    // In this order: with both rights, if only for a moment, a pass would rightly go on.
    verbs(&stage, (SECRETS, 0), &["delete"]).await; // no Secret can be read
    verbs(&stage, (KINDS, 2), &["get", "list", "watch", "create", "patch"]).await;
    poke(&stage, "acme").await;
    stalls(&stage, "acme", "Forbidden", &["cannot get resource \"secrets\"", "service account"]).await;
    untouched(&stage, 1);
    verbs(&stage, (SECRETS, 0), &["get", "delete"]).await;
    poke(&stage, "acme").await;
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    // No status can be written: what is asked for is done once and said later.
    verbs(&stage, (KINDS, 1), &["get"]).await;
    stage.patch("acme", json!({ "spec": { "lifecycle": "Active" } })).await.unwrap();
    let back = async || Ok((stage.called("POST", "/actions/reactivate") > 0).then_some(()));
    stage.until_some("it is reactivated", back).await.unwrap();
    stage.apply(&manifest("late", "alias: late")).await.unwrap();
    let made = async || Ok((stage.called("POST", "/api/v1/tenants") > 1).then_some(()));
    stage.until_some("a tenant is made", made).await.unwrap();
    verbs(&stage, (KINDS, 1), &["patch"]).await;
    stage.turn(Duration::from_mins(6)).unwrap();
    stage.until("acme", "is back", |t| is_ready(t) && phase(t) == "Ready").await.unwrap();
    stage.until("late", "is ready", |t| is_ready(t) && phase(t) == "Ready").await.unwrap();
    assert_eq!((deactivations(&stage), stage.called("POST", "/actions/reactivate")), (1, 1));
    assert_eq!(stage.called("POST", "/api/v1/tenants"), 2);
}

/// The API server goes in the middle of an off-boarding and comes back.
#[tokio::test]
async fn the_api_server_goes_and_comes_back() {
    let stage = private("away").await;
    let _operator = stage.operator().await.unwrap();
    onboard(&stage, "acme", &deletable("acme", "")).await;
    let matching =
        Match { host: Some("register".to_owned()), ..Match::on("POST", "/api/v1/tenants/*/actions/deactivate") };
    stage.sim.fault(FaultPlan::new(matching, Effect::DelayMs(3_000)));
    stage.patch("acme", json!({ "spec": { "lifecycle": "Deactivated" } })).await.unwrap();
    let called = async || Ok((deactivations(&stage) > 0).then_some(()));
    stage.until_some("the call is under way", called).await.unwrap();
    stage.cluster.stop_api_server().await.unwrap();
    stage.cluster.start_api_server().await.unwrap();
    let acme = stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    assert_eq!(deactivations(&stage), 1);
    let purge = stage.sim.tenant(&tenant_id(&acme)).unwrap().purge_at;
    assert_eq!(purge_at(&acme), purge, "the date is Qlik's own");
}

/// A finalizer of somebody else holds the object, not the operator; nothing more is done for it.
#[tokio::test]
async fn an_object_that_somebody_else_holds_is_let_go_once() {
    let (stage, _operator) = stage("foreign").await;
    onboard(&stage, "acme", &deletable("acme", "")).await;
    let held = json!([{ "op": "add", "path": "/metadata/finalizers/0", "value": "example.com/mine" }]).to_string();
    stage.kubectl(&["patch", "qt", "acme", "--type=json", "-p", &held]).await.unwrap();
    stage.delete("acme").await.unwrap();
    let only =
        |t: &qlik_operator::crd::QlikTenant| t.metadata.finalizers.as_deref() == Some(&["example.com/mine".to_owned()]);
    stage.until("acme", "is held by the other alone", only).await.unwrap();
    stage
        .patch("acme", json!({ "metadata": { "annotations": { "qlik-operator.dev/requested-at": "again" } } }))
        .await
        .unwrap();
    stage.patch("acme", json!({ "spec": { "offboarding": { "purgeAfterDays": 40 } } })).await.unwrap();
    onboard(&stage, "other", "alias: other").await; // later than whatever that brought about
    assert_eq!(deactivations(&stage), 1);
    stage.patch("acme", json!({ "metadata": { "finalizers": null } })).await.unwrap();
    stage.until_gone("acme").await.unwrap();
}

/// SIGTERM while a creation gets no answer: the process ends in its time and its successor makes no second tenant.
#[tokio::test]
async fn ended_while_a_creation_hangs() {
    let stage = Stage::new(Setup::new("drain").with_own_organization()).await.unwrap();
    let operator = stage.operator_with(stage.identity.kubeconfig(), &["--drain", "1s"]).await.unwrap();
    stage.sim.fault(FaultPlan::new(Match::on("POST", "/api/v1/tenants"), Effect::Hang).commit(true));
    stage.apply(&manifest("acme", "alias: acme")).await.unwrap();
    let called = async || Ok((stage.committed("tenant.created") > 0).then_some(()));
    stage.until_some("the call is under way", called).await.unwrap();
    operator.terminate().unwrap();
    operator.wait_for_line(PATIENCE, |line| line.contains("stopped")).await.unwrap();
    operator.ended().await;
    let _operator = stage.operator().await.unwrap();
    stage.turn(Duration::from_mins(11)).unwrap();
    stage.until("acme", "is ready", |t| is_ready(t) && phase(t) == "Ready").await.unwrap();
    assert_eq!((stage.sim.tenants().len(), stage.called("POST", "/api/v1/tenants")), (1, 1));
}
