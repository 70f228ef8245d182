//! Builds helm, and writes the files that are made from the chart, and those of the chart that are made from the operator.
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use e2e::chart::files::{File, crds, manifests};
use e2e::cluster::binaries::{Helm, helm};
use qlik_operator::engine::chain;

/// Builds helm, and writes generated files into the repository.
#[derive(Parser)]
#[command(version)]
enum Arguments {
    /// The chart's custom resource definitions and the reference of the kinds, from the operator's types.
    Crds,
    /// The kustomize bases and the README's table of values, from the chart.
    Manifests,
    /// Build both Helms unless they are there, and print where.
    Helm,
}

fn main() -> ExitCode {
    let outcome = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Into::into);
    match outcome.and_then(|runtime| runtime.block_on(run(Arguments::parse()))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody left to tell.
            let _ = writeln!(io::stderr(), "chart: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let files = match arguments {
        Arguments::Crds => crds()?,
        Arguments::Manifests => manifests().await?,
        Arguments::Helm => {
            for version in Helm::ALL {
                writeln!(io::stdout(), "{}", helm(version).await?.display())?;
            }
            return Ok(());
        }
    };
    files.iter().filter(|file| !file.is_current()).try_for_each(File::write)?;
    Ok(())
}
