//! The programs that make a node, and its images.

use super::configs::{self, KubeletFiles, SOCKET};
use super::network::{NAMESPACE, NODE};
use super::tool::tool;
use super::{Error, cgroups};
use crate::cluster::Cluster;
use crate::process::{Guarded, Launch, until};
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::api::Api;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The node's name.
const NAME: &str = "node";
const PATIENCE: Duration = Duration::from_secs(120);
/// What the kubelet wants the kernel to do, on the whole machine. It is shown that it has its way.
const TUNABLES: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// A node that is ready. It ends with this value.
pub(super) struct Node {
    /// Its programs, in the order of their start.
    _programs: Vec<Guarded>,
    cgroup: String,
}

/// Replaces what the node's programs write to, machine-wide, by places below this directory.
pub(super) async fn isolate(directory: &Path) -> Result<(), Error> {
    tool("mount", &["--make-rshared", "/"]).await?;
    tool("mount", &["-t", "tmpfs", "run", "/run"]).await?;
    for (place, name) in [("/var/lib", "var-lib"), ("/var/log", "var-log")] {
        let own = directory.join(name);
        fs::create_dir(&own)?;
        tool("mount", &["--bind", &own.to_string_lossy(), place]).await?;
    }
    for (name, value) in TUNABLES {
        let own = directory.join(name.replace('/', "."));
        fs::write(&own, format!("{value}\n"))?;
        tool("mount", &["--bind", &own.to_string_lossy(), &format!("/proc/sys/{name}")]).await?;
    }
    Ok(())
}

impl Node {
    /// Starts one for this control plane, with these images, and waits until it is ready.
    pub(super) async fn start(cluster: &Cluster, place: (&Path, &str), images: &[PathBuf]) -> Result<Self, Error> {
        let (directory, cgroup) = place;
        let start = Start { cluster, directory, cgroup };
        let mut programs = vec![start.containerd().await?];
        for image in images {
            tool("ctr", &["--address", SOCKET, "--namespace", "k8s.io", "images", "import", &image.to_string_lossy()])
                .await?;
        }
        programs.push(start.scheduler().await?);
        programs.push(start.proxy().await?);
        programs.push(start.kubelet().await?);
        let nodes: Api<NodeObject> = Api::all(cluster.admin()?);
        let ready = until::<_, Error, _>(PATIENCE, "the node gets ready", async || {
            if let Some(ended) = programs.iter().find(|program| program.exited().is_some()) {
                return Err(ended.tail().into());
            }
            Ok(nodes.get_opt(NAME).await?.filter(is_ready).map(drop))
        });
        if let Err(error) = ready.await {
            let tails: Vec<_> = programs.iter().map(Guarded::tail).collect();
            return Err(format!("{error}\n{}", tails.join("\n")).into());
        }
        Ok(Self { _programs: programs, cgroup: cgroup.to_owned() })
    }

    /// What a container uses, by its id.
    pub(super) fn container(&self, id: &str) -> std::io::Result<cgroups::Container> {
        cgroups::Container::find(&self.cgroup, id)
    }
}

fn is_ready(node: &NodeObject) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// What the programs are started from.
struct Start<'a> {
    cluster: &'a Cluster,
    directory: &'a Path,
    cgroup: &'a str,
}

impl Start<'_> {
    async fn containerd(&self) -> Result<Guarded, Error> {
        let plugins = self.directory.join("cni");
        fs::create_dir(&plugins)?;
        fs::write(plugins.join("pods.conflist"), configs::cni())?;
        let config = self.write("containerd.toml", &configs::containerd(self.directory))?;
        let containerd = self.in_node("containerd", [format!("--config={}", config.display())])?;
        until::<_, Error, _>(PATIENCE, "containerd answers", async || {
            if containerd.exited().is_some() {
                return Err(containerd.tail().into());
            }
            Ok(tool("ctr", &["--address", SOCKET, "version"]).await.ok())
        })
        .await?;
        Ok(containerd)
    }

    async fn scheduler(&self) -> Result<Guarded, Error> {
        let identity = self.cluster.identity("system:kube-scheduler", &[]).await?;
        let kubeconfig = format!("--kubeconfig={}", identity.kubeconfig().display());
        let args = [kubeconfig, "--leader-elect=false".to_owned(), "--secure-port=0".to_owned()];
        self.in_node(&self.program("kube-scheduler"), args)
    }

    async fn proxy(&self) -> Result<Guarded, Error> {
        let identity = self.cluster.identity("system:kube-proxy", &[]).await?;
        let config = self.write("kube-proxy.yaml", &configs::proxy(identity.kubeconfig(), NAME))?;
        self.in_node(&self.program("kube-proxy"), [format!("--config={}", config.display())])
    }

    async fn kubelet(&self) -> Result<Guarded, Error> {
        let identity = self.cluster.identity(&format!("system:node:{NAME}"), &["system:nodes"]).await?;
        let (certificate, key) = self.cluster.serving(NAME, NODE)?;
        let authority = self.cluster.authority();
        let files = KubeletFiles { authority: &authority, certificate: &certificate, key: &key };
        let config = self.write("kubelet.yaml", &configs::kubelet(&files, self.cgroup, self.directory))?;
        let args = [
            format!("--config={}", config.display()),
            format!("--kubeconfig={}", identity.kubeconfig().display()),
            format!("--hostname-override={NAME}"),
            format!("--node-ip={NODE}"),
        ];
        self.in_node(&self.program("kubelet"), args)
    }

    fn program(&self, name: &str) -> String {
        self.cluster.programs().join(name).to_string_lossy().into_owned()
    }

    fn write(&self, name: &str, content: &str) -> Result<PathBuf, Error> {
        let path = self.directory.join(name);
        fs::write(&path, content)?;
        Ok(path)
    }

    fn in_node(&self, program: &str, args: impl IntoIterator<Item = String>) -> Result<Guarded, Error> {
        let name = program.rsplit('/').next().unwrap_or(program);
        let launch = Launch::new("nsenter").arg(format!("--net={NAMESPACE}")).arg("--").arg(program);
        Ok(launch.args(args).current_dir(self.directory).spawn(self.directory.join(format!("{name}.log")))?)
    }
}
