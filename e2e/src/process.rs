//! Child processes that cannot outlive this one, with their output and their use of the machine at hand.
//!
//! The program is started by `guard` (`src/bin/guard.rs`), which kills it as soon as the pipe to this process breaks.
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

mod finish;
mod owner;
mod poll;
mod stop;

pub use finish::{Output, finish};
pub use owner::{NAMESPACE_OWNER_VARIABLE, OWNER_VARIABLE, Unowned, own_mark, unowned};
pub use poll::{interval, until};
pub use stop::Stop;

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It is gone and nobody knows how: the guard itself was killed.
    Unknown,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// The most memory it ever had resident, in bytes; none once it has ended.
    pub peak_resident: Option<u64>,
    /// User and system time together.
    pub cpu: Duration,
}

/// A program about to be started; the environment is inherited unless cleared.
#[derive(Debug, Clone)]
pub struct Launch {
    program: PathBuf,
    args: Vec<OsString>,
    envs: Vec<(OsString, OsString)>,
    env_clear: bool,
    directory: Option<PathBuf>,
}

impl Launch {
    /// A program by its path, or by its name if it is to be found in `PATH`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), args: Vec::new(), envs: Vec::new(), env_clear: false, directory: None }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// One more environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.envs.push((name.into(), value.into()));
        self
    }

    /// Inherit no environment variable but `PATH`, `HOME` and `TMPDIR`.
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.env_clear = true;
        self
    }

    /// The working directory.
    #[must_use]
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Starts the program; everything it prints is appended to the file `log`.
    pub fn spawn(self, log: impl Into<PathBuf>) -> io::Result<Guarded> {
        let log = log.into();
        let mut command = Command::new(sibling("guard")?);
        if self.env_clear {
            command.env_clear();
            let kept = ["PATH", "HOME", "TMPDIR"];
            command.envs(kept.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.envs(self.envs).env(OWNER_VARIABLE, own_mark()?);
        // A group of its own: Ctrl-C in a terminal must reach only the owner, which then ends things in order.
        command.arg(&log).arg(&self.program).args(&self.args).process_group(0);
        let mut guard = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (stdin, reports) = (guard.stdin.take(), guard.stdout.take());
        let (pid, exit) = read_reports(reports.ok_or_else(|| io::Error::other("the guard has no output"))?)
            .map_err(|error| io::Error::other(format!("cannot start {}: {error}", self.program.display())))?;
        Ok(Guarded { guard, stdin, pid, exit, log })
    }
}

/// A running child; dropping it kills it.
#[derive(Debug)]
pub struct Guarded {
    guard: Child,
    stdin: Option<ChildStdin>,
    pid: Pid,
    exit: watch::Receiver<Option<Exit>>,
    log: PathBuf,
}

impl Guarded {
    /// The process id of the program itself, not of its guard. It stays reserved until this value is dropped.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_pid()
    }

    /// The process id of the guard.
    pub fn guard_pid(&self) -> u32 {
        self.guard.id()
    }

    /// Kills it outright.
    pub fn kill9(&self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Freezes it (SIGSTOP).
    pub fn stop(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it run on after [`Self::stop`].
    pub fn cont(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(self.pid, signal)?)
    }

    /// How it ended, if it has.
    pub fn exited(&self) -> Option<Exit> {
        self.exit.borrow().clone()
    }

    /// Waits for its end without a limit.
    pub async fn ended(&self) -> Exit {
        let mut exit = self.exit.clone();
        // An error means that the reports ended without telling.
        exit.wait_for(Option::is_some).await.ok().and_then(|exit| exit.clone()).unwrap_or(Exit::Unknown)
    }

    /// Waits for its end, or fails with [`io::ErrorKind::TimedOut`].
    pub async fn wait(&self, timeout: Duration) -> io::Result<Exit> {
        tokio::time::timeout(timeout, self.ended()).await.map_err(|_| {
            let message = format!("process {} still runs after {timeout:?}; {}", self.pid(), self.tail());
            io::Error::new(io::ErrorKind::TimedOut, message)
        })
    }

    /// The file that holds what it printed.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// What it has printed so far, standard output and standard error in one.
    pub fn log(&self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    /// The end of its log, for messages about failures.
    pub fn tail(&self) -> String {
        tail(&self.log)
    }

    /// Waits for the first line that `wanted` accepts; fails when the time is over or the process ended without it.
    pub async fn wait_for_line(&self, timeout: Duration, wanted: impl Fn(&str) -> bool) -> io::Result<String> {
        let mut lines = Lines { file: fs::File::open(&self.log)?, pending: Vec::new() };
        until(timeout, "the line in the log", async || {
            // Asked before reading: what it printed before its end is in the file by then.
            let ended = self.exited();
            while let Some(line) = lines.next()? {
                if wanted(&line) {
                    return Ok(Some(line));
                }
            }
            match ended {
                Some(exit) => Err(io::Error::other(format!("ended ({exit:?}) without the line; {}", self.tail()))),
                None => Ok(None),
            }
        })
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => io::Error::new(error.kind(), format!("{error}; {}", self.tail())),
            _ => error,
        })
    }

    /// What it has used so far.
    pub fn usage(&self) -> io::Result<Usage> {
        let fields = owner::stat_fields(self.pid())?;
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        // Fields 14 and 15 of proc_pid_stat(5), counted from the third, which is the first after the name.
        let milliseconds = (ticks(11) + ticks(12)) * 1000 / rustix::param::clock_ticks_per_second();
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let peak =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        Ok(Usage { peak_resident: peak.map(|kib: u64| kib * 1024), cpu: Duration::from_millis(milliseconds) })
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // The guard ends at once, with the program killed and reaped.
        let _ = self.guard.wait();
    }
}

