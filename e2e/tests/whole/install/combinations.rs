//! Combinations of values, each as the API server sees it.

use super::policies::MUTATING;
use super::site::OPERATOR;
use e2e::chart::{Release, folder};
use e2e::cluster::Cluster;
use e2e::cluster::binaries::Helm;

/// The kinds of the Prometheus operator, as far as the API server has to know them.
const MONITORING: &str = include_str!("monitoring.yaml");

const COMBINATIONS: [&str; 25] = [
    "{}",
    include_str!("../../fast/chart/everything.yaml"),
    "namespaces: [customers]",
    "namespaces: [customers, partners]\nregions: {us: {existingSecret: qlik-us, namespaces: [customers]}}",
    "regions: {us: {existingSecret: qlik-us, namespaces: ['*']}}",
    "regions: {us: {existingSecret: a, namespaces: [b]}, de: {existingSecret: c, namespaces: [d, e]}, il: {existingSecret: f, namespaces: ['*']}}",
    "organization: {existingSecret: qlik-organization}",
    "replicas: 3\ntopologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {}}]",
    "replicas: 0",
    "crds: {install: false}\nrbac: {create: false}\nserviceAccount: {create: false, name: default}",
    "crds: {keep: false}",
    "metrics: {serviceMonitor: {enabled: true}}\nprometheusRule: {enabled: true}",
    "metrics: {podMonitor: {enabled: true, interval: 1m, labels: {a: b}}, perObject: [purge]}",
    "grafanaDashboard: {enabled: true}",
    "networkPolicy: {enabled: true}",
    "networkPolicy: {enabled: true, apiServerPorts: [6443, 8443]}\nqlik: {connectTo: '[fd00::7]:3128'}\nnamespaces: [customers]",
    "admissionPolicies: {deactivation: {enabled: true, groups: [off-boarders]}}",
    "admissionPolicies: {fourEyes: {enabled: true}}\nnamespaces: [customers]",
    "admissionPolicies: {deactivation: {enabled: true, groups: ['oidc:a b']}, fourEyes: {enabled: true}}",
    "admissionPolicies: {warnings: {enabled: true}, requestedBy: {enabled: true}}\nnamespaces: [customers]",
    "admissionPolicies: {warnings: {enabled: false}}",
    "admissionPolicies: {requestedBy: {enabled: true}}",
    "qlik: {domain: qlik.example.com, caConfigMap: {name: ca}}\nclusterId: 'east: 1'\notlp: {endpoint: 'http://c:4318'}",
    "resources: {}\nrbac: {aggregate: false}\nlog: {filter: 'info,qlik_operator=debug', format: text}\ndrain: 2m",
    "image: {repository: r.example.com:5000/a/b, tag: ''}\nimagePullSecrets: [{name: r}]\npodLabels: {x: 'y'}\nextraEnv: [{name: A, value: b}]",
];

async fn prepared() -> Cluster {
    let cluster = Cluster::private().await.unwrap();
    cluster.apply_crds(MONITORING).await.unwrap();
    cluster.apply_crds(&qlik_operator::cli::crds()).await.unwrap();
    for namespace in [OPERATOR, "customers", "partners"] {
        assert!(cluster.kubectl(&["create", "namespace", namespace], "").await.unwrap().success());
    }
    let restricted = ["label", "namespace", OPERATOR, "pod-security.kubernetes.io/warn=restricted"];
    assert!(cluster.kubectl(&restricted, "").await.unwrap().success());
    cluster
}

/// Server-side, and strict: a field that Kubernetes does not know is an error, and so is what Pod Security would refuse.
#[tokio::test]
async fn the_api_server_accepts_what_is_rendered() {
    let cluster = prepared().await;
    let mut refused = Vec::new();
    for values in COMBINATIONS {
        let release = Release { served: vec![MUTATING.to_owned()], ..Release::new(values) };
        let done = release.template().await.unwrap();
        assert!(done.success(), "{values}: {}", done.stderr);
        let args = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"];
        let done = cluster.kubectl(&args, &done.stdout).await.unwrap();
        if !done.success() || done.stderr.contains("Warning") || done.stderr.contains("PodSecurity") {
            refused.push(format!("{values}\n  {}", done.stderr));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    for helm in Helm::ALL {
        let chart = folder().display().to_string();
        let args = ["install", "dry", &chart, "-n", OPERATOR, "--dry-run=server", "--set", "crds.install=false"];
        let done = cluster.helm(helm, &args, "").await.unwrap();
        assert!(done.success(), "{helm:?}: {}", done.stderr);
    }
}

#[tokio::test]
async fn the_api_server_accepts_the_kustomize_bases_and_the_example() {
    let cluster = prepared().await;
    for base in ["default", "namespaced", "overlays/example"] {
        let folder = format!("{}/../config/{base}", env!("CARGO_MANIFEST_DIR"));
        let args =
            ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-k", &folder];
        let done = cluster.kubectl(&args, "").await.unwrap();
        assert!(done.success() && !done.stderr.contains("Warning"), "{base}: {}", done.stderr);
    }
}
