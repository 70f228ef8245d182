//! Rights, one verb on one resource each, so that they can be compared.
use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::Document;

/// One verb on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// The API group, empty for the core group.
    pub group: String,
    /// The resource, with its subresource after a slash.
    pub resource: String,
    /// As in RBAC.
    pub verb: String,
    /// The one object that it is about; all when none.
    pub name: Option<String>,
}

impl Right {
    /// Whether whoever has this one has that one, too.
    pub fn covers(&self, other: &Self) -> bool {
        let same = (&self.group, &self.resource, &self.verb) == (&other.group, &other.resource, &other.verb);
        same && (self.name.is_none() || self.name == other.name)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " {name}"))
    }
}

/// What a Role or `ClusterRole` grants.
pub fn granted(role: &Document) -> BTreeSet<Right> {
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in role.value["rules"].as_array().into_iter().flatten() {
        let mut names: Vec<_> = strings(&rule["resourceNames"]).into_iter().map(Some).collect();
        if names.is_empty() {
            names.push(None);
        }
        for group in strings(&rule["apiGroups"]) {
            for resource in strings(&rule["resources"]) {
                for verb in strings(&rule["verbs"]) {
                    for name in names.clone() {
                        let (group, resource, verb) = (group.clone(), resource.clone(), verb.clone());
                        rights.insert(Right { group, resource, verb, name });
                    }
                }
            }
        }
    }
    rights
}
