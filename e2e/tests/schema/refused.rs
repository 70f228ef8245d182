//! Wrong manifests are refused when they are applied, by the real API server.

use crate::kubectl::{not_refused, read, stage, tenant};
use crate::wrong::{By, Wrong, wrong};
use futures::{StreamExt, stream};
use qlik_operator::crd::QlikTenant;

/// How many kubectl processes run at a time.
const AT_ONCE: usize = 3;

#[tokio::test]
async fn every_wrong_manifest_is_refused_with_what_to_do_about_it() {
    let rows = wrong();
    assert!(rows.len() >= 30, "{} rows", rows.len());
    let stage = stage("refused").await;
    let judged = stream::iter(&rows).map(async |Wrong { name, spec, says, .. }| {
        not_refused(&stage, &tenant(name, spec), says).await.map(|problem| format!("{name}: {problem}"))
    });
    let problems: Vec<_> = judged.buffer_unordered(AT_ONCE).filter_map(async |problem| problem).collect().await;
    assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), rows.len(), problems.join("\n"));
}

#[test]
fn the_rules_say_the_same_without_an_api_server() {
    let problems: Vec<_> =
        wrong().iter().filter_map(|row| Some(format!("{}: {}", row.name, disagrees(row)?))).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A broken rule is found locally, in the same words; what only the structure forbids is none of the rules' business.
fn disagrees(row: &Wrong) -> Option<String> {
    match (row.by, read::<QlikTenant>(&tenant(row.name, &row.spec))) {
        // Not even readable: what the types forbid never reaches a rule.
        (By::Structure, Err(_)) => None,
        (By::Structure, Ok(object)) => object.validate_cel().err().map(|found| format!("a rule refuses it: {found}")),
        (By::Rule, Err(error)) => Some(format!("cannot be read: {error}")),
        (By::Rule, Ok(object)) => match object.validate_cel() {
            Ok(()) => Some("no rule refuses it".to_owned()),
            Err(found) if found.to_string().contains(row.says) => None,
            Err(found) => Some(format!("refused with: {found}")),
        },
    }
}
