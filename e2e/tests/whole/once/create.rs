//! Never a second tenant: a creation of unknown outcome ends adopted, or waits for a human with an instruction that
//! works.

use super::trouble::{Organization, Trouble, Troubled};
use e2e::stage::{Error, Stage, condition, faults, is_ready, is_stalled, manifest};
use e2e::table;
use qlik_operator::crd::{INTENT, QlikTenant, START_ANEW};
use serde_json::json;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);
const SPEC: &str = "displayName: Acme\nalias: acme";

/// One row of the table.
#[derive(Clone)]
struct Row {
    trouble: Trouble,
    organization: Organization,
    /// Calls in the end, those that took no effect included.
    calls: usize,
    /// Whether the first call leaves open if it took effect.
    unknown: bool,
}

fn rows() -> Vec<(String, Row)> {
    let mut rows = Vec::new();
    let mut add = |name: &str, row: Row| {
        let organization = match row.organization {
            Organization::Unasked => "",
            Organization::Shared => " (organization of several)",
            Organization::Ours => " (organization)",
        };
        rows.push((format!("{name}{organization}"), row));
    };
    let plain = Row { trouble: Trouble::None, organization: Organization::Unasked, calls: 1, unknown: false };
    add("no fault", plain.clone());
    for (name, effect, commit, unknown) in faults() {
        let row = Row { trouble: Trouble::Call(effect, commit), calls: if commit { 1 } else { 2 }, unknown, ..plain };
        add(name, row.clone());
        // From here on these take the same way, so a few stand for all.
        if unknown
            && ["connection lost before", "connection lost after", "500 after", "no answer after"].contains(&name)
        {
            add(name, Row { organization: Organization::Ours, ..row.clone() });
            add(name, Row { organization: Organization::Shared, ..row });
        }
    }
    for organization in [Organization::Unasked, Organization::Ours] {
        add("operator killed in the call", Row { trouble: Trouble::Killed, organization, unknown: true, ..plain });
        add("two operators", Row { trouble: Trouble::TwoOperators, organization, ..plain });
    }
    add("applied again and again", Row { trouble: Trouble::RepeatedApplies, ..plain });
    add("status cannot be written", Row { trouble: Trouble::StatusWrites("qliktenants"), ..plain });
    for organization in [Organization::Unasked, Organization::Ours] {
        // What the creation made stands in the intent as well.
        let trouble = Trouble::StatusWritesAndKilled("qliktenants");
        add("status cannot be written, then killed", Row { trouble, organization, ..plain });
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_a_second_tenant_under_any_fault() {
    table::run("create once", rows(), |row| async move { course(&row).await }).await;
}

async fn course(row: &Row) -> Result<String, Error> {
    let mut troubled = Troubled::new("create", row.organization, &row.trouble).await?;
    troubled.begin("/api/v1/tenants");
    troubled.stage.put(&manifest("acme", SPEC)).await?;
    troubled.stage.until_some("the first call", async || Ok((calls(&troubled.stage) > 0).then_some(()))).await?;
    if matches!(row.trouble, Trouble::StatusWritesAndKilled(_)) {
        noted_in_the_intent(&troubled.stage).await?;
    }
    troubled.go_on().await?;
    let most = if row.unknown { 1 } else { row.calls };
    quiet(&troubled, most).await?;
    troubled.stage.turn(MINUTE * 9)?;
    quiet(&troubled, most).await?;
    troubled.put_right();
    troubled.stage.turn(MINUTE * 2)?;
    let stalls = row.unknown && row.organization != Organization::Ours;
    let mut end =
        if row.organization == Organization::Ours && row.unknown { "found by the organization API" } else { "ready" };
    if stalls {
        end = follow_instruction(&troubled, row).await?;
    }
    troubled.stage.until("acme", "is ready", is_ready).await?;
    for _ in 0..2 {
        troubled.stage.turn(MINUTE * 31)?;
        quiet(&troubled, row.calls).await?;
    }
    verify(&troubled.stage, row).await.map(|shown| format!("{shown}, {end}"))
}

fn calls(stage: &Stage) -> usize {
    stage.called("POST", "/api/v1/tenants")
}

/// Waits until the intent tells what came of the call. Killed before that, it would be one that was killed in the call.
async fn noted_in_the_intent(stage: &Stage) -> Result<(), Error> {
    stage
        .until_some("the outcome in the intent", async || {
            let acme = stage.tenants().get("acme").await?;
            let intent = acme.metadata.annotations.unwrap_or_default().remove(INTENT);
            Ok(intent.is_some_and(|intent| intent.contains("outcome")).then_some(()))
        })
        .await
}

/// Drives passes, and checks that there were no more calls than these.
async fn quiet(troubled: &Troubled, most: usize) -> Result<(), Error> {
    if matches!(troubled.trouble(), Trouble::RepeatedApplies) {
        for _ in 0..5 {
            troubled.stage.put(&manifest("acme", SPEC)).await?;
        }
    }
    if troubled.answers() {
        troubled.stage.pass("acme").await?;
    }
    let calls = calls(&troubled.stage);
    if calls > most { Err(format!("{calls} calls, at most {most} allowed here").into()) } else { Ok(()) }
}

/// Stalled for as long as nobody acts; then does what the message says, as somebody would who looked in the portal.
async fn follow_instruction(troubled: &Troubled, row: &Row) -> Result<&'static str, Error> {
    let stage = &troubled.stage;
    for _ in 0..2 {
        let acme = stage.until("acme", "is stalled", |t| is_stalled(t, "CreateOutcomeUnknown")).await?;
        quiet(troubled, 1).await?;
        stage.turn(MINUTE * 61)?;
        if let Some(tenant) = stage.sim.tenants().first() {
            if message(&acme).contains("spec.adopt") {
                continue;
            }
            return Err(format!("no word of spec.adopt for {}: {}", tenant.id, message(&acme)).into());
        }
    }
    if let Some(tenant) = stage.sim.tenants().first() {
        let adopt = json!({ "tenantId": tenant.id, "hostname": tenant.hostnames[0] });
        stage.patch("acme", json!({ "spec": { "adopt": adopt } })).await?;
        return Ok("stalled, then spec.adopt");
    }
    assert_eq!(row.calls, 2, "there is no tenant, so one has to be made");
    let acme = stage.tenants().get("acme").await?;
    let annotation = start_anew(message(&acme)).ok_or("no annotation in the message")?;
    stage.kubectl(&["annotate", "qliktenant", "acme", annotation]).await?;
    Ok("stalled, then start-anew")
}

pub(crate) fn message(tenant: &QlikTenant) -> &str {
    condition(tenant, "Stalled").map_or("", |condition| condition.message.as_str())
}

/// The annotation that the message names, ready to be pasted.
pub(crate) fn start_anew(message: &str) -> Option<&str> {
    let from = message.find(&format!("{START_ANEW}="))?;
    message[from..].split_whitespace().next()
}

async fn verify(stage: &Stage, row: &Row) -> Result<String, Error> {
    let (calls, created) = (calls(stage), stage.committed("tenant.created"));
    let tenants = stage.sim.tenants();
    let acme = stage.tenants().get("acme").await?;
    let held = acme.status.as_ref().and_then(|s| s.tenant_id.clone());
    if (created, calls) != (1, row.calls) || held.as_deref() != tenants.first().map(|t| t.id.as_str()) {
        return Err(format!("{created} tenants in {calls} calls, not 1 in {}; {held:?} is held", row.calls).into());
    }
    Ok(format!("tenants {created}, calls {calls}"))
}
