//! How many tenants may be deactivated in an hour. Every call is entered into a ring before it is made, so that a call of
//! unknown outcome, one that was repeated, and one of a process that died count like any other.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The time over which calls are counted.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A call that was made, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    at: Timestamp,
    tenant: String,
}

/// The calls of the last hour in one region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ring(Vec<Entry>);

/// Whether one more call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Yes.
    Free,
    /// Not before somebody who was promised the last places has taken them, or has not.
    Promised,
    /// Not before this time.
    NotBefore(Timestamp),
    /// Never: nothing at all is allowed.
    Never,
}

impl Ring {
    /// Reads the JSON text of one region; nothing was entered where there is none. What cannot be read is an error and
    /// not an empty ring.
    pub fn read(text: Option<&str>) -> Result<Self, serde_json::Error> {
        text.map_or(Ok(Self::default()), |text| serde_json::from_str(text).map(Self))
    }

    /// The JSON text.
    pub fn text(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Whether there is room for one more, where `promised` places are given away already.
    pub fn room(&self, limit: u16, promised: usize, now: Timestamp) -> Room {
        let limit = usize::from(limit);
        if limit == 0 {
            return Room::Never;
        }
        let mut counted: Vec<_> = self.0.iter().filter(|entry| counts(entry, now)).map(|entry| entry.at).collect();
        counted.sort_unstable();
        if counted.len().saturating_add(promised) < limit {
            return Room::Free;
        }
        // Once this one does not count any more, so many are left that there is room.
        match counted.len().checked_sub(limit).and_then(|surplus| counted.get(surplus)) {
            Some(at) => Room::NotBefore(at.checked_add(HOUR).unwrap_or(Timestamp::MAX)),
            None => Room::Promised,
        }
    }

    /// Enters a call, and forgets those that do not count any more.
    pub fn enter(&mut self, tenant: &str, now: Timestamp) {
        self.0.retain(|entry| counts(entry, now));
        self.0.push(Entry { at: now, tenant: tenant.to_owned() });
    }
}

/// An entry of a clock that was ahead counts, too: when it was really made is not known.
fn counts(entry: &Entry, now: Timestamp) -> bool {
    now.duration_since(entry.at) < HOUR
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn ring(seconds: &[i64]) -> Ring {
        Ring(seconds.iter().map(|second| Entry { at: at(*second), tenant: "t".into() }).collect())
    }

    #[test]
    fn so_many_in_an_hour_and_no_more() {
        for (entries, limit, promised, now, expected) in [
            (&[][..], 0, 0, 0, Room::Never),
            (&[], 2, 0, 0, Room::Free),
            (&[0], 2, 0, 1, Room::Free),
            (&[0, 1], 2, 0, 2, Room::NotBefore(at(3600))),
            (&[1, 0], 2, 0, 3599, Room::NotBefore(at(3600))),
            (&[0, 1], 2, 0, 3600, Room::Free),
            // What is promised is as good as taken.
            (&[0], 2, 1, 1, Room::Promised),
            (&[], 1, 1, 1, Room::Promised),
            // The limit was lowered: so many have to go that there is room.
            (&[0, 1, 2, 3], 2, 0, 4, Room::NotBefore(at(3602))),
            // The clock jumped back: what it says of the future counts.
            (&[5000, 5001], 2, 0, 0, Room::NotBefore(at(8600))),
        ] {
            assert_eq!(ring(entries).room(limit, promised, at(now)), expected, "{entries:?} {limit} {promised} {now}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_an_empty_ring() {
        assert_eq!(Ring::read(None).unwrap(), Ring::default());
        for text in ["", "{}", "[1]", "[{\"at\":\"now\",\"tenant\":\"t\"}]", "[{\"tenant\":\"t\"}]", "null"] {
            assert!(Ring::read(Some(text)).is_err(), "{text:?}");
        }
        let two = ring(&[1, 2]);
        assert_eq!(Ring::read(Some(&two.text())).unwrap(), two);
    }

    proptest! {
        /// Whatever the clock does but run ahead of itself: in no hour of real time are there more calls than allowed.
        #[test]
        fn never_more_than_the_limit_in_any_hour(
            limit in 1_u16..5,
            steps in prop::collection::vec((0_i64..2000, -4000_i64..=0), 1..60),
        ) {
            let (mut ring, mut real, mut made) = (Ring::default(), 0, Vec::new());
            let mut behind = 0_i64;
            for (passed, jump) in steps {
                real += passed;
                // The clock only ever falls further behind what it was.
                behind += if jump < -3000 { jump } else { 0 };
                let now = at(real + behind);
                if ring.room(limit, 0, now) == Room::Free {
                    ring.enter("t", now);
                    made.push(real);
                }
                ring = Ring::read(Some(&ring.text())).unwrap();
                let lately = made.iter().filter(|then| real - **then < 3600).count();
                prop_assert!(lately <= usize::from(limit), "{lately} of {limit} at {real}");
            }
        }
    }
}
