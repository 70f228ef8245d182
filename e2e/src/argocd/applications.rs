//! Applications, as Argo CD shows them and as people handle them.

use crate::process::until;
use crate::stage::Error;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};
use std::time::Duration;

/// Argo CD looks again after ten seconds at the latest, and a tenant may take some.
const PATIENCE: Duration = Duration::from_secs(120);
const NAMESPACE: &str = "argocd";
const REFRESH: &str = "argocd.argoproj.io/refresh";

/// Argo CD's objects of one control plane.
pub struct Applications {
    applications: Api<DynamicObject>,
    sets: Api<DynamicObject>,
}

/// One Application at one moment.
#[derive(Clone, Debug)]
pub struct View(pub Value);

impl View {
    fn text(&self, path: &str) -> &str {
        self.0.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// `Synced`, `OutOfSync` or `Unknown`.
    pub fn sync(&self) -> &str {
        self.text("/status/sync/status")
    }

    /// The health of everything in it.
    pub fn health(&self) -> &str {
        self.text("/status/health/status")
    }

    /// The commit that was compared last.
    pub fn revision(&self) -> &str {
        self.text("/status/sync/revision")
    }

    /// Where the last operation stands.
    pub fn phase(&self) -> &str {
        self.text("/status/operationState/phase")
    }

    /// What is said of the last operation.
    pub fn said(&self) -> &str {
        self.text("/status/operationState/message")
    }

    /// Its objects.
    pub fn resources(&self) -> impl Iterator<Item = &Value> {
        self.0.pointer("/status/resources").and_then(Value::as_array).into_iter().flatten()
    }

    /// One of its objects.
    pub fn resource(&self, kind: &str, name: &str) -> Option<&Value> {
        self.resources().find(|resource| resource["kind"] == kind && resource["name"] == name)
    }

    /// Health of one of its objects, with what is said about it.
    pub fn health_of(&self, kind: &str, name: &str) -> (&str, &str) {
        let health = self.resource(kind, name).map(|resource| &resource["health"]);
        let text = |key: &str| health.and_then(|health| health[key].as_str()).unwrap_or_default();
        (text("status"), text("message"))
    }

    /// This commit is in the cluster, and everything in it is as it should be.
    pub fn is_done(&self, commit: &str) -> bool {
        let at_work = ["Running", "Terminating"].contains(&self.phase());
        (self.sync(), self.health(), self.revision()) == ("Synced", "Healthy", commit) && !at_work
    }

    /// In one line.
    pub fn line(&self) -> String {
        let operation = format!("operation {} ({})", self.phase(), self.said());
        let deleting = if self.text("/metadata/deletionTimestamp").is_empty() { "" } else { ", being deleted" };
        format!("{}: {}, {}, {operation}{deleting}", self.text("/metadata/name"), self.sync(), self.health())
    }
}

impl Applications {
    /// Those of the control plane that this client talks to.
    pub fn new(client: &kube::Client) -> Self {
        let api = |kind: &str| {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", kind));
            Api::namespaced_with(client.clone(), NAMESPACE, &resource)
        };
        Self { applications: api("Application"), sets: api("ApplicationSet") }
    }

    /// All of them, to be watched.
    pub fn api(&self) -> Api<DynamicObject> {
        self.applications.clone()
    }

    /// An Application, if there is one of this name.
    pub async fn get(&self, name: &str) -> Result<Option<View>, Error> {
        let found = self.applications.get_opt(name).await?;
        Ok(found.map(serde_json::to_value).transpose()?.map(View))
    }

    /// Asks for a comparison now (`normal`, or `hard` to leave every cache aside).
    pub async fn refresh(&self, name: &str, how: &str) -> Result<(), Error> {
        self.annotate(name, REFRESH, how).await
    }

    /// Asks for a comparison and waits until it was made.
    pub async fn compare(&self, name: &str) -> Result<View, Error> {
        self.refresh(name, "hard").await?;
        let made = |view: &View| view.0["metadata"]["annotations"][REFRESH].is_null();
        self.until(name, "is compared", made).await
    }

    /// Asks the `ApplicationSet` to look at Git now.
    pub async fn refresh_set(&self, name: &str) -> Result<(), Error> {
        let annotation = json!({ "argocd.argoproj.io/application-set-refresh": "true" });
        let patch = Patch::Merge(json!({ "metadata": { "annotations": annotation } }));
        self.sets.patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Leaves an approval on an Application that is as old as itself.
    pub async fn approve_early(&self, name: &str) -> Result<(), Error> {
        let view = self.get(name).await?.ok_or("no such Application")?;
        self.annotate(name, "argocd.argoproj.io/deletion-approved", view.text("/metadata/creationTimestamp")).await
    }

    /// Deletes an Application together with what is in it, as `argocd app delete` does.
    pub async fn delete_with_objects(&self, name: &str) -> Result<(), Error> {
        self.patch(name, json!({ "metadata": { "finalizers": ["resources-finalizer.argocd.argoproj.io"] } })).await?;
        self.applications.delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until an Application is as wanted; shows it when that does not come about.
    pub async fn until(&self, name: &str, what: &str, wanted: impl Fn(&View) -> bool) -> Result<View, Error> {
        let mut last = None;
        let found = until::<_, Error, _>(PATIENCE, &format!("{name} {what}"), async || {
            last = self.get(name).await?;
            Ok(last.clone().filter(|view| wanted(view)))
        })
        .await;
        found.map_err(|error| {
            let shown = last.map(|View(value)| format!("{:#}", value["status"])).unwrap_or_default();
            format!("{error}; its status is {shown}").into()
        })
    }

    /// Waits until an Application is gone.
    pub async fn until_gone(&self, name: &str) -> Result<(), Error> {
        let gone = async || Ok(self.get(name).await?.is_none().then_some(()));
        until::<_, Error, _>(PATIENCE, &format!("{name} is gone"), gone).await
    }

    async fn annotate(&self, name: &str, annotation: &str, value: &str) -> Result<(), Error> {
        self.patch(name, json!({ "metadata": { "annotations": { annotation: value } } })).await
    }

    /// The Application kind has no status subresource: its status is patched like everything else.
    async fn patch(&self, name: &str, patch: Value) -> Result<(), Error> {
        self.applications.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }
}
