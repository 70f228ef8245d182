//! Puts the pieces together: clients, controllers, the election, and a drain on SIGTERM.

mod controllers;
mod start;

use crate::clock::Clock;
use crate::config::{self, RunArgs, Settings};
use crate::engine::{Context, Events, Gates, Ledger};
use crate::leader::Candidate;
use crate::qlik::{self, Cloud};
use crate::term::Term;
use controllers::Controllers;
use futures::FutureExt;
use kube::Client;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
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
pub async fn run(args: &RunArgs) -> Result<(), Error> {
    let settings = Arc::new(Settings::read(args)?);
    let clock = clock(args);
    let cloud = Cloud::new(args.endpoints()?, clock.clone())?;
    let mut config = kube::Config::infer().await.map_err(|e| Error::NoCluster(Box::new(e)))?;
    // kube would repeat a POST by itself; every request here has its own deadline and its own rule for repeating.
    config.default_retry = false;
    let client = Client::try_from(config).map_err(|e| Error::Kube(Box::new(e)))?;
    let places = start::places(&settings);
    start::kinds(&client, &places).await?;
    let cluster = start::cluster_id(&client, &settings).await?;
    let mut ended = signals()?;
    let holder = holder();
    let mut candidate = settings
        .lease
        .as_ref()
        .map(|(namespace, name)| Candidate::new(client.clone(), (namespace, name), &holder, clock.clone()));
    if let Some(candidate) = &mut candidate {
        tokio::select! {
            () = candidate.elected() => tracing::info!("leading"),
            () = ended.wait() => return Ok(()),
        }
    }
    let term = candidate.as_ref().map_or_else(Term::unlimited, Candidate::term);
    let controllers = Controllers::new(&client, &places, &settings);
    let (tenants, identity_providers, offboardings) = controllers.stores();
    let (events, writer) = Events::start(client.clone(), holder.clone());
    let writer = tokio::spawn(writer);
    let cx = Arc::new(Context {
        client,
        cloud: cloud.within(term),
        clock,
        settings: settings.clone(),
        cluster,
        holder,
        ledger: Ledger::default(),
        gates: Gates::default(),
        events,
        tenants,
        identity_providers,
        offboardings,
    });
    let (stop, stopped) = watch::channel(false);
    let mut tasks = controllers.start(&cx, &stopped);
    tasks.spawn(sweep(cx.clone(), stopped));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), namespaces = ?settings.namespaces, "started");
    tokio::select! {
        () = ended.wait() => {}
        () = lost(&mut candidate) => return Err(Error::LostLease(lease_name(&settings))),
    }
    tracing::info!("stopping: no new pass starts, running ones may end");
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
