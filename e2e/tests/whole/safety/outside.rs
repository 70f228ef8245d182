//! What people do in the portal, and the annotations by which they ask for one thing once.

use super::support::*;
use e2e::sim::Status;
use e2e::stage::manifest;
use jiff::Timestamp;
use serde_json::json;

#[tokio::test]
async fn deactivated_out_of_band_and_brought_back_by_annotation() {
    let (stage, _operator) = stage("portal").await;
    let id = tenant_id(&onboard(&stage, "acme", "alias: acme").await);
    stage.sim.deactivate(&id, 30).unwrap();
    poke(&stage, "acme").await;
    stalls(&stage, "acme", "DeactivatedOutOfBand", &["qlik-operator.dev/reactivate="]).await;
    annotate(&stage, "acme", "reactivate", Some("globex.us.qlikcloud.com")).await.unwrap();
    poke(&stage, "acme").await;
    assert_eq!(stage.called("POST", "/actions/reactivate"), 0, "the hostname has to be this tenant's");
    annotate(&stage, "acme", "reactivate", Some("acme.us.qlikcloud.com")).await.unwrap();
    stage.until("acme", "is back", |t| is_ready(t) && phase(t) == "Ready").await.unwrap();
    assert_eq!((stage.committed("tenant.reactivated"), deactivations(&stage)), (1, 0));
    assert_eq!(stage.sim.tenants()[0].status, Status::Active);

    // The consent that was left standing is not one for the next time. Later, since for two minutes what is seen to be off
    // is taken for the reactivation under way.
    stage.turn(HOUR).unwrap();
    stage.sim.deactivate(&id, 30).unwrap();
    poke(&stage, "acme").await;
    stalls(&stage, "acme", "DeactivatedOutOfBand", &["take away the annotation that was used before"]).await;
    assert_eq!(stage.committed("tenant.reactivated"), 1);
    annotate(&stage, "acme", "reactivate", None).await.unwrap();
    poke(&stage, "acme").await;
    stalls(&stage, "acme", "DeactivatedOutOfBand", &["to bring it back set annotation"]).await;
    annotate(&stage, "acme", "reactivate", Some("acme.us.qlikcloud.com")).await.unwrap();
    stage.until("acme", "is back again", |t| is_ready(t) && phase(t) == "Ready").await.unwrap();
    assert_eq!((stage.committed("tenant.reactivated"), deactivations(&stage)), (2, 0));
}

#[tokio::test]
async fn reactivated_out_of_band_is_never_deactivated_again_by_itself() {
    let (stage, operator) = stage("back").await;
    onboard(&stage, "acme", "alias: acme").await;
    let id = tenant_id(&offboard(&stage, "acme", &off("acme", "")).await);
    stage.sim.reactivate(&id).unwrap();
    stage.turn(HOUR).unwrap();
    poke(&stage, "acme").await;
    stalls(&stage, "acme", "ReactivatedOutOfBand", &["lifecycle: Active", "onDelete: Retain"]).await;
    for _ in 0..3 {
        stage.turn(DAY).unwrap();
        poke(&stage, "acme").await;
    }
    stage.apply(&manifest("acme", &off("acme", ", purgeAfterDays: 20"))).await.unwrap();
    poke(&stage, "acme").await;
    drop(operator);
    let _operator = stage.operator().await.unwrap();
    poke(&stage, "acme").await;
    assert_eq!(deactivations(&stage), 1);
    assert_eq!(stage.sim.tenant(&id).unwrap().status, Status::Active);
    // A new decision is one: first in use, then off.
    onboard(&stage, "acme", "alias: acme").await;
    offboard(&stage, "acme", &off("acme", "")).await;
    assert_eq!((deactivations(&stage), stage.committed("tenant.deactivated")), (2, 2));
}

#[tokio::test]
async fn purge_days_changed_afterwards_change_nothing_and_that_is_said() {
    let (stage, _operator) = stage("days").await;
    onboard(&stage, "acme", "alias: acme").await;
    let before = offboard(&stage, "acme", &off("acme", ", purgeAfterDays: 30")).await;
    let after = offboard(&stage, "acme", &off("acme", ", purgeAfterDays: 60")).await;
    let said = message(&after);
    assert!(said.contains("purgeAfterDays is now 60, which changes nothing by itself"), "{said}");
    assert!(said.contains("qlik-operator.dev/restart-purge-window"), "{said}");
    assert_eq!(purge_at(&after), purge_at(&before));
    poke(&stage, "acme").await;
    assert_eq!((deactivations(&stage), stage.sim.tenants()[0].purge_at), (1, purge_at(&before)));
}

