//! Another image while tenants are deactivated: the old process ends and the new one takes over in the middle of it.

use super::install::{IMAGE, install_args, values};
use super::{fact, many};
use crate::node::Error;
use crate::node::ground::{CUSTOMERS, Ground};
use crate::node::pod::Pod;
use crate::process::until;
use crate::stage::in_phase;
use kube::api::{Api, ListParams, Patch, PatchParams};
use qlik_operator::crd::QlikOffboarding;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_mins(5);
/// What the old process had announced and not called nobody else touches for ten minutes.
const HANDED_OVER: Duration = Duration::from_mins(13);
/// More than the operator takes care of before the new one is there: these are writes of one client.
const LEAVING: usize = 60;
/// So many are deactivated when the rollout begins.
const BEGUN: usize = 3;

pub(super) async fn run(ground: &Ground) -> Result<Vec<String>, Error> {
    let leaving = LEAVING.min(ground.many);
    let mut ids = BTreeSet::new();
    for number in 0..leaving {
        ids.insert(off_board(ground, &many::name(number)).await?);
    }
    until::<_, Error, _>(PATIENCE, "some are deactivated", async || {
        Ok((ground.committed("tenant.deactivated").len() >= BEGUN.min(leaving)).then_some(()))
    })
    .await?;
    let values = values(ground, "next")?;
    ground.helm(&install_args("upgrade"), &values).await?;
    let at_upgrade = ground.committed("tenant.deactivated").len();
    let pod =
        Pod::until(ground, "the pod of the new image is the only one", |pod| pod.image.ends_with(":next")).await?;
    let tenants = ground.tenants();
    until::<_, Error, _>(HANDED_OVER, "all are deactivated", async || {
        let all = tenants.list(&ListParams::default()).await?.items;
        Ok((all.iter().filter(|tenant| in_phase(tenant, "Deactivated")).count() == leaving).then_some(()))
    })
    .await?;
    let deactivated = ground.committed("tenant.deactivated");
    let once: BTreeSet<_> = deactivated.iter().filter_map(|entry| entry.tenant_id.clone()).collect();
    let records = Api::<QlikOffboarding>::namespaced(ground.client.clone(), CUSTOMERS);
    let records = records.list(&ListParams::default()).await?.items;
    let dated = records.iter().filter(|it| it.status.as_ref().is_some_and(|status| status.purge_at.is_some())).count();
    Ok(vec![
        fact(format!("{} runs {}", pod.name, pod.image), pod.image == format!("{IMAGE}:next"))?,
        fact(format!("{at_upgrade} of {leaving} were deactivated when the new pod was ready"), at_upgrade > 0)?,
        fact(format!("{} deactivations of {} tenants: each once, none forgotten", deactivated.len(), once.len()), {
            deactivated.len() == leaving && once == ids
        })?,
        fact(format!("{dated} records with a purge date"), dated == leaving && records.len() == leaving)?,
    ])
}

/// Declares a tenant deactivated; answers its id.
async fn off_board(ground: &Ground, name: &str) -> Result<String, Error> {
    let tenants = ground.tenants();
    let status = tenants.get(name).await?.status.ok_or("a tenant without a status")?;
    let hostname = status.hostname.ok_or("a tenant without a hostname")?;
    let patch = json!({ "spec": { "lifecycle": "Deactivated", "offboarding": { "confirmHostname": hostname } } });
    tenants.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(status.tenant_id.ok_or("a tenant without an id")?)
}
