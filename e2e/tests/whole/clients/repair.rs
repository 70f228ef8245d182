//! What others do to Secret, client and status is put right, and nothing of theirs is written over.

use super::support::{
    HOUR, MACHINE, all_in_qlik, apply, by_hand, client_id, effects, hints, id, issued, ready, refused, stage, takes,
    works,
};
use e2e::app::Given;
use e2e::stage::{Inside, Stage, client_manifest};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use qlik_operator::crd::QlikOAuthClient;
use serde_json::{Value, json};
use std::time::Duration;

/// Asks for a look and waits until everything is as declared again.
async fn repaired(stage: &Stage) -> (QlikOAuthClient, Given) {
    stage.client_pass("app").await.unwrap();
    let object = stage.until_client("app", "is ready again", Inside::is_ready).await.unwrap();
    (object, stage.read_secret("app").await.unwrap())
}

#[tokio::test]
async fn what_is_known_is_written_again_without_a_new_secret() {
    let (stage, _operator) = ready("repair", MACHINE).await;
    let given = stage.read_secret("app").await.unwrap();
    stage.sim.clear_journal();
    for edit in [
        json!({ "stringData": { "host": "https://elsewhere.example.com" } }),
        json!({ "data": { "tokenUrl": null } }),
        json!({ "stringData": { "extra": "1" } }),
        json!({ "stringData": { "moved": given["clientSecret"] }, "data": { "clientSecret": null } }),
    ] {
        stage.patch_secret("app", edit.clone()).await.unwrap();
        let (_, again) = repaired(&stage).await;
        assert_eq!(again, given, "{edit}");
        assert!(effects(&stage).is_empty(), "{edit}: {:?}", effects(&stage));
    }
    stage.until_event("app", "SecretRepaired").await.unwrap();
}

#[tokio::test]
async fn a_lost_secret_is_made_anew_on_the_same_client() {
    let (stage, _operator) = ready("repair", MACHINE).await;
    let id = id(&stage).await;
    for round in 0..4 {
        let given = stage.read_secret("app").await.unwrap();
        match round {
            0 => drop(stage.patch_secret("app", json!({ "stringData": { "clientSecret": "mine" } })).await.unwrap()),
            1 => drop(stage.patch_secret("app", json!({ "data": null })).await.unwrap()),
            2 => {
                let other = json!({ "metadata": { "annotations": { "qlik-operator.dev/client-id": "other" } } });
                drop(stage.patch_secret("app", other).await.unwrap());
            }
            _ => stage.delete_secret("app").await.unwrap(),
        }
        let (object, again) = repaired(&stage).await;
        assert_ne!(again["clientSecret"], given["clientSecret"]);
        works(&stage, &again).await;
        // Whoever still has the former one may use it for a while.
        works(&stage, &given).await;
        assert_eq!((client_id(&object), again["clientId"].as_str()), (id.clone(), id.as_str()));
        assert_eq!(issued(&object).iter().map(|(_, over)| *over).collect::<Vec<_>>(), [false, true]);
        stage.turn(HOUR * 25).unwrap();
        stage.until_client("app", "has one secret", |c| c.is_ready() && issued(c).len() == 1).await.unwrap();
        assert!(!takes(&stage, &again, &given["clientSecret"]).await);
        assert_eq!(hints(&stage, &id).len(), 1);
    }
    assert_eq!(all_in_qlik(&stage).len(), 1);
}

