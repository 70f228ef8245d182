//! A definition that is deleted while the operator works: it is named, waited for, and worked with once it is back.

use e2e::stage::{Error, Inside, PATIENCE, Setup, Stage, address, client_manifest, is_ready, manifest};

#[tokio::test]
async fn a_definition_that_is_deleted_is_missed_until_it_is_back() {
    // In a shared cluster, objects that other tests left would keep the definition from going.
    let stage = Stage::alone(Setup::new("gone")).await.unwrap();
    let operator = stage.operator_with(stage.identity.kubeconfig(), &["--listen", "127.0.0.1:0"]).await.unwrap();
    let url = format!("http://{}/readyz", address(&operator, "serving /livez").await.unwrap());
    let says = async |words: &str| {
        e2e::process::until::<_, Error, _>(PATIENCE, &format!("/readyz says {words:?}"), async || {
            Ok(reqwest::get(&url).await?.text().await?.contains(words).then_some(()))
        })
        .await
        .unwrap();
    };
    says("ok").await;
    stage.kubectl(&["delete", "crd", "qlikoauthclients.qlik-operator.dev", "--timeout=60s"]).await.unwrap();
    says("CRDs: cannot list QlikOAuthClient in namespace").await;
    // What the other kinds need is there.
    stage.apply(&manifest("acme", "alias: acme")).await.unwrap();
    stage.until("acme", "is ready", is_ready).await.unwrap();

    stage.cluster.apply_crds(&qlik_operator::cli::crds()).await.unwrap();
    says("ok").await;
    stage.apply(&client_manifest("app", "acme", super::stored::CLIENT)).await.unwrap();
    stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
}
