//! Manifests as the API server gets them from kubectl, without a program in between: strict about fields that it does not
//! know, and as a dry run.

use super::kubectl::read;
use e2e::stage::Stage;
use http::{Method, Request};
use serde_json::Value;

const STRICT: &str = "fieldManager=platform-engineer&fieldValidation=Strict";

/// Stores a manifest.
pub(crate) async fn create(stage: &Stage, manifest: &str) {
    let object = read(manifest).unwrap();
    ask(stage, (Method::POST, &collection(stage, &object), STRICT), Some(&object)).await.unwrap();
}

/// What would become of a manifest: the object with its defaults, or what the API server says against it.
pub(crate) async fn judge(stage: &Stage, manifest: &str) -> Result<Value, String> {
    let mut object: Value = read(manifest)?;
    let collection = collection(stage, &object);
    let path = format!("{collection}/{}", object["metadata"]["name"].as_str().unwrap_or_default());
    let dry = format!("{STRICT}&dryRun=All");
    match ask(stage, (Method::GET, &path, ""), None).await {
        Ok(there) => {
            object["metadata"]["resourceVersion"] = there["metadata"]["resourceVersion"].clone();
            ask(stage, (Method::PUT, &path, &dry), Some(&object)).await
        }
        Err(_) => ask(stage, (Method::POST, &collection, &dry), Some(&object)).await,
    }
}

/// Why the API server did not refuse a manifest with these words; nothing when it did.
pub(crate) async fn not_refused(stage: &Stage, manifest: &str, says: &str) -> Option<String> {
    match judge(stage, manifest).await {
        Ok(_) => Some(format!("accepted, where it should have said: {says}")),
        Err(said) => (!said.contains(says)).then(|| format!("should have said: {says}\nbut said: {said}")),
    }
}

fn collection(stage: &Stage, object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
    format!("/apis/{}/namespaces/{}/{kind}s", object["apiVersion"].as_str().unwrap_or_default(), stage.ns())
}

async fn ask(
    stage: &Stage,
    (method, path, query): (Method, &str, &str),
    object: Option<&Value>,
) -> Result<Value, String> {
    let body = object.map(Value::to_string).unwrap_or_default().into_bytes();
    let request = Request::builder().method(method).uri(format!("{path}?{query}"));
    let request = request.header("content-type", "application/json").body(body).unwrap();
    stage.admin().request(request).await.map_err(|error| match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    })
}
