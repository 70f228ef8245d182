//! What this process can say of itself: whether its loops turn, and what it lacks for its work.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often hearts and loops beat.
pub const BEAT: Duration = Duration::from_secs(1);
/// A loop that has not turned for so many beats hangs. The longest that one waits for anything is a request of 20 s.
const LONGEST_PAUSE: u64 = 60;

/// Something without which the operator cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The custom resource definitions, and the right to read them.
    Kinds,
    /// The Lease of the leader election.
    Lease,
    /// Every object of every kind and namespace, listed to its end.
    Lists,
}

impl Need {
    const fn name(self) -> &'static str {
        match self {
            Self::Kinds => "CRDs",
            Self::Lease => "lease",
            Self::Lists => "lists",
        }
    }
}

/// The state of this process.
#[derive(Debug, Default)]
pub struct Health {
    /// Beats since the start. Counted rather than measured: a process that was stopped for a while has not hung.
    beats: AtomicU64,
    loops: Mutex<BTreeMap<u64, Loop>>,
    missing: Mutex<BTreeMap<Need, String>>,
    stopping: AtomicBool,
}

#[derive(Debug)]
struct Loop {
    what: &'static str,
    turned: u64,
    /// It has ended although nobody told it to.
    ended: bool,
}

impl Health {
    /// Of a process that has looked at none of these yet.
    pub fn lacking(needs: &[Need]) -> Self {
        let health = Self::default();
        for need in needs {
            health.lacks(*need, "not looked at yet");
        }
        health
    }

    /// One beat of the heart.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Follows a loop from now on.
    pub fn follow(self: &Arc<Self>, what: &'static str) -> Pulse {
        let mut loops = lock(&self.loops);
        let number = loops.last_key_value().map_or(0, |(number, _)| number.saturating_add(1));
        loops.insert(number, Loop { what, turned: self.beats.load(Ordering::Relaxed), ended: false });
        Pulse { health: self.clone(), number, broken: false }
    }

    /// What hangs; empty when all is well.
    pub fn hanging(&self) -> Vec<String> {
        let now = self.beats.load(Ordering::Relaxed);
        let loops = lock(&self.loops);
        let trouble = |it: &Loop| match (it.ended, now.saturating_sub(it.turned)) {
            (true, _) => Some(format!("{}: its loop has ended", it.what)),
            (false, since) if since > LONGEST_PAUSE => Some(format!("{}: no sign of life for {since} s", it.what)),
            (false, _) => None,
        };
        loops.values().filter_map(trouble).collect()
    }

    /// Something is missing, for this reason.
    pub fn lacks(&self, need: Need, why: &str) {
        lock(&self.missing).insert(need, why.to_owned());
    }

    /// It is there.
    pub fn has(&self, need: Need) {
        lock(&self.missing).remove(&need);
    }

    /// No new pass starts any more.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// A line for each thing for which no work can be done.
    pub fn missing(&self) -> Vec<String> {
        let stopping = self.stopping.load(Ordering::Relaxed).then(|| "stopping".to_owned());
        let missing = lock(&self.missing);
        // One line for each: what an error says may have several.
        let line = |(need, why): (&Need, &String)| format!("{}: {}", need.name(), why.replace('\n', " "));
        stopping.into_iter().chain(missing.iter().map(line)).collect()
    }
}

/// The sign of life of one loop. Dropping it ends what it says, unless that happens in a panic.
#[derive(Debug)]
pub struct Pulse {
    health: Arc<Health>,
    number: u64,
    broken: bool,
}

impl Pulse {
    /// The loop turns.
    pub fn beat(&self) {
        let now = self.health.beats.load(Ordering::Relaxed);
        if let Some(it) = lock(&self.health.loops).get_mut(&self.number) {
            it.turned = now;
        }
    }

    /// The loop has ended by itself, which is right only when the process ends.
    pub fn ended(mut self) {
        self.broken = !self.health.stopping.load(Ordering::Relaxed);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let mut loops = lock(&self.health.loops);
        if self.broken || std::thread::panicking() {
            loops.entry(self.number).and_modify(|it| it.ended = true);
        } else {
            loops.remove(&self.number);
        }
    }
}

/// Each change under these locks is a plain assignment, so a poisoned lock holds nothing half-done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beats(health: &Health, count: u64) {
        (0..count).for_each(|_| health.beat());
    }

    #[test]
    fn a_loop_that_hangs_is_named_and_one_that_turns_is_not() {
        let health = Arc::new(Health::default());
        let (hangs, turns) = (health.follow("the election"), health.follow("QlikTenant"));
        beats(&health, LONGEST_PAUSE);
        turns.beat();
        assert!(health.hanging().is_empty());
        beats(&health, 1);
        assert_eq!(health.hanging(), ["the election: no sign of life for 61 s"]);
        hangs.beat();
        assert!(health.hanging().is_empty());
    }

    #[test]
    fn a_loop_may_end_when_told_to_and_not_by_itself() {
        let health = Arc::new(Health::default());
        drop(health.follow("one"));
        beats(&health, 2 * LONGEST_PAUSE);
        assert!(health.hanging().is_empty());
        let (two, three) = (health.follow("two"), health.follow("three"));
        two.ended();
        assert_eq!(health.hanging(), ["two: its loop has ended"]);
        health.stop();
        three.ended();
        assert_eq!(health.hanging(), ["two: its loop has ended"]);
    }

    #[test]
    fn what_is_missing_is_told_line_by_line() {
        let health = Health::lacking(&[Need::Lease, Need::Kinds]);
        assert_eq!(health.missing(), ["CRDs: not looked at yet", "lease: not looked at yet"]);
        health.lacks(Need::Kinds, "none\nfound");
        health.has(Need::Lease);
        assert_eq!(health.missing(), ["CRDs: none found"]);
        health.has(Need::Kinds);
        assert!(health.missing().is_empty());
        health.stop();
        assert_eq!(health.missing(), ["stopping"]);
    }
}
