//! The only place where an identity provider's spec is interpreted.

use super::claims;
use crate::crd::{
    DeletionPolicy, IdTokenAlgorithm, JwtProvider, KeyAlgorithm, OidcEndpoints, OidcProvider, QlikIdentityProviderSpec,
    Rotation, SamlProvider, Verification,
};
use crate::plan::duration;
use crate::plan::marker::Marker;
use crate::qlik::Protocol;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;

/// What the manifest asks for.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one field of the manifest")]
pub struct Desired {
    /// The protocol.
    pub protocol: Protocol,
    /// Whose product it is, in Qlik's word.
    pub product: &'static str,
    /// People log in through it.
    pub interactive: bool,
    /// It is meant to be in use.
    pub active: bool,
    /// Description, with the mark.
    pub description: String,
    /// How far its clock may be off, in seconds. Left alone when absent.
    pub clock_tolerance_sec: Option<i32>,
    /// Whether people who log in for the first time become users. Left alone when absent.
    pub create_new_users_on_login: Option<bool>,
    /// Where people go after they log out.
    pub post_logout_redirect_uri: Option<String>,
    /// The options, without the client secret and without keys.
    pub options: Value,
    /// A human tries the login before it is used.
    pub tried: bool,
    /// Where the key of signed tokens comes from.
    pub key: KeySource,
    /// When a generated key is replaced.
    pub turnover: Turnover,
    /// A deletion leaves the provider in Qlik Cloud.
    pub orphan: bool,
    /// How often to look for drift.
    pub interval: Duration,
}

/// Where the key of signed tokens comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// There is none.
    None,
    /// The manifest refers to a public key.
    Given {
        /// Its name in tokens.
        kid: String,
        /// The key, on one line.
        pem: String,
    },
    /// The operator makes it.
    Generated(KeyAlgorithm),
}

/// When a generated key is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turnover {
    /// How often; never by itself when absent.
    pub every: Option<Duration>,
    /// How long the former one still works.
    pub overlap: Duration,
}

/// How long a replaced key still works where the manifest does not say.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);
const INTERVAL: Duration = Duration::from_secs(1800);

impl Desired {
    /// Reads a spec. `given` is the public key that it refers to, on one line, where it does.
    pub fn read(spec: &QlikIdentityProviderSpec, marker: &Marker, given: Option<String>) -> Self {
        let (protocol, product, options) = match (&spec.oidc, &spec.saml, &spec.jwt) {
            (Some(oidc), _, _) => (Protocol::Oidc, oidc.provider.as_str(), oidc_options(oidc)),
            (None, Some(saml), _) => (Protocol::Saml, saml.provider.as_str(), saml_options(saml)),
            (None, None, Some(jwt)) => (Protocol::Jwt, EXTERNAL, json!({ "issuer": jwt.issuer })),
            // The schema refuses it; nothing is ever made of a protocol that cannot be made.
            (None, None, None) => (Protocol::Other, EXTERNAL, json!({})),
        };
        let interactive = match protocol {
            Protocol::Oidc => spec.oidc.as_ref().is_some_and(|oidc| oidc.interactive),
            Protocol::Saml => true,
            Protocol::Jwt | Protocol::Other => false,
        };
        let generated = spec.jwt.as_ref().and_then(|jwt| jwt.key.generate.as_ref());
        Self {
            protocol,
            product,
            interactive,
            active: spec.active,
            description: marker.mark(spec.description.as_deref()),
            clock_tolerance_sec: spec.clock_tolerance_sec,
            create_new_users_on_login: spec.create_new_users_on_login,
            post_logout_redirect_uri: spec.post_logout_redirect_uri.clone(),
            options,
            tried: interactive && spec.verification == Verification::Browser,
            key: key_source(spec.jwt.as_ref(), given),
            turnover: Turnover::read(generated.and_then(|pair| pair.rotation.as_ref())),
            orphan: spec.deletion_policy == DeletionPolicy::Orphan,
            interval: duration::parse(&spec.interval).unwrap_or(INTERVAL),
        }
    }

    /// It takes the place of the login with a Qlik Account, so there can be only one.
    pub fn reigns(&self) -> bool {
        self.interactive && self.active
    }

    /// The issuer of tokens.
    pub fn issuer(&self) -> &str {
        self.options.get("issuer").and_then(Value::as_str).unwrap_or_default()
    }
}

/// What Qlik calls the product of a provider that takes signed tokens.
const EXTERNAL: &str = "external";

