//! Five hundred tenants: two that misbehave delay nobody, and a restart is not noticed in Qlik Cloud.

use e2e::cluster::audit::Filter;
use e2e::load::{Load, Size, wait_ready};
use e2e::process::interval;
use e2e::stage::{PATIENCE, Stage, show};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

const SIZE: Size = Size { tenants: 498, clients: 10 };
const ALL: usize = SIZE.tenants + 2;
const MINUTE: Duration = Duration::from_mins(1);
/// The settled ones are left alone for so long after a start.
const QUIET_START: Duration = Duration::from_secs(30);
/// A tenth of the interval.
const STEP: Duration = Duration::from_mins(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_tenants_with_two_that_misbehave_and_a_restart() {
    let load = Load::run(SIZE, PATIENCE * 4).await.unwrap();
    let (stage, report) = (&load.stage, load.report);
    show(&format!("load: {report}"));
    assert_eq!(report.created, SIZE.tenants, "never a second one");
    // The machine may be slow, but then it is slow for all of them.
    assert!(report.ready < report.budget * 4 + MINUTE, "{report}");
    assert!(report.beside < report.elsewhere * 2 + QUIET_START, "{report}");

    stage.sim.clear_faults();
    stage.turn(MINUTE * 11).unwrap();
    wait_ready(stage, ALL, PATIENCE).await.unwrap();
    quiet(stage).await;

    load.operator.terminate().unwrap();
    load.operator.ended().await;
    stage.sim.clear_journal();
    let audit = stage.cluster.audit().unwrap();
    let since = audit.position().await.unwrap();
    let operator = stage.operator().await.unwrap();
    let started = Instant::now();
    let mut again = interval(Duration::from_millis(250));
    while started.elapsed() < QUIET_START {
        again.tick().await;
        assert!(stage.sim.journal().is_empty(), "no call to Qlik Cloud: {:?}", stage.sim.journal());
    }
    let filter = Filter::new().user(stage.identity.user());
    assert_eq!(audit.writes(since, &filter).await.unwrap(), [], "no write");
    let spread = spread(stage).await;
    assert!(spread.iter().all(|count| (25..=80).contains(count)), "{spread:?}");
    assert_eq!(audit.writes(since, &filter).await.unwrap(), [], "no write");
    let usage = operator.usage().unwrap();
    let mib = usage.peak_resident.unwrap_or_default() / 1024 / 1024;
    let cpu = usage.cpu.as_secs_f64();
    show(&format!(
        "restart with {ALL} settled tenants: no call and no write in 30 s, then per tenth of the interval {spread:?} \
         reads; operator: peak {mib} MiB, CPU {cpu:.1} s"
    ));
}

/// Drift reads in each tenth of the interval.
async fn spread(stage: &Stage) -> Vec<usize> {
    let mut counts = Vec::new();
    let mut looked_at = BTreeSet::new();
    for _ in 0..10 {
        let before = looks(stage).len();
        stage.turn(STEP).unwrap();
        quiet(stage).await;
        let all = looks(stage);
        counts.push(all.len() - before);
        looked_at.extend(all);
    }
    // A little of the interval was over before the first step, and half a minute of it nobody is looked at.
    assert!(looked_at.len() > ALL * 9 / 10, "{} of {ALL} were looked at", looked_at.len());
    counts
}

/// The tenants that were looked at, one entry for each look.
fn looks(stage: &Stage) -> Vec<String> {
    let journal = stage.sim.journal();
    let looks = journal.iter().filter(|e| e.method == "GET" && e.path.starts_with("/api/v1/tenants/"));
    looks.filter_map(|e| e.tenant_id.clone()).collect()
}

/// Waits until nothing has been asked of Qlik Cloud for a while.
async fn quiet(stage: &Stage) {
    let (mut last, mut since) = (usize::MAX, Instant::now());
    let mut again = interval(Duration::from_millis(100));
    while since.elapsed() < Duration::from_secs(1) {
        again.tick().await;
        let now = stage.sim.journal().len();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}
