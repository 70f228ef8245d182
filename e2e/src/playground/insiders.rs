//! The part of the story that plays inside the tenants: logins, clients, and the apps that use them.

use super::apps::{Calls, CustomerApp};
use super::story::{CUSTOMERS, SAMPLES, Story};
use crate::app::{App, Person};
use crate::stage::{Error, Inside};
use kube::api::ListParams;
use qlik_operator::crd::{QlikIdentityProvider, QlikOAuthClient, ROTATE_AT};
use std::collections::BTreeMap;
use std::time::Duration;

/// The overlap that the samples ask for, and a little.
const OVERLAP: Duration = Duration::from_mins(24 * 60 + 5);

impl Story<'_> {
    /// Each customer gets two identity providers and two OAuth clients, and an app that uses what it was given.
    pub(super) async fn furnishing(&self) -> Result<(), Error> {
        self.kubectl(&["apply", "-f", &format!("{SAMPLES}/secrets/oidc.yaml")]).await?;
        let files: Vec<_> = CUSTOMERS.iter().map(|name| format!("{SAMPLES}/onboarding/{name}.yaml")).collect();
        let apply: Vec<_> = files.iter().flat_map(|file| ["-f", file.as_str()]).collect();
        self.kubectl(&[&["apply"], &apply[..]].concat()).await?;
        let all = "qlikidentityproviders,qlikoauthclients";
        self.kubectl(&["wait", "--for=condition=Ready", all, "--all", "--timeout=120s"]).await?;
        self.kubectl(&["get", all]).await?;
        self.prove("each was made by one call", {
            self.stage.committed("idp.created") == 6 && self.stage.committed("oauth-client.created") == 6
        })?;
        let app = App::new(&self.stage.sim)?;
        for name in CUSTOMERS {
            let given = self.stage.read_secret(&format!("{name}-portal-key")).await?;
            let (subject, email) = (format!("ann@{name}"), format!("ann@{name}.example.com"));
            app.jwt_login(&given, Person { subject: &subject, name: "Ann", email: &email }).await?;
        }
        self.prove("each portal logs a user in with the key pair that it was given", {
            self.stage.committed("session.created") == 3
        })?;
        let mut apps = BTreeMap::new();
        for name in CUSTOMERS {
            let app = CustomerApp::start(self.stage, &format!("{name}-service")).await?;
            self.screen.during("waiting for the app", app.works(self.stage)).await?;
            apps.insert(name, app);
        }
        self.prove("each customer's service reads its Secret, gets a token and calls its tenant", apps.len() == 3)?;
        self.apps.set(apps).map_err(|_| "the apps run already".into())
    }

    /// The client secret is replaced while the app goes on calling.
    pub(super) async fn rotation(&self) -> Result<(), Error> {
        let app = self.app("acme")?;
        let before = self.hint().await?;
        let annotation = format!("{ROTATE_AT}={}", self.stage.sim.now());
        self.kubectl(&["annotate", "qlikoauthclient", "acme-service", "--overwrite", &annotation]).await?;
        let rotated = |client: &QlikOAuthClient| hints(client).first().is_some_and(|hint| *hint != before);
        let both = self.stage.until_child::<QlikOAuthClient>("acme-service", "has a new secret", |c| {
            rotated(c) && c.is_ready() && hints(c).len() == 2
        });
        self.screen.during("waiting for the new secret", both).await?;
        self.screen.during("waiting for the app", app.works(self.stage)).await?;
        self.screen.say("A day passes; then the former secret goes.")?;
        self.stage.turn(OVERLAP)?;
        let one = self.stage.until_child::<QlikOAuthClient>("acme-service", "has one secret again", |c| {
            rotated(c) && hints(c).len() == 1
        });
        self.screen.during("waiting for the former secret's end", one).await?;
        self.screen.during("waiting for the app", app.works(self.stage)).await?;
        let Calls { ok, refused } = app.calls()?;
        self.prove(&format!("acme's service made {ok} calls so far, and not one was refused"), ok > 0 && refused == 0)?;
        self.prove("Qlik Cloud keeps the new secret and nothing else", self.stage.committed("secret.deleted") == 1)
    }

    /// What the deactivation means for those inside.
    pub(super) async fn locked_out(&self) -> Result<(), Error> {
        self.screen.during("waiting for the app", self.app("acme")?.is_refused(self.stage)).await?;
        for kind in ["qlikoauthclient/acme-service", "qlikidentityprovider/acme-login"] {
            let covered = "--for=jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}=CoveredByTenantDeactivated";
            self.kubectl(&["wait", covered, kind, "--timeout=120s"]).await?;
        }
        self.prove("acme's service is refused now, and its objects say why", true)?;
        for name in ["globex", "initech"] {
            self.app(name)?.works(self.stage).await?;
            let refusals = self.app(name)?.refusals()?;
            let fact = format!("{name}'s service goes on, nothing refused");
            self.prove(&fact, refusals.is_empty()).map_err(|error| format!("{error}: {refusals}"))?;
        }
        Ok(())
    }

    /// What the reactivation means for those inside.
    pub(super) async fn let_in_again(&self) -> Result<(), Error> {
        let ready = ["wait", "--for=condition=Ready", "qlikoauthclient/acme-service", "--timeout=120s"];
        self.screen.during("waiting for the app", self.app("acme")?.works(self.stage)).await?;
        self.kubectl(&ready).await?;
        self.prove("acme's service works again, with the very same client", {
            self.stage.committed("oauth-client.created") == 6
        })
    }

    /// Everything that was written for the customer is gone.
    pub(super) async fn nothing_left(&self) -> Result<(), Error> {
        for secret in ["acme-service", "acme-portal-key"] {
            let gone = !self.stage.has_secret(secret).await?;
            self.prove(&format!("Secret {secret}, which was written for acme, is erased"), gone)?;
        }
        let kept = self.stage.has_secret("globex-service").await? && self.stage.has_secret("initech-service").await?;
        self.prove("those of the other customers are there", kept)
    }

    /// The insiders' objects go without a call: their tenant is gone.
    pub(super) async fn insiders_go(&self) -> Result<(), Error> {
        let calls = self.stage.called("DELETE", "");
        let file = format!("{SAMPLES}/onboarding/acme.yaml");
        self.kubectl(&["delete", "-f", &file, "--timeout=120s"]).await?;
        let left = self.stage.all::<QlikIdentityProvider>().list(&ListParams::default()).await?.items.len();
        self.prove("acme's logins and clients are let go, without a call", {
            left == 4 && self.stage.called("DELETE", "") == calls
        })
    }

    fn app(&self, name: &str) -> Result<&CustomerApp, Error> {
        self.apps.get().and_then(|apps| apps.get(name)).ok_or_else(|| format!("{name} has no app").into())
    }

    async fn hint(&self) -> Result<String, Error> {
        let client = self.stage.clients().get("acme-service").await?;
        hints(&client).first().cloned().ok_or_else(|| "the client has no secret".into())
    }
}

fn hints(client: &QlikOAuthClient) -> Vec<String> {
    client.status.iter().flat_map(|status| &status.issued).map(|issued| issued.id.clone()).collect()
}
