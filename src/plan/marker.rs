//! The trace that ties a counterpart in Qlik Cloud to its object: a few characters at the end of its description.
//!
//! A creation whose answer was lost is found again by it, and what others made is told from what is ours.

use std::fmt;

use sha2::{Digest, Sha256};

use super::hex;

/// How many characters the trace takes from a description, the blank before it included.
pub const LENGTH: usize = 1 + OPEN.len() + PLACE + 1 + UID + 1;

const OPEN: &str = "[qo:";
const PLACE: usize = 16;
const UID: usize = 8;

/// Names one object of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Marker {
    place: String,
    uid: String,
}

impl Marker {
    /// The trace of an object. `cluster` tells clusters apart, `uid` an object from the next one of the same name.
    pub fn new(cluster: &str, kind: &str, namespace: &str, name: &str, uid: &str) -> Self {
        Self { place: digest(&[cluster, kind, namespace, name], PLACE), uid: digest(&[uid], UID) }
    }

    /// A description with the trace behind it. What people wrote is trimmed.
    pub fn mark(&self, description: Option<&str>) -> String {
        match description.map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => format!("{text} {self}"),
            None => self.to_string(),
        }
    }

    /// What people wrote, trimmed, and the last well-formed trace. Where people wrote behind the trace, their text is
    /// all of it with the trace inside: a change to put right, while the counterpart is still known as ours.
    pub fn split(text: &str) -> (&str, Option<Self>) {
        let text = text.trim();
        let found = text.rmatch_indices(OPEN).find_map(|(start, _)| {
            let (before, rest) = text.split_at(start);
            let (marker, behind) = Self::read(rest)?;
            Some((if behind.is_empty() { before.trim_end() } else { text }, marker))
        });
        found.map_or((text, None), |(people, marker)| (people, Some(marker)))
    }

    /// Whether both stand for the same name in the same cluster, be it another object than now.
    pub fn same_place(&self, other: &Self) -> bool {
        self.place == other.place
    }

    /// A trace at the start of a text, and what follows.
    fn read(text: &str) -> Option<(Self, &str)> {
        let (place, rest) = text.strip_prefix(OPEN)?.split_at_checked(PLACE)?;
        let (uid, rest) = rest.strip_prefix('.')?.split_at_checked(UID)?;
        let rest = rest.strip_prefix(']')?;
        let hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (hex(place) && hex(uid)).then(|| (Self { place: place.to_owned(), uid: uid.to_owned() }, rest))
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{OPEN}{}.{}]", self.place, self.uid)
    }
}

/// The first hexadecimal digits of a digest of texts. Each stands behind its length, so that no two lists run together.
fn digest(texts: &[&str], digits: usize) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hex(&hash.finalize(), digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn marker() -> Marker {
        Marker::new("cluster", "QlikOAuthClient", "team-a", "backend", "0f8fad5b-d9cb-469f-a165-70867728950e")
    }

    #[test]
    fn stays_the_same_from_release_to_release() {
        assert_eq!(marker().mark(Some(" The backend ")), "The backend [qo:f74d926ed08379ef.3f641cef]");
        assert_eq!(marker().mark(None), marker().to_string());
        assert_eq!(marker().mark(Some("  ")), marker().to_string());
        assert_eq!(marker().mark(Some("x")).chars().count(), 1 + LENGTH);
    }

    #[test]
    fn tells_places_and_objects_apart() {
        let of = Marker::new;
        let one = of("c", "k", "ns", "n", "u");
        for other in [
            of("d", "k", "ns", "n", "u"),
            of("c", "l", "ns", "n", "u"),
            of("c", "k", "n", "sn", "u"),
            of("c", "k", "nsn", "", "u"),
            of("ck", "", "ns", "n", "u"),
        ] {
            assert!(!one.same_place(&other) && one != other, "{other}");
        }
        let next = of("c", "k", "ns", "n", "v");
        assert!(one.same_place(&next) && one != next);
    }

    #[test]
    fn only_a_well_formed_one_is_one() {
        let good = marker().to_string();
        for text in [
            "",
            "[qo:]",
            "[qo:0123456789abcdef.0123456]",
            "[qo:0123456789abcdef.012345678]",
            "[qo:0123456789ABCDEF.01234567]",
            "[qo:0123456789abcdef-01234567]",
            "[qo:0123456789abcdef.01234567",
            "[QO:0123456789abcdef.01234567]",
            "[qo:0123456789abcdeä.01234567]",
            "qo:0123456789abcdef.01234567]",
        ] {
            assert_eq!(Marker::split(text), (text, None), "{text}");
            // Beside a good one they are text like any other.
            assert_eq!(Marker::split(&format!("{text} {good}")), (text, Some(marker())), "{text}");
        }
    }

    #[test]
    fn the_last_one_counts_and_text_behind_it_is_a_change() {
        let other = Marker::new("c", "k", "ns", "n", "u");
        let text = other.mark(Some(&marker().mark(Some("copied"))));
        assert_eq!(Marker::split(&text), (marker().mark(Some("copied")).as_str(), Some(other)));
        let text = format!("{} by hand", marker().mark(Some("wanted")));
        assert_eq!(Marker::split(&text), (text.as_str(), Some(marker())));
        let text = format!("{}[qo:0", marker());
        assert_eq!(Marker::split(&text), (text.as_str(), Some(marker())));
    }

    proptest! {
        #[test]
        fn what_people_wrote_comes_back(text in "(\\PC|[ \\[\\]qo:.0-9a-f\\n]){0,80}", copied in any::<bool>()) {
            let text = if copied { format!("{text}{}", Marker::new("c", "k", "a", "b", "u")) } else { text };
            let marked = marker().mark(Some(&text));
            prop_assert!(marked.chars().count() <= text.chars().count() + LENGTH);
            prop_assert_eq!(Marker::split(&marked), (text.trim(), Some(marker())));
        }

        #[test]
        fn nothing_is_lost_or_found(text in "(\\PC|[ \\[\\]qo:.0-9a-f]){0,80}") {
            let (people, found) = Marker::split(&text);
            prop_assert!(found.is_none() && people == text.trim());
        }
    }
}
