//! kubectl and helm, as users have them.
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
