//! A client and its tenant: who waits for whom, and who goes first.

use super::support::{HOUR, MACHINE, all_in_qlik, client_id, effects, id, onboard, ready, refused, tenant, works};
use e2e::sim::Status;
use e2e::stage::{Inside, Setup, Stage, client_manifest, in_phase, is_ready, manifest};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use qlik_operator::crd::{QlikOAuthClient, QlikTenant};
use serde_json::json;

const OFF: &str = "alias: acme\nlifecycle: Deactivated\noffboarding: {confirmHostname: acme.us.qlikcloud.com}";

/// Requests of OAuth clients, with whatever outcome.
fn calls(stage: &Stage) -> usize {
    stage.sim.journal().iter().filter(|e| e.path.contains("/oauth-clients")).count()
}

#[tokio::test]
async fn it_waits_for_its_tenant_and_acts_as_soon_as_that_is_ready() {
    let stage = Stage::new(Setup::new("child")).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    stage.apply(&client_manifest("app", "acme", MACHINE)).await.unwrap();
    let app = refused(&stage, "TenantMissing", &["acme", "create it"]).await;
    assert!(!app.is("Stalled") && stage.sim.journal().is_empty());
    // A tenant that cannot be made yet.
    let waiting = manifest("acme", "alias: acme").replace("qlik-license", "license-to-come");
    stage.apply(&waiting).await.unwrap();
    refused(&stage, "TenantNotReady", &["LicenseMissing"]).await;
    assert_eq!(calls(&stage), 0);
    onboard(&stage).await;
    stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
    works(&stage, &stage.read_secret("app").await.unwrap()).await;
    assert_eq!(effects(&stage), ["oauth-client.created"]);
}

#[tokio::test]
async fn it_rests_while_its_tenant_is_off_and_looks_again_afterwards() {
    let (stage, _operator) = ready("child", MACHINE).await;
    let (id, given) = (id(&stage).await, stage.read_secret("app").await.unwrap());
    stage.apply(&manifest("acme", OFF)).await.unwrap();
    stage.until("acme", "is off", |t| is_ready(t) && in_phase(t, "Deactivated")).await.unwrap();
    let covered = |c: &QlikOAuthClient| c.reason() == "CoveredByTenantDeactivated";
    let app = stage.until_client("app", "rests", covered).await.unwrap();
    assert!(app.is_ready() && !app.is("Stalled") && client_id(&app) == id, "{}", app.shown());
    let before = calls(&stage);
    stage.patch_child::<QlikOAuthClient>("app", json!({ "spec": { "clientName": "meanwhile" } })).await.unwrap();
    stage.client_pass("app").await.unwrap();
    stage.turn(HOUR * 2).unwrap();
    stage.client_pass("app").await.unwrap();
    assert_eq!(calls(&stage), before, "something was called in a tenant that is off");

    stage.sim.clear_journal();
    stage.apply(&manifest("acme", "alias: acme")).await.unwrap();
    stage.until("acme", "is back", |t| is_ready(t) && in_phase(t, "Ready")).await.unwrap();
    let settled = |c: &QlikOAuthClient| c.is_ready() && c.reason() == "Settled";
    let app = stage.until_client("app", "works again", settled).await.unwrap();
    assert_eq!((client_id(&app), effects(&stage)), (id, vec!["oauth-client.patched".to_owned()]));
    assert_eq!(all_in_qlik(&stage)[0]["clientName"], "meanwhile");
    assert_eq!(stage.read_secret("app").await.unwrap(), given);
    works(&stage, &given).await;
}

#[tokio::test]
async fn it_goes_without_a_call_when_its_tenant_is_off_or_purged() {
    for purged in [false, true] {
        let (stage, _operator) = ready("child", MACHINE).await;
        stage.apply(&manifest("acme", OFF)).await.unwrap();
        stage.until("acme", "is off", |t| is_ready(t) && in_phase(t, "Deactivated")).await.unwrap();
        let mut reason = "CoveredByTenantDeactivated";
        if purged {
            stage.turn(HOUR * 24 * 31).unwrap();
            stage.confirm_purge().await.unwrap();
            stage.until("acme", "is purged", |t| in_phase(t, "Purged")).await.unwrap();
            reason = "CoveredByTenantPurged";
        }
        stage.until_client("app", "rests", |c| c.is_ready() && c.reason() == reason).await.unwrap();
        let before = calls(&stage);
        stage.delete_child::<QlikOAuthClient>("app").await.unwrap();
        stage.until_child_gone::<QlikOAuthClient>("app").await.unwrap();
        assert_eq!(calls(&stage), before);
        stage.until_event("app", "LeftInQlik").await.unwrap();
    }
}

