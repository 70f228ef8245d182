//! What people ask for in Argo CD, by its own server.

use super::{Story, View, tenant_id};
use crate::stage::{Error, Inside};
use qlik_operator::crd::QlikOAuthClient;

const APPLICATION: &str = "customer-acme";

impl Story<'_> {
    pub(super) async fn actions(&self) -> Result<(), Error> {
        let list = ["app", "actions", "list", APPLICATION];
        self.screen.command("argocd app actions list customer-acme")?;
        self.screen.output(&self.stack.argocd.output(&list).await?)?;

        self.act("reconcile", ("QlikTenant", "acme")).await?;
        let looked = |tenant: &qlik_operator::crd::QlikTenant| {
            tenant.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at.is_some())
        };
        self.stage.until("acme", "is looked at", looked).await?;
        self.prove("the operator has looked", true)?;

        let before = self.stage.read_secret("acme-service").await?;
        self.act("rotate", ("QlikOAuthClient", "acme-service")).await?;
        let rotated = |client: &QlikOAuthClient| client.shown()["lastHandledRotateAt"].is_string() && client.is_ready();
        self.stage.until_client("acme-service", "has a new secret", rotated).await?;
        let after = self.stage.read_secret("acme-service").await?;
        self.prove("the app has a new secret, and the former one beside it", {
            after["clientSecret"] != before["clientSecret"]
                && after.get("previousClientSecret") == before.get("clientSecret")
        })?;

        let refused = self.action("restart-purge-window", ("QlikTenant", "acme")).await?;
        self.screen.output(refused.stderr.trim())?;
        let asked = self.tenant("acme").await?.metadata.annotations.unwrap_or_default();
        let written = asked.contains_key("qlik-operator.dev/restart-purge-window");
        self.prove("what is not allowed writes nothing, also when it is run all the same", !written)?;
        let view = self.applications.compare(APPLICATION).await?;
        self.shown(&view)?;
        self.prove("what actions wrote does not count as drift", view.sync() == "Synced")?;
        self.deactivated_by_others().await
    }

    /// The one state in this story that needs a human.
    async fn deactivated_by_others(&self) -> Result<(), Error> {
        self.screen.say("Somebody deactivates the tenant in Qlik's portal.")?;
        let id = tenant_id(&self.tenant("acme").await?)?;
        self.stage.sim.deactivate(&id, 30)?;
        self.act("reconcile", ("QlikTenant", "acme")).await?;
        let degraded = |view: &View| view.health_of("QlikTenant", "acme").0 == "Degraded";
        let view = self.applications.until(APPLICATION, "is Degraded", degraded).await?;
        self.shown(&view)?;
        self.screen.output(view.health_of("QlikTenant", "acme").1)?;
        self.prove("that is Degraded, since only a human ends it", view.health() == "Degraded")?;
        self.act("reactivate", ("QlikTenant", "acme")).await?;
        let settled = |view: &View| (view.sync(), view.health()) == ("Synced", "Healthy");
        let view = self.applications.until(APPLICATION, "is Healthy again", settled).await?;
        self.shown(&view)?;
        self.prove("the tenant is back, by one call", self.stage.called("POST", "/actions/reactivate") == 1)
    }

    pub(super) async fn act(&self, action: &str, on: (&str, &str)) -> Result<(), Error> {
        let done = self.action(action, on).await?;
        if done.success { Ok(()) } else { Err(format!("{action}: {}{}", done.stderr, done.stdout).into()) }
    }

    async fn action(&self, action: &str, (kind, name): (&str, &str)) -> Result<crate::argocd::program::Run, Error> {
        let args = ["app", "actions", "run", APPLICATION, action, "--kind", kind, "--resource-name", name];
        self.screen.command(&format!("argocd {}", args.join(" ")))?;
        self.stack.argocd.run(&args).await
    }
}
