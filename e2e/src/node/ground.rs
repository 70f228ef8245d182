//! Everything that the scenarios stand on.

use super::Error;
use super::kubernetes::Node;
use super::pod::kill;
use super::tool::succeeded;
use crate::cluster::Cluster;
use crate::cluster::binaries::Helm;
use crate::process::until;
use crate::sim::{After, AfterRequest, Entry, Running};
use kube::api::Api;
use qlik_operator::crd::QlikTenant;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The operator's namespace.
pub(super) const SYSTEM: &str = "qlik-system";
/// The tenants' namespace.
pub(super) const CUSTOMERS: &str = "customers";
/// The name of the release, its Deployment and its service account.
pub(super) const RELEASE: &str = "qlik-operator";
const PATIENCE: Duration = Duration::from_secs(180);

/// Everything that the scenarios stand on. The order of the fields is the order of their end.
pub(super) struct Ground {
    pub(super) node: Node,
    pub(super) client: kube::Client,
    pub(super) cluster: Cluster,
    pub(super) sim: Running,
    pub(super) ambush: Ambush,
    pub(super) directory: PathBuf,
    /// How many tenants the scenario of many has.
    pub(super) many: usize,
}

impl Ground {
    /// Runs kubectl, which has to succeed.
    pub(super) async fn kubectl(&self, args: &[&str], stdin: &str) -> Result<String, Error> {
        succeeded(&format!("kubectl {}", args.join(" ")), self.cluster.kubectl(args, stdin).await?)
    }

    /// Runs helm, which has to succeed.
    pub(super) async fn helm(&self, args: &[&str], values: &str) -> Result<String, Error> {
        succeeded(&format!("helm {}", args.join(" ")), self.cluster.helm(Helm::V4, args, values).await?)
    }

    /// The customers' tenants.
    pub(super) fn tenants(&self) -> Api<QlikTenant> {
        Api::namespaced(self.client.clone(), CUSTOMERS)
    }

    /// Waits until a tenant's object is as wanted.
    pub(super) async fn until(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&QlikTenant) -> bool,
    ) -> Result<QlikTenant, Error> {
        let (tenants, mut last, what) = (self.tenants(), None, format!("{name} {what}"));
        let found = until::<_, Error, _>(PATIENCE, &what, async || {
            last = tenants.get_opt(name).await?;
            Ok(last.clone().filter(|tenant| wanted(tenant)))
        });
        found.await.map_err(|error| format!("{error}; it is {:#?}", last.and_then(|tenant| tenant.status)).into())
    }

    /// The requests of this effect, for instance `tenant.created`.
    pub(super) fn committed(&self, effect: &str) -> Vec<Entry> {
        let journal = self.sim.journal().into_iter();
        journal.filter(|entry| entry.committed && entry.effect.as_deref() == Some(effect)).collect()
    }
}

/// Kills a process right after one of its requests took effect in Qlik Cloud, before it hears of that.
#[derive(Clone, Default)]
pub(super) struct Ambush(Arc<Mutex<Option<Victim>>>);

struct Victim {
    effect: &'static str,
    process: i32,
}

impl Ambush {
    /// Lies in wait for this effect.
    pub(super) fn lay(&self, effect: &'static str, process: i32) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Victim { effect, process });
    }

    /// For the simulator.
    pub(super) fn hook(&self) -> AfterRequest {
        let ambush = self.clone();
        Arc::new(move |entry: &Entry| {
            let mut victim = ambush.0.lock().unwrap_or_else(PoisonError::into_inner);
            match victim.take_if(|victim| entry.committed && entry.effect.as_deref() == Some(victim.effect)) {
                Some(victim) if kill(victim.process).is_ok() => After::Drop,
                Some(_) | None => After::Answer,
            }
        })
    }
}
