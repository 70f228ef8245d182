//! Clocks that are wrong: nothing irreversible happens, that is said, and it passes once they are right again.

use super::support::*;
use e2e::sim::Status;
use e2e::stage::{Operator, Stage, manifest};
use qlik_operator::crd::{OffboardingPhase, QlikOffboarding, QlikTenant};
use serde_json::json;

const WRONG_BY: [i64; 3] = [3600, 24 * 3600, 90 * 24 * 3600];

/// A stage with a tenant that is in use.
async fn in_use(prefix: &str) -> (Stage, Operator) {
    let (stage, operator) = stage(prefix).await;
    onboard(&stage, "acme", &deletable("acme", "")).await;
    (stage, operator)
}

/// The tenant is off, with everything that could be concluded too early: a purge, a Secret to erase, an object to let go.
async fn counting_down(prefix: &str) -> (Stage, Operator) {
    let (stage, operator) = in_use(prefix).await;
    stage.secret("extra", &[("a", "b")]).await.unwrap();
    offboard(&stage, "acme", &off("acme", ", eraseSecrets: {names: [extra]}")).await;
    (stage, operator)
}

async fn record(stage: &Stage) -> QlikOffboarding {
    stage.records().list(&kube::api::ListParams::default()).await.unwrap().items.pop().unwrap()
}

async fn still_counting_down(stage: &Stage, acme: &QlikTenant) {
    assert_eq!(phase(acme), "Deactivated", "{}", message(acme));
    assert_eq!(record(stage).await.status.unwrap().phase, OffboardingPhase::Scheduled);
    assert!(stage.has_secret("extra").await.unwrap(), "erased too early");
    assert_eq!(deactivations(stage), 1);
}

