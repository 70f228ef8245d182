//! What Qlik's schemas allow to be missing may be missing: each such field alone, all of them, and dates without a time.
//! Nothing irreversible comes of it, nothing is written again and again, and whoever has to act is told how.

use super::support::*;
use e2e::sim::{Dates, Options, Status, optional_fields};
use e2e::stage::{Error, Inside, Setup, Stage, client_manifest, in_phase, is_ready, manifest};
use e2e::table;
use qlik_operator::crd::{QlikOAuthClient, QlikTenant};
use serde_json::json;
use std::time::Duration;

/// The groups of which every field is gone through each time: what decides about a tenant.
const OF_TENANTS: [&str; 7] =
    ["tenants", "deactivate", "reactivate", "organization", "organizationList", "token", "licenses"];

/// What of a tenant is declared.
const SPEC: &str = "displayName: Acme
alias: acme
settings: {enableAnalyticCreation: true}
offboarding: {confirmHostname: acme.us.qlikcloud.com, purgeAfterDays: 10, eraseSecrets: {names: [extra]}}";

#[derive(Clone)]
struct Row {
    omit: Vec<String>,
    dates: Dates,
    organization: bool,
}

fn rows() -> Vec<(String, Row)> {
    let whole = || vec!["*".to_owned()];
    let mut rows = Vec::new();
    for field in optional_fields() {
        let group = field.split('.').next().unwrap_or_default();
        if OF_TENANTS.contains(&group) {
            let organization = group.starts_with("organization");
            rows.push((
                (*field).to_owned(),
                Row { omit: vec![(*field).to_owned()], dates: Dates::Instant, organization },
            ));
        }
    }
    for organization in [false, true] {
        let asked = if organization { ", organization" } else { "" };
        let row = |omit, dates| Row { omit, dates, organization };
        rows.push((format!("all{asked}"), row(whole(), Dates::Instant)));
        rows.push((format!("dates without a time{asked}"), row(Vec::new(), Dates::Day)));
        rows.push((format!("all, and dates without a time{asked}"), row(whole(), Dates::Day)));
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_life_with_fields_missing() {
    table::run("fields missing (tenant)", rows(), |row| async move { life(&row).await }).await;
}

async fn scene(row: &Row) -> Result<(Stage, e2e::stage::Operator), Error> {
    let setup = Setup::new("fields");
    let stage = Stage::new(if row.organization { setup.with_organization() } else { setup }).await?;
    let options = Options { omit: row.omit.clone(), dates: row.dates, ..Options::default() };
    stage.sim.set_options(options)?;
    let operator = stage.operator().await?;
    Ok((stage, operator))
}

/// Waits until the tenant is in use; where it was made without a hostname, does what the message says.
pub(super) async fn comes_into_use(stage: &Stage) -> Result<&'static str, Error> {
    let done = |t: &QlikTenant| (is_ready(t) && in_phase(t, "Ready")) || reason(t) == "HostnameUnknown";
    let acme = stage.until("acme", "is in use, or asks", done).await?;
    if is_ready(&acme) {
        return Ok("ready");
    }
    let made = stage.sim.tenants()[0].clone();
    if !said(&acme).contains(&made.id) {
        return Err(format!("the id is not said: {}", said(&acme)).into());
    }
    let adopt = json!({ "spec": { "adopt": { "tenantId": made.id, "hostname": made.hostnames[0] } } });
    stage.patch("acme", adopt).await?;
    stage.until("acme", "is in use", |t| is_ready(t) && in_phase(t, "Ready")).await?;
    Ok("HostnameUnknown, then adopt")
}

fn patches(stage: &Stage) -> usize {
    stage.sim.journal().iter().filter(|e| e.method == "PATCH" && e.path.starts_with("/api/v1/tenants/")).count()
}

/// Several intervals go by: nothing is written in Qlik Cloud.
async fn quiet(stage: &Stage) -> Result<(), Error> {
    // What was taken from an answer is looked at once more at first.
    stage.pass("acme").await?;
    let written = |stage: &Stage| {
        stage
            .sim
            .journal()
            .iter()
            .filter(|e| e.committed && e.effect.is_some() && e.method != "GET" && !e.path.ends_with("/oauth/token"))
            .count()
    };
    let before = written(stage);
    for _ in 0..2 {
        stage.turn(Duration::from_mins(61))?;
        stage.pass("acme").await?;
    }
    let after = written(stage);
    if after == before { Ok(()) } else { Err(format!("{} writes in two intervals", after - before).into()) }
}

async fn goes_off(stage: &Stage, times: usize) -> Result<(), Error> {
    stage.put(&manifest("acme", &format!("{SPEC}\nlifecycle: Deactivated"))).await?;
    let acme = stage.until("acme", "is off", |t| is_ready(t) && in_phase(t, "Deactivated")).await?;
    quiet(stage).await?;
    let real = stage.sim.tenants()[0].purge_at.ok_or("it has no date")?;
    let noted = purge_at(&acme).ok_or("no purge date is said")?;
    let early = real.duration_since(noted);
    if !(0..=24 * 3600 + 60).contains(&early.as_secs()) {
        return Err(format!("purged at {noted} by the status, at {real} in Qlik Cloud").into());
    }
    if deactivations(stage) != times {
        return Err(format!("{} deactivations, not {times}", deactivations(stage)).into());
    }
    Ok(())
}

async fn life(row: &Row) -> Result<String, Error> {
    let (stage, operator) = scene(row).await?;
    stage.secret("extra", &[("a", "b")]).await?;
    stage.put(&manifest("acme", SPEC)).await?;
    let end = comes_into_use(&stage).await?;
    quiet(&stage).await?;
    let before = patches(&stage);
    stage.put(&manifest("acme", &SPEC.replace("Acme", "Acme Ltd"))).await?;
    stage.until("acme", "is renamed", |t| is_ready(t) && in_phase(t, "Ready")).await?;
    quiet(&stage).await?;
    if patches(&stage) != before + 1 || stage.sim.tenants()[0].name != "Acme Ltd" {
        return Err(format!(
            "{} PATCHes for one change, named {}",
            patches(&stage) - before,
            stage.sim.tenants()[0].name
        )
        .into());
    }
    goes_off(&stage, 1).await?;
    stage.put(&manifest("acme", SPEC)).await?;
    stage.until("acme", "is back", |t| is_ready(t) && in_phase(t, "Ready")).await?;
    quiet(&stage).await?;
    if !stage.has_secret("extra").await? {
        return Err("a Secret of a tenant in use is erased".into());
    }
    let operator = {
        drop(operator);
        stage.operator().await?
    };
    goes_off(&stage, 2).await?;
    stage.turn(DAY * 11)?;
    stage.confirm_purge().await?;
    let purged = async || {
        let acme = stage.tenants().get("acme").await?;
        Ok((is_ready(&acme) && in_phase(&acme, "Purged")).then_some(()))
    };
    stage.in_time("the purge", purged).await?;
    drop(operator);
    let (tenants, created) = (stage.sim.tenants(), stage.committed("tenant.created"));
    if (tenants.len(), created, tenants[0].status) != (1, 1, Status::Deleted) || stage.has_secret("extra").await? {
        return Err(format!("{created} tenants made, {:?}", tenants[0].status).into());
    }
    Ok(format!("tenants 1, deactivations 2 of 2 decisions, {end}"))
}

/// A window that is restarted on the day on which it began may have the very date that it had: it is restarted once.
#[tokio::test]
async fn a_window_restarted_within_the_day_is_restarted_once() {
    let stage = Stage::new(Setup::new("fields-day")).await.unwrap();
    stage.sim.set_options(Options { dates: Dates::Day, ..Options::default() }).unwrap();
    let _operator = stage.operator().await.unwrap();
    onboard(&stage, "acme", &armed("")).await;
    let date = purge_at(&offboard(&stage, "acme", &off("")).await).unwrap();
    annotate(&stage, "acme", "restart-purge-window", Some(&date.to_string())).await;
    stage.until_some("the call", async || Ok((deactivations(&stage) > 1).then_some(()))).await.unwrap();
    for _ in 0..4 {
        pass(&stage, "acme").await;
        stage.turn(Duration::from_mins(11)).unwrap();
    }
    assert_eq!(deactivations(&stage), 2);
}

/// A creation is lost where the organization API gives days only, and this operator alone makes tenants: the tenant that was
/// made is not overlooked.
#[tokio::test]
async fn a_lost_creation_where_dates_have_no_time() {
    let stage = Stage::new(Setup::new("fields-lost").with_own_organization()).await.unwrap();
    stage.sim.set_options(Options { dates: Dates::Day, ..Options::default() }).unwrap();
    let matching =
        e2e::sim::Match { host: Some("register".to_owned()), ..e2e::sim::Match::on("POST", "/api/v1/tenants") };
    stage.sim.fault(e2e::sim::FaultPlan::new(matching, e2e::sim::Effect::Drop(e2e::sim::When::After)));
    let _operator = stage.operator().await.unwrap();
    stage.put(&manifest("acme", "alias: acme")).await.unwrap();
    stage.until_some("the call", async || Ok((creations(&stage) > 0).then_some(()))).await.unwrap();
    stage.turn(TAKE_OVER).unwrap();
    let decided = |t: &QlikTenant| is_ready(t) || e2e::stage::is_stalled(t, "CreateOutcomeUnknown");
    stage.until("acme", "is decided", decided).await.unwrap();
    stage.turn(TAKE_OVER).unwrap();
    pass(&stage, "acme").await;
    assert_eq!((creations(&stage), stage.sim.tenants().len()), (1, 1));
}

/// Qlik Cloud does not tell which secrets a client has: it gets no new ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_secrets_are_not_told() {
    let field = "oauthClients.clientSecrets".to_owned();
    let row = Row { omit: vec![field.clone()], dates: Dates::Instant, organization: false };
    table::run("fields missing (clients)", vec![(field, row)], |row| async move { inside(&row).await }).await;
}

