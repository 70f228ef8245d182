//! `Purged` is seen and never calculated: nothing of a tenant in use is erased because a date has passed, and a tenant that
//! came back is one like any other.

use super::support::*;
use e2e::sim::{Options, PurgedHost, Status};
use e2e::stage::{Operator, Setup, Stage, condition, is_ready};
use qlik_operator::crd::{OffboardingPhase, PurgeConfirmation, QlikOAuthClient, SecretOutcome};
use serde_json::json;

const ERASE: &str = ", purgeAfterDays: 10, eraseSecrets: {referenced: true, names: [extra]}";

/// A tenant with a client and a Secret that is to go with it.
async fn ground(setup: Setup) -> (Stage, Operator, String) {
    let (stage, operator) = stage_of(setup).await;
    stage.secret("extra", &[("a", "b")]).await.unwrap();
    let id = id_of(&onboard(&stage, "acme", &armed(ERASE)).await);
    client(&stage).await;
    (stage, operator, id)
}

async fn nothing_erased(stage: &Stage) {
    for name in ["extra", "app", "qlik-credentials", "qlik-license"] {
        assert!(stage.has_secret(name).await.unwrap(), "{name} of a tenant in use is erased");
    }
}

/// The tenant is one like any other: its client works, is deleted in Qlik Cloud, and it can be off-boarded again.
async fn like_any_other(stage: &Stage, id: &str) {
    in_use(stage, "acme").await;
    let acme = stage.until("acme", "has no purge", |t| purge_at(t).is_none()).await.unwrap();
    assert!(acme.status.unwrap().offboarding.is_none());
    client_ready(stage).await;
    app_works(stage).await;
    assert_eq!(clients_in(stage, id), 1);
    stage.delete_child::<QlikOAuthClient>("app").await.unwrap();
    stage.until_child_gone::<QlikOAuthClient>("app").await.unwrap();
    assert_eq!(clients_in(stage, id), 0, "left behind in Qlik Cloud");
    let before = deactivations(stage);
    offboard(stage, "acme", &off(ERASE)).await;
    assert_eq!(deactivations(stage), before + 1);
    assert_eq!(stage.sim.tenant(id).unwrap().status, Status::Disabled);
}

/// F2, first: a deletion that waits for the purge, and on day 2 somebody brings the tenant back.
#[tokio::test]
async fn a_held_deletion_is_brought_back_on_the_second_day() {
    let (stage, _operator, id) = ground(Setup::new("back-held")).await;
    let held = format!("{ERASE}, onDelete: Deactivate, release: Purged");
    onboard(&stage, "acme", &armed(&held)).await;
    stage.delete("acme").await.unwrap();
    stage.until("acme", "waits for its purge", |t| reason(t) == "PurgePending").await.unwrap();
    stage.turn(DAY * 2).unwrap();
    stage.sim.reactivate(&id).unwrap();
    stage.turn(HOUR * 2).unwrap();
    told(&stage, "acme", "ReactivatedOutOfBand", &["onDelete: Retain"]).await;
    let (name, status) = status_of(&record(&stage).await);
    assert_eq!(status.phase, OffboardingPhase::Reactivated);
    for day in 0..4 {
        stage.turn(DAY * 4).unwrap();
        pass(&stage, "acme").await;
        record_pass(&stage, &name, &format!("day-{day}")).await;
    }
    nothing_erased(&stage).await;
    assert_eq!((deactivations(&stage), stage.sim.tenant(&id).unwrap().status), (1, Status::Active));
    let status = status_of(&record(&stage).await).1;
    assert_eq!(status.phase, OffboardingPhase::Reactivated);
    assert!(status.secrets.iter().all(|s| s.outcome != SecretOutcome::Erased), "{:?}", status.secrets);
    // The object goes, is applied again, and finds its tenant.
    stage.patch("acme", json!({ "spec": { "offboarding": { "onDelete": "Retain" } } })).await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert_eq!(id_of(&onboard(&stage, "acme", &armed(ERASE)).await), id);
    assert_eq!(creations(&stage), 1);
    like_any_other(&stage, &id).await;
}

/// F2, second: declared off, and brought back while no operator runs, until after the date.
#[tokio::test]
async fn brought_back_while_the_operator_is_away() {
    let (stage, operator, id) = ground(Setup::new("back-away")).await;
    offboard(&stage, "acme", &off(ERASE)).await;
    end(operator).await;
    stage.sim.reactivate(&id).unwrap();
    stage.turn(DAY * 12).unwrap();
    let operator = stage.operator().await.unwrap();
    told(&stage, "acme", "ReactivatedOutOfBand", &["lifecycle: Active"]).await;
    let (name, _) = status_of(&record(&stage).await);
    record_in(&stage, &name, OffboardingPhase::Reactivated).await;
    let operator = restarted(&stage, operator).await;
    pass(&stage, "acme").await;
    nothing_erased(&stage).await;
    assert_eq!((deactivations(&stage), stage.sim.tenant(&id).unwrap().status), (1, Status::Active));
    onboard(&stage, "acme", &armed(ERASE)).await;
    like_any_other(&stage, &id).await;
    drop(operator);
}