/// Asks the record for a pass, and waits until it is through by way of what it writes or asks.
async fn poke_record(stage: &Stage, word: &str) {
    let name = record(stage).await.metadata.name.unwrap();
    let patch =
        kube::api::Patch::Merge(json!({ "metadata": { "annotations": { "qlik-operator.dev/requested-at": word } } }));
    stage.records().patch(&name, &kube::api::PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test]
async fn wall_clock_ahead_or_behind_deactivates_nothing() {
    let (stage, _operator) = in_use("skewed").await;
    stage.set_wall_clock(WRONG_BY[0]).unwrap();
    stage.apply(&manifest("acme", &off("acme", ""))).await.unwrap();
    for (side, sign) in [("ahead of", 1), ("behind", -1)] {
        for seconds in WRONG_BY {
            stage.set_wall_clock(sign * seconds).unwrap();
            poke(&stage, "acme").await;
            // Within a minute: the two clocks were read at different moments.
            let minutes = [seconds / 60 - 1, seconds / 60].map(|m| format!("{m} min {side}"));
            let acme = stalls(&stage, "acme", "ClockDoubt", &["not deactivated", "the node's clock is"]).await;
            assert!(minutes.iter().any(|m| message(&acme).contains(m)), "{} has none of {minutes:?}", message(&acme));
            untouched(&stage, 1);
        }
    }
    stage.set_wall_clock(0).unwrap();
    annotate(&stage, "acme", "requested-at", Some("the clock is right")).await.unwrap();
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    assert_eq!((deactivations(&stage), stage.committed("tenant.deactivated")), (1, 1));
}

#[tokio::test]
async fn both_clocks_of_a_node_ahead_deactivate_nothing() {
    let (stage, operator) = in_use("ahead").await;
    for seconds in WRONG_BY {
        stage.turn_operators(seconds).unwrap();
        poke(&stage, "acme").await;
        stage.apply(&manifest("acme", &off("acme", ""))).await.unwrap();
        stalls(&stage, "acme", "ClockDoubt", &["ahead of Qlik Cloud's date"]).await;
        untouched(&stage, 1);
    }
    drop(operator);
    stage.turn_operators(0).unwrap();
    let _operator = stage.operator().await.unwrap();
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    assert_eq!(deactivations(&stage), 1);
}

#[tokio::test]
async fn a_clock_behind_qlik_deactivates_nothing() {
    let (stage, _operator) = in_use("late").await;
    for seconds in WRONG_BY {
        // Qlik's clock runs on, the operator's does not.
        let wanted = std::time::Duration::from_secs(seconds.unsigned_abs());
        stage.sim.advance(wanted.saturating_sub(stage.sim.offset()));
        stage.apply(&manifest("acme", &off("acme", ""))).await.unwrap();
        poke(&stage, "acme").await;
        stalls(&stage, "acme", "ClockDoubt", &["behind Qlik Cloud's date"]).await;
        untouched(&stage, 1);
    }
    stage.turn_operators(WRONG_BY[2]).unwrap();
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    assert_eq!(deactivations(&stage), 1);
}

#[tokio::test]
async fn a_clock_ahead_concludes_no_purge_and_erases_nothing() {
    let (stage, operator) = counting_down("early").await;
    for (number, seconds) in WRONG_BY.into_iter().flat_map(|s| [s, -s]).enumerate() {
        stage.set_wall_clock(seconds).unwrap();
        poke_record(&stage, &format!("wall-{number}")).await;
        let acme = poke(&stage, "acme").await;
        still_counting_down(&stage, &acme).await;
    }
    for (number, seconds) in WRONG_BY.into_iter().enumerate() {
        stage.turn_operators(seconds).unwrap();
        poke_record(&stage, &format!("both-{number}")).await;
        let acme = poke(&stage, "acme").await;
        still_counting_down(&stage, &acme).await;
    }
    // An operator that starts with the wrong clock knows no better time until Qlik gives it one.
    drop(operator);
    stage.set_wall_clock(WRONG_BY[2]).unwrap();
    let operator = stage.operator().await.unwrap();
    poke_record(&stage, "started-wrong").await;
    let acme = poke(&stage, "acme").await;
    still_counting_down(&stage, &acme).await;
    drop(operator);
    stage.set_wall_clock(0).unwrap();
    let _operator = stage.operator().await.unwrap();
    stage.turn(DAY * 31).unwrap();
    stage.confirm_purge().await.unwrap();
    stage.until("acme", "is purged", |t| is_ready(t) && phase(t) == "Purged").await.unwrap();
    assert!(!stage.has_secret("extra").await.unwrap());
}

#[tokio::test]
async fn a_clock_behind_concludes_the_purge_only_once_it_is_right() {
    let (stage, _operator) = counting_down("behind").await;
    stage.sim.advance(DAY * 90);
    assert_eq!(stage.sim.tenants()[0].status, Status::Deleted, "for Qlik it is over");
    poke_record(&stage, "late").await;
    let acme = poke(&stage, "acme").await;
    still_counting_down(&stage, &acme).await;
    poke_record(&stage, "late again").await;
    let acme = poke(&stage, "acme").await;
    still_counting_down(&stage, &acme).await;
    stage.turn_operators(i64::try_from(stage.sim.offset().as_secs()).unwrap()).unwrap();
    stage.confirm_purge().await.unwrap();
    stage.until("acme", "is purged", |t| is_ready(t) && phase(t) == "Purged").await.unwrap();
    assert!(!stage.has_secret("extra").await.unwrap());
    assert_eq!(deactivations(&stage), 1);
}

#[tokio::test]
async fn a_deletion_is_held_while_the_clock_is_wrong() {
    let (stage, _operator) = in_use("doubt-del").await;
    stage.secret("extra", &[("a", "b")]).await.unwrap();
    let spec = deletable("acme", ", eraseSecrets: {names: [extra]}");
    onboard(&stage, "acme", &spec).await;
    stage.set_wall_clock(-WRONG_BY[1]).unwrap();
    stage.delete("acme").await.unwrap();
    let acme = stalls(&stage, "acme", "ClockDoubt", &["not deactivated"]).await;
    assert!(e2e::stage::condition(&acme, "DeletionHeld").is_some_and(|c| c.status == "True"));
    assert!(stage.has_secret("extra").await.unwrap());
    untouched(&stage, 1);
    stage.set_wall_clock(0).unwrap();
    annotate(&stage, "acme", "requested-at", Some("the clock is right")).await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert_eq!(deactivations(&stage), 1);
    assert!(!stage.has_secret("extra").await.unwrap());
}

#[tokio::test]
async fn nothing_is_erased_at_release_while_the_clock_is_wrong() {
    let (stage, _operator) = in_use("doubt-erase").await;
    stage.secret("extra", &[("a", "b")]).await.unwrap();
    offboard(&stage, "acme", &off("acme", ", onDelete: Deactivate, eraseSecrets: {names: [extra]}")).await;
    stage.set_wall_clock(WRONG_BY[0]).unwrap();
    stage.delete("acme").await.unwrap();
    stalls(&stage, "acme", "ClockDoubt", &["no Secret is erased"]).await;
    for seconds in WRONG_BY.into_iter().flat_map(|s| [s, -s]) {
        stage.set_wall_clock(seconds).unwrap();
        let acme = poke(&stage, "acme").await;
        assert_eq!(reason(&acme), "ClockDoubt", "{}", message(&acme));
        assert!(stage.has_secret("extra").await.unwrap());
    }
    stage.set_wall_clock(0).unwrap();
    annotate(&stage, "acme", "requested-at", Some("the clock is right")).await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert!(!stage.has_secret("extra").await.unwrap());
    assert_eq!(deactivations(&stage), 1);
}