impl Turnover {
    fn read(rotation: Option<&Rotation>) -> Self {
        let every = rotation.and_then(|r| duration::parse(&r.every));
        let overlap = rotation.and_then(|r| duration::parse(&r.overlap)).unwrap_or(OVERLAP);
        Self { every, overlap }
    }
}

fn key_source(jwt: Option<&JwtProvider>, given: Option<String>) -> KeySource {
    let Some(JwtProvider { key, .. }) = jwt else { return KeySource::None };
    match (&key.generate, given) {
        (Some(pair), _) => KeySource::Generated(pair.algorithm),
        (None, Some(pem)) => KeySource::Given { kid: key.kid.clone().unwrap_or_default(), pem },
        (None, None) => KeySource::None,
    }
}

fn oidc_options(oidc: &OidcProvider) -> Value {
    let mut options = json!({
        "claimsMapping": if oidc.interactive {
            claims::of_login(oidc.provider, oidc.claims.as_ref())
        } else {
            claims::of_machine(oidc.provider, oidc.claims.as_ref())
        },
    });
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            options[name] = value;
        }
    };
    put("discoveryUrl", oidc.discovery_url.as_ref().map(|url| json!(url)));
    put("openid_configuration", oidc.endpoints.as_ref().map(endpoints));
    put("clientId", oidc.client_id.as_ref().map(|id| json!(id)));
    put("realm", oidc.realm.as_ref().map(|realm| json!(realm)));
    put("scope", oidc.scope.as_ref().map(|scope| json!(scope)));
    let algorithm = oidc.id_token_signature_alg.map(|algorithm| match algorithm {
        IdTokenAlgorithm::RS256 => "RS256",
        IdTokenAlgorithm::RS512 => "RS512",
    });
    put("idTokenSignatureAlg", algorithm.map(|name| json!(name)));
    put("useClaimsFromIdToken", oidc.use_claims_from_id_token.map(|yes| json!(yes)));
    put("blockOfflineAccessScope", oidc.block_offline_access_scope.map(|yes| json!(yes)));
    put("emailVerifiedAlwaysTrue", oidc.email_verified_always_true.map(|yes| json!(yes)));
    put("audience", oidc.audience.as_ref().map(|audience| json!(audience)));
    put("allowedClientIds", Some(json!(oidc.allowed_client_ids)).filter(|_| !oidc.allowed_client_ids.is_empty()));
    options
}

fn endpoints(endpoints: &OidcEndpoints) -> Value {
    let mut all = json!({
        "issuer": endpoints.issuer,
        "jwks_uri": endpoints.jwks_uri,
        "token_endpoint": endpoints.token_endpoint,
        "authorization_endpoint": endpoints.authorization_endpoint,
    });
    for (name, url) in [
        ("userinfo_endpoint", &endpoints.userinfo_endpoint),
        ("end_session_endpoint", &endpoints.end_session_endpoint),
        ("introspection_endpoint", &endpoints.introspection_endpoint),
    ] {
        if let Some(url) = url {
            all[name] = json!(url);
        }
    }
    all
}

fn saml_options(saml: &SamlProvider) -> Value {
    let mut options = json!({
        "claimsMapping": claims::of_saml(saml.provider, saml.claims.as_ref()),
        "allowIdpInitiatedLogin": saml.allow_idp_initiated_login,
    });
    if let Some(format) = saml.name_id_format {
        options["nameIdFormat"] = json!(format.as_str());
    }
    if let Some(metadata) = &saml.metadata {
        options["metadata"] = json!({ "raw": STANDARD.encode(metadata) });
        return options;
    }
    options["entityId"] = json!(saml.entity_id);
    options["signOnUrl"] = json!(saml.sign_on_url);
    let certificates = saml.certificates.iter().map(|given| {
        let pem = one_line(&given.certificate);
        let mut all = json!({ "certificate": pem, "signature": given.signature, "encryption": given.encryption });
        if let Some(name) = &given.name {
            all["name"] = json!(name);
        }
        all
    });
    options["certificates"] = certificates.collect();
    options
}

/// A PEM on one line: Qlik demands it of keys, and takes it everywhere.
pub(super) fn one_line(pem: &str) -> String {
    const MARK: &str = "-----";
    let mut parts = pem.trim().split(MARK).map(str::trim);
    // "", "BEGIN X", content, "END X", ""
    match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(""), Some(begin), Some(content), Some(end), Some(""), None) => {
            let content: String = content.split_whitespace().collect();
            format!("{MARK}{begin}{MARK}{content}{MARK}{end}{MARK}")
        }
        _ => pem.trim().to_owned(),
    }
}
