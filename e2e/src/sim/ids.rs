//! Random identifiers in Qlik's shapes, repeatable from a seed.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};

const BASE64URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const LOWER_ALNUM: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &[u8] = b"0123456789abcdef";
const DIGITS: &[u8] = b"0123456789";

/// The simulator's only source of randomness besides key generation.
#[derive(Debug)]
pub(crate) struct Ids {
    rng: StdRng,
    secret_prefix: String,
}

impl Ids {
    /// Identifiers from `seed`, or unpredictable ones. Secrets begin with `secret_prefix`.
    pub(crate) fn new(seed: Option<u64>, secret_prefix: &str) -> Self {
        let rng = match seed {
            Some(seed) => StdRng::seed_from_u64(seed),
            None => rand::make_rng(),
        };
        Self { rng, secret_prefix: secret_prefix.to_owned() }
    }

    /// A tenant id: 32 characters of base64url.
    pub(crate) fn tenant(&mut self) -> String {
        self.draw(BASE64URL, 32)
    }

    /// The random label of a tenant's own hostname: 15 lower-case alphanumerics.
    pub(crate) fn hostname(&mut self) -> String {
        self.draw(LOWER_ALNUM, 15)
    }

    /// An object id as users have: 24 hex digits. Subscriptions, roles and trace halves use it too.
    pub(crate) fn object(&mut self) -> String {
        self.draw(HEX, 24)
    }

    /// An OAuth client id: 32 alphanumerics.
    pub(crate) fn client(&mut self) -> String {
        self.draw(LOWER_ALNUM, 32)
    }

    /// A secret, a signature, or any other long opaque value.
    pub(crate) fn secret(&mut self) -> String {
        let random = self.draw(BASE64URL, 64);
        format!("{}{random}", self.secret_prefix)
    }

    /// A secret of a tenant's OAuth client: 64 characters. The first ones, which Qlik shows as its hint, are random;
    /// the prefix that marks secrets follows them.
    pub(crate) fn client_secret(&mut self, hint: usize) -> String {
        let (hint, random) = (self.draw(HEX, hint), self.draw(BASE64URL, 64));
        format!("{hint}{}{random}", self.secret_prefix).chars().take(64).collect()
    }

    /// The id of an access token. It stands inside the token, which cannot begin with anything but its own header.
    pub(crate) fn token(&mut self) -> String {
        let random = self.draw(HEX, 24);
        format!("{}{random}", self.secret_prefix)
    }

    /// A trace id: 32 hex digits.
    pub(crate) fn trace(&mut self) -> String {
        self.draw(HEX, 32)
    }

    /// A licence number: 16 digits.
    pub(crate) fn license(&mut self) -> String {
        self.draw(DIGITS, 16)
    }

    fn draw(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(alphabet[self.rng.random_range(0..alphabet.len())])).collect()
    }
}

/// An id that follows from a text: so many hex digits of its hash.
pub(crate) fn derived(text: &str, digits: usize) -> String {
    let mut hex = format!("{:x}", Sha256::digest(text));
    hex.truncate(digits);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_seeds_differ() {
        let tenant = |seed| Ids::new(Some(seed), "").tenant();
        assert_eq!(tenant(1), tenant(1));
        assert_ne!(tenant(1), tenant(2));
        assert_eq!(tenant(1).len(), 32);
    }
}
