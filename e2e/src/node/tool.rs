//! The machine's own programs.

use super::Error;
use crate::process::{Output, finish};
use tokio::process::Command;

/// Runs a program that has to succeed, and answers what it printed.
pub(super) async fn tool(program: &str, args: &[&str]) -> Result<String, Error> {
    let mut command = Command::new(program);
    command.args(args);
    let output = finish(command, "").await.map_err(|error| format!("{program}: {error}"))?;
    succeeded(&format!("{program} {}", args.join(" ")), output)
}

/// The standard output of what succeeded.
pub(super) fn succeeded(what: &str, output: Output) -> Result<String, Error> {
    if output.success() {
        return Ok(output.stdout);
    }
    Err(format!("{what} ended with {:?}: {}{}", output.code, output.stdout, output.stderr).into())
}
