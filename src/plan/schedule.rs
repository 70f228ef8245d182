//! When to look again at an object that is settled.
//!
//! Each object has its own place inside the interval, given by its uid. So the drift reads of many objects spread
//! evenly, and they stay spread when the operator starts anew: no burst, and nothing to remember.

use jiff::Timestamp;
use std::time::Duration;

/// Time until this object's next place in the interval, never sooner than `at_least`.
pub fn until_slot(uid: &str, interval: Duration, at_least: Duration, now: Timestamp) -> Duration {
    let interval_ms = i128::try_from(interval.as_millis().max(1)).unwrap_or(i128::MAX);
    let place = i128::from(fnv1a(uid)) % interval_ms;
    let earliest = i128::from(now.as_millisecond()) + i128::try_from(at_least.as_millis()).unwrap_or(0);
    let wait = (place - earliest).rem_euclid(interval_ms);
    at_least + Duration::from_millis(u64::try_from(wait).unwrap_or(0))
}

/// A small stable hash: it must give the same place on each start and on each machine.
pub fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_place_does_not_depend_on_when_one_asks(uid in "[a-f0-9]{8}", start in 0i64..4_000_000_000, step in 0u64..1_000) {
            let interval = Duration::from_secs(1_000);
            let now = Timestamp::from_second(start).unwrap();
            let wait = until_slot(&uid, interval, Duration::from_secs(30), now);
            prop_assert!(wait >= Duration::from_secs(30) && wait < Duration::from_secs(1_030));
            let later = now + Duration::from_secs(step.min(wait.as_secs().saturating_sub(30)));
            let again = until_slot(&uid, interval, Duration::from_secs(30), later);
            let (first, second) = (now + wait, later + again);
            prop_assert_eq!((second.as_millisecond() - first.as_millisecond()).rem_euclid(1_000_000), 0);
        }
    }

    #[test]
    fn five_hundred_objects_spread_evenly() {
        let interval = Duration::from_secs(1_800);
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut tenths = [0u32; 10];
        for n in 0..500 {
            let wait = until_slot(&format!("0f8fad5b-d9cb-469f-a165-{n:012x}"), interval, Duration::ZERO, now);
            tenths[usize::try_from(wait.as_secs() / 180).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|&n| (25..=80).contains(&n)), "{tenths:?}");
    }
}
