//! Exactly one committed deactivation for each decision, and no call while it cannot be known whether the last one
//! took effect.

use super::trouble::{Organization, Trouble, Troubled};
use e2e::sim::{self, Tenant};
use e2e::stage::{Error, Setup, Stage, faults, in_phase, is_ready, manifest};
use e2e::table;
use qlik_operator::crd::{Evidence, OffboardingPhase, QlikTenant};
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// What the manifest says of the end.
const OFF: &str = "displayName: Acme\nalias: acme\nlifecycle: Deactivated\noffboarding: {purgeAfterDays: 45, confirmHostname: acme.us.qlikcloud.com}";
const ON_DELETE: &str = "displayName: Acme\nalias: acme\noffboarding: {purgeAfterDays: 45, confirmHostname: acme.us.qlikcloud.com, onDelete: Deactivate}";

/// One row of the table.
#[derive(Clone)]
struct Row {
    trouble: Trouble,
    organization: bool,
    deletion: bool,
    /// Calls in the end, those that took no effect included.
    calls: usize,
    /// Whether the first call leaves open if it took effect.
    unknown: bool,
    evidence: Evidence,
}

fn rows() -> Vec<(String, Row)> {
    let mut rows = Vec::new();
    let mut add = |name: &str, row: Row| {
        let asked = if row.deletion { "deletion" } else { "lifecycle" };
        let organization = if row.organization { ", organization" } else { "" };
        rows.push((format!("{name} ({asked}{organization})"), row));
    };
    let plain = Row {
        trouble: Trouble::None,
        organization: false,
        deletion: false,
        calls: 1,
        unknown: false,
        evidence: Evidence::Date,
    };
    add("no fault", plain.clone());
    add("no fault", Row { deletion: true, ..plain.clone() });
    for (name, effect, commit, unknown) in faults() {
        let calls = if commit { 1 } else { 2 };
        let lost = |evidence| if commit { evidence } else { Evidence::Date };
        let trouble = Trouble::Call(effect, commit);
        let row = Row { trouble, calls, unknown, evidence: lost(Evidence::Estimated), ..plain.clone() };
        add(name, row.clone());
        // From here on these take the same way, so a few stand for all.
        if ["connection lost after", "500 after", "no answer after"].contains(&name) {
            add(name, Row { organization: true, evidence: Evidence::Organization, ..row.clone() });
            add(name, Row { deletion: true, ..row });
        }
    }
    let host = Row { trouble: Trouble::CallAndHost, unknown: true, evidence: Evidence::Estimated, ..plain.clone() };
    add("answer lost and the tenant's host fails", host);
    let killed = Row { trouble: Trouble::Killed, unknown: true, evidence: Evidence::Estimated, ..plain.clone() };
    add("operator killed in the call", killed.clone());
    add("operator killed in the call", Row { organization: true, evidence: Evidence::Organization, ..killed });
    add("two operators", Row { trouble: Trouble::TwoOperators, ..plain.clone() });
    add("two operators", Row { trouble: Trouble::TwoOperators, deletion: true, ..plain.clone() });
    add("applied again and again", Row { trouble: Trouble::RepeatedApplies, ..plain.clone() });
    for kind in ["qliktenants", "qlikoffboardings"] {
        let row = Row { trouble: Trouble::StatusWrites(kind), ..plain.clone() };
        add(&format!("status of {kind} cannot be written"), row.clone());
        // The date is in the other of the two; it is lost only with an operator that is killed in the call.
        let row = Row { trouble: Trouble::StatusWritesAndKilled(kind), ..row };
        add(&format!("status of {kind} cannot be written, then killed"), row.clone());
        add(&format!("status of {kind} cannot be written, then killed"), Row { organization: true, ..row });
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_one_deactivation_under_every_fault() {
    table::run("deactivate once", rows(), |row| async move { course(&row).await }).await;
}

async fn course(row: &Row) -> Result<String, Error> {
    let organization = if row.organization { Organization::Shared } else { Organization::Unasked };
    let mut troubled = Troubled::new("once", organization, &row.trouble).await?;
    let start = if row.deletion { ON_DELETE } else { "displayName: Acme\nalias: acme" };
    troubled.stage.put(&manifest("acme", start)).await?;
    troubled.stage.until("acme", "is ready", is_ready).await?;
    troubled.begin("*/deactivate");
    if row.deletion {
        troubled.stage.delete("acme").await?;
    } else {
        troubled.stage.put(&manifest("acme", OFF)).await?;
    }
    troubled.stage.until_some("the first call", async || Ok((calls(&troubled.stage) > 0).then_some(()))).await?;
    if let Trouble::StatusWritesAndKilled(kind) = row.trouble {
        noted_elsewhere(&troubled.stage, kind).await?;
    }
    troubled.go_on().await?;
    let most = if row.unknown { 1 } else { row.calls };
    quiet(&troubled, most).await?;
    troubled.stage.turn(MINUTE * 9)?;
    quiet(&troubled, most).await?;
    troubled.stage.turn(MINUTE * 2)?;
    if matches!(row.trouble, Trouble::CallAndHost) {
        // Old enough to be taken over, and still nobody knows.
        quiet(&troubled, 1).await?;
        troubled.stage.turn(HOUR)?;
        quiet(&troubled, 1).await?;
    }
    troubled.put_right();
    end(&troubled.stage, row).await?;
    for _ in 0..2 {
        troubled.stage.turn(HOUR)?;
        quiet(&troubled, row.calls).await?;
    }
    let (waited, asked) = (between_calls(&troubled.stage), troubled.asked_to_wait());
    if waited.is_some_and(|waited| waited < asked) {
        return Err(format!("called again after {waited:?} s, {asked} s were asked for").into());
    }
    verify(&troubled.stage, row).await
}

/// Waits until the date is in the one status that can be written while those of this kind cannot.
async fn noted_elsewhere(stage: &Stage, refused: &str) -> Result<(), Error> {
    if refused == "qlikoffboardings" {
        return stage.until("acme", "has the date", has_date).await.map(drop);
    }
    stage
        .until_some("the date on record", async || {
            let records = stage.records_of("acme").await?;
            Ok(records.iter().any(|r| r.status.as_ref().is_some_and(|s| s.purge_at.is_some())).then_some(()))
        })
        .await
}

fn has_date(tenant: &QlikTenant) -> bool {
    tenant.status.as_ref().and_then(|s| s.purge.as_ref()).is_some_and(|purge| purge.purge_at.is_some())
}

/// Seconds between the first call and the second.
fn between_calls(stage: &Stage) -> Option<u64> {
    let journal = stage.sim.journal();
    let mut times = journal.iter().filter(|e| e.method == "POST" && e.path.ends_with("/deactivate")).map(|e| e.time);
    let (first, second) = (times.next()?, times.next()?);
    u64::try_from(second.duration_since(first).as_secs()).ok()
}

fn calls(stage: &Stage) -> usize {
    stage.called("POST", "/deactivate")
}

/// Drives passes, and checks that there were no more calls than these.
async fn quiet(troubled: &Troubled, most: usize) -> Result<(), Error> {
    if matches!(troubled.trouble(), Trouble::RepeatedApplies) {
        for _ in 0..5 {
            troubled.stage.put(&manifest("acme", OFF)).await?;
        }
    }
    if troubled.answers() {
        troubled.stage.pass("acme").await?;
    }
    let calls = calls(&troubled.stage);
    if calls > most { Err(format!("{calls} calls, at most {most} allowed here").into()) } else { Ok(()) }
}

/// Waits until the tenant is off and that is on record, and the object as its manifest says.
async fn end(stage: &Stage, row: &Row) -> Result<(), Error> {
    if row.deletion {
        return stage.until_gone("acme").await;
    }
    stage.until("acme", "is deactivated", |t| in_phase(t, "Deactivated") && is_ready(t)).await.map(drop)
}

/// One tenant, one committed deactivation, one record, and everywhere the date that Qlik has.
async fn verify(stage: &Stage, row: &Row) -> Result<String, Error> {
    let tenants: Vec<Tenant> = stage.sim.tenants();
    let records = stage.records_of("acme").await?;
    let ([tenant], [record]) = (tenants.as_slice(), records.as_slice()) else {
        return Err(format!("{} tenants and {} records", tenants.len(), records.len()).into());
    };
    let (calls, committed) = (calls(stage), stage.committed("tenant.deactivated"));
    let status = record.status.clone().unwrap_or_default();
    let (real, noted) = (tenant.purge_at.ok_or("not deactivated")?, status.purge_at.ok_or("no date")?.0);
    let mut wrong = Vec::new();
    if (committed, calls) != (1, row.calls) {
        wrong.push(format!("{committed} deactivations in {calls} calls, not 1 in {}", row.calls));
    }
    if status.phase != OffboardingPhase::Scheduled || status.evidence != Some(row.evidence) {
        wrong.push(format!("record {:?} with {:?}, not {:?}", status.phase, status.evidence, row.evidence));
    }
    // An estimate is the earliest possible date: never later than the real one, and close to it.
    let estimated = row.evidence == Evidence::Estimated && noted <= real && real.duration_since(noted).as_secs() < 120;
    if noted != real && !estimated {
        wrong.push(format!("purge at {noted} on record, {real} in Qlik"));
    }
    if let Some(object) = stage.tenants().get_opt("acme").await? {
        let purge = object.status.and_then(|s| s.purge).ok_or("no purge in the status")?;
        if (purge.purge_at.map(|at| at.0), purge.evidence) != (Some(noted), Some(row.evidence)) {
            wrong.push(format!("the status says {purge:?}"));
        }
    }
    if wrong.is_empty() {
        Ok(format!("committed {committed}, calls {calls}, {:?}", row.evidence))
    } else {
        Err(wrong.join("; ").into())
    }
}

/// Looks at the tenant every hour, later every day, until it is purged: nothing is called but reads.
#[tokio::test]
async fn ninety_days_of_rechecks_make_no_call() {
    let stage = Stage::new(Setup::new("ninety")).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    stage.put(&manifest("acme", "alias: acme")).await.unwrap();
    stage.until("acme", "is ready", is_ready).await.unwrap();
    let spec = "alias: acme\nlifecycle: Deactivated\noffboarding: {purgeAfterDays: 90, confirmHostname: acme.us.qlikcloud.com}";
    stage.put(&manifest("acme", spec)).await.unwrap();
    stage.until("acme", "is off", |t| in_phase(t, "Deactivated") && is_ready(t)).await.unwrap();
    let purge_at = stage.sim.tenants()[0].purge_at.unwrap();
    // Its place in the hour is at most half a minute later than an hour from the last look.
    let hourly = std::iter::repeat_n(HOUR + MINUTE, 47);
    let daily = std::iter::repeat_n(DAY, 84);
    let mut looks = 0;
    for step in hourly.chain(daily) {
        next_look(&stage, step).await;
        looks += 1;
    }
    assert!(stage.sim.now() < purge_at, "the purge is still ahead");
    assert_eq!((calls(&stage), stage.committed("tenant.deactivated")), (1, 1));
    assert_eq!(stage.sim.tenants()[0].purge_at, Some(purge_at));
    stage.turn(DAY * 5).unwrap();
    stage.confirm_purge().await.unwrap();
    let tenants = stage.tenants();
    let purged = stage.in_time("the purge", async || {
        Ok(Some(tenants.get("acme").await?).filter(|t| in_phase(t, "Purged") && is_ready(t)))
    });
    let acme = purged.await.unwrap();
    assert_eq!(acme.status.unwrap().purge.unwrap().purge_at.unwrap().0, purge_at);
    assert_eq!(stage.sim.tenants()[0].status, sim::Status::Deleted);
    assert_eq!((calls(&stage), stage.committed("tenant.deactivated")), (1, 1));
    e2e::stage::show(&format!("deactivate once: {looks} rechecks in 90 days, 1 call"));
}

/// Turns the clock until the operator looks again.
async fn next_look(stage: &Stage, step: Duration) {
    let before = reads(stage);
    stage.turn(step).unwrap();
    stage.in_time("a look at the tenant", async || Ok((reads(stage) > before).then_some(()))).await.unwrap();
}

/// Questions to the tenant's own host.
fn reads(stage: &Stage) -> usize {
    let host = &stage.sim.tenants()[0].hostnames[0];
    stage.sim.journal().iter().filter(|entry| entry.host == *host).count()
}
