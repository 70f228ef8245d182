//! The time for which this process may act.
//!
//! A process that was stopped for a while does not notice that another one leads meanwhile. So it asks before each call
//! that changes something, by a clock that goes on while it stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Whether this process may act. Cheap to ask before each call that changes something.
#[derive(Clone, Debug, Default)]
pub struct Term {
    /// Monotonic milliseconds until which it may; zero before the election, and where there is none.
    until: Option<Arc<AtomicU64>>,
}

impl Term {
    /// Without an election: always.
    pub fn unlimited() -> Self {
        Self { until: None }
    }

    /// Not yet.
    pub fn not_begun() -> Self {
        Self { until: Some(Arc::default()) }
    }

    /// Whether the lease surely still holds, at this monotonic time.
    pub fn holds(&self, now: Duration) -> bool {
        self.until.as_ref().is_none_or(|until| millis(now) < until.load(Ordering::Acquire))
    }

    /// Lets it act until then (monotonic time), in place of what was said before.
    pub fn set(&self, until: Duration) {
        if let Some(end) = &self.until {
            end.store(millis(until), Ordering::Release);
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_by_itself() {
        let s = Duration::from_secs;
        assert!(Term::unlimited().holds(Duration::MAX));
        let term = Term::not_begun();
        assert!(!term.holds(s(0)));
        term.set(s(10));
        assert!(term.holds(s(9)) && !term.holds(s(10)));
        term.set(Duration::ZERO);
        assert!(!term.holds(s(1)));
    }
}
