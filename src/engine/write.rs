//! The writes that the engine makes to its own objects. Each names the uid and the version that it was decided on, so
//! that a stale decision is refused by the API server instead of overwriting a newer one.

use super::context::within;
use super::error::Error;
use kube::api::{Api, Patch, PatchParams};
use kube::core::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::time::Duration;

fn params() -> PatchParams {
    PatchParams { field_manager: Some("qlik-operator".to_owned()), ..PatchParams::default() }
}

/// A compare-and-swap of an object's metadata. Losing the race is [`Error::Raced`].
pub async fn metadata<K>(api: &Api<K>, seen: &ObjectMeta, what: &'static str, change: Value) -> Result<K, Error>
where
    K: Clone + Debug + DeserializeOwned,
{
    let mut metadata = change;
    metadata["uid"] = json!(seen.uid);
    metadata["resourceVersion"] = json!(seen.resource_version);
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    within(what, api.patch(name(seen), &params(), &patch)).await
}

/// A compare-and-swap of fields of an object's spec: only for kinds that the operator alone writes.
pub async fn spec<K>(api: &Api<K>, seen: &ObjectMeta, what: &'static str, change: Value) -> Result<K, Error>
where
    K: Clone + Debug + DeserializeOwned,
{
    let metadata = json!({ "uid": seen.uid, "resourceVersion": seen.resource_version });
    let patch = Patch::Merge(json!({ "metadata": metadata, "spec": change }));
    within(what, api.patch(name(seen), &params(), &patch)).await
}

/// Puts the finalizer on the object, and annotations with it, in one write.
pub async fn hold<K>(api: &Api<K>, seen: &ObjectMeta, finalizer: &str, annotations: Value) -> Result<K, Error>
where
    K: Clone + Debug + DeserializeOwned,
{
    let mut finalizers = seen.finalizers.clone().unwrap_or_default();
    if !finalizers.iter().any(|f| f == finalizer) {
        finalizers.push(finalizer.to_owned());
    }
    metadata(api, seen, "hold the object", json!({ "finalizers": finalizers, "annotations": annotations })).await
}

/// Takes the finalizer and an annotation off an object that goes on living, in one write.
pub async fn forget<K>(api: &Api<K>, seen: &ObjectMeta, finalizer: &str, annotation: &str) -> Result<K, Error>
where
    K: Clone + Debug + DeserializeOwned,
{
    let mut finalizers = seen.finalizers.clone().unwrap_or_default();
    finalizers.retain(|f| f != finalizer);
    let change = json!({ "finalizers": finalizers, "annotations": { annotation: null } });
    metadata(api, seen, "give up the tenant", change).await
}

/// Takes the finalizer off. An object that is gone meanwhile is what was wanted.
pub async fn release<K>(api: &Api<K>, seen: &ObjectMeta, finalizer: &str) -> Result<(), Error>
where
    K: Clone + Debug + DeserializeOwned,
{
    let mut finalizers = seen.finalizers.clone().unwrap_or_default();
    if !finalizers.iter().any(|f| f == finalizer) {
        return Ok(());
    }
    finalizers.retain(|f| f != finalizer);
    match metadata(api, seen, "release the object", json!({ "finalizers": finalizers })).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes the whole status, if nothing changed since it was decided on.
pub async fn status<K, S>(api: &Api<K>, seen: &ObjectMeta, status: &S) -> Result<K, Error>
where
    K: Clone + Debug + DeserializeOwned,
    S: Serialize + Sync,
{
    let patch = Patch::Merge(json!({
        "metadata": { "uid": seen.uid, "resourceVersion": seen.resource_version },
        "status": status,
    }));
    within("write the status", api.patch_status(name(seen), &params(), &patch)).await
}

/// Writes facts that must not be lost (an id that Qlik gave out) whatever else changed on the object meanwhile.
pub async fn status_whatever<K, S>(api: &Api<K>, seen: &ObjectMeta, status: &S) -> Result<K, Error>
where
    K: Clone + Debug + DeserializeOwned,
    S: Serialize + Sync,
{
    let patch = Patch::Merge(json!({ "metadata": { "uid": seen.uid }, "status": status }));
    let params = params();
    persist(|| within("write the id to the status", api.patch_status(name(seen), &params, &patch))).await
}

/// The same for an annotation.
pub async fn annotation_whatever<K>(api: &Api<K>, seen: &ObjectMeta, key: &str, text: &str) -> Result<K, Error>
where
    K: Clone + Debug + DeserializeOwned,
{
    let patch = Patch::Merge(json!({ "metadata": { "uid": seen.uid, "annotations": { key: text } } }));
    let params = params();
    persist(|| within("write what a call made", api.patch(name(seen), &params, &patch))).await
}

/// Tries for a while: until it stands, only this process knows it.
async fn persist<K, W: Future<Output = Result<K, Error>>>(write: impl Fn() -> W) -> Result<K, Error> {
    let mut pause = Duration::from_millis(50);
    loop {
        match write().await {
            Ok(object) => return Ok(object),
            Err(error) if error.is_not_found() || pause > PERSIST_LONGEST => return Err(error),
            Err(error) => {
                tracing::warn!(error = error.chain(), "cannot write what must not be lost yet");
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a requeue would start a new pass before the id is safe"
                )]
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
    }
}

const PERSIST_LONGEST: Duration = Duration::from_secs(4);

fn name(meta: &ObjectMeta) -> &str {
    meta.name.as_deref().unwrap_or_default()
}
