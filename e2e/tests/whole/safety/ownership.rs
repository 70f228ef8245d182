//! Who may act on a tenant, and with which credentials.

use super::support::*;
use e2e::sim::{ClientRequest, PortalTenant};
use e2e::stage::{Stage, manifest};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams};
use qlik_operator::crd::QlikTenant;
use serde_json::json;

/// A manifest that adopts this tenant and wants it off, by lifecycle and by deletion.
fn grab(name: &str, id: &str) -> String {
    let spec = format!(
        "adopt: {{tenantId: {id}, hostname: acme.us.qlikcloud.com}}\nlifecycle: Deactivated\n\
         offboarding: {{onDelete: Deactivate, confirmHostname: acme.us.qlikcloud.com}}"
    );
    manifest(name, &spec)
}

#[tokio::test]
async fn another_object_adopts_the_same_tenant() {
    let (stage, _operator) = stage("grab").await;
    let id = tenant_id(&onboard(&stage, "acme", "alias: acme").await);
    stage.apply(&grab("grabber", &id)).await.unwrap();
    let holder = format!("{}/acme", stage.ns());
    stalls(&stage, "grabber", "Conflict", &[&holder, "delete this object; nothing happens in Qlik Cloud"]).await;
    poke(&stage, "grabber").await;
    untouched(&stage, 1);
    stage.delete("grabber").await.unwrap();
    stage.until_gone("grabber").await.unwrap();
    poke(&stage, "acme").await;
    untouched(&stage, 1);
}

#[tokio::test]
async fn an_object_of_another_namespace_adopts_the_same_tenant() {
    let stage = Stage::new(e2e::stage::Setup::new("grab-a")).await.unwrap();
    let other = stage.cluster.namespace("grab-b").await.unwrap();
    let _operator = stage.operator_with(stage.identity.kubeconfig(), &["--namespaces", other.name()]).await.unwrap();
    let id = tenant_id(&onboard(&stage, "acme", "alias: acme").await);
    let us = stage.sim.ready().regional["us"].clone();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "qlik-credentials" },
        "stringData": { "clientId": us.client_id, "clientSecret": us.client_secret },
    });
    let both = format!("{secret}\n---\n{}", grab("grabber", &id));
    let done = stage.cluster.kubectl(&["apply", "-n", other.name(), "-f", "-"], &both).await.unwrap();
    assert!(done.success(), "{}", done.stderr);
    let there: Api<QlikTenant> = Api::namespaced(stage.admin(), other.name());
    let conflict = async || Ok(there.get_opt("grabber").await?.filter(|t| reason(t) == "Conflict"));
    let grabber = stage.until_some("the conflict is reported", conflict).await.unwrap();
    let holder = format!("{}/acme", stage.ns());
    assert!(message(&grabber).contains(&holder), "{}", message(&grabber));
    there.delete("grabber", &kube::api::DeleteParams::default()).await.unwrap();
    let gone = async || Ok(there.get_opt("grabber").await?.is_none().then_some(()));
    stage.until_some("the grabber goes", gone).await.unwrap();
    poke(&stage, "acme").await;
    untouched(&stage, 1);
}

#[tokio::test]
async fn default_credentials_asked_for_without_the_right_to_them() {
    let stage = Stage::new(e2e::stage::Setup::new("default")).await.unwrap();
    let directory = stage.directory().join("us");
    let default = format!("us={}", directory.display());
    let start = async |namespaces: String| {
        let args = ["--regional-credentials", default.as_str(), "--regional-namespaces", namespaces.as_str()];
        stage.operator_with(stage.identity.kubeconfig(), &args).await.unwrap()
    };
    let operator = start("us=somebody-else".to_owned()).await;
    let wanted = PortalTenant { region: "us".into(), license_number: None, name: None, alias: Some(host("acme")) };
    let id = stage.sim.create_tenant(wanted).unwrap().id;
    let without = grab("acme", &id).replace("  credentialsRef: {name: qlik-credentials}\n", "");
    stage.apply(&without).await.unwrap();
    let words = ["are not for this namespace", "set spec.credentialsRef"];
    stalls(&stage, "acme", "CredentialsNotAllowed", &words).await;
    stage
        .apply(&manifest("globex", "alias: globex").replace("  credentialsRef: {name: qlik-credentials}\n", ""))
        .await
        .unwrap();
    stalls(&stage, "globex", "CredentialsNotAllowed", &words).await;
    // Nor by a reference that leaves the namespace: there is no way to write one.
    let escape = without
        .replace("region: us\n", "region: us\n  credentialsRef: {name: qlik-credentials, namespace: kube-system}\n");
    assert!(stage.apply(&escape).await.is_err(), "an unknown field is refused");
    assert_eq!(stage.sim.journal().len(), 0, "nothing at all was asked of Qlik");
    // Where the setting names the namespace they serve it.
    drop(operator);
    let _operator = start(format!("us={}", stage.ns())).await;
    stage.until("globex", "is ready", is_ready).await.unwrap();
}

/// Puts other credentials into the Secret that a tenant refers to.
async fn swap(stage: &Stage, id: &str, secret: &str) {
    let api: Api<Secret> = Api::namespaced(stage.admin(), stage.ns());
    let change = json!({ "stringData": { "clientId": id, "clientSecret": secret } });
    api.patch("qlik-credentials", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
}

#[tokio::test]
async fn credentials_swapped_to_another_region_or_licence() {
    let (stage, _operator) = stage("swapped").await;
    onboard(&stage, "acme", &deletable("acme", "")).await;
    stage.turn(HOUR).unwrap(); // a young tenant is given time for its host to come up
    let us = stage.sim.ready().regional["us"].clone();
    let eu = stage.sim.ready().regional["eu"].clone();
    let foreign = stage.sim.add_client(ClientRequest { region: "us".into(), license_number: None }).unwrap();
    let words = ["belongs to this region and license"];
    for wrong in [&eu, &foreign.credentials] {
        swap(&stage, &wrong.client_id, &wrong.client_secret).await;
        let spec = json!({ "spec": { "lifecycle": "Deactivated" } });
        stage.patch("acme", spec).await.unwrap();
        poke(&stage, "acme").await;
        stalls(&stage, "acme", "CredentialsInvalid", &words).await;
        let (back, right) = (json!({ "spec": { "lifecycle": "Active" } }), &us);
        swap(&stage, &right.client_id, &right.client_secret).await;
        stage.patch("acme", back).await.unwrap();
        stage.until("acme", "is ready", is_ready).await.unwrap();
        untouched(&stage, 1);
    }
    // Deleted under wrong credentials it is held, and what holds it is said.
    swap(&stage, &foreign.credentials.client_id, &foreign.credentials.client_secret).await;
    stage.delete("acme").await.unwrap();
    let acme = stalls(&stage, "acme", "CredentialsInvalid", &words).await;
    assert!(e2e::stage::condition(&acme, "DeletionHeld").is_some_and(|c| c.status == "True"));
    untouched(&stage, 1);
    swap(&stage, &us.client_id, &us.client_secret).await;
    annotate(&stage, "acme", "requested-at", Some("credentials are right again")).await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert_eq!((deactivations(&stage), stage.committed("tenant.deactivated")), (1, 1));
}
