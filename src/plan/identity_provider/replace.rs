//! What Qlik Cloud cannot change of a provider is replaced: the new one is made beside it, takes its place when it can,
//! and then the former one goes. Until then nothing is done to the former one, so a replacement that fails harms nobody.

use super::{Change, Desired, KeySource, Role, SecretSeen, Seen, Step, create, drift, in_the_way, trial};
use crate::plan::Next;
use crate::qlik::IdentityProvider;
use jiff::Timestamp;

/// The successor stands in the former one's place: say so.
pub(super) fn succeed(want: &Desired, seen: &Seen, now: Timestamp) -> Option<Step> {
    let successor = seen.successor()?;
    match &want.key {
        KeySource::Generated(_) => {
            let SecretSeen::Ours(keys) = &seen.secret else { return None };
            let in_secret = keys.current.as_ref().is_some_and(|pair| successor.kid() == Some(&pair.kid));
            in_secret.then(|| Step::Succeed(now + want.turnover.overlap))
        }
        KeySource::Given { .. } => drift::unchangeable(want, successor, seen).is_empty().then_some(Step::Succeed(now)),
        KeySource::None => {
            let ready = successor.active || (!want.active && is_usable(want, successor, seen));
            ready.then_some(Step::Succeed(now))
        }
    }
}

fn is_usable(want: &Desired, provider: &IdentityProvider, seen: &Seen) -> bool {
    drift::has_options(want, provider, seen) && (!want.tried || drift::is_live(want, provider, seen))
}

/// Brings a successor about, where one is needed, and into its place.
pub(super) fn next(want: &Desired, seen: &Seen, current: &IdentityProvider, now: Timestamp) -> Option<Next<Step>> {
    if matches!(want.key, KeySource::Generated(_)) {
        return None; // its key and its issuer change together with the Secret
    }
    let needed = !drift::unchangeable(want, current, seen).is_empty();
    let Some(successor) = seen.successor() else {
        return needed.then(|| begin(want, seen, now));
    };
    // The manifest was changed once more, or back.
    if !needed || !drift::unchangeable(want, successor, seen).is_empty() {
        return Some(Next::Do(Step::Delete(successor.id.clone())));
    }
    let id = successor.id.clone();
    let changes = drift::changes(want, successor, seen);
    if !changes.is_empty() {
        return Some(Next::Do(Step::Change(id, changes)));
    }
    if !is_usable(want, successor, seen) {
        return trial::next(want, seen, successor);
    }
    Some(Next::Do(match in_the_way(want, seen, &id) {
        Some(from) => Step::Switch { from, to: id },
        None => Step::Change(id, vec![Change::Active(true)]),
    }))
}

fn begin(want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    let suits = |stray: &&IdentityProvider| drift::unchangeable(want, stray, seen).is_empty();
    match seen.strays().find(suits) {
        Some(stray) => Next::Do(Step::Adopt(stray.id.clone())),
        None => create(seen, now, Step::Create { role: Role::Successor, kid: None }),
    }
}
