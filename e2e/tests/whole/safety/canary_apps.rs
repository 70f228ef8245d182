//! What apps are given is secret too: client secrets and private keys, in use, replaced and lost, and what apps make of
//! them. It is in the Secrets that carry it and nowhere else, whatever goes wrong on the way.

use super::canary::{echo, fail, nowhere_else};
use super::support::*;
use e2e::app::{App, As, Given};
use e2e::canary::{Canary, dump};
use e2e::sim::{ByHand, Effect, Match, When};
use e2e::stage::{Inside, Setup, Stage, client_manifest};
use qlik_operator::crd::QlikOAuthClient;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const MACHINE: &str = "appType: web\ngrantTypes: [client_credentials]\nscopes: [user_default]\nconsent: Trusted\n";
/// Where the clients of a stage keep what is secret.
const SECRETS: [&str; 3] = ["backend", "signer-rs", "signer-es"];

/// A machine whose secret stands in a Secret of its own name, as the kind of authentication wants it.
fn machine(name: &str, auth: &str) -> String {
    client_manifest(
        name,
        "acme",
        &format!("{MACHINE}auth: {}", auth.replace("SECRET", &format!("secret: {{name: {name}}}"))),
    )
}

/// Everything secret that was ever seen, to be searched for at the end.
#[derive(Default)]
struct Seen {
    texts: BTreeSet<String>,
}

impl Seen {
    /// Takes down what a Secret holds.
    fn note(&mut self, given: &Given) {
        for (key, value) in given {
            match key.as_str() {
                "clientSecret" | "previousClientSecret" => drop(self.texts.insert(value.clone())),
                // What stands in the first line is the same in every key of its kind.
                "privateKey" => {
                    let lines = value.lines().skip(2).filter(|line| line.len() > 30);
                    self.texts.extend(lines.map(str::to_owned));
                }
                _ => {}
            }
        }
    }

    /// Takes down what every app holds now, and what it makes of it.
    async fn look(&mut self, stage: &Stage) {
        for name in SECRETS {
            let given = stage.read_secret(name).await.unwrap();
            self.note(&given);
            let app = App::new(&stage.sim).unwrap();
            let token = app.token(&given, As::Itself).await.unwrap();
            app.get(&given, &token, "/api/v1/users/me").await.unwrap();
            self.texts.insert(token);
            if given.contains_key("privateKey") {
                self.texts.insert(app.assertion(&given).unwrap());
            }
        }
    }
}

async fn ask(stage: &Stage, name: &str, key: &str, word: &str) {
    let key = format!("qlik-operator.dev/{key}");
    let patch = json!({ "metadata": { "annotations": { key: word } } });
    stage.patch_child::<QlikOAuthClient>(name, patch).await.unwrap();
}

async fn all_ready(stage: &Stage) {
    for name in SECRETS {
        stage.until_client(name, "is ready", Inside::is_ready).await.unwrap();
    }
}

/// Creations that go wrong, the last one after the secret was made.
async fn come(stage: &Stage, own: &str) {
    let creation = || Match::on("POST", "/api/v1/oauth-clients");
    let (secret, key) =
        ("{clientSecret: {SECRET, rotation: {every: 720h, overlap: 1h}}}", "{privateKeyJwt: {generate: {SECRET}}}");
    let first = async || stage.apply(&machine("backend", secret)).await.unwrap();
    fail(stage, creation(), echo(500, "nothing", own), first).await;
    // What became of a call is waited for.
    fail(stage, creation(), echo(400, "OAUTH-1", own), async || stage.turn(Duration::from_mins(20)).unwrap()).await;
    let again = async || ask(stage, "backend", "requested-at", "once-more").await;
    fail(stage, creation(), Effect::WrongType, again).await;
    stage.turn(Duration::from_mins(20)).unwrap();
    stage.apply(&machine("signer-rs", key)).await.unwrap();
    stage.apply(&machine("signer-es", &key.replace("SECRET", "algorithm: ES384, SECRET"))).await.unwrap();
    all_ready(stage).await;
    for (name, effect) in
        [("cut-short", Effect::Truncate(700)), ("lost", Effect::Drop(When::After)), ("page", Effect::Html)]
    {
        let apply = async || stage.apply(&machine(name, "{clientSecret: {SECRET}}")).await.unwrap();
        fail(stage, creation(), effect, apply).await;
    }
}

/// While a former secret works, there is no further one.
async fn end_overlap(stage: &Stage) {
    stage.turn(HOUR * 2).unwrap();
    let alone = |c: &QlikOAuthClient| c.is_ready() && c.shown()["issued"][1] == Value::Null;
    stage.until_client("backend", "has one secret", alone).await.unwrap();
}

