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
    let code = output.code;
    output.succeeded().map_err(|error| format!("{what} ended with {code:?}: {error}").into())
}
