//! The only place where an OAuth client's spec is interpreted.

use crate::crd::{ClientAuth, Consent, DeletionPolicy, GeneratedKey, QlikOAuthClientSpec, Rotation};
use crate::keys::Algorithm;
use crate::plan::duration;
use crate::plan::marker::Marker;
use crate::qlik::{self, Jwk};
use std::time::Duration;

/// What the manifest asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Kind of app.
    pub app_type: &'static str,
    /// Name shown in the tenant.
    pub name: String,
    /// Description, with the mark.
    pub description: String,
    /// Page of the app.
    pub client_uri: Option<String>,
    /// Picture of the app.
    pub logo_uri: Option<String>,
    /// Redirect URIs.
    pub redirect_uris: Vec<String>,
    /// Origins.
    pub allowed_origins: Vec<String>,
    /// Scopes.
    pub scopes: Vec<String>,
    /// Machine-to-machine grants.
    pub grant_types: Vec<String>,
    /// How the client authenticates.
    pub authentication: Authentication,
    /// Algorithm of a generated key.
    pub key_algorithm: Option<&'static str>,
    /// Whether users are asked.
    pub consent: qlik::Consent,
    /// Whether every tenant of the region may use it.
    pub publish: bool,
    /// When secret or key are replaced.
    pub turnover: Turnover,
    /// A deletion leaves the client in Qlik Cloud.
    pub orphan: bool,
    /// How often to look for drift.
    pub interval: Duration,
}

/// How a client authenticates.
#[derive(Clone, Debug, PartialEq)]
pub enum Authentication {
    /// With a secret that Qlik Cloud generates.
    Secret,
    /// With a key pair that the operator makes.
    GeneratedKey,
    /// With a key pair of which the public key is given.
    GivenKey(Box<Jwk>),
    /// Not at all.
    Public,
}

impl Authentication {
    /// The words in Qlik's API.
    pub fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Secret => &["client_secret"],
            Self::GeneratedKey | Self::GivenKey(_) => &["private_key_jwt"],
            Self::Public => &[],
        }
    }
}

/// When a secret or key is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turnover {
    /// How often; never by itself when absent.
    pub every: Option<Duration>,
    /// How long the former one still works.
    pub overlap: Duration,
}

impl Turnover {
    fn read(rotation: Option<&Rotation>) -> Self {
        let every = rotation.and_then(|r| duration::parse(&r.every));
        let overlap = rotation.and_then(|r| duration::parse(&r.overlap)).unwrap_or(OVERLAP);
        Self { every, overlap }
    }
}

/// How long a replaced secret still works where the manifest does not say.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);
const INTERVAL: Duration = Duration::from_secs(1800);

impl Desired {
    /// Reads a spec. `given` is the public key that it refers to, where it does.
    pub fn read(spec: &QlikOAuthClientSpec, marker: &Marker, given: Option<Jwk>) -> Self {
        let rotation = spec.auth.as_ref().and_then(rotation);
        Self {
            app_type: spec.app_type.as_str(),
            name: spec.client_name.clone(),
            description: marker.mark(spec.description.as_deref()),
            client_uri: spec.client_uri.clone(),
            logo_uri: spec.logo_uri.clone(),
            redirect_uris: spec.redirect_uris.clone(),
            allowed_origins: spec.allowed_origins.clone(),
            scopes: spec.scopes.clone(),
            grant_types: spec.grant_types.iter().map(|grant| grant.as_str().to_owned()).collect(),
            authentication: authentication(spec.auth.as_ref(), given),
            key_algorithm: spec.auth.as_ref().and_then(generated).map(|key| Algorithm::from(key.algorithm).name()),
            consent: match spec.consent {
                Consent::Required => qlik::Consent::Required,
                Consent::Trusted => qlik::Consent::Trusted,
            },
            publish: spec.publish,
            turnover: Turnover::read(rotation),
            orphan: spec.deletion_policy == DeletionPolicy::Orphan,
            interval: duration::parse(&spec.interval).unwrap_or(INTERVAL),
        }
    }
}

fn authentication(auth: Option<&ClientAuth>, given: Option<Jwk>) -> Authentication {
    match (auth, given) {
        (Some(ClientAuth { client_secret: Some(_), .. }), _) => Authentication::Secret,
        (Some(ClientAuth { private_key_jwt: Some(_), .. }), Some(jwk)) => Authentication::GivenKey(Box::new(jwk)),
        (Some(ClientAuth { private_key_jwt: Some(_), .. }), None) => Authentication::GeneratedKey,
        (Some(_) | None, _) => Authentication::Public,
    }
}

fn generated(auth: &ClientAuth) -> Option<&GeneratedKey> {
    auth.private_key_jwt.as_ref()?.generate.as_ref()
}

fn rotation(auth: &ClientAuth) -> Option<&Rotation> {
    let secret = auth.client_secret.as_ref().and_then(|secret| secret.rotation.as_ref());
    secret.or_else(|| generated(auth)?.rotation.as_ref())
}
