//! The leader ends, in order or not.

use super::{LEASE, leader, standby};
use e2e::cluster::proxy::Hooks;
use e2e::process::Exit;
use e2e::stage::{Error, PATIENCE, Setup, Stage, is_ready, manifest, show};
use std::time::{Duration, Instant};

/// What a machine under load may add to a time that is promised for an idle one.
const BUSY: Duration = Duration::from_secs(4);

/// How long it takes from the leader's end to the first call that the other one makes in Qlik Cloud.
async fn takeover(stage: &Stage, since: Instant) -> Result<Duration, Error> {
    stage.put(&manifest("acme", "alias: acme")).await?;
    let called = async || Ok((stage.called("POST", "/api/v1/tenants") == 1).then(|| since.elapsed()));
    let took = stage.until_some("the other one creates the tenant", called).await?;
    stage.until("acme", "is ready", is_ready).await?;
    assert_eq!(stage.committed("tenant.created"), 1);
    Ok(took)
}

#[tokio::test]
async fn a_killed_leader_is_followed_when_its_lease_is_over() {
    let stage = Stage::new(Setup::new("killed")).await.unwrap();
    let (_proxy, first) = leader(&stage, Hooks::default()).await.unwrap();
    let _second = standby(&stage).await.unwrap();
    let since = Instant::now();
    first.kill9().unwrap();
    let took = takeover(&stage, since).await.unwrap();
    show(&format!("leader killed: the other one acts after {:.1} s (lease {} s)", took.as_secs_f32(), LEASE.as_secs()));
    assert!(took <= LEASE + Duration::from_secs(1) + BUSY, "{took:?}");
    // It was not robbed either: renewed every second, the lease had at least that much less to go.
    assert!(took + Duration::from_secs(1) + Duration::from_millis(500) >= LEASE, "{took:?}");
}

#[tokio::test]
async fn a_leader_that_is_told_to_stop_gives_the_lease_up() {
    let stage = Stage::new(Setup::new("stopped")).await.unwrap();
    let (_proxy, first) = leader(&stage, Hooks::default()).await.unwrap();
    let second = standby(&stage).await.unwrap();
    let since = Instant::now();
    first.terminate().unwrap();
    let took = takeover(&stage, since).await.unwrap();
    show(&format!("leader stopped: the other one acts after {:.1} s", took.as_secs_f32()));
    assert!(took <= Duration::from_secs(1) + BUSY, "{took:?}");
    assert_eq!(first.wait(PATIENCE).await.unwrap(), Exit::Code(0));
    assert!(second.exited().is_none());
}

#[tokio::test]
async fn whoever_stands_by_stops_at_once_and_makes_no_call() {
    let stage = Stage::new(Setup::new("standby")).await.unwrap();
    let (_proxy, first) = leader(&stage, Hooks::default()).await.unwrap();
    let second = standby(&stage).await.unwrap();
    stage.put(&manifest("acme", "alias: acme")).await.unwrap();
    stage.until("acme", "is ready", is_ready).await.unwrap();
    let log = second.log().unwrap();
    assert!(!log.contains("leading") && !log.contains("started"), "{log}");
    second.terminate().unwrap();
    assert_eq!(second.wait(PATIENCE).await.unwrap(), Exit::Code(0));
    assert!(first.exited().is_none());
}
