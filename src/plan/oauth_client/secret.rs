//! The Secret that an app reads: it always carries a secret or key that works, and what was replaced goes when its time
//! has come.
//!
//! A secret is made in three moves, so that none is ever lost unseen: the Secret is reserved with the list of hints from
//! before, the secret is made, the Secret is written. What a crash between them leaves behind is a hint that is not in
//! the list, made by ourselves: nobody has it, and it is discarded.

use super::{
    Authentication, Carried, Content, Desired, Issued, MAX_SECRETS, Minting, SOON, SecretSeen, Seen, Step, human, wait,
};
use crate::crd::{Phase, Reason};
use crate::plan::intent::{ACT_WITHIN, Call};
use crate::plan::{Finding, Next};
use crate::qlik::{OauthClient, SecretHint};
use jiff::Timestamp;
use std::time::Duration;

/// How long a call that makes a secret may still take effect after its announcement.
const SETTLES_WITHIN: Duration = Duration::from_secs(90);

/// Whether the name of the Secret cannot be written to. Decided before anything is made for it.
pub(super) fn blocked(seen: &Seen) -> Option<Next<Step>> {
    match &seen.secret {
        SecretSeen::NotWanted | SecretSeen::Free | SecretSeen::Ours(_) => None,
        SecretSeen::Former => Some(wait(
            Reason::SecretPending,
            "the Secret of a former object of this name is still there; it goes by itself",
            SOON,
        )),
        SecretSeen::Terminating => Some(wait(
            Reason::SecretPending,
            "the Secret is being deleted; it is written again once it is gone (look at its finalizers if it stays)",
            SOON,
        )),
        SecretSeen::Foreign(owner) => Some(human(
            Reason::SecretConflict,
            format!(
                "the Secret to write exists and belongs to {owner}: delete it, or name another Secret in a new object"
            ),
        )),
    }
}

/// The next step for the Secret; `None` when nothing is to be done.
pub(super) fn next(want: &Desired, seen: &Seen, client: &OauthClient, now: Timestamp) -> Option<Next<Step>> {
    match want.authentication {
        Authentication::Secret => client_secret(&Sight { want, seen, client, now }),
        Authentication::GeneratedKey => generated_key(&Sight { want, seen, client, now }),
        Authentication::GivenKey(_) | Authentication::Public => match &seen.secret {
            SecretSeen::Ours(carried) if is_for(carried, client) && carried.content == Content::AsDeclared => None,
            SecretSeen::NotWanted => None,
            SecretSeen::Ours(_) | SecretSeen::Free => Some(Next::Do(Step::Deliver { issued: Vec::new() })),
            SecretSeen::Former | SecretSeen::Terminating | SecretSeen::Foreign(_) => None,
        },
    }
}

/// When the Secret wants attention next.
pub(super) fn due(want: &Desired, seen: &Seen, client: &OauthClient, now: Timestamp) -> Option<Timestamp> {
    let SecretSeen::Ours(carried) = &seen.secret else { return None };
    let retires = carried.issued.iter().filter_map(|issued| issued.retires_at).min();
    let rotation = rotates_at(want, carried).filter(|at| *at > now && is_for(carried, client));
    retires.into_iter().chain(rotation).min()
}

/// When the schedule asks for a new secret or key.
pub fn rotates_at(want: &Desired, carried: &Carried) -> Option<Timestamp> {
    let every = want.turnover.every?;
    carried.current().and_then(|current| current.created_at.checked_add(every).ok())
}

struct Sight<'a> {
    want: &'a Desired,
    seen: &'a Seen,
    client: &'a OauthClient,
    now: Timestamp,
}

fn is_for(carried: &Carried, client: &OauthClient) -> bool {
    carried.client_id.as_deref() == Some(client.id.as_str())
}

fn client_secret(sight: &Sight<'_>) -> Option<Next<Step>> {
    let carried = match &sight.seen.secret {
        SecretSeen::Ours(carried) if is_for(carried, sight.client) => carried,
        // Without the Secret, or with one that is for a former client: what else the client has may still be in use.
        SecretSeen::Ours(_) | SecretSeen::Free => return Some(sight.reserve(&[])),
        SecretSeen::NotWanted | SecretSeen::Former | SecretSeen::Terminating | SecretSeen::Foreign(_) => return None,
    };
    let works = carried.is_whole() && carried.current().is_some_and(|current| sight.has(&current.id));
    if let Some((minting, call)) = &carried.minting {
        return sight.minting(carried, minting, *call, works);
    }
    if !works {
        return Some(sight.reserve(&carried.issued));
    }
    if let Some(next) = sight.retire(carried) {
        return Some(next);
    }
    let unexplained: Vec<_> = sight.unexplained(&carried.issued).cloned().collect();
    if !unexplained.is_empty() || carried.content != Content::AsDeclared {
        let issued = carried.issued.iter().cloned().chain(unexplained.iter().map(|hint| sight.retiring(hint)));
        return Some(Next::Do(Step::Deliver { issued: issued.collect() }));
    }
    sight.wants_rotation(carried).then(|| sight.reserve(&carried.issued))
}

