//! Answers and circumstances that nobody plans for: a stranger's 404, a host that is not there yet, quotas, long names.

use super::support::*;
use e2e::sim::{Effect, FaultPlan, Match, NewHost, Options, PurgedHost, Status};
use e2e::stage::{Setup, Stage, condition, manifest};
use kube::api::DeleteParams;
use serde_json::json;
use std::time::Duration;

/// Spec lines that erase a Secret at the purge.
const ERASE: &str = ", eraseSecrets: {names: [extra]}";

fn bare_404(times: u32) -> FaultPlan {
    let matching = Match { host: Some("tenant".to_owned()), count: times, ..Match::on("GET", "/api/v1/tenants/*") };
    FaultPlan::new(matching, Effect::status(404))
}

/// A gateway's 404 is not Qlik's word that a tenant does not exist.
#[tokio::test]
async fn a_bare_404_neither_ends_an_off_boarding_nor_erases_anything() {
    let (stage, _operator) = stage("bare-404").await;
    stage.secret("extra", &[("a", "b")]).await.unwrap();
    onboard(&stage, "acme", &deletable("acme", ERASE)).await;
    stage.turn(HOUR).unwrap(); // a young tenant is given time for its host to come up
    stage.sim.fault(bare_404(0));
    stage.patch("acme", json!({ "spec": { "lifecycle": "Deactivated" } })).await.unwrap();
    let acme = poke(&stage, "acme").await;
    assert_ne!(phase(&acme), "Purged", "{}", message(&acme));
    assert!(stage.has_secret("extra").await.unwrap(), "erased on the word of a gateway");
    assert!(message(&acme).contains("404"), "{}", message(&acme));
    untouched(&stage, 1);
    stage.sim.clear_faults();
    poke(&stage, "acme").await;
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    assert_eq!(deactivations(&stage), 1);
}

/// A tenant's host may need a while before it answers, in whichever way it does not.
#[tokio::test]
async fn a_new_host_that_is_not_there_yet_is_waited_for() {
    for status in [404, 401] {
        let new_host = Some(NewHost { status, seconds: 90 });
        let stage = Stage::new(Setup::new("new-host")).await.unwrap();
        stage.sim.set_options(Options { new_host, ..Options::default() }).unwrap();
        let _operator = stage.operator().await.unwrap();
        stage.apply(&manifest("acme", "alias: acme\ndisplayName: Acme")).await.unwrap();
        let waits = |t: &_| condition(t, "Ready").is_some_and(|c| c.reason == "HostNotReady");
        let acme = stage.until("acme", &format!("waits for its host ({status})"), waits).await.unwrap();
        assert_eq!(condition(&acme, "Stalled").unwrap().status, "False");
        stage.turn(Duration::from_secs(95)).unwrap();
        stage.until("acme", "is ready", is_ready).await.unwrap();
        assert_eq!(stage.called("POST", "/api/v1/tenants"), 1);
    }
}

/// The host of a purged tenant may answer nothing at all; then the organization API is asked.
#[tokio::test]
async fn a_tenant_whose_host_is_silent_is_gone_by_the_organizations_word() {
    let stage = Stage::new(Setup::new("silent").with_organization()).await.unwrap();
    stage.sim.set_options(Options { purged_host: PurgedHost::Drop, ..Options::default() }).unwrap();
    let _operator = stage.operator().await.unwrap();
    let id = tenant_id(&onboard(&stage, "acme", "alias: acme").await);
    stage.sim.deactivate(&id, 10).unwrap();
    stage.turn(DAY * 11).unwrap();
    assert_eq!(stage.sim.tenant(&id).unwrap().status, Status::Deleted);
    stalls(&stage, "acme", "TenantGone", &["start-anew"]).await;
}

/// The text of a quota's refusal must not send its reader to the role bindings.
#[tokio::test]
async fn a_quota_on_records_holds_the_deactivation_and_says_so() {
    let (stage, _operator) = stage("quota").await;
    onboard(&stage, "acme", &deletable("acme", "")).await;
    let quota = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {count/qlikoffboardings.qlik-operator.dev: 0}}}";
    stage.apply(quota).await.unwrap();
    // In force once somebody has counted; the controller that does is not part of this control plane.
    let counted = r#"{"status":{"hard":{"count/qlikoffboardings.qlik-operator.dev":"0"},"used":{"count/qlikoffboardings.qlik-operator.dev":"0"}}}"#;
    stage.kubectl(&["patch", "quota", "none", "--subresource=status", "--type=merge", "-p", counted]).await.unwrap();
    stage.patch("acme", json!({ "spec": { "lifecycle": "Deactivated" } })).await.unwrap();
    let acme = stalls(&stage, "acme", "Forbidden", &["exceeded quota"]).await;
    assert!(!message(&acme).contains("service account"), "{}", message(&acme));
    untouched(&stage, 1);
    stage.kubectl(&["delete", "quota", "none"]).await.unwrap();
    poke(&stage, "acme").await;
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    assert_eq!(deactivations(&stage), 1);
}

/// A record is named after its object, whose name may be as long as Kubernetes allows and have its dots anywhere.
#[tokio::test]
async fn the_longest_name_is_off_boarded_like_any_other() {
    let (stage, _operator) = stage("long").await;
    let name = format!("{}.{}", "a".repeat(199), "b".repeat(53));
    onboard(&stage, &name, &deletable("acme", "")).await;
    offboard(&stage, &name, &off("acme", "")).await;
    assert_eq!(deactivations(&stage), 1);
}
/// Deleting a record does nothing in Qlik: neither then nor later.
#[tokio::test]
async fn a_record_deleted_by_hand_costs_no_call_and_no_date() {
    let (stage, _operator) = stage("recordless").await;
    onboard(&stage, "acme", &deletable("acme", "")).await;
    let acme = offboard(&stage, "acme", &off("acme", "")).await;
    let due = purge_at(&acme).unwrap();
    let record = acme.status.unwrap().offboarding.unwrap();
    stage.records().delete(&record, &DeleteParams::default()).await.unwrap();
    let acme = poke(&stage, "acme").await;
    assert_eq!(phase(&acme), "Deactivated", "{}", message(&acme));
    assert_eq!(purge_at(&acme), Some(due), "{}", message(&acme));
    assert_eq!(deactivations(&stage), 1);
    stage.patch("acme", json!({ "spec": { "lifecycle": "Active" } })).await.unwrap();
    stage.until("acme", "is back", |t| is_ready(t) && phase(t) == "Ready").await.unwrap();
    assert_eq!((deactivations(&stage), stage.called("POST", "/actions/reactivate")), (1, 1));
}
