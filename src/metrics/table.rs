//! Every metric: its name, what it means and what its labels say.

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Metric, Registry, Unit};
use std::fmt::{Error, Write};

/// Before each name.
pub(super) const PREFIX: &str = "qlik_operator";

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Counter,
    Gauge,
    Histogram,
    Info,
}

/// A metric: what it is called and what it says.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Without the prefix.
    name: &'static str,
    shape: Shape,
    labels: &'static [&'static str],
    /// A sentence without its full stop.
    help: &'static str,
}

impl About {
    /// The name as it is served.
    pub fn full_name(&self) -> String {
        format!("{PREFIX}_{}", self.name)
    }

    /// The name without what the format itself adds to it, and the unit.
    fn stem(&self) -> (&'static str, Option<&'static Unit>) {
        let end = match self.shape {
            Shape::Counter => "_total",
            Shape::Info => "_info",
            Shape::Gauge | Shape::Histogram => "",
        };
        let name = self.name.strip_suffix(end).unwrap_or(self.name);
        match name.strip_suffix("_seconds") {
            Some(stem) => (stem, Some(&Unit::Seconds)),
            None => (name, None),
        }
    }

    /// Puts a metric that is kept into the registry.
    pub(super) fn enter(&self, registry: &mut Registry, metric: impl Metric) {
        match self.stem() {
            (name, Some(unit)) => registry.register_with_unit(name, self.help, unit.clone(), metric),
            (name, None) => registry.register(name, self.help, metric),
        }
    }

    /// Begins a metric that is found out while it is served.
    pub(crate) fn begin<'a>(&self, encoder: &'a mut DescriptorEncoder<'_>) -> Result<MetricEncoder<'a>, Error> {
        let (name, unit) = self.stem();
        let kind = match self.shape {
            Shape::Counter => MetricType::Counter,
            Shape::Gauge => MetricType::Gauge,
            Shape::Histogram => MetricType::Histogram,
            Shape::Info => MetricType::Info,
        };
        encoder.encode_descriptor(name, &format!("{}.", self.help), unit, kind)
    }
}

