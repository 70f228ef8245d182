//! kubectl, as users have it.
use std::process::Stdio;

use tokio::io::AsyncWriteExt;

use super::Cluster;
use super::error::{Error, io_error};
use super::identity::Identity;
use crate::process::{OWNER_VARIABLE, own_mark};

/// What a finished program has printed and returned.
#[derive(Debug, Clone)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
}

impl Output {
    /// Whether it returned 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

impl Cluster {
    /// Runs kubectl with all rights. The result may well be a failure; an error means that it could not be run.
    pub async fn kubectl(&self, args: &[&str], stdin: &str) -> Result<Output, Error> {
        self.run_kubectl(&self.kubeconfig, args, stdin).await
    }

    /// Runs kubectl as somebody else.
    pub async fn kubectl_as(&self, identity: &Identity, args: &[&str], stdin: &str) -> Result<Output, Error> {
        self.run_kubectl(identity.kubeconfig(), args, stdin).await
    }

    async fn run_kubectl(&self, kubeconfig: &std::path::Path, args: &[&str], stdin: &str) -> Result<Output, Error> {
        let mut command = tokio::process::Command::new(self.binaries.join("kubectl"));
        // Discovery is cached in here and not in the user's home directory.
        command.arg("--kubeconfig").arg(kubeconfig).arg("--cache-dir").arg(self.directory.join("kubectl-cache"));
        command.args(args).env_remove("KUBECONFIG").env("KUBERC", "off").kill_on_drop(true);
        // Not guarded: it ends by itself, with the cluster at the latest. Marked all the same, to be found if it hangs.
        command.env(OWNER_VARIABLE, own_mark()?);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(io_error("start kubectl"))?;
        if let Some(mut pipe) = child.stdin.take() {
            // It may end without reading everything, which its exit code tells better than a broken pipe.
            let _ = pipe.write_all(stdin.as_bytes()).await;
        }
        let output = child.wait_with_output().await.map_err(io_error("run kubectl"))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Output { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() })
    }
}
