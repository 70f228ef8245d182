use super::*;
use crate::crd::{OffboardedTenant, RegionCode, Trigger};

const DAY: i64 = 86_400;

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + day * DAY).unwrap()
}

fn called(day: i64, days: i32) -> OffboardingEntry {
    OffboardingEntry {
        days: Some(days),
        requested_by: Some(format!("user-of-day-{day}")),
        ..entry(OffboardingEvent::Called, at(day))
    }
}

fn scheduled(day: i64, purge: i64, evidence: Evidence) -> OffboardingEntry {
    OffboardingEntry {
        deactivated_at: Some(whole_seconds(at(day))),
        purge_at: Some(ExactTime(at(purge))),
        evidence: Some(evidence),
        ..entry(OffboardingEvent::Scheduled, at(day))
    }
}

fn spec(entries: Vec<OffboardingEntry>) -> QlikOffboardingSpec {
    let spec = QlikOffboardingSpec {
        tenant_id: "t".into(),
        hostnames: Vec::new(),
        region: RegionCode::Us,
        tenant: OffboardedTenant { name: "acme".into(), uid: "u".into() },
        namespace_uid: None,
        trigger: Trigger::Lifecycle,
        purge_after_days: 30,
        requested_at: whole_seconds(at(0)),
        credentials_source: String::new(),
        entries: Vec::new(),
    };
    QlikOffboardingSpec { entries: appended(&spec, entries), ..spec }
}

fn state(entries: Vec<OffboardingEntry>) -> State {
    State::of(&spec(entries), None)
}

#[test]
fn an_estimate_is_the_earliest_of_all_calls_of_unknown_outcome_and_of_what_stood_there() {
    for (title, entries, earliest) in [
        ("one call", vec![called(0, 30)], 30),
        ("fewer days at the second attempt", vec![called(0, 90), called(1, 10)], 11),
        ("more days at the second attempt", vec![called(0, 10), called(1, 90)], 10),
        ("a shorter window, answer lost", vec![called(0, 90), scheduled(0, 90, Evidence::Date), called(5, 10)], 15),
        ("a longer window, answer lost", vec![called(0, 30), scheduled(0, 30, Evidence::Date), called(5, 90)], 30),
        (
            "an estimate stays one of the candidates",
            vec![called(0, 30), scheduled(0, 30, Evidence::Estimated), called(5, 10)],
            15,
        ),
        ("Qlik's own word ends the guessing", vec![called(0, 30), called(5, 10), scheduled(5, 16, Evidence::Date)], 16),
    ] {
        assert_eq!(state(entries).earliest_purge(), Some(at(earliest)), "{title}");
    }
    assert_eq!(state(Vec::new()).earliest_purge(), None);
}

#[test]
fn the_history_of_windows_is_kept() {
    let seen =
        state(vec![called(0, 30), scheduled(0, 30, Evidence::Date), called(5, 90), scheduled(5, 95, Evidence::Date)]);
    assert_eq!(seen.deactivated_at, Some(at(0)), "a restarted window does not move the deactivation");
    assert_eq!(seen.days(), Some(90));
    let windows: Vec<_> = seen.windows.iter().map(|w| (w.days, w.purge_at, w.replaced)).collect();
    let date = |day| Some(ExactTime(at(day)));
    assert_eq!(windows, [(30, date(30), None), (90, date(95), date(30))]);
    assert_eq!(seen.asked.requested_by.as_deref(), Some("user-of-day-0"), "who asked for the deactivation");
    assert_eq!(seen.windows[1].requested_by.as_deref(), Some("user-of-day-5"), "who asked for the restart");
}

#[test]
fn a_tenant_in_use_wins_over_a_purge_on_record() {
    let purged =
        OffboardingEntry { confirmed_by: Some(PurgeConfirmation::Waiver), ..entry(OffboardingEvent::Purged, at(31)) };
    let gone = entry(OffboardingEvent::SeenGone, at(30));
    let entries = vec![called(0, 30), scheduled(0, 30, Evidence::Date), gone, purged];
    let seen = state(entries.clone());
    assert_eq!((seen.phase, seen.confirmed_by), (OffboardingPhase::Purged, Some(PurgeConfirmation::Waiver)));
    let back = state([entries, vec![entry(OffboardingEvent::Reactivated, at(40))]].concat());
    assert_eq!((back.phase, back.gone_since), (OffboardingPhase::Reactivated, None));
    assert_eq!(back.closed_at, Some(at(40)));
}

#[test]
fn a_status_is_made_from_the_entries_and_the_entries_from_a_former_status() {
    let entries = vec![called(0, 30), scheduled(0, 30, Evidence::Date), entry(OffboardingEvent::Reactivated, at(3))];
    let seen = state(entries);
    let status = seen.write(QlikOffboardingStatus::default());
    let former = State::of(&spec(Vec::new()), Some(&status));
    let read_back = state(former.entries());
    for other in [former, read_back] {
        let of = |s: &State| (s.phase, s.deactivated_at, s.purge_at, s.evidence, s.closed_at);
        assert_eq!(of(&other), of(&seen));
    }
}

#[test]
fn a_call_is_on_record_once_for_each_announcement() {
    let (seen, announced) = (state(vec![called(0, 30)]), at(0));
    assert!(seen.has_call(30, announced) && !seen.has_call(10, announced));
    let later = announced + SignedDuration::from_secs(2);
    assert!(!seen.has_call(30, later), "it is made once more");
    let within_the_second = announced + SignedDuration::from_millis(900);
    assert!(seen.has_call(30, within_the_second), "entries have whole seconds");
    let dated = state(vec![called(0, 30), scheduled(0, 30, Evidence::Date)]);
    assert!(!dated.has_call(30, announced), "a restart is a new call");
}
