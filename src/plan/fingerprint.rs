//! Fingerprints of secret values: they tell whether a value is still the same and nothing else. They are keyed, so that
//! whoever reads one in a status cannot try out guesses.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac::{self, HMAC_SHA256};

use super::hex;
use crate::qlik::Secret;

const KEY_ID: usize = 8;
const DIGITS: usize = 32;

/// What fingerprints are made with. It comes from a secret that stays in the cluster.
#[derive(Clone)]
pub struct Key {
    id: String,
    key: hmac::Key,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

impl Key {
    /// The key that belongs to a secret.
    pub fn new(secret: &Secret) -> Self {
        let root = hmac::Key::new(HMAC_SHA256, secret.expose().as_bytes());
        // Two labels: the id, which everybody sees, says nothing of the key.
        let key = hmac::sign(&root, b"qlik-operator fingerprint key, version 1");
        let id = hmac::sign(&root, b"qlik-operator fingerprint key id, version 1");
        Self { id: hex(id.as_ref(), KEY_ID), key: hmac::Key::new(HMAC_SHA256, key.as_ref()) }
    }

    /// Tells keys apart.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The fingerprint of named values, in this order.
    pub fn of(&self, values: &[(&str, &[u8])]) -> Fingerprint {
        let mut context = hmac::Context::with_key(&self.key);
        for part in values.iter().flat_map(|(name, value)| [name.as_bytes(), value]) {
            // Behind its length, so that no two lists run together.
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        Fingerprint { key: self.id.clone(), digest: hex(context.sign().as_ref(), DIGITS) }
    }
}

/// A fingerprint, written as `<id of the key>:<digits>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    key: String,
    digest: String,
}

/// A text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 8 hexadecimal digits, a colon and 32 more")]
pub struct Unreadable;

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.key, self.digest)
    }
}

impl FromStr for Fingerprint {
    type Err = Unreadable;
    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let digits = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match text.split_once(':') {
            Some((key, digest)) if (key.len(), digest.len()) == (KEY_ID, DIGITS) && digits(key) && digits(digest) => {
                Ok(Self { key: key.to_owned(), digest: digest.to_owned() })
            }
            Some(_) | None => Err(Unreadable),
        }
    }
}

/// What two fingerprints say of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// They are the same.
    Same,
    /// They are not.
    Differs,
    /// Nothing: the key has been replaced in between.
    OtherKey,
}

/// Compares a fingerprint on record with one made now.
pub fn compare(stored: &Fingerprint, now: &Fingerprint) -> Comparison {
    match (stored.key == now.key, stored.digest == now.digest) {
        (false, _) => Comparison::OtherKey,
        (true, true) => Comparison::Same,
        (true, false) => Comparison::Differs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(secret: &str) -> Key {
        Key::new(&Secret::new(secret))
    }

    #[test]
    fn stay_the_same_from_release_to_release() {
        let fingerprint = key("root").of(&[("clientSecret", b"s3cret")]);
        assert_eq!(fingerprint.to_string(), "c6530851:47b9c619748a04517f3d28e7c992f918");
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    }

    #[test]
    fn compared() {
        let (one, two) = (key("one"), key("two"));
        let of = |key: &Key, value: &str| key.of(&[("v", value.as_bytes())]);
        for (stored, now, expected) in [
            (of(&one, "a"), of(&one, "a"), Comparison::Same),
            (of(&one, "a"), of(&one, "b"), Comparison::Differs),
            (of(&one, "a"), of(&two, "a"), Comparison::OtherKey),
            (of(&one, "a"), of(&two, "b"), Comparison::OtherKey),
        ] {
            assert_eq!(compare(&stored, &now), expected);
        }
    }

    #[test]
    fn nothing_shows_the_secret() {
        let key = key("canary");
        assert!(!format!("{key:?}").contains("canary") && key.id() != key.of(&[]).digest.split_at(KEY_ID).0);
    }

    #[test]
    fn only_fingerprints_are_read() {
        let good = key("root").of(&[]).to_string();
        for bad in ["", ":", &good[1..], &good.replace(':', ""), &good.to_uppercase(), &format!("{good}0"), "ä:ö"] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(Unreadable), "{bad}");
        }
    }

    fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
        prop::collection::vec(("[ab]{0,2}", "[ab]{0,2}"), 0..3)
    }

    proptest! {
        #[test]
        fn values_do_not_run_together(a in pairs(), b in pairs()) {
            let of = |values: &[(String, String)]| {
                let values: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
                key("root").of(&values)
            };
            prop_assert_eq!(compare(&of(&a), &of(&b)) == Comparison::Same, a == b);
        }
    }
}
