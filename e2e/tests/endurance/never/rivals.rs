//! Two operators, of which one has made a secret and has not written it yet when the other looks: whoever comes second
//! writes nothing over the other's work, and the app has a secret that works all the while.

use super::customer::{Customer, Human};
use super::life::{compare, until_swept};
use super::operation::{Operation, machine, put};
use super::secrets::is_write;
use e2e::cluster::proxy::{Before, Call, Hooks, Proxy};
use e2e::sim::{After, AfterRequest, Entry};
use e2e::stage::{Error, Inside, PATIENCE, Setup, Stage, in_phase, is_ready, manifest};
use e2e::table;
use qlik_operator::crd::QlikOAuthClient;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use tokio::sync::Notify;

const SIGNING: &str = "auth: {privateKeyJwt: {generate: {algorithm: ES384, secret: {name: app}}}}";

/// A machine that signs with a key made for it.
fn signing() -> String {
    machine("app").replace("auth: {clientSecret: {secret: {name: app}}}", SIGNING)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_comes_second_writes_nothing_over_the_others_work() {
    let rows = [
        ("secret: create", machine("app"), Operation::Create),
        ("secret: rotate", machine("app"), Operation::Rotate),
        ("secret: repair", machine("app"), Operation::Repair),
        ("key: create", signing(), Operation::Create),
        ("key: rotate", signing(), Operation::Rotate),
        ("key: repair", signing(), Operation::Repair),
    ];
    let rows = rows.map(|(name, manifest, operation)| (name.to_owned(), (manifest, operation))).to_vec();
    table::run("overtaken between making and writing", rows, |(manifest, operation)| async move {
        overtaken(&manifest, operation).await
    })
    .await;
}

async fn overtaken(text: &str, operation: Operation) -> Result<String, Error> {
    let mut setup = Setup::new("rivals");
    setup.sim.options.rate_scale = 1000.0;
    let halt = Halt::default();
    setup.sim.after_request = Some(halt.at_qlik());
    let stage = Stage::new(setup).await?;
    let proxy = Proxy::start(stage.cluster, &stage.identity, halt.hooks()).await?;
    let _first = stage.operator_with(proxy.kubeconfig(), &[]).await?;
    stage.put(&manifest("acme", "alias: acme")).await?;
    stage.until("acme", "is ready", |t| is_ready(t) && in_phase(t, "Ready")).await?;
    if operation != Operation::Create {
        put(&stage, text).await?;
        stage.until_client("app", "is ready", Inside::is_ready).await?;
    }
    let customer = Customer::new(&stage)?;
    let course = async {
        stage.sim.clear_journal();
        if operation == Operation::Repair {
            customer.tell(Human::TookSecret("repair"));
        }
        halt.arm();
        if operation == Operation::Create {
            put(&stage, text).await?;
        } else {
            operation.begin(&stage).await?;
        }
        tokio::time::timeout(PATIENCE, halt.reached()).await?;
        let _second = stage.operator().await?;
        stage.client_pass("app").await?;
        halt.go_on();
        stage.client_pass("app").await?;
        let ended = |app: &QlikOAuthClient| {
            let rotated = app.status.as_ref().is_some_and(|s| s.last_handled_rotate_at.is_some());
            app.is_ready() && (operation != Operation::Rotate || rotated)
        };
        let end = async || Ok(Some(stage.clients().get("app").await?).filter(ended));
        stage.in_time("its end", end).await?;
        customer.tell(Human::Idle);
        let before = compare(&stage).await?.hints.len();
        stage.client_pass("app").await?;
        until_swept(&stage).await?;
        Ok::<_, Error>(format!("{before} secrets before the end of the overlap, 1 after"))
    };
    tokio::select! {
        shown = course => shown,
        error = customer.watch() => Err(error),
    }
}

/// Holds back the write of a Secret that follows a call which made something for it.
#[derive(Clone, Default)]
struct Halt {
    armed: Arc<AtomicBool>,
    made: Arc<AtomicBool>,
    reached: Arc<Notify>,
    free: Arc<(Mutex<bool>, Condvar)>,
}

impl Halt {
    fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// For [`e2e::sim::Config::after_request`].
    fn at_qlik(&self) -> AfterRequest {
        let halt = self.clone();
        Arc::new(move |entry: &Entry| {
            let making = ["oauth-client.created", "oauth-client.patched", "secret.created"];
            let makes = entry.committed && entry.effect.as_deref().is_some_and(|effect| making.contains(&effect));
            if makes && halt.armed.load(Ordering::SeqCst) {
                halt.made.store(true, Ordering::SeqCst);
            }
            After::Answer
        })
    }

    fn hooks(&self) -> Hooks {
        let halt = self.clone();
        Hooks::default().before_request(move |call: &Call| {
            let held = is_write(&call.method, &call.path) && halt.made.load(Ordering::SeqCst);
            if held && halt.armed.swap(false, Ordering::SeqCst) {
                halt.reached.notify_one();
                // Nothing may be awaited in a hook, and nobody else is to be held up.
                tokio::task::block_in_place(|| {
                    let (free, told) = &*halt.free;
                    let free = free.lock().unwrap_or_else(PoisonError::into_inner);
                    drop(told.wait_timeout_while(free, PATIENCE, |free| !*free));
                });
            }
            Before::Forward
        })
    }

    /// Waits until a write is held back.
    async fn reached(&self) {
        self.reached.notified().await;
    }

    fn go_on(&self) {
        let (free, told) = &*self.free;
        *free.lock().unwrap_or_else(PoisonError::into_inner) = true;
        told.notify_all();
    }
}