#[tokio::test]
async fn without_any_request_too_at_the_next_comparison() {
    let (stage, _operator) = ready("repair", MACHINE).await;
    let given = stage.read_secret("app").await.unwrap();
    stage.patch_secret("app", json!({ "stringData": { "host": "https://elsewhere.example.com" } })).await.unwrap();
    let change = json!([{ "op": "replace", "path": "/clientName", "value": "by hand" }]);
    by_hand(&stage, "PATCH", &format!("/{}", given["clientId"]), change);
    stage.turn(HOUR).unwrap();
    stage
        .until_some("the Secret is repaired", async || Ok((stage.read_secret("app").await? == given).then_some(())))
        .await
        .unwrap();
    stage
        .until_some("the name is written back", async || {
            Ok((all_in_qlik(&stage)[0]["clientName"] == "app").then_some(()))
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_secret_of_somebody_else_is_never_written_over() {
    let (stage, _operator) = stage("repair").await;
    let map = ConfigMap {
        metadata: kube::api::ObjectMeta { name: Some("owner".into()), ..Default::default() },
        ..ConfigMap::default()
    };
    let map =
        Api::<ConfigMap>::namespaced(stage.admin(), stage.ns()).create(&PostParams::default(), &map).await.unwrap();
    let owner = json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": map.metadata.uid, "controller": true }]);
    stage.secret("app", &[("mine", "1")]).await.unwrap();
    stage.apply(&client_manifest("app", "acme", MACHINE)).await.unwrap();
    refused(&stage, "SecretConflict", &["no controller reference"]).await;
    stage.patch_secret("app", json!({ "metadata": { "ownerReferences": owner } })).await.unwrap();
    stage.client_pass("app").await.unwrap();
    let app = refused(&stage, "SecretConflict", &["ConfigMap owner"]).await;
    assert!(app.is("Stalled"));
    // Nothing was made for a Secret that cannot be written.
    assert!(all_in_qlik(&stage).is_empty());
    assert_eq!(stage.read_secret("app").await.unwrap(), [("mine".to_owned(), "1".to_owned())].into());
    stage.delete_secret("app").await.unwrap();
    let (_, given) = repaired(&stage).await;
    works(&stage, &given).await;

    // Somebody takes the name while it is free for a moment.
    stage.delete_secret("app").await.unwrap();
    stage.secret("app", &[("mine", "2")]).await.unwrap();
    stage.client_pass("app").await.unwrap();
    refused(&stage, "SecretConflict", &["belongs to"]).await;
    assert_eq!(stage.read_secret("app").await.unwrap(), [("mine".to_owned(), "2".to_owned())].into());
    assert_eq!((all_in_qlik(&stage).len(), hints(&stage, &given["clientId"]).len()), (1, 1));
    works(&stage, &given).await;
    // The object goes, and its client with it; the Secret of somebody else stays.
    stage.delete_child::<QlikOAuthClient>("app").await.unwrap();
    stage.until_child_gone::<QlikOAuthClient>("app").await.unwrap();
    assert!(all_in_qlik(&stage).is_empty() && stage.has_secret("app").await.unwrap());
}

#[tokio::test]
async fn a_client_deleted_in_the_portal_is_made_again_after_a_second_look() {
    let (stage, _operator) = ready("repair", MACHINE).await;
    let (id, given) = (id(&stage).await, stage.read_secret("app").await.unwrap());
    stage.sim.clear_journal();
    by_hand(&stage, "DELETE", &format!("/{id}"), Value::Null);
    stage.client_pass("app").await.unwrap();
    let object = refused(&stage, "CounterpartGone", &["another client id"]).await;
    assert!(client_id(&object) == id && object.status.unwrap().missing_since.is_some());
    assert!(effects(&stage).is_empty(), "it was made again at the first look");
    stage.turn(Duration::from_mins(1)).unwrap();
    let other = |c: &QlikOAuthClient| c.is_ready() && client_id(c) != id;
    let object = stage.until_client("app", "has another client", other).await.unwrap();
    assert_eq!(effects(&stage), ["oauth-client.created"]);
    let again = stage.read_secret("app").await.unwrap();
    assert_eq!(again["clientId"], client_id(&object));
    assert!(again["clientSecret"] != given["clientSecret"] && !again.contains_key("previousClientSecret"));
    works(&stage, &again).await;
    stage.until_event("app", "CounterpartGone").await.unwrap();
    assert_eq!((all_in_qlik(&stage).len(), issued(&object).len()), (1, 1));
}

#[tokio::test]
async fn a_wiped_or_forged_status_changes_no_client_id() {
    let (stage, operator) = ready("repair", MACHINE).await;
    let (id, given) = (id(&stage).await, stage.read_secret("app").await.unwrap());
    stage.sim.clear_journal();
    let wipe = async || {
        let patch = Patch::Merge(json!({ "status": null }));
        stage.clients().patch_status("app", &PatchParams::default(), &patch).await.unwrap();
    };
    wipe().await;
    let object = stage.until_client("app", "is ready again", Inside::is_ready).await.unwrap();
    assert_eq!(client_id(&object), id);
    stage.until_event("app", "TakenBack").await.unwrap();
    // The same while no operator runs.
    operator.kill9().unwrap();
    wipe().await;
    let _operator = stage.operator().await.unwrap();
    let object = stage.until_client("app", "is ready again", Inside::is_ready).await.unwrap();
    assert_eq!(client_id(&object), id);
    // The id of a client of somebody else is not worked on, whatever the status says.
    let other = by_hand(&stage, "POST", "", json!({ "appType": "web", "clientName": "other" }));
    let forged = Patch::Merge(json!({ "status": { "clientId": other["clientId"] } }));
    stage.clients().patch_status("app", &PatchParams::default(), &forged).await.unwrap();
    stage.client_pass("app").await.unwrap();
    refused(&stage, "Conflict", &["remove status.clientId"]).await;
    let effects = effects(&stage).into_iter().filter(|effect| effect != "oauth-client.created");
    assert_eq!(effects.count(), 0, "the client of somebody else was changed");
    let mended = Patch::Merge(json!({ "status": { "clientId": null } }));
    stage.clients().patch_status("app", &PatchParams::default(), &mended).await.unwrap();
    stage.client_pass("app").await.unwrap();
    let object = stage.until_client("app", "is ready again", Inside::is_ready).await.unwrap();
    assert_eq!(client_id(&object), id);
    assert_eq!(stage.read_secret("app").await.unwrap(), given);
}

#[tokio::test]
async fn an_orphaned_client_is_taken_back_by_the_next_object_of_its_name() {
    let (stage, _operator) = ready("repair", &format!("{MACHINE}\ndeletionPolicy: Orphan")).await;
    let (id, given) = (id(&stage).await, stage.read_secret("app").await.unwrap());
    stage.delete_child::<QlikOAuthClient>("app").await.unwrap();
    stage.until_child_gone::<QlikOAuthClient>("app").await.unwrap();
    assert_eq!(all_in_qlik(&stage).len(), 1);
    works(&stage, &given).await;
    // Kubernetes collects the Secret in its own time; until then the next object waits for the name.
    stage.apply(&client_manifest("app", "acme", MACHINE)).await.unwrap();
    let object = stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
    assert_eq!(client_id(&object), id);
    let again = stage.read_secret("app").await.unwrap();
    works(&stage, &again).await;
    assert_eq!(all_in_qlik(&stage).len(), 1);
    drop(apply(&stage, &MACHINE.replace("apps:read", "apps:update")).await);
}
