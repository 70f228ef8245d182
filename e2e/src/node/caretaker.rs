//! Removes what namespaces do not take with them: cgroups and directories. A process of its own that waits for the end of
//! the one that needs it, so that nothing is left even where that one is killed outright.

use super::{Error, cgroups};
use crate::cluster::directory::sweep;
use crate::process::{OWNER_VARIABLE, own_mark, until};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long the kernel may take to end hundreds of processes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The caretaker of one run.
pub(super) struct Caretaker {
    process: Child,
}

impl Caretaker {
    /// Starts it; it begins its work when this process ends, or when it is told to.
    pub(super) fn start(directory: &Path, cgroup: &str) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        // A group of its own: what interrupts the run must not interrupt this.
        command.arg("tidy").arg(directory).arg(cgroup).env(OWNER_VARIABLE, own_mark()?).process_group(0);
        Ok(Self { process: command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()? })
    }

    /// Lets it do its work and waits for it.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        drop(self.process.stdin.take());
        let status = self.process.wait()?;
        if status.success() { Ok(()) } else { Err(format!("something is left behind: {status}").into()) }
    }
}

/// Waits for the end of standard input, then removes the cgroups of this name, the directory, and any other of a dead
/// owner.
pub async fn tidy(directory: PathBuf, cgroup: String) -> Result<(), Error> {
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin().lock(), &mut io::sink())).await??;
    until(PATIENCE, "cgroups and directories go away", async || {
        let gone = cgroups::remove(&cgroup)?;
        sweep()?;
        Ok((gone && !directory.exists()).then_some(()))
    })
    .await
}
