//! Programs that end by themselves.
use std::io;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::owner::{OWNER_VARIABLE, own_mark};

/// What a finished program has printed and returned.
#[derive(Debug, Clone)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
}

impl Output {
    /// Whether it returned 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// What it printed, of a program that has to succeed; else an error with all that it said.
    pub fn succeeded(self) -> io::Result<String> {
        if self.success() { Ok(self.stdout) } else { Err(io::Error::other(self.stdout + &self.stderr)) }
    }
}

/// Runs a program to its end. The result may well be a failure; an error means that it could not be run.
pub async fn finish(mut command: Command, stdin: &str) -> io::Result<Output> {
    // Not guarded: it ends by itself. Marked all the same, to be found if it hangs.
    command.env(OWNER_VARIABLE, own_mark()?).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // It may end without reading everything, which its exit code tells better than a broken pipe.
        let _ = pipe.write_all(stdin.as_bytes()).await;
    }
    let output = child.wait_with_output().await?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Output { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() })
}
