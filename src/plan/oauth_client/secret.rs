//! The Secret that an app reads: it always carries a secret or key that works, and what was replaced goes when its time
//! has come.
//!
//! A secret is made in three moves, so that none is ever lost unseen: the Secret is reserved with the list of hints from
//! before, the secret is made, the Secret is written. What a crash between them leaves behind is a hint that is not in
//! the list, made by ourselves: nobody has it, and it is discarded. First the Secret is reserved anew, though: whoever
//! made it may still be about to write it, another process or a write of our own that was not answered, and can no
//! longer after that. A key is made in the same moves, since a key list of Qlik Cloud is written as a whole.

use super::{
    Authentication, Carried, Content, Desired, Issued, MAX_SECRETS, Minting, SOON, SecretSeen, Seen, Step, human, wait,
};
use crate::crd::{Phase, Reason};
use crate::plan::intent::{ACT_WITHIN, Call};
use crate::plan::{Finding, Next};
use crate::qlik::{Jwk, OauthClient, SecretHint};
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
                "the Secret to write exists and belongs to {owner}: it is left alone; name another Secret in a new object"
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
            SecretSeen::Ours(_) | SecretSeen::Free => Some(Next::Do(Step::Deliver { issued: Vec::new() })),
            SecretSeen::NotWanted | SecretSeen::Former | SecretSeen::Terminating | SecretSeen::Foreign(_) => None,
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

