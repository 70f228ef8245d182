//! What a provider costs on the good path: writes to Kubernetes from the audit log, calls from the journal.

use super::support::{GENERATED, LOGIN, apply, change, delete, ready, stage};
use e2e::cluster::audit::{Filter, Position};
use e2e::stage::Stage;
use qlik_operator::crd::QlikIdentityProvider;
use serde_json::json;
use std::time::Duration;

/// The operator's writes since then, events left out.
async fn writes(stage: &Stage, since: Position) -> Vec<String> {
    let filter = Filter::new().user(stage.identity.user());
    let all = stage.cluster.audit().unwrap().writes(since, &filter).await.unwrap();
    let ours = all.into_iter().filter(|entry| entry.group != "events.k8s.io");
    ours.map(|e| format!("{} {}/{}", e.verb, e.resource, e.subresource)).collect()
}

async fn mark(stage: &Stage) -> Position {
    stage.sim.clear_journal();
    stage.cluster.audit().unwrap().position().await.unwrap()
}

/// Calls that change something, by their method.
fn calls(stage: &Stage) -> String {
    let all = stage.sim.journal().into_iter().filter(|e| e.path.contains("/identity-providers"));
    all.map(|e| e.method).filter(|method| method != "GET").collect::<Vec<_>>().join(" ")
}

fn lists(stage: &Stage) -> usize {
    stage.sim.journal().iter().filter(|e| e.method == "GET" && e.path.contains("/identity-providers")).count()
}

#[tokio::test]
async fn few_writes_and_fewer_calls() {
    let (stage, _operator) = stage("idp").await;
    for (name, spec, made, calls_made) in [("login", LOGIN, 2, "POST PATCH"), ("app", GENERATED, 3, "POST")] {
        let since = mark(&stage).await;
        apply(&stage, name, spec).await;
        let written = writes(&stage, since).await;
        assert_eq!((written.len(), calls(&stage)), (made, calls_made.to_owned()), "{written:?}");

        let since = mark(&stage).await;
        change(&stage, name, json!({ "description": "other words" })).await;
        let written = writes(&stage, since).await;
        assert_eq!((written.len(), calls(&stage)), (1, "PATCH".to_owned()), "{written:?}");
    }

    // The look that verifies what was taken from an answer, and then ten intervals.
    stage.turn(Duration::from_secs(60)).unwrap();
    for name in ["login", "app"] {
        stage.child_pass::<QlikIdentityProvider>(name).await.unwrap();
        ready(&stage, name).await;
    }
    let since = mark(&stage).await;
    for round in 1..=10 {
        stage.turn(Duration::from_mins(31)).unwrap();
        let looked = async || Ok((lists(&stage) >= round).then_some(()));
        stage.until_some("the list of this interval", looked).await.unwrap();
    }
    let written = writes(&stage, since).await;
    let of_providers = written.iter().filter(|write| write.contains("qlikidentityproviders")).count();
    assert_eq!((of_providers, calls(&stage).len()), (0, 0), "{written:?}");
    assert!(lists(&stage) <= 20, "{} lists for ten intervals of one tenant", lists(&stage));

    for name in ["login", "app"] {
        let since = mark(&stage).await;
        delete(&stage, name).await;
        let written = writes(&stage, since).await;
        assert_eq!((written.len(), calls(&stage)), (1, "DELETE".to_owned()), "{written:?}");
    }
}
