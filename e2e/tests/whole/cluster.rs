//! The local control plane itself: is it real, is it exact, does it leave nothing behind?
#![expect(clippy::expect_used, reason = "a test fails by panicking, in its helper functions too")]
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::cluster::audit::{Filter, Position};
use e2e::cluster::{Cluster, Error, directory};
use e2e::process::{Exit, Launch, until};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ListParams, ObjectMeta, PostParams};

mod proxy;

const SOON: Duration = Duration::from_secs(30);
const ADMINS: &str = "system:masters";

fn config_map(name: &str) -> ConfigMap {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    ConfigMap { metadata, ..ConfigMap::default() }
}

fn is_status(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

#[test]
fn everybody_in_a_process_gets_the_same_cluster_whatever_their_runtime() {
    let addresses: Vec<(usize, u32)> = std::thread::scope(|scope| {
        let ask = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            runtime.block_on(async {
                let cluster = Cluster::shared().await.expect("cluster");
                cluster.admin().expect("client").apiserver_version().await.expect("version");
                (std::ptr::from_ref(cluster).addr(), cluster.keeper_pid())
            })
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("thread")).collect()
    });
    assert!(addresses.iter().all(|address| *address == addresses[0]), "{addresses:?}");
}

#[tokio::test]
async fn kubectl_works_and_a_namespace_goes_away_with_what_is_in_it() {
    let cluster = Cluster::shared().await.expect("cluster");
    let namespace = cluster.namespace("kubectl").await.expect("namespace");
    let name = namespace.name().to_owned();
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {key: value}\n";
    let applied = cluster.kubectl(&["apply", "-n", &name, "-f", "-"], manifest).await.expect("kubectl");
    assert_eq!((applied.code, applied.stdout.as_str()), (Some(0), "configmap/one created\n"), "{applied:?}");
    let read = cluster.kubectl(&["get", "cm", "one", "-n", &name, "-o", "jsonpath={.data.key}"], "").await;
    assert_eq!(read.expect("kubectl").stdout, "value");
    let missing = cluster.kubectl(&["get", "cm", "two", "-n", &name], "").await.expect("kubectl");
    assert!(!missing.success() && missing.stderr.contains("NotFound"), "{missing:?}");
    namespace.delete().await.expect("delete");
    let gone = cluster.kubectl(&["get", "ns", &name], "").await.expect("kubectl");
    assert!(gone.stderr.contains("NotFound"), "{gone:?}");
}

#[tokio::test]
async fn a_dropped_namespace_is_on_its_way_out() {
    let cluster = Cluster::shared().await.expect("cluster");
    let namespace = cluster.namespace("dropped").await.expect("namespace");
    let name = namespace.name().to_owned();
    drop(namespace);
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(cluster.admin().expect("client"));
    let found = namespaces.get_opt(&name).await.expect("read");
    assert!(found.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some()));
}

#[tokio::test]
async fn an_identity_may_do_what_its_groups_are_granted_and_nothing_else() {
    let cluster = Cluster::shared().await.expect("cluster");
    let namespace = cluster.namespace("rbac").await.expect("namespace");
    let name = namespace.name();
    let identity = cluster.identity("alice", &["readers", name]).await.expect("identity");
    let whoami = cluster.kubectl_as(&identity, &["auth", "whoami", "-o", "jsonpath={.status.userInfo}"], "").await;
    let whoami = whoami.expect("kubectl").stdout;
    assert!(whoami.contains("alice") && whoami.contains("readers") && whoami.contains(name), "{whoami}");

    let maps: Api<ConfigMap> = Api::namespaced(identity.client().expect("client"), name);
    let refused = maps.list(&ListParams::default()).await.expect_err("no rights yet");
    assert!(is_status(&refused, 403), "{refused}");
    for grant in [
        ["create", "role", "read", "--verb=list", "--resource=configmaps", "-n", name].as_slice(),
        ["create", "rolebinding", "read", "--role=read", "--group", name, "-n", name].as_slice(),
    ] {
        let granted = cluster.kubectl(grant, "").await.expect("kubectl");
        assert!(granted.success(), "{granted:?}");
    }
    until(SOON, "the grant is seen", async || Ok::<_, io::Error>(maps.list(&ListParams::default()).await.ok()))
        .await
        .expect("granted");
    let secrets: Api<Secret> = Api::namespaced(identity.client().expect("client"), name);
    let refused = secrets.list(&ListParams::default()).await.expect_err("not granted");
    assert!(is_status(&refused, 403), "{refused}");
}

#[tokio::test]
async fn an_identity_with_more_groups_than_a_certificate_holds_is_refused() {
    let cluster = Cluster::shared().await.expect("cluster");
    let refused = cluster.identity("alice", &["a", "b", "c"]).await;
    assert!(matches!(refused, Err(Error::Unsupported(_))));
}

