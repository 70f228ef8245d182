//! What should happen next to the record of an off-boarding: count down, see the purge, stay as evidence.
//!
//! That a tenant was purged is seen and never calculated: by the word of Qlik Cloud, twice, an hour apart, or by a human
//! who accepts that nobody can tell. A tenant that answers is in use, whatever the record says.

pub mod history;

use super::{Finding, HOURLY, Next, human};
use crate::crd::{Evidence, OffboardingPhase, Phase, PurgeConfirmation, Reason, WAIVE_PURGE_CONFIRMATION};
use history::State;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// What is known about one record in one pass.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact about the record")]
pub struct Seen {
    /// Id of the tenant, for what people are told.
    pub tenant_id: String,
    /// Where the record stands, by its entries.
    pub state: State,
    /// It is a copy, restored into another namespace than it was written in.
    pub foreign: bool,
    /// The latest date at which Qlik may purge the tenant.
    pub latest_purge_at: Timestamp,
    /// The tenant was deactivated, or that was decided, so lately that Qlik Cloud may not show it yet.
    pub fresh: bool,
    /// The `QlikTenant` that asked is gone, so nobody else follows what came of it.
    pub orphaned: bool,
    /// What the organization API says, where it can be asked.
    pub organization: Organization,
    /// What the tenant's own host says.
    pub host: HostView,
    /// A human accepted, for this tenant, that nobody can confirm the purge.
    pub waived: bool,
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
    /// The organization does not list it, or does not say in which state it is. That may be another organization's
    /// credential, so it proves nothing.
    NotListed,
}

/// The tenant by its own host, asked with the credentials that are on record.
#[derive(Clone, Debug, PartialEq)]
pub enum HostView {
    /// It was not asked.
    NotAsked,
    /// It answers: the tenant is in use.
    Active,
    /// It answers that the tenant is deactivated.
    Disabled,
    /// It answers that there is no such tenant, while another host of the region answers too.
    Gone,
    /// It does not answer, or not so that it proves anything.
    Silent(String),
    /// It cannot be asked: the credentials are gone.
    Unasked(String),
}

/// The one effect on a record: an entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The tenant is purged, and how that is known.
    Purged(PurgeConfirmation),
    /// Qlik Cloud says for the first time that there is no such tenant.
    SeenGone,
    /// Qlik Cloud knows the tenant after all.
    SeenAgain,
    /// The tenant is in use.
    Reactivated,
    /// The tenant is off, and this is known of its purge: the date, and how sure it is.
    Off(Option<(Timestamp, Evidence)>),
    /// The deactivation never took effect.
    Cancelled,
}

/// How far apart two looks are that must both find no tenant.
const APART: SignedDuration = SignedDuration::from_hours(1);
/// How long after its date a purge may take before a human is asked.
const PATIENCE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Decides the next step of one record.
pub fn next(seen: &Seen, now: Timestamp) -> Next<Step> {
    match seen.state.phase {
        OffboardingPhase::Requested if seen.orphaned => orphan(seen),
        OffboardingPhase::Requested => Next::Wait {
            finding: Finding::passing(
                Phase::Deactivating,
                Reason::DeactivationOutcomeUnknown,
                "recorded; whether Qlik deactivated the tenant is not known yet",
            ),
            recheck: HOURLY,
        },
        OffboardingPhase::Reactivated => over(Phase::Ready, Reason::Settled, "the tenant is in use again"),
        OffboardingPhase::Cancelled => over(Phase::Ready, Reason::Settled, "the deactivation never took effect"),
        OffboardingPhase::Released => over(
            Phase::Ready,
            Reason::Settled,
            "the QlikTenant let this tenant go and it lives on; a QlikTenant of the same name takes it back",
        ),
        OffboardingPhase::Purged => purged(seen),
        OffboardingPhase::Scheduled | OffboardingPhase::Unknown => scheduled(seen, now),
    }
}

fn over(phase: Phase, reason: Reason, message: &str) -> Next<Step> {
    Next::Settled { finding: Finding::passing(phase, reason, message), recheck: HOURLY * 24 * 30 }
}

/// Purged on record. Where Qlik Cloud did not say so itself, the tenant is looked at now and then.
fn purged(seen: &Seen) -> Next<Step> {
    if seen.host == HostView::Active || seen.organization == Organization::Active {
        return Next::Do(Step::Reactivated);
    }
    let (message, recheck) = match seen.state.confirmed_by {
        Some(PurgeConfirmation::Host) => ("the tenant was purged, as its own host says", HOURLY * 24 * 30),
        Some(PurgeConfirmation::Organization) => {
            ("the tenant was purged, as the organization API says", HOURLY * 24 * 30)
        }
        Some(PurgeConfirmation::Waiver) => {
            ("the purge date has passed; a human accepted that Qlik Cloud does not confirm the purge", HOURLY * 24)
        }
        Some(PurgeConfirmation::None) | None => {
            ("the purge date has passed (not confirmed by Qlik Cloud)", HOURLY * 24)
        }
    };
    Next::Settled { finding: Finding::passing(Phase::Purged, Reason::Purged, message), recheck }
}

fn scheduled(seen: &Seen, now: Timestamp) -> Next<Step> {
    let in_use = seen.host == HostView::Active || seen.organization == Organization::Active;
    if in_use && !seen.fresh {
        return Next::Do(Step::Reactivated);
    }
    if let Organization::Off(Some(at)) = seen.organization
        && seen.state.purge_at != Some(at)
        && seen.state.evidence != Some(Evidence::Date)
    {
        return Next::Do(Step::Off(Some((at, Evidence::Organization))));
    }
    if !in_use && let Some(next) = gone(seen, now) {
        return next;
    }
    // A tenant that is still off, by its own host, is given its week: it is there, and may be brought back.
    let there = seen.host == HostView::Disabled && now < patience(seen);
    if seen.waived && !there && !in_use && seen.doubt.is_none() && now >= seen.latest_purge_at {
        return Next::Do(Step::Purged(PurgeConfirmation::Waiver));
    }
    countdown(seen, now)
}

