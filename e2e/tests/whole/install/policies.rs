//! The admission policies that a cluster's administrator can switch on, as users in and outside of the groups meet them.

use e2e::chart::Release;
use e2e::cluster::{Cluster, Identity, Output};
use e2e::process::until;
use e2e::stage::{Error, manifest};
use serde_json::json;
use std::time::Duration;

const ARMED: &str = "offboarding: {onDelete: Deactivate, confirmHostname: acme.us.qlikcloud.com}";
const CONFIRMED: &str = "offboarding: {confirmHostname: acme.us.qlikcloud.com}";
const OFF: &str = "lifecycle: Deactivated\noffboarding: {confirmHostname: acme.us.qlikcloud.com}";
const OFF_ARMED: &str =
    "lifecycle: Deactivated\noffboarding: {onDelete: Deactivate, confirmHostname: acme.us.qlikcloud.com}";
/// What the control plane has and Helm does not take for granted.
pub(crate) const MUTATING: &str = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy";
/// Every right; the policies are what limits them.
const ALL: &str = "system:masters";

pub(crate) struct Scene {
    cluster: Cluster,
    namespace: String,
}

/// What tells that the policies are in force: the answer to the dry run of the creation of a tenant with this spec.
pub(crate) struct Sign {
    pub(crate) spec: &'static str,
    pub(crate) seen: fn(&Output) -> bool,
}

/// Somebody who tries things out in a namespace.
pub(crate) struct User<'a> {
    scene: &'a Scene,
    identity: Identity,
}

impl Scene {
    /// A control plane with these policies; they are in force when one of them has refused something.
    async fn new(policies: &str, refused: &'static str) -> Result<Self, Error> {
        Self::with(policies, &Sign { spec: refused, seen: |done| !done.success() }).await
    }

    /// A control plane with these policies, in force.
    pub(crate) async fn with(policies: &str, sign: &Sign) -> Result<Self, Error> {
        let cluster = Cluster::private().await?;
        cluster.apply_crds(&qlik_operator::cli::crds()).await?;
        let served = vec![MUTATING.to_owned()];
        let release = Release { served, ..Release::new(&format!("admissionPolicies: {policies}")) };
        let rendered = release.render().await?;
        let own: Vec<_> = rendered.into_iter().filter(|d| d.template.starts_with("admission-")).collect();
        let list =
            json!({ "apiVersion": "v1", "kind": "List", "items": own.iter().map(|d| &d.value).collect::<Vec<_>>() });
        let applied = cluster.kubectl(&["apply", "-f", "-"], &list.to_string()).await?;
        assert!(applied.success() && !applied.stderr.contains("Warning"), "{}", applied.stderr);
        let scene = Self { cluster, namespace: "customers".to_owned() };
        assert!(scene.cluster.kubectl(&["create", "namespace", &scene.namespace], "").await?.success());
        let probe = manifest("probe", sign.spec);
        until::<_, Error, _>(Duration::from_secs(60), "the policy is in force", async || {
            let args = ["create", "-n", "customers", "--dry-run=server", "-o", "yaml", "-f", "-"];
            Ok((sign.seen)(&scene.cluster.kubectl(&args, &probe).await?).then_some(()))
        })
        .await?;
        Ok(scene)
    }

    pub(crate) async fn user(&self, name: &str, groups: &[&str]) -> Result<User<'_>, Error> {
        let groups = [&[ALL], groups].concat();
        Ok(User { scene: self, identity: self.cluster.identity(name, &groups).await? })
    }

    /// How the spec and annotations of a tenant count.
    async fn generation(&self, name: &str) -> Result<String, Error> {
        let args = ["-n", &self.namespace, "get", "qt", name, "-o", "jsonpath={.metadata.generation}"];
        Ok(self.cluster.kubectl(&args, "").await?.stdout)
    }
}

impl User<'_> {
    pub(crate) async fn run(&self, args: &[&str], stdin: &str) -> Output {
        let args = [&["-n", &self.scene.namespace], args].concat();
        self.scene.cluster.kubectl_as(&self.identity, &args, stdin).await.unwrap()
    }

    pub(crate) async fn create(&self, name: &str, spec: &str) -> Output {
        self.run(&["create", "-f", "-"], &manifest(name, spec)).await
    }

    pub(crate) async fn patch(&self, name: &str, patch: serde_json::Value) -> Output {
        self.run(&["patch", "qt", name, "--type=merge", "-p", &patch.to_string()], "").await
    }

    async fn lifecycle(&self, name: &str, lifecycle: &str) -> Output {
        let offboarding = json!({ "confirmHostname": "acme.us.qlikcloud.com" });
        self.patch(name, json!({ "spec": { "lifecycle": lifecycle, "offboarding": offboarding } })).await
    }

    /// Nothing but the lifecycle.
    async fn only_lifecycle(&self, name: &str, lifecycle: &str) -> Output {
        self.patch(name, json!({ "spec": { "lifecycle": lifecycle } })).await
    }

    async fn on_delete(&self, name: &str, on_delete: &str) -> Output {
        let offboarding = json!({ "onDelete": on_delete, "confirmHostname": "acme.us.qlikcloud.com" });
        self.patch(name, json!({ "spec": { "offboarding": offboarding } })).await
    }

    async fn approve(&self, name: &str, (by, generation): (&str, &str)) -> Output {
        let by = format!("qlik-operator.dev/approved-by={by}");
        let generation = format!("qlik-operator.dev/approved-generation={generation}");
        self.run(&["annotate", "--overwrite", "qt", name, &by, &generation], "").await
    }

    async fn delete(&self, name: &str) -> Output {
        self.run(&["delete", "qt", name], "").await
    }
}

