//! What should happen next to one identity provider.
//!
//! `begin` (there is none yet), `keys` (a generated key pair), `replace` (what Qlik Cloud cannot change), `trial` (a human
//! tries the login), `release` (the object is being deleted); `drift` compares.

mod begin;
mod claims;
mod desired;
mod drift;
mod facts;
mod keys;
mod release;
mod replace;
mod trial;

pub use desired::{Desired, KeySource, Turnover};
pub use drift::{differing, is_live, unchangeable, waits_for_trial, written_unseen};
pub use facts::{Change, Keys, Occupant, Pair, Print, Record, Role, SecretSeen, Seen, Step, Trial};
pub use keys::due as rotates_at;

use super::child::{self, Place, RETRY, SOON, until, wait};
use super::intent::{IntentStep, Permit};
use super::{Deletion, Finding, Next, human};
use crate::crd::{Phase, Reason};
use crate::qlik::{IdentityProvider, Protocol, ProviderId};
use jiff::Timestamp;
use std::time::Duration;

/// Decides the next step of one identity provider.
pub fn next(want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    if seen.deletion != Deletion::None {
        return release::next(want, seen, now);
    }
    match &seen.place {
        Place::Waiting(finding) => return Next::Wait { finding: finding.clone(), recheck: WAITING },
        Place::Covered(finding) => return Next::Settled { finding: finding.clone(), recheck: WAITING },
        Place::Usable { moved: true, .. } if seen.record.current.is_some() => return Next::Do(Step::Forget),
        Place::Usable { .. } => {}
    }
    if !seen.looked {
        return wait(Reason::Creating, "the tenant's identity providers were not looked at yet", SOON);
    }
    if let Some(next) = keys::blocked(seen).or_else(|| conflict(want, seen)) {
        return next;
    }
    let Some(current) = seen.current() else {
        return begin::next(want, seen, now);
    };
    if !seen.held {
        return Next::Do(Step::Hold); // somebody removed the finalizer by hand
    }
    in_use(want, seen, current, now)
}

/// How often a child looks at its tenant by itself; the tenant's own changes wake it at once.
const WAITING: Duration = Duration::from_secs(600);

/// Of the providers through which people log in one can be in use: that of the oldest object.
fn conflict(want: &Desired, seen: &Seen) -> Option<Next<Step>> {
    if !want.reigns() {
        return None;
    }
    if let Some(rival) = &seen.rival {
        let message = format!(
            "people log in to a tenant through one provider only, and {rival} is older and asks for that: nothing is done here. \
             Set spec.active: false in one of the two, or delete one"
        );
        return Some(conflicting(message));
    }
    match &seen.occupant {
        Some(Occupant { id, object: None, shown }) => {
            let (what, then) = if *shown {
                ("people log in", "they go on logging in")
            } else {
                ("people may log in (Qlik Cloud does not show whether it is in use)", "it is left as it is")
            };
            Some(conflicting(format!(
                "{what} through identity provider {id}, which no object here stands for: nothing is done here, and {then}. {} Otherwise it \
                 was made in the tenant's administration: set spec.active: false here, and this one stands by until that one is given up",
                child::other_cluster(&seen.intent)
            )))
        }
        Some(_) | None => None,
    }
}

/// Looked at again soon: what ends it may happen to another object, or in Qlik Cloud alone.
fn conflicting(message: String) -> Next<Step> {
    Next::Wait { finding: Finding::human(Reason::Conflict, message), recheck: RETRY }
}

/// There is a provider: bring it to what is declared, or replace it.
fn in_use(want: &Desired, seen: &Seen, current: &IdentityProvider, now: Timestamp) -> Next<Step> {
    if let Some(step) = replace::succeed(want, seen, now) {
        return Next::Do(step);
    }
    if let Some(step) = step_aside(want, seen, current).or_else(|| retire(seen, now)) {
        return Next::Do(step);
    }
    let repair = repair(want, seen, current);
    let fought = repair.as_ref().and_then(|step| fought_over(seen, step, now));
    if let Some(step) = repair.filter(|_| fought.is_none()) {
        return Next::Do(step);
    }
    if let Some(next) = keys::next(want, seen, current, now).or_else(|| replace::next(want, seen, current, now)) {
        return next;
    }
    if let Some(next) = trial::next(want, seen, current).or_else(|| idle(want, current)) {
        return next;
    }
    if let Some(step) = tidy(want, seen, now) {
        return Next::Do(step);
    }
    fought.unwrap_or_else(|| settled(want, seen, current, now))
}

/// Somebody else writes the same fields as often. A secret that was exchanged is a change of what is declared.
fn fought_over(seen: &Seen, step: &Step, now: Timestamp) -> Option<Next<Step>> {
    let Step::Change(_, changes) = step else { return None };
    let fields: Vec<_> = changes.iter().map(|change| change.field()).collect();
    let exchanged = changes.iter().any(|change| match change {
        Change::Options => seen.record.print == Print::Differs,
        Change::Pending => seen.record.trial.as_ref().is_none_or(|trial| trial.print == Print::Differs),
        _ => false,
    });
    seen.written.fought_over(&fields, now).filter(|_| !exchanged)
}

