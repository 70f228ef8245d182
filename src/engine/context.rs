//! What every pass shares.

use super::error::Error;
use super::events::Events;
use super::gate::Gates;
use super::lean::Lean;
use super::ledger::Ledger;
use super::lists::Lists;
use super::span;
use crate::clock::Clock;
use crate::config::Settings;
use crate::crd::{QlikIdentityProvider, QlikOAuthClient, QlikOffboarding, QlikTenant};
use crate::metrics::Passes;
use crate::qlik::Cloud;
use kube::Resource;
use kube::runtime::reflector::Store;
use std::sync::Arc;
use std::time::Duration;

/// What every pass shares: clients, clock, settings, and this process's memory.
pub struct Context {
    /// The Kubernetes API.
    pub client: kube::Client,
    /// Qlik Cloud.
    pub cloud: Cloud,
    /// Time.
    pub clock: Clock,
    /// The operator's settings.
    pub settings: Arc<Settings>,
    /// Names this cluster in marks.
    pub cluster: String,
    /// Names this process in intents.
    pub holder: String,
    /// Calls that must not be made twice.
    pub ledger: Ledger,
    /// Held while a `ConfigMap` of the operator's own namespace is read and written, so that passes do not race each other.
    pub own_maps: tokio::sync::Mutex<()>,
    /// When each object is due.
    pub gates: Gates,
    /// Events about objects.
    pub events: Events,
    /// Every object in sight.
    pub caches: Caches,
    /// Where passes are counted.
    pub passes: Passes,
}

/// Every object in sight, by kind, one store for each namespace. They may lag behind the API.
pub struct Caches {
    /// Every `QlikTenant`.
    pub tenants: Vec<Store<Lean<QlikTenant>>>,
    /// Every `QlikIdentityProvider`.
    pub identity_providers: Vec<Store<Lean<QlikIdentityProvider>>>,
    /// Every `QlikOAuthClient`.
    pub oauth_clients: Vec<Store<Lean<QlikOAuthClient>>>,
    /// Every `QlikOffboarding`.
    pub offboardings: Vec<Store<Lean<QlikOffboarding>>>,
    /// Which of them hold everything.
    pub lists: Lists,
}

impl Context {
    /// The `QlikTenant`s in the cache of which this is so, malformed ones included. The others are looked at where they
    /// are: nothing of them is copied.
    pub fn tenants_where(&self, so: impl Fn(&Lean<QlikTenant>) -> bool) -> impl Iterator<Item = Arc<Lean<QlikTenant>>> {
        self.caches.tenants.iter().flat_map(move |store| store.state_filter(&so))
    }

    /// Whether a `QlikTenant` with this uid is in the cache, malformed or not.
    pub fn has_tenant(&self, uid: &str) -> bool {
        self.tenants_where(|tenant| tenant.meta().uid.as_deref() == Some(uid)).next().is_some()
    }

    /// Why nothing irreversible may be done now, if the clocks disagree or Qlik Cloud's own date is not known.
    pub fn doubt(&self) -> Option<String> {
        match self.clock.doubt() {
            Some(doubt) => Some(doubt.to_string()),
            None if !self.clock.has_qlik_date() => Some("Qlik Cloud's own date is not known yet".to_owned()),
            None => None,
        }
    }

    /// A word that nobody else makes.
    pub fn nonce(&self) -> String {
        let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), &self.holder);
        format!("{random:016x}")
    }
}

/// How long one request to the Kubernetes API may take. kube sets no limit of its own.
const KUBE_DEADLINE: Duration = Duration::from_secs(15);

/// Runs one request to the Kubernetes API under a deadline.
pub async fn within<T>(
    what: &'static str,
    request: impl Future<Output = Result<T, kube::Error>> + Send,
) -> Result<T, Error> {
    let answer = span::of_request(what, tokio::time::timeout(KUBE_DEADLINE, request)).await;
    match answer {
        Ok(answer) => answer.map_err(Error::kube(what)),
        Err(_) => Err(Error::KubeTimeout(what)),
    }
}
