//! The reference of the kinds, from their definitions.

use std::fmt::Write;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use super::Error;

/// One Markdown page about all kinds: each field with its type, default, limits and meaning.
pub fn page() -> Result<String, Error> {
    let mut text =
        "# Reference\n\nGenerated from the custom resource definitions by `make crds`; do not edit. `kubectl explain \
                    qliktenant.spec --recursive` says the same.\n\nA field in **bold** must be given.\n"
            .to_owned();
    for definition in qlik_operator::crd::all() {
        text += &kind(&definition)?;
    }
    Ok(text)
}

fn kind(definition: &CustomResourceDefinition) -> Result<String, Error> {
    let missing = || Error::Document(format!("{} has no schema", definition.spec.names.kind));
    let version = definition.spec.versions.first().ok_or_else(missing)?;
    let schema = version.schema.as_ref().and_then(|s| s.open_api_v3_schema.as_ref()).ok_or_else(missing)?;
    let schema = serde_json::to_value(schema).map_err(|error| Error::Document(error.to_string()))?;
    let names = &definition.spec.names;
    let short = names.short_names.iter().flatten().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "\n## {}\n\n{}\n\n`{}/{}`, namespaced, short: {short}\n",
        names.kind,
        line(schema["description"].as_str()),
        definition.spec.group,
        version.name
    );
    for part in ["spec", "status"] {
        let schema = &schema["properties"][part];
        let _ = write!(text, "\n### {}: {part}\n\n", names.kind);
        text += "| field | type | default | meaning |\n|---|---|---|---|\n";
        fields(&mut text, "", schema);
        text += &rules(schema);
    }
    Ok(text)
}

/// A row for each field, those inside it below it.
fn fields(text: &mut String, path: &str, schema: &Value) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let whole = format!("{path}{name}");
        let shown = if required.contains(&name.as_str()) { format!("**`{whole}`**") } else { format!("`{whole}`") };
        let default = field.get("default").map(shown_value).unwrap_or_default();
        let meaning = line(field["description"].as_str());
        let _ = writeln!(text, "| {shown} | {} | {} | {} |", kind_of(field), cell(&default), cell(&meaning));
        fields(text, &format!("{whole}."), field);
        fields(text, &format!("{whole}[]."), &field["items"]);
    }
}

fn shown_value(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("`{value}`"), |text| format!("`{text}`"))
}

fn kind_of(field: &Value) -> String {
    let base = match (field["type"].as_str(), field["enum"].as_array()) {
        (_, Some(values)) => {
            let values = values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`"));
            return values.collect::<Vec<_>>().join(" \\| ");
        }
        (Some("array"), None) => return format!("list of {}", kind_of(&field["items"])),
        (Some("object"), None) if field["additionalProperties"].is_object() => "map of texts".to_owned(),
        (Some("string"), None) if field["format"] == "date-time" => "time".to_owned(),
        (Some("string"), None) => "text".to_owned(),
        (Some(other), None) => other.to_owned(),
        (None, None) => "any".to_owned(),
    };
    match (field["minimum"].as_f64(), field["maximum"].as_f64()) {
        (Some(least), Some(most)) => format!("{base}, {least} to {most}"),
        (Some(least), None) => format!("{base}, {least} or more"),
        (None, Some(most)) => format!("{base}, {most} or less"),
        (None, None) => base,
    }
}

/// What is checked when a manifest is applied, in the words in which it is refused.
fn rules(schema: &Value) -> String {
    let mut found = Vec::new();
    collect(schema, &mut found);
    if found.is_empty() {
        return String::new();
    }
    found.iter().fold("\nA manifest is refused unless\n\n".to_owned(), |text, rule| format!("{text}- {rule}\n"))
}

fn collect(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            let rules = fields.get("x-kubernetes-validations").and_then(Value::as_array);
            for message in rules.into_iter().flatten().filter_map(|rule| rule["message"].as_str()) {
                let message = line(Some(message));
                if !found.contains(&message) {
                    found.push(message);
                }
            }
            fields.values().for_each(|value| collect(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// One line, whatever it was before.
fn line(text: Option<&str>) -> String {
    text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
