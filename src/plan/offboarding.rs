//! What should happen next to the record of an off-boarding: count down, confirm the purge, stay as evidence.

use super::{Finding, HOURLY, Next};
use crate::crd::{Evidence, OffboardingPhase, Phase, Reason, Trigger};
use jiff::Timestamp;
use std::time::Duration;

/// What is known about one record in one pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Where the record stands.
    pub phase: OffboardingPhase,
    /// What made it.
    pub trigger: Trigger,
    /// The purge date on record.
    pub purge_at: Option<Timestamp>,
    /// The latest date at which Qlik may purge the tenant, where its own date is not known.
    pub latest_purge_at: Option<Timestamp>,
    /// How sure it is.
    pub evidence: Option<Evidence>,
    /// What the organization API says, where it can be asked.
    pub organization: Organization,
    /// Why the clocks cannot be trusted, if so; also when Qlik's own date is not known.
    pub doubt: Option<String>,
}

/// The tenant by the organization API.
#[derive(Clone, Debug, PartialEq)]
pub enum Organization {
    /// There is no organization credential, or it was not asked.
    NotAsked,
    /// The tenant is in use.
    Active,
    /// The tenant is off and will be purged at this date, if the API gives one.
    Off(Option<Timestamp>),
    /// The tenant is purged, or not listed any more.
    Gone,
}

/// The one effect on a record: its new standing.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The tenant is purged.
    Purged(Evidence),
    /// The tenant is back.
    Reactivated,
    /// The organization API gives another date than the one on record.
    Date(Timestamp),
}

/// Decides the next step of one record.
pub fn next(seen: &Seen, now: Timestamp) -> Next<Step> {
    match seen.phase {
        OffboardingPhase::Requested => Next::Wait {
            finding: Finding::passing(
                Phase::Deactivating,
                Reason::DeactivationOutcomeUnknown,
                "recorded; whether Qlik deactivated the tenant is not known yet",
            ),
            recheck: HOURLY,
        },
        OffboardingPhase::Reactivated => over(Phase::Ready, Reason::Settled, "the tenant was brought back"),
        OffboardingPhase::Cancelled => over(Phase::Ready, Reason::Settled, "the deactivation never took effect"),
        OffboardingPhase::Purged => over(Phase::Purged, Reason::Purged, "the tenant was purged"),
        OffboardingPhase::Scheduled => scheduled(seen, now),
    }
}

fn over(phase: Phase, reason: Reason, message: &str) -> Next<Step> {
    Next::Settled { finding: Finding::passing(phase, reason, message), recheck: HOURLY * 24 * 30 }
}

fn scheduled(seen: &Seen, now: Timestamp) -> Next<Step> {
    let due = seen.purge_at.is_some_and(|at| now >= at);
    let estimated = seen.evidence == Some(Evidence::Estimated);
    let concluded = if estimated { seen.latest_purge_at.is_some_and(|at| now >= at) } else { due };
    match &seen.organization {
        Organization::Gone if seen.doubt.is_none() => return Next::Do(Step::Purged(Evidence::Organization)),
        Organization::Active => return Next::Do(Step::Reactivated),
        Organization::Off(Some(at)) if seen.purge_at != Some(*at) && seen.evidence != Some(Evidence::Date) => {
            return Next::Do(Step::Date(*at));
        }
        // By date alone a purge is only concluded where nobody can be asked, and of an estimate only its latest end.
        Organization::NotAsked if concluded && seen.doubt.is_none() => {
            return Next::Do(Step::Purged(if estimated { Evidence::Estimated } else { Evidence::Date }));
        }
        Organization::NotAsked | Organization::Gone | Organization::Off(_) => {}
    }
    let (message, recheck) = match (seen.purge_at, &seen.doubt) {
        (Some(at), Some(doubt)) if due => (format!("the purge date {at} has passed; not concluded: {doubt}"), HOURLY),
        (Some(at), _) if due => {
            (format!("the purge date {at} has passed and Qlik has not purged the tenant yet"), HOURLY)
        }
        (Some(at), _) => (format!("Qlik purges the tenant at {at}"), until(at, now).min(HOURLY)),
        (None, _) => ("nobody can tell when Qlik purges the tenant".to_owned(), HOURLY),
    };
    Next::Wait { finding: Finding::passing(Phase::Deactivated, Reason::PurgePending, message), recheck }
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Organization as O;

    #[test]
    fn a_purge_is_concluded_only_by_who_can_know() {
        let at = Timestamp::from_second(2_000_000).unwrap();
        let before = Timestamp::from_second(1_000_000).unwrap();
        let latest = Timestamp::from_second(3_000_000).unwrap();
        let purged = |evidence| Next::Do(Step::Purged(evidence));
        let waits = |next: &Next<Step>| matches!(next, Next::Wait { .. });
        let seen = |organization: Organization, evidence, doubt: bool| Seen {
            phase: OffboardingPhase::Scheduled,
            trigger: Trigger::Lifecycle,
            purge_at: Some(at),
            latest_purge_at: Some(latest),
            evidence: Some(evidence),
            organization,
            doubt: doubt.then(|| "the clock jumped".to_owned()),
        };
        assert!(waits(&next(&seen(O::NotAsked, Evidence::Date, false), before)), "not before the date");
        assert_eq!(next(&seen(O::NotAsked, Evidence::Date, false), at), purged(Evidence::Date));
        assert!(waits(&next(&seen(O::NotAsked, Evidence::Estimated, false), at)), "an estimate is the earliest date");
        assert_eq!(next(&seen(O::NotAsked, Evidence::Estimated, false), latest), purged(Evidence::Estimated));
        assert!(waits(&next(&seen(O::NotAsked, Evidence::Date, true), at)), "not while the clocks disagree");
        assert!(waits(&next(&seen(O::Off(Some(at)), Evidence::Date, false), at)), "not while Qlik still lists it");
        assert_eq!(next(&seen(O::Gone, Evidence::Date, false), before), purged(Evidence::Organization));
        assert!(waits(&next(&seen(O::Gone, Evidence::Date, true), at)), "nothing final under doubt");
        assert_eq!(next(&seen(O::Active, Evidence::Date, true), at), Next::Do(Step::Reactivated));
        let off_later = seen(O::Off(Some(latest)), Evidence::Estimated, false);
        assert_eq!(next(&off_later, before), Next::Do(Step::Date(latest)), "Qlik's word replaces an estimate");
    }
}
