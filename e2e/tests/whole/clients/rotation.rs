//! A new secret or key takes over without a gap: by annotation and by schedule, beside secrets that people made.

use super::support::{
    HOUR, MACHINE, annotate, by_hand, client_id, effects, hints, id, in_qlik, issued, ready, refused, takes, works,
};
use e2e::app::{App, As, Given};
use e2e::sim::{Effect, FaultPlan, Match, When};
use e2e::stage::{Inside, Stage, client_manifest};
use qlik_operator::crd::QlikOAuthClient;
use serde_json::{Value, json};
use std::time::Duration;

const SCHEDULE: &str = "appType: web
grantTypes: [client_credentials]
scopes: [user_default]
consent: Trusted
auth: {clientSecret: {secret: {name: app}, rotation: {every: 720h, overlap: 2h}}}";

/// Waits until the Secret holds another secret than this one, and everything is as declared.
async fn rotated(stage: &Stage, former: &Given) -> (QlikOAuthClient, Given) {
    let new = stage
        .until_some("the Secret holds another secret", async || {
            let given = stage.read_secret("app").await?;
            Ok((secret(&given) != secret(former)).then_some(given))
        })
        .await
        .unwrap();
    // A hint is the start of its secret, a key's id is in the Secret.
    let of_new = |id: &str| secret(&new).starts_with(id) || new.get("keyId").is_some_and(|key| key == id);
    let both = |c: &QlikOAuthClient| c.is_ready() && issued(c).len() == 2 && of_new(&issued(c)[0].0);
    let object = stage.until_client("app", "is ready with two secrets", both).await.unwrap();
    (object, new)
}

/// Waits until nothing but the present secret is left of ours.
async fn retired(stage: &Stage) -> QlikOAuthClient {
    let alone = |c: &QlikOAuthClient| c.is_ready() && issued(c).len() == 1;
    stage.until_client("app", "has one secret", alone).await.unwrap()
}

fn secret(given: &Given) -> &str {
    given.get("clientSecret").or_else(|| given.get("privateKey")).map_or("", String::as_str)
}

#[tokio::test]
async fn by_annotation_with_both_secrets_until_the_overlap_is_over() {
    let (stage, _operator) = ready("rotate", MACHINE).await;
    let (id, former) = (id(&stage).await, stage.read_secret("app").await.unwrap());
    stage.sim.clear_journal();
    annotate(&stage, "rotate-at", "now").await;
    let (object, given) = rotated(&stage, &former).await;
    assert_eq!(effects(&stage), ["secret.created"]);
    assert_eq!(given.get("previousClientSecret"), former.get("clientSecret"));
    assert_eq!((given.get("clientId"), client_id(&object)), (former.get("clientId"), id.clone()));
    works(&stage, &given).await;
    works(&stage, &former).await;
    assert_eq!(issued(&object).iter().map(|(_, retires)| *retires).collect::<Vec<_>>(), [false, true]);
    assert_eq!(object.status.as_ref().unwrap().last_handled_rotate_at.as_deref(), Some("now"));
    assert!(object.message().contains("former secret works until"), "{}", object.message());
    assert_eq!(hints(&stage, &id).len(), 2);
    stage.until_event("app", "Rotated").await.unwrap();

    stage.turn(HOUR * 23).unwrap();
    stage.client_pass("app").await.unwrap();
    works(&stage, &former).await;
    stage.turn(HOUR * 2).unwrap();
    retired(&stage).await;
    assert!(!takes(&stage, &given, secret(&former)).await, "the former secret still works");
    let left = stage.read_secret("app").await.unwrap();
    assert!(!left.contains_key("previousClientSecret") && secret(&left) == secret(&given));
    works(&stage, &left).await;
    assert_eq!(
        (hints(&stage, &id).len(), effects(&stage)),
        (1, vec!["secret.created".into(), "secret.deleted".into()])
    );
    stage.until_event("app", "SecretRetired").await.unwrap();
    // The same request is not acted on twice.
    stage.client_pass("app").await.unwrap();
    assert_eq!(stage.read_secret("app").await.unwrap(), left);
}

