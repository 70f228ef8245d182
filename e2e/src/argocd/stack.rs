//! Argo CD's own programs and a Redis as processes of this machine, working on an embedded control plane.

use super::program::{Program, installed};
use super::scripts::config_map;
use crate::cluster::{Cluster, binaries, free_ports};
use crate::process::{Guarded, Launch, until};
use crate::stage::Error;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(120);
/// Where the module of Go keeps the definitions, for its own version.
const DEFINITIONS: [&str; 3] = ["application-crd.yaml", "applicationset-crd.yaml", "appproject-crd.yaml"];
/// What Argo CD wants to find besides its settings. The key signs sessions, of which there are none.
const OBJECTS: &str = "\
apiVersion: v1
kind: Secret
metadata: {name: argocd-secret, namespace: argocd, labels: {app.kubernetes.io/part-of: argocd}}
stringData: {server.secretkey: not-a-secret}
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: default, namespace: argocd}
spec:
  sourceRepos: ['*']
  destinations: [{server: '*', namespace: '*'}]
  clusterResourceWhitelist: [{group: '*', kind: '*'}]
";

/// The place of the application controller among the processes.
const CONTROLLER: usize = 3;

/// A running Argo CD; dropping it ends it.
pub struct Stack {
    /// Its command line, talking to its server.
    pub argocd: Program,
    processes: Vec<Guarded>,
    directory: TempDir,
}

/// What is needed to start any of the programs.
struct Start<'a> {
    binaries: PathBuf,
    directory: &'a Path,
    kubeconfig: &'a Path,
    redis: String,
    repository: String,
}

impl Stack {
    /// Installs its definitions and settings, starts it, and waits until its programs listen.
    pub async fn start(cluster: &Cluster) -> Result<Self, Error> {
        let redis = installed("redis-server", "redis-server")?;
        let binaries = binaries::argo_cd().await?;
        install(cluster).await?;
        let directory = tempfile::Builder::new().prefix("argocd-").tempdir_in(cluster.directory())?;
        let ports: [u16; 9] = free_ports()?;
        let [redis_port, repo, repo_metrics, server, server_metrics, ..] = ports;
        let start = Start {
            binaries,
            directory: directory.path(),
            kubeconfig: cluster.kubeconfig(),
            redis: format!("127.0.0.1:{redis_port}"),
            repository: format!("127.0.0.1:{repo}"),
        };
        let mut processes = vec![start.redis_server(&redis, redis_port)?];
        listens("redis-server", redis_port, &processes[0]).await?;
        processes.push(start.repo_server(repo, repo_metrics)?);
        processes.push(start.server(server, server_metrics)?);
        listens("argocd-repo-server", repo, &processes[1]).await?;
        listens("argocd-server", server, &processes[2]).await?;
        processes.push(start.application_controller(ports[5])?);
        processes.push(start.application_set_controller([ports[6], ports[7], ports[8]])?);
        let argocd = Program::new(start.binaries.join("argocd"), directory.path())
            .env("ARGOCD_SERVER", format!("127.0.0.1:{server}"))
            .env("ARGOCD_OPTS", "--plaintext");
        Ok(Self { argocd, processes, directory })
    }

    /// A directory that goes with it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Waits until the controller says that a deletion has to be approved.
    pub async fn asks_before_deletion(&self) -> Result<(), Error> {
        let controller = self.processes.get(CONTROLLER).ok_or("no controller")?;
        let asks = |line: &str| line.contains("requires manual confirmation to delete");
        controller.wait_for_line(PATIENCE, asks).await?;
        Ok(())
    }

    /// The ends of all logs, for messages about failures.
    pub fn tails(&self) -> String {
        self.processes.iter().map(Guarded::tail).collect::<Vec<_>>().join("\n")
    }

    /// What its programs have resident at most, in mebibytes.
    pub fn memory(&self) -> u64 {
        let peaks = self.processes.iter().filter_map(|process| process.usage().ok()?.peak_resident);
        peaks.sum::<u64>() >> 20
    }
}

