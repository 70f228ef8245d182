//! Secrets that have to go: exactly those, by uid, and gone before anybody says so.

use super::support::*;
use e2e::cluster::audit::{Entry, Filter, Position};
use e2e::cluster::proxy::{Before, Hooks, Proxy};
use e2e::stage::{Operator, Setup, Stage, manifest};
use http::Method;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use qlik_operator::crd::{OffboardedSecret, OffboardingPhase, QlikOffboarding, QlikTenant, SecretOutcome};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn secrets(stage: &Stage) -> Api<Secret> {
    Api::namespaced(stage.admin(), stage.ns())
}

async fn uid(stage: &Stage, name: &str) -> String {
    secrets(stage).get(name).await.unwrap().metadata.uid.unwrap()
}

async fn record(stage: &Stage) -> QlikOffboarding {
    stage.records().list(&ListParams::default()).await.unwrap().items.pop().unwrap()
}

async fn erased(stage: &Stage) -> Vec<OffboardedSecret> {
    record(stage).await.status.unwrap().secrets
}

/// What the record says of a Secret: uid, rule, whether its absence was confirmed.
fn entry<'a>(list: &'a [OffboardedSecret], name: &str) -> (&'a str, &'a str, bool) {
    let found: Vec<_> = list.iter().filter(|e| e.name == name).collect();
    let [one] = found.as_slice() else { panic!("{name} is not there once: {list:#?}") };
    (&one.uid, &one.rule, one.outcome == SecretOutcome::Erased)
}

/// A manifest with a license Secret of its own.
fn with_own_license(name: &str, spec: &str) -> String {
    manifest(name, spec).replace("name: qlik-license", &format!("name: {name}-license"))
}

/// acme and globex share their credentials; acme has a license Secret of its own, and two further ones to erase, of
/// which one does not exist.
async fn two_customers(prefix: &str) -> (Stage, Operator) {
    let (stage, operator) = stage(prefix).await;
    let key = stage.sim.ready().license_key.clone();
    stage.secret("acme-license", &[("licenseKey", &key)]).await.unwrap();
    stage.secret("extra", &[("a", "b")]).await.unwrap();
    stage.secret("unrelated", &[("a", "b")]).await.unwrap();
    stage.apply(&with_own_license("acme", "alias: acme")).await.unwrap();
    stage.until("acme", "is ready", is_ready).await.unwrap();
    onboard(&stage, "globex", "alias: globex").await;
    (stage, operator)
}

const ERASE: &str = ", eraseSecrets: {referenced: true, names: [extra, never-there]}";

/// What has to be so once acme's Secrets are erased, and in which order it came about.
async fn erased_in_order(stage: &Stage, since: Position, uids: [String; 2]) {
    for (name, there) in [
        ("acme-license", false),
        ("extra", false),
        ("qlik-credentials", true),
        ("unrelated", true),
        ("qlik-license", true),
    ] {
        assert_eq!(stage.has_secret(name).await.unwrap(), there, "{name}");
    }
    let list = erased(stage).await;
    assert_eq!(entry(&list, "acme-license"), (uids[0].as_str(), "referenced", true));
    assert_eq!(entry(&list, "extra"), (uids[1].as_str(), "names", true));
    assert_eq!(entry(&list, "never-there"), ("", "names: was not there", true));
    let kept = entry(&list, "qlik-credentials");
    assert_eq!((kept.1, kept.2), ("used by QlikTenant globex", false));
    assert_eq!(list.len(), 4, "{list:#?}");
    let said = event(stage, "acme", "SecretKept").await;
    assert!(said.contains("qlik-credentials (used by QlikTenant globex)"), "{said}");
    event(stage, "acme", "SecretsErased").await;

    let log = stage.cluster.audit().unwrap();
    let entries = log.entries(since, &Filter::new().user(stage.identity.user()).namespace(stage.ns())).await.unwrap();
    let planned = at(&entries, 0, "the plan", is_record_write);
    for name in ["acme-license", "extra"] {
        let about = |e: &Entry| e.resource == "secrets" && e.name == name;
        let deleted = at(&entries, planned, name, |e| about(e) && e.verb == "delete" && e.code == 200);
        assert!(
            entries[..deleted].iter().filter(|e| about(e)).all(|e| e.verb == "get"),
            "deleted once, after the plan"
        );
        let absent = at(&entries, deleted, name, |e| about(e) && e.verb == "get" && e.code == 404);
        at(&entries, absent, "the confirmation", is_record_write);
    }
    assert!(!entries.iter().any(|e| e.resource == "secrets" && e.verb != "get" && e.verb != "delete"), "{entries:#?}");
    assert!(!entries.iter().any(|e| e.resource == "secrets" && e.name.is_empty()), "Secrets are never listed");
}

fn is_record_write(entry: &Entry) -> bool {
    entry.resource == "qlikoffboardings" && entry.subresource == "status" && entry.is_write()
}

