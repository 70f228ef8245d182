//! A customer's whole life as the metrics tell it.

use super::support::Shown;
use e2e::openmetrics::Scrape;
use e2e::sim::{Effect, FaultPlan, Match};
use e2e::stage::{Inside, PATIENCE, Setup, Stage, child_manifest, client_manifest, in_phase, is_ready, manifest};
use qlik_operator::crd::QlikIdentityProvider;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);
const DAY: f64 = 86_400.0;
/// What seconds may be off, on a busy machine.
const SLACK: f64 = 600.0;

/// A machine-to-machine client whose secret goes to the Secret `app`.
pub(crate) const MACHINE: &str = "appType: web
grantTypes: [client_credentials]
scopes: [user_default]
consent: Trusted
auth: {clientSecret: {secret: {name: app}, rotation: {every: 720h, overlap: 24h}}}";

const SIGNING: &str = "jwt:
  issuer: https://app.acme.example
  key: {generate: {algorithm: ES384, secret: {name: signing}, rotation: {every: 240h, overlap: 24h}}}";

const LEAVING: &str =
    "alias: acme\nlifecycle: Deactivated\noffboarding: {confirmHostname: acme.us.qlikcloud.com, purgeAfterDays: 20}";

/// The value of a gauge for one object.
fn of(scrape: &Scrape, name: &str, object: &str) -> f64 {
    scrape.sum(name, &[("name", object)]).unwrap_or_else(|| panic!("no {name} of {object}"))
}

fn near(value: f64, wanted: f64) -> bool {
    (value - wanted).abs() < SLACK
}

#[tokio::test]
async fn a_whole_life_is_counted() {
    let stage = Stage::new(Setup::new("metrics")).await.unwrap();
    let shown = Shown::start(&stage, &[]).await;
    let too_many = Effect::Status { status: 429, code: None, title: None, retry_after: Some(2) };
    stage.sim.fault(FaultPlan::new(Match::on("POST", "/api/v1/tenants"), too_many));
    stage.apply(&manifest("acme", "alias: acme")).await.unwrap();
    let register = [("host_class", "register"), ("tier", "2")];
    let closed = |s: &Scrape| s.sum("qlik_operator_rate_budget_left_ratio", &register) == Some(0.0);
    shown.until("the pause that Qlik Cloud asks for is seen", closed).await;
    stage.until("acme", "is ready", |t| is_ready(t) && in_phase(t, "Ready")).await.unwrap();
    stage.apply(&client_manifest("app", "acme", MACHINE)).await.unwrap();
    stage.apply(&child_manifest("QlikIdentityProvider", ("tokens", "acme"), SIGNING)).await.unwrap();
    stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
    stage.until_child::<QlikIdentityProvider>("tokens", "is ready", Inside::is_ready).await.unwrap();
    let settled = |s: &Scrape| {
        ["QlikTenant", "QlikOAuthClient", "QlikIdentityProvider"].iter().all(|kind| {
            let ready = [("kind", *kind), ("condition", "Ready"), ("status", "True"), ("reason", "Settled")];
            s.sum("qlik_operator_objects", &ready) == Some(1.0)
                && s.sum("qlik_operator_passes_total", &[("kind", kind), ("outcome", "settled")]).is_some()
                && s.sum("qlik_operator_passes_running", &[("kind", kind)]) == Some(0.0)
        })
    };
    let scrape = shown.until("everything is settled", settled).await;
    calls(&scrape);
    passes(&scrape);
    assert!(near(of(&scrape, "qlik_operator_secret_age_seconds", "app"), 0.0));
    assert!(near(of(&scrape, "qlik_operator_secret_rotation_due_seconds", "app"), 30.0 * DAY));
    assert!(near(of(&scrape, "qlik_operator_secret_rotation_due_seconds", "tokens"), 10.0 * DAY));
    assert!(scrape.all("qlik_operator_tenant_purge_seconds").is_empty(), "nothing is to be purged");
    stage.turn(HOUR * 5).unwrap();
    let scrape = shown.scrape().await.unwrap();
    assert!(near(of(&scrape, "qlik_operator_secret_age_seconds", "app"), 5.0 * 3600.0));
    leave(&stage, &shown).await;
    let scrape = shown.scrape().await.unwrap();
    bounded(&scrape, stage.ns());
    watched(&scrape);
    complete(&scrape);
}

