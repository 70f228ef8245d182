//! The playground: everything embedded, for people who want to see the operator work.

mod apps;
mod insiders;
mod lab;
mod screen;
mod story;
mod tally;
mod up;

pub use lab::Lab;
pub use screen::Screen;
pub use story::tell;
pub use up::keep;

use crate::cluster::Cluster;
use crate::process::until;
use crate::stage::{Error, Operator, Setup, Stage};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::time::Duration;

/// How long the control plane may take to go.
const GOING: Duration = Duration::from_secs(20);

/// A stage with its operator, which has default credentials for the region `us` that serve the stage's namespace.
pub struct Playground {
    stage: Stage,
    operator: Operator,
}

impl Playground {
    /// Sets everything up on this control plane.
    pub async fn on(cluster: &'static Cluster) -> Result<Self, Error> {
        let stage = Stage::on(cluster, Setup::new("customers").with_organization()).await?;
        let credentials = format!("us={}", stage.directory().join("us").display());
        let namespaces = format!("us={}", stage.ns());
        let args = ["--regional-credentials", &credentials, "--regional-namespaces", &namespaces];
        let operator = stage.operator_with(stage.identity.kubeconfig(), &args).await?;
        Ok(Self { stage, operator })
    }
}

/// Ends everything and waits until nothing is left.
pub async fn end(playground: Option<Playground>, cluster: &Cluster) -> Result<(), Error> {
    if let Some(Playground { stage, operator }) = playground {
        if cluster.outlives_us() {
            // While the operator can still release what it holds there.
            stage.namespace.delete().await?;
        }
        drop(operator);
    }
    // The shared control plane would otherwise end only after this process.
    let keeper = i32::try_from(cluster.keeper_pid()).ok().and_then(Pid::from_raw).ok_or("no keeper")?;
    kill_process(keeper, Signal::TERM)?;
    let directory = cluster.directory();
    until(GOING, "the control plane goes away", async || Ok((!directory.exists()).then_some(()))).await
}

/// The workspace: sample manifests are named from there.
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}