impl Start<'_> {
    fn redis_server(&self, program: &Path, port: u16) -> Result<Guarded, Error> {
        let port = port.to_string();
        let args = ["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"];
        let launch = Launch::new(program).args(args).current_dir(self.directory);
        Ok(launch.spawn(self.directory.join("redis-server.log"))?)
    }

    fn repo_server(&self, port: u16, metrics: u16) -> Result<Guarded, Error> {
        let (port, metrics) = (port.to_string(), metrics.to_string());
        let args = ["--address", "127.0.0.1", "--port", &port, "--metrics-address", "127.0.0.1"];
        let launch = self
            .launch("argocd-repo-server")?
            .args(args)
            .args(["--metrics-port", &metrics, "--disable-tls", "--revision-cache-expiration", "1s"])
            .args(["--redis", &self.redis]);
        self.spawn("argocd-repo-server", launch)
    }

    fn server(&self, port: u16, metrics: u16) -> Result<Guarded, Error> {
        let (port, metrics) = (port.to_string(), metrics.to_string());
        let launch = self
            .launch("argocd-server")?
            .args(["--address", "127.0.0.1", "--port", &port, "--metrics-address", "127.0.0.1"])
            .args(["--metrics-port", &metrics, "--insecure", "--disable-auth", "--namespace", "argocd"])
            .args(["--redis", &self.redis, "--repo-server", &self.repository, "--repo-server-plaintext"]);
        self.spawn("argocd-server", launch)
    }

    /// Its metrics port listens on all addresses; there is no flag for that.
    fn application_controller(&self, metrics: u16) -> Result<Guarded, Error> {
        let launch = self
            .launch("argocd-application-controller")?
            .args(["--namespace", "argocd", "--metrics-port", &metrics.to_string(), "--persist-resource-health"])
            .args(["--redis", &self.redis, "--repo-server", &self.repository, "--repo-server-plaintext"])
            .args(["--app-resync", "10", "--app-resync-jitter", "0"]);
        self.spawn("argocd-application-controller", launch)
    }

    fn application_set_controller(&self, ports: [u16; 3]) -> Result<Guarded, Error> {
        let [metrics, probe, webhook] = ports.map(|port| format!("127.0.0.1:{port}"));
        let launch = self
            .launch("argocd-applicationset-controller")?
            .args(["--namespace", "argocd", "--argocd-repo-server", &self.repository, "--repo-server-plaintext"])
            .args(["--metrics-addr", &metrics, "--probe-addr", &probe, "--webhook-addr", &webhook]);
        self.spawn("argocd-applicationset-controller", launch)
    }

    /// The kubeconfig's cluster is the one that Argo CD takes for its own; all files are in the run's directory.
    fn launch(&self, name: &str) -> Result<Launch, Error> {
        let own = self.directory.join(name);
        let folder = |name: &str| -> Result<PathBuf, Error> {
            let folder = own.join(name);
            fs::create_dir_all(&folder)?;
            Ok(folder)
        };
        let sockets = folder("sockets")?;
        Ok(Launch::new(self.binaries.join(name))
            .current_dir(self.directory)
            .env("KUBECONFIG", self.kubeconfig)
            .env("ARGOCD_FAKE_IN_CLUSTER", "true")
            .env("ARGOCD_GPG_ENABLED", "false")
            .env("ARGOCD_PLUGINSOCKFILEPATH", folder("plugins")?)
            .env("ARGOCD_ASK_PASS_SOCK", sockets.join("ask-pass.sock"))
            .env("ARGOCD_TLS_DATA_PATH", folder("tls")?)
            .env("ARGOCD_SSH_DATA_PATH", folder("ssh")?)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", folder("home")?)
            .env("TMPDIR", folder("tmp")?))
    }

    fn spawn(&self, name: &str, launch: Launch) -> Result<Guarded, Error> {
        Ok(launch.spawn(self.directory.join(format!("{name}.log")))?)
    }
}

async fn install(cluster: &Cluster) -> Result<(), Error> {
    cluster.apply_crds(&definitions().await?).await?;
    cluster.kubectl(&["create", "namespace", "argocd"], "").await?.succeeded()?;
    cluster.kubectl(&["apply", "--server-side", "-f", "-"], &config_map()).await?.succeeded()?;
    cluster.kubectl(&["apply", "--server-side", "-f", "-"], OBJECTS).await?.succeeded()?;
    Ok(())
}

/// Argo CD's own definitions, from Go's cache of modules.
async fn definitions() -> Result<String, Error> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("argocd");
    let go = Program::new(installed("go", "golang")?, &std::env::home_dir().unwrap_or_default());
    let args = ["-C", &module.to_string_lossy(), "list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-cd/v3"];
    let sources = PathBuf::from(go.output(&args).await?.trim()).join("manifests/crds");
    let read = |name| Ok(fs::read_to_string(sources.join(name))?);
    Ok(DEFINITIONS.iter().map(read).collect::<Result<Vec<_>, Error>>()?.join("\n---\n"))
}

async fn listens(name: &str, port: u16, process: &Guarded) -> Result<(), Error> {
    until::<_, Error, _>(PATIENCE, &format!("{name} listens"), async || {
        if let Some(exit) = process.exited() {
            return Err(format!("{name} ended ({exit:?}); {}", process.tail()).into());
        }
        Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok())
    })
    .await
    .map(drop)
}
