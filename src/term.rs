//! The time for which this process may act, and the pace of the election by which it gets that time.
//!
//! A process that was stopped for a while does not notice that another one leads meanwhile. So it asks before each call
//! that changes something, by a clock that goes on while it stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How an election goes by the clock, with the names and the defaults that it has in Kubernetes' own components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long a lease lasts after its last renewal, in whole seconds: others wait for so long.
    pub lease_duration: Duration,
    /// Without a renewal for this long the leader stops, well before its lease has expired for the others.
    pub renew_deadline: Duration,
    /// Between two renewals.
    pub retry_period: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { lease_duration: seconds(15), renew_deadline: seconds(10), retry_period: seconds(2) }
    }
}

impl Pace {
    /// Why it cannot be used, as client-go judges it: the name of the time that is wrong, in words of a flag, and what is
    /// wrong with it.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let Self { lease_duration, renew_deadline, retry_period } = *self;
        if retry_period.is_zero() {
            return Err((RETRY_PERIOD, "it must be at least 1s".to_owned()));
        }
        // A fifth more, since renewals are not punctual.
        if renew_deadline <= retry_period + retry_period / 5 {
            let (deadline, period) = (renew_deadline.as_secs(), retry_period.as_secs());
            let problem = format!(
                "{deadline}s must be more than 1.2 times {RETRY_PERIOD} ({period}s): a leader has to have time for a renewal"
            );
            return Err((RENEW_DEADLINE, problem));
        }
        if lease_duration <= renew_deadline {
            let (lease, deadline) = (lease_duration.as_secs(), renew_deadline.as_secs());
            let problem = format!(
                "{lease}s must be longer than {RENEW_DEADLINE} ({deadline}s): a leader has to have stopped before another one begins"
            );
            return Err((LEASE_DURATION, problem));
        }
        if i32::try_from(lease_duration.as_secs()).is_err() {
            return Err((LEASE_DURATION, format!("a Lease holds no more than {}s", i32::MAX)));
        }
        Ok(())
    }

    /// Between two looks of those who stand by: with the default, a lease that is given up is taken within a second.
    pub fn look_every(&self) -> Duration {
        self.retry_period / 4
    }
}

const LEASE_DURATION: &str = "--leader-elect-lease-duration";
const RENEW_DEADLINE: &str = "--leader-elect-renew-deadline";
const RETRY_PERIOD: &str = "--leader-elect-retry-period";

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
    fn a_pace_by_which_two_could_lead_is_refused() {
        let pace = |lease, deadline, retry| {
            let [lease_duration, renew_deadline, retry_period] = [lease, deadline, retry].map(Duration::from_secs);
            Pace { lease_duration, renew_deadline, retry_period }
                .check()
                .map_err(|(flag, problem)| format!("{flag}: {problem}"))
        };
        assert_eq!(Pace::default().check(), Ok(()));
        for (lease, deadline, retry) in [(3, 2, 1), (15, 13, 10), (600, 599, 1)] {
            assert_eq!(pace(lease, deadline, retry), Ok(()));
        }
        for (lease, deadline, retry, says) in [
            (15, 15, 2, "--leader-elect-lease-duration: 15s must be longer than --leader-elect-renew-deadline (15s)"),
            (
                15,
                12,
                10,
                "--leader-elect-renew-deadline: 12s must be more than 1.2 times --leader-elect-retry-period (10s)",
            ),
            (15, 10, 0, "--leader-elect-retry-period: it must be at least 1s"),
            (0, 0, 0, "--leader-elect-retry-period: it must be at least 1s"),
            (3_000_000_000, 10, 2, "--leader-elect-lease-duration: a Lease holds no more than 2147483647s"),
        ] {
            let said = pace(lease, deadline, retry).unwrap_err();
            assert!(said.starts_with(says), "{said}");
        }
    }

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
