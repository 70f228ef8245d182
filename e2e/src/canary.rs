//! Recognisable text that must not show up outside of Secrets, and the search for it.

use crate::stage::{Error, Stage};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;
use std::collections::BTreeSet;

/// A text that nothing else says, for this run alone.
pub fn word() -> String {
    format!("Kanarienvogel{:016x}", rand::random::<u64>())
}

/// Texts to search for, in every form in which they may show up.
#[derive(Clone, Default)]
pub struct Canary {
    forms: BTreeSet<String>,
}

impl Canary {
    /// Each text plain, and inside something that was base64-encoded as a whole, at each alignment.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self { forms: texts.into_iter().flat_map(|text| forms(text.as_ref())).collect() }
    }

    /// The lines of a text that hold it in any form.
    pub fn seen_in<'a>(&self, text: &'a str) -> Vec<&'a str> {
        text.lines().filter(|line| self.forms.iter().any(|form| line.contains(form))).collect()
    }

    /// Whether a text holds it in any form.
    pub fn is_in(&self, text: &str) -> bool {
        !self.seen_in(text).is_empty()
    }

    /// Each object outside Secrets in which it shows up, and each Secret in which it does outside the data.
    pub fn leaks(&self, objects: &[Value]) -> Vec<String> {
        let without_data = |object: &Value| {
            let mut object = object.clone();
            if object["kind"] == "Secret" {
                object["data"] = Value::Null;
            }
            object
        };
        let shown = objects.iter().map(without_data).filter(|object| self.is_in(&object.to_string()));
        shown.map(|object| format!("{object:#}")).collect()
    }

    /// The names of the Secrets in whose data it shows up.
    pub fn carriers(&self, objects: &[Value]) -> BTreeSet<String> {
        let data = |o: &Value| o["data"].as_object().into_iter().flatten().map(|(_, v)| decoded(v)).collect::<Vec<_>>();
        let carries = |o: &&Value| o["kind"] == "Secret" && data(o).iter().any(|value| self.is_in(value));
        objects.iter().filter(carries).filter_map(|o| o["metadata"]["name"].as_str()).map(str::to_owned).collect()
    }
}

/// A value of a Secret as text.
fn decoded(value: &Value) -> String {
    let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap_or_default());
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

fn forms(canary: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([canary.to_owned()]);
    // As JSON writes it inside a text.
    forms.insert(Value::from(canary).to_string().trim_matches('"').to_owned());
    for shift in 0..3 {
        let bytes = [&vec![0; shift], canary.as_bytes()].concat();
        for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            // Without the characters that also depend on what stands before and behind.
            let end = text.len() - usize::from(bytes.len() % 3 != 0);
            forms.insert(text[[0, 2, 3][shift]..end].to_owned());
        }
    }
    forms
}

/// Everything of every kind in every namespace, as JSON, `managedFields` included.
pub async fn dump(stage: &Stage) -> Result<Vec<Value>, Error> {
    let kinds = stage.kubectl(&["api-resources", "--verbs=list", "-o", "name"]).await?;
    let kinds: Vec<_> = kinds.lines().filter(|kind| !kind.is_empty()).collect();
    if kinds.len() < 20 {
        return Err(format!("only {kinds:?} can be listed").into());
    }
    let args = ["get", &kinds.join(","), "-A", "-o", "json", "--show-managed-fields", "--ignore-not-found"];
    let list: Value = serde_json::from_str(&stage.kubectl(&args).await?)?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_recognised_in_every_disguise() {
        let text = "Kanarienvogel0123456789abcdef";
        let canary = Canary::new([text]);
        for before in ["", "a", "ab", "abc"] {
            for behind in ["", "y", "yz"] {
                let text = format!("{before}{text}{behind}");
                for shown in [text.clone(), STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                    assert_eq!(canary.seen_in(&shown).len(), 1, "{shown}");
                }
            }
        }
        assert!(!canary.is_in("nothing here"));
        let data = STANDARD_NO_PAD.encode(text);
        let objects = [
            serde_json::json!({ "kind": "Secret", "metadata": { "name": "s" }, "data": { "k": data } }),
            serde_json::json!({ "kind": "ConfigMap", "metadata": { "name": "m" }, "data": { "k": "no" } }),
        ];
        assert!(canary.leaks(&objects).is_empty());
        assert_eq!(canary.leaks(&[serde_json::json!({ "kind": "Event", "note": text })]).len(), 1);
    }
}
