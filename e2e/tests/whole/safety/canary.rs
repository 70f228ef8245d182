//! One recognisable string in every secret: it must show up in the Secrets themselves and nowhere else.

use super::support::*;
use e2e::canary::{Canary, dump};
use e2e::sim::{Effect, FaultPlan, Match, Trickle, When};
use e2e::stage::{Operator, Setup, Stage, manifest};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn write_secret(stage: &Stage, name: &str, values: Value) {
    let api: Api<Secret> = Api::namespaced(stage.admin(), stage.ns());
    let change = Patch::Merge(json!({ "stringData": values }));
    api.patch(name, &PatchParams::default(), &change).await.unwrap();
}

/// An answer that repeats what it was sent, as a careless server would.
pub(crate) fn echo(status: u16, code: &str, secret: &str) -> Effect {
    let title = Some(format!("cannot use {secret} for this; key={secret}"));
    Effect::Status { status, code: Some(code.to_owned()), title, retry_after: None }
}

/// Makes one request of a kind fail in this way, and waits until it has.
pub(crate) async fn fail(stage: &Stage, matching: Match, effect: Effect, trigger: impl AsyncFnOnce()) {
    stage.sim.fault(FaultPlan::new(matching, effect.clone()));
    trigger().await;
    let spent = async || Ok(stage.sim.faults().is_empty().then_some(()));
    stage.until_some(&format!("{effect:?} happens"), spent).await.unwrap();
}

/// Ways to fail that quote secrets, break off, or send the client elsewhere.
fn faults(secret: &str) -> Vec<Effect> {
    vec![
        echo(400, "HTTP-400", secret),
        echo(401, "HTTP-401", secret),
        echo(403, "HTTP-403", secret),
        echo(500, secret, "nothing"),
        Effect::Drop(When::Before),
        Effect::Drop(When::After),
        Effect::Truncate(40),
        Effect::WrongType,
        Effect::Html,
        Effect::Redirect(format!("https://evil.example/?token={secret}")),
        Effect::Trickle(Trickle { chunk: 64, every_ms: 1 }),
    ]
}

async fn fail_in_every_way(stage: &Stage, license: &str, secret: &str) {
    for (number, effect) in faults(secret).into_iter().enumerate() {
        // Drift reads, with the token that there is.
        let read = Match { host: Some("tenant".into()), ..Match::on("GET", "/api/v1/tenants/*") };
        let word = format!("fault-{number}");
        let trigger = async || drop(annotate(stage, "acme", "requested-at", Some(&word)).await.unwrap());
        fail(stage, read, effect, trigger).await;
    }
    poke(stage, "acme").await;
    for (number, effect) in faults(secret).into_iter().enumerate() {
        // Token requests and changes. Each new name is a change; a failed one is repeated by itself.
        let name = json!({ "spec": { "displayName": format!("Acme {number}") } });
        let change = Match::on("PATCH", "/api/v1/tenants/*");
        fail(stage, change, effect, async || drop(stage.patch("acme", name).await.unwrap())).await;
    }
    // The key in Qlik's answer to a creation, then an answer that never came.
    let creation = || Match::on("POST", "/api/v1/tenants");
    for (name, effect) in [("globex", echo(403, "TENANTS-23", license)), ("initech", Effect::Drop(When::Before))] {
        let object = manifest(name, &format!("alias: {name}"));
        fail(stage, creation(), effect, async || stage.apply(&object).await.unwrap()).await;
    }
    for (name, effect) in [("umbrella", echo(401, "HTTP-401", secret)), ("hooli", Effect::Html)] {
        let object = manifest(name, &format!("alias: {name}"));
        let tokens = Match { host: Some("tenant".into()), ..Match::on("POST", "/oauth/token") };
        fail(stage, tokens, effect, async || stage.apply(&object).await.unwrap()).await;
    }
}

