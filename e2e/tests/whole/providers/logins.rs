//! Of the providers through which people log in one is in use, and it stays so while it is replaced.

use super::support::{
    LOGIN, all_in_qlik, apply, by_hand, change, delete, effects, id, in_qlik, pass, put, ready, saml, says,
    set_by_hand, stage, stage_of,
};
use e2e::sim::SecondInteractive;
use e2e::stage::{Inside, Setup, Stage};
use qlik_operator::crd::QlikIdentityProvider;
use serde_json::{Value, json};

/// The ids of the providers that are in use.
fn active(stage: &Stage) -> Vec<String> {
    let all = all_in_qlik(stage).into_iter().filter(|provider| provider["active"] == true);
    all.map(|provider| provider["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_cannot_be_changed_is_replaced_and_the_login_stays() {
    for second in [SecondInteractive::Refuse, SecondInteractive::Deactivate] {
        let mut setup = Setup::new("login");
        setup.sim.options.second_interactive = second;
        let (stage, _operator) = stage_of(setup).await;
        let first = id(&apply(&stage, "login", &saml("https://one.example")).await);
        let changed = change(&stage, "login", json!({ "saml": { "entityId": "https://two.example" } })).await;
        let second = id(&changed);
        assert_ne!(first, second);
        assert_eq!(active(&stage), std::slice::from_ref(&second));
        assert_eq!(in_qlik(&stage, &second)["options"]["entityId"], "https://two.example");
        let gone = async || Ok((all_in_qlik(&stage).len() == 1).then_some(()));
        stage.until_some("the former one goes", gone).await.unwrap();
        let status = changed.status.unwrap();
        assert!(status.successor.is_none() && status.retiring.is_empty(), "{status:?}");
    }
}

#[tokio::test]
async fn a_replacement_that_fails_leaves_the_former_one_in_use() {
    let (stage, _operator) = stage("login").await;
    let first = id(&apply(&stage, "login", &saml("https://one.example")).await);
    let broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";
    let certificates = json!({ "saml": { "certificates": [{ "certificate": broken }] } });
    stage.patch_child::<QlikIdentityProvider>("login", json!({ "spec": certificates })).await.unwrap();
    let object = says(&stage, "login", "QlikRefused", &["certificate"]).await;
    assert!(object.is("Stalled"));
    assert_eq!((active(&stage), id(&object)), (vec![first.clone()], first));
    assert_eq!(all_in_qlik(&stage).len(), 1);
}

#[tokio::test]
async fn another_product_replaces_a_login() {
    let (stage, _operator) = stage("login").await;
    let first = id(&apply(&stage, "login", LOGIN).await);
    stage.sim.clear_journal();
    let second = id(&change(&stage, "login", json!({ "oidc": { "provider": "okta" } })).await);
    assert_ne!(first, second);
    assert_eq!(active(&stage), [second]);
    assert_eq!(effects(&stage), ["idp.created", "idp.patched", "idp.patched", "idp.deleted"]);
}

#[tokio::test]
async fn the_oldest_object_has_the_login_and_the_others_name_it() {
    let (stage, _operator) = stage("login").await;
    let first = apply(&stage, "first", LOGIN).await;
    // Kubernetes' dates have whole seconds: only in the next one the second object is surely the younger one.
    let created = first.metadata.creation_timestamp.clone().unwrap().0.to_string();
    let clock = ["create", "configmap", "clock", "--dry-run=server", "-o", "jsonpath={.metadata.creationTimestamp}"];
    let later = async || Ok((stage.kubectl(&clock).await?.as_str() > created.as_str()).then_some(()));
    stage.until_some("the next second", later).await.unwrap();
    put(&stage, "second", &saml("https://two.example")).await;
    says(&stage, "second", "Conflict", &["QlikIdentityProvider", "/first is older"]).await;
    assert_eq!(all_in_qlik(&stage).len(), 1, "nothing is made for the second");
    assert_eq!(active(&stage), [id(&first)]);

    change(&stage, "first", json!({ "active": false })).await;
    let second = ready(&stage, "second").await;
    assert_eq!(active(&stage), [id(&second)]);

    // The older one asks again: it wins, and the younger one steps back.
    let first = change(&stage, "first", json!({ "active": true })).await;
    assert_eq!(active(&stage), [id(&first)]);
    pass(&stage, "second").await;
    says(&stage, "second", "Conflict", &["/first is older"]).await;

    delete(&stage, "first").await;
    let second = stage.until_child::<QlikIdentityProvider>("second", "has the login", Inside::is_ready);
    stage.turn(std::time::Duration::from_secs(120)).unwrap();
    let second = second.await.unwrap();
    assert_eq!(active(&stage), [id(&second)]);
}

#[tokio::test]
async fn a_login_that_was_made_in_the_portal_is_not_pushed_aside() {
    let (stage, _operator) = stage("login").await;
    let theirs = by_hand(
        &stage,
        "POST",
        "",
        json!({ "protocol": "OIDC", "provider": "okta", "interactive": true, "skipVerify": true, "description": "ours since ever",
            "options": { "clientId": "a", "clientSecret": "b", "discoveryUrl": "https://their.example", "claimsMapping": { "sub": ["/sub"] } } }),
    );
    let theirs = theirs["id"].as_str().unwrap().to_owned();
    set_by_hand(&stage, &theirs, "/active", &json!(true));
    put(&stage, "login", LOGIN).await;
    says(&stage, "login", "Conflict", &[&theirs, "administration"]).await;
    assert_eq!(active(&stage), std::slice::from_ref(&theirs));
    set_by_hand(&stage, &theirs, "/active", &json!(false));
    pass(&stage, "login").await;
    let made = ready(&stage, "login").await;
    assert_eq!(active(&stage), [id(&made)]);
    delete(&stage, "login").await;
    assert_eq!(all_in_qlik(&stage).len(), 1, "what others made stays");
}

#[tokio::test]
async fn people_are_told_what_deleting_the_login_means() {
    let (stage, _operator) = stage("login").await;
    let made = apply(&stage, "login", LOGIN).await;
    assert!(made.message().contains("Qlik Account"), "{}", made.message());
    let recovery = made.status.unwrap().recovery_address.unwrap();
    assert!(recovery.ends_with("/login/recover") && !recovery.contains("//acme."), "{recovery}");
    delete(&stage, "login").await;
    let event = stage.until_event("login", "Deleted").await.unwrap();
    assert!(event.contains("Qlik Account"), "{event}");
    assert_eq!(by_hand(&stage, "GET", "/status", Value::Null)["active_interactive_idps_count"], 1);
}

#[tokio::test]
async fn a_provider_that_was_left_is_taken_back() {
    let (stage, _operator) = stage("login").await;
    let spec = format!("{LOGIN}\ndeletionPolicy: Orphan");
    let first = id(&apply(&stage, "login", &spec).await);
    delete(&stage, "login").await;
    assert_eq!(active(&stage), std::slice::from_ref(&first), "it works on");
    stage.until_event("login", "LeftInQlik").await.unwrap();
    let again = apply(&stage, "login", LOGIN).await;
    assert_eq!(id(&again), first);
    delete(&stage, "login").await;
    assert!(all_in_qlik(&stage).is_empty());
}