/// F2, third: the object is gone, and its record is left alone with the date.
#[tokio::test]
async fn brought_back_when_only_the_record_is_left() {
    let (stage, operator, id) = ground(Setup::new("back-alone")).await;
    // Nothing but what was written for the tenant goes at the release.
    let armed_to_go = ", purgeAfterDays: 10, onDelete: Deactivate";
    stage.delete_child::<QlikOAuthClient>("app").await.unwrap();
    stage.until_child_gone::<QlikOAuthClient>("app").await.unwrap();
    onboard(&stage, "acme", &armed(armed_to_go)).await;
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    let (name, _) = status_of(&record(&stage).await);
    end(operator).await;
    stage.turn(DAY * 3).unwrap();
    stage.sim.reactivate(&id).unwrap();
    stage.turn(DAY * 9).unwrap();
    let _operator = stage.operator().await.unwrap();
    record_in(&stage, &name, OffboardingPhase::Reactivated).await;
    for name in ["extra", "qlik-credentials", "qlik-license"] {
        assert!(stage.has_secret(name).await.unwrap(), "{name}");
    }
    // By `adopt`, as the object says that holds, it is one like any other.
    let adopt = format!("adopt: {{tenantId: {id}, hostname: {}}}\n{}", host("acme"), armed(ERASE));
    onboard(&stage, "acme", &adopt).await;
    client(&stage).await;
    assert_eq!((creations(&stage), deactivations(&stage)), (1, 1));
    in_use(&stage, "acme").await;
    app_works(&stage).await;
    offboard(&stage, "acme", &format!("{adopt}\nlifecycle: Deactivated")).await;
    assert_eq!(deactivations(&stage), 2);
}

/// Twice, an hour apart; what was seen once is not believed, and a tenant that shows up in between is in use.
#[tokio::test]
async fn the_host_is_believed_when_it_says_so_twice() {
    let (stage, _operator, id) = ground(Setup::new("purge-host")).await;
    offboard(&stage, "acme", &off(ERASE)).await;
    let (name, _) = status_of(&record(&stage).await);
    stage.turn(DAY * 10 + HOUR).unwrap();
    assert_eq!(stage.sim.tenant(&id).unwrap().status, Status::Deleted);
    let first = stage.in_time("the first look", async || {
        let status = stage.records().get(&name).await?.status.unwrap_or_default();
        Ok(status.gone_since.is_some().then_some(status))
    });
    let first = first.await.unwrap();
    assert_eq!(first.phase, OffboardingPhase::Scheduled);
    for n in 0..3 {
        let status = record_pass(&stage, &name, &format!("soon-{n}")).await;
        assert_eq!((status.phase, status.gone_since.clone()), (OffboardingPhase::Scheduled, first.gone_since.clone()));
    }
    pass(&stage, "acme").await;
    nothing_erased(&stage).await;
    stage.confirm_purge().await.unwrap();
    let status = record_in(&stage, &name, OffboardingPhase::Purged).await;
    assert_eq!(status.purge_confirmed_by, Some(PurgeConfirmation::Host));
    stage.until("acme", "is purged", |t| is_ready(t) && reason(t) == "Purged").await.unwrap();
    for name in ["extra", "app", "qlik-credentials"] {
        assert!(!stage.has_secret(name).await.unwrap(), "{name} is still there");
    }
}

/// The organization API says it where the host is silent, twice as well.
#[tokio::test]
async fn the_organization_is_believed_when_it_says_so_twice() {
    let (stage, _operator, _) = ground(Setup::new("purge-org").with_organization()).await;
    stage.sim.set_options(Options { purged_host: PurgedHost::Drop, ..Options::default() }).unwrap();
    offboard(&stage, "acme", &off(ERASE)).await;
    let (name, _) = status_of(&record(&stage).await);
    stage.turn(DAY * 10 + HOUR).unwrap();
    stage.confirm_purge().await.unwrap();
    let status = record_in(&stage, &name, OffboardingPhase::Purged).await;
    assert_eq!(status.purge_confirmed_by, Some(PurgeConfirmation::Organization));
    let since = status.gone_since.unwrap();
    assert!(status.closed_at.unwrap().0.duration_since(since.0) >= jiff::SignedDuration::from_hours(1));
}

