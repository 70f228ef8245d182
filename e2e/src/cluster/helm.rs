//! helm, which keeps its files where it is told to.
use std::path::Path;

use tokio::process::Command;

use super::binaries::{self, Helm};
use super::error::Error;

/// A call of helm that reads and writes nothing of the user's own.
pub async fn command(version: Helm, home: &Path) -> Result<Command, Error> {
    let mut command = Command::new(binaries::helm(version).await?);
    for (variable, folder) in [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")]
    {
        command.env(variable, home.join(folder));
    }
    command.env_remove("KUBECONFIG").env_remove("HELM_NAMESPACE");
    Ok(command)
}
