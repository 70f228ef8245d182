//! As many tenants as the chart's memory limit is said to be enough for. All are created, none adopted.

use super::fact;
use super::install::credentials;
use crate::node::Error;
use crate::node::ground::{CUSTOMERS, Ground};
use crate::node::pod::Pod;
use crate::process::interval;
use crate::sim::ClientRequest;
use crate::stage::{is_ready, manifest};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{ListParams, PostParams};
use qlik_operator::crd::QlikTenant;
use serde_json::json;
use std::time::{Duration, Instant};

/// Tenants of one OAuth client. Each client may write a hundred times a minute.
const EACH: usize = 100;
const PREFIX: &str = "many-";
const AT_ONCE: usize = 16;
const PATIENCE: Duration = Duration::from_mins(15);

pub(super) async fn run(ground: &Ground) -> Result<Vec<String>, Error> {
    let before = Pod::ready(ground).await?;
    let created = ground.committed("tenant.created").len();
    let clients = ground.many.div_ceil(EACH);
    for client in 0..clients {
        give_credentials(ground, client).await?;
    }
    let since = Instant::now();
    let tenants = ground.tenants();
    stream::iter(0..ground.many)
        .map(|number| {
            let tenants = tenants.clone();
            async move {
                let tenant = serde_saphyr::from_str(&tenant(number))?;
                tenants.create(&PostParams::default(), &tenant).await.map_err(Error::from)
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    wait_ready(ground).await?;
    let took = since.elapsed();
    let after = Pod::ready(ground).await?;
    let made = ground.committed("tenant.created").len() - created;
    let (peak, limit) = (after.container.peak()? / 1024, after.container.limit()? / 1024);
    Ok(vec![
        fact(format!("{made} tenants of {clients} clients created and ready in {:.0} s", took.as_secs_f64()), {
            made == ground.many
        })?,
        fact(format!("at most {} MiB of {} MiB used, and no restart", peak / 1024, limit / 1024), {
            peak < limit && after.restarts == before.restarts && after.process == before.process
        })?,
    ])
}

async fn give_credentials(ground: &Ground, client: usize) -> Result<(), Error> {
    let new = ground.sim.add_client(ClientRequest { region: "us".to_owned(), license_number: None })?;
    let secrets = json!({ "apiVersion": "v1", "kind": "List", "items": [
        credentials(&format!("client-{client}"), CUSTOMERS, (&new.credentials.client_id, &new.credentials.client_secret)),
        { "apiVersion": "v1", "kind": "Secret",
          "metadata": { "name": format!("license-{client}"), "namespace": CUSTOMERS },
          "stringData": { "licenseKey": new.license_key } },
    ] });
    ground.kubectl(&["apply", "-f", "-"], &secrets.to_string()).await.map(drop)
}

/// The name of one of them.
pub(super) fn name(number: usize) -> String {
    format!("{PREFIX}{number}")
}

fn is_one(tenant: &QlikTenant) -> bool {
    tenant.metadata.name.as_ref().is_some_and(|name| name.starts_with(PREFIX))
}

fn tenant(number: usize) -> String {
    let client = number / EACH;
    manifest(&name(number), "")
        .replace("name: qlik-credentials", &format!("name: client-{client}"))
        .replace("name: qlik-license", &format!("name: license-{client}"))
}

/// Asks seldom: with hundreds of objects an answer is large.
async fn wait_ready(ground: &Ground) -> Result<(), Error> {
    let tenants = ground.tenants();
    let asking = async {
        let mut again = interval(Duration::from_secs(1));
        loop {
            again.tick().await;
            let all = tenants.list(&ListParams::default()).await?;
            if all.items.iter().filter(|tenant| is_one(tenant)).all(is_ready) {
                return Ok::<_, Error>(());
            }
        }
    };
    if let Ok(answer) = tokio::time::timeout(PATIENCE, asking).await {
        return answer;
    }
    let all = tenants.list(&ListParams::default()).await?;
    let left: Vec<_> = all.items.into_iter().filter(|tenant| is_one(tenant) && !is_ready(tenant)).collect();
    let one = left.first().and_then(|tenant| tenant.status.clone());
    Err(format!("{} not ready within {PATIENCE:?}; one of them: {one:#?}", left.len()).into())
}
