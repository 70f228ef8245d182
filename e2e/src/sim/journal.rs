//! The record of every request, for tests to assert on. It never holds secrets.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Number of the request, counted from 1 over the simulator's whole life.
    pub seq: u64,
    /// Virtual time at which it was decided.
    pub time: Timestamp,
    /// Virtual host, without port.
    pub host: String,
    /// HTTP method.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// Status that was sent; absent when the connection was dropped or left hanging.
    pub status: Option<u16>,
    /// Client id of the caller, when the token or credential was genuine.
    pub caller: Option<String>,
    /// Whether the request changed state.
    pub committed: bool,
    /// What it changed, such as `tenant.created`.
    pub effect: Option<String>,
    /// The tenant concerned.
    pub tenant_id: Option<String>,
    /// The fault that was applied.
    pub fault: Option<String>,
    /// Trace id of the answer.
    pub trace_id: String,
    /// Body of a PATCH.
    pub body: Option<Value>,
}

/// A body without its secrets: what a patch sets at a secret's path, and every field that has a secret's name.
pub(crate) fn redacted(mut body: Value) -> Value {
    match &mut body {
        Value::Array(items) => items.iter_mut().for_each(|item| *item = redacted(item.take())),
        Value::Object(map) => {
            let path = map.get("path").and_then(Value::as_str).unwrap_or_default();
            let at_secret = path.to_ascii_lowercase().ends_with("secret");
            for (name, value) in map.iter_mut() {
                let secret = name.to_ascii_lowercase().ends_with("secret") || (at_secret && name == "value");
                *value = if secret { Value::from("(redacted)") } else { redacted(value.take()) };
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    body
}

/// All entries since the last clearing.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: Vec<Entry>,
    last: u64,
}

impl Journal {
    /// The number for the next entry.
    pub(crate) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Adds an entry.
    pub(crate) fn record(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Notes that an entry's answer was not sent after all.
    pub(crate) fn unsent(&mut self, seq: u64) {
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.seq == seq) {
            entry.status = None;
        }
    }

    /// A copy of all entries.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.clone()
    }

    /// Forgets all entries; numbering goes on.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::redacted;

    #[test]
    fn secrets_leave_no_trace() {
        let body = json!([
            { "op": "replace", "path": "/pendingOptions/clientSecret", "value": "hush" },
            { "op": "replace", "path": "/options", "value": { "clientId": "me", "clientSecret": "hush" } },
        ]);
        let text = redacted(body).to_string();
        assert!(!text.contains("hush") && text.contains(r#""clientId":"me""#), "{text}");
    }
}
