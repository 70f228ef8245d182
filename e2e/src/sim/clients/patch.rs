//! Changes of an OAuth client's settings.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::OauthClient;
use super::check::check;
use crate::sim::check::Fields;
use crate::sim::refusal::Refusal;

const LISTS: &[&str] =
    &["/allowedOrigins", "/redirectUris", "/allowedScopes", "/allowedGrantTypes", "/allowedAuthMethods", "/publicKeys"];
const TEXTS: &[&str] = &["/clientName", "/clientUri", "/description", "/logoUri", "/jwksUri"];

impl OauthClient {
    /// Carries out a whole PATCH, or nothing of it. Says whether the client needs a secret now and has none.
    pub(crate) fn patch(&mut self, operations: &[Value], now: Timestamp) -> Result<bool, Refusal> {
        let mut changed = self.clone();
        for (index, operation) in operations.iter().enumerate() {
            changed.apply(&Fields::of(operation, &format!("/{index}"))?)?;
        }
        check(&changed.settings)?;
        if changed.settings == self.settings {
            return Ok(false);
        }
        // secrets exist only for clients that authenticate by them
        let needs = changed.authenticates_by("client_secret");
        if !needs {
            changed.secrets.clear();
        }
        changed.updated = now;
        *self = changed;
        Ok(needs && self.secrets.is_empty())
    }

    fn apply(&mut self, operation: &Fields<'_>) -> Result<(), Refusal> {
        let path = operation.required("path", 256)?;
        let name = path.trim_start_matches('/');
        let list = LISTS.contains(&path);
        if !list && !TEXTS.contains(&path) {
            return Err(operation.refuse("path", "this path cannot be patched"));
        }
        let value = operation.get("value").cloned();
        let required = || operation.refuse("value", "this field is required");
        match operation.required("op", 64)? {
            "replace" => self.settings[name] = value.ok_or_else(required)?,
            "add" => {
                let value = value.ok_or_else(required)?;
                self.add(name, value, list);
            }
            "remove" => self.remove(name, value.as_ref()),
            _ => return Err(operation.refuse("op", "one of add, remove and replace is expected")),
        }
        Ok(())
    }

    /// A single value joins a list; anything else takes the place of what is there, as in JSON Patch.
    fn add(&mut self, name: &str, value: Value, list: bool) {
        if !list || value.is_array() {
            self.settings[name] = value;
            return;
        }
        let mut items = self.settings[name].as_array().cloned().unwrap_or_default();
        items.push(value);
        self.settings[name] = json!(items);
    }

    /// Named values leave a list; without a value the whole setting goes.
    fn remove(&mut self, name: &str, value: Option<&Value>) {
        let gone = |item: &Value| match value {
            Some(Value::Array(values)) => values.contains(item),
            Some(value) => value == item,
            None => true,
        };
        match self.settings[name].as_array_mut() {
            Some(items) => items.retain(|item| !gone(item)),
            None => {
                if let Some(map) = self.settings.as_object_mut() {
                    map.remove(name);
                }
            }
        }
    }
}
