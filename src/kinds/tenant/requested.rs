//! Who asked for a deactivation, as far as the cluster tells.

use crate::crd::{APPROVED_BY, QlikTenant, REQUESTED_BY, RESTART_PURGE_WINDOW, REVISION};
use crate::engine::{Context, Error, api_of, within};
use crate::plan::offboarding::history::Asked;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::ResourceExt;
use serde_json::Value;

/// Where in an object's fields it stands that the tenant is to go, with what asks for it last in effect first.
const PLACES: [&str; 3] = ["/f:metadata/f:annotations", "/f:spec/f:lifecycle", "/f:spec/f:offboarding/f:onDelete"];

/// Reads the object's metadata once more, since the cache does not keep who wrote what. Fails when the object is not the one
/// any more that was decided on.
pub(super) async fn of(tenant: &QlikTenant, cx: &Context) -> Result<Asked, Error> {
    let api = api_of(tenant, &cx.client);
    let live = within("read who asked for it", api.get_metadata(&tenant.name_any())).await?;
    let (now, before) = (&live.metadata, &tenant.metadata);
    let same = now.uid == before.uid
        && now.generation == before.generation
        && now.deletion_timestamp.is_some() == before.deletion_timestamp.is_some();
    if !same {
        return Err(Error::Raced);
    }
    let annotation = |key: &str| live.annotations().get(key).filter(|text| !text.is_empty()).map(|text| cut(text));
    // Anybody who may change the object may write the annotation, unless a policy of this cluster stamps it.
    let stamped = annotation(REQUESTED_BY).filter(|_| cx.settings.requested_by_is_stamped);
    let managers = live.metadata.managed_fields.as_deref().unwrap_or_default();
    Ok(Asked {
        requested_by: stamped.or_else(|| manager(managers).map(|name| cut(&format!("field manager {name}")))),
        approved_by: annotation(APPROVED_BY),
        revision: annotation(REVISION),
    })
}

/// The last field manager that wrote what asks for the deactivation.
fn manager(entries: &[ManagedFieldsEntry]) -> Option<String> {
    let wrote = |entry: &ManagedFieldsEntry, place: &str| {
        let Some(fields) = entry.fields_v1.as_ref().map(|fields| &fields.0) else {
            return false;
        };
        match (fields.pointer(place), place == PLACES[0]) {
            (Some(Value::Object(annotations)), true) => annotations.contains_key(&format!("f:{RESTART_PURGE_WINDOW}")),
            (found, _) => found.is_some(),
        }
    };
    PLACES.iter().find_map(|place| {
        let writers = entries.iter().filter(|entry| wrote(entry, place));
        writers.max_by_key(|entry| entry.time.as_ref().map(|at| at.0)).and_then(|entry| entry.manager.clone())
    })
}

/// As much as a record takes.
fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(256).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(manager: &str, second: i64, fields: &Value) -> ManagedFieldsEntry {
        let entry = json!({
            "manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields,
            "time": jiff::Timestamp::from_second(second).unwrap().to_string(),
        });
        serde_json::from_value(entry).unwrap()
    }

    #[test]
    fn the_last_who_wrote_what_asks_for_it() {
        let lifecycle = json!({ "f:spec": { "f:lifecycle": {} } });
        let deletion = json!({ "f:spec": { "f:offboarding": { "f:onDelete": {} } } });
        let restart = json!({ "f:metadata": { "f:annotations": { "f:qlik-operator.dev/restart-purge-window": {} } } });
        let other = json!({ "f:metadata": { "f:annotations": { "f:note": {} } }, "f:spec": { "f:alias": {} } });
        let all = [entry("argocd", 1, &lifecycle), entry("kubectl-edit", 2, &lifecycle), entry("someone", 9, &other)];
        assert_eq!(manager(&all).as_deref(), Some("kubectl-edit"));
        assert_eq!(manager(&all[2..]), None);
        let deleted = [entry("helm", 1, &deletion), entry("kubectl-annotate", 2, &restart)];
        assert_eq!(manager(&deleted).as_deref(), Some("kubectl-annotate"));
        assert_eq!(manager(&deleted[..1]).as_deref(), Some("helm"));
    }
}
