//! Users other than the administrator.
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use kube::config::Kubeconfig;

use super::error::{Error, io_error, kube_error};
use super::kubeconfig::{Access, load};
use super::pki::{Authority, Credentials, write_private};
use super::{Cluster, Kind};

/// Somebody whom the API server knows by name and groups, with no rights but those that RBAC grants.
pub struct Identity {
    user: String,
    kubeconfig: PathBuf,
    config: kube::Config,
    /// None where the user is impersonated, or has a token.
    pub(super) certified: Option<Certified>,
}

/// A client certificate with the authority that issued it, which issued the API server's too.
pub(super) struct Certified {
    pub(super) credentials: Credentials,
    pub(super) authority: String,
}

impl Identity {
    /// The user's name, as the audit log shows it.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The kubeconfig file for programs that act as this user.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A client that acts as this user.
    pub fn client(&self) -> Result<kube::Client, Error> {
        kube::Client::try_from(self.config.clone()).map_err(kube_error("make a client"))
    }
}

impl Cluster {
    /// A user with these groups (two at most, `system:authenticated` not counted): by client certificate, or by
    /// impersonation on a cluster whose authority is not ours.
    ///
    /// A service account is user `system:serviceaccount:NAMESPACE:NAME` in the groups `system:serviceaccounts` and
    /// `system:serviceaccounts:NAMESPACE`.
    pub async fn identity(&self, user: &str, groups: &[&str]) -> Result<Identity, Error> {
        let path = self.new_file(user, "kubeconfig");
        let certified = match &self.kind {
            Kind::Embedded { .. } => Some(self.certify(user, groups, &path)?),
            Kind::Existing => {
                self.impersonate(user, groups, &path)?;
                None
            }
        };
        Ok(Identity { user: user.to_owned(), config: load(&path).await?, kubeconfig: path, certified })
    }

    /// The service account of this name as its pods are it: by a token that the API server issues for an hour.
    pub async fn service_account(&self, namespace: &str, name: &str) -> Result<Identity, Error> {
        let Kind::Embedded { .. } = &self.kind else {
            return Err(super::unsupported("tell its authority"));
        };
        let path = self.new_file(name, "kubeconfig");
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin()?, namespace);
        let issued = accounts.create_token_request(name, &PostParams::default(), &TokenRequest::default()).await;
        let issued = issued.map_err(kube_error(format!("issue a token for service account {namespace}/{name}")))?;
        let token = issued.status.map(|status| status.token);
        let authority = Authority::load(&self.directory)?.certificate;
        Access { server: &self.server, authority: Some(&authority), credentials: None, token: token.as_deref() }
            .write(&path)?;
        let user = format!("system:serviceaccount:{namespace}:{name}");
        Ok(Identity { user, config: load(&path).await?, kubeconfig: path, certified: None })
    }

    /// A serving certificate and its key, in files: for a program of this cluster at this address.
    pub fn serving(&self, name: &str, address: Ipv4Addr) -> Result<(PathBuf, PathBuf), Error> {
        let issued = Authority::load(&self.directory)?.server(name, &[name, &address.to_string()])?;
        let files = (self.new_file(name, "crt"), self.new_file(name, "key"));
        write_private(&files.0, &issued.certificate)?;
        write_private(&files.1, &issued.key)?;
        Ok(files)
    }

    /// The certificate of the authority that all certificates of this cluster come from.
    pub fn authority(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    fn certify(&self, user: &str, groups: &[&str], path: &Path) -> Result<Certified, Error> {
        let authority = Authority::load(&self.directory)?;
        let credentials = authority.client(user, groups)?;
        Access {
            server: &self.server,
            authority: Some(&authority.certificate),
            credentials: Some(&credentials),
            token: None,
        }
        .write(path)?;
        Ok(Certified { credentials, authority: authority.certificate })
    }

    fn impersonate(&self, user: &str, groups: &[&str], path: &Path) -> Result<(), Error> {
        let mut kubeconfig = Kubeconfig::read_from(&self.kubeconfig)?;
        let current = kubeconfig.current_context.clone();
        let context = kubeconfig.contexts.iter().find(|named| Some(&named.name) == current.as_ref());
        let name = context.and_then(|named| named.context.as_ref()?.user.clone());
        for named in &mut kubeconfig.auth_infos {
            if Some(&named.name) == name.as_ref() {
                let account = named.auth_info.get_or_insert_default();
                account.impersonate = Some(user.to_owned());
                account.impersonate_groups = Some(groups.iter().map(|group| (*group).to_owned()).collect());
            }
        }
        let json = serde_json::to_string(&kubeconfig).map_err(std::io::Error::from)?;
        write_private(path, &json).map_err(io_error("write a kubeconfig"))
    }
}