async fn wrong_secrets(stage: &Stage, canary: &str) {
    let right = stage.sim.ready().regional["us"].clone();
    write_secret(stage, "qlik-credentials", json!({ "clientSecret": format!("{canary}-wrong") })).await;
    poke(stage, "acme").await;
    stalls(stage, "acme", "CredentialsInvalid", &[]).await;
    // In the wrong place: a secret for an id.
    write_secret(stage, "qlik-credentials", json!({ "clientId": format!("{canary} as an id") })).await;
    poke(stage, "acme").await;
    let values = json!({ "clientId": right.client_id, "clientSecret": right.client_secret });
    write_secret(stage, "qlik-credentials", values).await;
    stage.secret("wrong-license", &[("licenseKey", &format!("{canary}.not.a.license"))]).await.unwrap();
    let object = manifest("wonka", "alias: wonka").replace("name: qlik-license", "name: wrong-license");
    stage.apply(&object).await.unwrap();
    stalls(stage, "wonka", "LicenseInvalid", &[]).await;
}

async fn off_board(stage: &Stage) {
    let spec = off("acme", ", eraseSecrets: {names: [wrong-license]}");
    let deactivation = Match::on("POST", "/api/v1/tenants/*/actions/deactivate");
    fail(stage, deactivation, Effect::Drop(When::After), async || stage.apply(&manifest("acme", &spec)).await.unwrap())
        .await;
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    stage.delete("wonka").await.unwrap();
    stage.until_gone("wonka").await.unwrap();
    stage.turn(DAY * 31).unwrap();
    stage.confirm_purge().await.unwrap();
    stage.until("acme", "is purged", |t| is_ready(t) && phase(t) == "Purged").await.unwrap();
}

fn logs(operators: &[&Operator]) -> String {
    operators.iter().map(|operator| operator.log().unwrap()).collect()
}

#[tokio::test]
async fn no_secret_shows_up_anywhere() {
    let canary = e2e::canary::word();
    let bird = Canary::new([&canary]);
    let mut setup = Setup::new("canary").with_own_organization();
    setup.sim.secret_prefix.clone_from(&canary);
    setup.log = "trace".to_owned();
    let stage = Stage::new(setup).await.unwrap();
    let operator = stage.operator().await.unwrap();
    onboard(&stage, "acme", "alias: acme").await;
    stage.turn(HOUR).unwrap(); // a young tenant is given time for its host to come up
    let ready = stage.sim.ready().clone();
    let secret = ready.regional["us"].client_secret.clone();
    fail_in_every_way(&stage, &ready.license_key, &secret).await;
    wrong_secrets(&stage, &canary).await;
    off_board(&stage).await;
    let second = stage.operator().await.unwrap();
    poke(&stage, "initech").await;

    // The canary flies: it is in all that is secret, and it is found where it is.
    for known in [&secret, &ready.license_key, &ready.organization.client_secret] {
        assert!(bird.is_in(known));
    }
    let objects = dump(&stage).await.unwrap();
    assert_eq!(bird.carriers(&objects), ["qlik-credentials", "qlik-license"].map(str::to_owned).into());
    let kinds: BTreeSet<_> = objects.iter().filter_map(|o| o["kind"].as_str()).collect();
    for kind in ["Event", "QlikTenant", "QlikOffboarding", "ConfigMap", "Secret"] {
        assert!(kinds.contains(kind), "{kind} is not in the dump: {kinds:?}");
    }
    nowhere_else(&bird, &objects, &logs(&[&operator, &second]));
}

/// It is in the data of Secrets only.
pub(crate) fn nowhere_else(bird: &Canary, objects: &[Value], log: &str) {
    let found = bird.leaks(objects);
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(log.contains("\"TRACE\"") && log.lines().count() > 1000, "the operators logged at trace level");
    let found = bird.seen_in(log);
    assert!(found.is_empty(), "{} lines, for instance {}", found.len(), found[0]);
}
