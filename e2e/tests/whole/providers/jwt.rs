//! Tokens that an app signs for its users: what the Secret says works, before, during and after a rotation.

use super::support::{
    GENERATED, all_in_qlik, annotate, apply, by_hand, change, delete, effects, id, pass, put, ready, says, stage,
};
use e2e::app::{App, Given, Person};
use e2e::stage::{Inside, Stage};
use qlik_operator::crd::QlikIdentityProvider;
use serde_json::{Value, json};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

/// Whether a user gets in with a token signed by what a Secret said.
async fn works(stage: &Stage, given: &Given) -> bool {
    let person = Person { subject: "ada", name: "Ada", email: "ada@acme.example" };
    App::new(&stage.sim).unwrap().jwt_login(given, person).await.is_ok()
}

async fn given(stage: &Stage) -> Given {
    stage.read_secret("signing").await.unwrap()
}

fn issuers(stage: &Stage) -> usize {
    all_in_qlik(stage).len()
}

#[tokio::test]
async fn an_app_signs_with_what_it_was_given_for_each_algorithm() {
    let (stage, _operator) = stage("jwt").await;
    for algorithm in ["ES384", "RS256", "RS512"] {
        stage.sim.clear_journal();
        let object = apply(&stage, "app", &GENERATED.replace("ES384", algorithm)).await;
        let given = given(&stage).await;
        let keys: Vec<_> = given.keys().map(String::as_str).collect();
        assert_eq!(keys, ["algorithm", "audience", "host", "issuer", "keyId", "privateKey"]);
        assert_eq!(given["algorithm"], algorithm);
        assert!(works(&stage, &given).await && object.is("SecretInSync"), "{}", object.shown());
        assert_eq!(effects(&stage), ["idp.created"]);
        delete(&stage, "app").await;
        assert!(!works(&stage, &given).await && all_in_qlik(&stage).is_empty());
        let gone = async || Ok((!stage.has_secret("signing").await?).then_some(()));
        stage.until_some("the Secret is collected", gone).await.unwrap();
    }
}

#[tokio::test]
async fn both_keys_work_during_the_overlap() {
    let (stage, _operator) = stage("jwt").await;
    let rotating = GENERATED.replace("name: signing}", "name: signing}, rotation: {every: 48h, overlap: 2h}");
    let made = apply(&stage, "app", &rotating).await;
    let first = given(&stage).await;
    assert!(made.status.as_ref().unwrap().next_rotation_at.is_some());

    annotate(&stage, "app", "rotate-at", "now").await;
    let handled = |object: &QlikIdentityProvider| object.shown()["lastHandledRotateAt"] == "now" && object.is_ready();
    let object = stage.until_child("app", "has rotated", handled).await.unwrap();
    let second = given(&stage).await;
    assert_ne!(first["keyId"], second["keyId"]);
    assert!(works(&stage, &first).await && works(&stage, &second).await);
    let keys = object.status.as_ref().unwrap().keys.clone();
    assert_eq!(keys.len(), 2);
    assert!(keys[0].id == second["keyId"] && keys[1].id == first["keyId"] && keys[1].retires_at.is_some());
    pass(&stage, "app").await;
    assert_eq!(given(&stage).await, second, "one request, one rotation");

    stage.turn(HOUR * 3).unwrap();
    stage.in_time("the former key goes", async || Ok((issuers(&stage) == 1).then_some(()))).await.unwrap();
    assert!(!works(&stage, &first).await && works(&stage, &second).await);

    stage.turn(HOUR * 48).unwrap();
    let rotated = async || Ok((given(&stage).await["keyId"] != second["keyId"]).then_some(()));
    stage.in_time("the next rotation comes by itself", rotated).await.unwrap();
    let third = given(&stage).await;
    assert!(works(&stage, &second).await && works(&stage, &third).await);
}

#[tokio::test]
async fn another_issuer_comes_with_another_key_and_the_former_pair_works_on() {
    let (stage, _operator) = stage("jwt").await;
    apply(&stage, "app", GENERATED).await;
    let first = given(&stage).await;
    change(&stage, "app", json!({ "jwt": { "issuer": "https://two.example" } })).await;
    let second = given(&stage).await;
    assert_eq!(second["issuer"], "https://two.example");
    assert!(works(&stage, &first).await && works(&stage, &second).await);
}

#[tokio::test]
async fn a_lost_secret_or_provider_is_made_good() {
    let (stage, _operator) = stage("jwt").await;
    let made = apply(&stage, "app", GENERATED).await;
    let first = given(&stage).await;

    by_hand(&stage, "DELETE", &format!("/{}", id(&made)), Value::Null);
    pass(&stage, "app").await;
    ready(&stage, "app").await;
    assert_eq!(given(&stage).await, first, "apps keep their key");
    assert!(works(&stage, &first).await);

    stage.delete_secret("signing").await.unwrap();
    pass(&stage, "app").await;
    ready(&stage, "app").await;
    let second = given(&stage).await;
    assert!(works(&stage, &second).await && works(&stage, &first).await, "whoever still has the former key gets in");

    stage.patch_secret("signing", json!({ "stringData": { "issuer": "https://wrong.example" } })).await.unwrap();
    pass(&stage, "app").await;
    assert_eq!(given(&stage).await, second);
    stage.patch_secret("signing", json!({ "stringData": { "privateKey": "broken" } })).await.unwrap();
    pass(&stage, "app").await;
    ready(&stage, "app").await;
    assert!(works(&stage, &given(&stage).await).await);
}

#[tokio::test]
async fn a_secret_of_somebody_else_is_left_alone() {
    let (stage, _operator) = stage("jwt").await;
    stage.secret("signing", &[("mine", "yes")]).await.unwrap();
    put(&stage, "app", GENERATED).await;
    says(&stage, "app", "SecretConflict", &["somebody else"]).await;
    assert_eq!(given(&stage).await["mine"], "yes");
    assert!(all_in_qlik(&stage).is_empty(), "nothing is made without a place for its key");
}

#[tokio::test]
async fn a_key_of_ones_own_is_taken_and_replaced() {
    let (stage, _operator) = stage("jwt").await;
    let pair = || rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let signer = |pair: &rcgen::KeyPair, kid: &str| -> Given {
        let host = stage.sim.tenants()[0].hostnames[0].clone();
        let all = [
            ("host", format!("https://{host}")),
            ("issuer", "https://own.example".into()),
            ("keyId", kid.into()),
            ("algorithm", "ES384".into()),
            ("privateKey", pair.serialize_pem()),
        ];
        all.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    };
    let (one, two) = (pair(), pair());
    stage.secret("mine", &[("publicKey", &one.public_key_pem())]).await.unwrap();
    let spec = "jwt:\n  issuer: https://own.example\n  key: {publicKeyRef: {name: mine}, kid: one}";
    apply(&stage, "app", spec).await;
    assert!(works(&stage, &signer(&one, "one")).await);
    stage.patch_secret("mine", json!({ "stringData": { "publicKey": two.public_key_pem() } })).await.unwrap();
    change(&stage, "app", json!({ "jwt": { "key": { "kid": "two" } } })).await;
    assert!(works(&stage, &signer(&two, "two")).await && !works(&stage, &signer(&one, "one")).await);
    assert_eq!(all_in_qlik(&stage).len(), 1);

    stage.patch_secret("mine", json!({ "stringData": { "publicKey": one.serialize_pem() } })).await.unwrap();
    pass(&stage, "app").await;
    says(&stage, "app", "SecretInvalid", &["private key", "public key only"]).await;
    assert!(works(&stage, &signer(&two, "two")).await);
}
