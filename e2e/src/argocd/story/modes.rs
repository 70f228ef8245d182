//! The same customer under each of Argo CD's ways to apply and to compare.

use super::Story;
use crate::stage::{Error, Inside, in_phase};
use qlik_operator::crd::QlikOAuthClient;
use serde_json::{Value, json};
use std::fs;

const MODES: [&str; 4] = ["client-side", "server-side", "server-side-diff", MISSES];
/// Server-side diff without server-side apply.
const MISSES: &str = "diff-alone";

impl Story<'_> {
    pub(super) async fn modes(&self) -> Result<(), Error> {
        let server_side = json!({ "spec": { "syncPolicy": { "syncOptions": ["ServerSideApply=true"] } } });
        let compare = json!({ "argocd.argoproj.io/compare-options": "ServerSideDiff=true" });
        let alone = json!({ "metadata": { "annotations": compare } });
        let mut both = alone.clone();
        merge(&mut both, &server_side);
        for (mode, more) in MODES.iter().zip([&json!({}), &server_side, &both, &alone]) {
            self.plain(mode, more).await?;
        }
        let commit = self.repository.commit("One customer for each way").await?;
        for mode in MODES {
            self.done(mode, &commit).await?;
            self.stage.patch_child::<QlikOAuthClient>(&service(mode), rotation()).await?;
            self.stage.pass(mode).await?;
            let rotated =
                |client: &QlikOAuthClient| client.shown()["lastHandledRotateAt"].is_string() && client.is_ready();
            self.stage.until_client(&service(mode), "has a new secret", rotated).await?;
            for _ in 0..2 {
                let view = self.applications.compare(mode).await?;
                let facts = (view.sync(), view.health()) == ("Synced", "Healthy");
                self.prove(&format!("{mode}: Synced and Healthy with all that operator and schema wrote"), facts)?;
            }
        }
        self.leave_and_stay().await
    }

    /// Off-boarding by a commit that adds lines, in manifests that do not write lifecycle: Active out.
    async fn leave_and_stay(&self) -> Result<(), Error> {
        for mode in MODES {
            let leaves =
                format!("  offboarding: {{confirmHostname: {mode}.us.qlikcloud.com}}\n  lifecycle: Deactivated\n");
            self.edit(&format!("plain/{mode}/tenant.yaml"), "  lifecycle: Active\n", &leaves)?;
        }
        let commit = self.repository.commit("All leave").await?;
        for mode in MODES {
            self.done(mode, &commit).await?;
            self.stage.until(mode, "is off", |tenant| in_phase(tenant, "Deactivated")).await?;
        }
        self.screen.say("The lines are removed again, instead of lifecycle: Active being written.")?;
        for mode in MODES {
            let lines =
                format!("  offboarding: {{confirmHostname: {mode}.us.qlikcloud.com}}\n  lifecycle: Deactivated\n");
            self.edit(&format!("plain/{mode}/tenant.yaml"), &lines, "")?;
        }
        let commit = self.repository.commit("All stay").await?;
        for mode in MODES {
            self.done(mode, &commit).await?;
            if mode == MISSES {
                let off = in_phase(&self.tenant(mode).await?, "Deactivated");
                self.prove(
                    &format!("{mode}: Synced, Healthy, and the tenant is off as before: nothing was noticed"),
                    off,
                )?;
            } else {
                self.stage.until(mode, "is in use", |tenant| in_phase(tenant, "Ready")).await?;
                self.prove(&format!("{mode}: the tenant is back, since the schema's default takes the place"), true)?;
            }
        }
        self.written_out().await?;
        self.removed_line().await
    }

    async fn written_out(&self) -> Result<(), Error> {
        self.screen.say("lifecycle: Active is written out.")?;
        let path = format!("plain/{MISSES}/tenant.yaml");
        self.repository.write(&path, &(self.repository.read(&path)? + "  lifecycle: Active\n"))?;
        let commit = self.repository.commit("Written out").await?;
        self.done(MISSES, &commit).await?;
        self.stage.until(MISSES, "is in use", |tenant| in_phase(tenant, "Ready")).await?;
        self.prove(&format!("{MISSES}: that is noticed, and the tenant is back"), true)
    }

    /// A line that goes and leaves no default behind.
    async fn removed_line(&self) -> Result<(), Error> {
        self.screen.say("The line displayName is removed, for which the schema has no default.")?;
        for mode in MODES {
            self.edit(&format!("plain/{mode}/tenant.yaml"), "  displayName: Globex\n", "")?;
        }
        let commit = self.repository.commit("No names").await?;
        for mode in MODES {
            let view = self.done(mode, &commit).await?;
            let name = self.tenant(mode).await?.spec.display_name;
            let fact = format!("{mode}: {}, displayName in the cluster is {name:?}", view.sync());
            self.prove(&fact, name.is_some() == (mode == MISSES))?;
        }
        Ok(())
    }

    /// An Application beside the set, with a folder like that of Globex. `more` is merged into it.
    pub(super) async fn plain(&self, name: &str, more: &Value) -> Result<(), Error> {
        for file in ["tenant.yaml", "access.yaml"] {
            let text = fs::read_to_string(format!("{}/customers/globex/{file}", super::SAMPLES))?;
            self.repository.write(&format!("plain/{name}/{file}"), &text.replace("globex", name))?;
        }
        let mut application = json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": { "name": name, "namespace": "argocd" },
            "spec": {
                "project": "customers",
                "source": { "repoURL": self.repository.url(), "targetRevision": "main", "path": format!("plain/{name}") },
                "destination": { "server": "https://kubernetes.default.svc", "namespace": self.stage.ns() },
                "syncPolicy": { "automated": { "prune": true, "selfHeal": true } },
            },
        });
        merge(&mut application, more);
        self.apply(&application.to_string()).await
    }
}

fn service(mode: &str) -> String {
    format!("{mode}-service")
}

fn rotation() -> Value {
    json!({ "metadata": { "annotations": { qlik_operator::crd::ROTATE_AT: "now" } } })
}

fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}
