//! What is rendered, whatever the values.

use e2e::chart::rules::granted;
use e2e::chart::{Document, Release, folder};
use e2e::cluster::binaries::Helm;
use e2e::cluster::helm;
use e2e::process::finish;
use std::collections::BTreeSet;

fn of_kind<'a>(all: &'a [Document], kind: &str) -> Vec<&'a Document> {
    all.iter().filter(|document| document.kind() == kind).collect()
}

async fn render(values: &str) -> Vec<Document> {
    Release::new(values).render().await.unwrap()
}

#[tokio::test]
async fn both_helms_find_nothing_to_complain_about() {
    let home = tempfile::tempdir().unwrap();
    for version in Helm::ALL {
        let mut command = helm::command(version, home.path()).await.unwrap();
        command.args(["lint", "--strict"]).arg(folder());
        let done = finish(command, "").await.unwrap();
        assert!(done.success(), "{version:?}: {}{}", done.stdout, done.stderr);
    }
}

#[tokio::test]
async fn both_helms_render_the_same() {
    let everything = include_str!("everything.yaml");
    for values in ["{}", "namespaces: [customers]", everything] {
        let mut rendered = Vec::new();
        for helm in Helm::ALL {
            let all = Release { helm, ..Release::new(values) }.render().await.unwrap();
            rendered.push(all.into_iter().map(|document| document.value.to_string()).collect::<BTreeSet<_>>());
        }
        assert!(rendered[0].len() >= 10 && rendered[0] == rendered[1], "{values}");
    }
}