/// The whole lines of a file that still grows.
struct Lines {
    file: fs::File,
    pending: Vec<u8>,
}

impl Lines {
    fn next(&mut self) -> io::Result<Option<String>> {
        if !self.pending.contains(&b'\n') {
            self.file.read_to_end(&mut self.pending)?;
        }
        let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line: Vec<u8> = self.pending.drain(..=end).collect();
        Ok(Some(String::from_utf8_lossy(line.trim_ascii_end()).into_owned()))
    }
}

/// Reads the program's id and leaves a thread behind that waits for its end. A thread and not a task: a child may be
/// shared by tests of which each has a runtime of its own.
fn read_reports(reports: ChildStdout) -> io::Result<(Pid, watch::Receiver<Option<Exit>>)> {
    let mut lines = BufReader::new(reports).lines();
    let first = lines.next().ok_or_else(|| io::Error::other("the guard could not start it"))??;
    let pid = first.strip_prefix("pid ").and_then(|pid| Pid::from_raw(pid.parse().ok()?));
    let pid = pid.ok_or_else(|| io::Error::other(format!("the guard says {first:?}")))?;
    let (sender, exit) = watch::channel(None);
    std::thread::spawn(move || {
        let last = lines.next().and_then(Result::ok).unwrap_or_default();
        let exit = match last.split_once(' ').map(|(word, number)| (word, number.parse())) {
            Some(("exited", Ok(code))) => Exit::Code(code),
            Some(("signaled", Ok(signal))) => Exit::Signal(signal),
            Some(_) | None => Exit::Unknown,
        };
        // Nobody may be interested any more.
        let _ = sender.send(Some(exit));
    });
    Ok((pid, exit))
}

/// The last lines of a log file, for messages about failures.
pub fn tail(log: &Path) -> String {
    const BYTES: u64 = 3000;
    let read = || -> io::Result<String> {
        let mut file = fs::File::open(log)?;
        let start = file.metadata()?.len().saturating_sub(BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match read() {
        Ok(text) => format!("the end of {} is:\n{text}", log.display()),
        Err(error) => format!("{} cannot be read: {error}", log.display()),
    }
}

/// A program of this package, built next to the one that runs: tests live one directory deeper than programs.
pub fn sibling(name: &str) -> io::Result<PathBuf> {
    let me = std::env::current_exe()?;
    let found = me.ancestors().skip(1).take(2).map(|directory| directory.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        let message = format!("no program {name} next to {}; build it with `cargo build -p e2e --bins`", me.display());
        io::Error::new(io::ErrorKind::NotFound, message)
    })
}

/// A program of the system, found as a shell would find it.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file())
}
