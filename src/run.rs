//! Puts the pieces together: clients, one controller per kind and namespace, and a drain on SIGTERM.

use crate::clock::Clock;
use crate::config::{self, RunArgs, Settings};
use crate::crd::{QlikIdentityProvider, QlikOAuthClient, QlikOffboarding, QlikTenant};
use crate::engine::{Context, Events, Gates, Lean, Ledger, Managed, chain, reconcile};
use crate::kinds::parent::{Child, concerns};
use crate::qlik::{self, Cloud};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher;
use kube::{Api, Client};
use std::convert::Infallible;
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
    /// Signals cannot be handled.
    #[error("cannot listen for SIGTERM")]
    Signals(#[source] std::io::Error),
}

/// Runs until SIGTERM or SIGINT, then lets running passes end.
pub async fn run(args: &RunArgs) -> Result<(), Error> {
    let settings = Arc::new(Settings::read(args)?);
    let clock = clock(args);
    let cloud = Cloud::new(args.endpoints()?, clock.clone())?;
    let mut config = kube::Config::infer().await.map_err(|e| Error::NoCluster(Box::new(e)))?;
    // kube would repeat a POST by itself; every request here has its own deadline and its own rule for repeating.
    config.default_retry = false;
    let client = Client::try_from(config).map_err(|e| Error::Kube(Box::new(e)))?;
    let places = places(&settings);
    for place in &places {
        check::<QlikIdentityProvider>(&client, place.as_deref(), "QlikIdentityProvider").await?;
        check::<QlikOAuthClient>(&client, place.as_deref(), "QlikOAuthClient").await?;
        check::<QlikTenant>(&client, place.as_deref(), "QlikTenant").await?;
        check::<QlikOffboarding>(&client, place.as_deref(), "QlikOffboarding").await?;
    }
    let cluster = cluster_id(&client, &settings).await?;
    let (stop, stopped) = watch::channel(false);
    let tenants: Vec<_> = places.iter().map(|p| controller::<QlikTenant>(&client, p.as_deref(), &settings)).collect();
    let offboardings: Vec<_> =
        places.iter().map(|p| controller::<QlikOffboarding>(&client, p.as_deref(), &settings)).collect();
    let providers: Vec<_> =
        places.iter().map(|p| controller::<QlikIdentityProvider>(&client, p.as_deref(), &settings)).collect();
    let clients: Vec<_> =
        places.iter().map(|p| controller::<QlikOAuthClient>(&client, p.as_deref(), &settings)).collect();
    let holder = holder();
    let (events, writer) = Events::start(client.clone(), holder.clone());
    let writer = tokio::spawn(writer);
    let cx = Arc::new(Context {
        client: client.clone(),
        cloud,
        clock: clock.clone(),
        settings: settings.clone(),
        cluster,
        holder,
        ledger: Ledger::default(),
        gates: Gates::default(),
        events,
        tenants: tenants.iter().map(Controller::store).collect(),
        identity_providers: providers.iter().map(Controller::store).collect(),
        offboardings: offboardings.iter().map(Controller::store).collect(),
    });
    let mut tasks = JoinSet::new();
    for (controller, place) in tenants.into_iter().zip(&places) {
        let controller = follow_records(controller, &client, place.as_deref(), cx.clone());
        tasks.spawn(drive(controller, cx.clone(), stopped.clone()));
    }
    for (controller, place) in providers.into_iter().zip(&places) {
        let controller = follow_tenants(controller, &client, place.as_deref(), cx.clone());
        tasks.spawn(drive(controller, cx.clone(), stopped.clone()));
    }
    for (controller, place) in clients.into_iter().zip(&places) {
        let controller = follow_tenants(controller, &client, place.as_deref(), cx.clone());
        tasks.spawn(drive(controller, cx.clone(), stopped.clone()));
    }
    for controller in offboardings {
        tasks.spawn(drive(controller, cx.clone(), stopped.clone()));
    }
    tasks.spawn(sweep(cx.clone(), stopped));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), namespaces = ?settings.namespaces, "started");
    signal().await?;
    tracing::info!("stopping: no new pass starts, running ones may end");
    // Receivers that ended already need no word.
    let _ = stop.send(true);
    if tokio::time::timeout(settings.drain, async { while tasks.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!("some passes did not end in time; what they were doing is announced and will be resolved");
        tasks.abort_all();
    }
    drop(cx);
    if tokio::time::timeout(EVENTS_DRAIN, writer).await.is_err() {
        tracing::warn!("some events were not written");
    }
    tracing::info!("stopped");
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

/// The namespaces to work in; `None` stands for all.
fn places(settings: &Settings) -> Vec<Option<String>> {
    if settings.namespaces.is_empty() {
        return vec![None];
    }
    settings.namespaces.iter().cloned().map(Some).collect()
}

fn api<K>(client: &Client, place: Option<&str>) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    match place {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// A kind that cannot be listed would make its controller wait without a word.
async fn check<K: Managed>(client: &Client, place: Option<&str>, kind: &'static str) -> Result<(), Error> {
    let place_text = || place.map_or_else(|| "the cluster".to_owned(), |n| format!("namespace {n}"));
    let list = api::<K>(client, place);
    let first = kube::api::ListParams::default().limit(1);
    match tokio::time::timeout(CHECK_DEADLINE, list.list_metadata(&first)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(source)) if matches!(source, kube::Error::Api(_)) => {
            Err(Error::Kind { kind, place: place_text(), source: Box::new(source) })
        }
        Ok(Err(source)) => Err(Error::Unreachable { source: Box::new(source) }),
        Err(_) => Err(Error::Silent(CHECK_DEADLINE)),
    }
}

/// What names this cluster in marks: the setting, or the uid of a namespace that lives as long as the cluster (or as the
/// operator's only namespaces).
async fn cluster_id(client: &Client, settings: &Settings) -> Result<String, Error> {
    if let Some(id) = &settings.cluster_id {
        return Ok(id.clone());
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let mut last = None;
    for name in std::iter::once("kube-system").chain(settings.namespaces.first().map(String::as_str)) {
        match tokio::time::timeout(CHECK_DEADLINE, namespaces.get_metadata(name)).await {
            Ok(Ok(found)) => return Ok(found.metadata.uid.unwrap_or_default()),
            Ok(Err(source)) => last = Some(source),
            Err(_) => return Err(Error::Silent(CHECK_DEADLINE)),
        }
    }
    last.map_or(Err(Error::Silent(CHECK_DEADLINE)), |source| Err(Error::ClusterId { source: Box::new(source) }))
}

/// An API server that takes the connection and says nothing must not keep a start waiting for ever.
const CHECK_DEADLINE: Duration = Duration::from_secs(20);

fn controller<K: Managed>(client: &Client, place: Option<&str>, settings: &Settings) -> Controller<Lean<K>> {
    let config = controller::Config::default().concurrency(settings.concurrency);
    Controller::new(api::<Lean<K>>(client, place), watcher::Config::default())
        .with_config(config)
        .trigger_backoff(WatchAgain::default())
}

/// How soon a broken watch is begun again: after half a second, and after five at most. kube's own pace is meant for
/// thousands of clients of one API server and grows to half a minute, in which what was merged is not seen.
#[derive(Default)]
struct WatchAgain(u32);

impl Iterator for WatchAgain {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0 = self.0.saturating_add(1);
        Some(Duration::from_millis(500 << self.0.min(5).saturating_sub(1)).min(Duration::from_secs(5)))
    }
}

impl Backoff for WatchAgain {
    fn reset(&mut self) {
        *self = Self::default();
    }
}

/// A change of a record concerns the tenant that it is about.
fn follow_records(
    controller: Controller<Lean<QlikTenant>>,
    client: &Client,
    place: Option<&str>,
    cx: Arc<Context>,
) -> Controller<Lean<QlikTenant>> {
    let records = api::<Lean<QlikOffboarding>>(client, place);
    controller.watches(records, watcher::Config::default(), move |record: Lean<QlikOffboarding>| {
        let record = record.0.0.ok()?;
        cx.gates.open(&record.spec.tenant.uid, cx.clock.monotonic());
        let namespace = record.metadata.namespace?;
        Some(ObjectRef::new(&record.spec.tenant.name).within(&namespace))
    })
}

/// A change of a tenant concerns those of its children that it gives something to do.
fn follow_tenants<K: Child>(
    controller: Controller<Lean<K>>,
    client: &Client,
    place: Option<&str>,
    cx: Arc<Context>,
) -> Controller<Lean<K>> {
    let children = controller.store();
    let tenants = api::<Lean<QlikTenant>>(client, place);
    controller.watches(tenants, watcher::Config::default(), move |tenant: Lean<QlikTenant>| {
        let concerned: Vec<_> = match &tenant.0.0 {
            Err(_) => Vec::new(),
            Ok(tenant) => children
                .state()
                .iter()
                .filter_map(|child| child.0.0.as_ref().ok())
                .filter(|child| child.meta().namespace == tenant.metadata.namespace)
                .filter(|child| Some(&child.tenant_ref().name) == tenant.metadata.name.as_ref())
                .filter(|child| concerns(*child, tenant))
                .map(|child| {
                    cx.gates.open(child.meta().uid.as_deref().unwrap_or_default(), cx.clock.monotonic());
                    let name = child.meta().name.as_deref().unwrap_or_default();
                    ObjectRef::new(name).within(child.meta().namespace.as_deref().unwrap_or_default())
                })
                .collect(),
        };
        concerned
    })
}

async fn drive<K: Managed>(controller: Controller<Lean<K>>, cx: Arc<Context>, mut stopped: watch::Receiver<bool>) {
    let stop = async move {
        // The sender lives as long as the process runs; its end means the same as its word.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let never = |_: Arc<Lean<K>>, error: &Infallible, _: Arc<Context>| -> Action { match *error {} };
    controller
        .reconcile_all_on(turns(&cx.clock))
        .graceful_shutdown_on(stop)
        .run(|object, cx| reconcile::<K>(object, cx), never, cx)
        .for_each(|pass| {
            match pass {
                // An object that went away while it was queued is the ordinary course.
                Ok(_) | Err(controller::Error::ObjectNotFound(_)) => {}
                Err(error) => tracing::warn!(error = chain(&error), "the watch failed and starts anew"),
            }
            futures::future::ready(())
        })
        .await;
}

#[cfg(not(feature = "turnable-clock"))]
fn turns(_clock: &Clock) -> BoxStream<'static, ()> {
    stream::pending().boxed()
}

/// Timers run on the machine's clock; when the turnable clock is turned, everything is looked at anew.
#[cfg(feature = "turnable-clock")]
fn turns(clock: &Clock) -> BoxStream<'static, ()> {
    let ticks = tokio::time::interval(Duration::from_millis(200));
    let state = (clock.clone(), ticks, clock.monotonic());
    stream::unfold(state, |(clock, mut ticks, mut last)| async move {
        loop {
            ticks.tick().await;
            let now = clock.monotonic();
            let turned = now.abs_diff(last) > Duration::from_secs(30);
            last = now;
            if turned {
                return Some(((), (clock, ticks, last)));
            }
        }
    })
    .boxed()
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

async fn signal() -> Result<(), Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    futures::select! {
        _ = terminate.recv().fuse() => {}
        _ = interrupt.recv().fuse() => {}
    }
    Ok(())
}

/// Names this process in intents: nobody else, not even its own successor, may act on them.
fn holder() -> String {
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id());
    format!("qlik-operator-{random:016x}")
}
