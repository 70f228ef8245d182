//! The operator as people install it, on a real node: image, chart, kubelet and kernel. `make e2e-node`; needs root.

use clap::{Parser, Subcommand};
use e2e::node::{Error, run, supervise, tidy};
use e2e::playground::Screen;
use std::path::PathBuf;
use std::process::ExitCode;

/// The operator on a real node of its own, from installation to removal.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// How many tenants the scenario of many has.
    #[arg(long, default_value_t = 1000)]
    tenants: usize,
}

/// The processes that this program starts of itself.
#[derive(Subcommand)]
enum Part {
    /// The scenarios, in namespaces of their own.
    #[command(hide = true)]
    World { directory: PathBuf, images: PathBuf, tenants: usize },
    /// Waits for the end of standard input and removes what is left.
    #[command(hide = true)]
    Tidy { directory: PathBuf, cgroup: String },
}

fn main() -> ExitCode {
    // One thread: what is started dies with the thread that started it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::from);
    match runtime.and_then(|runtime| runtime.block_on(perform(Arguments::parse()))) {
        Ok(code) => code,
        Err(error) => {
            // Nobody left to tell; the exit code still says it.
            let _ = Screen::of_stdout().failed(&format!("FAILED: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn perform(arguments: Arguments) -> Result<ExitCode, Error> {
    match arguments.part {
        None => return Box::pin(supervise(arguments.tenants)).await,
        Some(Part::World { directory, images, tenants }) => Box::pin(run(&directory, &images, tenants)).await?,
        Some(Part::Tidy { directory, cgroup }) => tidy(directory, cgroup).await?,
    }
    Ok(ExitCode::SUCCESS)
}