/// The tenant is deactivated, and its object goes: the record alone tells when it is purged.
async fn leave(stage: &Stage, shown: &Shown) {
    stage.apply(&manifest("acme", LEAVING)).await.unwrap();
    let acme = stage.until("acme", "is deactivated", |t| is_ready(t) && in_phase(t, "Deactivated")).await.unwrap();
    let purge_at = acme.status.unwrap().purge.unwrap().purge_at.unwrap().0.as_duration().as_secs_f64();
    let told = |s: &Scrape| s.sum("qlik_operator_tenant_purge_seconds", &[("name", "acme")]).is_some();
    let scrape = shown.until("the purge is told", told).await;
    assert!(near(of(&scrape, "qlik_operator_tenant_purge_seconds", "acme"), 20.0 * DAY));
    let told_at = of(&scrape, "qlik_operator_tenant_purge_timestamp_seconds", "acme");
    assert!((told_at - purge_at).abs() < 0.01, "{told_at} is not {purge_at}");
    let scheduled = [("kind", "QlikTenant"), ("condition", "PurgeScheduled"), ("status", "True")];
    shown.until("it is counted", |s| s.sum("qlik_operator_objects", &scheduled) == Some(1.0)).await;
    stage.turn(HOUR * 24 * 7).unwrap();
    let scrape = shown.scrape().await.unwrap();
    assert!(near(of(&scrape, "qlik_operator_tenant_purge_seconds", "acme"), 13.0 * DAY));
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    let tenants = |s: &Scrape| s.sum("qlik_operator_objects", &[("kind", "QlikTenant")]).unwrap_or_default();
    let scrape = shown.until("the object is not counted any more", |s| tenants(s) < 0.5).await;
    assert!(near(of(&scrape, "qlik_operator_tenant_purge_seconds", "acme"), 13.0 * DAY), "its record is");
}

/// The calls that were made, each with its class.
fn calls(scrape: &Scrape) {
    let made = |labels: &[(&str, &str)]| scrape.sum("qlik_operator_qlik_requests_total", labels).unwrap_or_default();
    let is = |value: f64, wanted: f64| (value - wanted).abs() < 0.1;
    let create = [("api", "tenants"), ("method", "POST")];
    assert!(is(made(&[&create[..], &[("class", "throttled")]].concat()), 1.0));
    assert!(is(made(&[&create[..], &[("class", "success")]].concat()), 1.0));
    for api in ["oauth-token", "oauth-clients", "identity-providers"] {
        assert!(made(&[("api", api), ("class", "success")]) >= 1.0, "{api}");
        let timed = scrape.sum("qlik_operator_qlik_request_duration_seconds_count", &[("api", api)]).unwrap();
        assert!(is(timed, made(&[("api", api)])), "{api}: each is timed");
    }
    let spent = |class, tier| {
        scrape.sum("qlik_operator_rate_budget_spent_total", &[("host_class", class), ("tier", tier)]).unwrap()
    };
    assert!(spent("register", "2") >= 2.0 && spent("tenant", "2") >= 4.0 && spent("tenant", "1") >= 1.0);
    assert!(is(spent("organization", "1"), 0.0));
    for left in scrape.all("qlik_operator_rate_budget_left_ratio") {
        assert!((0.0..=1.0).contains(&left.value), "{left:?}");
    }
}

fn passes(scrape: &Scrape) {
    let ended = |labels: &[(&str, &str)]| scrape.sum("qlik_operator_passes_total", labels).unwrap_or_default();
    assert!(ended(&[("kind", "QlikTenant"), ("outcome", "throttled")]) >= 1.0);
    for kind in ["QlikTenant", "QlikOAuthClient", "QlikIdentityProvider"] {
        let timed = scrape.sum("qlik_operator_pass_duration_seconds_count", &[("kind", kind)]).unwrap();
        assert!((timed - ended(&[("kind", kind)])).abs() < 0.1, "{kind}: each is timed");
        let backing_off = scrape.sum("qlik_operator_objects_backing_off", &[("kind", kind)]);
        assert_eq!(backing_off, Some(0.0), "{kind}");
    }
    let exemplars = scrape.all("qlik_operator_pass_duration_seconds_bucket").iter().any(|s| s.exemplar.is_some());
    assert!(!exemplars, "no traces are exported");
}

/// Names are in the gauges for single objects alone; other labels have few values, which the reference names.
fn bounded(scrape: &Scrape, namespace: &str) {
    let reference = include_str!("../../../../docs/METRICS.md");
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for sample in scrape.families.values().flat_map(|family| &family.samples) {
        let single =
            ["qlik_operator_tenant_purge_", "qlik_operator_secret_"].iter().any(|p| sample.name.starts_with(p));
        for (key, value) in &sample.labels {
            let name = ["acme", "app", "tokens", namespace].contains(&value.as_str());
            assert!(single || !(name || ["name", "namespace"].contains(&key.as_str())), "{sample:?}");
            let host = value.contains("qlikcloud.com");
            assert!(!host && (value != "other"), "{sample:?}");
            values.entry(key).or_default().insert(value);
        }
    }
    for key in ["api", "method", "class", "host_class", "status", "condition", "kind", "outcome", "tier"] {
        for value in &values[key] {
            assert!(reference.contains(&format!("`{value}`")), "the reference does not name {key} {value}");
        }
    }
}