/// Calls that change clients.
fn changes(stage: &Stage) -> usize {
    let inside = |path: &str| path.contains("/oauth-clients");
    stage.sim.journal().iter().filter(|e| e.method != "GET" && inside(&e.path)).count()
}

async fn inside(row: &Row) -> Result<String, Error> {
    let (stage, operator) = scene(&Row { organization: false, ..row.clone() }).await?;
    stage.put(&manifest("acme", SPEC)).await?;
    comes_into_use(&stage).await?;
    let machine = "appType: web\ngrantTypes: [client_credentials]\nscopes: [user_default]\nconsent: Trusted\n\
        auth: {clientSecret: {secret: {name: app}}}";
    stage.apply(&client_manifest("app", "acme", machine)).await?;
    stage.until_client("app", "is ready", Inside::is_ready).await?;
    for restart in [false, true] {
        stage.child_pass::<QlikOAuthClient>("app").await?;
        let before = changes(&stage);
        for _ in 0..3 {
            stage.turn(Duration::from_mins(61))?;
            stage.child_pass::<QlikOAuthClient>("app").await?;
        }
        if changes(&stage) != before {
            return Err(format!("{} writes in three intervals, restarted: {restart}", changes(&stage) - before).into());
        }
    }
    app_works(&stage).await;
    let secrets = stage.called("POST", "/client-secrets");
    stage.delete_child::<QlikOAuthClient>("app").await?;
    stage.until_child_gone::<QlikOAuthClient>("app").await?;
    drop(operator);
    let clients = stage.committed("oauth-client.created");
    let left = clients_in(&stage, &stage.sim.tenants()[0].id);
    if (clients, left) != (1, 0) || secrets > 1 {
        return Err(format!("{clients} clients and {secrets} further secrets made, {left} clients left").into());
    }
    Ok(format!("clients 1, further secrets {secrets}, none left"))
}
