//! The process dies at the worst moment: Qlik Cloud has made the tenant, and the answer is lost.

use super::fact;
use crate::node::Error;
use crate::node::ground::{CUSTOMERS, Ground};
use crate::node::pod::Pod;
use crate::stage::{is_ready, manifest};
use std::time::Instant;

pub(super) async fn run(ground: &Ground) -> Result<Vec<String>, Error> {
    let before = Pod::ready(ground).await?;
    let created = ground.committed("tenant.created").len();
    ground.ambush.lay("tenant.created", before.process);
    let manifest = manifest("umbrella", "displayName: Umbrella\n");
    ground.kubectl(&["apply", "--namespace", CUSTOMERS, "-f", "-"], &manifest).await?;
    let restarted = |pod: &Pod| pod.restarts > before.restarts && pod.process != before.process;
    let since = Instant::now();
    let after = Pod::until(ground, "the killed operator is ready again", restarted).await?;
    let back = since.elapsed().as_secs_f64();
    let tenant = ground.until("umbrella", "is ready", is_ready).await?;
    let ready = since.elapsed().as_secs_f64();
    let id = tenant.status.and_then(|status| status.tenant_id).ok_or("ready without a tenant")?;
    let made: Vec<_> = ground.committed("tenant.created").split_off(created);
    Ok(vec![
        fact(format!("the container of {} was restarted and ready after {back:.1} s", after.name), {
            after.name == before.name && after.restarts == before.restarts + 1
        })?,
        fact(format!("one tenant was made and is the object's: {id}, ready after {ready:.1} s"), {
            matches!(&made[..], [one] if one.tenant_id.as_deref() == Some(id.as_str()))
        })?,
    ])
}