#[track_caller]
pub(crate) fn allowed(done: &Output) {
    assert!(done.success(), "{}", done.stderr);
}

#[track_caller]
fn refused(done: &Output, told: &str) {
    // Never "Invalid", upon which `kubectl apply --force` and the force of Flux delete the object and create it again.
    let right = !done.success() && done.stderr.contains(told) && done.stderr.contains("(Forbidden)");
    assert!(right, "wanted: {told}\nsaid: {}{}", done.stdout, done.stderr);
}

#[tokio::test]
async fn only_named_groups_deactivate() {
    const MEMBERS: &str = "Only members of off-boarders, managers may";
    let scene = Scene::new("{deactivation: {enabled: true, groups: [off-boarders, managers]}}", OFF).await.unwrap();
    let edith = scene.user("edith", &["editors"]).await.unwrap();
    let olga = scene.user("olga", &["off-boarders"]).await.unwrap();

    allowed(&edith.create("acme", "").await);
    refused(&edith.create("new", OFF).await, MEMBERS);
    refused(&edith.create("new", ARMED).await, MEMBERS);
    refused(&edith.lifecycle("acme", "Deactivated").await, "this deactivates the tenant");
    refused(&edith.on_delete("acme", "Deactivate").await, MEMBERS);
    allowed(&olga.lifecycle("acme", "Deactivated").await);
    allowed(&edith.patch("acme", json!({ "spec": { "displayName": "Acme" } })).await);
    // Bringing it back is open to all.
    allowed(&edith.lifecycle("acme", "Active").await);

    allowed(&olga.on_delete("acme", "Deactivate").await);
    refused(&edith.delete("acme").await, MEMBERS);
    refused(&edith.run(&["delete", "qt", "--all"], "").await, MEMBERS);
    allowed(&edith.on_delete("acme", "Retain").await);
    allowed(&edith.delete("acme").await);
    allowed(&olga.create("acme", OFF_ARMED).await);
    // It is off already: the deletion deactivates nothing.
    allowed(&edith.delete("acme").await);
    allowed(&olga.create("acme", ARMED).await);
    allowed(&olga.delete("acme").await);

    // Nobody may arm a deletion that is under way.
    allowed(&edith.create("held", "").await);
    let hold = json!({ "metadata": { "finalizers": ["example.com/hold"] } });
    allowed(&edith.patch("held", hold).await);
    allowed(&edith.run(&["delete", "qt", "held", "--wait=false"], "").await);
    refused(&edith.on_delete("held", "Deactivate").await, MEMBERS);
    allowed(&edith.patch("held", json!({ "metadata": { "finalizers": null } })).await);

    // The end of the namespace is not held up: nothing is deactivated by it.
    allowed(&olga.create("acme", ARMED).await);
    allowed(&edith.run(&["delete", "namespace", &scene.namespace, "--timeout=60s"], "").await);
}

#[tokio::test]
async fn four_eyes_see_a_deactivation() {
    const FIRST: &str = "Somebody else has to approve it first: kubectl annotate qliktenant acme --namespace customers";
    let scene = Scene::new("{fourEyes: {enabled: true}}", OFF).await.unwrap();
    let alice = scene.user("alice", &[]).await.unwrap();
    let bob = scene.user("bob", &[]).await.unwrap();
    let generation = async || scene.generation("acme").await.unwrap();

    refused(&alice.create("acme", OFF).await, "Create it as Active first");
    allowed(&alice.create("acme", CONFIRMED).await);
    refused(&alice.only_lifecycle("acme", "Deactivated").await, FIRST);
    refused(&alice.approve("acme", ("bob", &generation().await)).await, "only bob may write that name; you are alice");
    refused(&bob.approve("acme", ("bob", "7")).await, "must be 1, and the spec must stay as it is");
    let at_once = json!({
        "metadata": { "annotations": {
            "qlik-operator.dev/approved-by": "bob", "qlik-operator.dev/approved-generation": "2"
        } },
        "spec": { "displayName": "Acme" },
    });
    refused(&bob.patch("acme", at_once).await, "an approval is an update of its own");

    allowed(&bob.approve("acme", ("bob", &generation().await)).await);
    refused(&bob.only_lifecycle("acme", "Deactivated").await, "You approved it yourself: somebody else has to");
    allowed(&alice.patch("acme", json!({ "spec": { "displayName": "Acme" } })).await);
    // What was approved was another manifest.
    refused(&alice.only_lifecycle("acme", "Deactivated").await, FIRST);
    allowed(&bob.approve("acme", ("bob", &generation().await)).await);
    let shorter = json!({ "lifecycle": "Deactivated", "offboarding": { "purgeAfterDays": 10 } });
    refused(&alice.patch("acme", json!({ "spec": shorter })).await, "what was approved is the manifest as it stood");
    allowed(&alice.only_lifecycle("acme", "Deactivated").await);
    // Taking it back needs nobody, doing it again does.
    allowed(&alice.only_lifecycle("acme", "Active").await);
    refused(&alice.only_lifecycle("acme", "Deactivated").await, FIRST);

    allowed(&alice.on_delete("acme", "Deactivate").await);
    refused(&alice.delete("acme").await, FIRST);
    allowed(&bob.approve("acme", ("bob", &generation().await)).await);
    // An approval can be taken back, by anybody.
    let none = json!({ "metadata": { "annotations": { "qlik-operator.dev/approved-by": null } } });
    allowed(&alice.patch("acme", none).await);
    refused(&alice.delete("acme").await, FIRST);
    allowed(&bob.approve("acme", ("bob", &generation().await)).await);
    allowed(&alice.delete("acme").await);
}
