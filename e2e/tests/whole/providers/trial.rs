//! `verification: Browser`: a human tries the login before it is used.

use super::support::{LOGIN, all_in_qlik, effects, id, in_qlik, pass, put, ready, says, set_by_hand, stage, tenant};
use e2e::sim::BrowserTest;
use qlik_operator::crd::QlikIdentityProvider;
use serde_json::json;

#[tokio::test]
async fn a_login_is_used_once_it_was_tried_and_changes_wait_for_another_trial() {
    let (stage, _operator) = stage("trial").await;
    put(&stage, "login", &format!("{LOGIN}\nverification: Browser")).await;
    let object = says(&stage, "login", "VerificationPending", &["Identity provider", "Validate"]).await;
    let provider = id(&object);
    let verification = object.status.as_ref().unwrap().verification.clone().unwrap();
    assert!(verification.page.ends_with("/console") && verification.answer.is_none(), "{verification:?}");
    assert_eq!(effects(&stage), ["idp.created"]);

    stage.sim.browser_test(&tenant(&stage), &provider, BrowserTest::CallbackError).unwrap();
    pass(&stage, "login").await;
    let object = says(&stage, "login", "VerificationFailed", &["callbackError", "try it again"]).await;
    assert!(object.status.unwrap().verification.unwrap().answer.unwrap().contains("callbackError"));

    stage.sim.browser_test(&tenant(&stage), &provider, BrowserTest::Success).unwrap();
    pass(&stage, "login").await;
    let object = ready(&stage, "login").await;
    assert_eq!(effects(&stage), ["idp.created", "idp.promoted", "idp.patched"]);
    assert!(in_qlik(&stage, &provider)["active"] == true && object.status.unwrap().verification.is_none());

    stage.sim.clear_journal();
    stage.patch_child::<QlikIdentityProvider>("login", json!({ "spec": { "oidc": { "realm": "r2" } } })).await.unwrap();
    says(&stage, "login", "VerificationPending", &["former login goes on working"]).await;
    assert_eq!(in_qlik(&stage, &provider)["options"]["realm"], "acme.example");
    stage.sim.browser_test(&tenant(&stage), &provider, BrowserTest::Success).unwrap();
    pass(&stage, "login").await;
    ready(&stage, "login").await;
    assert_eq!(in_qlik(&stage, &provider)["options"]["realm"], "r2");
    assert_eq!(effects(&stage), ["idp.patched", "idp.promoted"]);
}

#[tokio::test]
async fn what_somebody_changed_after_the_trial_is_not_put_in_force() {
    let (stage, _operator) = stage("trial").await;
    put(&stage, "login", &format!("{LOGIN}\nverification: Browser")).await;
    let provider = id(&says(&stage, "login", "VerificationPending", &[]).await);
    // A secret cannot be seen, only that the options are of another version.
    set_by_hand(&stage, &provider, "/pendingOptions/clientSecret", &json!("of somebody else"));
    stage.sim.browser_test(&tenant(&stage), &provider, BrowserTest::Success).unwrap();
    pass(&stage, "login").await;
    says(&stage, "login", "VerificationPending", &["try the login"]).await;
    assert!(!effects(&stage).contains(&"idp.promoted".to_owned()));
    stage.sim.browser_test(&tenant(&stage), &provider, BrowserTest::Success).unwrap();
    pass(&stage, "login").await;
    ready(&stage, "login").await;
}

#[tokio::test]
async fn a_replacement_waits_for_its_trial_while_the_former_login_works() {
    let (stage, _operator) = stage("trial").await;
    put(&stage, "login", LOGIN).await;
    let first = id(&ready(&stage, "login").await);
    let other = json!({ "spec": { "verification": "Browser", "oidc": { "provider": "okta" } } });
    stage.patch_child::<QlikIdentityProvider>("login", other).await.unwrap();
    let object = says(&stage, "login", "VerificationPending", &["try the login"]).await;
    let successor = object.status.unwrap().successor.unwrap().id;
    assert!(in_qlik(&stage, &first)["active"] == true && in_qlik(&stage, &successor)["active"] == false);
    stage.sim.browser_test(&tenant(&stage), &successor, BrowserTest::Success).unwrap();
    pass(&stage, "login").await;
    assert_eq!(id(&ready(&stage, "login").await), successor);
    let gone = async || Ok((all_in_qlik(&stage).len() == 1).then_some(()));
    stage.until_some("the former one goes", gone).await.unwrap();
}
