//! Writes the files that are made from the chart, and those of the chart that are made from the operator.
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use e2e::chart::files::{File, crds, manifests};

/// Writes generated files into the repository.
#[derive(Parser)]
#[command(version)]
enum Arguments {
    /// The chart's custom resource definitions and the reference of the kinds, from the operator's types.
    Crds,
    /// The kustomize bases and the README's table of values, from the chart.
    Manifests,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody left to tell.
            let _ = writeln!(io::stderr(), "chart: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let files = match arguments {
        Arguments::Crds => crds()?,
        Arguments::Manifests => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(manifests())?
        }
    };
    files.iter().filter(|file| !file.is_current()).try_for_each(File::write)?;
    Ok(())
}
