//! The ordinary course.

use e2e::stage::{Setup, Stage, condition, manifest};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn from_onboarding_to_purge() {
    let stage = Stage::new(Setup::new("life")).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    stage.apply(&manifest("acme", "displayName: Acme\nalias: acme")).await.unwrap();
    let acme = stage.until("acme", "is ready", is_ready).await.unwrap();
    let status = acme.status.unwrap();
    assert_eq!(status.hostname.as_deref(), Some("acme.us.qlikcloud.com"));
    assert_eq!(stage.committed("tenant.created"), 1);

    let spec = "displayName: Acme\nalias: acme\nlifecycle: Deactivated\noffboarding: {confirmHostname: acme.us.qlikcloud.com, eraseSecrets: {names: [extra]}}";
    stage.secret("extra", &[("a", "b")]).await.unwrap();
    stage.apply(&manifest("acme", spec)).await.unwrap();
    let acme = stage.until("acme", "is deactivated", |t| in_phase(t, "Deactivated") && is_ready(t)).await.unwrap();
    let purge_at = acme.status.unwrap().purge.unwrap().purge_at.unwrap().0;
    let tenant = &stage.sim.tenants()[0];
    assert_eq!(Some(purge_at), tenant.purge_at);

    stage.turn(DAY * 31).unwrap();
    stage.confirm_purge().await.unwrap();
    stage.until("acme", "is purged", |t| in_phase(t, "Purged") && is_ready(t)).await.unwrap();
    assert!(!stage.has_secret("extra").await.unwrap());
    assert_eq!(stage.committed("tenant.deactivated"), 1);
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
}

fn is_ready(tenant: &qlik_operator::crd::QlikTenant) -> bool {
    let generation = tenant.metadata.generation;
    condition(tenant, "Ready").is_some_and(|c| c.status == "True" && c.observed_generation == generation)
}

fn in_phase(tenant: &qlik_operator::crd::QlikTenant, phase: &str) -> bool {
    tenant.status.as_ref().is_some_and(|s| s.phase.to_string() == phase)
}
