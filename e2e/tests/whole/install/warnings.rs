//! What kubectl tells before and while something happens to a tenant; nothing is refused by it.

use super::policies::{Scene, Sign, User, allowed};
use e2e::cluster::Output;
use e2e::stage::manifest;
use serde_json::{Value, json};

const OFF: &str = "lifecycle: Deactivated\noffboarding: {confirmHostname: acme.us.qlikcloud.com}";
const DEACTIVATES: &str = "this deactivates tenant acme.us.qlikcloud.com: Qlik deletes it for ever";
const LIVES_ON: &str = "tenant acme.us.qlikcloud.com goes on living in Qlik Cloud, and costing";
const REPLACED: &str = "not a change of it. With onDelete: Deactivate the deletion deactivates the tenant";
const NOT_OURS: &str = "is not one of the hostnames of this tenant (xyz.us.qlikcloud.com, acme.us.qlikcloud.com)";

async fn scene(policies: &str) -> Scene {
    Scene::with(policies, &Sign { spec: OFF, seen: |done| done.stderr.contains("this deactivates") }).await.unwrap()
}

/// The warnings of the policy; that nothing was refused is part of it.
#[track_caller]
fn warnings(done: &Output) -> Vec<&str> {
    allowed(done);
    done.stderr.lines().filter(|line| line.contains("qlik-operator-warnings")).collect()
}

/// These and no others, in the order of the policy.
#[track_caller]
fn warned(done: &Output, told: &[&str]) {
    let all = warnings(done);
    let right = all.len() == told.len() && all.iter().zip(told).all(|(line, told)| line.contains(told));
    assert!(right, "wanted: {told:?}\nsaid: {all:#?}");
}

/// A tenant as the operator has made it known.
async fn in_use(user: &User<'_>, name: &str, phase: &str) {
    let status = json!({ "status": {
        "tenantId": "t-1", "phase": phase, "hostname": "acme.us.qlikcloud.com",
        "hostnames": ["xyz.us.qlikcloud.com", "acme.us.qlikcloud.com"],
    } });
    allowed(
        &user.run(&["patch", "qt", name, "--subresource=status", "--type=merge", "-p", &status.to_string()], "").await,
    );
}

async fn spec(user: &User<'_>, spec: Value) -> Output {
    user.patch("acme", json!({ "spec": spec })).await
}

async fn dry_delete(user: &User<'_>, more: &[&str]) -> Output {
    user.run(&[&["delete", "qt", "acme", "--dry-run=server"], more].concat(), "").await
}

#[tokio::test]
async fn a_change_says_what_it_does() {
    let scene = scene("{}").await;
    let anna = scene.user("anna", &[]).await.unwrap();

    warned(&anna.create("acme", "").await, &[]);
    in_use(&anna, "acme", "Ready").await;
    warned(&spec(&anna, json!({ "displayName": "Acme" })).await, &[]);
    // Qlik's hostnames are the same in capitals.
    let off = json!({ "lifecycle": "Deactivated",
        "offboarding": { "confirmHostname": "ACME.us.qlikcloud.com", "purgeAfterDays": 20 } });
    let done = spec(&anna, off).await;
    warned(&done, &[DEACTIVATES]);
    assert!(done.stderr.contains("20 days later. Until then lifecycle: Active takes it back"), "{}", done.stderr);
    warned(&spec(&anna, json!({ "displayName": "Acme Ltd" })).await, &[]);
    warned(&spec(&anna, json!({ "lifecycle": "Active" })).await, &[]);

    // With another's hostname nothing happens, until somebody corrects it.
    let wrong = json!({ "lifecycle": "Deactivated", "offboarding": { "confirmHostname": "other.us.qlikcloud.com" } });
    warned(&spec(&anna, wrong).await, &[NOT_OURS]);
    warned(&anna.run(&["annotate", "qt", "acme", "example.com/note=a"], "").await, &[]);
    let right = json!({ "offboarding": { "confirmHostname": "acme.us.qlikcloud.com" } });
    warned(&spec(&anna, right).await, &[DEACTIVATES]);
    in_use(&anna, "acme", "Purged").await;
    warned(&spec(&anna, json!({ "lifecycle": "Active" })).await, &[]);
    warned(&spec(&anna, json!({ "lifecycle": "Deactivated" })).await, &[]);
    warned(&spec(&anna, json!({ "lifecycle": "Active" })).await, &[]);

    in_use(&anna, "acme", "Ready").await;
    let links = "with another alias acme.us.qlikcloud.com is no hostname of this tenant any more: links with it break";
    warned(&spec(&anna, json!({ "alias": "acme" })).await, &[]);
    warned(&spec(&anna, json!({ "alias": "acme-group" })).await, &[links]);
    let license = json!({ "license": { "keyRef": { "name": "another" } } });
    warned(&spec(&anna, license).await, &["spec.license is only read while a tenant is created"]);
    // A tenant that is not there yet still takes both.
    warned(&anna.create("new", "alias: first").await, &[]);
    let all = json!({ "spec": { "alias": "second", "license": { "keyRef": { "name": "another" } } } });
    warned(&anna.patch("new", all).await, &[]);
}

