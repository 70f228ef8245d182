//! Virtual time: real time plus one offset, used for everything the simulator says or decides.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// Real time plus an offset that only grows.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_ms: AtomicI64,
}

impl Clock {
    /// The virtual instant: the one place where the simulator meets real time.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that the simulator asks")]
    pub(crate) fn now(&self) -> Timestamp {
        shift(Timestamp::now(), self.offset_ms.load(Ordering::SeqCst))
    }

    /// Turns the clock forward. There is no way back: Qlik's time has none either.
    pub(crate) fn advance(&self, by: Duration) {
        self.offset_ms.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// How far virtual time is ahead of real time.
    pub(crate) fn offset(&self) -> Duration {
        Duration::from_millis(self.offset_ms.load(Ordering::SeqCst).unsigned_abs())
    }
}

/// `at` plus `by`, held inside the range of timestamps.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    shift(at, millis(by))
}

/// The form in which Qlik writes instants: UTC with milliseconds.
pub(crate) fn iso(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn shift(at: Timestamp, ms: i64) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond().saturating_add(ms)).unwrap_or(Timestamp::MAX)
}

fn millis(by: Duration) -> i64 {
    i64::try_from(by.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_moves_now_and_accumulates() {
        let clock = Clock::default();
        let before = clock.now();
        clock.advance(Duration::from_hours(24));
        clock.advance(Duration::from_hours(24));
        assert!(clock.now() >= later(before, Duration::from_hours(48)));
        assert_eq!(clock.offset(), Duration::from_hours(48));
    }

    #[test]
    fn instants_are_written_with_milliseconds() {
        let at = Timestamp::from_millisecond(1).unwrap();
        assert_eq!(iso(at), "1970-01-01T00:00:00.001Z");
    }

    #[test]
    fn the_far_future_does_not_overflow() {
        assert_eq!(later(Timestamp::MAX, Duration::from_secs(u64::MAX / 2000)), Timestamp::MAX);
    }
}
