//! Backoff that watch events cannot defeat, and a start that makes no calls.
//!
//! kube's scheduler always keeps the earlier of two runs, so an event that changes nothing would cut a long delay short.
//! The gate remembers, for each object, when it is due and what it looked like; a pass that comes early for an object
//! that looks the same is sent back to wait.

use crate::plan::schedule::fnv1a;
use kube::core::ObjectMeta;
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
    version: u64,
    /// When the pass that set this began.
    set: Duration,
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
        /// The object is older than what this process wrote itself.
        behind: bool,
    },
    /// Not before this time has passed.
    Wait(Duration),
}

/// Where an object stands at the gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its next pass is due: it is under way, or waits for its turn.
    pub due: bool,
    /// Its last pass failed.
    pub failed: bool,
}

/// What an object looks like.
#[derive(Clone, Copy, Debug)]
pub struct Appearance {
    /// Equal for objects between which no pass is needed.
    looks: u64,
    /// Grows with each write of the object.
    version: u64,
}

impl Appearance {
    /// Of an object with this metadata, `rest` being what else of it counts.
    pub(super) fn new(meta: &ObjectMeta, rest: &str) -> Self {
        let (generation, deleting) = (meta.generation.unwrap_or_default(), meta.deletion_timestamp.is_some());
        Self { looks: fnv1a(&format!("{generation}/{deleting}/{rest}")), version: version(meta) }
    }
}

/// The version of an object as a number that grows with each write.
pub(super) fn version(meta: &ObjectMeta) -> u64 {
    meta.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or_default()
}

/// The watch shows what was written within this time, or is broken: then an object that looks otherwise gets its pass.
const WATCH_SHOWS_WITHIN: Duration = Duration::from_secs(60);

impl Gates {
    /// Asks for admission. `now` is monotonic time.
    pub(super) fn admit(&self, uid: &str, seen: Appearance, now: Duration) -> Admission {
        let mut entries = self.lock();
        let Some(entry) = entries.get(uid) else {
            // Its place is kept, so that what changes during its first pass is not missed.
            let looks = !seen.looks;
            let entry = Entry { looks, version: 0, set: now, due: Duration::ZERO, attempt: 0, opened: Duration::ZERO };
            entries.insert(uid.to_owned(), entry);
            return Admission::First;
        };
        // An object from before our own last write says nothing new: a pass over it would do again what is done since. It is
        // read anew, however long the watch is behind.
        let behind = seen.version < entry.version;
        let soon_shown = behind && now < entry.set.saturating_add(WATCH_SHOWS_WITHIN);
        if !soon_shown && entry.looks != seen.looks {
            return Admission::Go { attempt: 0, behind };
        }
        if now < entry.due {
            return Admission::Wait(entry.due.saturating_sub(now));
        }
        Admission::Go { attempt: entry.attempt, behind }
    }

    /// Sets when the object is due next, after a pass that began at `started`: at once where the gate was opened since
    /// then, because the pass may have looked before that.
    pub fn set(&self, uid: &str, seen: Appearance, (started, wait): (Duration, Duration), attempt: u32) {
        let mut entries = self.lock();
        let opened = entries.get(uid).map_or(Duration::ZERO, |entry| entry.opened);
        let due = if opened > started { Duration::ZERO } else { started.saturating_add(wait) };
        let Appearance { looks, version } = seen;
        entries.insert(uid.to_owned(), Entry { looks, version, set: started, due, attempt, opened });
    }

    /// Something that the object depends on changed: let the next pass in. `now` is monotonic time.
    pub fn open(&self, uid: &str, now: Duration) {
        if let Some(entry) = self.lock().get_mut(uid) {
            entry.due = Duration::ZERO;
            entry.opened = now;
        }
    }

    /// Where an object stands. One that was never seen here is due.
    pub fn standing(&self, uid: &str, now: Duration) -> Standing {
        match self.lock().get(uid) {
            Some(entry) => Standing { due: entry.due <= now, failed: entry.attempt > 0 },
            None => Standing { due: true, failed: false },
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

    fn appearance(generation: i64, version: u64) -> Appearance {
        let resource_version = Some(version.to_string());
        Appearance::new(&ObjectMeta { generation: Some(generation), resource_version, ..ObjectMeta::default() }, "a")
    }

    fn go(attempt: u32) -> Admission {
        Admission::Go { attempt, behind: false }
    }

    #[test]
    fn an_event_that_changes_nothing_does_not_cut_a_delay_short() {
        let gates = Gates::default();
        let s = Duration::from_secs;
        let (same, other) = (appearance(1, 7), appearance(2, 8));
        assert_eq!(gates.admit("u", same, s(0)), Admission::First);
        gates.set("u", same, (s(0), s(100)), 3);
        assert_eq!(gates.standing("u", s(40)), Standing { due: false, failed: true });
        assert_eq!(gates.admit("u", same, s(40)), Admission::Wait(s(60)));
        assert_eq!(gates.admit("u", other, s(40)), go(0), "a new generation goes at once");
        assert_eq!(gates.admit("u", same, s(100)), go(3));
        gates.set("u", same, (s(100), s(400)), 0);
        gates.open("u", s(101));
        assert_eq!(gates.admit("u", same, s(101)), go(0));
    }

    #[test]
    fn what_changes_during_a_pass_is_not_missed() {
        let (gates, s, same) = (Gates::default(), Duration::from_secs, appearance(1, 7));
        for started in [s(5), s(50)] {
            gates.admit("u", same, started);
            gates.open("u", started + s(1));
            gates.set("u", same, (started, s(3600)), 0);
            assert_eq!(gates.admit("u", same, started + s(2)), go(0));
        }
        gates.set("u", same, (s(52), s(3600)), 0);
        assert_eq!(gates.admit("u", same, s(53)), Admission::Wait(s(3599)), "it was looked at since");
    }

    #[test]
    fn an_object_from_before_our_own_write_waits_for_the_watch() {
        let (gates, s) = (Gates::default(), Duration::from_secs);
        let (old, written, newer) = (appearance(1, 7), appearance(2, 9), appearance(3, 10));
        gates.admit("u", old, s(0));
        gates.set("u", written, (s(0), s(100)), 0);
        assert_eq!(gates.admit("u", old, s(1)), Admission::Wait(s(99)));
        assert_eq!(gates.admit("u", newer, s(1)), go(0));
        gates.open("u", s(2));
        assert_eq!(gates.admit("u", old, s(2)), Admission::Go { attempt: 0, behind: true }, "it is due, and read anew");
        let read_anew = Admission::Go { attempt: 0, behind: true };
        assert_eq!(gates.admit("u", old, s(61)), read_anew, "the watch is broken, or versions began anew");
        gates.set("u", old, (s(61), s(100)), 0);
        assert_eq!(gates.admit("u", newer, s(62)), go(0), "whatever was read is what counts then");
    }
}
