//! Kills or freezes the operator right after one of its requests took effect and before it hears of that.

use super::Operator;
use crate::cluster::proxy::{self, Hooks};
use crate::sim::{self, AfterRequest, Entry};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Which request is the last: told the number of the request, from 1, and what it was.
type Last = Box<dyn FnMut(usize, &str) -> bool + Send>;

/// Watches the requests of one operator, those to Kubernetes through a proxy and those to Qlik Cloud in the simulator.
/// Watches, events and leases are not counted: nothing
/// depends on them, or they come by the clock.
#[derive(Clone, Default)]
pub struct Trap {
    inner: Arc<Mutex<Inner>>,
    sprung: Arc<Notify>,
}

#[derive(Default)]
struct Inner {
    last: Option<Last>,
    seen: Vec<String>,
    victim: Option<(Arc<Operator>, Blow)>,
}

/// What happens to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// It is killed, and the answer is lost.
    Kill,
    /// It is frozen, and finds the answer when it goes on.
    Freeze,
}

impl Trap {
    /// For [`crate::sim::Config::after_request`].
    pub fn at_qlik(&self) -> AfterRequest {
        let trap = self.clone();
        Arc::new(move |entry: &Entry| if trap.request(&of_qlik(entry)) { sim::After::Drop } else { sim::After::Answer })
    }

    /// For a proxy in front of the API server.
    pub fn at_kubernetes(&self) -> Hooks {
        let trap = self.clone();
        Hooks::default().after_request(move |request| {
            let aside = request.path.contains("events.k8s.io") || request.path.contains("/leases/");
            if !aside && trap.request(&of_kubernetes(request)) { proxy::After::Drop } else { proxy::After::Answer }
        })
    }

    /// Counts the requests of this operator from now on, and kills it after the one that `last` names.
    pub fn arm(&self, victim: Arc<Operator>, last: impl FnMut(usize, &str) -> bool + Send + 'static) {
        self.arm_with(Blow::Kill, victim, last);
    }

    /// The same with another blow.
    pub fn arm_with(&self, blow: Blow, victim: Arc<Operator>, last: impl FnMut(usize, &str) -> bool + Send + 'static) {
        let mut inner = self.lock();
        *inner = Inner { last: Some(Box::new(last)), seen: Vec::new(), victim: Some((victim, blow)) };
    }

    /// Stops counting. Answers what was seen; the operator has been struck if the trap had sprung.
    pub fn disarm(&self) -> Vec<String> {
        let mut inner = self.lock();
        inner.last = None;
        std::mem::take(&mut inner.seen)
    }

    /// Waits until the operator was struck. Heard once for each time.
    pub async fn sprung(&self) {
        self.sprung.notified().await;
    }

    /// Notes a request; `true` when it is the last and its answer has to be lost.
    fn request(&self, what: &str) -> bool {
        let mut inner = self.lock();
        if inner.last.is_none() {
            return false;
        }
        inner.seen.push(what.to_owned());
        let number = inner.seen.len();
        if !inner.last.as_mut().is_some_and(|last| last(number, what)) {
            return false;
        }
        inner.last = None;
        // Here and not by whoever waits: not one more request may leave it.
        let blow = inner.victim.take().map(|(victim, blow)| {
            drop(match blow {
                Blow::Kill => victim.kill9(),
                Blow::Freeze => victim.stop(),
            });
            blow
        });
        // Still under the lock: whoever disarms the trap hears of a blow from before.
        self.sprung.notify_one();
        blow != Some(Blow::Freeze)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Collections whose members have ids of their own.
const COLLECTIONS: [&str; 3] = ["oauth-clients", "client-secrets", "identity-providers"];

/// `POST register …/deactivate`, without ids.
fn of_qlik(entry: &Entry) -> String {
    let host = entry.host.split('.').next().filter(|first| ["register", "console"].contains(first)).unwrap_or("tenant");
    let path = entry.path.split('?').next().unwrap_or_default();
    let path = match &entry.tenant_id {
        Some(id) => path.replace(id.as_str(), "{id}"),
        None => path.to_owned(),
    };
    let mut parts: Vec<_> = path.split('/').map(str::to_owned).collect();
    for n in 1..parts.len() {
        if COLLECTIONS.contains(&parts[n - 1].as_str()) && parts[n] != "actions" {
            "{id}".clone_into(&mut parts[n]);
        }
    }
    format!("{} {host}{}", entry.method, parts.join("/"))
}

/// `PATCH qlikoffboardings/{name}/status`, without names.
fn of_kubernetes(request: &proxy::Request) -> String {
    let parts: Vec<_> = request.path.trim_matches('/').split('/').collect();
    // /api/v1/… or /apis/GROUP/VERSION/…, then namespaces/NAMESPACE/… for what is in one.
    let parts = parts.get(if parts.first() == Some(&"api") { 2 } else { 3 }..).unwrap_or_default();
    let parts = if parts.len() > 2 && parts.first() == Some(&"namespaces") { &parts[2..] } else { parts };
    let named = match parts {
        [resource] => (*resource).to_owned(),
        [resource, _] => format!("{resource}/{{name}}"),
        [resource, _, rest @ ..] => format!("{resource}/{{name}}/{}", rest.join("/")),
        [] => request.path.clone(),
    };
    format!("{} {named}", request.method)
}