/// What the alerts and the dashboard ask for is served, and the reasons that alerts name are reasons.
fn watched(scrape: &Scrape) {
    let alerts = include_str!("../../../../charts/qlik-operator/files/alerts.yaml");
    let dashboard = include_str!("../../../../charts/qlik-operator/files/dashboard.json");
    let samples = scrape.families.values().flat_map(|family| &family.samples);
    let served: BTreeSet<_> = samples.map(|sample| sample.name.as_str()).collect();
    for (file, least, text) in [("the alerts", 8, alerts), ("the dashboard", 14, dashboard)] {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let asked: BTreeSet<_> = words.filter(|word| word.starts_with("qlik_operator_")).collect();
        assert!(asked.len() >= least, "{file}: {asked:?}");
        assert!(asked.is_subset(&served), "{file}: {:?} are not served", asked.difference(&served));
    }
    let reasons = include_str!("../../../../src/crd/conditions.rs");
    for reason in alerts.split("reason=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(reasons.contains(&format!("    {reason},\n")), "the alerts name a reason {reason}");
    }
    let runbooks = include_str!("../../../../docs/OPERATIONS.md");
    for alert in alerts.split("- alert: ").skip(1).filter_map(|rest| rest.lines().next()) {
        assert!(runbooks.contains(&format!("### {alert}\n")), "docs/OPERATIONS.md says nothing of {alert}");
    }
}

/// What is served and what the reference names are the same.
fn complete(scrape: &Scrape) {
    let reference = include_str!("../../../../docs/METRICS.md");
    let named: BTreeSet<_> =
        reference.lines().filter_map(|line| line.strip_prefix("| `qlik_operator_")?.split('`').next()).collect();
    let full = |(name, family): (&String, &e2e::openmetrics::Family)| match family.kind.as_str() {
        "counter" => format!("{name}_total"),
        "info" => format!("{name}_info"),
        _ => name.clone(),
    };
    let served: BTreeSet<_> = scrape.families.iter().map(full).collect();
    let served: BTreeSet<_> = served.iter().filter_map(|name| name.strip_prefix("qlik_operator_")).collect();
    assert_eq!(served, named);
    for (name, family) in &scrape.families {
        assert!(!family.samples.is_empty(), "{name} was never seen");
        assert_eq!(name.ends_with("_seconds"), family.unit.as_deref() == Some("seconds"), "{name}");
    }
}

#[tokio::test]
async fn gauges_for_single_objects_can_be_turned_off() {
    let stage = Stage::new(Setup::new("metrics-off")).await.unwrap();
    let shown = Shown::start(&stage, &["--metrics-per-object", ""]).await;
    stage.apply(&manifest("acme", "alias: acme")).await.unwrap();
    stage.until("acme", "is ready", |t| is_ready(t) && in_phase(t, "Ready")).await.unwrap();
    stage.apply(&client_manifest("app", "acme", MACHINE)).await.unwrap();
    stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
    stage.apply(&manifest("acme", LEAVING)).await.unwrap();
    stage.until("acme", "is deactivated", |t| is_ready(t) && in_phase(t, "Deactivated")).await.unwrap();
    let scheduled = [("kind", "QlikTenant"), ("condition", "PurgeScheduled"), ("status", "True")];
    let scrape = shown.until("it is counted", |s| s.sum("qlik_operator_objects", &scheduled) == Some(1.0)).await;
    let labels = scrape.families.values().flat_map(|family| &family.samples).flat_map(|sample| sample.labels.keys());
    assert!(labels.clone().count() > 50 && !labels.clone().any(|key| key == "name" || key == "namespace"));
}

#[tokio::test]
async fn what_needs_a_human_is_counted_by_reason() {
    let stage = Stage::new(Setup::new("metrics-stalled")).await.unwrap();
    let shown = Shown::start(&stage, &[]).await;
    stage.apply(&manifest("acme", "alias: acme").replace("qlik-credentials", "none-such")).await.unwrap();
    let waits = [("kind", "QlikTenant"), ("condition", "Ready"), ("status", "False"), ("reason", "CredentialsMissing")];
    shown.until("it is counted", |s| s.sum("qlik_operator_objects", &waits) == Some(1.0)).await;
    let backs_off = |s: &Scrape| s.sum("qlik_operator_objects_backing_off", &[("kind", "QlikTenant")]) == Some(1.0);
    shown.until("it backs off", backs_off).await;
    assert!(shown.operator.wait_for_line(PATIENCE, |line| line.contains("the pass failed")).await.is_ok());
}
