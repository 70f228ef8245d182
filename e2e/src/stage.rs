//! Everything that one scenario needs: a namespace of the control plane, a simulator, and operators as processes.
//!
//! Turning the stage's clock turns the simulator's and the operators' together; tests of clocks that disagree turn one.

mod children;
mod faults;
mod installation;
mod objects;
mod operator;
pub mod rights;
mod trap;
mod witness;

pub use children::{Inside, child_manifest, client_manifest};
pub use faults::{Fault, faults};
pub use installation::INSTALLED;
pub use objects::{condition, manifest};
pub use operator::{Operator, address};
pub use trap::{Blow, Trap};
pub use witness::{in_phase, is_ready, is_stalled, show};

use crate::cluster::{Cluster, Identity, TestNamespace};
use crate::nightly::without_optional_fields;
use crate::process::until;
use crate::sim::{self, Running, Sim};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use qlik_operator::crd::{QlikOffboarding, QlikTenant};
use rights::OPERATORS;
use std::error::Error as StdError;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// Anything that can go wrong on a stage ends the scenario.
pub type Error = Box<dyn StdError + Send + Sync>;

/// How a stage is set up.
#[derive(Clone)]
pub struct Setup {
    /// Start of the namespace's name.
    pub prefix: String,
    /// Give operators the organization credential.
    pub organization: bool,
    /// Tell operators that nobody else makes tenants in the subscription.
    pub organization_is_ours: bool,
    /// The simulator.
    pub sim: sim::Config,
    /// What operators log.
    pub log: String,
    /// Install the CRDs and the rights of operators; off where installing them is what is tested.
    pub installed: bool,
}

impl Setup {
    /// An ordinary stage.
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            organization: false,
            organization_is_ours: false,
            sim: sim_config(),
            log: "info,qlik_operator=debug".to_owned(),
            installed: true,
        }
    }

    /// With the organization credential.
    #[must_use]
    pub fn with_organization(mut self) -> Self {
        self.organization = true;
        self
    }

    /// With the organization credential, and nobody else makes tenants in the subscription.
    #[must_use]
    pub fn with_own_organization(mut self) -> Self {
        self.organization_is_ours = true;
        self.with_organization()
    }
}

fn sim_config() -> sim::Config {
    let mut config = sim::Config::default();
    if without_optional_fields() {
        config.options.omit = vec!["*".to_owned()];
    }
    config
}

/// One scenario's world.
pub struct Stage {
    /// The control plane.
    pub cluster: &'static Cluster,
    /// Qlik Cloud.
    pub sim: Running,
    /// This scenario's namespace.
    pub namespace: TestNamespace,
    /// Who the operators are.
    pub identity: Identity,
    admin: kube::Client,
    setup: Setup,
    directory: TempDir,
    /// The last to go: what goes before it may still ask the API server for something.
    _plane: Option<Alone>,
}