#[tokio::test]
async fn the_definitions_are_kept_unless_that_is_switched_off() {
    let keep = |document: &&Document| document.value["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep";
    let all = render("{}").await;
    assert_eq!(of_kind(&all, "CustomResourceDefinition").iter().filter(|document| keep(document)).count(), 4);
    let all = render("crds: {keep: false}").await;
    let definitions = of_kind(&all, "CustomResourceDefinition");
    assert_eq!((definitions.len(), definitions.iter().filter(|document| keep(document)).count()), (4, 0));
    assert!(of_kind(&render("crds: {install: false}").await, "CustomResourceDefinition").is_empty());
}

#[tokio::test]
async fn nothing_is_granted_by_wildcard_and_secrets_are_never_listed() {
    for values in ["{}", "namespaces: [customers, partners]"] {
        let all = render(values).await;
        let roles: Vec<_> = all.iter().filter(|document| document.kind().ends_with("Role")).collect();
        assert!(roles.len() >= 3, "{values}");
        let rights: BTreeSet<_> = roles.into_iter().flat_map(granted).collect();
        for right in rights {
            let text = right.to_string();
            assert!(!text.contains('*'), "{text}");
            let verb = right.verb.as_str();
            assert!(right.resource != "secrets" || ["get", "create", "update", "delete"].contains(&verb), "{text}");
        }
    }
}

#[tokio::test]
async fn in_namespace_mode_nothing_counts_for_the_whole_cluster() {
    let all = render("namespaces: [customers, partners]\ncrds: {install: false}").await;
    let mut places = BTreeSet::new();
    for document in &all {
        assert!(!document.kind().starts_with("Cluster"), "{} {}", document.kind(), document.name());
        assert!(!document.namespace().is_empty(), "{} {}", document.kind(), document.name());
        if document.kind() == "Role" {
            places.insert(document.namespace().to_owned());
        }
    }
    assert_eq!(places.into_iter().collect::<Vec<_>>(), ["customers", "partners", "qlik-operator"]);
}

/// Warnings come by themselves only where whoever installs has rights for the whole cluster in any case, and the policy that
/// stamps names only where the API server has such policies.
#[tokio::test]
async fn policies_are_rendered_where_they_can_be_made() {
    const MUTATING: &str = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy";
    const BETA: &str = "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy";
    let versions = async |values: &str, served: &[&str]| -> Vec<String> {
        let served = served.iter().map(|&served| served.to_owned()).collect();
        let all = Release { served, ..Release::new(values) }.render().await.unwrap();
        let policies = all.iter().filter(|document| document.kind().ends_with("AdmissionPolicy"));
        let said = policies.map(|policy| format!("{} {}", policy.name(), policy.value["apiVersion"].as_str().unwrap()));
        said.collect()
    };
    let warnings = "qlik-operator-warnings admissionregistration.k8s.io/v1";
    assert_eq!(versions("{}", &[]).await, [warnings]);
    assert!(versions("admissionPolicies: {warnings: {enabled: false}}", &[]).await.is_empty());
    assert!(versions("namespaces: [customers]", &[]).await.is_empty());
    let asked = "namespaces: [customers]\nadmissionPolicies: {warnings: {enabled: true}}";
    assert_eq!(versions(asked, &[]).await, [warnings]);
    let stamp = "admissionPolicies: {warnings: {enabled: false}, requestedBy: {enabled: true}}";
    assert!(versions(stamp, &[]).await.is_empty());
    let stamped = |version: &str| format!("qlik-operator-requested-by admissionregistration.k8s.io/{version}");
    assert_eq!(versions(stamp, &[BETA]).await, [stamped("v1beta1")]);
    assert_eq!(versions(stamp, &[MUTATING, BETA]).await, [stamped("v1")]);
}

#[tokio::test]
async fn two_releases_share_no_name() {
    let names = async |name: &str, namespace: &str| -> BTreeSet<String> {
        let release =
            Release { name: name.into(), namespace: namespace.into(), ..Release::new("crds: {install: false}") };
        let all = release.render().await.unwrap();
        all.iter().map(|document| format!("{} {}/{}", document.kind(), document.namespace(), document.name())).collect()
    };
    let all = [names("a", "x").await, names("b", "x").await, names("a", "y").await, names("qlik-operator", "x").await];
    for (number, one) in all.iter().enumerate() {
        for other in &all[number + 1..] {
            assert!(one.is_disjoint(other), "{:?}", one.intersection(other).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn a_pod_has_longer_than_its_drain() {
    for (drain, seconds) in [("25s", 35), ("1m30s", 100), ("2m", 130)] {
        let all = render(&format!("drain: {drain}")).await;
        let pod = &of_kind(&all, "Deployment")[0].value["spec"]["template"]["spec"];
        assert_eq!(pod["terminationGracePeriodSeconds"], seconds, "{drain}");
    }
}

#[tokio::test]
async fn a_drain_of_nodes_is_only_held_up_where_another_replica_takes_over() {
    for (values, wanted) in
        [("replicas: 1", 0), ("replicas: 2", 1), ("replicas: 3\npodDisruptionBudget: {enabled: false}", 0)]
    {
        assert_eq!(of_kind(&render(values).await, "PodDisruptionBudget").len(), wanted, "{values}");
    }
}

#[tokio::test]
async fn notes_warn_where_there_are_no_credentials_and_where_objects_would_go() {
    let notes = async |values: &str| {
        let home = tempfile::tempdir().unwrap();
        let mut command = helm::command(Helm::V4, home.path()).await.unwrap();
        command.args(["install", "qlik-operator"]).arg(folder()).args(["--dry-run=client", "--values", "-"]);
        // Of a cluster that is not asked.
        command.args(["--namespace", "qlik-operator"]);
        let done = finish(command, values).await.unwrap();
        assert!(done.success(), "{}", done.stderr);
        done.stdout.split("NOTES:").nth(1).unwrap().to_owned()
    };
    let bare = notes("{}").await;
    assert!(bare.contains("no credentials of its own") && bare.contains("Kept: the definitions"), "{bare}");
    let given = notes("regions: {us: {existingSecret: qlik-us, namespaces: [customers]}}").await;
    assert!(!given.contains("WARNING") && given.contains("us: Secret qlik-us, for customers"), "{given}");
    let unstamped = notes("admissionPolicies: {requestedBy: {enabled: true}}").await;
    assert!(unstamped.contains("this API server has no MutatingAdmissionPolicy"), "{unstamped}");
    let lost = notes("crds: {keep: false}").await;
    assert!(lost.contains("removes the definitions of the kinds, and with them every object"), "{lost}");
}
