//! What was issued to whom: access tokens that can be revoked, assertions that cannot be used twice, and sessions of
//! people who logged in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::clock::iso;
use super::token::Claims;

/// An access token of a tenant, without the token.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) id: String,
    pub(crate) tenant: String,
    pub(crate) user: String,
    last_used: Timestamp,
    expires: i64,
    pub(crate) revoked: bool,
}

impl Issued {
    /// The token as the API shows it.
    pub(crate) fn view(&self) -> Value {
        json!({
            "id": self.id, "userId": self.user, "tenantId": self.tenant, "description": "", "deviceType": "",
            "lastUsed": iso(self.last_used),
        })
    }
}

/// A person's session in a browser.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) host: String,
    pub(crate) user: String,
    pub(crate) signature: String,
    pub(crate) csrf: String,
    pub(crate) expires: Timestamp,
}

/// Everything that was issued, by the ids that stand inside.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    issued: BTreeMap<String, Issued>,
    /// Client id and `jti` of every assertion that was used → when it would have expired.
    assertions: BTreeMap<(String, String), i64>,
    /// Session id → session.
    pub(crate) sessions: BTreeMap<String, Session>,
}

impl Tokens {
    /// Remembers a token of a tenant's host.
    pub(crate) fn issue(&mut self, id: String, claims: &Claims, now: Timestamp) {
        let Some(tenant) = claims.tenant_id.clone() else { return };
        if self.issued.len().is_multiple_of(1024) {
            self.issued.retain(|_, token| token.expires > now.as_second());
        }
        let user = claims.sub.clone();
        let token = Issued { id, tenant, user, last_used: now, expires: claims.exp, revoked: false };
        self.issued.insert(claims.jti.clone(), token);
    }

    /// Whether a token was taken back.
    pub(crate) fn revoked(&self, jti: &str) -> bool {
        self.issued.get(jti).is_some_and(|token| token.revoked)
    }

    /// Notes that a token was used.
    pub(crate) fn touch(&mut self, jti: &str, now: Timestamp) {
        if let Some(token) = self.issued.get_mut(jti) {
            token.last_used = now;
        }
    }

    /// Takes a token back, given what stands inside it.
    pub(crate) fn revoke(&mut self, jti: &str) -> bool {
        self.issued.get_mut(jti).is_some_and(|token| !std::mem::replace(&mut token.revoked, true))
    }

    /// The tokens of a tenant that are good.
    pub(crate) fn of(&self, tenant: &str, now: Timestamp) -> impl Iterator<Item = (&String, &Issued)> {
        let good = move |token: &Issued| !token.revoked && token.expires > now.as_second();
        self.issued.iter().filter(move |(_, token)| token.tenant == tenant && good(token))
    }

    /// Uses an assertion up. Says whether this was its first time.
    pub(crate) fn first_use(&mut self, client: &str, jti: &str, (expires, now): (i64, i64)) -> bool {
        self.assertions.retain(|_, expires| *expires > now);
        self.assertions.insert((client.to_owned(), jti.to_owned()), expires).is_none()
    }
}
