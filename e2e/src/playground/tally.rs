//! What was asked of Qlik Cloud in all, counted from the simulator's journal.

use crate::sim::Entry;
use std::collections::BTreeMap;

/// Requests of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// How many were made.
    pub(super) calls: usize,
    /// How many changed something.
    pub(super) effects: usize,
}

/// The requests by host, method and path, names of tenants left out.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rows: BTreeMap<(String, String, String), Count>,
}

impl Tally {
    /// Counts what the operator asked; what the customers' apps did is theirs.
    pub(super) fn of(journal: &[Entry]) -> Self {
        let mut tally = Self::default();
        let apps = |entry: &&Entry| {
            let path = entry.path.split('?').next().unwrap_or_default();
            let inside = host(&entry.host) == "tenants";
            inside && (path.starts_with("/login/") || path == "/oauth/token" || path.starts_with("/api/v1/users"))
        };
        for entry in journal.iter().filter(|entry| !apps(entry)) {
            let key = (host(&entry.host), path(&entry.path), entry.method.clone());
            let count = tally.rows.entry(key).or_default();
            count.calls += 1;
            count.effects += usize::from(entry.committed);
        }
        tally
    }

    /// Calls that are meant to change something.
    pub(super) fn writes(&self) -> Count {
        let writes = self.rows.iter().filter(|((_, path, method), _)| changes(method, path));
        writes.fold(Count::default(), |sum, (_, count)| Count {
            calls: sum.calls + count.calls,
            effects: sum.effects + count.effects,
        })
    }

    /// As a table.
    pub(super) fn table(&self) -> String {
        let mut lines = vec![line(["HOST", "METHOD", "PATH", "CALLS", "TOOK EFFECT"])];
        for ((host, path, method), count) in &self.rows {
            let effects = if changes(method, path) { count.effects.to_string() } else { "-".to_owned() };
            lines.push(line([host, method, path, &count.calls.to_string(), &effects]));
        }
        lines.join("\n")
    }
}

fn line([host, method, path, calls, effects]: [&str; 5]) -> String {
    format!("{host:<9} {method:<6} {path:<49} {calls:>6} {effects:>12}")
}

/// Asking for a token again does no harm, so it does not count.
fn changes(method: &str, path: &str) -> bool {
    method != "GET" && path != "/oauth/token"
}

fn host(name: &str) -> String {
    match name.split('.').next() {
        Some(first @ ("register" | "console")) => first.to_owned(),
        Some(_) | None => "tenants".to_owned(),
    }
}

/// The path without query, ids replaced.
fn path(full: &str) -> String {
    let path = full.split('?').next().unwrap_or_default();
    let segments: Vec<_> = path.split('/').collect();
    let of = ["tenants", "oauth-clients", "client-secrets", "identity-providers", "users"];
    let id = |at: usize| at > 0 && of.contains(&segments[at - 1]) && segments[at] != "me";
    (0..segments.len()).map(|at| if id(at) { "{id}" } else { segments[at] }).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_for_different_tenants_are_one_kind() {
        for (full, short) in [
            ("/api/v1/tenants", "/api/v1/tenants"),
            ("/api/v1/tenants/abc", "/api/v1/tenants/{id}"),
            ("/api/v1/tenants/me", "/api/v1/tenants/me"),
            ("/api/v1/tenants/abc/actions/deactivate", "/api/v1/tenants/{id}/actions/deactivate"),
            ("/api/v1/oauth-clients/abc/client-secrets/e6815", "/api/v1/oauth-clients/{id}/client-secrets/{id}"),
            ("/api/core/tenants?filter=id%20eq%20x", "/api/core/tenants"),
        ] {
            assert_eq!(path(full), short);
        }
        assert_eq!(host("register.us.qlikcloud.com"), "register");
        assert_eq!(host("acme.us.qlikcloud.com"), "tenants");
    }
}
