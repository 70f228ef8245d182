//! The Secret that an app reads: what it should say, and what the one that stands there carries.

use super::super::parent::Parent;
use crate::crd::{ClientAuth, QlikOAuthClientSpec, Reason, SecretTarget};
use crate::engine::Error;
use crate::keys::{Algorithm, PublicKey};
use crate::plan::fingerprint::{self, Comparison, Fingerprint};
use crate::plan::oauth_client::{Carried, Content, Issued, Minting, SecretSeen};
use crate::plan::template::{self, Values};
use crate::qlik::Secret;
use crate::secrets::{self, Held, Target};
use std::collections::BTreeMap;

/// The client that the Secret is for.
const CLIENT_ID: &str = "qlik-operator.dev/client-id";
/// The secrets or keys that were made for it, without the secrets themselves.
const ISSUED: &str = "qlik-operator.dev/issued";
/// The announcement of a secret that is about to be made.
pub(super) const MINTING: &str = "qlik-operator.dev/minting";
/// The request for a rotation that was last acted on.
const ROTATED_FOR: &str = "qlik-operator.dev/rotated-for";

/// What is secret in a Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A client secret.
    ClientSecret,
    /// A private key.
    PrivateKey(Algorithm),
    /// Nothing.
    Nothing,
}

impl Kind {
    /// The name in a template of the value that makes the Secret work.
    const fn value(self) -> Option<&'static str> {
        match self {
            Self::ClientSecret => Some("clientSecret"),
            Self::PrivateKey(_) => Some("privateKey"),
            Self::Nothing => None,
        }
    }
}

/// The Secret that a manifest asks for.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) name: String,
    pub(super) kind: Kind,
    template: BTreeMap<String, String>,
    target: SecretTarget,
    scopes: Vec<String>,
}

impl Delivery {
    /// What the manifest asks for; `None` when no Secret is to be written.
    pub(super) fn read(spec: &QlikOAuthClientSpec) -> Option<Self> {
        let (target, kind) = match spec.auth.as_ref()? {
            ClientAuth { client_secret: Some(auth), .. } => (&auth.secret, Kind::ClientSecret),
            ClientAuth { private_key_jwt: Some(auth), .. } => {
                let generated = auth.generate.as_ref()?;
                (&generated.secret, Kind::PrivateKey(generated.algorithm.into()))
            }
            ClientAuth { none: Some(public), .. } => (&public.secret, Kind::Nothing),
            ClientAuth { client_secret: None, private_key_jwt: None, none: None } => return None,
        };
        let template = target.template.clone().unwrap_or_else(|| default_template(kind));
        let (name, target, scopes) = (target.name.clone(), target.clone(), spec.scopes.clone());
        Some(Self { name, kind, template, target, scopes })
    }

    /// What the Secret says.
    pub(super) fn content(
        &self,
        parent: &Parent,
        client_id: &str,
        issued: &[Issued],
        values: &Secrets,
    ) -> Result<secrets::Content, Error> {
        let mut all = self.values(parent, client_id, issued);
        if let Some(name) = self.kind.value() {
            all.insert(name, values.current.clone());
        }
        if self.kind == Kind::ClientSecret {
            all.insert("previousClientSecret", values.previous.clone());
        }
        let empty = |key: &str| {
            self.template.get(key).is_some_and(|text| {
                let mut names = template::names(text).into_iter();
                matches!((names.next(), names.next()), (Some(name), None)
                    if all.get(name).is_some_and(Option::is_none) && *text == format!("${{{name}}}"))
            })
        };
        let rendered = template::render(&self.template, &all).map_err(|problem| Error::Misconfigured {
            reason: Reason::SpecInvalid,
            message: format!("spec.auth: secret.{problem}"),
        })?;
        let data = rendered.into_iter().filter(|(key, _)| !empty(key)).collect();
        let annotations = [
            (CLIENT_ID.to_owned(), client_id.to_owned()),
            (ISSUED.to_owned(), serde_json::to_string(issued).unwrap_or_default()),
        ];
        Ok(secrets::Content {
            data,
            labels: self.target.labels.clone(),
            annotations: self.target.annotations.clone().into_iter().chain(annotations).collect(),
            without: Vec::new(),
        })
    }

