//! Time. The only file that looks at the machine's clocks.
//!
//! A deactivated tenant is purged on a date that Qlik Cloud names, so Qlik Cloud's own date (the HTTP `Date` header)
//! is what counts. Between two answers it is carried on by the monotonic clock, which nobody can set.

use std::fmt;
#[cfg(feature = "turnable-clock")]
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Clocks that differ by more than this must not decide anything irreversible.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Instants: wall time (UTC), monotonic time, and the last date that Qlik Cloud itself gave (HTTP `Date` header).
#[derive(Clone)]
pub struct Clock {
    inner: Arc<Inner>,
}

struct Inner {
    source: Source,
    /// What the two machine clocks are compared with: the start, then each date of Qlik Cloud.
    anchor: Mutex<Anchor>,
}

enum Source {
    System {
        start: Instant,
    },
    #[cfg(feature = "turnable-clock")]
    Turnable {
        start: Instant,
        offset_file: PathBuf,
    },
    #[cfg(any(test, feature = "turnable-clock"))]
    ByHand(Mutex<(Timestamp, Duration)>),
}

#[derive(Clone, Copy)]
struct Anchor {
    qlik: Option<Timestamp>,
    wall: Timestamp,
    monotonic: Duration,
}

/// Why irreversible steps must be held: two clocks disagree by more than five minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The machine's wall clock and the date of Qlik Cloud's last answer differ.
    AgainstQlik {
        /// How far the machine's clock is ahead (negative: behind).
        ahead: SignedDuration,
    },
    /// The machine's wall clock was set, or the machine slept: it moved differently from the monotonic clock.
    Jumped {
        /// How much further the wall clock went than the monotonic one (negative: less far).
        ahead: SignedDuration,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::AgainstQlik { ahead } | Self::Jumped { ahead }) = *self;
        // Whole minutes: the text goes into a status, which is written again whenever it changes.
        let off = ahead.unsigned_abs().as_secs() / 60;
        let side = if ahead.is_negative() { "behind" } else { "ahead of" };
        match self {
            Self::AgainstQlik { .. } => write!(
                f,
                "the node's clock is {off} min {side} Qlik Cloud's date; irreversible steps are held until the node's time is right"
            ),
            Self::Jumped { .. } => write!(
                f,
                "the node's clock jumped and is {off} min {side} the time that really passed; irreversible steps are held until \
                 Qlik Cloud's next answer confirms the date"
            ),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).field("doubt", &self.doubt()).finish()
    }
}

impl Clock {
    /// The machine's clocks.
    pub fn system() -> Self {
        Self::from_source(Source::System { start: Instant::now() })
    }

    /// The machine's clocks, both moved by the seconds written in `offset_file`; a second number there, which may be
    /// negative, moves the wall clock alone, as somebody who sets it would. The file is read at each look; a missing or
    /// unreadable one means zero. Write it by rename, so that no half-written number is ever seen.
    #[cfg(feature = "turnable-clock")]
    pub fn turnable(offset_file: PathBuf) -> Self {
        Self::from_source(Source::Turnable { start: Instant::now(), offset_file })
    }

    /// A clock that stands still until [`Clock::turn`] moves it.
    #[cfg(any(test, feature = "turnable-clock"))]
    pub fn by_hand(wall: Timestamp) -> Self {
        Self::from_source(Source::ByHand(Mutex::new((wall, Duration::ZERO))))
    }

    /// Moves the two clocks of [`Clock::by_hand`], each on its own; other clocks do not move.
    #[cfg(any(test, feature = "turnable-clock"))]
    pub fn turn(&self, wall: SignedDuration, monotonic: Duration) {
        if let Source::ByHand(set) = &self.inner.source {
            let mut set = lock(set);
            *set = (moved(set.0, wall), set.1.saturating_add(monotonic));
        }
    }

    fn from_source(source: Source) -> Self {
        let (wall, monotonic) = source.look();
        Self { inner: Arc::new(Inner { source, anchor: Mutex::new(Anchor { qlik: None, wall, monotonic }) }) }
    }

    /// The machine's wall clock.
    pub fn wall(&self) -> Timestamp {
        self.inner.source.look().0
    }

    /// Time since the start, by a clock that nobody can set.
    pub fn monotonic(&self) -> Duration {
        self.inner.source.look().1
    }

    /// Notes a date that Qlik Cloud gave just now.
    pub fn saw_qlik_date(&self, date: Timestamp) {
        let (wall, monotonic) = self.inner.source.look();
        *lock(&self.inner.anchor) = Anchor { qlik: Some(date), wall, monotonic };
    }

    /// Qlik Cloud's last date carried on by the monotonic clock; the wall clock as long as there is none.
    pub fn now(&self) -> Timestamp {
        let anchor = *lock(&self.inner.anchor);
        let (wall, monotonic) = self.inner.source.look();
        anchor.qlik.map_or(wall, |qlik| moved(qlik, elapsed(anchor.monotonic, monotonic)))
    }

    /// `Some` when irreversible steps must be held. A new date of Qlik Cloud clears a jump: what counts from then on is
    /// whether that date and the wall clock agree.
    pub fn doubt(&self) -> Option<Doubt> {
        let anchor = *lock(&self.inner.anchor);
        let (wall, monotonic) = self.inner.source.look();
        if let Some(qlik) = anchor.qlik {
            let ahead = anchor.wall.duration_since(qlik);
            if ahead.abs() > TOLERANCE {
                return Some(Doubt::AgainstQlik { ahead });
            }
        }
        let ahead = wall.duration_since(anchor.wall).saturating_sub(elapsed(anchor.monotonic, monotonic));
        (ahead.abs() > TOLERANCE).then_some(Doubt::Jumped { ahead })
    }

