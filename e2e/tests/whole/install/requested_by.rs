//! Who asked for a deactivation, as the API server knows them, in an annotation that nobody can write.

use super::policies::{Scene, Sign, User, allowed};
use e2e::stage::manifest;
use serde_json::{Value, json};

const OFF: &str = "lifecycle: Deactivated\noffboarding: {confirmHostname: acme.us.qlikcloud.com}";
const STAMP: &str = "qlik-operator.dev/requested-by";
const RESTART: &str = "qlik-operator.dev/restart-purge-window";

async fn scene() -> Scene {
    let sign = Sign { spec: OFF, seen: |done| done.stdout.contains(STAMP) };
    Scene::with("{warnings: {enabled: false}, requestedBy: {enabled: true}}", &sign).await.unwrap()
}

/// The name in the annotation; empty where there is none.
async fn named(user: &User<'_>) -> String {
    let path = "jsonpath={.metadata.annotations.qlik-operator\\.dev/requested-by}";
    user.run(&["get", "qt", "acme", "-o", path], "").await.stdout
}

fn annotations(patch: &Value) -> Value {
    json!({ "metadata": { "annotations": patch } })
}

/// `acme` with annotations and more of a spec.
fn annotated(annotations: &Value, spec: &str) -> String {
    manifest("acme", spec).replacen("  name: acme\n", &format!("  name: acme\n  annotations: {annotations}\n"), 1)
}

#[tokio::test]
async fn whoever_asks_is_named_and_nobody_else_can_be() {
    let scene = scene().await;
    let alice = scene.user("alice", &[]).await.unwrap();
    let bob = scene.user("bob", &[]).await.unwrap();
    let robot = scene.user("system:serviceaccount:argocd:controller", &[]).await.unwrap();

    let claimed = json!({ (STAMP): "bob" });
    allowed(&alice.run(&["create", "-f", "-"], &annotated(&claimed, "")).await);
    assert_eq!(named(&alice).await, "");
    allowed(&alice.patch("acme", annotations(&claimed)).await);
    assert_eq!(named(&alice).await, "");

    let off = json!({ "lifecycle": "Deactivated", "offboarding": { "confirmHostname": "acme.us.qlikcloud.com" } });
    // In one update with the claim to be somebody else.
    let mut patch = annotations(&claimed);
    patch["spec"] = off.clone();
    allowed(&alice.patch("acme", patch).await);
    assert_eq!(named(&alice).await, "alice");
    for user in [&bob, &robot] {
        allowed(&user.patch("acme", annotations(&claimed)).await);
        allowed(&user.patch("acme", annotations(&json!({ (STAMP): null }))).await);
        allowed(&user.patch("acme", annotations(&Value::Null)).await);
        allowed(&user.run(&["replace", "-f", "-"], &manifest("acme", OFF)).await);
        let forced = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        allowed(&user.run(&forced, &annotated(&claimed, OFF)).await);
        allowed(&user.run(&forced, &manifest("acme", OFF)).await);
        assert_eq!(named(user).await, "alice");
    }

    // Another window is another request, the same one is not.
    let window = |date: &str| annotations(&json!({ (RESTART): date }));
    allowed(&bob.patch("acme", window("2027-01-01T00:00:00Z")).await);
    assert_eq!(named(&bob).await, "bob");
    allowed(&alice.patch("acme", window("2027-01-01T00:00:00Z")).await);
    allowed(&alice.patch("acme", json!({ "spec": { "displayName": "Acme" } })).await);
    assert_eq!(named(&bob).await, "bob");
    allowed(&robot.patch("acme", window("2027-02-01T00:00:00Z")).await);
    assert_eq!(named(&bob).await, "system:serviceaccount:argocd:controller");
    allowed(&alice.patch("acme", annotations(&json!({ (RESTART): null }))).await);
    assert_eq!(named(&bob).await, "system:serviceaccount:argocd:controller");

    // Taking it back names nobody; a deletion is asked for by whoever lets it deactivate the tenant.
    allowed(&alice.patch("acme", json!({ "spec": { "lifecycle": "Active" } })).await);
    assert_eq!(named(&bob).await, "system:serviceaccount:argocd:controller");
    allowed(&bob.patch("acme", json!({ "spec": { "offboarding": { "onDelete": "Deactivate" } } })).await);
    assert_eq!(named(&bob).await, "bob");
    allowed(&alice.patch("acme", json!({ "spec": off })).await);
    assert_eq!(named(&bob).await, "alice");

    // A new object that asks for it, and one that has no annotations at all.
    allowed(&alice.run(&["delete", "qt", "acme"], "").await);
    allowed(&bob.run(&["create", "-f", "-"], &annotated(&json!({ "example.com/note": "a" }), OFF)).await);
    assert_eq!(named(&bob).await, "bob");
    allowed(&alice.run(&["delete", "qt", "acme"], "").await);
    allowed(&bob.create("acme", OFF).await);
    assert_eq!(named(&bob).await, "bob");
}
