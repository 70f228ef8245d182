//! Passes over objects.

use super::table::{PASS_DURATION, PASSES, PASSES_RUNNING};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::time::Duration;

type Durations = HistogramWithExemplars<Trace>;

/// Counts passes. Clones count together.
#[derive(Clone, Debug)]
pub struct Passes {
    ended: Family<Ended, Counter>,
    durations: Family<Of, Durations, fn() -> Durations>,
    running: Family<Of, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Trace {
    trace_id: String,
}

/// Most passes end within some requests; none lasts longer than two minutes.
fn histogram() -> Durations {
    HistogramWithExemplars::new([0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0].into_iter())
}

impl Default for Passes {
    fn default() -> Self {
        let (ended, running) = (Family::default(), Family::default());
        Self { ended, durations: Family::new_with_constructor(histogram), running }
    }
}

impl Passes {
    /// Serves what is counted here.
    pub fn register(&self, registry: &mut Registry) {
        PASSES.enter(registry, self.ended.clone());
        PASS_DURATION.enter(registry, self.durations.clone());
        PASSES_RUNNING.enter(registry, self.running.clone());
    }

    /// A pass over an object of this kind begins. It runs until what is returned is dropped.
    pub fn begin(&self, kind: &'static str) -> Running {
        let under_way = self.running.get_or_create(&Of { kind }).clone();
        under_way.inc();
        Running { passes: self.clone(), kind, under_way }
    }
}

/// A pass under way.
#[derive(Debug)]
pub struct Running {
    passes: Passes,
    kind: &'static str,
    under_way: Gauge,
}

impl Running {
    /// The pass has ended, with an outcome that the program knows. `trace_id` names its trace, where that is exported.
    pub fn end(self, outcome: &'static str, took: Duration, trace_id: Option<String>) {
        let kind = self.kind;
        self.passes.ended.get_or_create(&Ended { kind, outcome }).inc();
        let trace = trace_id.map(|trace_id| Trace { trace_id });
        self.passes.durations.get_or_create(&Of { kind }).observe(took.as_secs_f64(), trace, None);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.under_way.dec();
    }
}