impl Sight<'_> {
    fn has(&self, hint: &str) -> bool {
        self.client.secrets.iter().any(|secret| secret.hint == hint)
    }

    /// Announces a new secret, if Qlik Cloud has room for one.
    fn reserve(&self, issued: &[Issued]) -> Next<Step> {
        if self.client.secrets.len() >= MAX_SECRETS {
            return human(
                Reason::SecretSlotsFull,
                format!(
                    "OAuth client {} has {MAX_SECRETS} secrets, as many as Qlik Cloud keeps, and needs a new one: delete one that nobody uses in Qlik Cloud",
                    self.client.id
                ),
            );
        }
        // What the status still knows explains hints that a lost Secret cannot.
        let known = self.seen.known.iter().filter(|known| issued.iter().all(|i| i.id != known.id)).cloned();
        let mut issued: Vec<_> = issued.iter().cloned().chain(known).filter(|issued| self.has(&issued.id)).collect();
        let unexplained: Vec<_> = self.unexplained(&issued).map(|hint| self.retiring(hint)).collect();
        issued.extend(unexplained);
        let before = self.client.secrets.iter().map(|secret| secret.hint.clone()).collect();
        Next::Do(Step::Reserve { issued, before })
    }

    /// A secret is announced: make it, or find out what became of the call.
    fn minting(&self, carried: &Carried, minting: &Minting, call: Call, works: bool) -> Option<Next<Step>> {
        let new = |hint: &&SecretHint| {
            !minting.before.contains(&hint.hint) && carried.issued.iter().all(|issued| issued.id != hint.hint)
        };
        if let Some(lost) = self.client.secrets.iter().filter(new).find(|hint| self.is_mine(hint)) {
            return Some(Next::Do(Step::Discard { hint: lost.hint.clone(), lost: true }));
        }
        let age = Duration::try_from(self.now.duration_since(minting.at)).unwrap_or(Duration::ZERO);
        match call {
            Call::NotSent | Call::NoEffect if age <= ACT_WITHIN && self.client.secrets.len() < MAX_SECRETS => {
                Some(Next::Do(Step::Mint { former: self.retire_all(&carried.issued) }))
            }
            Call::Unknown if age < SETTLES_WITHIN => {
                let left = SETTLES_WITHIN.saturating_sub(age);
                let message = "a secret was asked for and the answer is not known; what came of it shows shortly";
                let finding = Finding::passing(Phase::Configuring, Reason::SecretPending, message);
                // The app has one that works: nothing is wrong for it.
                Some(if works {
                    Next::Settled { finding, recheck: left }
                } else {
                    Next::Wait { finding, recheck: left.min(Duration::from_secs(15)) }
                })
            }
            Call::NotSent | Call::NoEffect | Call::Unknown | Call::Closed => Some(self.reserve(&carried.issued)),
        }
    }

    /// Takes away what was replaced and whose time has come.
    fn retire(&self, carried: &Carried) -> Option<Next<Step>> {
        let over = |issued: &&Issued| issued.retires_at.is_some_and(|at| at <= self.now);
        if let Some(issued) = carried.issued.iter().filter(over).find(|issued| self.has(&issued.id)) {
            return Some(Next::Do(Step::Discard { hint: issued.id.clone(), lost: false }));
        }
        let left: Vec<_> =
            carried.issued.iter().filter(|i| i.retires_at.is_none() || self.has(&i.id)).cloned().collect();
        (left.len() != carried.issued.len()).then_some(Next::Do(Step::Deliver { issued: left }))
    }

    /// Secrets that we made and nobody remembers.
    fn unexplained<'a>(&'a self, issued: &'a [Issued]) -> impl Iterator<Item = &'a SecretHint> {
        let known = |hint: &&SecretHint| issued.iter().all(|issued| issued.id != hint.hint);
        self.client.secrets.iter().filter(known).filter(|hint| self.is_mine(hint))
    }

    fn is_mine(&self, hint: &SecretHint) -> bool {
        hint.created_by.is_some() && hint.created_by == self.seen.me
    }

    /// Some app may use it: it goes after the overlap, like one that was replaced.
    fn retiring(&self, hint: &SecretHint) -> Issued {
        Issued {
            id: hint.hint.clone(),
            created_at: hint.created_at.unwrap_or(self.now),
            retires_at: Some(self.end_of_overlap()),
            by: hint.created_by.clone(),
            fingerprint: None,
            jwk: None,
        }
    }

    fn end_of_overlap(&self) -> Timestamp {
        self.now.checked_add(self.want.turnover.overlap).unwrap_or(Timestamp::MAX)
    }

    /// All of them as former ones.
    fn retire_all(&self, issued: &[Issued]) -> Vec<Issued> {
        let end = self.end_of_overlap();
        issued.iter().map(|issued| Issued { retires_at: issued.retires_at.or(Some(end)), ..issued.clone() }).collect()
    }

    /// Whether the schedule or a human asks for a new one. One at a time: while a former one still works, none is made.
    fn wants_rotation(&self, carried: &Carried) -> bool {
        let scheduled = rotates_at(self.want, carried).is_some_and(|at| at <= self.now);
        let quiet = carried.issued.iter().all(|issued| issued.retires_at.is_none());
        quiet && (scheduled || self.seen.rotate.is_some())
    }
}

/// The key pair that the app signs with.
fn generated_key(sight: &Sight<'_>) -> Option<Next<Step>> {
    let carried = match &sight.seen.secret {
        SecretSeen::Ours(carried) => carried,
        SecretSeen::Free => return Some(Next::Do(Step::NewKey { former: Vec::new() })),
        SecretSeen::NotWanted | SecretSeen::Former | SecretSeen::Terminating | SecretSeen::Foreign(_) => return None,
    };
    if !carried.is_whole() {
        return Some(Next::Do(Step::NewKey { former: sight.retire_all(&carried.issued) }));
    }
    let left: Vec<_> =
        carried.issued.iter().filter(|i| i.retires_at.is_none_or(|at| at > sight.now)).cloned().collect();
    if left.len() != carried.issued.len() || carried.content != Content::AsDeclared || !is_for(carried, sight.client) {
        return Some(Next::Do(Step::Deliver { issued: left }));
    }
    sight.wants_rotation(carried).then(|| Next::Do(Step::NewKey { former: sight.retire_all(&carried.issued) }))
}
