//! The record's own controller in the model: its planner, and what Qlik Cloud would tell it.

use super::world::{ID, Tenant, World};
use crate::crd::{Evidence, ExactTime, OffboardingEntry, OffboardingEvent, OffboardingPhase, whole_seconds};
use crate::plan::Next;
use crate::plan::offboarding::history::entry;
use crate::plan::offboarding::{HostView, Organization, Seen, Step, next};
use jiff::{SignedDuration, Timestamp};

/// Passes over every record until there is nothing to enter.
pub(super) fn follow(world: &mut World) {
    for index in 0..world.records.len() {
        for _ in 0..4 {
            let seen = see(world, index);
            let Next::Do(step) = next(&seen, world.now) else {
                break;
            };
            if let Step::Purged(_) = step {
                assert_eq!(world.tenant, Tenant::Purged, "called purged while Qlik Cloud has it");
            }
            let entry = entry_of(&step, world.now);
            let record = &mut world.records[index];
            record.state = record.state.clone().after(&entry);
        }
    }
}

fn see(world: &World, index: usize) -> Seen {
    let record = &world.records[index];
    let due = record.state.purge_at.is_none_or(|at| world.now >= at);
    let asked = due && record.phase() == OffboardingPhase::Scheduled;
    let since = record.state.deactivated_at.unwrap_or(record.requested_at);
    Seen {
        tenant_id: ID.into(),
        state: record.state.clone(),
        foreign: false,
        latest_purge_at: record.state.latest_purge().unwrap_or(Timestamp::MAX),
        fresh: world.now.duration_since(since) < SignedDuration::from_mins(10),
        orphaned: world.released,
        organization: Organization::NotAsked,
        host: match world.tenant {
            _ if !asked => HostView::NotAsked,
            Tenant::Active => HostView::Active,
            Tenant::Off(_) => HostView::Disabled,
            Tenant::None | Tenant::Purged => HostView::Gone,
        },
        waived: false,
        doubt: None,
    }
}

fn entry_of(step: &Step, now: Timestamp) -> OffboardingEntry {
    match step {
        Step::Purged(by) => OffboardingEntry { confirmed_by: Some(*by), ..entry(OffboardingEvent::Purged, now) },
        Step::SeenGone => entry(OffboardingEvent::SeenGone, now),
        Step::SeenAgain => entry(OffboardingEvent::SeenAgain, now),
        Step::Reactivated => entry(OffboardingEvent::Reactivated, now),
        Step::Cancelled => entry(OffboardingEvent::Cancelled, now),
        Step::Off(date) => scheduled(now, date.map(|(at, _)| at), date.map(|(_, evidence)| evidence)),
    }
}

/// The entry of a tenant that is off.
pub(super) fn scheduled(now: Timestamp, purge_at: Option<Timestamp>, evidence: Option<Evidence>) -> OffboardingEntry {
    OffboardingEntry {
        deactivated_at: Some(whole_seconds(now)),
        purge_at: purge_at.map(ExactTime),
        evidence,
        ..entry(OffboardingEvent::Scheduled, now)
    }
}