/// A control plane that no other stage is on.
struct Alone(&'static Cluster);

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

/// How long anything on a stage may take to come about on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(240);

impl Stage {
    /// Sets up a stage on the shared control plane; no operator runs yet.
    pub async fn new(setup: Setup) -> Result<Self, Error> {
        Self::on(Cluster::shared().await?, setup).await
    }

    /// Sets up a stage on a control plane of its own, which ends with it.
    pub async fn alone(setup: Setup) -> Result<Self, Error> {
        let plane = Alone(Cluster::lasting().await?);
        let stage = Self::on(plane.0, setup).await?;
        Ok(Self { _plane: Some(plane), ..stage })
    }

    /// Sets up a stage on this control plane.
    pub async fn on(cluster: &'static Cluster, mut setup: Setup) -> Result<Self, Error> {
        if setup.installed {
            rights::install(cluster).await?;
        }
        // Below the cluster's directory, which is swept even where this process is killed outright.
        let directory = tempfile::Builder::new().prefix("stage-").tempdir_in(cluster.directory())?;
        setup.sim.tls_dir.get_or_insert_with(|| directory.path().join("tls"));
        let sim = Sim::start(setup.sim.clone())?;
        let namespace = cluster.namespace(&setup.prefix).await?;
        let identity = cluster.identity(&format!("operator-{}", namespace.name()), &[OPERATORS]).await?;
        if setup.installed {
            rights::own_namespace(cluster, namespace.name(), OPERATORS).await?;
        }
        let stage = Self { cluster, sim, namespace, identity, admin: cluster.admin()?, setup, directory, _plane: None };
        stage.write_credentials()?;
        stage.write_secrets().await?;
        Ok(stage)
    }

    /// The namespace's name.
    pub fn ns(&self) -> &str {
        self.namespace.name()
    }

    /// A client with every right.
    pub fn admin(&self) -> kube::Client {
        self.admin.clone()
    }

    /// The tenants of the namespace.
    pub fn tenants(&self) -> Api<QlikTenant> {
        Api::namespaced(self.admin(), self.ns())
    }

    /// The off-boarding records of the namespace.
    pub fn records(&self) -> Api<QlikOffboarding> {
        Api::namespaced(self.admin(), self.ns())
    }

    /// A directory that goes with the stage.
    pub fn directory(&self) -> PathBuf {
        self.directory.path().to_path_buf()
    }

    /// Applies manifests with kubectl, as a user would.
    pub async fn apply(&self, manifests: &str) -> Result<(), Error> {
        self.cluster.kubectl(&["apply", "-n", self.ns(), "-f", "-"], manifests).await?.succeeded()?;
        Ok(())
    }

    /// Runs kubectl in the namespace; fails when kubectl does.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String, Error> {
        Ok(self.cluster.kubectl(&[&["-n", self.ns()], args].concat(), "").await?.succeeded()?)
    }

    /// Changes a tenant's object with a merge patch.
    pub async fn patch(&self, name: &str, patch: serde_json::Value) -> Result<QlikTenant, Error> {
        Ok(self.tenants().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?)
    }

    /// Deletes a tenant's object; does not wait for it to go.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        self.tenants().delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until a tenant's object is as wanted; shows it when that does not come about.
    pub async fn until(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&QlikTenant) -> bool,
    ) -> Result<QlikTenant, Error> {
        let tenants = self.tenants();
        let mut last = None;
        let found = until::<_, Error, _>(PATIENCE, &format!("{name} {what}"), async || {
            last = tenants.get_opt(name).await?;
            Ok(last.clone().filter(|tenant| wanted(tenant)))
        })
        .await;
        found.map_err(|error| format!("{error}; it is {:#?}", last.and_then(|tenant| tenant.status)).into())
    }

    /// Waits until a tenant's object is gone.
    pub async fn until_gone(&self, name: &str) -> Result<(), Error> {
        let tenants = self.tenants();
        until(PATIENCE, &format!("{name} goes away"), async || Ok(tenants.get_opt(name).await?.is_none().then_some(())))
            .await
    }

    /// Waits until something is so.
    pub async fn until_some<T: Debug>(
        &self,
        what: &str,
        ask: impl AsyncFnMut() -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        until(PATIENCE, what, ask).await
    }

    /// Turns the clock of Qlik Cloud and of the operators.
    pub fn turn(&self, by: Duration) -> Result<(), Error> {
        self.sim.advance(by);
        self.turn_operators(i64::try_from(self.sim.offset().as_secs())?)
    }

    /// Sets how many seconds the operators' clocks, wall and monotonic, are ahead, whatever Qlik Cloud's does.
    pub fn turn_operators(&self, seconds: i64) -> Result<(), Error> {
        self.write_clock(seconds, 0)
    }

    /// Sets the operators' wall clock alone, as somebody who sets a node's date would: so many seconds ahead of what it
    /// would be, or behind.
    pub fn set_wall_clock(&self, ahead: i64) -> Result<(), Error> {
        self.write_clock(i64::try_from(self.sim.offset().as_secs())?, ahead)
    }

    fn write_clock(&self, both: i64, wall: i64) -> Result<(), Error> {
        // Written beside and moved, so that no operator reads half a number.
        let next = self.directory.path().join("clock.next");
        std::fs::write(&next, format!("{both} {wall}"))?;
        std::fs::rename(next, self.clock_file())?;
        Ok(())
    }

    /// The file that tells operators how far their clocks are ahead.
    pub fn clock_file(&self) -> PathBuf {
        self.directory.path().join("clock")
    }

    /// How often a request of this kind took effect in Qlik Cloud, for instance `tenant.deactivated`.
    pub fn committed(&self, effect: &str) -> usize {
        self.sim.journal().iter().filter(|e| e.committed && e.effect.as_deref() == Some(effect)).count()
    }

    /// How often this method and path (a suffix) was called, with whatever outcome.
    pub fn called(&self, method: &str, suffix: &str) -> usize {
        let ends = |path: &str| path.split('?').next().is_some_and(|path| path.ends_with(suffix));
        self.sim.journal().iter().filter(|e| e.method == method && ends(&e.path)).count()
    }
}
