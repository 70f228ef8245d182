//! Keeps a real Kubernetes control plane on loopback for as long as its owner lives.
//!
//! When ready it prints one line of JSON that says where everything is. It ends at the end of its standard input, at
//! SIGINT, SIGTERM and SIGHUP, and when one of the programs ends by itself; then nothing is left of it.
use std::io::{self, BufRead, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use e2e::cluster::keeper::{ControlPlane, DEFAULT_CONTROLLERS, DONE, START_API_SERVER, STOP_API_SERVER, Settings};
use e2e::cluster::{
    Error, binaries,
    directory::{Directory, sweep},
    leftovers,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A real Kubernetes control plane on loopback, kept until standard input ends or a signal comes.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
    /// Seconds until it must be ready, building the programs not counted.
    #[arg(long, default_value_t = 120)]
    ready_timeout: u64,
    /// The controllers to run, as kube-controller-manager takes them.
    #[arg(long, default_value = DEFAULT_CONTROLLERS)]
    controllers: String,
    /// The address of this machine at which nodes find the API server, which else is bound to loopback.
    #[arg(long)]
    advertise: Option<Ipv4Addr>,
}

#[derive(Subcommand)]
enum Task {
    /// Build the Kubernetes programs unless they are there, and print where.
    Build,
    /// Exit with 1 and say what it is when a process or directory of a dead owner is still there after 15 seconds.
    Check,
    /// Keep only a directory, for work with a cluster that exists already.
    Directory,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::from);
    match outcome.and_then(|runtime| runtime.block_on(run(arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut cause: Option<&dyn std::error::Error> = Some(&error);
            let mut chain = Vec::new();
            while let Some(error) = cause {
                chain.push(error.to_string());
                cause = error.source();
            }
            // Nobody left to tell.
            let _ = writeln!(io::stderr(), "local-control-plane: {}", chain.join(": "));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Error> {
    let settings = Settings {
        ready_timeout: Duration::from_secs(arguments.ready_timeout),
        controllers: arguments.controllers,
        advertise: arguments.advertise,
    };
    match arguments.task {
        None => keep(&settings).await,
        Some(Task::Build) => print(&binaries::directory().await?.display().to_string()),
        Some(Task::Check) => leftovers::check(Duration::from_secs(15)).await,
        Some(Task::Directory) => {
            let mut owner = Owner::new()?;
            sweep()?;
            let directory = Directory::create()?;
            print(&serde_json::json!({ "dir": directory.path() }).to_string())?;
            while owner.next().await.is_some() {}
            Ok(())
        }
    }
}

async fn keep(settings: &Settings) -> Result<(), Error> {
    let mut owner = Owner::new()?;
    let mut control_plane = tokio::select! {
        started = ControlPlane::start(settings) => started?,
        () = owner.gone() => return Ok(()),
    };
    let ready = serde_json::to_string(control_plane.ready()).map_err(io::Error::from)?;
    print(&ready)?;
    loop {
        let command = tokio::select! {
            command = owner.next() => command,
            error = control_plane.failed() => return Err(error),
        };
        match command.as_deref() {
            None => return Ok(()),
            Some(STOP_API_SERVER) => {
                control_plane.stop_api_server();
                print(DONE)?;
            }
            Some(START_API_SERVER) => {
                let started = tokio::select! {
                    started = control_plane.start_api_server() => started,
                    () = owner.gone() => return Ok(()),
                };
                print(&started.map_or_else(|error| error.to_string().replace('\n', " | "), |()| DONE.to_owned()))?;
            }
            Some(unknown) => print(&format!("unknown: {unknown}"))?,
        }
    }
}

/// Whoever wants the control plane: speaks through standard input and signals, and is gone when that ends.
struct Owner {
    lines: UnboundedReceiver<String>,
    signals: [Signal; 3],
}

impl Owner {
    /// Reads in a thread of its own: a read cannot be called off, and the runtime would wait for it at its end.
    fn new() -> io::Result<Self> {
        let (sender, lines) = unbounded_channel();
        std::thread::spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self { lines, signals: [interrupt?, terminate?, hangup?] })
    }

    /// The next command, or nothing when it is time to end.
    async fn next(&mut self) -> Option<String> {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            line = self.lines.recv() => line,
            _ = interrupt.recv() => None,
            _ = terminate.recv() => None,
            _ = hangup.recv() => None,
        }
    }

    /// Waits for the end; commands that come too early are not heard.
    async fn gone(&mut self) {
        while self.next().await.is_some() {}
    }
}

fn print(line: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    Ok(writeln!(out, "{line}").and_then(|()| out.flush())?)
}