    /// Whether Qlik Cloud has given a date since the start.
    pub fn has_qlik_date(&self) -> bool {
        lock(&self.inner.anchor).qlik.is_some()
    }
}

impl Source {
    /// Wall and monotonic time, looked at together so that they can be compared.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else asks")]
    fn look(&self) -> (Timestamp, Duration) {
        match self {
            Self::System { start } => (Timestamp::now(), start.elapsed()),
            #[cfg(feature = "turnable-clock")]
            Self::Turnable { start, offset_file } => {
                let text = std::fs::read_to_string(offset_file).unwrap_or_default();
                let mut numbers = text.split_whitespace();
                let both = numbers.next().and_then(|n| n.parse().ok()).map_or(Duration::ZERO, Duration::from_secs);
                let alone = numbers.next().and_then(|n| n.parse().ok()).unwrap_or_default();
                let wall = SignedDuration::try_from(both).unwrap_or(SignedDuration::ZERO);
                let wall = wall.saturating_add(SignedDuration::from_secs(alone));
                (moved(Timestamp::now(), wall), start.elapsed().saturating_add(both))
            }
            #[cfg(any(test, feature = "turnable-clock"))]
            Self::ByHand(set) => *lock(set),
        }
    }
}

/// `at` moved by `by`, held at the ends of the calendar instead of failing there.
fn moved(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(at)
}

fn elapsed(from: Duration, to: Duration) -> SignedDuration {
    SignedDuration::try_from(to.saturating_sub(from)).unwrap_or(SignedDuration::MAX)
}

/// Every value behind these locks is whole after each assignment, so a poisoned lock holds nothing half-written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: i64 = 60;

    fn noon() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    /// What happens, Qlik's date minus wall at the observation, wall and monotonic progress since, and the doubt.
    type Row = (&'static str, Option<i64>, i64, u64, Option<Doubt>);

    #[test]
    fn doubts() {
        let secs = SignedDuration::from_secs;
        let table: &[Row] = &[
            ("no date yet, steady", None, 3600, 3600, None),
            ("no date yet, set forward", None, 3600, 60, Some(Doubt::Jumped { ahead: secs(3540) })),
            ("no date yet, set back", None, -3600, 0, Some(Doubt::Jumped { ahead: secs(-3600) })),
            ("agreeing", Some(0), 30 * 86400, 30 * 86400, None),
            ("just inside", Some(5 * MIN), 0, 0, None),
            ("wall behind", Some(5 * MIN + 1), 0, 0, Some(Doubt::AgainstQlik { ahead: secs(-301) })),
            ("wall ahead", Some(-3600), 0, 0, Some(Doubt::AgainstQlik { ahead: secs(3600) })),
            ("jump after an observation", Some(0), 1000, 600, Some(Doubt::Jumped { ahead: secs(400) })),
            ("slow drift inside", Some(0), 1000, 800, None),
        ];
        for (what, date, wall, monotonic, doubt) in table {
            let clock = Clock::by_hand(noon());
            if let Some(date) = date {
                clock.saw_qlik_date(noon() + secs(*date));
            }
            clock.turn(secs(*wall), Duration::from_secs(*monotonic));
            assert_eq!(clock.doubt(), *doubt, "{what}");
            assert_eq!(clock.has_qlik_date(), date.is_some(), "{what}");
        }
    }

    #[test]
    fn qlik_date_is_carried_on_by_the_monotonic_clock() {
        let clock = Clock::by_hand(noon());
        assert_eq!(clock.now(), noon());
        let date = noon() - SignedDuration::from_hours(5);
        clock.saw_qlik_date(date);
        clock.turn(SignedDuration::from_hours(100), Duration::from_secs(90));
        assert_eq!(clock.now(), date + SignedDuration::from_secs(90));
    }

    #[test]
    fn a_new_date_clears_a_jump() {
        let clock = Clock::by_hand(noon());
        clock.turn(SignedDuration::from_hours(1), Duration::ZERO);
        assert!(clock.doubt().is_some());
        clock.saw_qlik_date(clock.wall());
        assert_eq!(clock.doubt(), None);
    }

    #[cfg(feature = "turnable-clock")]
    #[test]
    fn a_turned_clock_moves_both_ways_of_telling_time() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("offset");
        let clock = Clock::turnable(file.clone());
        let (wall, monotonic) = (clock.wall(), clock.monotonic());
        assert!(monotonic < Duration::from_mins(1));
        std::fs::write(&file, "2592000\n").unwrap();
        assert!(clock.wall() >= wall + SignedDuration::from_hours(30 * 24));
        assert!(clock.monotonic() >= Duration::from_hours(30 * 24));
        assert_eq!(clock.doubt(), None);
        std::fs::write(&file, "2592000 -3600").unwrap();
        assert!(matches!(clock.doubt(), Some(Doubt::Jumped { ahead }) if ahead.is_negative()), "{:?}", clock.doubt());
    }

    #[test]
    fn doubt_says_what_to_do() {
        let text = Doubt::AgainstQlik { ahead: SignedDuration::from_secs(-400) }.to_string();
        assert!(text.contains("6 min behind Qlik Cloud's date") && text.contains("held"), "{text}");
    }

    #[test]
    fn the_ends_of_the_calendar_do_not_panic() {
        let clock = Clock::by_hand(Timestamp::MAX);
        clock.saw_qlik_date(Timestamp::MIN);
        clock.turn(SignedDuration::MAX, Duration::MAX);
        assert!(clock.doubt().is_some());
        let _ = clock.now();
    }
}