#[tokio::test]
async fn the_audit_log_has_each_request_exactly_once() {
    let cluster = Cluster::shared().await.expect("cluster");
    let namespace = cluster.namespace("audit").await.expect("namespace");
    let identity = cluster.identity(&format!("auditee-{}", namespace.name()), &[ADMINS]).await.expect("identity");
    let maps: Api<ConfigMap> = Api::namespaced(identity.client().expect("client"), namespace.name());
    let audit = cluster.audit().expect("audit log");
    let by_identity = Filter::new().user(identity.user());
    let params = PostParams::default();
    maps.create(&params, &config_map("before")).await.expect("create");
    let since = audit.position().await.expect("position");
    assert_eq!(audit.entries(since, &by_identity).await.expect("entries"), []);

    let creations = (0..40).map(|number| {
        let (maps, map) = (maps.clone(), config_map(&format!("map-{number}")));
        async move { maps.create(&PostParams::default(), &map).await }
    });
    for created in futures::future::join_all(creations).await {
        created.expect("create");
    }
    maps.get("map-1").await.expect("read");
    let conflict = maps.create(&params, &config_map("map-1")).await.expect_err("it exists");
    assert!(is_status(&conflict, 409), "{conflict}");
    maps.create(&PostParams { dry_run: true, ..params.clone() }, &config_map("dry")).await.expect("dry run");
    maps.delete("map-1", &kube::api::DeleteParams::default()).await.expect("delete");

    let entries = audit.entries(since, &by_identity).await.expect("entries");
    assert_eq!(entries.len(), 40 + 4, "{entries:#?}");
    let writes = audit.writes(since, &by_identity.clone().namespace(namespace.name())).await.expect("writes");
    assert_eq!(writes.len(), 40 + 1, "{writes:#?}");
    let last = writes.last().expect("the last write");
    assert_eq!((last.verb.as_str(), last.resource.as_str(), last.name.as_str()), ("delete", "configmaps", "map-1"));
    assert_eq!((last.code, last.user.as_str(), last.subresource.as_str()), (200, identity.user(), ""));
    let deletions = audit.entries(Position::START, &by_identity.clone().verb("delete").resource("configmaps")).await;
    assert_eq!(deletions.expect("entries").len(), 1);
    assert_eq!(audit.entries(since, &by_identity.resource("secrets")).await.expect("entries"), []);
}

#[tokio::test]
async fn definitions_are_served_when_they_are_applied() {
    const DEFINITION: &str = r"apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: cups.cluster.test}
spec:
  group: cluster.test
  scope: Namespaced
  names: {plural: cups, singular: cup, kind: Cup, listKind: CupList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
";
    let cluster = Cluster::shared().await.expect("cluster");
    cluster.apply_crds(DEFINITION).await.expect("apply");
    cluster.apply_crds(DEFINITION).await.expect("apply again");
    let namespace = cluster.namespace("crds").await.expect("namespace");
    let cup = "apiVersion: cluster.test/v1\nkind: Cup\nmetadata: {name: one}\nspec: {size: 3}\n";
    let applied = cluster.kubectl(&["apply", "-n", namespace.name(), "-f", "-"], cup).await.expect("kubectl");
    assert!(applied.success(), "{applied:?}");
    let removed = cluster.kubectl(&["delete", "crd", "cups.cluster.test"], "").await.expect("kubectl");
    assert!(removed.success(), "{removed:?}");
}

#[tokio::test]
async fn a_private_cluster_survives_the_loss_of_its_api_server_and_leaves_nothing_when_dropped() {
    let cluster = Cluster::private().await.expect("cluster");
    let maps: Api<ConfigMap> = Api::namespaced(cluster.admin().expect("client"), "default");
    maps.create(&PostParams::default(), &config_map("kept")).await.expect("create");
    cluster.stop_api_server().await.expect("stop");
    assert!(!cluster.kubectl(&["get", "--raw", "/version"], "").await.expect("kubectl").success());
    cluster.start_api_server().await.expect("start");
    let maps: Api<ConfigMap> = Api::namespaced(cluster.admin().expect("client"), "default");
    maps.get("kept").await.expect("read");
    let audit = cluster.audit().expect("audit log");
    let reads = audit.entries(Position::START, &Filter::new().user("admin").verb("get")).await.expect("entries");
    assert!(reads.iter().any(|entry| entry.name == "kept"));

    let directory = cluster.directory().to_owned();
    let processes = processes_of(&directory);
    assert!(processes.len() >= 6, "three programs and their guards: {processes:?}");
    drop(cluster);
    assert!(!directory.exists());
    assert_eq!(processes.iter().filter(|process| process.exists()).count(), 0);
}

#[tokio::test]
async fn killing_the_owner_outright_leaves_nothing() {
    let (owner, keeper, directory) = start_owner().await;
    let processes = processes_of(&directory);
    owner.kill9().expect("kill");
    until_ended(&[processes, vec![keeper]].concat()).await;
    let gone = until(SOON, "the directory goes", async || Ok::<_, io::Error>((!directory.exists()).then_some(())));
    gone.await.expect("gone");
}

#[tokio::test]
async fn killing_the_keeper_outright_leaves_no_process_and_a_directory_that_the_next_one_sweeps() {
    let (_owner, keeper, directory) = start_owner().await;
    let processes = processes_of(&directory);
    let pid = keeper.file_name().and_then(|name| name.to_str()?.parse().ok()).and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("pid"), rustix::process::Signal::KILL).expect("kill");
    until_ended(&processes).await;
    let swept = until(SOON, "the directory is swept", async || {
        directory::sweep()?;
        Ok::<_, io::Error>((!directory.exists()).then_some(()))
    });
    swept.await.expect("swept");
}

