//! Manifests, and kubectl as users send them by it.

use e2e::cluster::Output;
use e2e::stage::{Setup, Stage};
use serde::de::DeserializeOwned;

/// A stage without an operator: only the API server judges.
pub(crate) async fn stage(prefix: &str) -> Stage {
    Stage::new(Setup::new(prefix)).await.unwrap()
}

/// A whole manifest of a tenant from what stands below `spec:`.
pub(crate) fn tenant(name: &str, spec: &str) -> String {
    object("QlikTenant", name, spec)
}

/// The same of an OAuth client.
pub(crate) fn client(name: &str, spec: &str) -> String {
    object("QlikOAuthClient", name, spec)
}

/// The same of an identity provider.
pub(crate) fn provider(name: &str, spec: &str) -> String {
    object("QlikIdentityProvider", name, spec)
}

fn object(kind: &str, name: &str, spec: &str) -> String {
    let lines = spec.lines().filter(|line| !line.is_empty());
    let spec = lines.fold(String::new(), |spec, line| spec + "  " + line + "\n");
    format!("apiVersion: qlik-operator.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n{spec}")
}

/// Reads YAML the way the API server does, over JSON: there `30` is a number, whatever the field would like.
pub(crate) fn read<T: DeserializeOwned>(yaml: &str) -> Result<T, String> {
    let json = serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?;
    serde_json::from_value(json).map_err(|error| error.to_string())
}

/// What kubectl would say to a manifest.
pub(crate) async fn try_out(stage: &Stage, manifest: &str) -> Output {
    let args = ["apply", "--namespace", stage.ns(), "--dry-run=server", "--output=yaml", "--filename=-"];
    stage.cluster.kubectl(&args, manifest).await.unwrap()
}

/// Why kubectl did not show these words when it was to apply a manifest; nothing when it did.
pub(crate) async fn not_shown(stage: &Stage, manifest: &str, says: &str) -> Option<String> {
    let answer = try_out(stage, manifest).await;
    if answer.success() {
        return Some(format!("accepted, where it should have said: {says}"));
    }
    (!answer.stderr.contains(says)).then(|| format!("should have said: {says}\nbut said: {}", answer.stderr))
}
