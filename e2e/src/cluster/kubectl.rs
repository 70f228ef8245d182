//! kubectl and helm, as users have them.
use std::io;
use std::path::Path;

use tokio::process::Command;

use super::binaries::Helm;
use super::error::{Error, io_error};
use super::identity::Identity;
use super::{Cluster, helm};
use crate::process::{Output, finish};

impl Cluster {
    /// Runs kubectl with all rights. The result may well be a failure; an error means that it could not be run.
    pub async fn kubectl(&self, args: &[&str], stdin: &str) -> Result<Output, Error> {
        self.run_kubectl(&self.kubeconfig, args, stdin).await
    }

    /// Runs kubectl as somebody else.
    pub async fn kubectl_as(&self, identity: &Identity, args: &[&str], stdin: &str) -> Result<Output, Error> {
        self.run_kubectl(identity.kubeconfig(), args, stdin).await
    }

    /// Runs a script with sh, as somebody with all rights would who has kubectl.
    pub async fn script(&self, script: &str, args: &[&str]) -> Result<Output, Error> {
        let mut command = Command::new("sh");
        let found = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(self.binaries.clone()).chain(std::env::split_paths(&found));
        let path = std::env::join_paths(path).map_err(io::Error::other).map_err(io_error("find kubectl"))?;
        command.args(["-c", script, "sh"]).args(args).env("PATH", path).env("KUBECONFIG", &self.kubeconfig);
        command.env("KUBECACHEDIR", self.directory.join("kubectl-cache")).env("KUBERC", "off");
        finish(command, "").await.map_err(io_error("run a script"))
    }

    /// Runs helm with all rights.
    pub async fn helm(&self, version: Helm, args: &[&str], stdin: &str) -> Result<Output, Error> {
        let mut command = helm::command(version, &self.directory.join("helm")).await?;
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(args);
        finish(command, stdin).await.map_err(io_error("run helm"))
    }

    async fn run_kubectl(&self, kubeconfig: &Path, args: &[&str], stdin: &str) -> Result<Output, Error> {
        let mut command = Command::new(self.binaries.join("kubectl"));
        // Discovery is cached in here and not in the user's home directory.
        command.arg("--kubeconfig").arg(kubeconfig).arg("--cache-dir").arg(self.directory.join("kubectl-cache"));
        command.args(args).env_remove("KUBECONFIG").env("KUBERC", "off");
        finish(command, stdin).await.map_err(io_error("run kubectl"))
    }
}
