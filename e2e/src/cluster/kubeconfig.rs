//! Kubeconfig files.
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::error::Error;
use super::pki::{Credentials, write_private};

/// How to reach an API server and as whom.
pub(super) struct Access<'a> {
    pub(super) server: &'a str,
    /// PEM; none for a server without TLS.
    pub(super) authority: Option<&'a str>,
    /// None for a server that knows by itself who is calling.
    pub(super) credentials: Option<&'a Credentials>,
    /// What a service account shows instead of a certificate.
    pub(super) token: Option<&'a str>,
}

impl Access<'_> {
    /// Writes the kubeconfig file; JSON is YAML too.
    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        let mut cluster = json!({ "server": self.server });
        if let Some(authority) = self.authority {
            cluster["certificate-authority-data"] = encode(authority);
        }
        let mut user = json!({});
        if let Some(credentials) = self.credentials {
            user["client-certificate-data"] = encode(&credentials.certificate);
            user["client-key-data"] = encode(&credentials.key);
        }
        if let Some(token) = self.token {
            user["token"] = Value::String(token.to_owned());
        }
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "local",
            "clusters": [{ "name": "local", "cluster": cluster }],
            "users": [{ "name": "local", "user": user }],
            "contexts": [{ "name": "local", "context": { "cluster": "local", "user": "local" } }],
        });
        Ok(write_private(path, &format!("{config:#}\n"))?)
    }
}

/// The client configuration that a kubeconfig file's current context stands for.
pub(super) async fn load(path: &Path) -> Result<kube::Config, Error> {
    let kubeconfig = kube::config::Kubeconfig::read_from(path)?;
    let mut config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default()).await?;
    // It is taken from the environment, too, but nothing on loopback is reached through somebody's proxy.
    if config.cluster_url.host() == Some("127.0.0.1") {
        config.proxy_url = None;
    }
    Ok(config)
}

fn encode(pem: &str) -> Value {
    Value::String(STANDARD.encode(pem))
}
