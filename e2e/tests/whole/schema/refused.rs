//! Wrong manifests are refused when they are applied, by the real API server.

use super::kubectl::{not_shown, read, stage};
use super::server::not_refused;
use super::table::{By, Wrong};
use super::{wrong, wrong_clients, wrong_providers};
use e2e::nightly::nightly;
use futures::{StreamExt, stream};
use qlik_operator::crd::{QlikIdentityProvider, QlikOAuthClient, QlikTenant};
use serde::de::DeserializeOwned;

/// How many manifests are judged at a time.
const AT_ONCE: usize = 3;
/// Of each table, so many go through kubectl, too: what people see there is what the API server said. All of them by night.
const BY_KUBECTL: usize = 4;

#[tokio::test]
async fn every_wrong_tenant_is_refused_with_what_to_do_about_it() {
    all_refused(&wrong::wrong(), 60).await;
}

#[tokio::test]
async fn every_wrong_client_is_refused_with_what_to_do_about_it() {
    all_refused(&wrong_clients::wrong(), 60).await;
}

#[tokio::test]
async fn every_wrong_provider_is_refused_with_what_to_do_about_it() {
    all_refused(&wrong_providers::wrong(), 60).await;
}

async fn all_refused(rows: &[Wrong], at_least: usize) {
    assert!(rows.len() >= at_least, "{} rows", rows.len());
    let stage = stage("refused").await;
    let every = if nightly() { 1 } else { rows.len().div_ceil(BY_KUBECTL) };
    let judged = stream::iter(rows.iter().enumerate()).map(async |(number, Wrong { name, manifest, says, .. })| {
        // What is no YAML never gets to the API server, it is kubectl that refuses it.
        let sent = read::<serde_json::Value>(manifest).is_ok();
        let mut problem = if sent { not_refused(&stage, manifest, says).await } else { None };
        if problem.is_none() && (!sent || number.is_multiple_of(every)) {
            problem = not_shown(&stage, manifest, says).await.map(|problem| format!("kubectl: {problem}"));
        }
        problem.map(|problem| format!("{name}: {problem}"))
    });
    let problems: Vec<_> = judged.buffer_unordered(AT_ONCE).filter_map(async |problem| problem).collect().await;
    assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), rows.len(), problems.join("\n"));
}

#[test]
fn the_rules_say_the_same_without_an_api_server() {
    let tenants = disagreements(&wrong::wrong(), |tenant: QlikTenant| said(tenant.validate_cel()));
    let clients = disagreements(&wrong_clients::wrong(), |client: QlikOAuthClient| said(client.validate_cel()));
    let providers =
        disagreements(&wrong_providers::wrong(), |provider: QlikIdentityProvider| said(provider.validate_cel()));
    let problems = [tenants, clients, providers].concat();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn disagreements<K: DeserializeOwned>(rows: &[Wrong], judge: impl Fn(K) -> Option<String>) -> Vec<String> {
    rows.iter().filter_map(|row| disagrees(row, &judge)).collect()
}

fn said(found: Result<(), impl ToString>) -> Option<String> {
    found.err().map(|found| found.to_string())
}

/// A broken rule is found locally, in the same words; what only the structure forbids is none of the rules' business.
fn disagrees<K: DeserializeOwned>(row: &Wrong, judge: impl FnOnce(K) -> Option<String>) -> Option<String> {
    let problem = match (row.by, read::<K>(&row.manifest).map(judge)) {
        // Not even readable: what the types forbid never reaches a rule.
        (By::Structure, Err(_) | Ok(None)) => return None,
        (By::Structure, Ok(Some(found))) => format!("a rule refuses it: {found}"),
        (By::Rule, Err(error)) => format!("cannot be read: {error}"),
        (By::Rule, Ok(None)) => "no rule refuses it".to_owned(),
        (By::Rule, Ok(Some(found))) if found.contains(row.says) => return None,
        (By::Rule, Ok(Some(found))) => format!("refused with: {found}"),
    };
    Some(format!("{}: {problem}", row.name))
}
