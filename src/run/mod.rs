//! Puts the pieces together: clients, controllers, the election, and a drain on SIGTERM.

mod controllers;
mod scrape;
mod start;

use crate::clock::Clock;
use crate::config::{self, RunArgs, Settings};
use crate::engine::{Context, Events, Gates, Ledger};
use crate::health::{BEAT, Health, Need};
use crate::leader::Candidate;
use crate::metrics::{self, Passes};
use crate::qlik::{self, Cloud};
use crate::server::{Occupied, Served, Servers};
use crate::telemetry::LogFilter;
use crate::term::Term;
use controllers::{Around, Controllers};
use futures::FutureExt;
use kube::Client;
use scrape::Scrape;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// Why the operator could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error("a setting cannot be used")]
    Settings(#[from] config::Invalid),
    /// The Qlik Cloud client cannot be made.
    #[error("the Qlik Cloud client cannot be made")]
    Qlik(#[from] qlik::Error),
    /// Something else listens at an address already, or it is none of this machine.
    #[error(transparent)]
    Listen(#[from] Occupied),
    /// There is no usable cluster.
    #[error("no cluster to work with: set KUBECONFIG, or run inside a cluster")]
    NoCluster(#[source] Box<kube::config::InferConfigError>),
    /// The Kubernetes client cannot be made.
    #[error("the Kubernetes client cannot be made")]
    Kube(#[source] Box<kube::Error>),
    /// The kinds are not installed, or may not be read.
    #[error("cannot list {kind} in {place}: are the CRDs installed, and may the service account read them?")]
    Kind {
        /// The kind.
        kind: &'static str,
        /// A namespace, or the whole cluster.
        place: String,
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
    /// The API server cannot be talked to.
    #[error("the Kubernetes API server cannot be reached")]
    Unreachable {
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
    /// Nothing tells this cluster from others.
    #[error(
        "the cluster's name for marks in Qlik Cloud cannot be found: set --cluster-id, or allow reading a namespace"
    )]
    ClusterId {
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
    /// The API server says nothing.
    #[error("the Kubernetes API server did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The Lease went to another operator, or could not be renewed. Whoever goes on would be a second leader.
    #[error("the lease {0} is lost: this process ends so that only one operator works")]
    LostLease(String),
    /// Signals cannot be handled.
    #[error("cannot listen for SIGTERM")]
    Signals(#[source] std::io::Error),
}

/// Runs until SIGTERM or SIGINT, then lets running passes end. Where there is an election, work begins once it is won.
pub(crate) async fn run(args: &RunArgs, filter: LogFilter) -> Result<(), Error> {
    let settings = Arc::new(Settings::read(args)?);
    let clock = clock(args);
    let cloud = Cloud::new(args.endpoints()?, clock.clone())?;
    let needs: &[Need] = if settings.lease.is_some() { &[Need::Kinds, Need::Lease] } else { &[Need::Kinds] };
    let process = Process { settings, clock, cloud, health: Arc::new(Health::lacking(needs)), seen: Seen::default() };
    let mut ended = signals()?;
    // Kept until the end: probes are answered while passes end.
    let _servers = process.serve(args, filter).await?;
    let client = client().await?;
    let Process { settings, health, .. } = &process;
    let places = start::places(settings);
    let cluster = tokio::select! {
        cluster = start::ready(&client, &places, (settings, health)) => cluster?,
        () = ended.wait() => return Ok(()),
    };
    let holder = holder();
    let mut candidate = settings.lease.as_ref().map(|(namespace, name)| {
        let tells = (process.clock.clone(), health.clone());
        Candidate::new(client.clone(), ((namespace, name), settings.pace), &holder, tells)
    });
    if let Some(candidate) = &mut candidate {
        tokio::select! {
            () = candidate.elected() => tracing::info!("leading"),
            () = ended.wait() => return Ok(()),
        }
    }
    process.work(Start { client, places, cluster, holder }, candidate, ended).await
}

/// What is known before anything of the cluster is.
struct Process {
    settings: Arc<Settings>,
    clock: Clock,
    cloud: Cloud,
    health: Arc<Health>,
    seen: Seen,
}

/// What is counted, and what is looked at when metrics are asked for.
#[derive(Default)]
struct Seen {
    passes: Passes,
    working: Arc<OnceLock<Weak<Context>>>,
}

/// What is found out before work begins.
struct Start {
    client: Client,
    places: Vec<Option<String>>,
    cluster: String,
    holder: String,
}

impl Process {
    /// Starts to serve what the settings ask for.
    async fn serve(&self, args: &RunArgs, filter: LogFilter) -> Result<Servers, Error> {
        let mut servers = Servers::new(&self.health);
        if let Some(address) = args.listen {
            let mut registry = metrics::registry();
            self.seen.passes.register(&mut registry);
            self.cloud.calls().register(&mut registry);
            let (health, settings) = (self.health.clone(), self.settings.clone());
            registry.register_collector(Box::new(Scrape {
                health: health.clone(),
                settings: settings.clone(),
                cloud: self.cloud.clone(),
                working: self.seen.working.clone(),
            }));
            servers.show(address, Served { health, settings, registry }).await?;
        }
        if let Some(address) = args.admin_listen {
            servers.administer(address, filter).await?;
        }
        Ok(servers)
    }

    /// Works until told to end, or until the lease is lost.
    async fn work(self, start: Start, mut candidate: Option<Candidate>, mut ended: Ended) -> Result<(), Error> {
        let Self { settings, health, clock, cloud, seen } = self;
        let term = candidate.as_ref().map_or_else(Term::unlimited, Candidate::term);
        let controllers = Controllers::new(&start.client, &start.places, &settings);
        let broken = Arc::new(Notify::new());
        let (events, writer) = Events::start(start.client.clone(), start.holder.clone());
        let writer = tokio::spawn(writer);
        let cx = Arc::new(Context {
            client: start.client,
            cloud: cloud.within(term),
            clock,
            settings: settings.clone(),
            cluster: start.cluster.clone(),
            holder: start.holder,
            ledger: Ledger::default(),
            own_maps: tokio::sync::Mutex::default(),
            gates: Gates::default(),
            events,
            caches: controllers.caches(),
            passes: seen.passes,
        });
        // It is set nowhere else.
        let _ = seen.working.set(Arc::downgrade(&cx));
        let (stop, stopped) = watch::channel(false);
        let around = Around { stopped: stopped.clone(), health: health.clone(), broken: broken.clone() };
        let mut tasks = controllers.start(&cx, &around);
        tasks.spawn(sweep(cx.clone(), stopped.clone()));
        tasks.spawn(tell_of_lists(cx.clone(), (health.clone(), stopped)));
        if settings.operator_namespace.is_none() {
            tracing::warn!(
                "no tenant will be deactivated: deactivations are counted in the operator's own namespace, and which one \
                 that is is not known: give --operator-namespace. Nor is anything kept there of a tenant that is let go in a \
                 namespace that is being deleted"
            );
        }
        tracing::info!(version = env!("CARGO_PKG_VERSION"), cluster_id = start.cluster, namespaces = ?settings.namespaces, "started");
        tokio::select! {
            () = ended.wait() => {}
            () = lost(&mut candidate) => return Err(Error::LostLease(lease_name(&settings))),
            attended = start::attend(&cx.client, &start.places, (&health, &broken)) => match attended? {},
        }
        tracing::info!("stopping: no new pass starts, running ones may end");
        health.stop();
        // Receivers that ended already need no word.
        let _ = stop.send(true);
        drain(tasks, &settings, &mut candidate).await?;
        if let Some(candidate) = candidate {
            candidate.release().await;
        }
        drop(cx);
        if tokio::time::timeout(EVENTS_DRAIN, writer).await.is_err() {
            tracing::warn!("some events were not written");
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// The client of the cluster that the kubeconfig names, or that this process runs in.
async fn client() -> Result<Client, Error> {
    let mut config = kube::Config::infer().await.map_err(|e| Error::NoCluster(Box::new(e)))?;
    // kube would repeat a POST by itself; every request here has its own deadline and its own rule for repeating.
    config.default_retry = false;
    Client::try_from(config).map_err(|e| Error::Kube(Box::new(e)))
}

/// Ends when the lease is lost; never where there is none.
async fn lost(candidate: &mut Option<Candidate>) {
    match candidate {
        Some(candidate) => candidate.lost().await,
        None => std::future::pending().await,
    }
}

fn lease_name(settings: &Settings) -> String {
    settings.lease.as_ref().map(|(namespace, name)| format!("{namespace}/{name}")).unwrap_or_default()
}

/// Lets running passes end. The lease is renewed meanwhile: they may be in the middle of a call.
async fn drain(mut tasks: JoinSet<()>, settings: &Settings, candidate: &mut Option<Candidate>) -> Result<(), Error> {
    let all = async { while tasks.join_next().await.is_some() {} };
    let drained = tokio::select! {
        drained = tokio::time::timeout(settings.drain, all) => drained.is_ok(),
        () = lost(candidate) => return Err(Error::LostLease(lease_name(settings))),
    };
    if !drained {
        tracing::warn!("some passes did not end in time; what they were doing is announced and will be resolved");
        tasks.abort_all();
    }
    Ok(())
}

const EVENTS_DRAIN: Duration = Duration::from_secs(2);

#[cfg(not(feature = "turnable-clock"))]
fn clock(_args: &RunArgs) -> Clock {
    Clock::system()
}

#[cfg(feature = "turnable-clock")]
fn clock(args: &RunArgs) -> Clock {
    match &args.clock_offset_file {
        Some(path) => Clock::turnable(path.clone()),
        None => Clock::system(),
    }
}

/// Tokens and budgets of tenants long gone leave nothing behind.
async fn sweep(cx: Arc<Context>, mut stopped: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(600));
    loop {
        tokio::select! {
            _ = ticks.tick() => cx.cloud.sweep(),
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

/// Says which lists do not come to their end, and that nothing is done without them: the API server may throttle them, or
/// a right may be missing.
async fn tell_of_lists(cx: Arc<Context>, (health, mut stopped): (Arc<Health>, watch::Receiver<bool>)) {
    let mut ticks = tokio::time::interval(BEAT);
    let (mut late, mut said) = (0_u32, Vec::new());
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        let missing = cx.caches.lists.missing();
        if missing.is_empty() {
            if !said.is_empty() {
                tracing::info!("every list is complete: passes go on");
            }
            (late, said) = (0, missing);
            health.has(Need::Lists);
            continue;
        }
        late = late.saturating_add(1);
        if late < LISTS_LATE {
            continue;
        }
        let text = missing.join(", ");
        health.lacks(Need::Lists, &format!("not complete, so no pass runs: {text}"));
        if missing != said {
            tracing::warn!(missing = text, "lists do not come to their end: nothing is done before all of them have");
            said = missing;
        }
    }
}

/// After so many seconds a list is late.
const LISTS_LATE: u32 = 3;

/// SIGTERM and SIGINT.
struct Ended {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Ended {
    async fn wait(&mut self) {
        futures::select! {
            _ = self.terminate.recv().fuse() => {}
            _ = self.interrupt.recv().fuse() => {}
        }
    }
}

fn signals() -> Result<Ended, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    Ok(Ended { terminate, interrupt })
}

/// Names this process in intents: nobody else, not even its own successor, may act on them.
fn holder() -> String {
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id());
    format!("qlik-operator-{random:016x}")
}
