//! The command lines of the control plane's programs.
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use super::error::Error;
use super::pki::Files;
use super::rights;
use crate::process::{Guarded, Launch};

/// Below what Linux takes for outgoing connections by default (32768 and up), so that a port stays ours while its
/// program is down for a moment.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Everything that operators ask for, and everything of others but the reads of chatty resources and of health: what is
/// missing here cannot be counted by tests.
const AUDIT_POLICY: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  userGroups: [OPERATORS]
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*"]
- level: None
  verbs: [get, list, watch]
  resources:
  - {group: "", resources: [events]}
  - {group: events.k8s.io, resources: [events]}
  - {group: coordination.k8s.io, resources: [leases]}
- level: Metadata
"#;

/// The ports of one control plane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) api_server: u16,
    etcd_client: u16,
    etcd_peer: u16,
}

impl Ports {
    /// Free at this moment; that somebody else takes one before its program does is noticed by the program.
    pub(super) fn pick() -> Result<Self, Error> {
        let [api_server, etcd_client, etcd_peer] = free_ports()?;
        Ok(Self { api_server, etcd_client, etcd_peer })
    }
}

/// Ports on loopback that are free at this moment, each another.
pub(crate) fn free_ports<const COUNT: usize>() -> Result<[u16; COUNT], Error> {
    // Held together until all are known, lest one is picked twice.
    let mut listeners = Vec::with_capacity(COUNT);
    let mut ports = [0; COUNT];
    for port in &mut ports {
        let (listener, number) = free_port()?;
        listeners.push(listener);
        *port = number;
    }
    Ok(ports)
}

fn free_port() -> Result<(TcpListener, u16), Error> {
    const TRIES: u32 = 1000;
    for _ in 0..TRIES {
        let port = rand::random_range(PORTS);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok((listener, port));
        }
    }
    Err(Error::Program(format!("no free port on loopback in {PORTS:?}")))
}

/// What is needed to start any of the programs.
pub(super) struct Components {
    pub(super) binaries: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) files: Files,
    pub(super) ports: Ports,
    pub(super) controllers: String,
    /// The address at which nodes find the API server; without one it is bound to loopback.
    pub(super) advertise: Option<Ipv4Addr>,
}

impl Components {
    pub(super) fn audit_log(&self) -> PathBuf {
        self.directory.join("audit.log")
    }

    pub(super) fn server(&self) -> String {
        format!("https://{}:{}", self.advertise.unwrap_or(Ipv4Addr::LOCALHOST), self.ports.api_server)
    }

    fn etcd_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.etcd_client)
    }

    pub(super) fn etcd(&self) -> Result<Guarded, Error> {
        let peer = format!("http://127.0.0.1:{}", self.ports.etcd_peer);
        let args = [
            "--name=local".to_owned(),
            format!("--data-dir={}", self.directory.join("etcd").display()),
            format!("--listen-client-urls={}", self.etcd_url()),
            format!("--advertise-client-urls={}", self.etcd_url()),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=local={peer}"),
            // The data is thrown away with the control plane: it need not survive a power cut.
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        self.spawn("etcd", args)
    }

    pub(super) fn api_server(&self) -> Result<Guarded, Error> {
        let policy = self.directory.join("audit-policy.yaml");
        fs::write(
            &policy,
            AUDIT_POLICY.replace("OPERATORS", &rights::GROUPS.map(|group| format!("{group:?}")).join(", ")),
        )?;
        let path = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
        let args = [
            format!("--etcd-servers={}", self.etcd_url()),
            format!("--secure-port={}", self.ports.api_server),
            path("tls-cert-file", &self.files.server_certificate),
            path("tls-private-key-file", &self.files.server_key),
            path("client-ca-file", &self.files.authority),
            path("service-account-key-file", &self.files.service_account_public_key),
            path("service-account-signing-key-file", &self.files.service_account_key),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--allow-privileged=true".to_owned(),
            path("audit-policy-file", &policy),
            path("audit-log-path", &self.audit_log()),
            // Written before the answer goes out, and never rotated: tests count in this file.
            "--audit-log-mode=blocking".to_owned(),
            "--audit-log-maxsize=102400".to_owned(),
            "--max-requests-inflight=4000".to_owned(),
            "--max-mutating-requests-inflight=2000".to_owned(),
            "--profiling=false".to_owned(),
        ];
        self.spawn("kube-apiserver", args.into_iter().chain(self.reach()))
    }

    /// Who can reach the API server, and whom it reaches.
    fn reach(&self) -> Vec<String> {
        let Some(address) = self.advertise else {
            return vec![
                "--bind-address=127.0.0.1".to_owned(),
                "--advertise-address=127.0.0.1".to_owned(),
                "--external-hostname=127.0.0.1".to_owned(),
                // The reconciler would refuse to publish a loopback address as the endpoint of the kubernetes service.
                "--endpoint-reconciler-type=none".to_owned(),
                "--authorization-mode=RBAC".to_owned(),
            ];
        };
        vec![
            "--bind-address=0.0.0.0".to_owned(),
            format!("--advertise-address={address}"),
            format!("--external-hostname={address}"),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            // Not by their names, which nothing resolves.
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            format!("--kubelet-certificate-authority={}", self.files.authority.display()),
            format!("--kubelet-client-certificate={}", self.files.kubelet_client_certificate.display()),
            format!("--kubelet-client-key={}", self.files.kubelet_client_key.display()),
        ]
    }

    /// None when the given binaries have none: those of envtest do not.
    pub(super) fn controller_manager(&self, kubeconfig: &Path) -> Result<Option<Guarded>, Error> {
        const NAME: &str = "kube-controller-manager";
        if !self.binaries.join(NAME).exists() {
            return Ok(None);
        }
        let args = [
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--controllers={}", self.controllers),
            format!("--service-account-private-key-file={}", self.files.service_account_key.display()),
            format!("--root-ca-file={}", self.files.authority.display()),
            "--leader-elect=false".to_owned(),
            // Each controller as itself, as in clusters at large: the audit log tells them apart.
            "--use-service-account-credentials=true".to_owned(),
            // It serves only health and metrics, on a port that nobody asks.
            "--secure-port=0".to_owned(),
            // A client's default limits are meant for big clusters with many of them.
            "--kube-api-qps=500".to_owned(),
            "--kube-api-burst=1000".to_owned(),
        ];
        self.spawn(NAME, args).map(Some)
    }

    fn spawn(&self, name: &str, args: impl IntoIterator<Item = String>) -> Result<Guarded, Error> {
        let launch = Launch::new(self.binaries.join(name)).env_clear().args(args).current_dir(&self.directory);
        Ok(launch.spawn(self.directory.join(format!("{name}.log")))?)
    }
}
