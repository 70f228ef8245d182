//! The three meanings of 401, each told apart and none a reason to deactivate anything.

use super::support::*;
use e2e::sim::{DisabledCode, Options, Status};
use e2e::stage::condition;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

#[tokio::test]
async fn bad_credentials() {
    let (stage, _operator) = stage("bad").await;
    onboard(&stage, "acme", &deletable("acme", "")).await;
    stage.turn(HOUR).unwrap(); // a young tenant is given time for its host to come up
    let api: Api<Secret> = Api::namespaced(stage.admin(), stage.ns());
    let write = async |secret: &str| {
        let change = Patch::Merge(json!({ "stringData": { "clientSecret": secret } }));
        api.patch("qlik-credentials", &PatchParams::default(), &change).await.unwrap();
    };
    write("wrong").await;
    stage.patch("acme", json!({ "spec": { "lifecycle": "Deactivated" } })).await.unwrap();
    let acme = stalls(&stage, "acme", "CredentialsInvalid", &["id or secret is not accepted"]).await;
    let valid = condition(&acme, "CredentialsValid").unwrap();
    assert_eq!((valid.status.as_str(), valid.reason.as_str()), ("False", "CredentialsInvalid"));
    stage.delete("acme").await.unwrap();
    poke(&stage, "acme").await;
    untouched(&stage, 1);
    let tries = stage.called("POST", "/oauth/token");
    poke(&stage, "acme").await;
    assert!(stage.called("POST", "/oauth/token") <= tries + 1, "no storm of token requests");
    write(&stage.sim.ready().regional["us"].client_secret.clone()).await;
    annotate(&stage, "acme", "requested-at", Some("the secret is right again")).await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert_eq!(deactivations(&stage), 1);
}

#[tokio::test]
async fn disabled_tenant_in_both_codes() {
    for code in [DisabledCode::TenantDisabled, DisabledCode::TenantDeactivated] {
        let (stage, _operator) = stage("disabled").await;
        stage.sim.set_options(Options { disabled_code: code, ..Options::default() }).unwrap();
        let id = tenant_id(&onboard(&stage, "acme", &deletable("acme", "")).await);
        stage.sim.deactivate(&id, 30).unwrap();
        poke(&stage, "acme").await;
        let words = ["not by this operator", "qlik-operator.dev/reactivate=", "lifecycle: Deactivated"];
        let acme = stalls(&stage, "acme", "DeactivatedOutOfBand", &words).await;
        let valid = condition(&acme, "CredentialsValid").unwrap();
        assert_eq!(valid.status, "True", "a disabled tenant says nothing about the credentials");
        // Agreed to, by the manifest: recorded, and not called again.
        stage.patch("acme", json!({ "spec": { "lifecycle": "Deactivated" } })).await.unwrap();
        let agreed = |t: &_| is_ready(t) && phase(t) == "Deactivated";
        let acme = stage.until("acme", "agrees", agreed).await.unwrap();
        assert_eq!(reason(&acme), "PurgeDateUnknown", "{}", message(&acme));
        stage.delete("acme").await.unwrap();
        stage.until_gone("acme").await.unwrap();
        assert_eq!((deactivations(&stage), stage.called("POST", "/actions/reactivate")), (0, 0));
    }
}

#[tokio::test]
async fn disabled_bot() {
    let (stage, _operator) = stage("bot").await;
    let id = tenant_id(&onboard(&stage, "acme", &deletable("acme", "")).await);
    stage.sim.disable_bots(&id, true).unwrap();
    stage.patch("acme", json!({ "spec": { "lifecycle": "Deactivated" } })).await.unwrap();
    let acme = stalls(&stage, "acme", "BotDisabled", &["enable the OAuth client's bot user"]).await;
    let valid = condition(&acme, "CredentialsValid").unwrap();
    assert_eq!((valid.status.as_str(), valid.reason.as_str()), ("False", "BotDisabled"));
    stage.delete("acme").await.unwrap();
    poke(&stage, "acme").await;
    untouched(&stage, 1);
    stage.sim.disable_bots(&id, false).unwrap();
    annotate(&stage, "acme", "requested-at", Some("the bot is enabled again")).await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert_eq!(deactivations(&stage), 1);
    assert_eq!(stage.sim.tenant(&id).unwrap().status, Status::Disabled);
}
