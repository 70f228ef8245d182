//! The line to a running keeper.
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::error::{Error, io_error};
use super::keeper::DONE;
use crate::process::{OWNER_VARIABLE, own_mark, sibling};

/// A keeper started by this process; it ends, and everything with it, when this value is dropped or this process ends.
///
/// Made of threads and plain pipes, not of tasks: it serves tests that each have a runtime of their own.
#[derive(Debug)]
pub(super) struct Keeper {
    child: Child,
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    commands: Option<ChildStdin>,
    answers: UnboundedReceiver<String>,
}

impl Keeper {
    /// Starts it and waits for the line that says that it is ready. What holds it up it tells on standard error.
    pub(super) async fn start(args: &[&str]) -> Result<(Self, String), Error> {
        let mut command = Command::new(sibling("local-control-plane")?);
        command.args(args).env(OWNER_VARIABLE, own_mark()?).process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (commands, output) = (child.stdin.take(), child.stdout.take());
        let output = output.ok_or_else(|| io::Error::other("the keeper has no output"))?;
        let (sender, answers) = unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let keeper = Self { child, line: Mutex::new(Line { commands, answers }) };
        let ready = keeper.line.lock().await.answer().await?;
        Ok((keeper, ready))
    }

    /// Asks for something and waits until it is done.
    pub(super) async fn ask(&self, command: &str) -> Result<(), Error> {
        let mut line = self.line.lock().await;
        if let Some(commands) = &mut line.commands {
            writeln!(commands, "{command}").map_err(io_error(format!("ask the keeper to {command}")))?;
        }
        match line.answer().await?.as_str() {
            DONE => Ok(()),
            other => Err(Error::Program(format!("{command}: {other}"))),
        }
    }

    /// Lets it end, and everything with it, in its own time.
    pub(super) fn let_go(&self) {
        if let Ok(mut line) = self.line.try_lock() {
            drop(line.commands.take());
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Line {
    async fn answer(&mut self) -> Result<String, Error> {
        let gone = || Error::Program("the keeper ended; its reason is on standard error".to_owned());
        self.answers.recv().await.ok_or_else(gone)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.line.get_mut().commands.take());
        // It takes a moment to kill what it started and to remove its directory.
        let _ = self.child.wait();
    }
}
