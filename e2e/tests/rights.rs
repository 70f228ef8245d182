//! What operators ask of Kubernetes and what they may, compared: every verb that is used is granted, and every verb that is
//! granted is used.
//!
//! Each control plane of each test leaves what operators asked for in `target/rights`. `make test` empties that folder first.
//! `.ci/run` runs all other tests, and then this one with `RIGHTS=complete`. Run otherwise, this compares what is there with
//! what is granted, since what is not there may be used by a test that was not run.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use e2e::chart::rules::{Right, granted};
use e2e::chart::{Document, documents, repository};
use e2e::cluster::audit::{Filter, Position};
use e2e::cluster::rights::{Used, kept, used};
use e2e::process::until;
use e2e::stage::{Inside, Setup, Stage, client_manifest, is_ready, manifest, show};
use std::collections::BTreeSet;
use std::time::Duration;

/// Granted though no test uses it, each with its reason; three at most.
const UNUSED: [(&str, &str); 0] = [];

/// The operator's own rules, as they are rendered for the whole cluster.
fn rules() -> BTreeSet<Right> {
    let text = std::fs::read_to_string(repository().join("config/default/operator/rbac.yaml")).unwrap();
    let for_people = |role: &Document| role.text.contains("rbac.authorization.k8s.io/aggregate-to-");
    documents(&text).unwrap().iter().filter(|role| !for_people(role)).flat_map(granted).collect()
}

fn right(used: &Used) -> Right {
    let Used { group, resource, verb, name } = used.clone();
    Right { group, resource, verb, name }
}

fn too_much(all: &BTreeSet<Used>) -> Vec<String> {
    let rules = rules();
    let used = all.iter().map(right).filter(|used| !rules.iter().any(|rule| rule.covers(used)));
    used.map(|right| right.to_string()).collect()
}

#[tokio::test]
async fn every_verb_that_is_used_is_granted() {
    let stage = Stage::new(Setup::new("rights")).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    stage.put(&manifest("acme", "alias: acme")).await.unwrap();
    let spec =
        "appType: web\ngrantTypes: [client_credentials]\nconsent: Trusted\nauth: {clientSecret: {secret: {name: app}}}";
    stage.apply(&client_manifest("app", "acme", spec)).await.unwrap();
    stage.until("acme", "is ready", is_ready).await.unwrap();
    stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
    let entries = stage.cluster.audit().unwrap().entries(Position::START, &Filter::new()).await.unwrap();
    let mut all = used(&entries);
    let here = all.len();
    assert!(here > 10, "{all:?}");
    all.extend(kept().unwrap());
    show(&format!("operators used {here} rights in this test, {} in those that left a record", all.len()));
    assert_eq!(too_much(&all), Vec::<String>::new());
}

#[test]
fn what_is_not_granted_is_found() {
    let list = Used { group: String::new(), resource: "secrets".into(), verb: "list".into(), name: None };
    assert_eq!(too_much(&BTreeSet::from([list])), ["list secrets"]);
    let other = Used {
        group: "coordination.k8s.io".into(),
        resource: "leases".into(),
        verb: "update".into(),
        name: Some("somebody-elses".into()),
    };
    assert_eq!(too_much(&BTreeSet::from([other])), ["update leases.coordination.k8s.io somebody-elses"]);
}

/// What is granted and, as far as records go, not used.
fn too_little() -> Vec<String> {
    let all: Vec<_> = kept().unwrap().iter().map(right).collect();
    let unused = rules().into_iter().filter(|rule| !all.iter().any(|used| rule.covers(used)));
    unused.map(|right| right.to_string()).collect()
}

#[tokio::test]
async fn every_verb_that_is_granted_is_used() {
    if std::env::var_os("RIGHTS").is_none_or(|extent| extent != "complete") {
        show("not compared: whether every verb is used is known after all other tests, see .ci/run");
        return;
    }
    assert!(UNUSED.len() <= 3);
    let excepted: Vec<_> = UNUSED.iter().map(|(right, _)| (*right).to_owned()).collect();
    // The control planes of the last tests may still be writing down what they have seen.
    let written = until::<_, std::io::Error, _>(Duration::from_secs(60), "the records are complete", async || {
        Ok((too_little() == excepted).then_some(()))
    });
    let written = written.await;
    assert_eq!(too_little(), excepted, "{written:?}");
}
