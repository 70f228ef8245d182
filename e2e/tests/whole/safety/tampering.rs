//! Traces that people removed, edited or forged by hand.

use super::support::*;
use e2e::sim::{Effect, FaultPlan, Match, Status};
use e2e::stage::manifest;
use serde_json::{Value, json};

#[tokio::test]
async fn status_wiped_while_active() {
    let (stage, operator) = stage("wiped").await;
    let acme = onboard(&stage, "acme", &deletable("acme", "")).await;
    write_status(&stage, "acme", Value::Null).await;
    // The announcement of the creation tells what it made.
    let known_again = |t: &_| is_ready(t) && t.status.as_ref().is_some_and(|s| s.tenant_id.is_some());
    let again = stage.until("acme", "knows its tenant again", known_again).await.unwrap();
    assert_eq!(tenant_id(&again), tenant_id(&acme));
    untouched(&stage, 1);
    // Without that only a human can tell.
    annotate(&stage, "acme", "intent", None).await.unwrap();
    write_status(&stage, "acme", Value::Null).await;
    let words = ["nothing is created", "spec.adopt"];
    stalls(&stage, "acme", "AliasInUse", &words).await;
    poke(&stage, "acme").await;
    untouched(&stage, 1);
    // A new process knows no more than that.
    drop(operator);
    let _operator = stage.operator().await.unwrap();
    poke(&stage, "acme").await;
    untouched(&stage, 1);
    let adopt = json!({ "tenantId": tenant_id(&acme), "hostname": host("acme") });
    stage.patch("acme", json!({ "spec": { "adopt": adopt } })).await.unwrap();
    let again = stage.until("acme", "is ready again", is_ready).await.unwrap();
    assert_eq!(tenant_id(&again), tenant_id(&acme));
    untouched(&stage, 1);
}

#[tokio::test]
async fn status_wiped_while_deactivated() {
    let (stage, operator) = stage("wiped-off").await;
    onboard(&stage, "acme", "alias: acme").await;
    let before = offboard(&stage, "acme", &off("acme", "")).await;
    write_status(&stage, "acme", Value::Null).await;
    let known_again = |t: &_| is_ready(t) && phase(t) == "Deactivated" && purge_at(t) == purge_at(&before);
    let after = stage.until("acme", "knows its purge date again", known_again).await.unwrap();
    assert_eq!(tenant_id(&after), tenant_id(&before));
    drop(operator);
    write_status(&stage, "acme", Value::Null).await;
    let _operator = stage.operator().await.unwrap();
    stage.until("acme", "knows its purge date again", known_again).await.unwrap();
    assert_eq!((deactivations(&stage), stage.sim.tenants().len()), (1, 1));
}

#[tokio::test]
async fn status_wiped_while_reactivated_out_of_band() {
    let (stage, operator) = stage("wiped-back").await;
    onboard(&stage, "acme", "alias: acme").await;
    let acme = offboard(&stage, "acme", &off("acme", "")).await;
    stage.sim.reactivate(&tenant_id(&acme)).unwrap();
    stage.turn(HOUR).unwrap();
    poke(&stage, "acme").await;
    stalls(&stage, "acme", "ReactivatedOutOfBand", &["not deactivated again by itself"]).await;
    write_status(&stage, "acme", Value::Null).await;
    stalls(&stage, "acme", "ReactivatedOutOfBand", &[]).await;
    drop(operator);
    write_status(&stage, "acme", Value::Null).await;
    let _operator = stage.operator().await.unwrap();
    stalls(&stage, "acme", "ReactivatedOutOfBand", &[]).await;
    stage.turn(DAY).unwrap();
    poke(&stage, "acme").await;
    assert_eq!(deactivations(&stage), 1, "only the one that was declared");
    assert_eq!(stage.sim.tenants()[0].status, Status::Active);
}

#[tokio::test]
async fn status_pointed_at_another_tenant() {
    let (stage, _operator) = stage("pointed").await;
    onboard(&stage, "acme", &deletable("acme", "")).await;
    // Who holds a tenant longer is told by the second; acme is to be the older one.
    stage.turn(std::time::Duration::from_secs(3)).unwrap();
    let globex = onboard(&stage, "globex", "alias: globex").await.status.unwrap();
    let forged = json!({ "tenantId": globex.tenant_id, "hostnames": globex.hostnames, "hostname": globex.hostname });
    write_status(&stage, "acme", forged).await;
    stage.patch("acme", json!({ "spec": { "alias": null, "lifecycle": "Deactivated" } })).await.unwrap();
    stalls(&stage, "acme", "ConfirmHostnameMismatch", &["the tenant is", "globex.us.qlikcloud.com"]).await;
    stage.delete("acme").await.unwrap();
    poke(&stage, "acme").await;
    untouched(&stage, 2);
}

#[tokio::test]
async fn finalizer_removed_by_hand() {
    let (stage, _operator) = stage("unheld").await;
    onboard(&stage, "acme", &deletable("acme", "")).await;
    stage.patch("acme", json!({ "metadata": { "finalizers": null } })).await.unwrap();
    let held = |t: &qlik_operator::crd::QlikTenant| t.metadata.finalizers.as_ref().is_some_and(|f| f.len() == 1);
    stage.until("acme", "is held again", held).await.unwrap();
    untouched(&stage, 1);
}

