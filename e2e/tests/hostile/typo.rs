//! D6: a typing error in `confirmHostname` is said at once, and freezes nothing.

use super::support::*;
use e2e::stage::{Stage, condition, is_ready, manifest};
use qlik_operator::crd::{QlikOAuthClient, QlikTenant};
use serde_json::json;

const WRONG: &str = "alias: acme\noffboarding: {confirmHostname: amce.us.qlikcloud.com, onDelete: Retain}";

fn with(lines: &str, more: &str) -> String {
    manifest("acme", &format!("{lines}\n{more}"))
}

/// What is said of the tenant's end, for the manifest as it stands.
fn end_ready<'a>(tenant: &'a QlikTenant, status: &str) -> Option<&'a str> {
    let current = condition(tenant, "OffboardingReady").filter(|c| c.observed_generation == tenant.metadata.generation);
    current.filter(|c| c.status == status).map(|c| c.message.as_str())
}

/// Children go on: what is asked of them is done.
async fn child_goes_on(stage: &Stage, mark: &str) {
    let before = stage.read_secret("app").await.unwrap()["clientSecret"].clone();
    let rotate = json!({ "metadata": { "annotations": { "qlik-operator.dev/rotate-at": mark } } });
    stage.patch_child::<QlikOAuthClient>("app", rotate).await.unwrap();
    let rotated = async || Ok((stage.read_secret("app").await?["clientSecret"] != before).then_some(()));
    stage.until_some("the secret is rotated", rotated).await.unwrap();
    client_ready(stage).await;
    app_works(stage).await;
}

/// Declared off, with a wrong name: the tenant is in use, and so is everything inside it.
#[tokio::test]
async fn declared_off_with_a_wrong_name() {
    let (stage, operator) = stage("typo-off").await;
    onboard(&stage, "acme", "alias: acme").await;
    client(&stage).await;
    stage.put(&with(WRONG, "lifecycle: Deactivated")).await.unwrap();
    let acme =
        told(&stage, "acme", "ConfirmHostnameMismatch", &["amce.us.qlikcloud.com", "acme.us.qlikcloud.com"]).await;
    assert!(end_ready(&acme, "False").is_some(), "{:#?}", acme.status);
    child_goes_on(&stage, "one").await;
    let operator = restarted(&stage, operator).await;
    pass(&stage, "acme").await;
    let client = stage.client_pass("app").await.unwrap();
    assert!(e2e::stage::Inside::is_ready(&client), "{:#?}", client.status);
    // No second rotation while the former secret works: something else that is asked of it.
    stage.patch_child::<QlikOAuthClient>("app", json!({ "spec": { "description": "as before" } })).await.unwrap();
    client_ready(&stage).await;
    assert!(stage.committed("oauth-client.patched") > 0, "{:?}", stage.sim.journal().last());
    assert_eq!(deactivations(&stage), 0);
    // Corrected, it goes its way.
    offboard(&stage, "acme", &off("")).await;
    assert_eq!(deactivations(&stage), 1);
    drop(operator);
}

/// Armed for its deletion with a wrong name: it is ready, and the error is there to be seen long before that day.
#[tokio::test]
async fn armed_for_its_deletion_with_a_wrong_name() {
    let (stage, operator) = stage("typo-delete").await;
    stage.put(&with(&WRONG.replace("Retain", "Deactivate"), "")).await.unwrap();
    let wrong = |t: &QlikTenant| is_ready(t) && end_ready(t, "False").is_some();
    let acme = stage.until("acme", "is ready and says that its end is not", wrong).await.unwrap();
    let said = end_ready(&acme, "False").unwrap();
    assert!(said.contains("amce.us.qlikcloud.com") && said.contains("acme.us.qlikcloud.com"), "{said}");
    client(&stage).await;
    let operator = restarted(&stage, operator).await;
    pass(&stage, "acme").await;
    stage.until("acme", "still says so", wrong).await.unwrap();
    stage.put(&with(&WRONG.replace("Retain", "Deactivate").replace("amce", "acme"), "")).await.unwrap();
    stage.until("acme", "says that it is right", |t| end_ready(t, "True").is_some()).await.unwrap();
    // The alias is another one: the name that was confirmed is nobody's any more.
    stage
        .put(&manifest("acme", &armed(", onDelete: Deactivate").replacen("alias: acme", "alias: acme-two", 1)))
        .await
        .unwrap();
    stage.until("acme", "says that the name went", wrong).await.unwrap();
    stage.delete("acme").await.unwrap();
    told(&stage, "acme", "ConfirmHostnameMismatch", &["acme-two.us.qlikcloud.com"]).await;
    child_goes_on(&stage, "deleted").await;
    assert_eq!(deactivations(&stage), 0);
    stage.patch("acme", json!({ "spec": { "offboarding": { "onDelete": "Retain" } } })).await.unwrap();
    stage.until_gone("acme").await.unwrap();
    drop(operator);
}
