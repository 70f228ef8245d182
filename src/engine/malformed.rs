//! What is done with an object that cannot be understood: it is told so, and it does not hold up the end of its namespace.

use super::gate::{Admission, Appearance};
use super::span::Watch;
use super::{Context, Error, Managed, Remains, context::within, write};
use crate::crd::Reason;
use crate::plan::Finding;
use crate::plan::status::{Verdict, conditions};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, Patch, PatchParams};
use kube::core::{DynamicObject, ObjectMeta};
use serde_json::json;

/// Says on a malformed object that it is malformed. Its spec cannot be read, so nothing else can be done.
pub(super) async fn refuse<K: Managed>(meta: &ObjectMeta, remains: &Remains, cx: &Context) {
    let problem = &remains.problem;
    let name = meta.name.as_deref().unwrap_or_default();
    let uid = meta.uid.clone().unwrap_or_default();
    let look = Appearance::new(meta, problem);
    if let Admission::Wait(_) = cx.gates.admit(&uid, look, cx.clock.monotonic()) {
        return;
    }
    let pass = async {
        match end_or_say::<K>(meta, remains, cx).await {
            Ok(()) => cx.gates.set(&uid, look, (cx.clock.monotonic(), crate::plan::HOURLY), 0),
            Err(error) => tracing::warn!(name, error = error.chain(), "cannot say that the object is malformed"),
        }
        ((), "malformed")
    };
    Watch::begin::<K>(meta, cx).over(pass).await;
}

/// Lets the object go where its whole namespace goes: then nothing is touched in Qlik Cloud, whatever the object says.
/// Otherwise it stays, and is told why.
async fn end_or_say<K: Managed>(meta: &ObjectMeta, remains: &Remains, cx: &Context) -> Result<(), Error> {
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    if let (Some(finalizer), true) = (K::FINALIZER, meta.deletion_timestamp.is_some()) {
        let namespaces: Api<Namespace> = Api::all(cx.client.clone());
        let found = within("read the namespace", namespaces.get_metadata_opt(namespace)).await?;
        if found.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some()) {
            tracing::warn!(kind = %K::KIND, namespace, name = meta.name, tenant = remains.tenant_id,
                "an object that cannot be understood goes with its namespace; what it held in Qlik Cloud lives on");
            let kind = kube::core::ApiResource::erase::<K>(&());
            let api: Api<DynamicObject> = Api::namespaced_with(cx.client.clone(), namespace, &kind);
            return write::release(&api, meta, finalizer).await;
        }
    }
    say_malformed::<K>(meta, &remains.problem, cx).await
}

async fn say_malformed<K: Managed>(meta: &ObjectMeta, problem: &str, cx: &Context) -> Result<(), Error> {
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let name = meta.name.as_deref().unwrap_or_default();
    let kind = kube::core::ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(cx.client.clone(), namespace, &kind);
    // What stands there is needed, so that the same is not written again at each start.
    let there = within("read the object", api.get(name)).await?.data;
    let old = there.pointer("/status/conditions").cloned().unwrap_or_default();
    let old: Vec<Condition> = serde_json::from_value(old).unwrap_or_default();
    let finding = Finding::human(Reason::SpecInvalid, format!("this object cannot be understood: {problem}"));
    let verdict = Verdict::new(finding, false);
    let list = conditions(&old, &verdict, meta.generation.unwrap_or_default(), cx.clock.now());
    if list == old {
        return Ok(());
    }
    let patch = Patch::Merge(json!({ "metadata": { "uid": meta.uid }, "status": { "conditions": list } }));
    within("write the status", api.patch_status(name, &PatchParams::default(), &patch)).await.map(drop)
}
