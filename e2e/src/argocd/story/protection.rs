//! Files, folders and Applications that go: what goes with them, what asks first, and what cannot be taken back.

use super::{Story, View, tenant_id};
use crate::sim::Status;
use crate::stage::Error;
use qlik_operator::crd::{QlikOAuthClient, QlikTenant};
use serde_json::json;
use std::time::Instant;

const WAITS: &str = "Waiting for pruning confirmation";

impl Story<'_> {
    pub(super) async fn folder(&self) -> Result<(), Error> {
        let before = (uid(&self.tenant("globex").await?), self.client_uid("globex-service").await?, self.effects());
        self.repository.remove("customers/globex")?;
        self.repository.commit("The folder of Globex is gone").await?;
        self.applications.refresh_set("customers").await?;
        self.applications.until_gone("customer-globex").await?;
        self.prove("the Application is gone, the objects and the tenant are as they were", {
            before == (uid(&self.tenant("globex").await?), self.client_uid("globex-service").await?, self.effects())
        })?;
        let orphaned = |view: &View| view.0["status"]["conditions"].to_string().contains("OrphanedResourceWarning");
        self.applications.refresh("customer-acme", "normal").await?;
        self.applications.until("customer-acme", "warns of what nobody declares", orphaned).await?;
        self.prove("Argo CD warns of objects that nobody declares any more", true)?;
        let commit = self.repository.revert().await?;
        self.applications.refresh_set("customers").await?;
        self.applications.until("customer-globex", "is there again", |_| true).await?;
        self.done("customer-globex", &commit).await?;
        self.prove("the folder is back: the same objects, nothing was called in Qlik Cloud", {
            before == (uid(&self.tenant("globex").await?), self.client_uid("globex-service").await?, self.effects())
        })
    }

    pub(super) async fn client_file(&self) -> Result<(), Error> {
        let deleted = self.stage.committed("oauth-client.deleted");
        self.repository.remove("customers/acme/dashboards.yaml")?;
        let commit = self.repository.commit("Acme has no dashboards any more").await?;
        self.done("customer-acme", &commit).await?;
        self.stage.until_child_gone::<QlikOAuthClient>("acme-dashboards").await?;
        self.prove("the client is pruned without asking, in Qlik Cloud as well", {
            self.stage.committed("oauth-client.deleted") == deleted + 1
        })
    }

    pub(super) async fn tenant_file(&self) -> Result<(), Error> {
        let before = self.tenant("acme").await?;
        let file = self.repository.read("customers/acme/tenant.yaml")?;
        self.without_tenant_file().await?;
        let commit = self.repository.revert().await?;
        let view = self.applications.compare("customer-acme").await?;
        self.shown(&view)?;
        self.prove("the file is restored, and the operation waits all the same", {
            (view.phase(), view.said().starts_with(WAITS)) == ("Running", true) && view.revision() == commit
        })?;
        self.argocd(&["app", "terminate-op", "customer-acme"]).await?;
        self.done("customer-acme", &commit).await?;
        self.prove("ended by hand, it deleted nothing", uid(&self.tenant("acme").await?) == uid(&before))?;

        self.screen.say("Removed once more, and approved.")?;
        let (since, deactivations) = (Instant::now(), self.stage.committed("tenant.deactivated"));
        self.without_tenant_file().await?;
        self.argocd(&["app", "confirm-deletion", "customer-acme"]).await?;
        self.stage.until_gone("acme").await?;
        self.prove(&format!("the object is gone {:.1} s after the file", since.elapsed().as_secs_f64()), true)?;
        let waits = |view: &View| view.health_of("QlikOAuthClient", "acme-service").1.starts_with("TenantMissing");
        let view = self.applications.until("customer-acme", "says that the tenant is missing", waits).await?;
        self.shown(&view)?;
        let id = tenant_id(&before)?;
        self.prove("the tenant lives on in Qlik Cloud (onDelete: Retain), its clients are Progressing", {
            self.stage.sim.tenant(&id).is_some_and(|tenant| tenant.status == Status::Active)
                && self.stage.committed("tenant.deactivated") == deactivations
                && view.health() == "Progressing"
        })?;
        self.adopted(&file, &before).await
    }

    /// Restored as it was, the manifest would ask for a second tenant.
    async fn adopted(&self, file: &str, before: &QlikTenant) -> Result<(), Error> {
        let (id, created) = (tenant_id(before)?, self.stage.committed("tenant.created"));
        let adopt = format!("  adopt: {{tenantId: {id}, hostname: acme.us.qlikcloud.com}}\n");
        self.repository.write("customers/acme/tenant.yaml", &(file.trim_end().to_owned() + "\n" + &adopt))?;
        let commit = self.repository.commit("Acme is adopted").await?;
        self.done("customer-acme", &commit).await?;
        let tenant = self.tenant("acme").await?;
        self.prove("with adopt the new object takes the same tenant, none is created", {
            uid(&tenant) != uid(before)
                && tenant_id(&tenant)? == id
                && self.stage.committed("tenant.created") == created
        })
    }

    /// Takes the tenant's file out of Git and waits until Argo CD asks.
    async fn without_tenant_file(&self) -> Result<(), Error> {
        self.repository.remove("customers/acme/tenant.yaml")?;
        self.repository.commit("The tenant's file is gone").await?;
        self.applications.refresh("customer-acme", "normal").await?;
        let asks = |view: &View| view.phase() == "Running" && view.said().starts_with(WAITS);
        let view = self.applications.until("customer-acme", "asks before it prunes", asks).await?;
        self.shown(&view)?;
        let tenant = self.tenant("acme").await?;
        self.prove("the object is kept meanwhile", tenant.metadata.deletion_timestamp.is_none())
    }

    pub(super) async fn application(&self) -> Result<(), Error> {
        self.plain("initech", &json!({})).await?;
        let commit = self.repository.commit("Initech comes").await?;
        self.done("initech", &commit).await?;
        let tenant = self.tenant("initech").await?;
        self.screen.say("An earlier approval stands on the Application; the Application is deleted.")?;
        self.applications.approve_early("initech").await?;
        self.applications.delete_with_objects("initech").await?;
        self.stack.asks_before_deletion().await?;
        let view = self.applications.get("initech").await?.ok_or("the Application is gone")?;
        self.shown(&view)?;
        let asks = view.resource("QlikTenant", "initech").is_some_and(|it| it["requiresDeletionConfirmation"] == true);
        let client = self.stage.clients().get("initech-service").await?;
        self.prove("one object with Delete=confirm holds all of them; an earlier approval does not count", {
            asks && self.tenant("initech").await?.metadata.deletion_timestamp.is_none()
                && client.metadata.deletion_timestamp.is_none()
        })?;
        let since = Instant::now();
        self.argocd(&["app", "confirm-deletion", "initech"]).await?;
        self.applications.until_gone("initech").await?;
        self.stage.until_gone("initech").await?;
        let in_qlik = self.stage.sim.tenant(&tenant_id(&tenant)?).ok_or("Qlik Cloud does not know the tenant")?;
        self.prove(&format!("approved: everything is gone after {:.1} s", since.elapsed().as_secs_f64()), true)?;
        self.prove("and the tenant lives on in Qlik Cloud", in_qlik.status == Status::Active)
    }

    async fn argocd(&self, args: &[&str]) -> Result<(), Error> {
        self.screen.command(&format!("argocd {}", args.join(" ")))?;
        self.stack.argocd.output(args).await.map(drop)
    }

    async fn client_uid(&self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.stage.clients().get(name).await?.metadata.uid)
    }
}

fn uid(tenant: &QlikTenant) -> Option<String> {
    tenant.metadata.uid.clone()
}