/// Neither a connection that is closed nor somebody else's 404 says that a tenant is gone, and 401 says that it is not.
/// Seven days after the date a human is asked, and only a waiver for this tenant and after the date counts.
#[tokio::test]
async fn a_host_that_does_not_say_so_asks_for_a_waiver() {
    for purged_host in [PurgedHost::Drop, PurgedHost::BareNotFound, PurgedHost::StillDisabled] {
        let (stage, operator, id) = ground(Setup::new("purge-silent")).await;
        stage.sim.set_options(Options { purged_host, ..Options::default() }).unwrap();
        offboard(&stage, "acme", &off(ERASE)).await;
        let (name, _) = status_of(&record(&stage).await);
        // Before the date, and for somebody else's tenant.
        annotate_record(&stage, &name, "waive-purge-confirmation", "another").await;
        annotate(&stage, "acme", "waive-purge-confirmation", Some(&id)).await;
        stage.turn(DAY * 5).unwrap();
        assert_eq!(record_pass(&stage, &name, "early").await.phase, OffboardingPhase::Scheduled);
        annotate(&stage, "acme", "waive-purge-confirmation", Some(&host("acme"))).await;
        stage.turn(DAY * 6).unwrap();
        let status = record_pass(&stage, &name, "due").await;
        assert_eq!((status.phase, record_reason(&status).0), (OffboardingPhase::Scheduled, "PurgePending"));
        let operator = restarted(&stage, operator).await;
        stage.turn(DAY * 7).unwrap();
        let asked = async || {
            let status = stage.records().get(&name).await?.status.unwrap_or_default();
            Ok((record_reason(&status).0 == "PurgeUnconfirmed").then_some(status))
        };
        let status = stage.in_time("a human is asked", asked).await.unwrap();
        let said = record_reason(&status).1;
        assert!(
            said.contains(&format!("waive-purge-confirmation={id}")) && said.contains("Nothing is erased"),
            "{said}"
        );
        assert!(status.conditions.iter().any(|c| c.type_ == "Stalled" && c.status == "True"));
        let acme = stage.tenants().get("acme").await.unwrap();
        assert!(reason(&acme) != "Purged", "{purged_host:?}: {acme:?}");
        nothing_erased(&stage).await;
        // On the tenant in one case, on the record in the others.
        if purged_host == PurgedHost::Drop {
            annotate(&stage, "acme", "waive-purge-confirmation", Some(&id)).await;
            stage.turn(HOUR * 2).unwrap();
        } else {
            annotate_record(&stage, &name, "waive-purge-confirmation", &id).await;
        }
        let status = record_in(&stage, &name, OffboardingPhase::Purged).await;
        assert_eq!(status.purge_confirmed_by, Some(PurgeConfirmation::Waiver));
        let gone = async || Ok((!stage.has_secret("extra").await?).then_some(()));
        stage.in_time("the Secret goes with the waived purge", gone).await.unwrap();
        drop(operator);
    }
}

/// A human was wrong: the tenant that was waived answers later, and is in use.
#[tokio::test]
async fn a_waived_tenant_that_answers_is_in_use() {
    let (stage, operator) = stage("purge-waived").await;
    let id = id_of(&onboard(&stage, "acme", &armed(", purgeAfterDays: 10")).await);
    client(&stage).await;
    offboard(&stage, "acme", &off(", purgeAfterDays: 10")).await;
    let (name, _) = status_of(&record(&stage).await);
    annotate_record(&stage, &name, "waive-purge-confirmation", &id).await;
    end(operator).await;
    // In Qlik Cloud the countdown is longer than the record knows. A host that answers is given a week.
    stage.sim.deactivate(&id, 90).unwrap();
    stage.turn(DAY * 19).unwrap();
    let _operator = stage.operator().await.unwrap();
    record_in(&stage, &name, OffboardingPhase::Purged).await;
    stage.sim.reactivate(&id).unwrap();
    stage.turn(DAY).unwrap();
    record_in(&stage, &name, OffboardingPhase::Reactivated).await;
    told(&stage, "acme", "ReactivatedOutOfBand", &["lifecycle: Active"]).await;
    onboard(&stage, "acme", &armed(", purgeAfterDays: 10")).await;
    client_ready(&stage).await;
    app_works(&stage).await;
    offboard(&stage, "acme", &off(", purgeAfterDays: 10")).await;
    assert_eq!((deactivations(&stage), creations(&stage)), (2, 1));
}

/// The Secret with the credentials is gone: nobody can look, which is said, and nothing is erased.
#[tokio::test]
async fn without_credentials_nobody_can_look() {
    let (stage, _operator, id) = ground(Setup::new("purge-blind")).await;
    offboard(&stage, "acme", &off(ERASE)).await;
    let (name, _) = status_of(&record(&stage).await);
    stage.delete_secret("qlik-credentials").await.unwrap();
    stage.turn(DAY * 12).unwrap();
    let asked = async || {
        let status = stage.records().get(&name).await?.status.unwrap_or_default();
        Ok((record_reason(&status).0 == "PurgeUnconfirmed").then_some(status))
    };
    let status = stage.in_time("a human is asked", asked).await.unwrap();
    assert!(record_reason(&status).1.contains("qlik-credentials"), "{}", record_reason(&status).1);
    let acme = pass(&stage, "acme").await;
    assert!(condition(&acme, "Ready").is_some_and(|c| c.message.contains("qlik-credentials")), "{}", said(&acme));
    for name in ["extra", "app", "qlik-license"] {
        assert!(stage.has_secret(name).await.unwrap(), "{name}");
    }
    annotate_record(&stage, &name, "waive-purge-confirmation", &id).await;
    let status = record_in(&stage, &name, OffboardingPhase::Purged).await;
    assert_eq!(status.purge_confirmed_by, Some(PurgeConfirmation::Waiver));
}
