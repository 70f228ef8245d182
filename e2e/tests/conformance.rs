//! The official `@qlik/api` from npm, unmodified, against the simulator over TLS.
//!
//! Without Node.js the tier is skipped, loudly; under `CI` that is a failure.
#![expect(clippy::unwrap_used, reason = "what the test is made of fails it by panicking, as it does itself")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::sim::{Config, Sim};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance");

/// Whether a program can be run at all.
fn runs(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[expect(clippy::disallowed_methods, reason = "a test is configured by its environment alone")]
fn under_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| !ci.is_empty() && ci != "false")
}

/// Installs the pinned packages, unless what is there was installed from this very lock file. The copy of the lock
/// file in `node_modules` is the mark: npm would report success for a directory that was left half made.
fn install() {
    let directory = Path::new(DIRECTORY);
    let (wanted, mark) = (directory.join("package-lock.json"), directory.join("node_modules/.installed-from"));
    if fs::read(&mark).ok() == fs::read(&wanted).ok() {
        return;
    }
    let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    let status = Command::new("npm").args(install).current_dir(directory).status().unwrap();
    assert!(status.success(), "npm ci failed: {status}");
    fs::copy(&wanted, &mark).unwrap();
}

fn script(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

#[test]
fn the_official_client_works_against_the_simulator() {
    if !runs("node") || !runs("npm") {
        assert!(!under_ci(), "Node.js is missing: the conformance tier cannot run");
        // written to the terminal itself, past the capturing of a passing test's output
        writeln!(std::io::stderr(), "\n*** conformance: SKIPPED, because node or npm is missing ***\n").unwrap();
        return;
    }
    install();
    let sim = Sim::start(Config::default()).unwrap();
    let output = Command::new("node")
        .arg("--import")
        .arg(script("loopback.mjs"))
        .arg("--test")
        .arg(script("simulator.test.mjs"))
        .arg(script("access.test.mjs"))
        .env("NODE_EXTRA_CA_CERTS", sim.ca_file().unwrap())
        .env("QLIK_SIM_READY", serde_json::to_string(sim.ready()).unwrap())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    let journal = sim.journal();
    for effect in ["tenant.reactivated", "idp.deleted", "oauth-client.deleted"] {
        assert!(journal.iter().any(|entry| entry.effect.as_deref() == Some(effect)), "{effect}: nothing was tested");
    }
}