#[tokio::test]
async fn finalizer_removed_by_hand_while_deleting() {
    let (stage, _operator) = stage("unheld-del").await;
    onboard(&stage, "acme", "alias: acme\noffboarding: {onDelete: Deactivate, confirmHostname: x.us.qlikcloud.com}")
        .await;
    stage.delete("acme").await.unwrap();
    stalls(&stage, "acme", "ConfirmHostnameMismatch", &[]).await;
    stage.patch("acme", json!({ "metadata": { "finalizers": null } })).await.unwrap();
    stage.until_gone("acme").await.unwrap();
    onboard(&stage, "globex", "alias: globex").await;
    untouched(&stage, 2);
}

#[tokio::test]
async fn intent_replaced_by_garbage() {
    let (stage, _operator) = stage("garbage").await;
    onboard(&stage, "acme", "alias: acme").await;
    for garbage in ["", "{", "{\"step\":\"Burn\"}", "null"] {
        annotate(&stage, "acme", "intent", Some(garbage)).await.unwrap();
        poke(&stage, "acme").await;
        untouched(&stage, 1);
    }
    stage.apply(&manifest("acme", &off("acme", ""))).await.unwrap();
    stalls(&stage, "acme", "SpecInvalid", &["qlik-operator.dev/intent", "changed by hand", "remove it"]).await;
    poke(&stage, "acme").await;
    untouched(&stage, 1);
    annotate(&stage, "acme", "intent", None).await.unwrap();
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    assert_eq!(deactivations(&stage), 1);
}

#[tokio::test]
async fn intent_forged() {
    let (stage, _operator) = stage("forged").await;
    onboard(&stage, "acme", "alias: acme").await;
    onboard(&stage, "globex", "alias: globex").await;
    let globex = offboard(&stage, "globex", &off("globex", "")).await;
    let forge = |step: &str, at: jiff::Timestamp, record: Option<&str>| {
        json!({ "step": step, "nonce": "f0", "holder": "somebody", "at": at, "record": record }).to_string()
    };
    let now = stage.sim.now();
    let record = globex.status.as_ref().unwrap().offboarding.clone();
    // While the tenant is declared Active, no announcement whatever makes anybody deactivate it.
    for forged in [
        forge("Deactivate", now, None),
        forge("Deactivate", now - jiff::SignedDuration::from_hours(1), record.as_deref()),
        forge("RestartWindow", now, record.as_deref()),
        forge("Create", now, None),
    ] {
        annotate(&stage, "acme", "intent", Some(&forged)).await.unwrap();
        poke(&stage, "acme").await;
    }
    assert_eq!((deactivations(&stage), stage.sim.tenants().len()), (1, 2));
    // A date that no clock gives holds everything until a human has looked.
    let future = forge("Deactivate", now + jiff::SignedDuration::from_hours(24), None);
    annotate(&stage, "acme", "intent", Some(&future)).await.unwrap();
    stage.apply(&manifest("acme", &off("acme", ""))).await.unwrap();
    stalls(&stage, "acme", "SpecInvalid", &["changed by hand"]).await;
    // An announcement of somebody else's holds for its ten minutes.
    annotate(&stage, "acme", "intent", Some(&forge("Deactivate", stage.sim.now(), None))).await.unwrap();
    let unknown = |t: &_| reason(t) == "DeactivationOutcomeUnknown";
    let acme = stage.until("acme", "waits for the other announcement", unknown).await.unwrap();
    assert!(message(&acme).contains("previous call"), "{}", message(&acme));
    poke(&stage, "acme").await;
    assert_eq!(deactivations(&stage), 1);
    stage.turn(HOUR).unwrap();
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    assert_eq!((deactivations(&stage), stage.committed("tenant.deactivated")), (2, 2), "each tenant once");
}

#[tokio::test]
async fn intent_removed_in_flight() {
    let (stage, _operator) = stage("inflight").await;
    onboard(&stage, "acme", "alias: acme").await;
    let path = "/api/v1/tenants/*/actions/deactivate";
    stage.sim.fault(FaultPlan::new(Match::on("POST", path), Effect::DelayMs(1500)).commit(true));
    stage.apply(&manifest("acme", &off("acme", ""))).await.unwrap();
    let sent = async || Ok((deactivations(&stage) == 1).then_some(()));
    stage.until_some("the call is under way", sent).await.unwrap();
    annotate(&stage, "acme", "intent", None).await.unwrap();
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    poke(&stage, "acme").await;
    assert_eq!(deactivations(&stage), 1);
}

#[tokio::test]
async fn intent_removed_while_the_outcome_is_unknown() {
    let (stage, operator) = stage("unknown").await;
    onboard(&stage, "acme", "alias: acme").await;
    let path = "/api/v1/tenants/*/actions/deactivate";
    stage.sim.fault(FaultPlan::new(Match::on("POST", path), Effect::status(503)).commit(false));
    stage.apply(&manifest("acme", &off("acme", ""))).await.unwrap();
    let sent = async || Ok((deactivations(&stage) == 1).then_some(()));
    stage.until_some("the call is made", sent).await.unwrap();
    drop(operator);
    annotate(&stage, "acme", "intent", None).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    let unknown = |t: &_| reason(t) == "DeactivationOutcomeUnknown";
    stage.until("acme", "says that the outcome is unknown", unknown).await.unwrap();
    poke(&stage, "acme").await;
    assert_eq!((deactivations(&stage), stage.committed("tenant.deactivated")), (1, 0));
    stage.turn(HOUR).unwrap();
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    assert_eq!((deactivations(&stage), stage.committed("tenant.deactivated")), (2, 1));
}
