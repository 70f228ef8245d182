//! Leader election with a Lease, by client-go's protocol: only one of several operators works, the others stand by.
//!
//! A lease has expired when it was seen unchanged for as long as it says it lasts, measured by one's own monotonic clock:
//! the dates in it are written by another machine's clock and decide nothing. Each write is a compare-and-swap on the
//! version that was seen. Whoever cannot renew stops being the leader before anybody else can become it, and ends.

use crate::clock::Clock;
use crate::engine::{Error, within};
use crate::health::{Health, Need};
use crate::term::{Pace, Term};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, PostParams};
use kube::core::ObjectMeta;
use std::sync::Arc;
use std::time::Duration;

/// A candidate for the lease, and its holder once elected.
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    pace: Pace,
    clock: Clock,
    term: Term,
    health: Arc<Health>,
    /// The lease as it was last seen, and since when (monotonic) it has not changed.
    seen: Option<(Lease, Duration)>,
}

impl Candidate {
    /// Prepares the candidacy; nothing is asked yet. Whether the lease can be seen goes to `health`.
    pub fn new(
        client: kube::Client,
        ((namespace, name), pace): ((&str, &str), Pace),
        identity: &str,
        (clock, health): (Clock, Arc<Health>),
    ) -> Self {
        let api = Api::namespaced(client, namespace);
        let term = Term::not_begun();
        Self { api, name: name.to_owned(), identity: identity.to_owned(), pace, clock, term, health, seen: None }
    }

    /// What tells the rest of the process whether it may act.
    pub fn term(&self) -> Term {
        self.term.clone()
    }

    /// Waits until the lease is ours. Failures of the API server are waited out.
    pub async fn elected(&mut self) {
        let (mut told, mut trouble) = (false, String::new());
        let pulse = self.health.follow("leader election");
        loop {
            pulse.beat();
            match self.look().await {
                Ok(true) => return,
                Ok(false) if !told => {
                    let holder = self.seen.as_ref().and_then(|(lease, _)| holder(lease)).cloned().unwrap_or_default();
                    tracing::info!(lease = self.name, holder, "standing by");
                    told = true;
                }
                Ok(false) | Err(Error::Raced) => {}
                // Twice in a second: the same trouble is told once.
                Err(error) if error.chain() != trouble => {
                    trouble = error.chain();
                    tracing::warn!(lease = self.name, error = trouble, "the lease cannot be looked at");
                }
                Err(_) => {}
            }
            pause(self.until_next_look()).await;
        }
    }

    /// Renews until that fails for too long, or somebody else holds the lease. Then this process must end.
    pub async fn lost(&mut self) {
        let mut renewed = self.clock.monotonic();
        let pulse = self.health.follow("leader election");
        loop {
            pulse.beat();
            pause(self.pace.retry_period).await;
            match self.look().await {
                Ok(true) => renewed = self.clock.monotonic(),
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(lease = self.name, error = error.chain(), "the lease was not renewed yet");
                }
            }
            if self.clock.monotonic().saturating_sub(renewed) >= self.pace.renew_deadline {
                return;
            }
        }
    }

    /// Gives the lease up, so that another one need not wait for it to expire.
    pub async fn release(mut self) {
        self.term.set(Duration::ZERO);
        let released = async {
            let Some((lease, _)) = self.seen.take().filter(|(lease, _)| holder(lease) == Some(&self.identity)) else {
                return Ok(());
            };
            let spec = LeaseSpec {
                holder_identity: Some(String::new()),
                lease_duration_seconds: Some(1),
                ..lease.spec.unwrap_or_default()
            };
            let lease = Lease { metadata: lease.metadata, spec: Some(spec) };
            within("give up the lease", self.api.replace(&self.name, &PostParams::default(), &lease)).await.map(drop)
        };
        if let Err(error) = released.await {
            tracing::warn!(lease = self.name, error = error.chain(), "the lease could not be given up; it expires");
        }
    }

    /// Takes or renews the lease, and tells whether it can be seen at all.
    async fn look(&mut self) -> Result<bool, Error> {
        let found = self.try_acquire().await;
        match &found {
            Ok(_) | Err(Error::Raced) => self.health.has(Need::Lease),
            Err(error) => self.health.lacks(Need::Lease, &error.chain()),
        }
        found
    }

    /// Takes or renews the lease; `false` when somebody else holds it.
    async fn try_acquire(&mut self) -> Result<bool, Error> {
        // What is promised to the rest of the process counts from before the request.
        let asked = self.clock.monotonic();
        let found = within("read the lease", self.api.get_opt(&self.name)).await?;
        let written = match found {
            None => {
                let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
                let lease = Lease { metadata, spec: Some(self.spec(None)) };
                within("create the lease", self.api.create(&PostParams::default(), &lease)).await?
            }
            Some(lease) => {
                self.notice(&lease);
                if !self.lapses_in(&lease).is_zero() {
                    return Ok(false);
                }
                let spec = self.spec(lease.spec.as_ref());
                let lease = Lease { metadata: lease.metadata, spec: Some(spec) };
                within("renew the lease", self.api.replace(&self.name, &PostParams::default(), &lease)).await?
            }
        };
        self.seen = Some((written, asked));
        self.term.set(asked.saturating_add(self.pace.renew_deadline));
        Ok(true)
    }

    /// Notes a change, by which the holder shows that it lives.
    fn notice(&mut self, lease: &Lease) {
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        if self.seen.as_ref().is_none_or(|(seen, _)| version(seen) != version(lease)) {
            self.seen = Some((lease.clone(), self.clock.monotonic()));
        }
    }

    /// How long until others than its holder may take it; nothing when it is free, or ours.
    fn lapses_in(&self, lease: &Lease) -> Duration {
        if holder(lease).is_none_or(|holder| holder.is_empty() || *holder == self.identity) {
            return Duration::ZERO;
        }
        let lasts = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).unwrap_or_default();
        let lasts = Duration::from_secs(u64::try_from(lasts).unwrap_or_default());
        let unchanged =
            self.seen.as_ref().map_or(Duration::ZERO, |(_, since)| self.clock.monotonic().saturating_sub(*since));
        lasts.saturating_sub(unchanged)
    }

    /// Until the next look of one who stands by: sooner when the lease lapses sooner.
    fn until_next_look(&self) -> Duration {
        let lapse = self.seen.as_ref().map(|(lease, _)| self.lapses_in(lease)).filter(|lapse| !lapse.is_zero());
        let look_every = self.pace.look_every();
        lapse.map_or(look_every, |lapse| lapse.min(look_every))
    }

    /// What the lease says once it is ours.
    fn spec(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(self.clock.wall());
        let renewal = before.is_some_and(|spec| spec.holder_identity.as_deref() == Some(&self.identity));
        let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or_default();
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.pace.lease_duration.as_secs()).unwrap_or(i32::MAX)),
            acquire_time: before
                .filter(|_| renewal)
                .and_then(|spec| spec.acquire_time.clone())
                .or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(if renewal || before.is_none() {
                transitions
            } else {
                transitions.saturating_add(1)
            }),
            ..before.cloned().unwrap_or_default()
        }
    }
}

fn holder(lease: &Lease) -> Option<&String> {
    lease.spec.as_ref()?.holder_identity.as_ref()
}

#[expect(clippy::disallowed_methods, reason = "the election has its own pace, beside all passes")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
