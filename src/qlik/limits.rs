//! Rate budgets: Qlik Cloud counts per tier, user and tenant, so there is one budget per credential, host and tier.
//! One tenant that is throttled never delays another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::Error;
use super::ids::{HostClass, Hostname, Hosts};
use super::secret::CredentialKey;
use crate::clock::Clock;

/// Nobody waits longer than this for its turn; beyond it the caller is told when to come back.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// The queue of those who were turned away is not thought longer than this.
const LONGEST_QUEUE: Duration = Duration::from_mins(10);

/// Qlik's two general tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// Reads: 1000 a minute.
    One,
    /// Writes and token requests: 100 a minute.
    Two,
}

impl Tier {
    /// Both.
    pub const ALL: [Self; 2] = [Self::One, Self::Two];

    /// Its number.
    pub const fn label(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
        }
    }

    /// Time that one call costs.
    const fn cost(self) -> Duration {
        match self {
            Self::One => Duration::from_millis(60),
            Self::Two => Duration::from_millis(600),
        }
    }

    /// Calls that may be made at once. Qlik counts over five minutes, so a modest burst stays inside.
    const fn burst(self) -> u32 {
        match self {
            Self::One => 50,
            Self::Two => 10,
        }
    }
}

/// What the budgets have done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls that waited for their turn.
    pub waited: u64,
    /// Calls that were not made, because the budget was spent or Qlik had closed it.
    pub held: u64,
    /// Answers 429.
    pub closed: u64,
    /// Budgets kept now.
    pub budgets: usize,
}

/// How the budgets of one class of hosts and one tier are used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Turns that were taken since the start.
    pub spent: u64,
    /// Calls since the start that had to wait for their turn, or were put off.
    pub waits: u64,
    /// What is left of the budget that is used most now, between 0 and 1.
    pub left: f64,
}

#[derive(Clone)]
pub(super) struct Limits {
    clock: Clock,
    hosts: Hosts,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    budgets: HashMap<(CredentialKey, Hostname, Tier), Budget>,
    stats: Stats,
    turns: HashMap<(HostClass, Tier), Turns>,
}

/// Turns of a class of hosts since the start.
#[derive(Clone, Copy, Default)]
struct Turns {
    spent: u64,
    waits: u64,
}

/// A token bucket in its time form: the instant up to which calls are paid for runs ahead of the clock as calls are made.
/// Who is turned away is told when to come again, each at a time of its own: the queue has an end. Closed after a 429.
#[derive(Clone, Copy, Default)]
struct Budget {
    paid: Duration,
    queue: Duration,
    closed: Duration,
}

/// What a call has to do for its turn.
enum Turn {
    Now,
    Wait(Duration),
    Held(Duration),
}

impl Budget {
    fn take(&mut self, tier: Tier, now: Duration) -> Turn {
        if self.closed > now {
            return Turn::Held(self.closed.saturating_sub(now));
        }
        let paid = self.paid.max(now).saturating_add(tier.cost());
        let ahead = paid.saturating_sub(now);
        let wait = ahead.saturating_sub(tier.cost() * tier.burst());
        if wait > MAX_WAIT {
            // Not paid for: who is turned away and never comes again must not hold up the others.
            let place = self.queue.max(now.saturating_add(wait));
            self.queue = place.saturating_add(tier.cost()).min(now.saturating_add(LONGEST_QUEUE));
            return Turn::Held(place.saturating_sub(now));
        }
        self.paid = paid;
        if wait.is_zero() { Turn::Now } else { Turn::Wait(wait) }
    }

    /// What is left of it, between 0 and 1.
    fn left(&self, tier: Tier, now: Duration) -> f64 {
        if self.closed > now {
            return 0.0;
        }
        let whole = tier.cost() * tier.burst();
        1.0 - self.paid.saturating_sub(now).min(whole).div_duration_f64(whole)
    }

    fn is_idle(&self, now: Duration) -> bool {
        self.paid <= now && self.closed <= now
    }
}

impl Limits {
    pub(super) fn new(clock: Clock, hosts: Hosts) -> Self {
        Self { clock, hosts, state: Arc::default() }
    }

    /// Waits for the turn of one call, at most five seconds; no call may be made without it.
    #[expect(clippy::disallowed_methods, reason = "a bounded wait for the turn, shorter than any requeue")]
    pub(super) async fn acquire(&self, key: CredentialKey, host: &Hostname, tier: Tier) -> Result<(), Error> {
        match self.take(key, host, tier) {
            Turn::Now => return Ok(()),
            Turn::Wait(wait) => tokio::time::sleep(wait).await,
            Turn::Held(retry_after) => return Err(Error::Throttled { host: host.clone(), retry_after }),
        }
        // A 429 may have come in meanwhile; then this turn is void as well.
        let now = self.clock.monotonic();
        let mut state = self.lock();
        let closed = state.budgets.get(&(key, host.clone(), tier)).map_or(Duration::ZERO, |budget| budget.closed);
        if closed > now {
            state.stats.held += 1;
            return Err(Error::Throttled { host: host.clone(), retry_after: closed.saturating_sub(now) });
        }
        Ok(())
    }

