//! A customer leaves by a commit, and stays after all by its revert.

use super::{Story, tenant_id};
use crate::sim::Status;
use crate::stage::{Error, in_phase};
use qlik_operator::crd::QlikTenant;
use std::time::Duration;

const APPLICATION: &str = "customer-acme";
const DAY: Duration = Duration::from_hours(24);

impl Story<'_> {
    pub(super) async fn leaving(&self) -> Result<(), Error> {
        let mark = self.witness.mark();
        let leaves = "lifecycle: Deactivated\n  offboarding:\n    confirmHostname: acme.us.qlikcloud.com";
        self.edit("customers/acme/tenant.yaml", "lifecycle: Active", leaves)?;
        let commit = self.repository.commit("Acme leaves").await?;
        let view = self.done(APPLICATION, &commit).await?;
        let tenant = self.tenant("acme").await?;
        let purge_at = purge_at(&tenant).ok_or("no purge date")?;
        let (health, message) = view.health_of("QlikTenant", "acme");
        self.screen.output(&format!("QlikTenant/acme: {health}, {message}"))?;
        self.prove("deactivated as declared is Healthy, and names the day of the purge", {
            health == "Healthy" && message.contains(&purge_at)
        })?;
        let (health, message) = view.health_of("QlikOAuthClient", "acme-service");
        self.screen.output(&format!("QlikOAuthClient/acme-service: {health}, {message}"))?;
        self.prove("what is inside the tenant is Healthy with it", health == "Healthy")?;
        let in_qlik = self.stage.sim.tenant(&tenant_id(&tenant)?).ok_or("Qlik Cloud does not know the tenant")?;
        self.prove("Qlik Cloud has taken the tenant out of service, by one call", {
            in_qlik.status == Status::Disabled && self.stage.called("POST", "/actions/deactivate") == 1
        })?;
        self.never_degraded(mark)?;
        self.window(&purge_at).await
    }

    async fn window(&self, before: &str) -> Result<(), Error> {
        self.screen.say("A day passes; somebody restarts the purge window.")?;
        self.stage.turn(DAY)?;
        self.act("restart-purge-window", ("QlikTenant", "acme")).await?;
        let moved = |tenant: &QlikTenant| purge_at(tenant).is_some_and(|at| at.as_str() > before);
        let tenant = self.stage.until("acme", "has a later purge date", moved).await?;
        let now = purge_at(&tenant).unwrap_or_default();
        self.prove(&format!("the purge date moved from {before} to {now}"), true)?;
        let named = |view: &super::View| view.health_of("QlikTenant", "acme").1.contains(&now);
        let view = self.applications.until(APPLICATION, "names the new date", named).await?;
        self.shown(&view)?;
        self.prove("and Argo CD names the new one", view.sync() == "Synced")
    }

    pub(super) async fn staying(&self) -> Result<(), Error> {
        let mark = self.witness.mark();
        let before = tenant_id(&self.tenant("acme").await?)?;
        let reactivations = self.stage.committed("tenant.reactivated");
        let commit = self.repository.revert().await?;
        self.done(APPLICATION, &commit).await?;
        let tenant = self.tenant("acme").await?;
        let in_qlik = self.stage.sim.tenant(&before).ok_or("Qlik Cloud does not know the tenant")?;
        self.prove("the very same tenant is in use again, by one call, and no purge is ahead", {
            in_phase(&tenant, "Ready")
                && tenant_id(&tenant)? == before
                && (in_qlik.status, in_qlik.purge_at) == (Status::Active, None)
                && self.stage.committed("tenant.reactivated") == reactivations + 1
        })?;
        self.never_degraded(mark)
    }
}

fn purge_at(tenant: &QlikTenant) -> Option<String> {
    Some(tenant.status.as_ref()?.purge.as_ref()?.purge_at?.0.to_string())
}
