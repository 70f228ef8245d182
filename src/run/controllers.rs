//! One controller for each kind and namespace, and what wakes its objects.

use crate::clock::Clock;
use crate::config::Settings;
use crate::crd::{QlikIdentityProvider, QlikOAuthClient, QlikOffboarding, QlikTenant};
use crate::engine::{Caches, Context, Lean, Lists, Managed, chain, reconcile};
use crate::health::{BEAT, Health};
use crate::kinds::parent::{Child, concerns};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource as _};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// The controllers of a process, not running yet.
pub(super) struct Controllers {
    client: Client,
    places: Vec<Option<String>>,
    lists: Lists,
    tenants: Vec<Controller<Lean<QlikTenant>>>,
    providers: Vec<Controller<Lean<QlikIdentityProvider>>>,
    clients: Vec<Controller<Lean<QlikOAuthClient>>>,
    offboardings: Vec<Controller<Lean<QlikOffboarding>>>,
}

impl Controllers {
    pub(super) fn new(client: &Client, places: &[Option<String>], settings: &Settings) -> Self {
        let lists = Lists::default();
        Self {
            tenants: each(client, places, (settings, &lists)),
            providers: each(client, places, (settings, &lists)),
            clients: each(client, places, (settings, &lists)),
            offboardings: each(client, places, (settings, &lists)),
            lists,
            client: client.clone(),
            places: places.to_vec(),
        }
    }

    /// The caches that passes look into.
    pub(super) fn caches(&self) -> Caches {
        Caches {
            tenants: self.tenants.iter().map(Controller::store).collect(),
            identity_providers: self.providers.iter().map(Controller::store).collect(),
            oauth_clients: self.clients.iter().map(Controller::store).collect(),
            offboardings: self.offboardings.iter().map(Controller::store).collect(),
            lists: self.lists.clone(),
        }
    }

    /// Begins to work, until told to stop.
    pub(super) fn start(self, cx: &Arc<Context>, around: &Around) -> JoinSet<()> {
        let Self { client, places, lists: _, tenants, providers, clients, offboardings } = self;
        let mut tasks = JoinSet::new();
        for (controller, place) in tenants.into_iter().zip(&places) {
            let controller = follow_records(controller, &client, place.as_deref(), cx.clone());
            tasks.spawn(drive(controller, cx.clone(), around.clone()));
        }
        for (controller, place) in providers.into_iter().zip(&places) {
            let controller = follow_tenants(controller, &client, place.as_deref(), cx.clone());
            tasks.spawn(drive(controller, cx.clone(), around.clone()));
        }
        for (controller, place) in clients.into_iter().zip(&places) {
            let controller = follow_tenants(controller, &client, place.as_deref(), cx.clone());
            tasks.spawn(drive(controller, cx.clone(), around.clone()));
        }
        for controller in offboardings {
            tasks.spawn(drive(controller, cx.clone(), around.clone()));
        }
        tasks
    }
}

fn each<K: Managed>(
    client: &Client,
    places: &[Option<String>],
    shared: (&Settings, &Lists),
) -> Vec<Controller<Lean<K>>> {
    places.iter().map(|place| controller(client, place.as_deref(), shared)).collect()
}

pub(super) fn api<K>(client: &Client, place: Option<&str>) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    match place {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// What `Controller::new` would make, with a look at the watch after the cache has taken in what it says.
fn controller<K: Managed>(
    client: &Client,
    place: Option<&str>,
    (settings, lists): (&Settings, &Lists),
) -> Controller<Lean<K>> {
    let config = controller::Config::default().concurrency(settings.concurrency);
    let list = lists.register(match place {
        Some(namespace) => format!("{} in namespace {namespace}", K::KIND),
        None => format!("{} in the cluster", K::KIND),
    });
    let (store, writer) = reflector::store();
    let watch = watcher(api::<Lean<K>>(client, place), watcher::Config::default());
    let watch = watch.reflect(writer).inspect(move |said| list.saw(said)).applied_objects();
    Controller::for_stream(watch, store).with_config(config).trigger_backoff(WatchAgain::default())
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
        cx.ledger.showed(tenant.meta());
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

/// What a controller hears from the process around it, and tells it.
#[derive(Clone)]
pub(super) struct Around {
    /// Says when to stop.
    pub(super) stopped: watch::Receiver<bool>,
    /// Where it shows that it lives.
    pub(super) health: Arc<Health>,
    /// Told when a watch broke.
    pub(super) broken: Arc<Notify>,
}

async fn drive<K: Managed>(controller: Controller<Lean<K>>, cx: Arc<Context>, around: Around) {
    let Around { mut stopped, health, broken } = around;
    let stop = async move {
        // The sender lives as long as the process runs; its end means the same as its word.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let never = |_: Arc<Lean<K>>, error: &Infallible, _: Arc<Context>| -> Action { match *error {} };
    let passes = controller.reconcile_all_on(turns(&cx.clock)).graceful_shutdown_on(stop).run(
        |object, cx| reconcile::<K>(object, cx),
        never,
        cx,
    );
    let mut passes = std::pin::pin!(passes);
    // The beat is in the same task as the passes: when one of them blocks it, there is none.
    let pulse = health.follow(K::KIND);
    let mut beats = tokio::time::interval(BEAT);
    loop {
        tokio::select! {
            _ = beats.tick() => pulse.beat(),
            pass = passes.next() => match pass {
                None => return pulse.ended(),
                // An object that went away while it was queued is the ordinary course.
                Some(Ok(_) | Err(controller::Error::ObjectNotFound(_))) => {}
                Some(Err(error)) => {
                    tracing::warn!(error = chain(&error), "the watch failed and starts anew");
                    broken.notify_one();
                }
            },
        }
    }
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