/// Two of the object's providers at once are never left in use for people's login, however that came about.
fn step_aside(want: &Desired, seen: &Seen, current: &IdentityProvider) -> Option<Step> {
    let other = seen.mine.iter().find(|p| p.id != current.id && p.reigns())?;
    (current.active || !want.active).then(|| Step::Change(other.id.clone(), vec![Change::Active(false)]))
}

/// A former provider whose time is over.
fn retire(seen: &Seen, now: Timestamp) -> Option<Step> {
    let due = seen.record.retiring.iter().filter(|(id, at)| *at <= now && seen.provider(Some(id)).is_some());
    // One that people still log in through waits for its successor.
    let idle = |id: &ProviderId| seen.provider(Some(id)).is_some_and(|p| !p.reigns());
    due.map(|(id, _)| id).find(|id| idle(id)).map(|id| Step::Delete(id.clone()))
}

/// What can be changed of the provider in use.
fn repair(want: &Desired, seen: &Seen, current: &IdentityProvider) -> Option<Step> {
    let mut changes = drift::changes(want, current, seen);
    if !drift::unchangeable(want, current, seen).is_empty() {
        changes.clear(); // it goes on working as it is until its successor does
    }
    // While nobody has tried its login, it cannot be used.
    let usable = drift::has_options(want, current, seen) || changes.contains(&Change::Options);
    // What is not shown is as it was written last.
    let active = if current.hides("active") { seen.record.active } else { Some(current.active) };
    let other = active != Some(want.active);
    if want.protocol != Protocol::Jwt && other && (usable || !want.active) {
        if let Some(from) = in_the_way(want, seen, &current.id).filter(|_| changes.is_empty()) {
            return Some(Step::Switch { from, to: current.id.clone() });
        }
        if in_the_way(want, seen, &current.id).is_none() {
            changes.push(Change::Active(want.active));
        }
    }
    (!changes.is_empty()).then(|| Step::Change(current.id.clone(), changes))
}

/// The provider through which people log in now, where another one is to take its place: one of the object's own, or a
/// younger object's.
fn in_the_way(want: &Desired, seen: &Seen, to: &ProviderId) -> Option<ProviderId> {
    let own = seen.reigning().map(|provider| &provider.id);
    // Once this object's own was put in its place, one of which that is not shown stands in nobody's way.
    let stands = |occupant: &&Occupant| occupant.shown || seen.record.active != Some(true);
    let others = seen.occupant.as_ref().filter(stands).map(|occupant| &occupant.id);
    own.or(others).filter(|id| want.reigns() && *id != to).cloned()
}

/// Qlik Cloud has no way to put a provider of signed tokens in use.
fn idle(want: &Desired, current: &IdentityProvider) -> Option<Next<Step>> {
    (want.protocol == Protocol::Jwt && !current.active && !current.hides("active")).then(|| {
        human(
            Reason::NotReversible,
            format!(
                "identity provider {} was deactivated in Qlik Cloud, and its API cannot put one of this kind in use again: \
                 activate it in the tenant's administration, or delete it there, then another one with the same key is made",
                current.id
            ),
        )
    })
}

/// Providers that nothing explains: left by a creation whose answer was lost, or by a status that was wiped.
fn tidy(want: &Desired, seen: &Seen, now: Timestamp) -> Option<Step> {
    // Whoever made it may be about to note it.
    if matches!(seen.intent.permit(IntentStep::Create, now), Permit::Wait(_)) {
        return None;
    }
    let stray = seen.strays().find(|stray| !stray.reigns())?;
    Some(match want.key {
        // Its key may be one that apps still sign with.
        KeySource::Generated(_) => Step::Retire(stray.id.clone(), now + want.turnover.overlap),
        KeySource::None | KeySource::Given { .. } => Step::Delete(stray.id.clone()),
    })
}

fn settled(want: &Desired, seen: &Seen, current: &IdentityProvider, now: Timestamp) -> Next<Step> {
    let ends = seen.record.retiring.iter().map(|(_, at)| *at).min();
    let times = ends.into_iter().chain(keys::due(want, seen, current));
    let leftover = seen.strays().next().map(|_| RETRY);
    let recheck = times.map(|at| until(at, now).max(SOON)).chain(leftover).fold(want.interval, Duration::min);
    let message = match (want.reigns(), ends) {
        (true, _) => "people log in through this provider; if it is deleted or deactivated, they log in with a Qlik Account again".to_owned(),
        (false, _) if want.interactive => "the provider is as declared and not in use: people log in through another one, or with a Qlik Account".to_owned(),
        (false, Some(at)) => format!("the provider is as declared; the former key works until {at}"),
        (false, None) => "the provider is as declared".to_owned() };
    Next::Settled { finding: Finding::passing(Phase::Ready, Reason::Settled, message), recheck }
}

/// A creation under the announcement that it needs.
fn create(seen: &Seen, now: Timestamp, act: Step) -> Next<Step> {
    child::create(&seen.intent, seen.held, now, Step::Announce, act)
}

#[cfg(test)]
mod tests;
