//! What was valid then and is not now: nothing is done with it, and its author is told what to change.

use super::stage;
use e2e::stage::{Error, Stage, child_manifest, is_ready, manifest};
use serde_json::{Value, json};

/// Today's definitions with another schema of each kind.
pub(crate) fn changed(change: impl Fn(&mut Value)) -> String {
    let mut documents: Vec<Value> = serde_saphyr::from_multiple(&qlik_operator::cli::crds()).unwrap();
    for document in &mut documents {
        change(document.pointer_mut("/spec/versions/0/schema/openAPIV3Schema").unwrap());
    }
    documents.iter().fold(String::new(), |text, document| format!("{text}---\n{document}\n"))
}

/// The schema of a spec as it would have been without any of the rules that came later.
fn lax(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            // A list by key needs its key to be required.
            let lists = ["x-kubernetes-list-type", "x-kubernetes-list-map-keys"];
            fields.retain(|name, _| !lists.contains(&name.as_str()));
            let rules = ["x-kubernetes-validations", "minimum", "maximum", "minLength", "maxLength", "pattern", "enum"];
            fields.retain(|name, value| !(rules.contains(&name.as_str()) || name == "required" && value.is_array()));
            fields.values_mut().for_each(lax);
        }
        Value::Array(items) => items.iter_mut().for_each(lax),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Name, kind, the whole spec, and what its author is told.
const STORED: [(&str, &str, &str, &[&str]); 9] = [
    ("region", "QlikTenant", "region: mars\nlicense: {keyRef: {name: qlik-license}}", &["mars"]),
    ("no-license", "QlikTenant", "region: us", &["license"]),
    (
        "days",
        "QlikTenant",
        "region: us\nlicense: {keyRef: {name: qlik-license}}\noffboarding: {purgeAfterDays: 5}",
        &["spec.offboarding.purgeAfterDays", "10"],
    ),
    (
        "lifecycle",
        "QlikTenant",
        "region: us\nlicense: {keyRef: {name: qlik-license}}\nlifecycle: Paused",
        &["Paused", "Deactivated"],
    ),
    (
        "alias",
        "QlikTenant",
        "region: us\nlicense: {keyRef: {name: qlik-license}}\nalias: 'not a host'",
        &["spec.alias"],
    ),
    (
        "interval",
        "QlikTenant",
        "region: us\nlicense: {keyRef: {name: qlik-license}}\ninterval: often",
        &["spec.interval"],
    ),
    ("type", "QlikOAuthClient", "tenantRef: {name: good}\nclientName: x\nappType: desktop", &["desktop"]),
    ("no-redirect", "QlikOAuthClient", "tenantRef: {name: good}\nclientName: x\nappType: spa", &["redirectUris"]),
    ("no-protocol", "QlikIdentityProvider", "tenantRef: {name: good}", &["oidc", "saml", "jwt"]),
];

#[tokio::test]
async fn what_later_rules_do_not_allow_rests_and_says_why() {
    let (_turn, stage) = stage("stricter").await.unwrap();
    stage.cluster.apply_crds(&changed(|schema| lax(&mut schema["properties"]["spec"]))).await.unwrap();
    stage.apply(&manifest("good", "alias: good")).await.unwrap();
    for (name, kind, spec, _) in STORED {
        stage.apply(&object(name, kind, spec)).await.unwrap();
    }
    stage.cluster.apply_crds(&qlik_operator::cli::crds()).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    stage.until("good", "is ready", is_ready).await.unwrap();
    let mut wrong = Vec::new();
    for (name, kind, _, words) in STORED {
        let message = told(&stage, kind, name).await.unwrap();
        if !words.iter().all(|word| message.contains(word)) {
            wrong.push(format!("{name}: {message}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // One tenant for the one good manifest, and nothing inside it.
    assert_eq!(stage.called("POST", "/api/v1/tenants"), 1);
    assert_eq!(stage.called("POST", "/oauth-clients") + stage.called("POST", "/identity-providers"), 0);

    // A corrected one goes on.
    let corrected = json!({ "spec": { "offboarding": { "purgeAfterDays": 10 } } });
    stage.patch("days", corrected).await.unwrap();
    stage.until("days", "is ready", is_ready).await.unwrap();
    // One that nobody corrects can be deleted.
    for (name, kind, ..) in STORED {
        stage.kubectl(&["delete", kind, name, "--timeout=60s"]).await.unwrap();
    }
}

fn object(name: &str, kind: &str, spec: &str) -> String {
    if kind != "QlikTenant" {
        return child_manifest(kind, (name, "good"), spec.split_once('\n').map_or("", |(_, rest)| rest));
    }
    let spec = spec.lines().fold(String::new(), |text, line| text + "  " + line + "\n");
    format!(
        "apiVersion: qlik-operator.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  credentialsRef: {{name: qlik-credentials}}\n{spec}"
    )
}

/// The message of the condition Stalled, once it is true because of the spec.
async fn told(stage: &Stage, kind: &str, name: &str) -> Result<String, Error> {
    stage
        .until_some(&format!("{name} says what is wrong"), async || {
            let text = stage.kubectl(&["get", kind, name, "--output", "json"]).await?;
            let object: Value = serde_json::from_str(&text)?;
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let stalled = conditions.into_iter().find(|c| c["type"] == "Stalled" && c["status"] == "True");
            let ours = stalled.filter(|c| c["reason"] == "SpecInvalid");
            Ok(ours.map(|c| c["message"].as_str().unwrap_or_default().to_owned()))
        })
        .await
}
