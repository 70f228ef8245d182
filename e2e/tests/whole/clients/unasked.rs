//! A PATCH that is answered with a secret (202): nobody asked for one, and none is left behind, with or without an answer.

use super::support::{HOUR, MACHINE, all_in_qlik, by_hand, hints, id, issued, ready, works};
use e2e::sim::{Effect, FaultPlan, Match, When};
use e2e::stage::Inside;
use qlik_operator::keys::{Algorithm, generate};
use serde_json::json;

/// Somebody takes the client's way to authenticate away in the portal, and all its secrets go with it. The operator writes
/// the way back, which makes Qlik Cloud generate a secret.
async fn taken_away_and_written_back(fault: Option<Effect>) {
    let (stage, _operator) = ready("unasked", MACHINE).await;
    let id = id(&stage).await;
    let pair = generate(Algorithm::Es384).unwrap();
    let keys = json!([pair.public.jwk("theirs", Algorithm::Es384).unwrap()]);
    let other = json!([
        { "op": "replace", "path": "/publicKeys", "value": keys },
        { "op": "replace", "path": "/allowedAuthMethods", "value": ["private_key_jwt"] },
    ]);
    by_hand(&stage, "PATCH", &format!("/{id}"), other);
    assert!(hints(&stage, &id).is_empty());
    if let Some(effect) = fault {
        stage.sim.fault(FaultPlan::new(Match::on("PATCH", "/api/v1/oauth-clients/*"), effect));
    }
    stage.client_pass("app").await.unwrap();
    // The Secret carries a secret that works again, on the same client.
    let works_again = |c: &qlik_operator::crd::QlikOAuthClient| {
        let current = issued(c).first().map(|(hint, over)| (hint.clone(), *over));
        c.is_ready() && current.is_some_and(|(hint, over)| !over && hints(&stage, &id).contains(&hint))
    };
    let object = stage.until_client("app", "has a secret that works", works_again).await.unwrap();
    works(&stage, &stage.read_secret("app").await.unwrap()).await;
    assert_eq!(all_in_qlik(&stage).len(), 1);
    let current = issued(&object).first().map(|(hint, _)| hint.clone()).unwrap();
    stage.turn(HOUR * 25).unwrap();
    stage.client_pass("app").await.unwrap();
    let alone = async || Ok((hints(&stage, &id) == [current.clone()]).then_some(()));
    stage.until_some("the secret that nobody asked for is gone", alone).await.unwrap();
    stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
    works(&stage, &stage.read_secret("app").await.unwrap()).await;
}

#[tokio::test]
async fn with_its_answer() {
    Box::pin(taken_away_and_written_back(None)).await;
}

#[tokio::test]
async fn with_its_answer_lost() {
    Box::pin(taken_away_and_written_back(Some(Effect::Drop(When::After)))).await;
}

#[tokio::test]
async fn with_its_answer_cut_short() {
    Box::pin(taken_away_and_written_back(Some(Effect::Truncate(5)))).await;
}
