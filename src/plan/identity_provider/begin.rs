//! There is no provider as far as the status knows: take one back that carries the mark, or make one.

use super::{Desired, KeySource, Role, SecretSeen, Seen, Step, create, drift, human};
use crate::crd::Reason;
use crate::plan::Next;
use crate::plan::intent::{IntentStep, Permit};
use crate::qlik::{IdentityProvider, ProviderId};
use jiff::Timestamp;

pub(super) fn next(want: &Desired, seen: &Seen, now: Timestamp) -> Next<Step> {
    // The one in use is gone; the one that was to take over does so now.
    if let Some(successor) = seen.successor() {
        return Next::Do(Step::Bind(successor.id.clone()));
    }
    if let Some(id) = best(want, seen) {
        return Next::Do(Step::Bind(id));
    }
    if seen.record.current.is_some() {
        return Next::Do(Step::Forget);
    }
    if let (Permit::TakeOver, false) = (seen.intent.permit(IntentStep::Create, now), seen.unmarked.is_empty()) {
        return unmarked(seen);
    }
    let kid = match (&want.key, &seen.secret) {
        (KeySource::Generated(_), SecretSeen::Ours(keys)) => keys.current.as_ref().filter(|pair| pair.fits),
        _ => None,
    };
    // The key is in the Secret before Qlik Cloud knows it, so that it cannot be lost between the two.
    if kid.is_none() && matches!(want.key, KeySource::Generated(_)) {
        return create(seen, now, Step::NewKey);
    }
    create(seen, now, Step::Create { role: Role::Only, kid: kid.map(|pair| pair.kid.clone()) })
}

/// A call of unknown outcome may have made one of these, and Qlik Cloud does not show the mark that would tell.
fn unmarked(seen: &Seen) -> Next<Step> {
    let ids: Vec<_> = seen.unmarked.iter().map(ToString::to_string).collect();
    human(
        Reason::CreateOutcomeUnknown,
        format!(
            "the answer to the creation was lost, and Qlik Cloud does not show the description of {}, which is of the same kind: \
             whether it was made here is not known, and no other one is made. If nothing uses it, delete it in Qlik Cloud",
            ids.join(", ")
        ),
    )
}

/// Of the providers that carry the mark, the one that is nearest to what is declared; where all are alike, the newest.
fn best(want: &Desired, seen: &Seen) -> Option<ProviderId> {
    let key = match &seen.secret {
        SecretSeen::Ours(keys) => keys.current.as_ref().map(|pair| pair.kid.as_str()),
        _ => None,
    };
    let rank = |provider: &&IdentityProvider| {
        let has_key = key.is_some() && provider.kid() == key;
        let suits = drift::unchangeable(want, provider, seen).is_empty();
        (provider.reigns(), has_key, suits, provider.created)
    };
    seen.strays().max_by_key(rank).map(|provider| provider.id.clone())
}