#[tokio::test]
async fn a_cluster_that_exists_is_used_when_asked_for_by_name_and_only_then() {
    let cluster = Cluster::shared().await.expect("cluster");
    let scratch = tempfile::tempdir().expect("directory");
    let run = |context: &'static str| {
        Launch::new(std::env::current_exe().expect("own path"))
            .args(["kubectl_works_and", "an_identity_may_do", "a_dropped_namespace"])
            .env("CLUSTER", context)
            .env("KUBECONFIG", cluster.kubeconfig())
            .spawn(scratch.path().join(context))
            .expect("spawn")
    };
    let by_name = run("local");
    let exit = by_name.wait(Duration::from_mins(2)).await.expect("end");
    assert_eq!(exit, Exit::Code(0), "{}", by_name.tail());
    assert!(by_name.log().expect("log").contains("3 passed"), "{}", by_name.tail());
    let audit = cluster.audit().expect("audit log");
    let alice = audit.entries(Position::START, &Filter::new().user("alice").resource("secrets")).await;
    assert!(alice.expect("entries").iter().any(|entry| entry.code == 403), "it was this very cluster");

    let unknown = run("other");
    assert_eq!(unknown.wait(SOON).await.expect("end"), Exit::Code(101), "the current context is no substitute");
    assert!(unknown.log().expect("log").contains("no context named other"), "{}", unknown.tail());
}

/// The variable that turns the test below into a program for others to kill: the file it writes to when ready.
const REPORT: &str = "OWNER_OF_A_PRIVATE_CLUSTER";

#[tokio::test]
#[ignore = "not a test but the victim of two others"]
async fn owner_of_a_private_cluster() {
    let Some(report) = std::env::var_os(REPORT) else { return };
    let cluster = Cluster::private().await.expect("cluster");
    fs::write(report, format!("{} {} .", cluster.keeper_pid(), cluster.directory().display())).expect("write");
    std::future::pending::<()>().await;
}

/// Starts a process that holds a private cluster: itself, its keeper's entry in /proc and the cluster's directory.
async fn start_owner() -> (e2e::process::Guarded, PathBuf, PathBuf) {
    let scratch = tempfile::tempdir().expect("directory");
    let report = scratch.path().join("report");
    let owner = Launch::new(std::env::current_exe().expect("own path"))
        .args(["--ignored", "--exact", "cluster::owner_of_a_private_cluster", "--nocapture"])
        .env(REPORT, &report)
        .spawn(scratch.path().join("log"))
        .expect("spawn");
    let ready = until(Duration::from_mins(3), "the owner is ready", async || match fs::read_to_string(&report) {
        Ok(text) if text.ends_with(" .") => Ok(Some(text)),
        _ if owner.exited().is_some() => Err(io::Error::other(owner.tail())),
        _ => Ok(None),
    });
    let ready = ready.await.expect("ready");
    let mut words = ready.split(' ');
    let keeper = Path::new("/proc").join(words.next().expect("process id"));
    (owner, keeper, PathBuf::from(words.next().expect("directory")))
}

/// The entries in /proc of the processes whose command line names the directory: programs and guards.
fn processes_of(directory: &Path) -> Vec<PathBuf> {
    let directory = directory.to_str().expect("a path in UTF-8");
    let entries = fs::read_dir("/proc").expect("/proc").map(|entry| entry.expect("entry").path());
    let names_it = |path: &PathBuf| {
        fs::read(path.join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(directory))
    };
    entries.filter(names_it).collect()
}

async fn until_ended(processes: &[PathBuf]) {
    assert!(processes.len() >= 6, "three programs and their guards: {processes:?}");
    let ended = |path: &PathBuf| fs::read_to_string(path.join("stat")).map_or(true, |stat| stat.contains(") Z "));
    let all = until(SOON, "all processes end", async || Ok::<_, io::Error>(processes.iter().all(ended).then_some(())));
    all.await.expect("ended");
}
