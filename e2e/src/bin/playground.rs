//! The operator with everything around it, on this machine alone: `playground demo` tells a story, `playground up`
//! leaves the pieces running, `playground lab` does so without an operator, for whoever wants to install it.

use clap::{Parser, Subcommand};
use e2e::cluster::Cluster;
use e2e::playground::{Lab, Playground, Screen, end, keep, tell, workspace};
use e2e::process::Stop;
use e2e::stage::Error;
use std::process::ExitCode;
use std::time::Instant;

/// The operator with a real Kubernetes control plane and a simulated Qlik Cloud, all of it on loopback.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Clone, Copy, PartialEq, Eq, Subcommand)]
enum Task {
    /// Tell the story of three customers, check every step of it, and end.
    Demo,
    /// Leave everything running until Ctrl-C.
    Up,
    /// The same without an operator: install it with Helm.
    Lab,
}

/// What a shell reports of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    let screen = Screen::of_stdout();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::from);
    match runtime.and_then(|runtime| runtime.block_on(run(task, &screen))) {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            // Nobody left to tell; the exit code still says it.
            let _ = screen.failed(&format!("FAILED: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Well,
    Interrupted,
}

async fn run(task: Task, screen: &Screen) -> Result<Ended, Error> {
    // Sample manifests are named from there, in commands that a reader can repeat.
    std::env::set_current_dir(workspace())?;
    let mut stop = Stop::new()?;
    let since = Instant::now();
    let operator = if task == Task::Lab { "" } else { ", and the operator" };
    screen.say(&format!(
        "Starting Kubernetes (etcd, kube-apiserver, kube-controller-manager), Qlik Cloud (simulated){operator}."
    ))?;
    let starting = screen.during("starting Kubernetes", Cluster::shared());
    let cluster = tokio::select! {
        started = starting => started?,
        () = stop.asked() => return Ok(interrupted(task)),
    };
    let mut playground = None;
    let outcome = tokio::select! {
        told = perform(task, cluster, &mut playground, screen) => told.map(|()| Ended::Well),
        () = stop.asked() => Ok(interrupted(task)),
    };
    screen.aside("\nEnding everything …")?;
    screen.during("ending", end(playground, cluster)).await?;
    let ended = outcome?;
    if matches!(task, Task::Demo) && ended == Ended::Well {
        screen.heading(&format!("The story is told, in {} s. Nothing is left running.", since.elapsed().as_secs()))?;
        screen.say("To try it yourself: make up")?;
    }
    Ok(ended)
}

/// Leaves the playground to its caller, who has to end it however this ends.
async fn perform(
    task: Task,
    cluster: &'static Cluster,
    playground: &mut Option<Playground>,
    screen: &Screen,
) -> Result<(), Error> {
    if task == Task::Lab {
        return screen.during("preparing", Lab::on(cluster)).await?.keep(screen).await;
    }
    let playground = playground.insert(screen.during("starting the operator", Playground::on(cluster)).await?);
    if task == Task::Demo { Box::pin(tell(playground, screen)).await } else { keep(playground, screen).await }
}

/// Stopping is the ordinary end of `up` and not of `demo`.
fn interrupted(task: Task) -> Ended {
    match task {
        Task::Demo => Ended::Interrupted,
        Task::Up | Task::Lab => Ended::Well,
    }
}
