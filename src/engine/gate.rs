//! Backoff that watch events cannot defeat, and a start that makes no calls.
//!
//! kube's scheduler always keeps the earlier of two runs, so an event that changes nothing would cut a long delay short.
//! The gate remembers, for each object, when it is due and what it looked like; a pass that comes early for an object
//! that looks the same is sent back to wait.

use crate::plan::schedule::fnv1a;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// When each object is due. Keyed by uid.
#[derive(Debug, Default)]
pub struct Gates {
    entries: Mutex<HashMap<String, Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    looks: u64,
    due: Duration,
    attempt: u32,
}

/// What the gate says to a pass.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Seen for the first time since the start.
    First,
    /// Go on; this many attempts failed in a row before.
    Go {
        /// Failed attempts in a row.
        attempt: u32,
    },
    /// Not before this time has passed.
    Wait(Duration),
}

/// Stands for what an object looks like: equal for objects between which no pass is needed.
pub(super) fn looks(generation: i64, deleting: bool, rest: &str) -> u64 {
    fnv1a(&format!("{generation}/{deleting}/{rest}"))
}

impl Gates {
    /// Asks for admission. `now` is monotonic time.
    pub(super) fn admit(&self, uid: &str, looks: u64, now: Duration) -> Admission {
        match self.lock().get(uid) {
            None => Admission::First,
            Some(entry) if entry.looks == looks && now < entry.due => Admission::Wait(entry.due.saturating_sub(now)),
            Some(entry) if entry.looks == looks => Admission::Go { attempt: entry.attempt },
            Some(_) => Admission::Go { attempt: 0 },
        }
    }

    /// Sets when the object is due next.
    pub fn set(&self, uid: &str, looks: u64, due: Duration, attempt: u32) {
        self.lock().insert(uid.to_owned(), Entry { looks, due, attempt });
    }

    /// Something that the object depends on changed: let the next pass in.
    pub fn open(&self, uid: &str) {
        if let Some(entry) = self.lock().get_mut(uid) {
            entry.due = Duration::ZERO;
        }
    }

    /// The object is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_changes_nothing_does_not_cut_a_delay_short() {
        let gates = Gates::default();
        let s = Duration::from_secs;
        let (same, other) = (looks(1, false, "a"), looks(2, false, "a"));
        assert_eq!(gates.admit("u", same, s(0)), Admission::First);
        gates.set("u", same, s(100), 3);
        assert_eq!(gates.admit("u", same, s(40)), Admission::Wait(s(60)));
        assert_eq!(gates.admit("u", other, s(40)), Admission::Go { attempt: 0 }, "a new generation goes at once");
        assert_eq!(gates.admit("u", same, s(100)), Admission::Go { attempt: 3 });
        gates.set("u", same, s(500), 0);
        gates.open("u");
        assert_eq!(gates.admit("u", same, s(101)), Admission::Go { attempt: 0 });
    }
}
