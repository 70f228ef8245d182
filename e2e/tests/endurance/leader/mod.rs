//! Two operators of which one works: how the other takes over, and that nothing is done twice on the way.

mod frozen;
mod handover;

use e2e::cluster::proxy::{Hooks, Proxy};
use e2e::stage::{Error, Operator, PATIENCE, Stage};

/// The Lease of a stage.
fn lease(stage: &Stage) -> String {
    format!("{}/qlik-operator", stage.ns())
}

/// An operator that leads, whose requests to Kubernetes go through a proxy with these hooks.
async fn leader(stage: &Stage, hooks: Hooks) -> Result<(Proxy, Operator), Error> {
    let proxy = Proxy::start(stage.cluster, &stage.identity, hooks).await?;
    let operator = stage.operator_with(proxy.kubeconfig(), &["--leader-election-lease", &lease(stage)]).await?;
    Ok((proxy, operator))
}

/// Another one that stands by.
async fn standby(stage: &Stage) -> Result<Operator, Error> {
    let operator = stage.launch(stage.identity.kubeconfig(), &["--leader-election-lease", &lease(stage)])?;
    operator.wait_for_line(PATIENCE, |line| line.contains("standing by")).await?;
    Ok(operator)
}
