//! What `docs/DISASTER-RECOVERY.md` says, walked: a cluster is lost and comes back from a backup, in several ways. There is
//! never a second tenant, and the dates of purges are back.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use e2e::stage::{Inside, Setup, Stage, condition, in_phase, is_ready, is_stalled, manifest};
use kube::ResourceExt;
use kube::api::ListParams;
use qlik_operator::crd::{OffboardingPhase, QlikIdentityProvider, QlikOAuthClient, QlikTenant};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::*;

/// `leaving` is held until a human says by `adopt` that its tenant is meant, and is off then as it was.
async fn leaving_is_adopted(stage: &Stage) {
    let held = stage.until("leaving", "is held", |t| is_stalled(t, "PreviousTenantScheduled")).await.unwrap();
    let gone = stage.sim.tenants().into_iter().find(|t| t.hostnames.iter().any(|h| h.starts_with("leaving."))).unwrap();
    let adopt = json!({ "tenantId": gone.id, "hostname": gone.hostnames[0] });
    let said = &condition(&held, "Ready").unwrap().message;
    assert!(said.contains(&format!("{{tenantId: {}, hostname: {}}}", gone.id, gone.hostnames[0])), "{said}");
    stage.patch("leaving", json!({ "spec": { "adopt": adopt } })).await.unwrap();
    stage.until("leaving", "is off as before", |t| is_ready(t) && in_phase(t, "Deactivated")).await.unwrap();
}

#[tokio::test]
async fn with_status_all_comes_back_by_itself() {
    let (stage, operator) = world("with-status").await;
    let (before, made) = (dates(&stage).await.unwrap(), calls(&stage));
    let saved = Saved::of(&stage).await;
    lose(&stage, operator).await;
    saved.restore(&stage, true).await;
    let (_operator, metrics) = serving(&stage, &[]).await;
    all_well(&stage).await;
    dates_are_back(&stage, &before, OffboardingPhase::Scheduled).await;
    alerts_know(&stage, &metrics, &before).await;
    assert_eq!(calls(&stage), made);
}

#[tokio::test]
async fn without_status_what_is_off_waits_for_adopt() {
    let (stage, operator) = world("without-status").await;
    let (before, made) = (dates(&stage).await.unwrap(), calls(&stage));
    let saved = Saved::of(&stage).await;
    lose(&stage, operator).await;
    saved.restore(&stage, false).await;
    let (_operator, metrics) = serving(&stage, &[]).await;
    in_use(&stage).await;
    dates_are_back(&stage, &before, OffboardingPhase::Scheduled).await;
    alerts_know(&stage, &metrics, &before).await;
    leaving_is_adopted(&stage).await;
    dates_are_back(&stage, &before, OffboardingPhase::Scheduled).await;
    assert_eq!(calls(&stage), made);
}

#[tokio::test]
async fn in_another_namespace_records_are_copies() {
    let (stage, operator) = world("copies").await;
    let (before, made) = (dates(&stage).await.unwrap(), calls(&stage));
    let saved = Saved::of(&stage).await;
    lose(&stage, operator).await;
    another_namespace(&stage).await;
    saved.restore(&stage, false).await;
    let (_operator, metrics) = serving(&stage, &[]).await;
    in_use(&stage).await;
    dates_are_back(&stage, &before, OffboardingPhase::Unknown).await;
    alerts_know(&stage, &metrics, &before).await;
    leaving_is_adopted(&stage).await;
    alerts_know(&stage, &metrics, &before).await;
    assert_eq!(calls(&stage), made);
}

/// Another cluster has another id, unless it is told the former one.
#[tokio::test]
async fn another_cluster_id_is_told_and_mended() {
    let (stage, operator) = world("cluster-id").await;
    let made = calls(&stage);
    let line = operator.wait_for_line(e2e::stage::PATIENCE, |line| line.contains("\"started\"")).await.unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let former = line["cluster_id"].as_str().unwrap().to_owned();
    operator.terminate().unwrap();
    operator.ended().await;
    let second = stage.operator_with(stage.identity.kubeconfig(), &["--cluster-id", "another"]).await.unwrap();
    let says = |message: String, reason: String| {
        let words = ["another --cluster-id", former.as_str(), "docs/DISASTER-RECOVERY.md"];
        let harmful = ["Delete one", "Deactivate it"];
        reason == "Conflict"
            && words.iter().all(|word| message.contains(word))
            && !harmful.iter().any(|word| message.contains(word))
    };
    let ask = json!({ "metadata": { "annotations": { "qlik-operator.dev/requested-at": "now" } } });
    stage.patch_child::<QlikOAuthClient>("app", ask.clone()).await.unwrap();
    stage.patch_child::<QlikIdentityProvider>("login", ask).await.unwrap();
    stage.until_client("app", "says what is wrong", |c| says(c.message(), c.reason())).await.unwrap();
    let login = |p: &QlikIdentityProvider| says(p.message(), p.reason());
    stage.until_child("login", "says what is wrong", login).await.unwrap();
    second.terminate().unwrap();
    second.ended().await;

    let found = stage.cluster.script(&script("cluster-id.sh"), &[]).await.unwrap();
    assert!(found.stdout.lines().any(|id| id == former), "{} {}", found.stdout, found.stderr);
    let _third = stage.operator_with(stage.identity.kubeconfig(), &["--cluster-id", &former]).await.unwrap();
    all_well(&stage).await;
    assert_eq!(calls(&stage), made, "nothing was made in place of what was there");
}

