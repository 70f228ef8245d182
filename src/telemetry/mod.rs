//! Log lines and traces.
//!
//! Each has a filter of its own: what is logged can be changed while the operator runs, what is traced are its own spans,
//! whatever is logged.

mod export;

use crate::config::{LogFormat, RunArgs};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::io::{IsTerminal, stderr};
use std::time::Duration;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// The target of spans that are there for traces alone. Log lines say themselves what they are about.
pub(crate) const SPANS: &str = "qlik_operator::trace";
/// The spans that are exported: the operator's own. What libraries say of a request may hold more than is good.
const OURS: &str = "qlik_operator";
/// How long the last spans may take to go out when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What is logged and traced, for as long as the process runs.
pub(crate) struct Telemetry {
    filter: LogFilter,
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts logging to standard error, and exporting traces where an endpoint is set. Fails on a filter or an endpoint
    /// that cannot be understood.
    pub(crate) fn start(args: &RunArgs, runtime: &tokio::runtime::Handle) -> Result<Self, String> {
        let filter = parse(&args.log).map_err(|problem| format!("--log {:?}: {problem}", args.log))?;
        let (filter, handle) = reload::Layer::new(filter);
        let lines = match args.log_format {
            LogFormat::Text => fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal()).boxed(),
            LogFormat::Json => fmt::layer().with_writer(stderr).json().flatten_event(true).boxed(),
        };
        let lines = lines.with_filter(filter.and(filter_fn(|about| about.target() != SPANS)));
        let traces = args.otlp_endpoint().map(|endpoint| export::provider(endpoint, runtime)).transpose()?;
        let spans = traces.as_ref().map(|traces| {
            tracing_opentelemetry::layer()
                .with_tracer(traces.tracer(env!("CARGO_PKG_NAME")))
                .with_location(false)
                .with_threads(false)
                .with_tracked_inactivity(false)
                .with_filter(filter_fn(|about| about.is_span() && about.target().starts_with(OURS)))
        });
        tracing_subscriber::registry().with(lines).with(spans).try_init().map_err(|e| e.to_string())?;
        Ok(Self { filter: LogFilter { handle }, traces })
    }

    /// What is logged, to be changed.
    pub(crate) fn filter(&self) -> LogFilter {
        self.filter.clone()
    }

    /// Sends what is left. Call it while the runtime still works, from outside of it.
    pub(crate) fn stop(self) {
        if let Some(traces) = self.traces
            && let Err(error) = traces.shutdown_with_timeout(LAST_WORDS)
        {
            tracing::warn!(%error, "the last traces were not exported");
        }
    }
}

fn parse(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder().parse(text).map_err(|e| e.to_string())
}

/// What is logged.
#[derive(Clone)]
pub(crate) struct LogFilter {
    handle: reload::Handle<EnvFilter, Registry>,
}

impl LogFilter {
    /// The filter as text.
    pub(crate) fn get(&self) -> String {
        self.handle.with_current(ToString::to_string).unwrap_or_default()
    }

    /// Logs by this filter from now on. Fails on one that cannot be understood, and changes nothing then.
    pub(crate) fn set(&self, text: &str) -> Result<(), String> {
        self.handle.reload(parse(text)?).map_err(|e| e.to_string())
    }
}

/// The trace that a span belongs to, where traces are exported.
pub(crate) fn trace_of(span: &tracing::Span) -> Option<String> {
    let context = span.context();
    let found = context.span().span_context().clone();
    (found.is_valid() && found.is_sampled()).then(|| found.trace_id().to_string())
}
