//! How long to wait after a failure: a pure function of the failure's class and how often it happened.

use crate::qlik::Class;
use std::time::Duration;

/// The delay before the next attempt. `attempt` starts at 1; `jitter` is in 0..1 and spreads objects that failed together.
///
/// Transient failures back off exponentially from 1 s to 5 min; what only a human can change is looked at every 10 min,
/// since a changed spec or Secret starts a pass earlier; a throttled call waits as long as Qlik, or our own
/// budget, said.
pub fn after(class: &Class, attempt: u32, jitter: f64) -> Duration {
    let spread = |base: Duration| base.mul_f64(1.0 + 0.25 * jitter.clamp(0.0, 1.0));
    match class {
        Class::Transient => spread(Duration::from_secs(1 << attempt.clamp(1, 9).saturating_sub(1)).min(MAX_TRANSIENT)),
        // Those who wait for the same budget have been given different times already.
        Class::Throttled(wait) => (*wait).max(Duration::from_millis(100)),
        Class::Refused | Class::Misconfigured => spread(HUMAN),
        Class::Conflict => spread(Duration::from_millis(500)),
    }
}

const MAX_TRANSIENT: Duration = Duration::from_secs(300);
const HUMAN: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_decides_the_delay() {
        let s = Duration::from_secs;
        for (class, attempt, expected) in [
            (Class::Transient, 1, s(1)),
            (Class::Transient, 2, s(2)),
            (Class::Transient, 9, s(256)),
            (Class::Transient, 4000, s(256)),
            (Class::Throttled(s(42)), 7, s(42)),
            (Class::Throttled(s(0)), 1, Duration::from_millis(100)),
            (Class::Refused, 1, s(600)),
            (Class::Misconfigured, 30, s(600)),
            (Class::Conflict, 3, Duration::from_millis(500)),
        ] {
            assert_eq!(after(&class, attempt, 0.0), expected, "{class:?} {attempt}");
            assert!(after(&class, attempt, 1.0) <= expected.mul_f64(1.25), "jitter stays within a quarter");
        }
    }
}
