//! What a person at the terminal sees.

use crate::process::interval;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Standard output, in colour where it is a terminal.
pub struct Screen {
    terminal: bool,
    colour: bool,
}

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "1;31";
const GREEN: &str = "32";
const CYAN: &str = "36";

impl Screen {
    /// Looks at what standard output is; `NO_COLOR` is respected.
    pub fn of_stdout() -> Self {
        let terminal = io::stdout().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { terminal, colour: terminal && !plain }
    }

    /// Starts a new part.
    pub fn heading(&self, text: &str) -> io::Result<()> {
        self.write(&format!("\n{}\n", self.painted(BOLD, text)))
    }

    /// Tells what happens.
    pub fn say(&self, text: &str) -> io::Result<()> {
        self.write(&format!("{text}\n"))
    }

    /// A command as a user would type it.
    pub fn command(&self, line: &str) -> io::Result<()> {
        self.write(&format!("  {}\n", self.painted(CYAN, &format!("$ {line}"))))
    }

    /// What a command printed.
    pub fn output(&self, text: &str) -> io::Result<()> {
        text.lines().try_for_each(|line| self.write(&format!("    {line}\n")))
    }

    /// Something beside the story.
    pub fn aside(&self, text: &str) -> io::Result<()> {
        self.write(&format!("{}\n", self.painted(DIM, text)))
    }

    /// Something that was checked.
    pub fn proven(&self, fact: &str) -> io::Result<()> {
        self.write(&format!("  {} {fact}\n", self.painted(GREEN, "✓")))
    }

    /// The end that nobody wants.
    pub fn failed(&self, text: &str) -> io::Result<()> {
        self.write(&format!("\n{}\n", self.painted(RED, text)))
    }

    /// Shows that something takes its time: a counter on a terminal, else a line now and then.
    pub fn during<T>(&self, what: &str, work: impl Future<Output = T>) -> impl Future<Output = T> {
        // On the heap, since what takes long is large.
        let mut work = Box::pin(work);
        async move {
            let since = Instant::now();
            let mut ticks = interval(Duration::from_secs(if self.terminal { 1 } else { 10 }));
            ticks.tick().await;
            loop {
                tokio::select! {
                    done = &mut work => {
                        self.clear();
                        return done;
                    }
                    _ = ticks.tick() => self.still(what, since.elapsed()),
                }
            }
        }
    }

    fn still(&self, what: &str, so_far: Duration) {
        let line = self.painted(DIM, &format!("  … {what} ({} s)", so_far.as_secs()));
        // Mere progress: that it cannot be shown is no reason to fail.
        let _ = if self.terminal { self.write(&format!("\r\x1b[K{line}")) } else { self.write(&format!("{line}\n")) };
    }

    fn clear(&self) {
        if self.terminal {
            let _ = self.write("\r\x1b[K");
        }
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    #[expect(clippy::unused_self, reason = "all writing goes through the screen")]
    fn write(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}
