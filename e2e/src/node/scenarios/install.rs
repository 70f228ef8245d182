//! The chart, installed as its README says.

use super::fact;
use crate::node::Error;
use crate::node::ground::{CUSTOMERS, Ground, RELEASE, SYSTEM};
use crate::node::network::WORLD;
use crate::node::pod::Pod;
use serde_json::json;
use std::fs;

pub(super) const CHART: &str = "charts/qlik-operator";
pub(super) const IMAGE: &str = "localhost/qlik-operator";

pub(super) async fn run(ground: &Ground) -> Result<Vec<String>, Error> {
    prepare(ground).await?;
    let refused = refused(ground).await?;
    let values = values(ground, "")?;
    ground.helm(&install_args("install"), &values).await?;
    let pod = Pod::ready(ground).await?;
    Ok(vec![
        fact(format!("a pod that may do more is refused: {refused}"), refused.contains("violates PodSecurity"))?,
        fact(
            format!("{} runs {}", pod.name, pod.image),
            pod.image == format!("{IMAGE}:{}", env!("CARGO_PKG_VERSION")),
        )?,
        fact("it was ready without a restart".to_owned(), pod.restarts == 0)?,
    ])
}

pub(super) fn install_args(command: &str) -> [&str; 10] {
    [command, RELEASE, CHART, "--namespace", SYSTEM, "--wait", "--timeout", "180s", "--values", "-"]
}

/// What the chart is given. The tag is the chart's own where none is.
pub(super) fn values(ground: &Ground, tag: &str) -> Result<String, Error> {
    let port = ground.sim.tls().ok_or("Qlik Cloud does not listen")?.port();
    let values = json!({
        "image": { "repository": IMAGE, "tag": tag, "pullPolicy": "Never" },
        "regions": { "us": { "existingSecret": "qlik-us", "namespaces": [CUSTOMERS] } },
        "organization": { "existingSecret": "qlik-organization" },
        "qlik": { "caConfigMap": { "name": "qlik-ca" }, "connectTo": format!("{WORLD}:{port}") },
    });
    Ok(values.to_string())
}

/// The namespaces, and what the operator finds in its own.
async fn prepare(ground: &Ground) -> Result<(), Error> {
    let ready = ground.sim.ready();
    let ca = fs::read_to_string(ready.ca_file.as_ref().ok_or("Qlik Cloud has no authority")?)?;
    let us = ready.regional.get("us").cloned().unwrap_or_default();
    let restricted = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": SYSTEM, "labels": restricted } },
        { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": CUSTOMERS } },
        { "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "qlik-ca", "namespace": SYSTEM },
          "data": { "ca.crt": ca } },
        credentials("qlik-us", SYSTEM, (&us.client_id, &us.client_secret)),
        credentials("qlik-organization", SYSTEM, (&ready.organization.client_id, &ready.organization.client_secret)),
    ] });
    ground.kubectl(&["apply", "-f", "-"], &list.to_string()).await?;
    Ok(())
}

pub(super) fn credentials(name: &str, namespace: &str, (id, secret): (&str, &str)) -> serde_json::Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name, "namespace": namespace },
        "stringData": { "clientId": id, "clientSecret": secret },
    })
}

/// What the API server says to a pod that asks for more than `restricted` allows.
async fn refused(ground: &Ground) -> Result<String, Error> {
    let args = ["run", "greedy", "--namespace", SYSTEM, "--image", "localhost/pause:local"];
    let output = ground.cluster.kubectl(&args, "").await?;
    let line = output.stderr.lines().next().unwrap_or_default();
    Ok(line.chars().take(110).collect())
}
