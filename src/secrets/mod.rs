//! Secrets: read and written by name, never cached, never listed.

mod target;

pub use target::{Content, Held, Target, look, write};

use crate::crd::Reason;
use crate::engine::{Error, within};
use crate::qlik::{Credential, Secret};
use k8s_openapi::api::core::v1::Secret as KubeSecret;
use kube::api::{Api, DeleteParams, Preconditions};

/// What is known of a Secret without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Its uid.
    pub uid: String,
    /// It is being deleted and something holds it.
    pub terminating: bool,
    /// Uid of the object that controls it.
    pub controller: Option<String>,
}

/// The OAuth client in a Secret with the keys `clientId` and `clientSecret`.
pub async fn credential(client: &kube::Client, namespace: &str, name: &str) -> Result<Credential, Error> {
    let secret = get(client, namespace, name, Reason::CredentialsMissing).await?;
    let client_id = value(&secret, name, "clientId", Reason::CredentialsMissing)?;
    let client_secret = value(&secret, name, "clientSecret", Reason::CredentialsMissing)?;
    let client_id = client_id.expose().parse().map_err(|e| Error::Missing {
        reason: Reason::CredentialsMissing,
        message: format!("Secret {name}: clientId {e}"),
    })?;
    Ok(Credential { client_id, client_secret })
}

/// A license key.
pub async fn license_key(client: &kube::Client, namespace: &str, name: &str, key: &str) -> Result<Secret, Error> {
    let secret = get(client, namespace, name, Reason::LicenseMissing).await?;
    value(&secret, name, key, Reason::LicenseMissing)
}

/// One value of a Secret that a child of a tenant refers to. One that is there and cannot be used waits for a human.
pub async fn referenced(client: &kube::Client, namespace: &str, name: &str, key: &str) -> Result<Secret, Error> {
    let secret = get(client, namespace, name, Reason::SecretMissing).await?;
    text(&secret, key).map_err(|flaw| {
        let message = format!("Secret {name}: key {key} {flaw}");
        match flaw {
            Flaw::NotThere => Error::Missing { reason: Reason::SecretMissing, message },
            Flaw::Empty | Flaw::NotText | Flaw::TooLong => {
                Error::Misconfigured { reason: Reason::SecretInvalid, message }
            }
        }
    })
}

async fn get(client: &kube::Client, namespace: &str, name: &str, reason: Reason) -> Result<KubeSecret, Error> {
    let api: Api<KubeSecret> = Api::namespaced(client.clone(), namespace);
    within("read a Secret", api.get_opt(name)).await?.ok_or_else(|| Error::Missing {
        reason,
        message: format!("Secret {name} does not exist in this namespace: create it, or correct the reference"),
    })
}

fn value(secret: &KubeSecret, name: &str, key: &str, reason: Reason) -> Result<Secret, Error> {
    let missing = |flaw| Error::Missing { reason, message: format!("Secret {name}: key {key} {flaw}") };
    text(secret, key).map_err(missing)
}

/// What is wrong with a value. Nothing of it is repeated.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Flaw {
    #[error("is not there: add it, or correct the reference")]
    NotThere,
    #[error("is empty: write the value there")]
    Empty,
    #[error("is not text (UTF-8): write the value there as text, not in a binary or UTF-16 form")]
    NotText,
    #[error("is longer than {LONGEST} bytes: write nothing but this one value there")]
    TooLong,
}

/// More than any key, certificate or secret has. What is longer is a mistake, and is not sent anywhere.
const LONGEST: usize = 64 * 1024;

fn text(secret: &KubeSecret, key: &str) -> Result<Secret, Flaw> {
    let bytes = secret.data.as_ref().and_then(|data| data.get(key)).ok_or(Flaw::NotThere)?;
    if bytes.0.len() > LONGEST {
        return Err(Flaw::TooLong);
    }
    let text = std::str::from_utf8(&bytes.0).map_err(|_| Flaw::NotText)?.trim();
    if text.is_empty() { Err(Flaw::Empty) } else { Ok(Secret::new(text)) }
}

/// Whether a Secret is there; its content is dropped at once.
pub async fn presence(client: &kube::Client, namespace: &str, name: &str) -> Result<Option<Presence>, Error> {
    let api: Api<KubeSecret> = Api::namespaced(client.clone(), namespace);
    let meta = within("look for a Secret", api.get_metadata_opt(name)).await?.map(|found| found.metadata);
    Ok(meta.map(|meta| Presence {
        controller: meta.owner_references.into_iter().flatten().find(|r| r.controller == Some(true)).map(|r| r.uid),
        uid: meta.uid.unwrap_or_default(),
        terminating: meta.deletion_timestamp.is_some(),
    }))
}

/// Deletes exactly this Secret: one of the same name that was made meanwhile stays. One that is gone is fine.
pub async fn delete(client: &kube::Client, namespace: &str, name: &str, uid: &str) -> Result<(), Error> {
    let api: Api<KubeSecret> = Api::namespaced(client.clone(), namespace);
    let exactly = DeleteParams {
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
        ..DeleteParams::default()
    };
    match within("delete a Secret", api.delete(name, &exactly)).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}