/// The field that tells which secrets a client has.
const SECRETS: &str = "clientSecrets";

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
    let there = |current: &Issued| sight.client.hides(SECRETS) || sight.has(&current.id);
    let works = carried.is_whole() && carried.current().is_some_and(there);
    if let Some(lost) = carried.issued.iter().find(|issued| issued.is_lost() && sight.has(&issued.id)) {
        return Some(Next::Do(Step::Discard { hint: lost.id.clone(), lost: true }));
    }
    if let Some((minting, call)) = &carried.minting {
        return Some(sight.minting(carried, (minting, *call), works));
    }
    if !works {
        return Some(sight.reserve(&carried.issued));
    }
    if sight.client.hides(SECRETS) {
        // Which secrets there are is not known: nothing is replaced or taken away, and what the app has stays.
        let stale = carried.content != Content::AsDeclared;
        return stale.then(|| Next::Do(Step::Deliver { issued: carried.issued.clone() }));
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
        self.reserve_without(&[], issued)
    }

    /// The same, when some secrets were made and not delivered. They go once this stands.
    fn reserve_without(&self, lost: &[&SecretHint], issued: &[Issued]) -> Next<Step> {
        if self.client.secrets.len() - lost.len() >= MAX_SECRETS {
            return human(
                Reason::SecretSlotsFull,
                format!(
                    "OAuth client {} has {MAX_SECRETS} secrets, as many as Qlik Cloud keeps, and needs a new one: delete one that nobody uses in Qlik Cloud",
                    self.client.id
                ),
            );
        }
        let mut issued = self.still_there(issued);
        // What the status still knows explains hints that a lost Secret cannot.
        let known = |known: &&Issued| issued.iter().all(|i| i.id != known.id) && self.has(&known.id);
        issued.extend(self.seen.known.iter().filter(known).cloned().collect::<Vec<_>>());
        issued.extend(lost.iter().map(|hint| self.lost(hint)));
        let unexplained: Vec<_> = self.unexplained(&issued).map(|hint| self.retiring(hint)).collect();
        issued.extend(unexplained);
        let before = self.client.secrets.iter().map(|secret| secret.hint.clone()).collect();
        Next::Do(Step::Reserve { issued, before })
    }

    /// Announces a new key. Of those that the client has, some app may use each that was not announced and lost.
    fn reserve_key(&self, carried: Option<&Carried>) -> Next<Step> {
        let mut issued = carried.map(|carried| carried.issued.clone()).unwrap_or_default();
        let minting = carried.and_then(|carried| carried.minting.as_ref());
        let kept = |kid: &String| minting.is_none_or(|(minting, _)| minting.before.contains(kid));
        issued.extend(self.unexplained_keys(&issued, kept));
        let before = issued.iter().map(|issued| issued.id.clone()).collect();
        Next::Do(Step::Reserve { issued, before })
    }

    /// Keys that the client has and the Secret does not tell of, to go after the overlap.
    fn unexplained_keys(&self, issued: &[Issued], kept: impl Fn(&String) -> bool) -> Vec<Issued> {
        let unknown = |key: &&Jwk| issued.iter().all(|issued| issued.id != key.kid) && kept(&key.kid);
        let retiring = |key: &Jwk| Issued {
            id: key.kid.clone(),
            created_at: self.now,
            retires_at: Some(self.end_of_overlap()),
            by: None,
            fingerprint: None,
            jwk: Some(key.clone()),
        };
        self.client.public_keys.iter().filter(unknown).map(retiring).collect()
    }

    /// A secret is announced: make it, or find out what became of the call.
    fn minting(&self, carried: &Carried, (minting, call): (&Minting, Call), works: bool) -> Next<Step> {
        let new = |hint: &&SecretHint| {
            !minting.before.contains(&hint.hint) && carried.issued.iter().all(|issued| issued.id != hint.hint)
        };
        let lost: Vec<_> = self.client.secrets.iter().filter(new).filter(|hint| self.is_mine(hint)).collect();
        if !lost.is_empty() {
            return self.reserve_without(&lost, &carried.issued);
        }
        match self.announced(minting, call) {
            Announced::Open if self.client.secrets.len() < MAX_SECRETS => {
                let former = self.still_there(&self.retire_all(carried));
                Next::Do(Step::Mint { former })
            }
            Announced::Unknown(left) => outcome_unknown(left, works),
            Announced::Open | Announced::Over => self.reserve(&carried.issued),
        }
    }

    fn announced(&self, minting: &Minting, call: Call) -> Announced {
        let age = Duration::try_from(self.now.duration_since(minting.at)).unwrap_or(Duration::ZERO);
        match call {
            Call::NotSent | Call::NoEffect if age <= ACT_WITHIN => Announced::Open,
            Call::Unknown if age < SETTLES_WITHIN => Announced::Unknown(SETTLES_WITHIN.saturating_sub(age)),
            Call::NotSent | Call::NoEffect | Call::Unknown | Call::Closed | Call::Refused => Announced::Over,
        }
    }

    /// Without those that were replaced and are gone. The one in use stays: should this be a mistake, it is not forgotten.
    fn still_there(&self, issued: &[Issued]) -> Vec<Issued> {
        issued.iter().filter(|i| i.retires_at.is_none() || self.has(&i.id)).cloned().collect()
    }

    /// Takes away what was replaced and whose time has come.
    fn retire(&self, carried: &Carried) -> Option<Next<Step>> {
        let over = |issued: &&Issued| issued.is_over(self.now);
        if let Some(issued) = carried.issued.iter().filter(over).find(|issued| self.has(&issued.id)) {
            return Some(Next::Do(Step::Discard { hint: issued.id.clone(), lost: false }));
        }
        let left = self.still_there(&carried.issued);
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

    /// Nobody has it: it goes at once.
    fn lost(&self, hint: &SecretHint) -> Issued {
        let made = self.retiring(hint);
        Issued { retires_at: Some(made.created_at), ..made }
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

    /// All of them as former ones. Where the Secret does not tell which one it carries, the overlap begins now for each.
    fn retire_all(&self, carried: &Carried) -> Vec<Issued> {
        let end = Some(self.end_of_overlap());
        let retires_at = |issued: &Issued| match issued.retires_at {
            Some(at) if carried.is_whole() || issued.is_lost() => Some(at),
            Some(_) | None => end,
        };
        carried.issued.iter().map(|issued| Issued { retires_at: retires_at(issued), ..issued.clone() }).collect()
    }

    /// Whether the schedule or a human asks for a new one. One at a time: while a former one still works, none is made.
    fn wants_rotation(&self, carried: &Carried) -> bool {
        let scheduled = rotates_at(self.want, carried).is_some_and(|at| at <= self.now);
        let quiet = carried.issued.iter().all(|issued| issued.retires_at.is_none());
        quiet && (scheduled || self.seen.rotate.is_some() || self.has_other_algorithm(carried))
    }

    /// The manifest asks for another kind of key than the app has.
    fn has_other_algorithm(&self, carried: &Carried) -> bool {
        let key = carried.current().and_then(|current| current.jwk.as_ref());
        key.zip(self.want.key_algorithm).is_some_and(|(key, wanted)| key.alg != wanted)
    }
}

/// How things stand with an announcement.
enum Announced {
    /// What it announces may be done.
    Open,
    /// That may be under way for this long.
    Unknown(Duration),
    /// It is of no more use.
    Over,
}

fn outcome_unknown(left: Duration, works: bool) -> Next<Step> {
    let message = "a secret was asked for and the answer is not known; what came of it shows shortly";
    let finding = Finding::passing(Phase::Configuring, Reason::SecretPending, message);
    // The app has one that works: nothing is wrong for it.
    if works {
        Next::Settled { finding, recheck: left }
    } else {
        Next::Wait { finding, recheck: left.min(Duration::from_secs(15)) }
    }
}

/// The key pair that the app signs with.
fn generated_key(sight: &Sight<'_>) -> Option<Next<Step>> {
    let carried = match &sight.seen.secret {
        SecretSeen::Ours(carried) => carried,
        SecretSeen::Free => return Some(sight.reserve_key(None)),
        SecretSeen::NotWanted | SecretSeen::Former | SecretSeen::Terminating | SecretSeen::Foreign(_) => return None,
    };
    if let Some((minting, call)) = &carried.minting {
        return Some(match sight.announced(minting, *call) {
            Announced::Open => {
                let mut former = sight.retire_all(carried);
                former.extend(sight.unexplained_keys(&former, |kid| minting.before.contains(kid)));
                Next::Do(Step::NewKey { former })
            }
            Announced::Unknown(left) => outcome_unknown(left, carried.is_whole()),
            Announced::Over => sight.reserve_key(Some(carried)),
        });
    }
    if !carried.is_whole() {
        return Some(sight.reserve_key(Some(carried)));
    }
    let left: Vec<_> = carried.issued.iter().filter(|issued| !issued.is_over(sight.now)).cloned().collect();
    if left.len() != carried.issued.len() || carried.content != Content::AsDeclared || !is_for(carried, sight.client) {
        return Some(Next::Do(Step::Deliver { issued: left }));
    }
    sight.wants_rotation(carried).then(|| sight.reserve_key(Some(carried)))
}
