//! Is anything left of test runs that have ended?
use std::time::Duration;

use super::directory::orphans;
use super::error::Error;
use crate::process::{unowned, until};

/// Waits until no process and no directory of a dead owner is left; fails with a list of what is.
///
/// What belongs to somebody who still lives is in use, not left over: other test runs may go on next door.
pub async fn check(patience: Duration) -> Result<(), Error> {
    let mut left = Vec::new();
    let gone = until(patience, "leftovers", async || {
        left = found()?;
        Ok::<_, Error>(left.is_empty().then_some(()))
    })
    .await;
    match gone {
        Err(_) if !left.is_empty() => Err(Error::Program(format!("left over:\n{}", left.join("\n")))),
        other => other,
    }
}

fn found() -> Result<Vec<String>, Error> {
    let processes = unowned()?.into_iter().map(|process| format!("process {}: {}", process.pid, process.command));
    let directories = orphans()?.into_iter().map(|path| format!("directory {}", path.display()));
    Ok(processes.chain(directories).collect())
}
