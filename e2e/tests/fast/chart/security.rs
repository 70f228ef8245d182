//! What `docs/SECURITY.md` says about rights is what the chart renders.

use e2e::chart::rules::{Right, granted};
use e2e::chart::{Release, repository};
use std::collections::BTreeSet;

/// Verb and resource of each row of the table.
fn told() -> BTreeSet<(String, String)> {
    let text = std::fs::read_to_string(repository().join("docs/SECURITY.md")).unwrap();
    let mut told = BTreeSet::new();
    for line in text.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        if let ["", verb, resources, why, ""] = cells[..]
            && resources.starts_with('`')
        {
            assert!(why.len() > 10, "{line}");
            for resource in resources.split_whitespace() {
                let new = told.insert((verb.to_owned(), resource.trim_matches('`').to_owned()));
                assert!(new, "twice: {line}");
            }
        }
    }
    told
}

async fn rendered(values: &str) -> BTreeSet<(String, String)> {
    let all = Release::new(values).render().await.unwrap();
    // Roles for people are not the operator's.
    let own = all.iter().filter(|document| document.kind().ends_with("Role") && document.template == "rbac.yaml");
    let rights: BTreeSet<Right> = own.flat_map(granted).collect();
    rights.into_iter().map(|right| (right.verb, right.resource)).collect()
}

#[tokio::test]
async fn every_verb_has_its_reason_in_the_docs() {
    assert_eq!(told(), rendered("{}").await);
}

#[tokio::test]
async fn in_namespace_mode_only_the_definitions_are_missing() {
    let mut told = told();
    assert!(told.remove(&("get".to_owned(), "customresourcedefinitions".to_owned())));
    assert_eq!(told, rendered("namespaces: [customers]").await);
}