#[tokio::test]
async fn by_schedule_while_the_app_keeps_calling() {
    let (stage, _operator) = ready("rotate", SCHEDULE).await;
    let mut seen = vec![secret(&stage.read_secret("app").await.unwrap()).to_owned()];
    let app = App::new(&stage.sim).unwrap();
    for _ in 0..2 {
        let next = stage.clients().get("app").await.unwrap().status.unwrap().next_rotation_at.unwrap().0;
        let wait = Duration::try_from(next.duration_since(stage.sim.now())).unwrap();
        assert!(wait > HOUR * 700 && wait <= HOUR * 720, "{wait:?}");
        stage.turn(wait.saturating_sub(Duration::from_mins(2))).unwrap();
        stage.client_pass("app").await.unwrap();
        let former = stage.read_secret("app").await.unwrap();
        assert_eq!(secret(&former), seen.last().unwrap(), "it was replaced too early");
        stage.turn(Duration::from_mins(3)).unwrap();
        // An app that read the Secret before, and one that reads it each time, both call all the while.
        let calls = async {
            loop {
                app.whoami(&former, As::Itself).await.unwrap();
                let present = stage.read_secret("app").await.unwrap();
                app.whoami(&present, As::Itself).await.unwrap();
                if secret(&present) != secret(&former) {
                    return present;
                }
            }
        };
        let present = tokio::time::timeout(e2e::stage::PATIENCE, calls).await.unwrap();
        rotated(&stage, &former).await;
        stage.turn(HOUR * 3).unwrap();
        retired(&stage).await;
        assert!(!takes(&stage, &present, secret(&former)).await);
        works(&stage, &stage.read_secret("app").await.unwrap()).await;
        assert!(!seen.contains(&secret(&present).to_owned()));
        seen.push(secret(&present).to_owned());
    }
    assert_eq!(hints(&stage, &id(&stage).await).len(), 1);
}

#[tokio::test]
async fn secrets_that_people_made_are_counted_and_left_alone() {
    let (stage, _operator) = ready("rotate", MACHINE).await;
    let (id, former) = (id(&stage).await, stage.read_secret("app").await.unwrap());
    let theirs = || {
        let made = by_hand(&stage, "POST", &format!("/{id}/client-secrets"), Value::Null);
        (made["clientSecret"].as_str().unwrap().to_owned(), made["hint"].as_str().unwrap().to_owned())
    };
    let mut people = vec![theirs(), theirs(), theirs()];
    let object = stage.client_pass("app").await.unwrap();
    assert_eq!((object.is_ready(), object.status.unwrap().foreign_secrets), (true, Some(3)));
    annotate(&stage, "rotate-at", "one").await;
    let (_, given) = rotated(&stage, &former).await;
    stage.turn(HOUR * 25).unwrap();
    retired(&stage).await;
    // A fourth one leaves no slot for a new one of ours.
    people.push(theirs());
    stage.sim.clear_journal();
    annotate(&stage, "rotate-at", "two").await;
    let object = refused(&stage, "SecretSlotsFull", &["5 secrets", "delete one"]).await;
    assert!(object.is("Stalled") && effects(&stage).is_empty());
    works(&stage, &given).await;
    let (_, hint) = people.remove(0);
    by_hand(&stage, "DELETE", &format!("/{id}/client-secrets/{hint}"), Value::Null);
    stage.client_pass("app").await.unwrap();
    rotated(&stage, &given).await;
    stage.turn(HOUR * 25).unwrap();
    let object = retired(&stage).await;
    assert_eq!(object.status.unwrap().foreign_secrets, Some(3));
    let given = stage.read_secret("app").await.unwrap();
    for (value, _) in &people {
        assert!(takes(&stage, &given, value).await, "a secret that a human made was deleted");
    }
    works(&stage, &given).await;
}

#[tokio::test]
async fn a_second_request_waits_for_the_end_of_the_first() {
    let (stage, _operator) = ready("rotate", MACHINE).await;
    let first = stage.read_secret("app").await.unwrap();
    annotate(&stage, "rotate-at", "one").await;
    let (_, second) = rotated(&stage, &first).await;
    annotate(&stage, "rotate-at", "two").await;
    stage.client_pass("app").await.unwrap();
    assert_eq!(stage.read_secret("app").await.unwrap(), second);
    stage.turn(HOUR * 25).unwrap();
    let (object, third) = rotated(&stage, &second).await;
    assert_eq!(object.status.unwrap().last_handled_rotate_at.as_deref(), Some("two"));
    assert_eq!(hints(&stage, &third["clientId"]).len(), 2);
    works(&stage, &third).await;
}