fn many() -> usize {
    if e2e::nightly::nightly() { 200 } else { 8 }
}

/// From Git, with nothing but the saved list of tenants: by the script, or by an alias and `onExisting: Adopt`.
#[tokio::test]
async fn many_come_back_from_git_and_a_list() {
    let stage = Stage::new(Setup::new("git")).await.unwrap();
    let operator = stage.operator().await.unwrap();
    let names: Vec<_> = (0..many()).map(|n| format!("t{n}")).collect();
    let by_alias = [manifest("aliased", "alias: aliased\nonExisting: Adopt"), manifest("asks", "alias: asks")];
    let git = names.iter().map(|name| manifest(name, "")).chain(by_alias).collect::<Vec<_>>().join("---\n");
    let count = names.len() + 2;
    stage.apply(&git).await.unwrap();
    let ids = all_ready(&stage, count).await;
    let text = stage.kubectl(&["get", "qliktenants", "--output", "json"]).await.unwrap();
    let mut list: Value = serde_json::from_str(&text).unwrap();
    let items = list["items"].as_array_mut().unwrap();
    items.retain(|object| names.iter().any(|name| object["metadata"]["name"] == name.as_str()));
    // Of one the status was not saved: the announcement of its creation tells just as well.
    items[0].as_object_mut().unwrap().remove("status");
    let file = stage.directory().join("tenants.json");
    std::fs::write(&file, list.to_string()).unwrap();

    operator.kill9().unwrap();
    operator.ended().await;
    let patch = r#"{"metadata":{"finalizers":null}}"#;
    for name in ids.keys() {
        stage.kubectl(&["patch", "qliktenant", name, "--type", "merge", "--patch", patch]).await.unwrap();
    }
    stage.kubectl(&["delete", "qliktenants", "--all"]).await.unwrap();
    stage.apply(&git).await.unwrap();
    let adopted = stage.cluster.script(&script("adopt.sh"), &[file.to_str().unwrap()]).await.unwrap();
    assert_eq!((adopted.stderr.as_str(), adopted.code), ("", Some(0)), "{}", adopted.stdout);
    let _operator = stage.operator().await.unwrap();
    let asks = stage.until("asks", "says who has its alias", |t| is_stalled(t, "AliasInUse")).await.unwrap();
    let adopt = format!("{{tenantId: {}, hostname: asks.us.qlikcloud.com}}", ids["asks"]);
    assert!(condition(&asks, "Ready").unwrap().message.contains(&adopt), "{:?}", condition(&asks, "Ready"));
    let adopt = json!({ "tenantId": ids["asks"], "hostname": "asks.us.qlikcloud.com" });
    stage.patch("asks", json!({ "spec": { "adopt": adopt } })).await.unwrap();
    assert_eq!(all_ready(&stage, count).await, ids, "each has the tenant that it had");
    assert_eq!((stage.sim.tenants().len(), calls(&stage)[0]), (count, count));
}

/// Waits until so many tenants are ready, and tells the id of each.
async fn all_ready(stage: &Stage, count: usize) -> BTreeMap<String, String> {
    let mut others = Vec::new();
    let ready = async || {
        let all = stage.tenants().list(&ListParams::default()).await?.items;
        let ready = all.iter().filter(|tenant| is_ready(tenant));
        let ids: BTreeMap<_, _> = ready.map(|tenant| (tenant.name_any(), tenant_id(tenant))).collect();
        let said = |tenant: &QlikTenant| condition(tenant, "Ready").map(|c| c.message.clone());
        others = all.iter().filter(|tenant| !is_ready(tenant)).map(|t| (t.name_any(), said(t))).collect();
        Ok((ids.len() == count).then_some(ids))
    };
    let found = stage.until_some("all tenants are ready", ready).await;
    found.map_err(|error| format!("{error}: {others:#?}")).unwrap()
}
