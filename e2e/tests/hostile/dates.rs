//! A date in a status or a record is never later than the purge in Qlik Cloud, whatever was asked for in which order and
//! whichever answer was lost; and the record keeps what happened.

use super::support::*;
use e2e::sim::{Effect, FaultPlan, Match, When};
use e2e::stage::{Stage, is_ready};
use qlik_operator::crd::{Evidence, QlikOffboardingStatus, QlikTenant};

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Refused for now, without effect and without a word on that.
    Lost,
    /// It takes effect, and its answer is lost.
    Unheard,
    Answered,
}

fn days(days: i32) -> String {
    off(&format!(", purgeAfterDays: {days}"))
}

fn next_is(stage: &Stage, fate: Fate) {
    let matching = || Match { host: Some("register".to_owned()), ..Match::on("POST", "*/actions/deactivate") };
    match fate {
        Fate::Lost => stage.sim.fault(FaultPlan::new(matching(), Effect::status(503)).commit(false)),
        Fate::Unheard => stage.sim.fault(FaultPlan::new(matching(), Effect::Drop(When::After)).commit(true)),
        Fate::Answered => {}
    }
}

/// Waits for this many calls, whatever comes of them.
async fn called(stage: &Stage, times: usize) {
    stage.until_some("the call", async || Ok((deactivations(stage) >= times).then_some(()))).await.unwrap();
    assert_eq!(deactivations(stage), times);
}

/// Neither the object nor the record says more days than there are; where the date is estimated, it is not far off the
/// earliest that there can be.
async fn never_too_late(stage: &Stage, evidence: Evidence) -> (QlikTenant, QlikOffboardingStatus) {
    let acme = is_off(stage, "acme").await;
    let real = stage.sim.tenants()[0].purge_at.unwrap();
    let status = status_of(&record(stage).await).1;
    for (who, noted) in [("the object", purge_at(&acme).unwrap()), ("the record", status.purge_at.unwrap().0)] {
        assert!(noted <= real, "{who} says {noted}, and Qlik Cloud purges at {real}");
        assert!(evidence == Evidence::Estimated || noted == real, "{who} says {noted}, Qlik Cloud {real}");
    }
    assert_eq!(status.evidence, Some(evidence));
    (acme, status)
}

/// Attempts with different days, of which the last takes effect: an estimate is the earliest of all.
#[tokio::test]
async fn attempts_with_different_days() {
    let orders: [&[(i32, Fate)]; 5] = [
        &[(90, Fate::Lost), (10, Fate::Unheard)],
        &[(10, Fate::Lost), (90, Fate::Unheard)],
        &[(90, Fate::Lost), (10, Fate::Lost), (60, Fate::Unheard)],
        &[(60, Fate::Lost), (90, Fate::Lost), (10, Fate::Unheard)],
        &[(10, Fate::Lost), (90, Fate::Lost), (30, Fate::Answered)],
    ];
    for order in orders {
        let (stage, mut operator) = stage("attempts").await;
        onboard(&stage, "acme", &armed("")).await;
        for (n, (asked, fate)) in order.iter().enumerate() {
            next_is(&stage, *fate);
            stage.put(&e2e::stage::manifest("acme", &days(*asked))).await.unwrap();
            if n > 0 {
                stage.turn(TAKE_OVER).unwrap();
                annotate(&stage, "acme", "requested-at", Some(&format!("attempt-{n}"))).await;
            }
            called(&stage, n + 1).await;
            if n == 1 {
                operator = restarted(&stage, operator).await;
            }
        }
        let answered = order.iter().any(|(_, fate)| *fate == Fate::Answered);
        let evidence = if answered { Evidence::Date } else { Evidence::Estimated };
        if !answered {
            stage.turn(TAKE_OVER).unwrap();
        }
        let (_, status) = never_too_late(&stage, evidence).await;
        let asked: Vec<_> = status.windows.iter().map(|window| window.days).collect();
        assert_eq!(asked, order.iter().map(|(days, _)| *days).collect::<Vec<_>>(), "each window is on record");
        assert_eq!(stage.committed("tenant.deactivated"), 1);
        drop(operator);
    }
}

/// Off for so many days.
async fn taken_off(stage: &Stage, asked: i32) -> QlikTenant {
    onboard(stage, "acme", &armed("")).await;
    offboard(stage, "acme", &days(asked)).await
}

/// Asks for another window, by the date that the object says.
async fn restart(stage: &Stage, asked: i32) -> jiff::Timestamp {
    offboard(stage, "acme", &days(asked)).await;
    let date = purge_at(&pass(stage, "acme").await).unwrap();
    annotate(stage, "acme", "restart-purge-window", Some(&date.to_string())).await;
    date
}

