//! Argo CD with what this repository gives it: the generated settings, and tests with the real thing.

use clap::{Parser, Subcommand};
use e2e::argocd::{admin, scripts, story};
use e2e::playground::Screen;
use e2e::stage::Error;
use std::io::Write;
use std::process::ExitCode;

/// Health checks and actions for Argo CD, and Argo CD itself as local processes.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Clone, Copy, Subcommand)]
enum Task {
    /// Print config/argocd/argocd-cm.yaml.
    Config,
    /// Run every script on a table of objects, by Argo CD's own commands. No cluster is needed.
    Scripts,
    /// Customers that come and go by commits, with Argo CD, Kubernetes, Git and Redis as local processes.
    Story,
}

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    let screen = Screen::of_stdout();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::from);
    match runtime.and_then(|runtime| runtime.block_on(run(task, &screen))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody left to tell; the exit code still says it.
            let _ = screen.failed(&format!("FAILED: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(task: Task, screen: &Screen) -> Result<(), Error> {
    match task {
        Task::Config => Ok(std::io::stdout().write_all(scripts::config_map().as_bytes())?),
        Task::Scripts => admin::check(screen).await,
        Task::Story => Box::pin(story::tell(screen)).await,
    }
}
