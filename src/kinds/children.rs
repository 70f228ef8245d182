//! The Secrets of every child of a namespace: what is written for its apps, and what it refers to.

use super::parent::Child;
use crate::crd::{QlikIdentityProvider, QlikOAuthClient, Reason};
use crate::engine::{Error, Lean, within};
use kube::api::{Api, ListParams};

/// The Secrets of one child.
#[derive(Clone, Debug)]
pub(super) struct ChildSecrets {
    kind: String,
    name: String,
    pub(super) uid: String,
    /// The tenant that it names.
    pub(super) tenant: String,
    /// Secrets that the operator writes for it.
    pub(super) writes: Vec<String>,
    /// Secrets that it refers to.
    pub(super) reads: Vec<String>,
}

impl ChildSecrets {
    /// Names the child for people.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

/// All of a namespace. Listed live: what was added a moment ago counts.
pub(super) async fn of_namespace(client: &kube::Client, namespace: &str) -> Result<Vec<ChildSecrets>, Error> {
    let mut all = list::<QlikIdentityProvider>(client, namespace).await?;
    all.extend(list::<QlikOAuthClient>(client, namespace).await?);
    Ok(all)
}

async fn list<K: Child>(client: &kube::Client, namespace: &str) -> Result<Vec<ChildSecrets>, Error> {
    let api: Api<Lean<K>> = Api::namespaced(client.clone(), namespace);
    let all = within("list the children of the tenant", api.list(&ListParams::default())).await?;
    all.items.into_iter().map(read::<K>).collect()
}

fn read<K: Child>(lean: Lean<K>) -> Result<ChildSecrets, Error> {
    let kind = K::kind(&()).into_owned();
    let child = lean.0.0.map_err(|e| Error::Misconfigured {
        reason: Reason::ErasePending,
        message: format!(
            "{kind} {} cannot be understood, so which Secrets it has is not known: mend or remove it",
            e.metadata.name.unwrap_or_default()
        ),
    })?;
    let (writes, reads) = child.secrets();
    Ok(ChildSecrets {
        kind,
        name: child.meta().name.clone().unwrap_or_default(),
        uid: child.meta().uid.clone().unwrap_or_default(),
        tenant: child.tenant_ref().name.clone(),
        writes,
        reads,
    })
}
