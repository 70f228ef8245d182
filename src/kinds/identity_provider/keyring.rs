//! The Secret with which an app signs tokens: what it should say, and the key pairs that it carries.

use super::super::parent::Parent;
use crate::crd::{KeyAlgorithm, QlikIdentityProviderSpec, Reason, SecretTarget};
use crate::engine::Error;
use crate::keys::{Algorithm, PublicKey};
use crate::plan::identity_provider::{Keys, Pair};
use crate::plan::template::{self, Values};
use crate::qlik::Secret;
use crate::secrets::{self, Held};
use std::collections::BTreeMap;

/// The request for a new key that the Secret was last written for.
const ROTATED_FOR: &str = "qlik-operator.dev/rotated-for";
/// The key of the Secret with the private key that is about to take over.
const STAGED: &str = "next.privateKey";
/// What tokens of this login are for (<https://qlik.dev/authenticate/jwt/create-signed-tokens-for-jwt-authorization/>).
const AUDIENCE: &str = "qlik.api/login/jwt-session";

/// The Secret that a manifest asks for.
#[derive(Clone, Debug)]
pub(super) struct Keyring {
    pub(super) name: String,
    pub(super) algorithm: KeyAlgorithm,
    template: BTreeMap<String, String>,
    target: SecretTarget,
}

/// A private key with its public half.
#[derive(Clone, Debug)]
pub(super) struct PrivateKey {
    pub(super) private: Secret,
    pub(super) public: PublicKey,
}

impl PrivateKey {
    fn read(private: Secret) -> Option<Self> {
        PublicKey::of_private(&private).map(|public| Self { private, public })
    }

    fn pair(&self, algorithm: KeyAlgorithm) -> Pair {
        Pair { kid: self.public.thumbprint(), fits: self.public.fits(Algorithm::from(algorithm)) }
    }
}

/// The key pairs of a Secret.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs {
    pub(super) current: Option<PrivateKey>,
    pub(super) staged: Option<PrivateKey>,
}

impl Pairs {
    /// The public key of this name.
    pub(super) fn public(&self, kid: &str) -> Option<&PublicKey> {
        let all = [&self.current, &self.staged].into_iter().flatten();
        all.map(|pair| &pair.public).find(|public| public.thumbprint() == kid)
    }
}

impl Keyring {
    /// What the manifest asks for; `None` when no Secret is to be written.
    pub(super) fn read(spec: &QlikIdentityProviderSpec) -> Option<Self> {
        let generated = spec.jwt.as_ref()?.key.generate.as_ref()?;
        let target = generated.secret.clone();
        let template = target.template.clone().unwrap_or_else(default_template);
        Some(Self { name: target.name.clone(), algorithm: generated.algorithm, template, target })
    }

    /// The key pairs that a Secret of ours carries.
    pub(super) fn pairs(&self, held: &Held) -> Pairs {
        let named = template::key_of(&self.template, "privateKey").and_then(|key| held.value(key));
        // The template may have another name for it now than when the Secret was written.
        let others = || held.content().map(|(key, _)| key).filter(|key| *key != STAGED);
        let read = |key: &str| held.value(key).and_then(PrivateKey::read);
        Pairs {
            current: named.and_then(PrivateKey::read).or_else(|| others().find_map(read)),
            staged: held.value(STAGED).and_then(PrivateKey::read),
        }
    }

    /// The same for the decision. `issuer` is whose tokens the provider in use takes.
    pub(super) fn keys(&self, parent: &Parent, held: &Held, issuer: &str) -> Result<Keys, Error> {
        let pairs = self.pairs(held);
        Ok(Keys {
            current: pairs.current.as_ref().map(|key| key.pair(self.algorithm)),
            staged: pairs.staged.as_ref().map(|key| key.pair(self.algorithm)),
            in_sync: held.says(&self.content(parent, issuer, &pairs)?),
        })
    }

    /// What the Secret says.
    pub(super) fn content(&self, parent: &Parent, issuer: &str, pairs: &Pairs) -> Result<secrets::Content, Error> {
        let host = parent.host.hostname();
        let text = |text: String| Some(Secret::new(text));
        let current = pairs.current.as_ref();
        let values: Values<'_> = BTreeMap::from([
            ("hostname", text(host.to_string())),
            ("tenantUrl", text(format!("https://{host}"))),
            ("issuer", text(issuer.to_owned())),
            ("audience", text(AUDIENCE.to_owned())),
            ("algorithm", text(Algorithm::from(self.algorithm).name().to_owned())),
            ("keyId", current.and_then(|key| text(key.public.thumbprint()))),
            ("privateKey", current.map(|key| key.private.clone())),
            ("publicKey", current.and_then(|key| text(key.public.one_line_pem()))),
        ]);
        let mut data = template::render(&self.template, &values).map_err(|problem| Error::Misconfigured {
            reason: Reason::SpecInvalid,
            message: format!("spec.jwt.key.generate.secret.{problem}"),
        })?;
        if let Some(staged) = &pairs.staged {
            data.insert(STAGED.to_owned(), staged.private.clone());
        }
        Ok(secrets::Content {
            data,
            labels: self.target.labels.clone(),
            annotations: self.target.annotations.clone(),
            without: Vec::new(),
        })
    }
}

/// The request for a new key that the Secret was last written for.
pub(super) fn rotated_for(held: &Held) -> Option<&str> {
    held.annotation(ROTATED_FOR)
}

/// Notes the request for a new key that is acted on.
pub(super) fn note_rotation(content: &mut secrets::Content, asked: Option<&String>) {
    if let Some(asked) = asked {
        content.annotations.insert(ROTATED_FOR.to_owned(), asked.clone());
    }
}

fn default_template() -> BTreeMap<String, String> {
    let keys = [
        ("host", "tenantUrl"),
        ("issuer", "issuer"),
        ("keyId", "keyId"),
        ("audience", "audience"),
        ("algorithm", "algorithm"),
        ("privateKey", "privateKey"),
    ];
    keys.into_iter().map(|(key, name)| (key.to_owned(), format!("${{{name}}}"))).collect()
}
