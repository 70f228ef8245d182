//! Guarded processes: they end with their owner, and nobody else's signals reach them.
#![expect(clippy::expect_used, reason = "a test fails by panicking, in its helper functions too")]
use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::process::{Exit, Guarded, Launch, until};

const SOON: Duration = Duration::from_secs(20);

struct Shell {
    process: Guarded,
    _directory: tempfile::TempDir,
}

fn shell(script: &str) -> Shell {
    let directory = tempfile::tempdir().expect("directory");
    let process = Launch::new("/bin/sh").args(["-c", script]).spawn(directory.path().join("log")).expect("spawn");
    Shell { process, _directory: directory }
}

fn proc_of(pid: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

/// Gone, or dead with only its entry left because whoever inherited it has not looked yet.
fn has_ended(path: &Path) -> bool {
    std::fs::read_to_string(path.join("stat")).map_or(true, |stat| stat.contains(") Z "))
}

async fn wait_until_ended(pid: i32) {
    let path = proc_of(pid);
    let ended = until(SOON, "the process ends", async || Ok::<_, std::io::Error>(has_ended(&path).then_some(())));
    ended.await.expect("ended");
}

#[tokio::test]
async fn output_of_both_kinds_and_the_exit_code_are_told() {
    let shell = shell("echo one; echo two >&2; exit 7");
    assert_eq!(shell.process.wait(SOON).await.expect("end"), Exit::Code(7));
    assert_eq!(shell.process.log().expect("log"), "one\ntwo\n");
    assert_eq!(shell.process.wait_for_line(SOON, |line| line.starts_with("tw")).await.expect("line"), "two");
}

#[tokio::test]
async fn waiting_for_a_line_that_cannot_come_any_more_fails_at_once_and_shows_the_log() {
    let shell = shell("echo one");
    let error = shell.process.wait_for_line(SOON, |line| line == "two").await.expect_err("no such line");
    assert!(error.to_string().contains("Code(0)"), "{error}");
    assert!(error.to_string().contains("one"), "{error}");
}

#[tokio::test]
async fn a_program_that_does_not_exist_says_so_in_its_log() {
    let directory = tempfile::tempdir().expect("directory");
    let process = Launch::new("/nonexistent/program").spawn(directory.path().join("log")).expect("spawn");
    assert_eq!(process.wait(SOON).await.expect("end"), Exit::Code(127));
    assert!(process.log().expect("log").contains("/nonexistent/program"));
}

#[tokio::test]
async fn signals_reach_the_program() {
    let polite = shell("trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done");
    polite.process.wait_for_line(SOON, |line| line == "ready").await.expect("ready");
    polite.process.terminate().expect("terminate");
    assert_eq!(polite.process.wait(SOON).await.expect("end"), Exit::Code(3));

    let stubborn = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    stubborn.process.wait_for_line(SOON, |line| line == "ready").await.expect("ready");
    stubborn.process.terminate().expect("terminate");
    stubborn.process.kill9().expect("kill");
    assert_eq!(stubborn.process.wait(SOON).await.expect("end"), Exit::Signal(9));
}

#[tokio::test]
async fn a_stopped_program_does_nothing_until_it_may_go_on() {
    let shell = shell("echo ready; read line < /dev/zero");
    let process = &shell.process;
    process.wait_for_line(SOON, |line| line == "ready").await.expect("ready");
    process.stop().expect("stop");
    let stat = proc_of(process.pid()).join("stat");
    let in_state = |wanted: &'static str| {
        let stat = stat.clone();
        until(SOON, "the state", async move || {
            Ok::<_, std::io::Error>(std::fs::read_to_string(&stat)?.contains(wanted).then_some(()))
        })
    };
    in_state(") T ").await.expect("stopped");
    process.cont().expect("cont");
    in_state(") R ").await.expect("running");
    let used = until(SOON, "time is used", async || {
        let usage = process.usage()?;
        Ok::<_, std::io::Error>((!usage.cpu.is_zero()).then_some(usage))
    });
    assert!(used.await.expect("usage").peak_resident.is_some_and(|bytes| bytes > 100_000));
    process.kill9().expect("kill");
    process.wait(SOON).await.expect("end");
    assert_eq!(process.usage().expect("its number is still reserved").peak_resident, None);
}

#[tokio::test]
async fn dropping_ends_the_program_and_what_it_started() {
    let shell = shell("sleep 1000 & echo $!; wait");
    let grandchild = shell.process.wait_for_line(SOON, |_| true).await.expect("line").parse().expect("number");
    let pid = shell.process.pid();
    drop(shell);
    assert!(!proc_of(pid).exists(), "it is gone when the drop returns");
    wait_until_ended(grandchild).await;
}

#[tokio::test]
async fn killing_the_guard_kills_the_program() {
    let shell = shell("echo ready; exec sleep 1000");
    shell.process.wait_for_line(SOON, |line| line == "ready").await.expect("ready");
    let guard = rustix::process::Pid::from_raw(shell.process.guard_pid().cast_signed()).expect("pid");
    rustix::process::kill_process(guard, rustix::process::Signal::KILL).expect("kill");
    wait_until_ended(shell.process.pid()).await;
    assert_eq!(shell.process.wait(SOON).await.expect("end"), Exit::Unknown);
}

#[tokio::test]
async fn a_cleared_environment_holds_what_is_given() {
    let directory = tempfile::tempdir().expect("directory");
    let launch = Launch::new("/usr/bin/env").env_clear().env("GIVEN", "1").current_dir("/");
    let process = launch.spawn(directory.path().join("log")).expect("spawn");
    process.wait(SOON).await.expect("end");
    let log = process.log().expect("log");
    assert!(log.contains("GIVEN=1\n"), "{log}");
    assert!(!log.contains("CARGO"), "{log}");
}

#[tokio::test]
async fn a_process_whose_owner_is_gone_is_found_and_others_are_not() {
    let owned = shell("exec sleep 1000");
    let mut stray = std::process::Command::new("/bin/sleep");
    // A mark that no living process has.
    let mut stray = stray.arg("1000").env(e2e::process::OWNER_VARIABLE, "2:nothing").spawn().expect("spawn");
    let pid = stray.id().cast_signed();
    let found = until(SOON, "it is found", async || {
        let unowned = e2e::process::unowned()?;
        assert!(unowned.iter().all(|process| process.pid != owned.process.pid()));
        Ok::<_, std::io::Error>(unowned.into_iter().find(|process| process.pid == pid))
    });
    let found = found.await;
    stray.kill().expect("kill");
    stray.wait().expect("wait");
    assert_eq!(found.expect("found").command, "/bin/sleep 1000");
}
