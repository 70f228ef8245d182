//! What should happen next to the record of an off-boarding: count down, confirm the purge, stay as evidence.

use super::{Finding, HOURLY, Next};
use crate::crd::{Evidence, OffboardingPhase, Phase, Reason};
use jiff::Timestamp;
use std::time::Duration;

/// What is known about one record in one pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Where the record stands.
    pub phase: OffboardingPhase,
    /// The purge date on record.
    pub purge_at: Option<Timestamp>,
    /// The latest date at which Qlik may purge the tenant, where its own date is not known.
    pub latest_purge_at: Option<Timestamp>,
    /// How sure it is.
    pub evidence: Option<Evidence>,
    /// The tenant was deactivated, or that was decided, so lately that the organization API may not show it yet.
    pub fresh: bool,
    /// The `QlikTenant` that asked is gone, so nobody else follows what came of it.
    pub orphaned: bool,
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
    /// The tenant is purged.
    Gone,
    /// The organization does not list it. That may be another organization's credential, so it proves nothing.
    NotListed,
}

/// The one effect on a record: its new standing.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The tenant is purged.
    Purged(Evidence),
    /// The tenant is back.
    Reactivated,
    /// The organization API shows the tenant off, with a date that is not on record.
    Off(Option<Timestamp>),
    /// The deactivation never took effect.
    Cancelled,
}

/// Decides the next step of one record.
pub fn next(seen: &Seen, now: Timestamp) -> Next<Step> {
    match seen.phase {
        OffboardingPhase::Requested if seen.orphaned && seen.organization != Organization::NotAsked => orphan(seen),
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
        Organization::Active if !seen.fresh => return Next::Do(Step::Reactivated),
        Organization::Off(Some(at)) if seen.purge_at != Some(*at) && seen.evidence != Some(Evidence::Date) => {
            return Next::Do(Step::Off(Some(*at)));
        }
        // By date alone a purge is only concluded where nobody can be asked, and of an estimate only its latest end.
        Organization::NotAsked | Organization::NotListed if concluded && seen.doubt.is_none() => {
            return Next::Do(Step::Purged(if estimated { Evidence::Estimated } else { Evidence::Date }));
        }
        Organization::NotAsked
        | Organization::NotListed
        | Organization::Active
        | Organization::Gone
        | Organization::Off(_) => {}
    }
    let (message, recheck) = match (seen.purge_at, &seen.doubt) {
        (Some(at), Some(doubt)) if due => (format!("the purge date {at} has passed; not concluded: {doubt}"), HOURLY),
        (Some(at), _) if due => {
            (format!("the purge date {at} has passed and Qlik has not purged the tenant yet"), HOURLY)
        }
        (Some(at), _) => (format!("Qlik purges the tenant at {at}"), until(at, now).min(HOURLY)),
        (None, _) => ("nobody can tell when Qlik purges the tenant".to_owned(), HOURLY),
    };
    let finding = Finding::passing(Phase::Deactivated, Reason::PurgePending, message);
    // A countdown that runs is what the record is for; only one that has run out waits for something.
    if due { Next::Wait { finding, recheck } } else { Next::Settled { finding, recheck } }
}

/// The object that asked is gone before the outcome was known; the organization API tells.
fn orphan(seen: &Seen) -> Next<Step> {
    match &seen.organization {
        Organization::Off(at) => Next::Do(Step::Off(*at)),
        Organization::Gone if seen.doubt.is_none() => Next::Do(Step::Purged(Evidence::Organization)),
        Organization::Active if !seen.fresh => Next::Do(Step::Cancelled),
        Organization::Active | Organization::Gone | Organization::NotAsked | Organization::NotListed => Next::Wait {
            finding: Finding::passing(
                Phase::Deactivating,
                Reason::DeactivationOutcomeUnknown,
                "the QlikTenant is gone; whether Qlik deactivated the tenant is not known yet",
            ),
            recheck: HOURLY,
        },
    }
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
        let waits = |next: &Next<Step>| matches!(next, Next::Wait { .. } | Next::Settled { .. });
        let seen = |organization: Organization, evidence, doubt: bool| Seen {
            phase: OffboardingPhase::Scheduled,
            purge_at: Some(at),
            latest_purge_at: Some(latest),
            evidence: Some(evidence),
            fresh: false,
            orphaned: false,
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
        assert!(waits(&next(&seen(O::NotListed, Evidence::Date, false), before)), "another organization lists nothing");
        assert_eq!(next(&seen(O::NotListed, Evidence::Date, false), at), purged(Evidence::Date));
        let fresh = Seen { fresh: true, ..seen(O::Active, Evidence::Date, false) };
        assert!(waits(&next(&fresh, before)), "a deactivation may need time to show");
        let off_later = seen(O::Off(Some(latest)), Evidence::Estimated, false);
        assert_eq!(next(&off_later, before), Next::Do(Step::Off(Some(latest))), "Qlik's word replaces an estimate");
    }

    #[test]
    fn a_record_whose_object_is_gone_is_followed_by_itself() {
        let at = Timestamp::from_second(2_000_000).unwrap();
        let seen = |organization: Organization, orphaned, fresh| Seen {
            phase: OffboardingPhase::Requested,
            purge_at: None,
            latest_purge_at: None,
            evidence: None,
            fresh,
            orphaned,
            organization,
            doubt: None,
        };
        let step = |seen: &Seen| match next(seen, at) {
            Next::Do(step) => Some(step),
            Next::Wait { .. } | Next::Settled { .. } | Next::Release => None,
        };
        assert_eq!(step(&seen(O::Off(Some(at)), true, true)), Some(Step::Off(Some(at))));
        assert_eq!(step(&seen(O::Off(Some(at)), false, true)), None, "its object follows it");
        assert_eq!(step(&seen(O::Active, true, true)), None, "it may still take effect");
        assert_eq!(step(&seen(O::Active, true, false)), Some(Step::Cancelled));
        assert_eq!(step(&seen(O::NotAsked, true, false)), None);
    }
}
