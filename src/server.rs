//! What the operator serves by HTTP: its health and metrics to everybody, its log filter to whoever is on the machine.

use crate::config::Settings;
use crate::health::{BEAT, Health};
use crate::metrics;
use crate::telemetry::LogFilter;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What is shown.
pub(crate) struct Served {
    /// The state of this process.
    pub(crate) health: Arc<Health>,
    /// The settings, for what they name and is not there.
    pub(crate) settings: Arc<Settings>,
    /// The metrics.
    pub(crate) registry: Registry,
}

impl Served {
    /// A line for each thing for which no work can be done; none when the process is ready.
    pub(crate) fn missing(health: &Health, settings: &Settings) -> Vec<String> {
        [health.missing(), settings.unreadable()].concat()
    }
}

/// An address cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address} ({setting})")]
pub struct Occupied {
    address: SocketAddr,
    setting: &'static str,
    #[source]
    source: io::Error,
}

/// The servers of a process. They end when this is dropped.
pub(crate) struct Servers {
    tasks: JoinSet<()>,
}

impl Servers {
    /// No server yet; the heart beats from now on.
    pub(crate) fn new(health: &Arc<Health>) -> Self {
        let mut tasks = JoinSet::new();
        let health = health.clone();
        tasks.spawn(async move {
            let mut beats = tokio::time::interval(BEAT);
            beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                beats.tick().await;
                health.beat();
            }
        });
        Self { tasks }
    }

    /// Serves health and metrics.
    pub(crate) async fn show(&mut self, address: SocketAddr, served: Served) -> Result<(), Occupied> {
        let routes = Router::new()
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .route("/metrics", get(scrape))
            .with_state(Arc::new(served));
        let address = self.serve("--listen", address, routes).await?;
        tracing::info!(%address, "serving /livez, /readyz and /metrics");
        Ok(())
    }

    /// Serves the log filter.
    pub(crate) async fn administer(&mut self, address: SocketAddr, filter: LogFilter) -> Result<(), Occupied> {
        let routes = Router::new().route("/log", get(log).put(set_log)).with_state(filter);
        let address = self.serve("--admin-listen", address, routes).await?;
        tracing::info!(%address, "serving /log");
        Ok(())
    }

    async fn serve(
        &mut self,
        setting: &'static str,
        address: SocketAddr,
        routes: Router,
    ) -> Result<SocketAddr, Occupied> {
        let occupied = |source| Occupied { address, setting, source };
        let listener = TcpListener::bind(address).await.map_err(occupied)?;
        let bound = listener.local_addr().map_err(occupied)?;
        self.tasks.spawn(async move {
            // It ends with an error only where the listener itself breaks; then probes fail, which is the right answer.
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, setting, "the server ended");
            }
        });
        Ok(bound)
    }
}

async fn livez(State(served): State<Arc<Served>>) -> Response {
    lines(&served.health.hanging())
}

async fn readyz(State(served): State<Arc<Served>>) -> Response {
    lines(&Served::missing(&served.health, &served.settings))
}

/// 200 where there is nothing to say, else 503 with what there is.
fn lines(trouble: &[String]) -> Response {
    if trouble.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, trouble.join("\n") + "\n").into_response()
}

async fn scrape(State(served): State<Arc<Served>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &served.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("the metrics cannot be written: {error}\n")).into_response()
        }
    }
}

async fn log(State(filter): State<LogFilter>) -> String {
    filter.get() + "\n"
}

async fn set_log(State(filter): State<LogFilter>, text: String) -> Response {
    match filter.set(text.trim()) {
        Ok(()) => {
            let filter = filter.get();
            tracing::info!(filter, "the log filter was changed");
            (filter + "\n").into_response()
        }
        Err(problem) => (StatusCode::BAD_REQUEST, format!("{:?}: {problem}\n", text.trim())).into_response(),
    }
}
