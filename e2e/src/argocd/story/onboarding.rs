//! Customers come, and what is changed behind Git's back is changed back.

use super::{Story, tenant_id};
use crate::sim::{Effect, FaultPlan, Match};
use crate::stage::{Error, Inside, condition};
use qlik_operator::crd::QlikOAuthClient;
use serde_json::json;
use std::time::Instant;

impl Story<'_> {
    pub(super) async fn onboarding(&self) -> Result<(), Error> {
        let mark = self.witness.mark();
        self.screen
            .say("The license's Secret is late, and Qlik Cloud asks to slow down (429) at the first two creations.")?;
        self.stage.delete_secret("qlik-license").await?;
        let slower = Effect::Status { status: 429, code: None, title: None, retry_after: Some(2) };
        let creations =
            Match { method: Some("POST".into()), path: Some("/api/v1/tenants".into()), count: 2, ..Match::default() };
        self.stage.sim.fault(FaultPlan::new(creations, slower));
        for customer in ["acme", "globex"] {
            self.folder_of(customer)?;
        }
        let commit = self.repository.commit("Acme and Globex come").await?;
        self.apply(&self.sample("appproject.yaml")?).await?;
        self.apply(&self.sample("applicationset.yaml")?).await?;
        let waits = |view: &super::View| view.health_of("QlikTenant", "acme").1.starts_with("LicenseMissing");
        let view = self.applications.until("customer-acme", "waits for the Secret", waits).await?;
        self.shown(&view)?;
        let (health, message) = view.health_of("QlikTenant", "acme");
        self.screen.output(&format!("QlikTenant/acme: {health}, {message}"))?;
        self.prove("a Secret that is missing leaves the tenant Progressing", health == "Progressing")?;
        self.prove(
            "nothing of the next wave exists yet",
            self.stage.clients().list(&kube::api::ListParams::default()).await?.items.is_empty(),
        )?;
        let license = self.stage.sim.ready().license_key.clone();
        self.stage.secret("qlik-license", &[("licenseKey", &license)]).await?;
        for customer in ["acme", "globex"] {
            self.done(&format!("customer-{customer}"), &commit).await?;
        }
        for customer in ["acme", "globex"] {
            let tenant = self.tenant(customer).await?;
            let ready = condition(&tenant, "Ready").map(|ready| ready.last_transition_time.0);
            let client = self.stage.clients().get(&format!("{customer}-service")).await?;
            let made = client.metadata.creation_timestamp.clone().map(|made| made.0);
            self.prove(
                &format!("{customer}'s client was made after its tenant was ready"),
                ready.is_some() && made >= ready,
            )?;
        }
        self.prove("Qlik Cloud has two tenants, by one creation each", self.stage.committed("tenant.created") == 2)?;
        self.never_degraded(mark)
    }

    pub(super) async fn drift(&self) -> Result<(), Error> {
        let (mark, since) = (self.witness.mark(), Instant::now());
        let before = self.tenant("acme").await?;
        self.screen.say("Somebody edits the tenant's name in the cluster, and deletes a client.")?;
        self.stage.patch("acme", json!({ "spec": { "displayName": "Acne" } })).await?;
        let name = before.spec.display_name.clone();
        self.stage.until("acme", "has its name again", |tenant| tenant.spec.display_name == name).await?;
        self.prove(&format!("the name is back after {:.1} s", since.elapsed().as_secs_f64()), true)?;
        let (client, since) = (self.stage.clients().get("acme-dashboards").await?, Instant::now());
        self.stage.delete_child::<QlikOAuthClient>("acme-dashboards").await?;
        let anew = |now: &QlikOAuthClient| now.metadata.uid != client.metadata.uid && now.is_ready();
        self.stage.until_client("acme-dashboards", "is made again", anew).await?;
        self.prove(&format!("the client is made again and ready after {:.1} s", since.elapsed().as_secs_f64()), true)?;
        let settled = |view: &super::View| (view.sync(), view.health()) == ("Synced", "Healthy");
        let view = self.applications.until("customer-acme", "is in sync again", settled).await?;
        self.shown(&view)?;
        let out = self.witness.since(mark).iter().any(|sight| sight.sync == "OutOfSync");
        self.prove("Argo CD showed OutOfSync in between", out)?;
        let same = tenant_id(&before)? == tenant_id(&self.tenant("acme").await?)?;
        self.prove("the tenant is the same", same && self.stage.committed("tenant.created") == 2)?;
        self.never_degraded(mark)
    }
}