#[tokio::test]
async fn the_purge_window_is_restarted_exactly_once() {
    let (stage, operator) = stage("window").await;
    onboard(&stage, "acme", "alias: acme").await;
    offboard(&stage, "acme", &off("acme", ", purgeAfterDays: 30")).await;
    let before = offboard(&stage, "acme", &off("acme", ", purgeAfterDays: 60")).await;
    stage.turn(DAY).unwrap();
    for nonsense in ["now", "true", "2030-01-01T00:00:00Z"] {
        annotate(&stage, "acme", "restart-purge-window", Some(nonsense)).await.unwrap();
        poke(&stage, "acme").await;
    }
    assert_eq!(deactivations(&stage), 1, "only the date that stands is a request");
    let date: Timestamp = purge_at(&before).unwrap();
    annotate(&stage, "acme", "restart-purge-window", Some(&date.to_string())).await.unwrap();
    let later = |t: &_| is_ready(t) && purge_at(t) > Some(date);
    let after = stage.until("acme", "has a new window", later).await.unwrap();
    assert_eq!(purge_at(&after), stage.sim.tenants()[0].purge_at);
    assert_eq!(deactivations(&stage), 2);
    // The annotation stays, as Git would leave it, and nothing more comes of it.
    for _ in 0..2 {
        stage.turn(HOUR).unwrap();
        poke(&stage, "acme").await;
    }
    drop(operator);
    let _operator = stage.operator().await.unwrap();
    poke(&stage, "acme").await;
    assert_eq!((deactivations(&stage), stage.committed("tenant.deactivated")), (2, 2));
    assert_eq!(stage.sim.tenants()[0].purge_at, purge_at(&after));
}

#[tokio::test]
async fn a_tenant_that_is_gone_is_made_anew_only_when_asked_for_by_id() {
    let (stage, operator) = stage("gone").await;
    let first = tenant_id(&onboard(&stage, "acme", "displayName: Acme").await);
    stage.turn(HOUR).unwrap(); // a young tenant is given time for its host to come up
    stage.sim.purge(&first).unwrap();
    poke(&stage, "acme").await;
    let words = [format!("qlik-operator.dev/start-anew={first}")];
    stalls(&stage, "acme", "TenantGone", &[&words[0], "nothing is created in its place"]).await;
    annotate(&stage, "acme", "start-anew", Some("true")).await.unwrap();
    poke(&stage, "acme").await;
    assert_eq!(stage.called("POST", "/api/v1/tenants"), 1);
    // Asked of a process that remembers nothing of the first creation.
    drop(operator);
    let _operator = stage.operator().await.unwrap();
    annotate(&stage, "acme", "start-anew", Some(&first)).await.unwrap();
    let second = stage.until("acme", "has a new tenant", |t| is_ready(t) && tenant_id(t) != first).await.unwrap();
    poke(&stage, "acme").await;
    assert_eq!((stage.called("POST", "/api/v1/tenants"), deactivations(&stage)), (2, 0));
    // The annotation stays and stands for the first one alone.
    stage.turn(HOUR).unwrap();
    stage.sim.purge(&tenant_id(&second)).unwrap();
    poke(&stage, "acme").await;
    stalls(&stage, "acme", "TenantGone", &[&tenant_id(&second)]).await;
    assert_eq!(stage.called("POST", "/api/v1/tenants"), 2);
}

#[tokio::test]
async fn a_purged_tenant_declared_active_again_is_made_anew_only_when_asked_for_by_id() {
    let (stage, _operator) = stage("purged").await;
    onboard(&stage, "acme", "displayName: Acme").await;
    let first = stage.sim.tenants()[0].clone();
    let hostname = &first.hostnames[0];
    let spec = json!({ "spec": { "lifecycle": "Deactivated", "offboarding": { "confirmHostname": hostname } } });
    stage.patch("acme", spec).await.unwrap();
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    stage.turn(DAY * 31).unwrap();
    stage.confirm_purge().await.unwrap();
    stage.until("acme", "is purged", |t| is_ready(t) && phase(t) == "Purged").await.unwrap();
    stage.patch("acme", json!({ "spec": { "lifecycle": "Active" } })).await.unwrap();
    stalls(&stage, "acme", "TenantGone", &[&format!("qlik-operator.dev/start-anew={}", first.id)]).await;
    annotate(&stage, "acme", "start-anew", Some(&first.id)).await.unwrap();
    let second = stage.until("acme", "has a new tenant", |t| is_ready(t) && tenant_id(t) != first.id).await.unwrap();
    poke(&stage, "acme").await;
    assert_eq!((stage.called("POST", "/api/v1/tenants"), deactivations(&stage)), (2, 1));
    assert_eq!(stage.sim.tenant(&tenant_id(&second)).unwrap().status, Status::Active);
}