    fn values(&self, parent: &Parent, client_id: &str, issued: &[Issued]) -> Values<'static> {
        let host = parent.host.hostname();
        let text = |text: String| Some(Secret::new(text));
        let mut all: Values<'static> = BTreeMap::from([
            ("hostname", text(host.to_string())),
            ("tenantUrl", text(format!("https://{host}"))),
            ("tokenUrl", text(format!("https://{host}/oauth/token"))),
            ("clientId", text(client_id.to_owned())),
            ("scopes", text(self.scopes.join(" "))),
        ]);
        if let Kind::PrivateKey(algorithm) = self.kind {
            // That of the key which stands beside it: another one counts from the next key on.
            let present = issued.first().and_then(|key| key.jwk.as_ref()).map(|jwk| jwk.alg.clone());
            all.insert("algorithm", text(present.unwrap_or_else(|| algorithm.name().to_owned())));
            all.insert("keyId", issued.first().and_then(|key| text(key.id.clone())));
        }
        all
    }

    /// The values that the Secret holds, each only if it is the one that was written there. Where the template names
    /// another key by now, the value still stands under the former one.
    pub(super) fn held(&self, held: &Held, issued: &[Issued], key: &fingerprint::Key) -> Secrets {
        let find = |name: &str, of: &[Issued]| {
            let genuine = |value: &Secret| of.iter().any(|issued| is_genuine(value, issued, (self.kind, key)));
            let under_its_key = template::key_of(&self.template, name).and_then(|key| held.value(key));
            let elsewhere = || held.content().filter_map(|(key, _)| held.value(key)).find(genuine);
            under_its_key.filter(genuine).or_else(elsewhere)
        };
        let (in_use, former) = issued.split_at(usize::from(issued.first().is_some_and(|i| i.retires_at.is_none())));
        let current = self.kind.value().and_then(|name| find(name, in_use));
        Secrets { current, previous: find("previousClientSecret", former), fresh: false }
    }

    /// The values as they stand in the Secret, whoever put them there.
    pub(super) fn as_they_stand(&self, held: &Held) -> Secrets {
        let value = |name: &str| template::key_of(&self.template, name).and_then(|key| held.value(key));
        Secrets { current: self.kind.value().and_then(value), previous: value("previousClientSecret"), fresh: false }
    }

    /// What the Secret under this name carries.
    pub(super) fn carried(&self, target: &Target, parent: &Parent) -> Result<SecretSeen, Error> {
        let held = match target {
            Target::Free => return Ok(SecretSeen::Free),
            Target::Former => return Ok(SecretSeen::Former),
            Target::Terminating => return Ok(SecretSeen::Terminating),
            Target::Foreign(owner) => return Ok(SecretSeen::Foreign(owner.clone())),
            Target::Ours(held) => held,
        };
        let key = fingerprint::Key::new(&parent.credential.client_secret);
        let client_id = held.annotation(CLIENT_ID).map(str::to_owned);
        let issued = issued(held);
        let values = self.held(held, &issued, &key);
        let expected = self.content(parent, client_id.as_deref().unwrap_or_default(), &issued, &values)?;
        let content = match values.current {
            None if self.kind != Kind::Nothing => Content::Lost,
            Some(_) | None if held.says(&expected) && is_fresh(&issued, &key) => Content::AsDeclared,
            Some(_) | None => Content::Repairable,
        };
        let minting = held.annotation(MINTING).and_then(|text| serde_json::from_str::<Minting>(text).ok());
        let minting = minting.map(|minting| (minting, crate::plan::intent::Call::Unknown));
        Ok(SecretSeen::Ours(Carried { client_id, issued, minting, content }))
    }
}

/// The secrets that a Secret holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets {
    /// The one in use.
    pub(super) current: Option<Secret>,
    /// The one from before, while it still works.
    pub(super) previous: Option<Secret>,
    /// The one in use was made just now, which answers a request for a rotation.
    pub(super) fresh: bool,
}

/// The secrets or keys that a Secret says were made for it. What cannot be read is as good as nothing: the client's own
/// list in Qlik Cloud then tells what there is.
pub(super) fn issued(held: &Held) -> Vec<Issued> {
    held.annotation(ISSUED).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The request for a rotation that the Secret was last written for.
pub(super) fn rotated_for(held: &Held) -> Option<&str> {
    held.annotation(ROTATED_FOR)
}

/// Notes the request for a rotation that is acted on.
pub(super) fn note_rotation(content: &mut secrets::Content, asked: Option<&String>) {
    if let Some(asked) = asked {
        content.annotations.insert(ROTATED_FOR.to_owned(), asked.clone());
    }
}

/// The fingerprint of a value.
pub(super) fn fingerprint(value: &Secret, key: &fingerprint::Key) -> String {
    key.of(&[("value", value.expose().as_bytes())]).to_string()
}

/// Whether a value is the one that was made. Where the key of the fingerprint changed, what Qlik Cloud itself shows of it
/// has to do: the hint of a secret, the public half of a key.
fn is_genuine(value: &Secret, issued: &Issued, (kind, key): (Kind, &fingerprint::Key)) -> bool {
    let now = key.of(&[("value", value.expose().as_bytes())]);
    let stored: Option<Fingerprint> = issued.fingerprint.as_deref().and_then(|text| text.parse().ok());
    match stored.map(|stored| fingerprint::compare(&stored, &now)) {
        Some(Comparison::Same) => true,
        Some(Comparison::Differs) => false,
        Some(Comparison::OtherKey) | None => match kind {
            Kind::ClientSecret => !issued.id.is_empty() && value.expose().starts_with(&issued.id),
            Kind::PrivateKey(_) | Kind::Nothing => {
                PublicKey::of_private(value).is_some_and(|key| key.thumbprint() == issued.id)
            }
        },
    }
}

/// Whether every fingerprint was made with the present key.
fn is_fresh(issued: &[Issued], key: &fingerprint::Key) -> bool {
    let prints = issued.iter().filter_map(|issued| issued.fingerprint.as_deref());
    prints.into_iter().all(|text| text.starts_with(key.id()))
}

/// The names that Qlik's own SDKs use (`host`, `clientId`, `clientSecret` of @qlik/api's host configuration), and what
/// else an app needs.
fn default_template(kind: Kind) -> BTreeMap<String, String> {
    let mut keys = vec![("host", "tenantUrl"), ("clientId", "clientId"), ("tokenUrl", "tokenUrl")];
    keys.extend_from_slice(match kind {
        Kind::ClientSecret => &[("clientSecret", "clientSecret"), ("previousClientSecret", "previousClientSecret")],
        Kind::PrivateKey(_) => &[("privateKey", "privateKey"), ("keyId", "keyId"), ("algorithm", "algorithm")],
        Kind::Nothing => &[],
    });
    keys.into_iter().map(|(key, name)| (key.to_owned(), format!("${{{name}}}"))).collect()
}
