//! Requests to Qlik Cloud.

use super::table::{REQUEST_DURATION, REQUESTS};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

/// Counts requests. Clones count together.
#[derive(Clone, Debug)]
pub struct Calls {
    requests: Family<Ended, Counter>,
    durations: Family<Made, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Made {
    api: &'static str,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    api: &'static str,
    method: &'static str,
    class: &'static str,
}

/// A request is given up after 20 s.
fn histogram() -> Histogram {
    Histogram::new([0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0])
}

impl Default for Calls {
    fn default() -> Self {
        Self { requests: Family::default(), durations: Family::new_with_constructor(histogram) }
    }
}

impl Calls {
    /// Serves what is counted here.
    pub fn register(&self, registry: &mut Registry) {
        REQUESTS.enter(registry, self.requests.clone());
        REQUEST_DURATION.enter(registry, self.durations.clone());
    }

    /// Counts one request. All words are ones that the program knows.
    pub fn ended(&self, api: &'static str, method: &'static str, (class, took): (&'static str, Duration)) {
        self.requests.get_or_create(&Ended { api, method, class }).inc();
        self.durations.get_or_create(&Made { api, method }).observe(took.as_secs_f64());
    }
}
