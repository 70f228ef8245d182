//! From the installation to the reinstallation, with a customer who notices nothing of it.

use super::site::{Mode, OPERATOR, Site, Way};
use e2e::cluster::binaries::Helm;
use e2e::process::Exit;
use e2e::stage::{Error, Inside, PATIENCE, client_manifest, in_phase, is_ready, show};
use std::time::Instant;

/// A customer as in config/samples: the operator's own credentials, and an app with a Secret.
const CUSTOMER: &str = include_str!("../../../../config/samples/default-credentials.yaml");

fn app() -> String {
    let spec = "appType: web\ngrantTypes: [client_credentials]\nconsent: Trusted\nscopes: [user_default]\n\
                auth: {clientSecret: {secret: {name: app}}}";
    client_manifest("app", "initech", spec)
}

/// What must stay the same: the objects by uid, and what is in Qlik Cloud.
async fn state(site: &Site) -> Result<(String, Vec<String>), Error> {
    let all = [
        "-n",
        site.stage.ns(),
        "get",
        "qlik,secrets",
        "-o",
        "jsonpath={range .items[*]}{.kind}/{.metadata.name}={.metadata.uid} {end}",
    ];
    let tenants = site.stage.sim.tenants();
    Ok((site.kubectl(&all).await?, tenants.iter().map(|tenant| format!("{tenant:?}")).collect()))
}

/// Every request to Qlik Cloud that might change something. A token is how one knocks.
fn writes(site: &Site) -> Vec<String> {
    let journal = site.stage.sim.journal().into_iter();
    let writes = journal.filter(|entry| entry.method != "GET" && !entry.path.ends_with("/oauth/token"));
    writes.map(|entry| format!("{} {}{}", entry.method, entry.host, entry.path)).collect()
}

async fn life(way: Way, mode: Mode) -> Result<(), Error> {
    let began = Instant::now();
    let site = Site::new(way, mode).await?;
    let stage = &site.stage;
    site.install().await?;
    // The controllers of the cluster make it, so Pod Security lets it in.
    stage
        .until_some("the pod", async || {
            let pods = site.kubectl(&["-n", OPERATOR, "get", "pods", "-o", "name"]).await?;
            Ok((!pods.is_empty()).then_some(pods))
        })
        .await?;
    let operator = site.operator().await?;
    stage.apply(CUSTOMER).await?;
    stage.apply(&app()).await?;
    stage.until("initech", "is ready", is_ready).await?;
    stage.until_client("app", "is ready", Inside::is_ready).await?;
    assert!(stage.has_secret("app").await?);
    let onboarded = state(&site).await?;

    site.change_definition()?;
    site.install().await?;
    assert!(site.kubectl(&["-n", stage.ns(), "get", "qliktenants"]).await?.contains("NOTE"));
    assert_eq!(state(&site).await?, onboarded);
    assert!(operator.exited().is_none(), "{}", operator.tail());
    stage.patch("initech", serde_json::json!({ "spec": { "note": "kept" } })).await?;
    stage.until("initech", "is ready", is_ready).await?;
    operator.terminate()?;
    assert_eq!(operator.wait(PATIENCE).await?, Exit::Code(0), "{}", operator.tail());

    site.uninstall().await?;
    let all = "deployments,serviceaccounts,roles,rolebindings,services";
    let left = site.kubectl(&["-n", OPERATOR, "get", all, "-o", "name"]).await?;
    assert!(!left.contains(OPERATOR), "{left}");
    let left = site.kubectl(&["get", "clusterroles,clusterrolebindings", "-o", "name"]).await?;
    assert!(!left.contains(OPERATOR), "{left}");
    assert_eq!(site.kubectl(&["get", "crds", "-o", "name"]).await?.lines().count(), 4);
    assert_eq!(state(&site).await?, onboarded);

    stage.sim.clear_journal();
    site.install().await?;
    let _operator = site.operator().await?;
    assert!(stage.pass("initech").await?);
    stage.client_pass("app").await?;
    assert_eq!(writes(&site), Vec::<String>::new());
    assert_eq!(state(&site).await?, onboarded);
    assert!(stage.tenants().get("initech").await.is_ok_and(|tenant| in_phase(&tenant, "Ready")));
    let wanted: &[&str] = if mode == Mode::Cluster { &[] } else { &["get namespaces kube-system"] };
    assert_eq!(site.refused().await?.into_iter().collect::<Vec<_>>(), wanted);
    show(&format!(
        "installed, upgraded, removed and installed again by {way:?}, {mode:?}: {:.0} s",
        began.elapsed().as_secs_f32()
    ));
    Ok(())
}

#[tokio::test]
async fn by_helm_for_the_cluster() {
    Box::pin(life(Way::Helm(Helm::V4), Mode::Cluster)).await.unwrap();
}

#[tokio::test]
async fn by_helm_3_for_namespaces() {
    Box::pin(life(Way::Helm(Helm::V3), Mode::Namespaced)).await.unwrap();
}

#[tokio::test]
async fn by_kustomize_for_the_cluster() {
    Box::pin(life(Way::Kustomize, Mode::Cluster)).await.unwrap();
}

#[tokio::test]
async fn by_kustomize_for_namespaces() {
    Box::pin(life(Way::Kustomize, Mode::Namespaced)).await.unwrap();
}
