//! What lives inside a tenant, as scenarios ask about it. Generic: each kind has conditions and the same annotations.

use super::{Error, PATIENCE, Stage};
use crate::process::until;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use qlik_operator::crd::{QlikOAuthClient, REQUESTED_AT};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};

/// A kind that lives inside a tenant.
pub trait Inside:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize + Sync
{
    /// Its status, as the API server shows it.
    fn shown(&self) -> Value {
        serde_json::to_value(self).map(|mut object| object["status"].take()).unwrap_or_default()
    }

    /// One of its conditions.
    fn condition(&self, kind: &str) -> Option<Condition> {
        let conditions: Vec<Condition> = serde_json::from_value(self.shown()["conditions"].take()).ok()?;
        conditions.into_iter().find(|condition| condition.type_ == kind)
    }

    /// Whether this condition is true for the manifest as it stands.
    fn is(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|c| c.status == "True" && c.observed_generation == self.meta().generation)
    }

    /// Whether the declared state is reached, for the manifest as it stands.
    fn is_ready(&self) -> bool {
        self.is("Ready")
    }

    /// Why it is ready or not, by the manifest as it stands.
    fn reason(&self) -> String {
        let current = self.condition("Ready").filter(|c| c.observed_generation == self.meta().generation);
        current.map(|c| c.reason).unwrap_or_default()
    }

    /// What people are told about that.
    fn message(&self) -> String {
        self.condition("Ready").map(|c| c.message).unwrap_or_default()
    }
}

impl<K> Inside for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize + Sync
{
}

impl Stage {
    /// The objects of a kind in the stage's namespace.
    pub fn all<K: Inside>(&self) -> Api<K> {
        Api::namespaced(self.admin(), self.ns())
    }

    /// The OAuth clients of the namespace.
    pub fn clients(&self) -> Api<QlikOAuthClient> {
        self.all()
    }

    /// Waits until an object is as wanted; shows it when that does not come about.
    pub async fn until_child<K: Inside>(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&K) -> bool,
    ) -> Result<K, Error> {
        let api = self.all::<K>();
        let mut last = None;
        let found = until::<_, Error, _>(PATIENCE, &format!("{} {name} {what}", K::kind(&())), async || {
            last = api.get_opt(name).await?;
            Ok(last.clone().filter(|object| wanted(object)))
        })
        .await;
        found.map_err(|error| format!("{error}; its status is {:#}", last.map_or(Value::Null, |o| o.shown())).into())
    }

    /// The same for an OAuth client.
    pub async fn until_client(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&QlikOAuthClient) -> bool,
    ) -> Result<QlikOAuthClient, Error> {
        self.until_child(name, what, wanted).await
    }

    /// Waits until an object is gone; shows it when it stays.
    pub async fn until_child_gone<K: Inside>(&self, name: &str) -> Result<(), Error> {
        let api = self.all::<K>();
        let mut last = None;
        let found = until::<_, Error, _>(PATIENCE, &format!("{} {name} goes away", K::kind(&())), async || {
            last = api.get_opt(name).await?;
            Ok(last.is_none().then_some(()))
        })
        .await;
        found.map_err(|error| format!("{error}; its status is {:#}", last.map_or(Value::Null, |o| o.shown())).into())
    }

    /// Changes an object with a merge patch.
    pub async fn patch_child<K: Inside>(&self, name: &str, patch: Value) -> Result<K, Error> {
        Ok(self.all::<K>().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?)
    }

    /// Deletes an object; does not wait for it to go.
    pub async fn delete_child<K: Inside>(&self, name: &str) -> Result<(), Error> {
        self.all::<K>().delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Asks for a pass and waits until one that began after the question is through.
    pub async fn child_pass<K: Inside>(&self, name: &str) -> Result<K, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("look-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.patch_child::<K>(name, json!({ "metadata": { "annotations": { REQUESTED_AT: mark } } })).await?;
        let handled = |object: &K| object.shown()["lastHandledReconcileAt"] == json!(mark);
        self.until_child(name, "made the pass that was asked for", handled).await
    }

    /// The same for an OAuth client.
    pub async fn client_pass(&self, name: &str) -> Result<QlikOAuthClient, Error> {
        self.child_pass(name).await
    }

    /// The values of a Secret, as a pod gets them.
    pub async fn read_secret(&self, name: &str) -> Result<BTreeMap<String, String>, Error> {
        let secret = Api::<Secret>::namespaced(self.admin(), self.ns()).get(name).await?;
        let text = |(key, value): (String, k8s_openapi::ByteString)| Ok((key, String::from_utf8(value.0)?));
        secret.data.unwrap_or_default().into_iter().map(text).collect()
    }

    /// Changes a Secret with a merge patch.
    pub async fn patch_secret(&self, name: &str, patch: Value) -> Result<Secret, Error> {
        let api = Api::<Secret>::namespaced(self.admin(), self.ns());
        Ok(api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?)
    }

    /// Deletes a Secret.
    pub async fn delete_secret(&self, name: &str) -> Result<(), Error> {
        Api::<Secret>::namespaced(self.admin(), self.ns()).delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// The events about objects of this name, each as `REASON: note`.
    pub async fn events(&self, name: &str) -> Result<Vec<String>, Error> {
        let api: Api<k8s_openapi::api::events::v1::Event> = Api::namespaced(self.admin(), self.ns());
        let all = api.list(&ListParams::default()).await?.items.into_iter();
        let about = all.filter(|event| event.regarding.as_ref().and_then(|o| o.name.as_deref()) == Some(name));
        Ok(about.map(|e| format!("{}: {}", e.reason.unwrap_or_default(), e.note.unwrap_or_default())).collect())
    }

    /// Waits for an event about an object.
    pub async fn until_event(&self, name: &str, start: &str) -> Result<String, Error> {
        let found = async || Ok(self.events(name).await?.into_iter().find(|event| event.starts_with(start)));
        self.until_some(&format!("the event {start} about {name}"), found).await
    }
}

/// An OAuth client's manifest: the given lines, indented as below `spec:`, after tenant and name.
pub fn client_manifest(name: &str, tenant: &str, spec: &str) -> String {
    child_manifest("QlikOAuthClient", (name, tenant), &format!("clientName: {name}\n{spec}"))
}

/// The manifest of an object of this kind in a tenant: the given lines, indented as below `spec:`.
pub fn child_manifest(kind: &str, (name, tenant): (&str, &str), spec: &str) -> String {
    let lines = spec.lines().filter(|line| !line.trim().is_empty());
    let spec = lines.fold(String::new(), |spec, line| spec + "  " + line + "\n");
    format!(
        "apiVersion: qlik-operator.dev/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n  tenantRef: {{name: \
         {tenant}}}\n{spec}"
    )
}