#[tokio::test]
async fn a_secret_whose_answer_was_lost_is_discarded_and_made_anew() {
    let (stage, _operator) = ready("rotate", MACHINE).await;
    let (id, former) = (id(&stage).await, stage.read_secret("app").await.unwrap());
    stage.sim.clear_journal();
    stage.sim.fault(FaultPlan::new(Match::on("POST", "*/client-secrets"), Effect::Drop(When::After)));
    annotate(&stage, "rotate-at", "now").await;
    stage.until_event("app", "SecretDiscarded").await.unwrap();
    works(&stage, &former).await;
    stage.turn(Duration::from_mins(3)).unwrap();
    let (_, given) = rotated(&stage, &former).await;
    works(&stage, &given).await;
    works(&stage, &former).await;
    assert_eq!(hints(&stage, &id).len(), 2);
    assert_eq!(effects(&stage), ["secret.created", "secret.deleted", "secret.created"]);
}

#[tokio::test]
async fn keys_overlap_as_secrets_do() {
    for (algorithm, spec) in [("RS256", ""), ("ES384", ", rotation: {every: 100h, overlap: 1h}")] {
        let spec = format!(
            "appType: web\ngrantTypes: [client_credentials]\nscopes: [user_default]\nconsent: Trusted\nauth: \
             {{privateKeyJwt: {{generate: {{algorithm: {algorithm}, secret: {{name: app}}{spec}}}}}}}"
        );
        let (stage, _operator) = ready("rotate", &spec).await;
        let (id, former) = (id(&stage).await, stage.read_secret("app").await.unwrap());
        annotate(&stage, "rotate-at", "now").await;
        let (_, given) = rotated(&stage, &former).await;
        assert_ne!(given["keyId"], former["keyId"]);
        works(&stage, &given).await;
        works(&stage, &former).await;
        assert_eq!(in_qlik(&stage, &id)["publicKeys"].as_array().unwrap().len(), 2);
        stage.turn(HOUR * 25).unwrap();
        retired(&stage).await;
        stage
            .until_some("the former key goes", async || {
                Ok((in_qlik(&stage, &id)["publicKeys"].as_array().unwrap().len() == 1).then_some(()))
            })
            .await
            .unwrap();
        works(&stage, &given).await;
        let refused = App::new(&stage.sim).unwrap().token(&former, As::Itself).await.unwrap_err();
        assert_eq!(refused.status(), Some(401));
        assert_eq!(stage.read_secret("app").await.unwrap(), given);
        if algorithm == "ES384" {
            stage.turn(HOUR * 80).unwrap();
            let (_, next) = rotated(&stage, &given).await;
            works(&stage, &next).await;
            works(&stage, &given).await;
        }
        stage.patch_child::<QlikOAuthClient>("app", json!({ "spec": { "clientName": "still" } })).await.unwrap();
        stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
    }
}

#[tokio::test]
async fn another_algorithm_comes_with_another_key() {
    let spec = |algorithm: &str| {
        format!(
            "appType: web\ngrantTypes: [client_credentials]\nscopes: [user_default]\nconsent: Trusted\nauth: \
             {{privateKeyJwt: {{generate: {{algorithm: {algorithm}, secret: {{name: app}}}}}}}}"
        )
    };
    let (stage, _operator) = ready("rotate", &spec("RS256")).await;
    for algorithm in ["ES384", "RS512"] {
        let former = stage.read_secret("app").await.unwrap();
        stage.apply(&client_manifest("app", "acme", &spec(algorithm))).await.unwrap();
        let (_, given) = rotated(&stage, &former).await;
        assert_eq!(given["algorithm"], algorithm);
        works(&stage, &given).await;
        works(&stage, &former).await;
        stage.turn(HOUR * 25).unwrap();
        retired(&stage).await;
        works(&stage, &given).await;
    }
}
