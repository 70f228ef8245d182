//! Values that must never be seen: they print as `[redacted]` and are wiped when dropped.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use super::ids::ClientId;

/// A secret text. It has no `Serialize` and no comparison; [`Secret::expose`] marks each place that looks inside.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret in.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself. Only for what is sent to Qlik Cloud or written into a Secret.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// An OAuth client of Qlik Cloud, used with the grant `client_credentials`.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The client's id.
    pub client_id: ClientId,
    /// The client's secret.
    pub client_secret: Secret,
}

/// Tells credentials apart without holding them: what tokens and rate budgets are kept under.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CredentialKey([u8; 32]);

impl fmt::Debug for CredentialKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialKey(..)")
    }
}

impl Credential {
    /// The key of this id and secret. A rotated secret has another key, so it never meets the old one's token.
    pub fn key(&self) -> CredentialKey {
        let mut hash = Sha256::new();
        hash.update(self.client_id.as_str().as_bytes());
        // An id cannot contain NUL, so no two pairs run together.
        hash.update([0]);
        hash.update(self.client_secret.expose().as_bytes());
        CredentialKey(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(secret: &str) -> Credential {
        Credential { client_id: "client".parse().unwrap(), client_secret: Secret::new(secret) }
    }

    #[test]
    fn nothing_prints_a_secret() {
        let c = credential("canary");
        for text in [format!("{c:?}"), format!("{:?}", c.key()), format!("{} {:?}", c.client_secret, c.client_secret)] {
            assert!(!text.contains("canary"), "{text}");
        }
    }

    #[test]
    fn keys_tell_credentials_apart() {
        assert_eq!(credential("a").key(), credential("a").key());
        assert_ne!(credential("a").key(), credential("b").key());
    }
}
