//! Off-boarding where the operator has Roles only.

use super::site::{Mode, Site, Way};
use e2e::cluster::binaries::Helm;
use e2e::stage::{is_ready, manifest};

/// A deletion deactivates, as everywhere; the end of the kind does not, though the definition may not be read.
#[tokio::test]
async fn a_deletion_deactivates_and_the_end_of_the_kind_does_not() {
    let site = Site::new(Way::Helm(Helm::V4), Mode::Namespaced).await.unwrap();
    let stage = &site.stage;
    site.install().await.unwrap();
    let _operator = site.operator().await.unwrap();
    for name in ["acme", "globex"] {
        stage.put(&manifest(name, "")).await.unwrap();
        let tenant = stage.until(name, "is ready", is_ready).await.unwrap();
        let hostname = tenant.status.and_then(|status| status.hostname).unwrap();
        let armed =
            serde_json::json!({ "spec": { "offboarding": { "onDelete": "Deactivate", "confirmHostname": hostname } } });
        stage.patch(name, armed).await.unwrap();
        stage.until(name, "is ready", is_ready).await.unwrap();
    }
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert_eq!(stage.committed("tenant.deactivated"), 1);

    site.kubectl(&["delete", "crd", "qliktenants.qlik-operator.dev", "--timeout=60s"]).await.unwrap();
    assert_eq!(stage.committed("tenant.deactivated"), 1);
    let refused: Vec<_> = site.refused().await.unwrap().into_iter().collect();
    assert_eq!(refused, ["get customresourcedefinitions qliktenants.qlik-operator.dev", "get namespaces kube-system"]);
}
