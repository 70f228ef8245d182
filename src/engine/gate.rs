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
    /// When something that it depends on last changed.
    opened: Duration,
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
        let mut entries = self.lock();
        match entries.get(uid) {
            None => {
                // Its place is kept, so that what changes during its first pass is not missed.
                let entry = Entry { looks: !looks, due: Duration::ZERO, attempt: 0, opened: Duration::ZERO };
                entries.insert(uid.to_owned(), entry);
                Admission::First
            }
            Some(entry) if entry.looks == looks && now < entry.due => Admission::Wait(entry.due.saturating_sub(now)),
            Some(entry) if entry.looks == looks => Admission::Go { attempt: entry.attempt },
            Some(_) => Admission::Go { attempt: 0 },
        }
    }

    /// Sets when the object is due next, after a pass that began at `started`: at once where the gate was opened since
    /// then, because the pass may have looked before that.
    pub fn set(&self, uid: &str, looks: u64, (started, wait): (Duration, Duration), attempt: u32) {
        let mut entries = self.lock();
        let opened = entries.get(uid).map_or(Duration::ZERO, |entry| entry.opened);
        let due = if opened > started { Duration::ZERO } else { started.saturating_add(wait) };
        entries.insert(uid.to_owned(), Entry { looks, due, attempt, opened });
    }

    /// Something that the object depends on changed: let the next pass in. `now` is monotonic time.
    pub fn open(&self, uid: &str, now: Duration) {
        if let Some(entry) = self.lock().get_mut(uid) {
            entry.due = Duration::ZERO;
            entry.opened = now;
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
        gates.set("u", same, (s(0), s(100)), 3);
        assert_eq!(gates.admit("u", same, s(40)), Admission::Wait(s(60)));
        assert_eq!(gates.admit("u", other, s(40)), Admission::Go { attempt: 0 }, "a new generation goes at once");
        assert_eq!(gates.admit("u", same, s(100)), Admission::Go { attempt: 3 });
        gates.set("u", same, (s(100), s(400)), 0);
        gates.open("u", s(101));
        assert_eq!(gates.admit("u", same, s(101)), Admission::Go { attempt: 0 });
    }

    #[test]
    fn what_changes_during_a_pass_is_not_missed() {
        let (gates, s, same) = (Gates::default(), Duration::from_secs, looks(1, false, "a"));
        for started in [s(5), s(50)] {
            gates.admit("u", same, started);
            gates.open("u", started + s(1));
            gates.set("u", same, (started, s(3600)), 0);
            assert_eq!(gates.admit("u", same, started + s(2)), Admission::Go { attempt: 0 });
        }
        gates.set("u", same, (s(52), s(3600)), 0);
        assert_eq!(gates.admit("u", same, s(53)), Admission::Wait(s(3599)), "it was looked at since");
    }
}
