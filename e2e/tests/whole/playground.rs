//! The playground as the program that people start.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use e2e::process::{Exit, Guarded, Launch, until};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(3);

fn start(task: &str, directory: &Path) -> Guarded {
    let program = Launch::new(env!("CARGO_BIN_EXE_playground")).arg(task);
    // Whatever the playground leaves behind would be found in here.
    program.env("TMPDIR", directory).spawn(directory.join("log")).unwrap()
}

async fn nothing_is_left(directory: &Path) {
    until::<_, std::io::Error, _>(Duration::from_secs(15), "nothing but the log is left", async || {
        let mut names = std::fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.file_name()));
        Ok(names.all(|name| name.is_ok_and(|name| name == "log")).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_demo_tells_its_story_to_the_end() {
    let directory = TempDir::new().unwrap();
    let demo = start("demo", directory.path());
    let exit = demo.wait(PATIENCE).await.unwrap();
    let told = demo.log().unwrap();
    assert_eq!(exit, Exit::Code(0), "{told}");
    assert!(told.contains("10/10") && told.contains("The story is told") && !told.contains('\x1b'), "{told}");
    nothing_is_left(directory.path()).await;
}

#[tokio::test]
async fn what_is_up_works_as_the_hints_say_and_goes_when_told() {
    let directory = TempDir::new().unwrap();
    let up = start("up", directory.path());
    up.wait_for_line(PATIENCE, |line| line.contains("Ctrl-C ends everything")).await.unwrap();
    let introduced = up.log().unwrap();
    let export = introduced.lines().find_map(|line| line.trim().strip_prefix("$ export ")).unwrap();
    let hint = |what: &str| {
        let mut lines = introduced.lines().skip_while(|line| !line.contains(&format!("# {what}")));
        lines.nth(1).unwrap().trim().trim_start_matches("$ ").to_owned()
    };
    let settled = "kubectl wait --for=condition=Ready qliktenant/acme --timeout=120s";
    let purged = "kubectl wait --for=jsonpath='{.status.phase}'=Purged qliktenant/acme --timeout=120s";
    let (apply, leave, turn) = (hint("a tenant"), hint("the customer leaves"), hint("31 days pass"));
    let seen = "kubectl wait --for=jsonpath='{.status.goneSince}' qlikoffboarding --all --timeout=120s";
    let hour = hint("one more hour");
    let script =
        format!("set -e; export {export}; {apply}; {settled}; {leave}; {settled}; {turn}; {seen}; {hour}; {purged}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let user = tokio::process::Command::new("sh").arg("-c").arg(&script).current_dir(root).output().await.unwrap();
    assert!(user.status.success(), "{script}\n{user:?}");
    up.terminate().unwrap();
    assert_eq!(up.wait(PATIENCE).await.unwrap(), Exit::Code(0));
    nothing_is_left(directory.path()).await;
}
