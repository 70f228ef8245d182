//! A real Kubernetes control plane on loopback: etcd, kube-apiserver and kube-controller-manager, no mock.
//!
//! It is kept by the program `local-control-plane`, which ends with the process that started it. Nothing here depends
//! on one asynchronous runtime: a cluster is shared by tests that each have their own.
use std::env;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::OnceCell;

pub mod audit;
pub mod binaries;
mod components;
mod connection;
mod crds;
pub mod directory;
mod error;
pub mod go_module;
pub mod helm;
mod identity;
pub mod keeper;
mod kubeconfig;
mod kubectl;
pub mod leftovers;
mod namespace;
mod pki;
pub mod proxy;
pub mod rights;

pub use crate::process::Output;
pub use audit::AuditLog;
pub(crate) use components::free_ports;
pub use error::Error;
pub use identity::Identity;
pub use namespace::TestNamespace;

use connection::Keeper;
use error::{io_error, kube_error};
use keeper::{DEFAULT_CONTROLLERS, Ready, START_API_SERVER, STOP_API_SERVER};

/// A Kubernetes cluster to test against.
#[derive(Debug)]
pub struct Cluster {
    /// Ends the control plane when dropped; for a cluster that exists anyway it keeps the directory only.
    keeper: Keeper,
    config: kube::Config,
    kubeconfig: PathBuf,
    directory: PathBuf,
    binaries: PathBuf,
    server: String,
    kind: Kind,
    files: AtomicU32,
}

#[derive(Debug)]
enum Kind {
    /// Started by this process.
    Embedded { audit_log: PathBuf },
    /// There before, used because it was asked for by name.
    Existing,
}

impl Cluster {
    /// The one cluster of this test process, started by whoever comes first: an own one, or the one whose context is
    /// named in `CLUSTER`.
    pub async fn shared() -> Result<&'static Self, Error> {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED
            .get_or_try_init(async || match env::var_os("CLUSTER").filter(|context| !context.is_empty()) {
                Some(context) => Self::existing(&context.to_string_lossy()).await,
                None => Self::private().await,
            })
            .await
    }

    /// A cluster of the caller's own, for tests that break it. It ends when dropped.
    pub async fn private() -> Result<Self, Error> {
        Self::private_with_controllers(DEFAULT_CONTROLLERS).await
    }

    /// The same with other controllers, as kube-controller-manager's `--controllers` takes them.
    pub async fn private_with_controllers(controllers: &str) -> Result<Self, Error> {
        Self::start(&["--controllers", controllers]).await
    }

    /// One that nodes can join: with every controller, its API server at this address.
    pub async fn for_nodes(address: Ipv4Addr) -> Result<Self, Error> {
        Self::start(&["--controllers", "*", "--advertise", &address.to_string()]).await
    }

    /// The same for what has to borrow it for as long as this process runs. It ends with the process, or when it is
    /// [let go](Self::let_go).
    pub async fn lasting() -> Result<&'static Self, Error> {
        Ok(Box::leak(Box::new(Self::private().await?)))
    }

    /// Lets a cluster that was started here end, since nobody needs it any more.
    pub fn let_go(&self) {
        self.keeper.let_go();
    }

    async fn start(settings: &[&str]) -> Result<Self, Error> {
        let (keeper, line) = Keeper::start(settings).await?;
        let ready: Ready =
            serde_json::from_str(&line).map_err(|error| Error::Document(line.clone(), error.to_string()))?;
        Ok(Self {
            keeper,
            config: kubeconfig::load(&ready.kubeconfig).await?,
            kubeconfig: ready.kubeconfig,
            directory: ready.dir,
            binaries: ready.bin_dir,
            server: ready.server,
            kind: Kind::Embedded { audit_log: ready.audit_log },
            files: AtomicU32::new(0),
        })
    }

    /// A cluster that exists already, by the name of its context in the user's kubeconfig. Only that context is
    /// ever used, whichever is the current one.
    pub async fn existing(context: &str) -> Result<Self, Error> {
        let mut kubeconfig = Kubeconfig::read()?;
        if !kubeconfig.contexts.iter().any(|named| named.name == context) {
            return Err(Error::Unsupported(format!("the kubeconfig has no context named {context}")));
        }
        kubeconfig.current_context = Some(context.to_owned());
        let config = kube::Config::from_custom_kubeconfig(kubeconfig.clone(), &KubeConfigOptions::default()).await?;
        let (keeper, line) = Keeper::start(&["directory"]).await?;
        let described: serde_json::Value = serde_json::from_str(&line).map_err(std::io::Error::from)?;
        let directory = PathBuf::from(described["dir"].as_str().unwrap_or_default());
        let file = directory.join("admin.kubeconfig");
        let json = serde_json::to_string(&kubeconfig).map_err(std::io::Error::from)?;
        pki::write_private(&file, &json).map_err(io_error("write a kubeconfig"))?;
        Ok(Self {
            keeper,
            server: config.cluster_url.to_string(),
            config,
            kubeconfig: file,
            directory,
            binaries: binaries::directory().await?,
            kind: Kind::Existing,
            files: AtomicU32::new(0),
        })
    }

    /// A client with all rights. Made anew each time: a client belongs to the runtime that it was made in.
    pub fn admin(&self) -> Result<kube::Client, Error> {
        kube::Client::try_from(self.config.clone()).map_err(kube_error("make a client"))
    }

    /// The kubeconfig file that gives all rights.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The API server's URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The directory that goes away with this cluster, for files that should do so too.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether it was there before and will be there afterwards.
    pub fn outlives_us(&self) -> bool {
        matches!(self.kind, Kind::Existing)
    }

    /// The process id of the program that keeps this cluster.
    pub fn keeper_pid(&self) -> u32 {
        self.keeper.pid()
    }

    /// The Kubernetes programs.
    pub fn programs(&self) -> &Path {
        &self.binaries
    }

    /// What was asked of the API server, by whom and with what result.
    pub fn audit(&self) -> Result<AuditLog, Error> {
        match &self.kind {
            Kind::Embedded { audit_log } => Ok(AuditLog::new(audit_log.clone(), self.admin()?)),
            Kind::Existing => Err(unsupported("show its audit log")),
        }
    }

    /// Kills the API server: requests under way get no answer, later ones no connection.
    pub async fn stop_api_server(&self) -> Result<(), Error> {
        self.ask(STOP_API_SERVER).await
    }

    /// Starts the API server again at the same address and waits until it works.
    pub async fn start_api_server(&self) -> Result<(), Error> {
        self.ask(START_API_SERVER).await
    }

    async fn ask(&self, command: &str) -> Result<(), Error> {
        match &self.kind {
            Kind::Embedded { .. } => self.keeper.ask(command).await,
            Kind::Existing => Err(unsupported(command)),
        }
    }

    /// A path in this cluster's directory that is not in use yet.
    fn new_file(&self, name: &str, extension: &str) -> PathBuf {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
        self.directory.join(format!("{name}-{number}.{extension}"))
    }
}

fn unsupported(what: &str) -> Error {
    Error::Unsupported(format!("a cluster that was not started here cannot {what}"))
}
