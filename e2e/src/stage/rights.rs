//! What operators of a stage may do: what the chart's rendered rules say, and nothing else.

use super::Error;
use crate::chart::{Document, documents};
use crate::cluster::Cluster;
use crate::cluster::rights::GROUPS;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use tokio::sync::Mutex;

/// The group that operators are in.
pub const OPERATORS: &str = GROUPS[0];
/// The `ClusterRole` with every right on Secrets that an operator needs.
pub const SECRETS: &str = "qlik-operator-secrets";

/// As committed; another test compares it with what the chart renders.
fn rules() -> Result<Vec<Document>, Error> {
    Ok(documents(include_str!("../../../config/default/operator/rbac.yaml"))?)
}

/// The CRDs and the rights of operators, once for each control plane.
pub(super) async fn install(cluster: &'static Cluster) -> Result<(), Error> {
    static DONE: Mutex<BTreeSet<PathBuf>> = Mutex::const_new(BTreeSet::new());
    // Held until it is done: whoever comes second needs it just as well.
    let mut done = DONE.lock().await;
    if !done.contains(cluster.directory()) {
        cluster.apply_crds(&qlik_operator::cli::crds()).await?;
        let mut objects = Vec::new();
        for document in rules()? {
            match document.kind() {
                "ClusterRole" => objects.push(document.value),
                "ClusterRoleBinding" => objects.push(to_group(document.value, OPERATORS)),
                _ => {}
            }
        }
        apply(cluster, objects).await?;
        done.insert(cluster.directory().to_path_buf());
    }
    Ok(())
}

/// The rights of the operators of a group in their own namespace: the election, and what they keep there.
pub async fn own_namespace(cluster: &Cluster, namespace: &str, group: &str) -> Result<(), Error> {
    let mut objects = Vec::new();
    for Document { mut value, .. } in rules()?.into_iter().filter(|document| !document.namespace().is_empty()) {
        value["metadata"]["namespace"] = json!(namespace);
        objects.push(if value["kind"] == "RoleBinding" { to_group(value, group) } else { value });
    }
    apply(cluster, objects).await
}

/// Another group that has every right of an operator, except that it may only read and delete Secrets.
pub async fn limited(cluster: &Cluster, group: &str) -> Result<(), Error> {
    let mut objects = Vec::new();
    for Document { mut value, .. } in rules()?.into_iter().filter(|document| document.namespace().is_empty()) {
        let name = value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if value["kind"] == "ClusterRoleBinding" {
            value["metadata"]["name"] = json!(format!("{name}-{group}"));
            if name == SECRETS {
                value["roleRef"]["name"] = json!(format!("{name}-{group}"));
            }
            objects.push(to_group(value, group));
        } else if name == SECRETS {
            value["metadata"]["name"] = json!(format!("{name}-{group}"));
            value["rules"][0]["verbs"] = json!(["get", "delete"]);
            objects.push(value);
        }
    }
    apply(cluster, objects).await
}

/// The binding, with this group instead of the service account.
fn to_group(mut binding: Value, group: &str) -> Value {
    binding["subjects"] = json!([{ "kind": "Group", "name": group, "apiGroup": "rbac.authorization.k8s.io" }]);
    binding
}

async fn apply(cluster: &Cluster, objects: Vec<Value>) -> Result<(), Error> {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
    cluster.kubectl(&["apply", "-f", "-"], &list).await?.succeeded()?;
    Ok(())
}