const fn about(name: &'static str, shape: Shape, labels: &'static [&'static str], help: &'static str) -> About {
    About { name, shape, labels, help }
}

pub(super) static PASSES: About = about(
    "passes_total",
    Shape::Counter,
    &["kind", "outcome"],
    "Passes over objects that have ended, by what came of them",
);
pub(super) static PASS_DURATION: About = about(
    "pass_duration_seconds",
    Shape::Histogram,
    &["kind"],
    "How long passes took; where traces are exported, with the trace of one pass for each bucket",
);
pub(super) static PASSES_RUNNING: About = about(
    "passes_running",
    Shape::Gauge,
    &["kind"],
    "Passes under way; as many as --concurrency allows (for each kind and namespace) means that others wait",
);
pub(crate) static OBJECTS_DUE: About = about(
    "objects_due",
    Shape::Gauge,
    &["kind"],
    "Objects whose next pass is due: it is under way, or waits for its turn",
);
pub(crate) static OBJECTS_BACKING_OFF: About = about(
    "objects_backing_off",
    Shape::Gauge,
    &["kind"],
    "Objects whose last pass failed, and which wait for the next attempt",
);
pub(crate) static OBJECTS: About = about(
    "objects",
    Shape::Gauge,
    &["kind", "condition", "status", "reason"],
    "Objects by what their conditions say; one that has no Ready condition yet counts as Ready Unknown",
);
pub(super) static REQUESTS: About = about(
    "qlik_requests_total",
    Shape::Counter,
    &["api", "method", "class"],
    "Requests that were sent to Qlik Cloud, by what came of them",
);
pub(super) static REQUEST_DURATION: About = about(
    "qlik_request_duration_seconds",
    Shape::Histogram,
    &["api", "method"],
    "How long requests to Qlik Cloud took, with their whole answer",
);
pub(crate) static BUDGET_SPENT: About = about(
    "rate_budget_spent_total",
    Shape::Counter,
    &["host_class", "tier"],
    "Turns that were taken from the rate budgets",
);
pub(crate) static BUDGET_LEFT: About = about(
    "rate_budget_left_ratio",
    Shape::Gauge,
    &["host_class", "tier"],
    "What is left of the fullest used rate budget of all hosts: 1 is all, at 0 calls have to wait or Qlik Cloud asked for a pause",
);
pub(crate) static BUDGET_WAITS: About = about(
    "rate_budget_waits_total",
    Shape::Counter,
    &["host_class", "tier"],
    "Calls that had to wait for their turn, or were put off because it was too far away",
);
pub(crate) static PURGE_AT: About = about(
    "tenant_purge_timestamp_seconds",
    Shape::Gauge,
    &["namespace", "name"],
    "When Qlik Cloud purges this deactivated tenant, in seconds since 1970",
);
pub(crate) static PURGE_IN: About = about(
    "tenant_purge_seconds",
    Shape::Gauge,
    &["namespace", "name"],
    "Seconds until Qlik Cloud purges this deactivated tenant, negative when the date has passed and the purge is not confirmed",
);
pub(crate) static DEACTIVATIONS_WAITING: About = about(
    "deactivations_waiting",
    Shape::Gauge,
    &["region"],
    "Tenants whose deactivation waits, or is forbidden, because of --max-deactivations",
);
pub(crate) static SECRET_AGE: About = about(
    "secret_age_seconds",
    Shape::Gauge,
    &["kind", "namespace", "name"],
    "Seconds since the client secret or key that this object's apps use was made",
);
pub(crate) static ROTATION_DUE: About = about(
    "secret_rotation_due_seconds",
    Shape::Gauge,
    &["kind", "namespace", "name"],
    "Seconds until the client secret or key is to be replaced as declared, negative when that is overdue",
);
pub(crate) static LEADER: About =
    about("leader", Shape::Gauge, &[], "1 where this process works, 0 where it stands by, starts or waits");
pub(crate) static READY: About = about("ready", Shape::Gauge, &[], "1 where /readyz says ready, else 0");
pub(crate) static BUILD: About = about("build_info", Shape::Info, &["version"], "The program that is running");

/// Every metric, in the order of the reference.
pub(super) static ALL: [&About; 19] = [
    &PASSES,
    &PASS_DURATION,
    &PASSES_RUNNING,
    &OBJECTS_DUE,
    &OBJECTS_BACKING_OFF,
    &OBJECTS,
    &REQUESTS,
    &REQUEST_DURATION,
    &BUDGET_SPENT,
    &BUDGET_LEFT,
    &BUDGET_WAITS,
    &PURGE_AT,
    &PURGE_IN,
    &DEACTIVATIONS_WAITING,
    &SECRET_AGE,
    &ROTATION_DUE,
    &LEADER,
    &READY,
    &BUILD,
];

/// What each label says.
const LABELS: [(&str, &str); 15] = [
    ("kind", "`QlikTenant`, `QlikIdentityProvider`, `QlikOAuthClient` or `QlikOffboarding`"),
    (
        "outcome",
        "`settled` (as declared), `waiting` (goes on by itself), `stalled` (needs a human), `suspended`, `released` (let go), \
         `gone`, `malformed` (the object, or an answer); or why it failed: `kubernetes`, `kubernetes_forbidden`, `missing`, \
         `misconfigured`, `raced`, `crypto`, `deadline`, `stuck`; or how a call to Qlik Cloud failed: `unreachable`, \
         `no_answer`, `no_token`, `throttled`, `bad_credentials`, `tenant_disabled`, `bot_disabled`, `unauthorized`, \
         `forbidden`, `quota_reached`, `license_invalid`, `not_found`, `precondition_failed`, `refused`, `server`, \
         `redirected`, `too_large`, `not_leading`, `foreign_host`, `setting`",
    ),
    (
        "condition",
        "`Ready`, `Reconciling`, `Stalled`, `Synced`, `CredentialsValid`, `PurgeScheduled`, `DeletionHeld` or `SecretInSync`",
    ),
    ("status", "`True`, `False` or `Unknown`"),
    ("reason", "one of the reasons of [conditions](../src/crd/conditions.rs); `Unknown` for any other word"),
    (
        "api",
        "`tenants`, `licenses`, `oauth-clients`, `identity-providers`, `users`, `organization`, `oauth-token` (access \
         tokens), `oauth-metadata` (asked for the date)",
    ),
    ("method", "`GET`, `POST`, `PATCH`, `PUT` or `DELETE`"),
    (
        "class",
        "`success`, `transient` (tried again), `throttled` (429), `refused`, `misconfigured` (credentials, license, settings), \
         `conflict`",
    ),
    (
        "host_class",
        "`register` (where tenants are created and deactivated), `tenant` (all of them together) or `organization`",
    ),
    ("tier", "Qlik Cloud's rate limits: `1` for reads, `2` for writes and token requests"),
    ("namespace", "the object's namespace"),
    ("name", "the object's name; for a tenant that is off-boarded the name that its `QlikTenant` has or had"),
    ("region", "the tenant's Qlik Cloud region, by its code"),
    ("version", "the operator's version"),
    ("trace_id", "only in exemplars: the trace of one pass that took as long"),
];

/// The reference as Markdown.
pub fn markdown() -> String {
    let mut text = String::from(HEAD);
    for metric in ALL {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let shape = format!("{:?}", metric.shape).to_lowercase();
        // Writing to a string does not fail.
        let _ = writeln!(text, "| `{}` | {shape} | {} | {}. |", metric.full_name(), labels.join(", "), metric.help);
    }
    text += "\n## Labels\n\n| label | values |\n|---|---|\n";
    for (label, values) in LABELS {
        let _ = writeln!(text, "| `{label}` | {values} |");
    }
    text
}

const HEAD: &str = "# Metrics

<!-- Generated by `qlik-operator metrics`; do not edit: `make docs-metrics`. -->

`qlik-operator run --listen ADDRESS` serves these under `/metrics` in the OpenMetrics text format. No label holds the name of an object, a host or a
customer, except in the gauges for single objects: `--metrics-per-object` (default `purge,secrets`) says which of them there are. `purge` stands for
those that begin with `qlik_operator_tenant_purge_`, `secrets` for those that begin with `qlik_operator_secret_`; an empty value turns both off.

Gauges that count objects are read from the caches of the process that leads, while they are served: a process that stands by has none of them, so sums
over all replicas are right.

| metric | type | labels | meaning |
|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_is_explained_and_every_name_says_its_unit() {
        for metric in ALL {
            for label in metric.labels {
                assert!(LABELS.iter().any(|(known, _)| known == label), "{}: {label}", metric.name);
            }
            assert_eq!(metric.name.ends_with("_total"), metric.shape == Shape::Counter, "{}", metric.name);
            assert!(metric.help.len() > 10 && !metric.help.ends_with('.'), "{}", metric.name);
        }
    }
}