#[tokio::test]
async fn a_deletion_says_what_becomes_of_the_tenant() {
    let scene = scene("{}").await;
    let anna = scene.user("anna", &[]).await.unwrap();
    let plain = manifest("acme", "");

    allowed(&anna.create("acme", "").await);
    warned(&dry_delete(&anna, &[]).await, &[]);
    in_use(&anna, "acme", "Ready").await;
    warned(&dry_delete(&anna, &[]).await, &[LIVES_ON]);
    warned(&dry_delete(&anna, &["--force", "--grace-period=0"]).await, &[REPLACED, LIVES_ON]);
    warned(&dry_delete(&anna, &["--now"]).await, &[REPLACED, LIVES_ON]);
    in_use(&anna, "acme", "Deactivated").await;
    warned(&dry_delete(&anna, &[]).await, &[]);

    // Deleted and created, by kubectl's two ways: the deletion looks like any other, a creation by `replace` does not.
    in_use(&anna, "acme", "Ready").await;
    warned(&anna.run(&["replace", "--force", "-f", "-"], &plain).await, &[LIVES_ON, REPLACED]);
    in_use(&anna, "acme", "Ready").await;
    let elsewhere = plain.replace("region: us", "region: de");
    let done = anna.run(&["apply", "--force", "-f", "-"], &elsewhere).await;
    warned(&done, &[LIVES_ON]);
    assert!(done.stderr.contains("kubectl apply --force do this as well"), "{}", done.stderr);
    // Not every replacement is one by force.
    in_use(&anna, "acme", "Ready").await;
    warned(&anna.run(&["replace", "-f", "-"], &elsewhere).await, &[]);

    let armed = json!({ "offboarding": { "onDelete": "Deactivate", "confirmHostname": "acme.us.qlikcloud.com" } });
    warned(&spec(&anna, armed.clone()).await, &[]);
    let done = dry_delete(&anna, &[]).await;
    warned(&done, &[DEACTIVATES]);
    let back =
        "30 days later. Until then a new object with spec.adopt {tenantId: t-1, hostname: acme.us.qlikcloud.com}";
    assert!(done.stderr.contains(back), "{}", done.stderr);
    let wrong = json!({ "offboarding": { "confirmHostname": "other.us.qlikcloud.com" } });
    warned(&spec(&anna, wrong.clone()).await, &[NOT_OURS]);
    warned(&dry_delete(&anna, &[]).await, &[NOT_OURS]);
    // Declared off and still in use, since the hostname was wrong: the deletion goes on with it.
    let off = json!({ "lifecycle": "Deactivated" });
    warned(&spec(&anna, off).await, &[NOT_OURS]);
    let right = json!({ "offboarding": { "confirmHostname": "acme.us.qlikcloud.com" } });
    warned(&spec(&anna, right).await, &[DEACTIVATES]);
    warned(&dry_delete(&anna, &[]).await, &[DEACTIVATES]);
    in_use(&anna, "acme", "Deactivated").await;
    warned(&dry_delete(&anna, &[]).await, &[]);
    in_use(&anna, "acme", "Ready").await;
    warned(&spec(&anna, json!({ "lifecycle": "Active" })).await, &[]);
    warned(&spec(&anna, wrong).await, &[NOT_OURS]);

    // A change of mind while the deletion is under way.
    warned(&spec(&anna, json!({ "offboarding": { "onDelete": "Retain" } })).await, &[NOT_OURS]);
    allowed(&anna.patch("acme", json!({ "metadata": { "finalizers": ["example.com/hold"] } })).await);
    warned(&anna.run(&["delete", "qt", "acme", "--wait=false"], "").await, &[LIVES_ON]);
    warned(&spec(&anna, armed).await, &[DEACTIVATES]);
    allowed(&anna.patch("acme", json!({ "metadata": { "finalizers": null } })).await);

    // The end of a namespace does nothing to its tenants.
    allowed(&anna.create("acme", "").await);
    in_use(&anna, "acme", "Ready").await;
    let controller = scene.user("system:serviceaccount:kube-system:namespace-controller", &[]).await.unwrap();
    warned(&dry_delete(&controller, &["--force", "--grace-period=0"]).await, &[]);
}
