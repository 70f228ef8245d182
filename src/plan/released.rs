//! Tenants that were let go where no record of it could be written: what the operator keeps of them in its own namespace.
//! Pure.

use crate::qlik::TenantId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A tenant that an object let go and that lives on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Released {
    /// Its id.
    pub tenant_id: TenantId,
    /// Its hostnames, the generated one first, as far as known.
    #[serde(default)]
    pub hostnames: Vec<String>,
    /// Its region.
    pub region: String,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// When it was let go, by the operator's clock.
    pub at: Timestamp,
}

/// Keys and texts of one page: tenant ids, and what is known of each as JSON.
pub type Page = BTreeMap<String, String>;

/// How large a page may become, in bytes of its keys and texts. A `ConfigMap` holds 1 MiB.
pub const LARGEST: usize = 900 * 1024;

impl Released {
    /// The JSON text that is kept.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether it has room on this page, or stands there already.
    pub fn fits(&self, page: &Page) -> bool {
        let others = page.iter().filter(|(id, _)| *id != self.tenant_id.as_str());
        let size: usize = others.map(|(id, text)| id.len() + text.len()).sum();
        size + self.tenant_id.as_str().len() + self.text().len() <= LARGEST
    }
}

/// The tenant that the last object of this namespace and name let go. An entry that cannot be read is an error, by its
/// key, where its text may speak of such an object.
pub fn find(page: &Page, namespace: &str, name: &str) -> Result<Option<Released>, String> {
    let mut newest: Option<Released> = None;
    for (id, text) in page {
        match serde_json::from_str::<Released>(text) {
            Ok(entry) if entry.namespace == namespace && entry.name == name => {
                if newest.as_ref().is_none_or(|newest| newest.at < entry.at) {
                    newest = Some(entry);
                }
            }
            Err(_) if text.contains(namespace) && text.contains(name) => return Err(id.clone()),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, namespace: &str, second: i64) -> Released {
        Released {
            tenant_id: id.parse().unwrap(),
            hostnames: vec!["acme.us.qlikcloud.com".into()],
            region: "us".into(),
            namespace: namespace.into(),
            name: "acme".into(),
            at: Timestamp::from_second(1_000_000 + second).unwrap(),
        }
    }

    fn page(entries: &[Released]) -> Page {
        entries.iter().map(|entry| (entry.tenant_id.to_string(), entry.text())).collect()
    }

    #[test]
    fn the_last_one_of_that_namespace_and_name_counts() {
        let all = page(&[entry("old", "a", 1), entry("new", "a", 2), entry("other", "b", 3)]);
        let found = |namespace, name| find(&all, namespace, name).unwrap().map(|entry| entry.tenant_id.to_string());
        assert_eq!(found("a", "acme").as_deref(), Some("new"));
        assert_eq!(found("b", "acme").as_deref(), Some("other"));
        assert_eq!((found("a", "globex"), found("c", "acme")), (None, None));
    }

    #[test]
    fn what_cannot_be_read_holds_only_whom_it_may_speak_of() {
        let mut all = page(&[entry("old", "team-a", 1)]);
        all.insert("broken".into(), r#"{"namespace":"team-b","name":"acme","at":"yesterday"}"#.into());
        all.insert("empty".into(), String::new());
        assert_eq!(find(&all, "team-b", "acme"), Err("broken".into()));
        assert_eq!(find(&all, "team-b", "globex"), Ok(None));
        assert!(find(&all, "team-a", "acme").unwrap().is_some());
    }

    #[test]
    fn a_page_has_a_bound_and_takes_again_what_stands_there() {
        let one = entry("one", "a", 1);
        let mut full = page(std::slice::from_ref(&one));
        full.insert("rest".into(), "x".repeat(LARGEST - one.text().len() - "one".len() - "rest".len()));
        assert!(one.fits(&full) && one.fits(&Page::new()));
        assert!(!entry("two", "a", 1).fits(&full));
    }
}
