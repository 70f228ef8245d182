//! The process dies in the middle of an onboarding: once with the tenant known, once at the worst moment, when Qlik Cloud
//! has made the tenant and the answer is lost.

use super::fact;
use crate::node::Error;
use crate::node::ground::{CUSTOMERS, Ground};
use crate::node::pod::Pod;
use crate::process::until;
use crate::stage::{is_ready, manifest};
use std::time::{Duration, Instant};

/// Whose tenant is known when the process dies.
const KNOWN: &str = "umbrella";
/// Whose is not.
const LOST: &str = "hooli";
/// For so long nobody else touches what the dead process announced; then the next one asks what became of it.
const UNTOUCHED: Duration = Duration::from_mins(10);

/// Dies after the first call for the tenant itself.
pub(super) async fn known(ground: &Ground) -> Result<Vec<String>, Error> {
    let since = Instant::now();
    let before = die(ground, KNOWN, "tenant.patched").await?;
    let again = before.ready_again(ground).await?;
    ground.until(KNOWN, "is ready", is_ready).await?;
    Ok(vec![
        again,
        format!("the onboarding went on: ready after {:.1} s", since.elapsed().as_secs_f64()),
        one(ground, KNOWN).await?,
    ])
}

/// Dies when the tenant was made and before it is told so. How that ends is for [`resolved`] to see.
pub(super) async fn lost(ground: &Ground) -> Result<Vec<String>, Error> {
    let created = ground.committed("tenant.created").len();
    let before = die(ground, LOST, "tenant.created").await?;
    let again = before.ready_again(ground).await?;
    let waits =
        |tenant: &_| crate::stage::condition(tenant, "Ready").is_some_and(|c| c.reason == "CreateOutcomeUnknown");
    ground.until(LOST, "waits", waits).await?;
    let made = ground.committed("tenant.created").len() - created;
    Ok(vec![again, fact(format!("it says CreateOutcomeUnknown and calls nothing; tenants made: {made}"), made == 1)?])
}

/// The tenant whose making was never answered is found and taken.
pub(super) async fn resolved(ground: &Ground) -> Result<Vec<String>, Error> {
    let tenants = ground.tenants();
    until::<_, Error, _>(UNTOUCHED + Duration::from_mins(2), "the lost tenant is found", async || {
        Ok(tenants.get(LOST).await.ok().filter(is_ready).map(drop))
    })
    .await?;
    Ok(vec![one(ground, LOST).await?])
}

/// Applies a tenant's manifest and kills the operator as soon as this took effect for it.
async fn die(ground: &Ground, name: &str, effect: &'static str) -> Result<Pod, Error> {
    let before = Pod::ready(ground).await?;
    ground.ambush.lay(effect, before.process);
    let manifest = manifest(name, "displayName: A customer in trouble\n");
    ground.kubectl(&["apply", "--namespace", CUSTOMERS, "-f", "-"], &manifest).await?;
    Ok(before)
}

impl Pod {
    /// Waits until the next process of the same pod is ready.
    async fn ready_again(&self, ground: &Ground) -> Result<String, Error> {
        let restarted = |pod: &Self| pod.restarts > self.restarts && pod.process != self.process;
        let since = Instant::now();
        let after = Self::until(ground, "the killed operator is ready again", restarted).await?;
        let took = since.elapsed().as_secs_f64();
        fact(format!("the container of {} was started again, once, and ready after {took:.1} s", after.name), {
            after.name == self.name && after.restarts == self.restarts + 1
        })
    }
}

/// That one tenant was made with this name, and that it is the object's.
async fn one(ground: &Ground, name: &str) -> Result<String, Error> {
    let status = ground.tenants().get(name).await?.status.ok_or("no status")?;
    let id = status.tenant_id.ok_or("no tenant")?;
    let created = ground.committed("tenant.created");
    let mine = created.iter().filter(|entry| entry.tenant_id.as_deref() == Some(id.as_str())).count();
    let known: Vec<_> = ground.tenants().list(&kube::api::ListParams::default()).await?.items;
    let known = known.iter().filter(|tenant| tenant.status.as_ref().is_some_and(|it| it.tenant_id.is_some())).count();
    fact(
        format!("tenant {id} was made by {mine} call; objects with a tenant: {known}, tenants made: {}", created.len()),
        mine == 1 && known == created.len(),
    )
}
