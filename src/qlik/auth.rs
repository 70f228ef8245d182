//! Access tokens: one per credential and host (Qlik's tokens do not cross hosts), fetched once by whoever needs it
//! first, shared by all who wait, renewed before it expires.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::Call;
use super::classify::Asked;
use super::error::Error;
use super::ids::Hostname;
use super::limits::Limits;
use super::secret::{Credential, CredentialKey, Secret};
use super::transport::{Answer, Transport};
use crate::clock::Clock;

/// Assumed when an answer does not say how long its token lives.
const LIFE_DEFAULT: Duration = Duration::from_mins(5);
/// Qlik's pages give six hours and one hour; a claim beyond a day is not believed.
const LIFE_MAX: Duration = Duration::from_hours(24);
/// A token is renewed a tenth of its life before its end, at most this much.
const EARLY: Duration = Duration::from_mins(1);

type Key = (CredentialKey, Hostname);
type Fetch = BoxFuture<'static, Result<Arc<Token>, Error>>;

pub(super) struct Token {
    pub(super) value: Secret,
    renew_at: Duration,
}

#[derive(Default)]
struct Slot {
    token: Option<Arc<Token>>,
    /// Weak: when all who wait have given up, the request under way ends with them.
    fetch: Option<WeakShared<Fetch>>,
}

#[derive(Clone)]
pub(super) struct Auth {
    transport: Transport,
    limits: Limits,
    clock: Clock,
    slots: Arc<Mutex<HashMap<Key, Slot>>>,
}

#[derive(Serialize)]
struct TokenRequest<'a> {
    grant_type: &'static str,
    client_id: &'a str,
    client_secret: &'a str,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    token_type: String,
    expires_in: Option<Value>,
}

impl Auth {
    pub(super) fn new(transport: Transport, limits: Limits, clock: Clock) -> Self {
        Self { transport, limits, clock, slots: Arc::default() }
    }

    /// The token for `host`, and whether it has been fetched just now. A `rejected` one is not given again.
    pub(super) async fn token(
        &self,
        credential: &Credential,
        host: &Hostname,
        rejected: Option<&Arc<Token>>,
    ) -> Result<(Arc<Token>, bool), Error> {
        let key = (credential.key(), host.clone());
        let fetch = {
            let now = self.clock.monotonic();
            let mut slots = self.lock();
            let slot = slots.entry(key.clone()).or_default();
            if let Some(token) = slot.token.as_ref().filter(|token| token.is_good(now, rejected)) {
                return Ok((Arc::clone(token), false));
            }
            slot.token = None;
            slot.join().unwrap_or_else(|| {
                let fetch = self.clone().fetch(credential.clone(), key).boxed().shared();
                slot.fetch = fetch.downgrade();
                fetch
            })
        };
        fetch.await.map(|token| (token, true)).map_err(Error::before_the_call)
    }

    /// Drops a token that Qlik does not accept, unless it has been replaced already.
    pub(super) fn forget(&self, credential: &Credential, host: &Hostname, rejected: &Arc<Token>) {
        if let Some(slot) = self.lock().get_mut(&(credential.key(), host.clone())) {
            slot.token = slot.token.take().filter(|token| !Arc::ptr_eq(token, rejected));
        }
    }

    /// Drops what is of no more use.
    pub(super) fn sweep(&self) {
        let now = self.clock.monotonic();
        self.lock().retain(|_, slot| {
            slot.token.as_ref().is_some_and(|token| token.is_good(now, None)) || slot.join().is_some()
        });
    }

    async fn fetch(self, credential: Credential, key: Key) -> Result<Arc<Token>, Error> {
        let host = &key.1;
        let call = Call::new("token", Method::POST, "/oauth/token").json(&TokenRequest {
            grant_type: "client_credentials",
            client_id: credential.client_id.as_str(),
            client_secret: credential.client_secret.expose(),
        })?;
        let call = call.hiding(&credential.client_secret);
        self.limits.acquire(key.0, host, call.tier).await?;
        let asked_at = self.clock.monotonic();
        let answer = self.transport.send(Asked::Token, host, &call, None).await.inspect_err(|error| {
            if let Error::Throttled { retry_after, .. } = error {
                self.limits.close(key.0, host, call.tier, *retry_after);
            }
        })?;
        let token = Arc::new(read_token(&answer, asked_at)?);
        self.lock().entry(key).or_default().token = Some(Arc::clone(&token));
        Ok(token)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Slot>> {
        // Each change under the lock is a plain assignment, so a poisoned lock holds nothing half-done.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// The request under way, if there is one that has not ended.
    fn join(&self) -> Option<Shared<Fetch>> {
        self.fetch.as_ref().and_then(WeakShared::upgrade).filter(|fetch| fetch.peek().is_none())
    }
}

impl Token {
    fn is_good(&self, now: Duration, rejected: Option<&Arc<Self>>) -> bool {
        now < self.renew_at && rejected.is_none_or(|rejected| !std::ptr::eq(self, Arc::as_ptr(rejected)))
    }
}

/// Reads a token whose life counts from when it was asked for.
fn read_token(answer: &Answer, asked_at: Duration) -> Result<Token, Error> {
    let TokenAnswer { access_token, token_type, expires_in } = answer.json()?;
    let value = Secret::new(access_token);
    // Qlik's pages write both "bearer" and "Bearer".
    if !token_type.eq_ignore_ascii_case("bearer") {
        return Err(answer.malformed("its token is not a bearer token"));
    }
    if value.expose().is_empty() || !value.expose().bytes().all(|b| b.is_ascii_graphic()) {
        return Err(answer.malformed("its token is not a token"));
    }
    let life = expires_in.as_ref().and_then(Value::as_u64).map_or(LIFE_DEFAULT, Duration::from_secs).min(LIFE_MAX);
    Ok(Token { value, renew_at: asked_at.saturating_add(life.saturating_sub((life / 10).min(EARLY))) })
}
