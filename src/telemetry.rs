//! Log lines.

use crate::config::{LogFormat, RunArgs};
use tracing_subscriber::EnvFilter;

/// Starts logging to standard error. Fails on a filter that cannot be understood.
pub(crate) fn start(args: &RunArgs) -> Result<(), String> {
    let filter = EnvFilter::try_new(&args.log).map_err(|e| format!("--log {:?}: {e}", args.log))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match args.log_format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|e| e.to_string())
}
