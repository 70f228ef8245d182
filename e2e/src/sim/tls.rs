//! The simulator's own certificate authority and the server certificate under it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::region::REGIONS;
use super::running::StartError;

/// Makes a CA, writes its certificate to `ca.pem` in `dir`, and configures a server for every host of `domain`.
pub(crate) fn server(domain: &str, dir: &Path) -> Result<(Arc<ServerConfig>, PathBuf), StartError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "qlik-sim");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let mut names: Vec<String> = REGIONS.iter().map(|region| format!("*.{}.{domain}", region.code)).collect();
    names.extend([format!("console.{domain}"), "localhost".to_owned(), "127.0.0.1".to_owned()]);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "qlik-sim server");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &ca)?;

    std::fs::create_dir_all(dir)?;
    let file = dir.join("ca.pem");
    std::fs::write(&file, ca.pem())?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone(), ca.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((Arc::new(config), file))
}
