//! The secret of a login, which people write and Qlik Cloud is sent, and the keys with which apps sign tokens: in the
//! Secrets that carry them and nowhere else, whatever goes wrong on the way.

use super::canary::{echo, fail, nowhere_else};
use super::support::*;
use e2e::app::{App, Given, Person};
use e2e::canary::{Canary, dump};
use e2e::sim::{Effect, Match, When};
use e2e::stage::{Inside, Setup, Stage, child_manifest};
use qlik_operator::crd::QlikIdentityProvider;
use serde_json::json;
use std::collections::BTreeSet;

const PORTAL: &str = "jwt:\n  issuer: https://app.acme.example\n  key: {generate: {algorithm: ES384, secret: {name: \
                      portal}}}";
const LOGIN: &str = "oidc:\n  provider: auth0\n  discoveryUrl: https://a.example/.well-known/openid-configuration\n  \
                     clientId: qlik\n  clientSecretRef: {name: login}";

async fn put(stage: &Stage, name: &str, spec: &str) {
    stage.apply(&child_manifest("QlikIdentityProvider", (name, "acme"), spec)).await.unwrap();
}

async fn ready(stage: &Stage, name: &str) {
    stage.until_child::<QlikIdentityProvider>(name, "is ready", Inside::is_ready).await.unwrap();
}

async fn ask(stage: &Stage, name: &str, key: &str, word: &str) {
    let patch = json!({ "metadata": { "annotations": { format!("qlik-operator.dev/{key}"): word } } });
    stage.patch_child::<QlikIdentityProvider>(name, patch).await.unwrap();
}

/// A login whose secret Qlik Cloud repeats each time that it refuses it.
async fn log_in(stage: &Stage, secret: &str) {
    let calls = || Match::on("POST", "/api/v1/identity-providers");
    fail(stage, calls(), echo(400, "IDP-1", secret), async || put(stage, "login", LOGIN).await).await;
    let again = async || ask(stage, "login", "requested-at", "again").await;
    fail(stage, calls(), Effect::Truncate(100), again).await;
    stage.turn(HOUR).unwrap();
    ready(stage, "login").await;
    let changes = || Match::on("PATCH", "/api/v1/identity-providers/*");
    let next = ["1", "2", "3"].map(|number| format!("{secret}-{number}"));
    let effects = [echo(400, "IDP-1", &next[0]), echo(500, "nothing", &next[1]), Effect::Drop(When::After)];
    for (number, (effect, next)) in effects.into_iter().zip(&next).enumerate() {
        stage.patch_secret("login", json!({ "stringData": { "clientSecret": next } })).await.unwrap();
        fail(stage, changes(), effect, async || ask(stage, "login", "requested-at", &format!("{number}")).await).await;
        stage.turn(HOUR).unwrap();
        ready(stage, "login").await;
    }
}

/// What cannot be a login's secret at all.
async fn wrong_secrets(stage: &Stage, word: &str) {
    for value in [String::new(), format!("{word} ").repeat(4000)] {
        let secret = json!({ "stringData": { "clientSecret": value } });
        stage.patch_secret("login", secret).await.unwrap();
        ask(stage, "login", "requested-at", &format!("wrong-{}", value.len())).await;
        let wrong = |p: &QlikIdentityProvider| p.reason() == "SecretInvalid";
        let said = stage.until_child("login", "refuses the secret", wrong).await.unwrap().message();
        assert!(said.contains("Secret login: key clientSecret"), "{said}");
    }
    stage.patch_secret("login", json!({ "stringData": { "clientSecret": format!("{word}-right") } })).await.unwrap();
    ask(stage, "login", "requested-at", "right").await;
    ready(stage, "login").await;
}

/// What is different in each key: not its first line.
fn key_lines(given: &Given) -> Vec<String> {
    given["privateKey"].lines().skip(2).filter(|line| line.len() > 30).map(str::to_owned).collect()
}

#[tokio::test]
async fn nothing_of_a_login_shows_up_anywhere() {
    let word = e2e::canary::word();
    let mut setup = Setup::new("canary");
    setup.sim.secret_prefix.clone_from(&word);
    setup.log = "trace".to_owned();
    let stage = Stage::new(setup).await.unwrap();
    let operator = stage.operator().await.unwrap();
    onboard(&stage, "acme", "alias: acme").await;
    stage.secret("login", &[("clientSecret", &word)]).await.unwrap();
    log_in(&stage, &word).await;
    wrong_secrets(&stage, &word).await;

    let mut seen = BTreeSet::from([word]);
    put(&stage, "portal", PORTAL).await;
    ready(&stage, "portal").await;
    for round in ["first", "second"] {
        let given = stage.read_secret("portal").await.unwrap();
        seen.extend(key_lines(&given));
        let person = Person { subject: "idp|anna", name: "Anna", email: "anna@example.com" };
        App::new(&stage.sim).unwrap().jwt_login(&given, person).await.unwrap();
        ask(&stage, "portal", "rotate-at", round).await;
        let rotated = |p: &QlikIdentityProvider| p.is_ready() && p.shown()["lastHandledRotateAt"] == json!(round);
        stage.until_child("portal", "has another key", rotated).await.unwrap();
        stage.turn(DAY * 2).unwrap();
    }
    seen.extend(key_lines(&stage.read_secret("portal").await.unwrap()));
    let bird = Canary::new(&seen);
    let objects = dump(&stage).await.unwrap();
    assert_eq!(
        bird.carriers(&objects),
        ["login", "portal", "qlik-credentials", "qlik-license"].map(str::to_owned).into()
    );
    nowhere_else(&bird, &objects, &operator.log().unwrap());
}