/// The place of the first such entry after a place.
fn at(entries: &[Entry], after: usize, what: &str, wanted: impl Fn(&Entry) -> bool) -> usize {
    let found = entries.iter().enumerate().skip(after).find(|(_, entry)| wanted(entry));
    found.unwrap_or_else(|| panic!("no {what} after {after} in {entries:#?}")).0
}

#[tokio::test]
async fn at_the_purge_while_the_object_lives() {
    let (stage, _operator) = two_customers("erase-purge").await;
    stage.apply(&with_own_license("acme", &off("acme", ERASE))).await.unwrap();
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    let uids = [uid(&stage, "acme-license").await, uid(&stage, "extra").await];
    stage.turn(DAY * 29).unwrap();
    poke(&stage, "acme").await;
    assert!(stage.has_secret("extra").await.unwrap() && erased(&stage).await.is_empty(), "not before the purge");
    let since = stage.cluster.audit().unwrap().position().await.unwrap();
    stage.turn(DAY * 2).unwrap();
    stage.confirm_purge().await.unwrap();
    stage.until("acme", "is purged", |t| is_ready(t) && phase(t) == "Purged").await.unwrap();
    erased_in_order(&stage, since, uids).await;
    // It ended there: a Secret that somebody makes later under an erased name is nobody's business.
    stage.secret("extra", &[("c", "d")]).await.unwrap();
    stage.turn(DAY).unwrap();
    poke(&stage, "acme").await;
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert!(stage.has_secret("extra").await.unwrap());
    assert!(is_ready(&poke(&stage, "globex").await), "globex still works with what was kept");
}

#[tokio::test]
async fn at_release_when_the_object_is_deleted() {
    let (stage, _operator) = two_customers("erase-release").await;
    stage.apply(&with_own_license("acme", &deletable("acme", ERASE))).await.unwrap();
    stage.until("acme", "is ready", is_ready).await.unwrap();
    let uids = [uid(&stage, "acme-license").await, uid(&stage, "extra").await];
    let log = stage.cluster.audit().unwrap();
    let since = log.position().await.unwrap();
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    erased_in_order(&stage, since, uids).await;
    let entries = log.entries(since, &Filter::new().user(stage.identity.user()).namespace(stage.ns())).await.unwrap();
    let last_write = entries.iter().rposition(is_record_write).unwrap();
    let released = |e: &Entry| e.resource == "qliktenants" && e.subresource.is_empty() && e.verb == "patch";
    at(&entries, last_write, "the release", released);
    assert_eq!(deactivations(&stage), 1);
}

#[tokio::test]
async fn at_the_purge_of_a_deleted_object_that_is_held_so_long() {
    let (stage, _operator) = two_customers("erase-held").await;
    stage.apply(&with_own_license("acme", &deletable("acme", &format!(", release: Purged{ERASE}")))).await.unwrap();
    stage.until("acme", "is ready", is_ready).await.unwrap();
    let uids = [uid(&stage, "acme-license").await, uid(&stage, "extra").await];
    stage.delete("acme").await.unwrap();
    stage.until("acme", "waits for its purge", |t| reason(t) == "PurgePending").await.unwrap();
    poke(&stage, "acme").await;
    assert!(stage.has_secret("extra").await.unwrap() && erased(&stage).await.is_empty(), "not before the purge");
    let since = stage.cluster.audit().unwrap().position().await.unwrap();
    stage.turn(DAY * 31).unwrap();
    stage.confirm_purge().await.unwrap();
    stage.until_gone("acme").await.unwrap();
    erased_in_order(&stage, since, uids).await;
}

#[tokio::test]
async fn nothing_is_erased_without_being_asked_or_while_retained() {
    let (stage, _operator) = two_customers("erase-none").await;
    stage.apply(&with_own_license("acme", &off("acme", ""))).await.unwrap();
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    let retained = format!("alias: globex\noffboarding: {{confirmHostname: globex.us.qlikcloud.com{ERASE}}}");
    onboard(&stage, "globex", &retained).await;
    stage.delete("globex").await.unwrap();
    stage.until_gone("globex").await.unwrap();
    stage.turn(DAY * 31).unwrap();
    stage.confirm_purge().await.unwrap();
    stage.until("acme", "is purged", |t| is_ready(t) && phase(t) == "Purged").await.unwrap();
    for name in ["acme-license", "extra", "qlik-credentials", "qlik-license", "unrelated"] {
        assert!(stage.has_secret(name).await.unwrap(), "{name}");
    }
    assert!(erased(&stage).await.is_empty());
}

async fn set_finalizers(stage: &Stage, name: &str, finalizers: &[&str]) {
    let change = Patch::Merge(json!({ "metadata": { "finalizers": finalizers } }));
    secrets(stage).patch(name, &PatchParams::default(), &change).await.unwrap();
}

fn pending(tenant: &QlikTenant) -> bool {
    reason(tenant) == "ErasePending"
}