    /// Whether a call would get its turn now, or soon. Takes nothing from the budget.
    pub(super) fn admits(&self, key: CredentialKey, host: &Hostname, tier: Tier) -> Result<(), Error> {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        let budget = state.budgets.entry((key, host.clone(), tier)).or_default();
        let paid = budget.paid;
        match budget.take(tier, now) {
            Turn::Now | Turn::Wait(_) => {
                budget.paid = paid;
                Ok(())
            }
            Turn::Held(retry_after) => Err(Error::Throttled { host: host.clone(), retry_after }),
        }
    }

    fn take(&self, key: CredentialKey, host: &Hostname, tier: Tier) -> Turn {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        let turn = state.budgets.entry((key, host.clone(), tier)).or_default().take(tier, now);
        let turns = state.turns.entry((self.hosts.class(host), tier)).or_default();
        turns.spent += u64::from(!matches!(turn, Turn::Held(_)));
        turns.waits += u64::from(!matches!(turn, Turn::Now));
        match turn {
            Turn::Now => {}
            Turn::Wait(_) => state.stats.waited += 1,
            Turn::Held(_) => state.stats.held += 1,
        }
        turn
    }

    /// Qlik answered 429: no call of this tier until then.
    pub(super) fn close(&self, key: CredentialKey, host: &Hostname, tier: Tier, retry_after: Duration) {
        let until = self.clock.monotonic().saturating_add(retry_after);
        let mut state = self.lock();
        state.stats.closed += 1;
        let budget = state.budgets.entry((key, host.clone(), tier)).or_default();
        budget.closed = budget.closed.max(until);
    }

    pub(super) fn stats(&self) -> Stats {
        let state = self.lock();
        Stats { budgets: state.budgets.len(), ..state.stats }
    }

    /// How the budgets of a class of hosts are used. Those of all credentials and hosts count together.
    pub(super) fn usage(&self, class: HostClass, tier: Tier) -> Usage {
        let now = self.clock.monotonic();
        let state = self.lock();
        let Turns { spent, waits } = state.turns.get(&(class, tier)).copied().unwrap_or_default();
        let of = |(_, host, at): &(CredentialKey, Hostname, Tier)| *at == tier && self.hosts.class(host) == class;
        let used = state.budgets.iter().filter(|(key, _)| of(key));
        Usage { spent, waits, left: used.map(|(_, budget)| budget.left(tier, now)).fold(1.0, f64::min) }
    }

