//! The boundaries that `docs/ARCHITECTURE.md` and the design promise, read from the sources themselves.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Hard limit of a file, in lines.
const LINES: usize = 400;

/// One source file.
struct Source {
    /// Relative to the repository.
    path: String,
    text: String,
}

impl Source {
    /// The lines that are code: no comments, and nothing of an inline module of tests, which ends its file.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = || self.text.lines().map(str::trim);
        let tests = lines().zip(lines().skip(1)).position(|(a, b)| a == "#[cfg(test)]" && b.ends_with('{'));
        let lines = lines().take(tests.unwrap_or(usize::MAX)).enumerate();
        lines.filter(|(_, line)| !line.starts_with("//")).map(|(number, line)| (number + 1, line))
    }

    /// Where the code says one of these.
    fn says(&self, words: &[&str]) -> Vec<String> {
        let found = self.code().filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        found.map(|(number, line)| format!("{}:{number}: {line}", self.path)).collect()
    }

    fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|kind| kind == "rs")
    }

    /// Whether it is there for tests only.
    fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let apart = self.path.starts_with("e2e/") || self.path.split('/').any(|directory| directory == "tests");
        apart || ["testing.rs", "tests.rs"].contains(&name) || name.ends_with("_tests.rs")
    }
}

fn visit(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_symlink() || name.starts_with('.') || name == "target" || name == "node_modules" {
            continue;
        }
        if path.is_dir() {
            visit(&path, found);
        } else if ["rs", "go", "mjs"].iter().any(|kind| path.extension().is_some_and(|it| it == *kind)) {
            found.push(path);
        }
    }
}

/// Every source file below a directory of the repository.
fn sources(below: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    visit(&Path::new(ROOT).join(below), &mut paths);
    assert!(!paths.is_empty(), "no sources in {below}");
    paths.sort();
    let read = |path: PathBuf| Source {
        text: fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(ROOT).unwrap().to_string_lossy().into_owned(),
    };
    paths.into_iter().map(read).collect()
}

/// Fails with every place where a source says what it must not.
fn never(sources: &[Source], words: &[&str]) {
    let found: Vec<_> = sources.iter().flat_map(|source| source.says(words)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The other tests are worth something only if this one holds.
#[test]
fn what_code_says_is_found() {
    let text =
        "//! kube::Api\nuse kube::Api;\n  // kube::Api\n#[cfg(test)]\nuse x;\n#[cfg(test)]\nmod t {\nkube::Api\n}\n";
    let source = Source { path: "a.rs".to_owned(), text: text.to_owned() };
    assert_eq!(source.says(&["reqwest", "kube::Api"]), ["a.rs:2: use kube::Api;"]);
}

#[test]
fn plan_is_pure() {
    let plan = sources("src/plan");
    never(&plan, &["kube::Client", "kube::Api", "kube::api", "kube::runtime", "kube::client", "reqwest", "tokio"]);
    never(&plan, &["Timestamp::now", "SystemTime", "Instant", "crate::clock", "rand::", "async ", ".await"]);
    never(&plan, &["std::fs", "std::env", "std::net", "std::thread", "println!", "tracing"]);
    never(&plan, &["crate::engine", "crate::kinds", "crate::secrets", "crate::run", "crate::config"]);
}

#[test]
fn qlik_never_mentions_kubernetes() {
    never(&sources("src/qlik"), &["kube", "k8s_openapi", "crate::crd", "crate::plan", "crate::engine", "crate::kinds"]);
}

#[test]
fn the_simulator_shares_nothing_with_the_operator() {
    let mut simulator = sources("e2e/src/sim");
    simulator.extend(sources("e2e/src/bin").into_iter().filter(|source| source.path.ends_with("qlik-sim.rs")));
    never(&simulator, &["qlik_operator"]);
}

#[test]
fn files_are_short() {
    let long = sources("").into_iter().map(|source| (source.text.lines().count(), source.path));
    let long: Vec<_> = long.filter(|(lines, _)| *lines >= LINES).collect();
    assert!(long.is_empty(), "{LINES} lines or more: {long:?}");
}

#[test]
fn nothing_panics_by_unwrapping_outside_tests() {
    let shipped: Vec<_> = sources("src").into_iter().filter(|source| !source.is_test()).collect();
    never(&shipped, &[".unwrap()", ".expect(", ".unwrap_err()", ".expect_err("]);
}

#[test]
fn lints_are_lifted_with_a_reason_or_not_at_all() {
    let all: Vec<_> = sources("").into_iter().filter(Source::is_rust).collect();
    never(&all, &[concat!("#[", "allow("), concat!("#![", "allow(")]);
    for source in &all {
        for mark in [concat!("#[", "expect("), concat!("#![", "expect(")] {
            for attribute in source.text.split(mark).skip(1) {
                let attribute = attribute.split(")]").next().unwrap_or_default();
                assert!(attribute.contains("reason = \""), "{}: {mark}{attribute})]", source.path);
            }
        }
    }
}

#[test]
fn settings_are_read_in_one_place() {
    let is_config = |path: &str| path == "src/config.rs" || path.starts_with("src/config/");
    let elsewhere = sources("src").into_iter().filter(|source| !is_config(&source.path) && !source.is_test());
    let words = ["env::", "fs::", "File::", "#[arg(", "#[clap(", "include_str!", "include_bytes!"];
    let found: Vec<_> = elsewhere.flat_map(|source| source.says(&words)).collect();
    // The offset of the turnable clock is the one exception; it does not exist in the shipped program (see below).
    let (clock, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|place| place.starts_with("src/clock.rs:"));
    assert!(others.is_empty(), "\n{}", others.join("\n"));
    assert!(clock.len() == 1 && clock[0].contains("std::fs::read_to_string(offset_file)"), "{clock:?}");
}

#[test]
fn every_reason_is_explained() {
    let text = fs::read_to_string(Path::new(ROOT).join("src/crd/conditions.rs")).unwrap();
    let body = text.split("pub enum Reason {").nth(1).unwrap().split("\n}").next().unwrap();
    let mut explained = false;
    let mut reasons = 0;
    for line in body.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(words) = line.strip_prefix("///") {
            explained = !words.trim().is_empty();
        } else {
            assert!(explained, "{line} has no explanation");
            (explained, reasons) = (false, reasons + 1);
        }
    }
    assert!(reasons > 20, "{reasons} reasons");
}

#[test]
fn what_is_left_to_do_names_its_issue() {
    for source in sources("") {
        for mark in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")] {
            for rest in source.text.split(mark).skip(1) {
                let issue = rest.trim_start_matches(['(', ':', ' ']).strip_prefix('#');
                let named = issue.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()));
                assert!(named, "{}: {mark}{}", source.path, rest.lines().next().unwrap_or_default());
            }
        }
    }
}

/// Built alone, without the stand-ins, this is the shipped program; built together with them it has the flag, which
/// shows that the test looks for the right word.
#[test]
fn the_shipped_program_has_no_turnable_clock() {
    let program = || Command::new(env!("CARGO_BIN_EXE_qlik-operator"));
    let help = program().args(["run", "--help"]).output().unwrap();
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("--qlik-connect-to"), "{help}");
    assert_eq!(help.contains("clock-offset-file"), cfg!(feature = "turnable-clock"), "{help}");
    if !cfg!(feature = "turnable-clock") {
        let refused = program().args(["run", "--clock-offset-file", "/dev/null"]).output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("unexpected argument '--clock-offset-file'"));
    }
}
