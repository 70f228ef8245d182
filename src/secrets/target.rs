//! Secrets that the operator writes. One of somebody else is never touched: what counts is the controller reference by
//! uid, and each write names the version that it was decided on.

use crate::engine::{Error, Managed, within};
use crate::qlik::Secret;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret as KubeSecret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, PostParams};
use kube::core::ObjectMeta;
use std::collections::BTreeMap;
use std::fmt;

/// The label of every Secret that the operator writes.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "qlik-operator");

/// What stands under the name of a Secret that is to be written.
#[derive(Clone, Debug)]
pub enum Target {
    /// Nothing.
    Free,
    /// Our own.
    Ours(Box<Held>),
    /// One of an object of the same kind and name that is gone; Kubernetes is about to collect it.
    Former,
    /// It is being deleted.
    Terminating,
    /// Somebody else's, as people would name the owner.
    Foreign(String),
}

/// A Secret of our own. Its content does not print.
#[derive(Clone)]
pub struct Held {
    secret: KubeSecret,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("uid", &self.secret.metadata.uid).finish_non_exhaustive()
    }
}

impl Held {
    /// One of its annotations.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.secret.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// Whether it is the very same version.
    pub fn is_same_version(&self, other: &Self) -> bool {
        let version = |held: &Self| (held.secret.metadata.uid.clone(), held.secret.metadata.resource_version.clone());
        version(self) == version(other)
    }

    /// One of its values, if it is text.
    pub fn value(&self, key: &str) -> Option<Secret> {
        let bytes = self.secret.data.as_ref()?.get(key)?;
        std::str::from_utf8(&bytes.0).ok().map(Secret::new)
    }

    /// Its content, sorted by key.
    pub fn content(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.secret.data.iter().flatten().map(|(key, value)| (key.as_str(), value.0.as_slice()))
    }

    /// Whether it says exactly this, with at least these labels and annotations.
    pub fn says(&self, content: &Content) -> bool {
        let same = |(key, value): (&str, &[u8])| content.data.get(key).is_some_and(|v| v.expose().as_bytes() == value);
        let has = |have: &Option<BTreeMap<String, String>>, want: &BTreeMap<String, String>| {
            want.iter().all(|(key, value)| have.as_ref().and_then(|have| have.get(key)) == Some(value))
        };
        let meta = &self.secret.metadata;
        self.content().count() == content.data.len()
            && self.content().all(same)
            && has(&meta.labels, &content.labels)
            && has(&meta.annotations, &content.annotations)
    }
}

/// What a Secret is to say.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Its values.
    pub data: BTreeMap<String, Secret>,
    /// Its labels, beside those that others put there.
    pub labels: BTreeMap<String, String>,
    /// Its annotations, beside those that others put there.
    pub annotations: BTreeMap<String, String>,
    /// Annotations to take off.
    pub without: Vec<&'static str>,
}

/// Looks at the Secret of this name, on behalf of `owner`.
pub async fn look<K: Managed>(client: &kube::Client, owner: &K, name: &str) -> Result<Target, Error> {
    let Some(secret) = within("read a Secret", api(client, owner).get_opt(name)).await? else {
        return Ok(Target::Free);
    };
    Ok(classify(secret, owner))
}

fn classify<K: Managed>(secret: KubeSecret, owner: &K) -> Target {
    let references = secret.metadata.owner_references.clone().unwrap_or_default();
    let controller = references.into_iter().find(|reference| reference.controller == Some(true));
    let ours = reference(owner);
    match controller {
        Some(found) if found.uid == ours.uid && secret.metadata.deletion_timestamp.is_some() => Target::Terminating,
        Some(found) if found.uid == ours.uid => Target::Ours(Box::new(Held { secret })),
        // Names are unique while they last: an owner of our own name with another uid is gone.
        Some(found)
            if (&found.kind, &found.name) == (&ours.kind, &ours.name) && found.api_version == ours.api_version =>
        {
            Target::Former
        }
        Some(found) => Target::Foreign(format!("{} {}", found.kind, found.name)),
        None => Target::Foreign("somebody else (it has no controller reference)".to_owned()),
    }
}

/// Writes the Secret: a new one, or over our own as it was seen. Losing a race is [`Error::Raced`].
pub async fn write<K: Managed>(
    client: &kube::Client,
    owner: &K,
    (name, seen): (&str, Option<&Held>),
    content: &Content,
) -> Result<Held, Error> {
    let api = api(client, owner);
    let (secret, what) = match seen {
        None => {
            let metadata = ObjectMeta {
                name: Some(name.to_owned()),
                namespace: owner.meta().namespace.clone(),
                owner_references: Some(vec![reference(owner)]),
                ..ObjectMeta::default()
            };
            (KubeSecret { metadata, type_: Some("Opaque".to_owned()), ..KubeSecret::default() }, "create a Secret")
        }
        Some(held) => (held.secret.clone(), "write a Secret"),
    };
    let secret = filled(secret, content);
    let written = match seen {
        None => within(what, api.create(&params(), &secret)).await?,
        Some(_) => within(what, api.replace(name, &params(), &secret)).await?,
    };
    Ok(Held { secret: written })
}

fn filled(mut secret: KubeSecret, content: &Content) -> KubeSecret {
    let data = content.data.iter().map(|(key, value)| (key.clone(), ByteString(value.expose().into())));
    secret.data = Some(data.collect());
    secret.string_data = None;
    secret.metadata.managed_fields = None;
    let labels = secret.metadata.labels.get_or_insert_default();
    labels.extend(content.labels.clone());
    labels.insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned());
    let annotations = secret.metadata.annotations.get_or_insert_default();
    annotations.retain(|key, _| !content.without.contains(&key.as_str()));
    annotations.extend(content.annotations.clone());
    secret
}

fn params() -> PostParams {
    PostParams { field_manager: Some("qlik-operator".to_owned()), ..PostParams::default() }
}

fn api<K: Managed>(client: &kube::Client, owner: &K) -> Api<KubeSecret> {
    Api::namespaced(client.clone(), owner.meta().namespace.as_deref().unwrap_or_default())
}

fn reference<K: Managed>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: owner.meta().name.clone().unwrap_or_default(),
        uid: owner.meta().uid.clone().unwrap_or_default(),
        controller: Some(true),
        // Without blockOwnerDeletion: setting it asks for a right on the owner's finalizers that nothing here needs.
        block_owner_deletion: None,
    }
}
