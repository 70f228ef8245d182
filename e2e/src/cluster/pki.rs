//! The certificate authority of a control plane and the certificates that it issues.
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use super::error::Error;

/// The group whose members may do everything.
pub(super) const ADMIN_GROUP: &str = "system:masters";

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(super) struct Credentials {
    /// The certificate.
    pub(super) certificate: String,
    /// The private key.
    pub(super) key: String,
}

/// The certificate authority that the API server trusts, kept in files next to the control plane.
pub(super) struct Authority {
    /// Its certificate as PEM.
    pub(super) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new one and writes it into `directory`.
    pub(super) fn create(directory: &Path) -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let certificate = authority_params()?.self_signed(&key)?.pem();
        write_private(&directory.join("ca.crt"), &certificate)?;
        write_private(&directory.join("ca.key"), &key.serialize_pem())?;
        Ok(Self { certificate, issuer: Issuer::new(authority_params()?, key) })
    }

    /// Reads the one that [`Self::create`] wrote. Its parameters are constant: only the key makes the difference.
    pub(super) fn load(directory: &Path) -> Result<Self, Error> {
        let certificate = fs::read_to_string(directory.join("ca.crt"))?;
        let key = KeyPair::from_pem(&fs::read_to_string(directory.join("ca.key"))?)?;
        Ok(Self { certificate, issuer: Issuer::new(authority_params()?, key) })
    }

    /// A client certificate: Kubernetes takes the user from the common name and the groups (two at most) from the
    /// organizations.
    pub(super) fn client(&self, user: &str, groups: &[&str]) -> Result<Credentials, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(user, groups)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params)
    }

    /// The serving certificate of a program that is reached by these names and addresses.
    pub(super) fn server(&self, name: &str, reached: &[&str]) -> Result<Credentials, Error> {
        let mut params = CertificateParams::new(reached.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())?;
        params.distinguished_name = subject(name, &[])?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params)
    }

    fn issue(&self, mut params: CertificateParams) -> Result<Credentials, Error> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        Ok(Credentials { certificate: params.signed_by(&key, &self.issuer)?.pem(), key: key.serialize_pem() })
    }
}

/// Files that the programs of the control plane are given.
pub(super) struct Files {
    /// Serving certificate of the API server.
    pub(super) server_certificate: PathBuf,
    /// Its key.
    pub(super) server_key: PathBuf,
    /// The key that service account tokens are signed with.
    pub(super) service_account_key: PathBuf,
    /// Its public half.
    pub(super) service_account_public_key: PathBuf,
    /// The authority's certificate.
    pub(super) authority: PathBuf,
    /// What the API server shows to kubelets.
    pub(super) kubelet_client_certificate: PathBuf,
    /// Its key.
    pub(super) kubelet_client_key: PathBuf,
}

impl Files {
    /// Makes keys and certificates and writes them into `directory`. The address is the API server's, beside loopback.
    pub(super) fn create(directory: &Path, authority: &Authority, address: Option<Ipv4Addr>) -> Result<Self, Error> {
        let files = Self {
            server_certificate: directory.join("server.crt"),
            server_key: directory.join("server.key"),
            service_account_key: directory.join("service-account.key"),
            service_account_public_key: directory.join("service-account.pub"),
            authority: directory.join("ca.crt"),
            kubelet_client_certificate: directory.join("kubelet-client.crt"),
            kubelet_client_key: directory.join("kubelet-client.key"),
        };
        let address = address.unwrap_or(Ipv4Addr::LOCALHOST).to_string();
        let reached = ["localhost", "127.0.0.1", "10.0.0.1", "kubernetes", "kubernetes.default.svc", &address];
        let server = authority.server("kube-apiserver", &reached)?;
        write_private(&files.server_certificate, &server.certificate)?;
        write_private(&files.server_key, &server.key)?;
        let kubelet_client = authority.client("kube-apiserver-kubelet-client", &[ADMIN_GROUP])?;
        write_private(&files.kubelet_client_certificate, &kubelet_client.certificate)?;
        write_private(&files.kubelet_client_key, &kubelet_client.key)?;
        let service_account = KeyPair::generate()?;
        write_private(&files.service_account_key, &service_account.serialize_pem())?;
        write_private(&files.service_account_public_key, &service_account.public_key_pem())?;
        Ok(files)
    }
}

fn authority_params() -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = subject("local-kubernetes", &[])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    Ok(params)
}

/// The library keeps one value for each attribute type. The same attribute spelt by its number counts as another type,
/// so there is room for two organizations, which is what a service account has; the API server adds
/// `system:authenticated` by itself.
fn subject(name: &str, organizations: &[&str]) -> Result<rcgen::DistinguishedName, Error> {
    let organization_by_number = DnType::CustomDnType(vec![2, 5, 4, 10]);
    let types = [DnType::OrganizationName, organization_by_number];
    if organizations.len() > types.len() {
        return Err(Error::Unsupported(format!("{name}: a client certificate here holds two groups at most")));
    }
    let mut subject = rcgen::DistinguishedName::new();
    for (kind, organization) in types.into_iter().zip(organizations) {
        subject.push(kind, *organization);
    }
    subject.push(DnType::CommonName, name);
    Ok(subject)
}

/// Writes a file that only this user can read.
pub(super) fn write_private(path: &Path, content: &str) -> io::Result<()> {
    let mut file = fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, content.as_bytes())
}
