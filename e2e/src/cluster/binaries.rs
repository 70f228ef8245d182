//! Where the programs of Kubernetes and Helm come from.
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

const HELM: Module = Module {
    title: "Helm 4",
    folder: "e2e/helm",
    package: "helm.sh/helm/v4/cmd/helm",
    output: "local-helm",
    binary: "helm",
    programs: &[],
    ldflags: "-s -w -X helm.sh/helm/v4/internal/version.version=v4.3.1",
    cold: "4 minutes",
};

const HELM3: Module = Module {
    title: "Helm 3",
    folder: "e2e/helm3",
    package: "helm.sh/helm/v3/cmd/helm",
    output: "local-helm3",
    binary: "helm",
    programs: &[],
    ldflags: "-s -w -X helm.sh/helm/v3/internal/version.version=v3.22.0",
    cold: "4 minutes",
};

/// Which Helm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Helm {
    /// The present one.
    V4,
    /// The one before, which many still have.
    V3,
}

impl Helm {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V3];
}

/// The program helm, built from the pinned sources.
pub async fn helm(version: Helm) -> Result<PathBuf, Error> {
    let module = match version {
        Helm::V4 => &HELM,
        Helm::V3 => &HELM3,
    };
    Ok(module.built().await?.join(module.binary))
}

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
