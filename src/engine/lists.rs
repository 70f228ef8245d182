//! Which caches hold everything. As long as one of them does not, nobody knows what belongs to whom, and no pass runs.
//!
//! kube fills each cache by itself and holds a controller until its own is full; it swaps a list that is made anew into
//! the cache at its end, so that until then the cache speaks of the time before the watch broke. What a pass decides
//! depends on all of them: an object of another kind, or of another namespace, may hold the same tenant.

use kube::runtime::watcher::{Error, Event};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::watch;

/// The lists that every cache is filled from. All are missing until they were seen to end.
#[derive(Clone, Debug)]
pub struct Lists {
    missing: watch::Sender<BTreeSet<String>>,
}

impl Default for Lists {
    fn default() -> Self {
        Self { missing: watch::Sender::new(BTreeSet::new()) }
    }
}

impl Lists {
    /// Registers a list before it begins; `what` names it for people.
    pub fn register(&self, what: String) -> List {
        let list = List { what, missing: self.missing.clone() };
        list.lacks();
        list
    }

    /// What is not complete; empty when every cache holds everything.
    pub fn missing(&self) -> Vec<String> {
        self.missing.borrow().iter().cloned().collect()
    }

    /// Whether every cache holds everything.
    pub fn complete(&self) -> bool {
        self.missing.borrow().is_empty()
    }

    /// Waits until every cache holds everything, for so long at most; tells whether they do.
    pub async fn wait(&self, longest: Duration) -> bool {
        let mut seen = self.missing.subscribe();
        let complete = seen.wait_for(BTreeSet::is_empty);
        // The sender lives in `self`, so the wait itself cannot fail.
        tokio::time::timeout(longest, complete).await.is_ok_and(|seen| seen.is_ok())
    }
}

/// The list that one cache is filled from.
#[derive(Debug)]
pub struct List {
    what: String,
    missing: watch::Sender<BTreeSet<String>>,
}

impl List {
    /// Follows what a watch says, after the cache has taken it in.
    pub fn saw<K>(&self, said: &Result<Event<K>, Error>) {
        match said {
            Ok(Event::InitDone) => self.has(),
            // A list begins, or has to: what the cache holds may be long out of date.
            Ok(Event::Init) | Err(Error::InitialListFailed(_) | Error::NoResourceVersion) => self.lacks(),
            Err(Error::WatchError(status)) if status.code == GONE => self.lacks(),
            // Goes on where it was: the API server keeps what happens meanwhile.
            Ok(Event::Apply(_) | Event::Delete(_) | Event::InitApply(_))
            | Err(Error::WatchError(_) | Error::WatchFailed(_) | Error::WatchStartFailed(_)) => {}
        }
    }

    fn has(&self) {
        self.missing.send_if_modified(|missing| missing.remove(&self.what));
    }

    fn lacks(&self) {
        self.missing.send_if_modified(|missing| missing.insert(self.what.clone()));
    }
}

/// The API server does not know any more what happened since: kube makes the list anew.
const GONE: u16 = 410;

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    type Said = Result<Event<()>, Error>;

    fn gone(code: u16) -> Said {
        Err(Error::WatchError(Box::new(Status { code, ..Status::default() })))
    }

    #[test]
    fn everything_is_there_only_when_every_list_has_ended() {
        let lists = Lists::default();
        let (a, b) = (lists.register("QlikTenant in a".into()), lists.register("QlikTenant in b".into()));
        assert!(!lists.complete());
        for said in [Ok(Event::Init), Ok(Event::InitApply(())), Ok(Event::InitDone)] {
            a.saw::<()>(&said);
            assert!(!lists.complete());
        }
        assert_eq!(lists.missing(), ["QlikTenant in b"]);
        b.saw::<()>(&Ok(Event::InitDone));
        assert!(lists.complete());
    }

    #[test]
    fn a_list_that_is_made_anew_is_missing_from_the_first_word_of_it() {
        let lists = Lists::default();
        let a = lists.register("QlikTenant".into());
        let anew: [fn() -> Said; 4] = [
            || Ok(Event::Init),
            || gone(410),
            || Err(Error::NoResourceVersion),
            || Err(Error::InitialListFailed(kube::Error::LinesCodecMaxLineLengthExceeded)),
        ];
        for said in anew {
            a.saw(&Said::Ok(Event::InitDone));
            assert!(lists.complete());
            a.saw(&said());
            assert!(!lists.complete(), "{:?}", said());
        }
        a.saw(&Said::Ok(Event::InitDone));
        for said in [Ok(Event::Apply(())), Ok(Event::Delete(())), gone(500)] {
            a.saw(&said);
            assert!(lists.complete(), "{said:?}");
        }
    }
}
