//! Objects that lose a creation at the same time do not take each other's tenant.

use super::create::{message, start_anew};
use e2e::sim::{Effect, FaultPlan, Match, When};
use e2e::stage::{Setup, Stage, is_ready, is_stalled, manifest};
use serde_json::json;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);
const NAMES: [&str; 2] = ["acme", "umbra"];

/// Two objects whose creations are both lost, with or without effect; both stall, and no third call is made.
async fn lose_two(stage: &Stage, effects: [When; 2]) {
    // One after the other: on one connection the loss of the first could take the second with it.
    for (number, (name, when)) in NAMES.into_iter().zip(effects).enumerate() {
        let commit = when == When::After;
        let matching = Match { host: Some("register".into()), ..Match::on("POST", "/api/v1/tenants") };
        stage.sim.fault(FaultPlan::new(matching, Effect::Drop(when)).commit(commit));
        stage.put(&manifest(name, &format!("alias: {name}"))).await.unwrap();
        stage.until_some("the call", async || Ok((calls(stage) == number + 1).then_some(()))).await.unwrap();
    }
    stage.turn(MINUTE * 11).unwrap();
}

fn calls(stage: &Stage) -> usize {
    stage.called("POST", "/api/v1/tenants")
}

async fn stalled(stage: &Stage, name: &str) -> String {
    let object = stage.until(name, "is stalled", |t| is_stalled(t, "CreateOutcomeUnknown")).await.unwrap();
    message(&object).to_owned()
}

#[tokio::test]
async fn two_lost_creations_are_not_told_apart_by_guessing() {
    let stage = Stage::new(Setup::new("rivals").with_organization()).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    lose_two(&stage, [When::After, When::After]).await;
    let tenants = stage.sim.tenants();
    for name in NAMES {
        let message = stalled(&stage, name).await;
        assert!(tenants.iter().all(|t| message.contains(&t.id) && message.contains(&t.hostnames[0])), "{message}");
    }
    for (name, tenant) in NAMES.iter().zip(&tenants) {
        let adopt = json!({ "tenantId": tenant.id, "hostname": tenant.hostnames[0] });
        stage.patch(name, json!({ "spec": { "adopt": adopt } })).await.unwrap();
    }
    for (name, tenant) in NAMES.iter().zip(&tenants) {
        let object = stage.until(name, "is ready", is_ready).await.unwrap();
        assert_eq!(object.status.unwrap().tenant_id.as_ref(), Some(&tenant.id));
    }
    assert_eq!((calls(&stage), stage.committed("tenant.created")), (2, 2));
}

#[tokio::test]
async fn one_tenant_of_two_lost_creations_is_nobodys_by_right() {
    let stage = Stage::new(Setup::new("rivals").with_own_organization()).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    lose_two(&stage, [When::After, When::Before]).await;
    let tenants = stage.sim.tenants();
    assert_eq!(tenants.len(), 1);
    for name in NAMES {
        assert!(stalled(&stage, name).await.contains(&tenants[0].id));
    }
    assert_eq!(calls(&stage), 2);
    let adopt = json!({ "tenantId": tenants[0].id, "hostname": tenants[0].hostnames[0] });
    stage.patch(NAMES[0], json!({ "spec": { "adopt": adopt } })).await.unwrap();
    stage.until(NAMES[0], "is ready", is_ready).await.unwrap();
    // What is left is certain: no other tenant came into being then, so the other call had no effect.
    stage.pass(NAMES[1]).await.unwrap();
    let other = stage.until(NAMES[1], "is ready", is_ready).await.unwrap();
    assert_ne!(other.status.unwrap().tenant_id.as_ref(), Some(&tenants[0].id));
    assert_eq!((calls(&stage), stage.committed("tenant.created")), (3, 2));
}

#[tokio::test]
async fn without_an_organization_each_has_its_own_way_out() {
    let stage = Stage::new(Setup::new("rivals")).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    lose_two(&stage, [When::Before, When::Before]).await;
    let (first, second) = (stalled(&stage, NAMES[0]).await, stalled(&stage, NAMES[1]).await);
    let (first, second) = (start_anew(&first).unwrap(), start_anew(&second).unwrap());
    assert_ne!(first, second);
    // The other's word counts for nothing here.
    stage.kubectl(&["annotate", "qliktenant", NAMES[0], second]).await.unwrap();
    stage.pass(NAMES[0]).await.unwrap();
    assert_eq!(calls(&stage), 2);
    stage.kubectl(&["annotate", "--overwrite", "qliktenant", NAMES[0], first]).await.unwrap();
    stage.kubectl(&["annotate", "qliktenant", NAMES[1], second]).await.unwrap();
    for name in NAMES {
        stage.until(name, "is ready", is_ready).await.unwrap();
    }
    assert_eq!((calls(&stage), stage.committed("tenant.created")), (4, 2));
}
