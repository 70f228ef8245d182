//! Lists that many objects of one tenant look at: fetched once by whoever needs one first, shared by all who wait, kept
//! for a little while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use super::error::Error;
use super::ids::Hostname;
use super::secret::CredentialKey;
use crate::clock::Clock;

/// A list that nobody has asked for in this time is dropped.
const KEPT_FOR: Duration = Duration::from_mins(2);

type Key = (CredentialKey, Hostname);
type Fetch<T> = BoxFuture<'static, Result<Arc<T>, Error>>;

/// What was asked lately, for each credential and host.
pub(super) struct Recent<T> {
    clock: Clock,
    slots: Arc<Mutex<HashMap<Key, Slot<T>>>>,
}

// Not derived: a list need not be cloned to share it.
impl<T> Clone for Recent<T> {
    fn clone(&self) -> Self {
        Self { clock: self.clock.clone(), slots: Arc::clone(&self.slots) }
    }
}

struct Slot<T> {
    /// The list, and when it was asked for (monotonic time).
    known: Option<(Duration, Arc<T>)>,
    /// Weak: when all who wait have given up, the request under way ends with them.
    fetch: Option<(Duration, WeakShared<Fetch<T>>)>,
}

impl<T: Send + Sync + 'static> Recent<T> {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, slots: Arc::default() }
    }

    /// The list as it was at `newer_than` (monotonic time) or later, if it is at hand.
    pub(super) fn at_hand(&self, key: &Key, newer_than: Duration) -> Option<Arc<T>> {
        let slots = self.lock();
        let (asked, list) = slots.get(key)?.known.as_ref()?;
        (*asked >= newer_than).then(|| Arc::clone(list))
    }

    /// The list as it was at `newer_than` or later; asks for it where it is not at hand or being fetched already.
    pub(super) async fn get(
        &self,
        key: Key,
        newer_than: Duration,
        ask: impl FnOnce() -> BoxFuture<'static, Result<T, Error>> + Send,
    ) -> Result<Arc<T>, Error> {
        let fetch = {
            let mut slots = self.lock();
            let slot = slots.entry(key.clone()).or_insert(Slot { known: None, fetch: None });
            if let Some((asked, list)) = &slot.known
                && *asked >= newer_than
            {
                return Ok(Arc::clone(list));
            }
            slot.join(newer_than).unwrap_or_else(|| {
                let now = self.clock.monotonic();
                let fetch = self.clone().fetch(key, now, ask()).boxed().shared();
                slot.fetch = fetch.downgrade().map(|fetch| (now, fetch));
                fetch
            })
        };
        fetch.await
    }

    async fn fetch(
        self,
        key: Key,
        asked: Duration,
        list: BoxFuture<'static, Result<T, Error>>,
    ) -> Result<Arc<T>, Error> {
        let list = Arc::new(list.await?);
        if let Some(slot) = self.lock().get_mut(&key)
            && slot.known.as_ref().is_none_or(|(known, _)| *known < asked)
        {
            slot.known = Some((asked, Arc::clone(&list)));
        }
        Ok(list)
    }

    /// Drops what is of no more use.
    pub(super) fn sweep(&self) {
        let since = self.clock.monotonic().saturating_sub(KEPT_FOR);
        self.lock().retain(|_, slot| {
            slot.known.as_ref().is_some_and(|(asked, _)| *asked >= since) || slot.join(Duration::ZERO).is_some()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Slot<T>>> {
        // Each change under the lock is a plain assignment, so a poisoned lock holds nothing half-done.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Slot<T> {
    /// The request under way, if there is one that is new enough and has not ended.
    fn join(&self, newer_than: Duration) -> Option<Shared<Fetch<T>>> {
        let (asked, fetch) = self.fetch.as_ref()?;
        if *asked < newer_than {
            return None;
        }
        fetch.upgrade().filter(|fetch| fetch.peek().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::credential;
    use super::*;
    use jiff::{SignedDuration, Timestamp};
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn host_of_acme() -> Hostname {
        "acme.us.qlikcloud.com".parse().unwrap()
    }

    #[tokio::test]
    async fn one_list_serves_all_who_ask_for_nothing_newer() {
        let clock = Clock::by_hand(Timestamp::UNIX_EPOCH);
        let recent = Recent::<usize>::new(clock.clone());
        let key = (credential().key(), host_of_acme());
        let asked = Arc::new(AtomicUsize::new(0));
        let get = |newer_than: u64| {
            let asked = Arc::clone(&asked);
            let ask = move || async move { Ok(asked.fetch_add(1, Ordering::SeqCst)) }.boxed();
            recent.get(key.clone(), Duration::from_secs(newer_than), ask)
        };
        let (a, b, c) = futures::join!(get(0), get(0), get(0));
        assert_eq!((*a.unwrap(), *b.unwrap(), *c.unwrap()), (0, 0, 0), "three who wait share one request");
        clock.turn(SignedDuration::from_secs(50), Duration::from_secs(50));
        assert_eq!(*get(0).await.unwrap(), 0, "still good enough");
        assert!(recent.at_hand(&key, Duration::from_secs(40)).is_none());
        assert_eq!(*get(40).await.unwrap(), 1, "too old");
        assert_eq!(*get(50).await.unwrap(), 1, "asked for at that very moment");
        clock.turn(SignedDuration::from_secs(500), Duration::from_secs(500));
        recent.sweep();
        assert!(recent.lock().is_empty());
    }

    #[tokio::test]
    async fn a_failure_is_shared_and_not_kept() {
        let recent = Recent::<usize>::new(Clock::by_hand(Timestamp::UNIX_EPOCH));
        let key = (credential().key(), host_of_acme());
        let fails = || async { Err(Error::TooLarge { host: host_of_acme() }) }.boxed();
        let (a, b) = futures::join!(
            recent.get(key.clone(), Duration::ZERO, fails),
            recent.get(key.clone(), Duration::ZERO, fails)
        );
        assert!(a.is_err() && b.is_err());
        assert_eq!(*recent.get(key, Duration::ZERO, || async { Ok(7) }.boxed()).await.unwrap(), 7);
    }
}
