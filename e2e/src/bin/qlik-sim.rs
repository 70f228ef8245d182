//! The simulator of Qlik Cloud as a program: prints one line of JSON when ready, then serves until it is stopped.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Parser;
use e2e::sim::{Config, Options, Sim, optional_fields};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

/// A simulator of Qlik Cloud.
#[derive(Debug, Parser)]
#[command(name = "qlik-sim", version, after_long_help = options_help())]
struct Arguments {
    /// Address of the TLS listener.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Address of the plain HTTP listener, with the same virtual hosts.
    #[arg(long, value_name = "ADDRESS")]
    listen_plain: Option<String>,
    /// Address of the admin listener.
    #[arg(long, value_name = "ADDRESS")]
    listen_admin: Option<String>,
    /// Domain of the virtual hosts.
    #[arg(long, default_value = "qlikcloud.com")]
    domain: String,
    /// Directory for ca.pem; a temporary one by default.
    #[arg(long, value_name = "DIR")]
    tls_dir: Option<PathBuf>,
    /// Seed of all identifiers.
    #[arg(long)]
    seed: Option<u64>,
    /// How many tenants a licence allows at one time.
    #[arg(long, default_value_t = 10_000)]
    tenant_quota: usize,
    /// Options as JSON, as POST /_sim/options takes them: see below.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    options: String,
    /// Exit when standard input ends, so that nothing is left when the parent dies.
    #[arg(long)]
    exit_with_stdin: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    let arguments = Arguments::parse();
    let options: Options = serde_json::from_str(&arguments.options)?;
    let listeners = [&arguments.listen, &arguments.listen_plain, &arguments.listen_admin];
    // without any of them there would be nothing to talk to: TLS and administration on random ports then
    let defaults = if listeners.iter().all(|listener| listener.is_none()) { Config::default() } else { silent() };
    let running = Sim::start(Config {
        listen: arguments.listen.or(defaults.listen),
        listen_plain: arguments.listen_plain,
        listen_admin: arguments.listen_admin.or(defaults.listen_admin),
        domain: arguments.domain,
        tls_dir: arguments.tls_dir,
        seed: arguments.seed,
        secret_prefix: String::new(),
        tenant_quota: arguments.tenant_quota,
        options,
        after_request: None,
    })?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", serde_json::to_string(running.ready())?)?;
    stdout.flush()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(stopped(arguments.exit_with_stdin))?;
    drop(running);
    Ok(())
}

/// The options with their defaults, and the names that one of them takes.
fn options_help() -> String {
    let defaults = serde_json::to_string_pretty(&Options::default()).unwrap_or_default();
    let fields = optional_fields().join("\n  ");
    format!(
        "Options and their defaults. What each of them means and takes is in the documentation of e2e::sim::Options; a \
         value that is none is refused with those there are.\n{defaults}\n\nFields that \"omit\" takes, besides \"*\" for \
         all of them:\n  {fields}"
    )
}

/// A configuration that listens nowhere.
fn silent() -> Config {
    Config { listen: None, listen_plain: None, listen_admin: None, ..Config::default() }
}

/// Waits for a signal or, where asked to, for the end of standard input.
async fn stopped(with_stdin: bool) -> io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (ended, end) = oneshot::channel();
    if with_stdin {
        // a thread, because a read of standard input cannot be cancelled; it goes with the process
        std::thread::spawn(move || {
            let end = io::copy(&mut io::stdin(), &mut io::sink());
            ended.send(end)
        });
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = end => {}
        }
    } else {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
    Ok(())
}