/// New secrets, asked for and given in every way that can go wrong.
async fn rotate(stage: &Stage, seen: &mut Seen) {
    let minting = || Match::on("POST", "/api/v1/oauth-clients/*/client-secrets");
    let present = stage.read_secret("backend").await.unwrap()["clientSecret"].clone();
    let effects = [Effect::Drop(When::After), Effect::Truncate(60), Effect::WrongType, echo(500, "nothing", &present)];
    for (number, effect) in effects.into_iter().enumerate() {
        end_overlap(stage).await;
        let request = async || ask(stage, "backend", "rotate-at", &format!("{number}")).await;
        fail(stage, minting(), effect, request).await;
        stage.turn(Duration::from_mins(5)).unwrap();
        let done = |c: &QlikOAuthClient| c.is_ready() && c.shown()["lastHandledRotateAt"] == json!(format!("{number}"));
        stage.until_client("backend", "is rotated", done).await.unwrap();
        seen.look(stage).await;
    }
    for name in &SECRETS[1..] {
        ask(stage, name, "rotate-at", "now").await;
        stage.until_client(name, "is rotated", |c| c.is_ready() && c.shown()["issued"][1].is_object()).await.unwrap();
    }
    seen.look(stage).await;
}

/// Hands that meddle with Secrets and with clients.
async fn meddle(stage: &Stage, seen: &mut Seen, word: &str) {
    end_overlap(stage).await;
    // A Secret that cannot be written over: what is made for it is lost.
    stage.patch_secret("backend", json!({ "immutable": true })).await.unwrap();
    let said = |c: &QlikOAuthClient| !c.is_ready();
    ask(stage, "backend", "rotate-at", "in-vain").await;
    stage.until_client("backend", "cannot write its Secret", said).await.unwrap();
    for name in SECRETS {
        stage.delete_secret(name).await.unwrap();
        stage.client_pass(name).await.unwrap();
    }
    stage.turn(Duration::from_mins(5)).unwrap();
    all_ready(stage).await;
    seen.look(stage).await;
    // Values of somebody else's, and a secret that somebody made in the portal.
    for name in SECRETS {
        let theirs =
            json!({ "stringData": { "clientId": word, "clientSecret": word, "privateKey": word, "more": word } });
        stage.patch_secret(name, theirs).await.unwrap();
        stage.client_pass(name).await.unwrap();
    }
    stage.turn(Duration::from_mins(5)).unwrap();
    all_ready(stage).await;
    let (tenant, id) =
        (stage.sim.tenants()[0].id.clone(), stage.read_secret("backend").await.unwrap()["clientId"].clone());
    let path = format!("/api/v1/oauth-clients/{id}/client-secrets");
    let made = stage.sim.by_hand(&tenant, &ByHand { method: "POST".into(), path, body: None }).unwrap().body;
    seen.texts.insert(made["clientSecret"].as_str().unwrap().to_owned());
    stage.client_pass("backend").await.unwrap();
    seen.look(stage).await;
}

#[tokio::test]
async fn nothing_that_apps_are_given_shows_up_anywhere() {
    let word = e2e::canary::word();
    let mut setup = Setup::new("canary");
    setup.sim.secret_prefix.clone_from(&word);
    setup.log = "trace".to_owned();
    let stage = Stage::new(setup).await.unwrap();
    let operator = stage.operator().await.unwrap();
    onboard(&stage, "acme", "alias: acme").await;
    let mut seen = Seen::default();
    seen.texts.insert(word.clone());
    let own = stage.sim.ready().regional["us"].client_secret.clone();
    come(&stage, &own).await;
    seen.look(&stage).await;
    rotate(&stage, &mut seen).await;
    meddle(&stage, &mut seen, &word).await;

    // It flies: client secrets carry the word, keys and tokens are known by themselves.
    assert!(seen.texts.len() > 30 && seen.texts.iter().filter(|text| text.contains(&word)).count() > 4);
    let bird = Canary::new(&seen.texts);
    let objects = dump(&stage).await.unwrap();
    let carriers = bird.carriers(&objects);
    assert!(SECRETS.iter().all(|name| carriers.contains(*name)), "{carriers:?}");
    let expected = SECRETS.into_iter().chain(["qlik-credentials", "qlik-license", "cut-short", "lost", "page"]);
    let expected: BTreeSet<_> = expected.map(str::to_owned).collect();
    assert!(carriers.is_subset(&expected), "{carriers:?}");
    nowhere_else(&bird, &objects, &operator.log().unwrap());

    // Nor on the way out.
    for name in SECRETS {
        let deletion = Match::on("DELETE", "/api/v1/oauth-clients/*");
        fail(&stage, deletion, echo(500, "nothing", &own), async || {
            stage.delete_child::<QlikOAuthClient>(name).await.unwrap();
        })
        .await;
        stage.until_child_gone::<QlikOAuthClient>(name).await.unwrap();
    }
    nowhere_else(&bird, &dump(&stage).await.unwrap(), &operator.log().unwrap());
}
