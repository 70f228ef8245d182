//! Two operators of which one works: how the other takes over, and that nothing is done twice on the way.

mod frozen;
mod handover;

use e2e::cluster::proxy::{Hooks, Proxy};
use e2e::stage::{Error, Operator, PATIENCE, Stage};
use std::time::Duration;

/// How long a lease lasts here.
const LEASE: Duration = Duration::from_secs(3);

/// The Lease of a stage, of a short one so that it is soon over.
fn election(stage: &Stage) -> [String; 4] {
    [
        format!("--leader-election-lease={}/qlik-operator", stage.ns()),
        format!("--leader-elect-lease-duration={}s", LEASE.as_secs()),
        "--leader-elect-renew-deadline=2s".to_owned(),
        "--leader-elect-retry-period=1s".to_owned(),
    ]
}

/// An operator that leads, whose requests to Kubernetes go through a proxy with these hooks.
async fn leader(stage: &Stage, hooks: Hooks) -> Result<(Proxy, Operator), Error> {
    let proxy = Proxy::start(stage.cluster, &stage.identity, hooks).await?;
    let operator = stage.operator_with(proxy.kubeconfig(), &election(stage).each_ref().map(String::as_str)).await?;
    Ok((proxy, operator))
}

/// Another one that stands by.
async fn standby(stage: &Stage) -> Result<Operator, Error> {
    let operator = stage.launch(stage.identity.kubeconfig(), &election(stage).each_ref().map(String::as_str))?;
    operator.wait_for_line(PATIENCE, |line| line.contains("standing by")).await?;
    Ok(operator)
}
