//! What is lost on the way, or done by hand, is made good; nothing is made twice.

use super::support::{GENERATED, LOGIN, all_in_qlik, apply, by_hand, delete, effects, id, pass, ready, stage};
use e2e::stage::Inside;
use qlik_operator::crd::QlikIdentityProvider;
use serde_json::{Value, json};

#[tokio::test]
async fn a_status_that_was_wiped_is_found_again_by_the_mark() {
    let (stage, _operator) = stage("idp").await;
    for (name, spec) in [("login", LOGIN), ("app", GENERATED)] {
        let made = id(&apply(&stage, name, spec).await);
        stage.sim.clear_journal();
        stage
            .kubectl(&["patch", "qidp", name, "--subresource=status", "--type=merge", "-p", r#"{"status": null}"#])
            .await
            .unwrap();
        let again = stage
            .until_child::<QlikIdentityProvider>(name, "is ready again", |o| o.is_ready() && !id(o).is_empty())
            .await
            .unwrap();
        assert_eq!(id(&again), made);
        assert!(!effects(&stage).contains(&"idp.created".to_owned()), "{name}");
    }
    assert_eq!(all_in_qlik(&stage).len(), 2);
}

#[tokio::test]
async fn a_provider_that_was_deleted_by_hand_is_made_again() {
    let (stage, _operator) = stage("idp").await;
    let first = id(&apply(&stage, "login", LOGIN).await);
    by_hand(&stage, "DELETE", &format!("/{first}"), Value::Null);
    pass(&stage, "login").await;
    let second = id(&ready(&stage, "login").await);
    assert!(first != second && all_in_qlik(&stage).len() == 1);
    stage.until_event("login", "CounterpartGone").await.unwrap();
}

#[tokio::test]
async fn the_mark_is_put_back() {
    let (stage, _operator) = stage("idp").await;
    let made = id(&apply(&stage, "login", LOGIN).await);
    let patch = json!([{ "op": "replace", "path": "/description", "value": "nothing" }]);
    by_hand(&stage, "PATCH", &format!("/{made}"), patch);
    pass(&stage, "login").await;
    assert_eq!(id(&ready(&stage, "login").await), made);
    assert_eq!(all_in_qlik(&stage).len(), 1);
    delete(&stage, "login").await;
    assert!(all_in_qlik(&stage).is_empty());
}

#[tokio::test]
async fn children_go_with_their_tenant_and_never_hold_it_up() {
    let (stage, _operator) = stage("idp").await;
    apply(&stage, "login", LOGIN).await;
    let host = stage.sim.tenants()[0].hostnames[0].clone();
    let off = json!({ "spec": { "lifecycle": "Deactivated", "offboarding": { "confirmHostname": host } } });
    stage.patch("acme", off).await.unwrap();
    let covered = |o: &QlikIdentityProvider| o.reason() == "CoveredByTenantDeactivated";
    stage.until_child::<QlikIdentityProvider>("login", "is covered", covered).await.unwrap();
    delete(&stage, "login").await;
}
