//! The spans of traces, and the counting of passes.
//!
//! They have a target of their own: log lines say themselves what they are about, so spans would only repeat it.

use super::{Context, Managed};
use crate::metrics::Running;
use crate::telemetry;
use kube::core::ObjectMeta;
use std::time::Duration;
use tracing::field::Empty;
use tracing::{Instrument, Span};

/// One pass, from its beginning to its end.
pub(super) struct Watch<'a> {
    cx: &'a Context,
    span: Span,
    running: Running,
    since: Duration,
}

impl<'a> Watch<'a> {
    /// A pass over the object with this metadata begins.
    pub(super) fn begin<K: Managed>(meta: &ObjectMeta, cx: &'a Context) -> Self {
        let span = tracing::info_span!(
            target: telemetry::SPANS, parent: None, "pass", kind = K::KIND, namespace = meta.namespace, name = meta.name,
            uid = meta.uid, generation = meta.generation, outcome = Empty
        );
        Self { cx, span, running: cx.passes.begin(K::KIND), since: cx.clock.monotonic() }
    }

    /// Makes the pass, which says what came of it.
    pub(super) async fn over<T>(self, pass: impl Future<Output = (T, &'static str)>) -> T {
        let (answer, outcome) = pass.instrument(self.span.clone()).await;
        self.span.record("outcome", outcome);
        let took = self.cx.clock.monotonic().saturating_sub(self.since);
        self.running.end(outcome, took, telemetry::trace_of(&self.span));
        answer
    }
}

/// A request to the Kubernetes API as part of the trace; `what` it does is a verb phrase.
pub(super) async fn of_request<T, E, L>(
    what: &'static str,
    request: impl Future<Output = Result<Result<T, E>, L>>,
) -> Result<Result<T, E>, L> {
    // Outside of a pass, as for the lease, it would be a trace of its own, twice in each two seconds.
    let span = match Span::current() {
        outside if outside.is_none() => outside,
        _ => tracing::info_span!(target: telemetry::SPANS, "kubernetes.request", what, outcome = Empty),
    };
    let answer = request.instrument(span.clone()).await;
    let outcome = match &answer {
        Ok(Ok(_)) => "ok",
        Ok(Err(_)) => "failed",
        Err(_) => "deadline",
    };
    span.record("outcome", outcome);
    answer
}