/// What follows from what Qlik Cloud says of the tenant's existence; `None` when it says nothing of it.
fn gone(seen: &Seen, now: Timestamp) -> Option<Next<Step>> {
    // Before its date a tenant is not believed to be gone on the word of its host alone.
    let due = seen.state.purge_at.is_none_or(|at| now >= at);
    let known = seen.host == HostView::Disabled || matches!(seen.organization, Organization::Off(_));
    let by = match (&seen.organization, &seen.host) {
        (_, HostView::Disabled) => None, // whatever the organization API says: the host knows the tenant
        (Organization::Gone, _) => Some(PurgeConfirmation::Organization),
        (_, HostView::Gone) if due && !known => Some(PurgeConfirmation::Host),
        _ => None,
    };
    let Some(by) = by.filter(|_| seen.doubt.is_none()) else {
        return (known && seen.state.gone_since.is_some()).then_some(Next::Do(Step::SeenAgain));
    };
    Some(match seen.state.gone_since {
        None => Next::Do(Step::SeenGone),
        Some(since) if now.duration_since(since) >= APART => Next::Do(Step::Purged(by)),
        Some(since) => Next::Wait {
            finding: Finding::passing(
                Phase::Deactivated,
                Reason::PurgePending,
                "Qlik Cloud says that there is no such tenant; it is asked once more an hour later",
            ),
            recheck: until(since.checked_add(APART).unwrap_or(Timestamp::MAX), now),
        },
    })
}

fn countdown(seen: &Seen, now: Timestamp) -> Next<Step> {
    let Some(at) = seen.state.purge_at else {
        return match unconfirmed(seen, now) {
            Some(next) => next,
            None => Next::Settled {
                finding: Finding::passing(
                    Phase::Deactivated,
                    Reason::PurgeDateUnknown,
                    "nobody can tell when Qlik purges the tenant",
                ),
                recheck: HOURLY,
            },
        };
    };
    let pending = |message: String| Finding::passing(Phase::Deactivated, Reason::PurgePending, message);
    if now < at {
        // A countdown that runs is what the record is for.
        let finding = pending(if seen.foreign {
            format!(
                "restored from a backup: the tenant was to be purged at {at}; what happened since is not known, and nothing \
                 is done by this record"
            )
        } else {
            format!("Qlik purges the tenant at {at}")
        });
        return Next::Settled { finding, recheck: until(at, now).min(HOURLY) };
    }
    if let Some(next) = unconfirmed(seen, now) {
        return next;
    }
    let message = match &seen.doubt {
        Some(doubt) => format!("the purge date {at} has passed; not concluded: {doubt}"),
        None => format!("the purge date {at} has passed; {}", said(&seen.host)),
    };
    Next::Wait { finding: pending(message), recheck: HOURLY }
}

fn said(host: &HostView) -> String {
    match host {
        HostView::NotAsked | HostView::Active | HostView::Gone => {
            "whether the tenant was purged is asked again".to_owned()
        }
        HostView::Disabled => "Qlik Cloud has not purged the tenant yet".to_owned(),
        HostView::Silent(why) | HostView::Unasked(why) => format!("whether it was purged is not known: {why}"),
    }
}

/// The end of the time after its latest date in which a purge is waited for.
fn patience(seen: &Seen) -> Timestamp {
    seen.latest_purge_at.checked_add(PATIENCE).unwrap_or(Timestamp::MAX)
}

/// Long after the date, or where nobody can ask at all: a human is asked.
fn unconfirmed(seen: &Seen, now: Timestamp) -> Option<Next<Step>> {
    let blind = matches!(seen.host, HostView::Unasked(_)) && seen.organization == Organization::NotAsked;
    // Waived already: what is missing is a clock that can be trusted.
    let answered = seen.waived && seen.doubt.is_some();
    let asks = !answered && (now >= patience(seen) || (blind && now >= seen.latest_purge_at));
    asks.then(|| {
        human(
            Reason::PurgeUnconfirmed,
            format!(
                "the purge date has passed and the purge is not confirmed: {}. Nothing is erased. Look into the My Qlik \
                 portal; if the tenant is gone, set annotation {WAIVE_PURGE_CONFIRMATION}={}",
                said(&seen.host),
                seen.tenant_id
            ),
        )
    })
}

/// The object that asked is gone before the outcome was known; Qlik Cloud tells.
fn orphan(seen: &Seen) -> Next<Step> {
    let estimated = || seen.state.earliest_purge().map(|at| (at, Evidence::Estimated));
    match (&seen.organization, &seen.host) {
        (_, HostView::Active) | (Organization::Active, _) if !seen.fresh => Next::Do(Step::Cancelled),
        (Organization::Off(Some(at)), _) => Next::Do(Step::Off(Some((*at, Evidence::Organization)))),
        (Organization::Off(None), _) | (_, HostView::Disabled) => Next::Do(Step::Off(estimated())),
        // It went off, or it could not be gone: from there on it is followed as any other.
        (Organization::Gone, _) | (_, HostView::Gone) if !seen.fresh => Next::Do(Step::Off(estimated())),
        _ => Next::Wait {
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
mod tests;