/// F9, first, and on: a shorter window whose answer is lost, then a process that knows nothing of it, then another window.
#[tokio::test]
async fn a_shorter_window_whose_answer_is_lost() {
    let (stage, operator) = stage("shorter").await;
    let before = taken_off(&stage, 90).await;
    let first = purge_at(&before).unwrap();
    stage.turn(DAY).unwrap();
    next_is(&stage, Fate::Unheard);
    restart(&stage, 10).await;
    called(&stage, 2).await;
    let estimated = |t: &QlikTenant| is_ready(t) && purge_at(t).is_some_and(|at| at < first);
    stage.until("acme", "has the earlier date", estimated).await.unwrap();
    never_too_late(&stage, Evidence::Estimated).await;
    let operator = restarted(&stage, operator).await;
    pass(&stage, "acme").await;
    let (acme, status) = never_too_late(&stage, Evidence::Estimated).await;
    assert_eq!(status.windows.iter().map(|w| w.days).collect::<Vec<_>>(), [90, 10]);
    assert_eq!(status.windows[1].replaced.map(|at| at.0), Some(first));
    // Another one, longer, that is answered: Qlik's own date counts again.
    stage.turn(TAKE_OVER).unwrap();
    assert_eq!(restart(&stage, 60).await, purge_at(&acme).unwrap());
    called(&stage, 3).await;
    let later = |t: &QlikTenant| is_ready(t) && purge_at(t) > purge_at(&acme);
    stage.until("acme", "has Qlik's date", later).await.unwrap();
    let (_, status) = never_too_late(&stage, Evidence::Date).await;
    assert_eq!(status.windows.iter().map(|w| w.days).collect::<Vec<_>>(), [90, 10, 60]);
    assert_eq!(status.deactivated_at, record_start(&status));
    for _ in 0..2 {
        stage.turn(HOUR).unwrap();
        pass(&stage, "acme").await;
    }
    called(&stage, 3).await;
    drop(operator);
}

/// When the first window began.
fn record_start(status: &QlikOffboardingStatus) -> Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time> {
    let first = status.windows.first().map(|window| window.called_at.clone())?;
    let noted = status.deactivated_at.clone()?;
    let apart = noted.0.duration_since(first.0).as_secs();
    assert!((0..30).contains(&apart), "deactivated at {noted:?}, first called at {first:?}");
    Some(noted)
}

/// A window of as many days as before is a window of its own, also where the first answer was lost.
#[tokio::test]
async fn as_many_days_again_are_another_window() {
    let (stage, _operator) = stage("same-days").await;
    onboard(&stage, "acme", &armed("")).await;
    next_is(&stage, Fate::Unheard);
    offboard(&stage, "acme", &days(30)).await;
    let (acme, _) = never_too_late(&stage, Evidence::Estimated).await;
    stage.turn(DAY * 5).unwrap();
    restart(&stage, 30).await;
    called(&stage, 2).await;
    let later = |t: &QlikTenant| is_ready(t) && purge_at(t) > purge_at(&acme);
    stage.until("acme", "has Qlik's date", later).await.unwrap();
    let (_, status) = never_too_late(&stage, Evidence::Date).await;
    assert_eq!(status.windows.iter().map(|w| w.days).collect::<Vec<_>>(), [30, 30]);
    assert_eq!(status.windows[1].replaced.map(|at| at.0), purge_at(&acme));
    assert_eq!(status.windows[0].purge_at.map(|at| at.0), purge_at(&acme), "the former date is kept");
    record_start(&status);
}

/// F20 and D7: after a good restart nobody is invited to another one, and the record keeps both windows.
#[tokio::test]
async fn after_a_restart_the_days_are_those_of_the_new_window() {
    let (stage, operator) = stage("restarted").await;
    let before = taken_off(&stage, 90).await;
    let since = status_of(&record(&stage).await).1.deactivated_at;
    stage.turn(DAY).unwrap();
    let first = restart(&stage, 10).await;
    called(&stage, 2).await;
    let sooner = |t: &QlikTenant| is_ready(t) && purge_at(t) < purge_at(&before);
    stage.until("acme", "has the new date", sooner).await.unwrap();
    let operator = restarted(&stage, operator).await;
    let acme = pass(&stage, "acme").await;
    assert!(!said(&acme).contains("changes nothing by itself"), "{}", said(&acme));
    assert!(!said(&acme).contains("restart-purge-window"), "{}", said(&acme));
    let purge = acme.status.as_ref().unwrap().purge.clone().unwrap();
    assert_eq!(purge.purge_after_days, Some(10));
    let (_, status) = never_too_late(&stage, Evidence::Date).await;
    assert_eq!((&status.deactivated_at, &purge.deactivated_at), (&since, &since));
    let windows = status.windows.iter().map(|w| (w.days, w.purge_at.map(|at| at.0), w.replaced.map(|at| at.0)));
    let now = purge_at(&acme);
    assert_eq!(windows.collect::<Vec<_>>(), [(90, Some(first), None), (10, now, Some(first))]);
    assert_eq!(record(&stage).await.spec.purge_after_days, 90);
    drop(operator);
}
