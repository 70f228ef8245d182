//! What is left when the operator is uninstalled: everything that belongs to the customers.

use super::fact;
use crate::node::Error;
use crate::node::ground::{Ground, RELEASE, SYSTEM};
use crate::node::pod::pods;
use crate::process::until;
use crate::sim::Status;
use kube::api::ListParams;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(90);

pub(super) async fn run(ground: &Ground) -> Result<Vec<String>, Error> {
    let objects = ground.tenants().list(&ListParams::default()).await?.items.len();
    let active = active(ground);
    ground.helm(&["uninstall", RELEASE, "--namespace", SYSTEM, "--wait", "--timeout", "90s"], "").await?;
    until::<_, Error, _>(PATIENCE, "the pod is gone", async || Ok(pods(ground).await?.is_empty().then_some(())))
        .await?;
    let requests = ground.sim.journal().len();
    let crds = ground.kubectl(&["get", "crds", "--output=name"], "").await?;
    let crds = crds.lines().filter(|name| name.ends_with(".qlik-operator.dev")).count();
    let kept = ground.tenants().list(&ListParams::default()).await?.items;
    let going = kept.iter().filter(|tenant| tenant.metadata.deletion_timestamp.is_some()).count();
    let deployed = ground.kubectl(&["get", "all,sa,roles,leases", "--namespace", SYSTEM, "--output=name"], "").await?;
    let left: Vec<_> = deployed.lines().filter(|name| name.contains(RELEASE) && !name.starts_with("lease")).collect();
    Ok(vec![
        fact(format!("the pod is gone, and of the release there is left: {left:?}"), left.is_empty())?,
        fact(format!("{crds} custom resource definitions are kept"), crds == 4)?,
        fact(format!("{} of {objects} tenants' objects are kept", kept.len()), kept.len() == objects && going == 0)?,
        fact(format!("{active} tenants are in use in Qlik Cloud, as before"), self::active(ground) == active)?,
        fact("Qlik Cloud was asked nothing since".to_owned(), ground.sim.journal().len() == requests)?,
    ])
}

fn active(ground: &Ground) -> usize {
    ground.sim.tenants().iter().filter(|tenant| tenant.status == Status::Active).count()
}
