//! The configuration files of the node's programs.

use super::network::PODS;
use super::requirements::PLUGINS;
use std::path::Path;

/// Where containerd listens.
pub(super) const SOCKET: &str = "/run/containerd/containerd.sock";
/// The image of every pod's first container.
pub(super) const PAUSE: &str = "localhost/pause:local";

/// What containerd reads.
pub(super) fn containerd(directory: &Path) -> String {
    let directory = directory.display();
    format!(
        r#"version = 2
root = "{directory}/containerd"
state = "/run/containerd"
[grpc]
address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{PLUGINS}"
conf_dir = "{directory}/cni"
"#
    )
}

/// The network of pods.
pub(super) fn cni() -> String {
    format!(
        r#"{{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {{"type": "bridge", "bridge": "pods0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
    "ipam": {{"type": "host-local", "ranges": [[{{"subnet": "{PODS}"}}]], "routes": [{{"dst": "0.0.0.0/0"}}]}}}},
  {{"type": "portmap", "capabilities": {{"portMappings": true}}}}]}}
"#
    )
}

/// The files that a kubelet proves itself and others by.
pub(super) struct KubeletFiles<'a> {
    pub(super) authority: &'a Path,
    pub(super) certificate: &'a Path,
    pub(super) key: &'a Path,
}

/// What the kubelet reads. This machine's disk and memory are nobody's to clean up here: it evicts only at the very end.
pub(super) fn kubelet(files: &KubeletFiles<'_>, cgroup: &str, directory: &Path) -> String {
    let (authority, certificate, key) = (files.authority.display(), files.certificate.display(), files.key.display());
    let plugins = directory.join("volume-plugins");
    let plugins = plugins.display();
    format!(
        r#"apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://{SOCKET}
cgroupDriver: cgroupfs
cgroupRoot: /{cgroup}
failCgroupV1: false
failSwapOn: false
resolvConf: ""
volumePluginDir: {plugins}
imageGCHighThresholdPercent: 100
evictionHard: {{memory.available: 1Mi, nodefs.available: 1Mi, nodefs.inodesFree: "1", imagefs.available: 1Mi}}
authentication:
  anonymous: {{enabled: false}}
  webhook: {{enabled: true}}
  x509: {{clientCAFile: {authority}}}
authorization: {{mode: Webhook}}
tlsCertFile: {certificate}
tlsPrivateKeyFile: {key}
healthzPort: 0
nodeStatusUpdateFrequency: 2s
"#
    )
}

/// What kube-proxy reads. The limits of the machine's connection table are left alone.
pub(super) fn proxy(kubeconfig: &Path, node: &str) -> String {
    let kubeconfig = kubeconfig.display();
    format!(
        r"apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: {PODS}
hostnameOverride: {node}
clientConnection: {{kubeconfig: {kubeconfig}}}
conntrack: {{maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}}
"
    )
}
