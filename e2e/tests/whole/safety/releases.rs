//! Deletions that were meant: deactivated exactly once, and let go when `offboarding.release` says.

use super::support::*;
use e2e::sim::Status;
use e2e::stage::condition;
use kube::api::ListParams;
use qlik_operator::crd::{OffboardingPhase, Trigger};

#[tokio::test]
async fn deleted_with_deactivate_and_released_once_scheduled() {
    let (stage, _operator) = stage("scheduled").await;
    onboard(&stage, "acme", &deletable("acme", ", purgeAfterDays: 12")).await;
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert_eq!((deactivations(&stage), stage.committed("tenant.deactivated")), (1, 1));
    let records = stage.records().list(&ListParams::default()).await.unwrap().items;
    let [record] = records.as_slice() else { panic!("{records:#?}") };
    assert_eq!((record.spec.trigger, record.spec.purge_after_days), (Trigger::Deletion, 12));
    let status = record.status.as_ref().unwrap();
    let tenant = &stage.sim.tenants()[0];
    assert_eq!(status.phase, OffboardingPhase::Scheduled);
    assert_eq!((status.purge_at.map(|at| at.0), tenant.purge_after_days), (tenant.purge_at, Some(12)));
    assert!(record.metadata.owner_references.as_ref().is_none_or(Vec::is_empty), "it outlives the object");
    // The record counts down and ends by itself.
    stage.turn(DAY * 13).unwrap();
    stage.confirm_purge().await.unwrap();
    let name = record.metadata.name.as_deref().unwrap();
    let purged = async || {
        let record = stage.records().get(name).await?;
        Ok(record.status.filter(|s| s.phase == OffboardingPhase::Purged))
    };
    stage.until_some("the record tells of the purge", purged).await.unwrap();
    assert_eq!((deactivations(&stage), stage.sim.tenants()[0].status), (1, Status::Deleted));
}

#[tokio::test]
async fn deleted_with_deactivate_and_held_until_the_purge() {
    let (stage, operator) = stage("held").await;
    onboard(&stage, "acme", &deletable("acme", ", release: Purged")).await;
    stage.delete("acme").await.unwrap();
    let acme = stage.until("acme", "waits for its purge", |t| reason(t) == "PurgePending").await.unwrap();
    let date = purge_at(&acme).unwrap();
    assert!(message(&acme).contains(&format!("held until the purge at {date}")), "{}", message(&acme));
    assert_eq!(condition(&acme, "DeletionHeld").map(|c| c.status.as_str()), Some("True"));
    assert_eq!(condition(&acme, "PurgeScheduled").map(|c| c.status.as_str()), Some("True"));
    stage.turn(DAY * 15).unwrap();
    poke(&stage, "acme").await;
    drop(operator);
    let _operator = stage.operator().await.unwrap();
    poke(&stage, "acme").await;
    assert_eq!(deactivations(&stage), 1);
    stage.turn(DAY * 16).unwrap();
    stage.confirm_purge().await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert_eq!((deactivations(&stage), stage.sim.tenants()[0].status), (1, Status::Deleted));
}
