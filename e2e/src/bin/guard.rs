//! Runs one program that cannot outlive whoever asked for it, not even when that process is killed outright.
//!
//! `guard LOG PROGRAM [ARG…]`: standard input is a pipe that nobody writes to; its end means that the owner is gone
//! or no longer wants the program. The program's output goes to LOG. What becomes of it is told on standard output,
//! one line each: `pid N`, then `exited CODE` or `signaled NUMBER`.
//!
//! Between guard and program stands a second instance of this one, `guard --exec GUARD-PID PROGRAM [ARG…]`, which asks
//! the kernel for a SIGKILL at the guard's death and then becomes the program: a parent-death signal can only be
//! asked for by the child itself. It is bound to the *thread* that started the child, hence the guard starts it from
//! its main thread and from no other.
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpid, getppid, kill_process_group,
    set_parent_process_death_signal, waitid,
};

/// What a shell answers when a program cannot be started.
const CANNOT_EXECUTE: u8 = 127;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let outcome = match args.next() {
        Some(first) if first == "--exec" => become_program(args),
        Some(log) => guard(&log, args),
        None => Err("usage: guard LOG PROGRAM [ARG…]".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A failure means that nobody reads it any more.
            let _ = writeln!(std::io::stderr(), "guard: {error}");
            ExitCode::from(CANNOT_EXECUTE)
        }
    }
}

fn guard(log: &OsStr, program: impl Iterator<Item = OsString>) -> Outcome<()> {
    let mut child = start(log, program)?;
    let pid = Pid::from_child(&child);
    report(&format!("pid {}", pid.as_raw_pid()));
    let watcher = std::thread::spawn(move || report_end(pid));
    // Any result means the same: the other end is closed.
    let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    // The group takes in what the program started itself. It exists as long as the program is not reaped.
    let _ = kill_process_group(pid, Signal::KILL);
    // Reap only when the watcher has seen the end; it would look for a stranger's process otherwise.
    let _ = watcher.join();
    child.wait()?;
    Ok(())
}

fn start(log: &OsStr, program: impl Iterator<Item = OsString>) -> Outcome<Child> {
    let log = File::options().create(true).append(true).open(log)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--exec").arg(getpid().as_raw_pid().to_string()).args(program).process_group(0);
    Ok(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?)
}

/// Tells how the program ended and leaves it unreaped, so that its number cannot pass to a stranger while the owner
/// may still send signals to it.
fn report_end(pid: Pid) {
    let status = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).ok().flatten();
    let code = status.as_ref().and_then(WaitIdStatus::exit_status);
    let signal = status.as_ref().and_then(WaitIdStatus::terminating_signal);
    match (code, signal) {
        (Some(code), _) => report(&format!("exited {code}")),
        (None, Some(signal)) => report(&format!("signaled {signal}")),
        (None, None) => report("ended"),
    }
}

fn report(line: &str) {
    let mut out = std::io::stdout().lock();
    // A failure means that the owner is gone, which standard input tells as well.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn become_program(mut args: impl Iterator<Item = OsString>) -> Outcome<()> {
    let guard: i32 = args.next().and_then(|pid| pid.to_str()?.parse().ok()).ok_or("no process id of the guard")?;
    let program = args.next().ok_or("no program to run")?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid().map(Pid::as_raw_pid) != Some(guard) {
        return Err("the guard ended before its program started".into());
    }
    let error = Command::new(&program).args(args).exec();
    Err(format!("cannot run {}: {error}", program.display()).into())
}