#[tokio::test]
async fn a_secret_with_somebody_elses_finalizer_holds_the_end() {
    let (stage, _operator) = stage("erase-final").await;
    stage.secret("extra", &[("a", "b")]).await.unwrap();
    onboard(&stage, "acme", &deletable("acme", ", eraseSecrets: {names: [extra]}")).await;
    set_finalizers(&stage, "extra", &["example.com/keep"]).await;
    stage.delete("acme").await.unwrap();
    let acme = stage.until("acme", "waits for the Secret", pending).await.unwrap();
    assert!(message(&acme).contains("look at their finalizers"), "{}", message(&acme));
    poke(&stage, "acme").await;
    assert!(!entry(&erased(&stage).await, "extra").2, "not gone, so not said to be");
    set_finalizers(&stage, "extra", &[]).await;
    annotate(&stage, "acme", "requested-at", Some("the Secret is free")).await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert!(entry(&erased(&stage).await, "extra").2);
    assert!(!stage.has_secret("extra").await.unwrap());
}

#[tokio::test]
async fn a_secret_made_again_under_a_name_that_the_manifest_gave_up_stays() {
    let (stage, _operator) = stage("erase-again").await;
    stage.secret("extra", &[("a", "b")]).await.unwrap();
    onboard(&stage, "acme", &deletable("acme", ", eraseSecrets: {names: [extra]}")).await;
    set_finalizers(&stage, "extra", &["example.com/keep"]).await;
    stage.delete("acme").await.unwrap();
    stage.until("acme", "waits for the Secret", pending).await.unwrap();
    stage.patch("acme", json!({ "spec": { "suspend": true } })).await.unwrap();
    stage.until("acme", "is suspended", |t| reason(t) == "Suspended").await.unwrap();
    set_finalizers(&stage, "extra", &[]).await;
    stage.secret("extra", &[("of", "somebody else")]).await.unwrap();
    let change = json!({ "spec": { "suspend": false, "offboarding": { "eraseSecrets": null } } });
    stage.patch("acme", change).await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert!(stage.has_secret("extra").await.unwrap(), "it is another Secret");
    assert!(entry(&erased(&stage).await, "extra").2, "the one on record is gone");
}

/// Deletes a Secret and makes another of its name.
fn replace_now(kubeconfig: std::path::PathBuf, namespace: String) {
    at_once(kubeconfig, async move |client| {
        let api: Api<Secret> = Api::namespaced(client, &namespace);
        api.delete("extra", &DeleteParams::default()).await.unwrap();
        let metadata = ObjectMeta { name: Some("extra".to_owned()), ..ObjectMeta::default() };
        api.create(&PostParams::default(), &Secret { metadata, ..Secret::default() }).await.unwrap();
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_replaced_just_before_its_deletion_is_not_deleted_blindly() {
    let stage = Stage::new(Setup::new("erase-uid")).await.unwrap();
    let armed = Arc::new(AtomicBool::new(true));
    let hooks = {
        let (armed, admin, ns) = (armed.clone(), stage.cluster.kubeconfig().to_path_buf(), stage.ns().to_owned());
        Hooks::default().before_request(move |call| {
            if call.method == Method::DELETE
                && call.path.ends_with("/secrets/extra")
                && armed.swap(false, Ordering::SeqCst)
            {
                replace_now(admin.clone(), ns.clone());
            }
            Before::Forward
        })
    };
    let proxy = Proxy::start(stage.cluster, &stage.identity, hooks).await.unwrap();
    let _operator = stage.operator_with(proxy.kubeconfig(), &[]).await.unwrap();
    stage.secret("extra", &[("a", "b")]).await.unwrap();
    let first = uid(&stage, "extra").await;
    onboard(&stage, "acme", &deletable("acme", ", eraseSecrets: {names: [extra]}")).await;
    let log = stage.cluster.audit().unwrap();
    let since = log.position().await.unwrap();
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    assert!(!stage.has_secret("extra").await.unwrap(), "the manifest names it, so the new one goes as well");
    let list = erased(&stage).await;
    assert!(list.iter().all(|e| e.name == "extra" && e.outcome == SecretOutcome::Erased), "{list:#?}");
    assert_eq!((list.len(), list[0].uid == first, list[0].uid == list[1].uid), (2, true, false), "each on record");
    let entries = log.entries(since, &Filter::new().user(stage.identity.user()).namespace(stage.ns())).await.unwrap();
    let delete = |code| move |e: &Entry| e.resource == "secrets" && e.verb == "delete" && e.code == code;
    let refused = at(&entries, 0, "refused deletion", delete(409));
    let planned = at(&entries, refused, "new plan", is_record_write);
    at(&entries, planned, "deletion", delete(200));
}

#[tokio::test]
async fn a_record_never_says_purged_before_it_is() {
    let (stage, _operator) = two_customers("erase-record").await;
    stage.apply(&with_own_license("acme", &off("acme", ERASE))).await.unwrap();
    stage.until("acme", "is deactivated", |t| is_ready(t) && phase(t) == "Deactivated").await.unwrap();
    stage.turn(DAY * 29 + HOUR * 23).unwrap();
    poke(&stage, "acme").await;
    let status = record(&stage).await.status.unwrap();
    assert_eq!((status.phase, status.secrets.is_empty()), (OffboardingPhase::Scheduled, true));
}