    /// Drops full budgets; a full one is the same as none.
    pub(super) fn sweep(&self) {
        let now = self.clock.monotonic();
        self.lock().budgets.retain(|_, budget| !budget.is_idle(now));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change under the lock is a plain assignment, so a poisoned lock holds nothing half-done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::super::error::Class;
    use super::super::secret::{Credential, Secret};
    use super::*;

    fn key(id: &str) -> CredentialKey {
        Credential { client_id: id.parse().unwrap(), client_secret: Secret::new("s") }.key()
    }

    fn host() -> Hostname {
        "a.us.qlikcloud.com".parse().unwrap()
    }

    fn limits() -> (Clock, Limits) {
        let clock = Clock::by_hand(Timestamp::UNIX_EPOCH);
        (clock.clone(), Limits::new(clock, Hosts::new("qlikcloud.com".parse().unwrap())))
    }

    fn pass(clock: &Clock, time: Duration) {
        clock.turn(SignedDuration::ZERO, time);
    }

    #[test]
    fn asking_whether_there_is_room_takes_none() {
        let (_, limits) = limits();
        for _ in 0..10_000 {
            assert!(limits.admits(key("c"), &host(), Tier::Two).is_ok());
        }
        while !matches!(limits.take(key("c"), &host(), Tier::Two), Turn::Held(_)) {}
        let refused = limits.admits(key("c"), &host(), Tier::Two).unwrap_err();
        assert!(matches!(refused.class(), Class::Throttled(_)), "{refused}");
    }

    #[test]
    fn a_minute_has_its_calls_and_the_burst() {
        for (tier, a_minute) in [(Tier::One, 1000), (Tier::Two, 100)] {
            let (clock, limits) = limits();
            let mut now = 0;
            for _ in 0..60_000 {
                if matches!(limits.take(key("c"), &host(), tier), Turn::Now) {
                    now += 1;
                }
                pass(&clock, Duration::from_millis(1));
            }
            assert!(now <= a_minute + tier.burst(), "{tier:?}: {now} calls in a minute");
        }
    }

    #[test]
    fn who_would_wait_too_long_is_told_when_to_come_back() {
        let (_, limits) = limits();
        let mut turns = (0, 0);
        let held = loop {
            match limits.take(key("c"), &host(), Tier::Two) {
                Turn::Now => turns.0 += 1,
                Turn::Wait(wait) => {
                    assert!(wait <= MAX_WAIT);
                    turns.1 += 1;
                }
                Turn::Held(held) => break held,
            }
        };
        assert_eq!(turns, (10, 8));
        assert!(held > MAX_WAIT && held < Duration::from_secs(7));
        // The next one has a place of its own behind this one.
        let Turn::Held(next) = limits.take(key("c"), &host(), Tier::Two) else { panic!("a turn out of order") };
        assert_eq!(next, held + Tier::Two.cost());
        // Others are not touched: another credential, another host, another tier.
        let other: Hostname = "b.us.qlikcloud.com".parse().unwrap();
        assert!(matches!(limits.take(key("d"), &host(), Tier::Two), Turn::Now));
        assert!(matches!(limits.take(key("c"), &other, Tier::Two), Turn::Now));
        assert!(matches!(limits.take(key("c"), &host(), Tier::One), Turn::Now));
        assert_eq!(limits.stats(), Stats { waited: 8, held: 2, closed: 0, budgets: 4 });
    }

    #[test]
    fn the_use_of_a_class_is_that_of_the_host_that_is_used_most() {
        let (clock, limits) = limits();
        let (register, tier) = ("register.us.qlikcloud.com".parse().unwrap(), Tier::Two);
        let untouched = Usage { spent: 0, waits: 0, left: 1.0 };
        (0..12).for_each(|_| {
            limits.take(key("c"), &host(), tier);
        });
        limits.take(key("d"), &host(), tier);
        assert_eq!(limits.usage(HostClass::Tenant, tier), Usage { spent: 13, waits: 2, left: 0.0 });
        assert_eq!(limits.usage(HostClass::Tenant, Tier::One), untouched);
        assert_eq!(limits.usage(HostClass::Register, tier), untouched);
        pass(&clock, tier.cost() * 7);
        assert!((limits.usage(HostClass::Tenant, tier).left - 0.5).abs() < 1e-9, "twelve are paid for, seven are over");
        limits.close(key("c"), &register, tier, Duration::from_secs(30));
        assert_eq!(limits.usage(HostClass::Register, tier), Usage { left: 0.0, ..untouched });
        pass(&clock, Duration::from_secs(30));
        assert_eq!(limits.usage(HostClass::Register, tier), untouched);
    }

    #[tokio::test]
    async fn closed_retry_after() {
        let (clock, limits) = limits();
        limits.close(key("c"), &host(), Tier::One, Duration::from_secs(30));
        limits.close(key("c"), &host(), Tier::One, Duration::from_secs(10));
        pass(&clock, Duration::from_secs(29));
        let error = limits.acquire(key("c"), &host(), Tier::One).await.unwrap_err();
        assert_eq!(error.class(), Class::Throttled(Duration::from_secs(1)));
        assert!(limits.acquire(key("c"), &host(), Tier::Two).await.is_ok());
        pass(&clock, Duration::from_secs(1));
        assert!(limits.acquire(key("c"), &host(), Tier::One).await.is_ok());
    }

    #[tokio::test]
    async fn a_429_voids_the_turns_of_those_who_wait() {
        let (_, limits) = limits();
        while matches!(limits.take(key("c"), &host(), Tier::One), Turn::Now) {}
        let (key, host) = (key("c"), host());
        let close = async { limits.close(key, &host, Tier::One, Duration::from_secs(30)) };
        let (waited, ()) = tokio::join!(limits.acquire(key, &host, Tier::One), close);
        assert_eq!(waited.unwrap_err().class(), Class::Throttled(Duration::from_secs(30)));
    }

    #[test]
    fn sweep_keeps_what_still_counts() {
        let (clock, limits) = limits();
        limits.take(key("c"), &host(), Tier::One);
        limits.close(key("c"), &host(), Tier::Two, Duration::from_mins(1));
        pass(&clock, Duration::from_secs(1));
        limits.sweep();
        assert_eq!(limits.stats().budgets, 1);
        pass(&clock, Duration::from_mins(1));
        limits.sweep();
        assert_eq!(limits.stats().budgets, 0);
    }
}
