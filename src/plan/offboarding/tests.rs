use super::*;
use HostView as H;
use Organization as O;

const DAY: i64 = 86_400;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// Off, to be purged at 0; nothing is asked and nothing said.
fn off() -> Seen {
    Seen {
        tenant_id: "t".into(),
        state: State {
            phase: OffboardingPhase::Scheduled,
            purge_at: Some(at(0)),
            evidence: Some(Evidence::Date),
            ..State::default()
        },
        foreign: false,
        latest_purge_at: at(0),
        fresh: false,
        orphaned: false,
        organization: O::NotAsked,
        host: H::NotAsked,
        waived: false,
        doubt: None,
    }
}

fn gone_since(second: i64, seen: Seen) -> Seen {
    let state = State { gone_since: Some(at(second)), ..seen.state };
    Seen { state, ..seen }
}

fn silent() -> HostView {
    H::Silent("it does not answer".into())
}

/// The step, or the reason for which there is none.
fn decided(seen: &Seen, now: Timestamp) -> Result<Step, Reason> {
    match next(seen, now) {
        Next::Do(step) => Ok(step),
        Next::Wait { finding, .. } | Next::Settled { finding, .. } => Err(finding.reason),
        Next::Release => panic!("a record is never held"),
    }
}

#[test]
fn a_purge_is_seen_twice_and_never_calculated() {
    let host = |host| Seen { host, ..off() };
    let organization = |organization| Seen { organization, ..off() };
    let doubted = |seen: Seen| Seen { doubt: Some("the clock jumped".into()), ..seen };
    let purged = |by| Ok(Step::Purged(by));
    let pending = Err(Reason::PurgePending);
    let unconfirmed = Err(Reason::PurgeUnconfirmed);
    for (title, seen, now, expected) in [
        ("the date alone", off(), 1, pending.clone()),
        ("the date long ago", off(), 400 * DAY, unconfirmed.clone()),
        ("its host says so", host(H::Gone), 1, Ok(Step::SeenGone)),
        ("its host says so again too soon", gone_since(1, host(H::Gone)), 3_600, pending.clone()),
        ("its host says so an hour later", gone_since(1, host(H::Gone)), 3_601, purged(PurgeConfirmation::Host)),
        ("its host says so before the date", host(H::Gone), -1, pending.clone()),
        ("under doubt", doubted(gone_since(1, host(H::Gone))), 3_601, pending.clone()),
        ("still off", host(H::Disabled), 7 * DAY - 1, pending.clone()),
        ("still off a week later", host(H::Disabled), 7 * DAY, unconfirmed.clone()),
        ("off again after it was gone", gone_since(1, host(H::Disabled)), 3_601, Ok(Step::SeenAgain)),
        ("no answer", host(silent()), 1, pending.clone()),
        ("no answer after it was gone", gone_since(1, host(silent())), 3_601, pending.clone()),
        ("no answer for a week", host(silent()), 7 * DAY, unconfirmed.clone()),
        ("nobody can ask, before the date", host(H::Unasked("no Secret".into())), -1, pending.clone()),
        ("nobody can ask", host(H::Unasked("no Secret".into())), 0, unconfirmed),
        ("the organization says so", organization(O::Gone), -1, Ok(Step::SeenGone)),
        ("and again", gone_since(1, organization(O::Gone)), 3_601, purged(PurgeConfirmation::Organization)),
        (
            "the organization says so and the host knows it",
            gone_since(1, Seen { host: H::Disabled, ..organization(O::Gone) }),
            3_601,
            Ok(Step::SeenAgain),
        ),
        ("another organization lists nothing", organization(O::NotListed), 1, pending),
    ] {
        assert_eq!(decided(&seen, at(now)), expected, "{title}");
    }
}

#[test]
fn a_tenant_that_answers_is_in_use_whatever_the_record_says() {
    for phase in [OffboardingPhase::Scheduled, OffboardingPhase::Purged, OffboardingPhase::Unknown] {
        for (organization, host) in [(O::NotAsked, H::Active), (O::Active, H::NotAsked), (O::Gone, H::Active)] {
            let state = State { phase, gone_since: Some(at(1)), ..off().state };
            let seen = Seen { state, organization, host, waived: true, ..off() };
            assert_eq!(decided(&seen, at(400 * DAY)), Ok(Step::Reactivated), "{phase:?}");
        }
    }
    let fresh = Seen { host: H::Active, fresh: true, ..off() };
    assert_eq!(decided(&fresh, at(-1)), Err(Reason::PurgePending), "a deactivation may need time to show");
}

#[test]
fn a_waiver_counts_from_the_latest_possible_date() {
    let waived = |host| Seen { waived: true, host, latest_purge_at: at(DAY), ..off() };
    assert_eq!(decided(&waived(silent()), at(DAY - 1)), Err(Reason::PurgePending));
    assert_eq!(decided(&waived(silent()), at(DAY)), Ok(Step::Purged(PurgeConfirmation::Waiver)));
    let doubted = Seen { doubt: Some("the clock jumped".into()), ..waived(silent()) };
    assert_eq!(decided(&doubted, at(DAY)), Err(Reason::PurgePending));
    // Off, by its own host: there it is, for a week at least.
    assert_eq!(decided(&waived(H::Disabled), at(8 * DAY - 1)), Err(Reason::PurgePending));
    assert_eq!(decided(&waived(H::Disabled), at(8 * DAY)), Ok(Step::Purged(PurgeConfirmation::Waiver)));
}

#[test]
fn a_record_whose_object_is_gone_is_followed_by_itself() {
    let state = |phase| State { phase, unknown: vec![history::CallMade { at: at(0), days: 30 }], ..State::default() };
    let seen = |organization, host, orphaned, fresh| Seen {
        state: state(OffboardingPhase::Requested),
        organization,
        host,
        orphaned,
        fresh,
        ..off()
    };
    let unknown = Err(Reason::DeactivationOutcomeUnknown);
    let estimated = Ok(Step::Off(Some((at(30 * DAY), Evidence::Estimated))));
    for (title, seen, expected) in [
        (
            "the organization gives a date",
            seen(O::Off(Some(at(9))), H::NotAsked, true, true),
            Ok(Step::Off(Some((at(9), Evidence::Organization)))),
        ),
        ("its object follows it", seen(O::Off(Some(at(9))), H::NotAsked, false, true), unknown.clone()),
        ("off, as its host says", seen(O::NotAsked, H::Disabled, true, true), estimated.clone()),
        ("in use, and the call may still arrive", seen(O::NotAsked, H::Active, true, true), unknown.clone()),
        ("in use", seen(O::NotAsked, H::Active, true, false), Ok(Step::Cancelled)),
        ("gone already", seen(O::NotAsked, H::Gone, true, false), estimated),
        ("nobody can ask", seen(O::NotAsked, silent(), true, false), unknown),
    ] {
        assert_eq!(decided(&seen, at(1)), expected, "{title}");
    }
}