/// Ways to end both: which goes first, and what deleting the tenant's object does to the tenant.
#[tokio::test]
async fn both_go_in_whatever_order() {
    let retain = "alias: acme";
    let deactivate = "alias: acme\noffboarding: {onDelete: Deactivate, confirmHostname: acme.us.qlikcloud.com}";
    for (spec, order) in [
        (retain, ["app", "acme"]),
        (retain, ["acme", "app"]),
        (deactivate, ["app", "acme"]),
        (deactivate, ["acme", "app"]),
    ] {
        let (stage, _operator) = ready("child", MACHINE).await;
        stage.apply(&manifest("acme", spec)).await.unwrap();
        stage.until("acme", "is ready", is_ready).await.unwrap();
        let case = format!("{spec} {order:?}");
        for name in order {
            if name == "app" {
                stage.delete_child::<QlikOAuthClient>("app").await.unwrap();
                stage.until_child_gone::<QlikOAuthClient>("app").await.unwrap_or_else(|e| panic!("{case}: {e}"));
            } else {
                stage.delete("acme").await.unwrap();
                stage.until_gone("acme").await.unwrap_or_else(|e| panic!("{case}: {e}"));
            }
        }
        let off = stage.sim.tenants()[0].status != Status::Active;
        assert_eq!(off, spec == deactivate, "{case}");
        // Where the tenant stays in use, nothing of ours stays in it.
        if !off {
            assert!(all_in_qlik(&stage).is_empty(), "{case}");
        }
    }
}

#[tokio::test]
async fn both_are_deleted_at_once() {
    let (stage, _operator) = ready("child", MACHINE).await;
    stage.delete("acme").await.unwrap();
    stage.delete_child::<QlikOAuthClient>("app").await.unwrap();
    stage.until_child_gone::<QlikOAuthClient>("app").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert!(all_in_qlik(&stage).is_empty());
}

#[tokio::test]
async fn without_its_tenant_object_it_says_so_and_goes_on_when_that_is_back() {
    let (stage, _operator) = ready("child", MACHINE).await;
    let id = id(&stage).await;
    let known = stage.tenants().get("acme").await.unwrap().status.unwrap();
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    refused(&stage, "TenantMissing", &["acme"]).await;
    let adopt = format!(
        "adopt: {{tenantId: {}, hostname: {}}}\nalias: acme",
        known.tenant_id.unwrap(),
        known.hostnames.first().unwrap()
    );
    let manifest = manifest("acme", &adopt).replace("  license: {keyRef: {name: qlik-license}}\n", "");
    stage.apply(&manifest).await.unwrap();
    stage.until("acme", "is ready", is_ready).await.unwrap();
    let app = stage.until_client("app", "is ready again", Inside::is_ready).await.unwrap();
    assert_eq!((client_id(&app), effects(&stage)), (id, vec!["oauth-client.created".to_owned()]));
}

#[tokio::test]
async fn a_namespace_that_goes_takes_nothing_away_in_qlik_cloud() {
    let (stage, _operator) = ready("child", MACHINE).await;
    stage.sim.clear_journal();
    let namespaces = Api::<Namespace>::all(stage.admin());
    namespaces.delete(stage.ns(), &DeleteParams::default()).await.unwrap();
    stage
        .until_some("the namespace goes", async || Ok(namespaces.get_opt(stage.ns()).await?.is_none().then_some(())))
        .await
        .unwrap();
    assert_eq!((effects(&stage), all_in_qlik(&stage).len()), (Vec::new(), 1));
    assert!(stage.sim.tenant(&tenant(&stage)).is_some_and(|t| t.status == Status::Active));
    let left = Api::<QlikTenant>::all(stage.admin()).list(&ListParams::default()).await.unwrap().items;
    assert!(left.iter().all(|t| t.metadata.namespace.as_deref() != Some(stage.ns())));
}
