//! Where the Kubernetes programs come from.
use std::env;
use std::path::PathBuf;

use super::error::Error;
use super::go_module::Module;

const KUBERNETES: Module = Module {
    title: "Kubernetes",
    folder: "e2e/kubernetes",
    package: ".",
    output: "local-kubernetes",
    binary: "local-kubernetes",
    programs: &[
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kubectl",
        "kubelet",
        "kube-scheduler",
        "kube-proxy",
    ],
    ldflags: "-s -w -X k8s.io/component-base/version.gitVersion=v1.37.2 \
        -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37",
    cold: "11 minutes",
};

const ARGO_CD: Module = Module {
    title: "Argo CD",
    folder: "e2e/argocd",
    package: "github.com/argoproj/argo-cd/v3/cmd",
    output: "local-argocd",
    binary: "argocd",
    programs: &[
        "argocd-application-controller",
        "argocd-applicationset-controller",
        "argocd-repo-server",
        "argocd-server",
    ],
    ldflags: "-s -w -X github.com/argoproj/argo-cd/v3/common.version=3.2.11",
    cold: "6 minutes",
};

/// The directory that holds argocd, argocd-server and the other programs of Argo CD.
pub async fn argo_cd() -> Result<PathBuf, Error> {
    ARGO_CD.built().await
}

/// The directory that holds etcd, kube-apiserver, kubectl and, where there is one, kube-controller-manager:
/// `KUBEBUILDER_ASSETS` when set, else built from the pinned sources.
pub async fn directory() -> Result<PathBuf, Error> {
    match env::var_os("KUBEBUILDER_ASSETS") {
        Some(assets) if !assets.is_empty() => checked_assets(PathBuf::from(assets)),
        Some(_) | None => KUBERNETES.built().await,
    }
}

fn checked_assets(assets: PathBuf) -> Result<PathBuf, Error> {
    let missing = ["etcd", "kube-apiserver", "kubectl"].into_iter().find(|program| !assets.join(program).exists());
    match missing {
        Some(program) => Err(Error::Program(format!("KUBEBUILDER_ASSETS={} holds no {program}", assets.display()))),
        None => Ok(assets),
    }
}
