//! A generated key pair: the Secret says which key apps sign with, and Qlik Cloud must know that key as long as they may.
//!
//! A new key is staged in the Secret, then a provider is made that takes it, then it takes the place of the former one in
//! the Secret. The former provider goes when the overlap is over.

use super::{Desired, KeySource, Keys, Role, SecretSeen, Seen, Step, create, drift, human, wait};
use crate::crd::Reason;
use crate::plan::Next;
use crate::plan::child::SOON;
use crate::qlik::IdentityProvider;
use jiff::Timestamp;

/// A Secret that cannot be written.
pub(super) fn blocked(seen: &Seen) -> Option<Next<Step>> {
    match &seen.secret {
        SecretSeen::NotWanted | SecretSeen::Free | SecretSeen::Ours(_) => None,
        SecretSeen::Former => {
            Some(wait(Reason::SecretPending, "the Secret of a former object of this name is about to go", SOON))
        }
        SecretSeen::Terminating => Some(wait(Reason::SecretPending, "the Secret is being deleted", SOON)),
        SecretSeen::Foreign(owner) => Some(human(
            Reason::SecretConflict,
            format!(
                "the Secret to write belongs to {owner} and is left alone: create another QlikIdentityProvider with another secret.name"
            ),
        )),
    }
}

pub(super) fn next(want: &Desired, seen: &Seen, current: &IdentityProvider, now: Timestamp) -> Option<Next<Step>> {
    if !matches!(want.key, KeySource::Generated(_)) {
        return None;
    }
    let SecretSeen::Ours(keys @ Keys { current: Some(in_secret), staged, .. }) = &seen.secret else {
        return Some(Next::Do(Step::NewKey)); // nobody has a key that works: what it was before goes after the overlap
    };
    let Some(shown) = current.kid() else {
        return not_shown(want, seen, current, now);
    };
    if shown != in_secret.kid {
        return Some(provider_of(&in_secret.kid, want, seen, now));
    }
    let Some(staged) = staged.as_ref().filter(|pair| pair.fits) else {
        let due = is_due(want, seen, current, now) || !in_secret.fits;
        return match (due, keys.in_sync) {
            (true, _) => Some(Next::Do(Step::StageKey)),
            (false, false) => Some(Next::Do(Step::WriteSecret)),
            (false, true) => seen.successor().map(|unneeded| give_up(unneeded, want, seen, now)),
        };
    };
    match seen.successor().filter(|successor| successor.kid() == Some(&staged.kid)) {
        Some(successor) if drift::unchangeable(want, successor, seen).is_empty() => Some(Next::Do(Step::PromoteKey)),
        Some(_) | None => Some(provider_of(&staged.kid, want, seen, now)),
    }
}

/// Qlik Cloud does not show which key the provider has: its schema has that optional. Then nothing is concluded from it, and
/// no other provider is made that could not be told from this one either.
fn not_shown(want: &Desired, seen: &Seen, current: &IdentityProvider, now: Timestamp) -> Option<Next<Step>> {
    let SecretSeen::Ours(keys) = &seen.secret else {
        return None;
    };
    if !keys.in_sync && keys.staged.is_none() {
        return Some(Next::Do(Step::WriteSecret));
    }
    is_due(want, seen, current, now).then(|| {
        human(
            Reason::NotReversible,
            "Qlik Cloud does not show which key this provider has, so its key is not replaced: the former one could not be told from \
             the new one. Create another QlikIdentityProvider, let apps move to its Secret, and delete this one",
        )
    })
}

/// The provider that is to take a key: one that does, or a new one.
fn provider_of(kid: &str, want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    let takes = |provider: &&IdentityProvider| {
        provider.kid() == Some(kid) && drift::unchangeable(want, provider, seen).is_empty()
    };
    let free = |provider: &&IdentityProvider| Some(&provider.id) != seen.record.current.as_ref();
    if let Some(other) = seen.successor().filter(|successor| !takes(successor)) {
        return give_up(other, want, seen, now);
    }
    match seen.mine.iter().filter(free).find(takes) {
        Some(provider) => Next::Do(Step::Adopt(provider.id.clone())),
        None => create(seen, now, Step::Create { role: Role::Successor, kid: Some(kid.to_owned()) }),
    }
}

/// A successor that is no use. One whose key is still staged was never signed with and goes at once. Of another one the
/// status may not tell that it had succeeded, and apps may sign with its key until the overlap is over.
fn give_up(successor: &IdentityProvider, want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    let staged = match &seen.secret {
        SecretSeen::Ours(keys) => keys.staged.as_ref(),
        _ => None,
    };
    let id = successor.id.clone();
    Next::Do(match staged.filter(|pair| successor.kid() == Some(&pair.kid)) {
        Some(_) => Step::Delete(id),
        None => Step::Retire(id, now + want.turnover.overlap),
    })
}

fn is_due(want: &Desired, seen: &Seen, current: &IdentityProvider, now: Timestamp) -> bool {
    seen.rotate.is_some()
        || due(want, seen, current).is_some_and(|at| at <= now)
        || !drift::unchangeable(want, current, seen).is_empty()
}

/// When the key is replaced by itself.
pub fn due(want: &Desired, seen: &Seen, current: &IdentityProvider) -> Option<Timestamp> {
    let KeySource::Generated(_) = want.key else { return None };
    let since = seen.record.key_since.or(current.created)?;
    since.checked_add(want.turnover.every?).ok()
}
