//! What the Dockerfile promises and other files of this repository rely on, read from the file itself. Whether the image
//! keeps it is checked on a built one, by `make image`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The instructions, one line each, in their order.
fn instructions() -> Vec<String> {
    let text = read("Dockerfile");
    let code: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    code.join("\n").replace("\\\n", " ").lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

/// What follows this start of an instruction, of which there is exactly one.
fn only(start: &str) -> String {
    let found: Vec<_> = instructions().into_iter().filter(|line| line.starts_with(start)).collect();
    assert_eq!(found.len(), 1, "{start}: {found:?}");
    found[0][start.len()..].trim().to_owned()
}

/// The quoted value of the first line of a TOML file that sets this key.
fn setting(path: &str, key: &str) -> String {
    let text = read(path);
    let line = text.lines().find(|line| line.starts_with(&format!("{key} = \""))).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

#[test]
fn it_is_built_with_the_toolchain_of_the_repository() {
    let channel = setting("rust-toolchain.toml", "channel");
    assert!(only("ARG BUILDER_IMAGE=").contains(&format!("/rust:{channel}-")));
}

#[test]
fn the_version_is_that_of_the_program() {
    assert_eq!(only("ARG VERSION="), env!("CARGO_PKG_VERSION"));
    assert!(only("LABEL").contains(&format!("licenses=\"{}\"", setting("Cargo.toml", "license"))));
}

#[test]
fn the_image_starts_from_nothing_and_runs_as_a_user_that_is_not_root() {
    assert_eq!(only("ARG RUNTIME_IMAGE="), "scratch");
    let all = instructions();
    let last_stage = all.iter().rposition(|line| line.starts_with("FROM ")).unwrap();
    assert_eq!(all[last_stage], "FROM ${RUNTIME_IMAGE}");
    assert!(all[last_stage..].iter().all(|line| !line.starts_with("RUN ") && !line.starts_with("ADD ")));
    // A name could not be checked by Kubernetes, which has to know that it is not root.
    assert_eq!(only("USER "), "65532:65532");
    assert_eq!(only("ENTRYPOINT "), r#"["/qlik-operator"]"#);
    assert_eq!(only("CMD "), r#"["run"]"#);
}

#[test]
fn the_chart_runs_the_image_of_its_own_version_as_that_user() {
    let deployment = read("charts/qlik-operator/templates/deployment.yaml");
    let user = only("USER ");
    let (user, group) = user.split_once(':').unwrap();
    for line in [format!("runAsUser: {user}"), format!("runAsGroup: {group}"), "args: [run]".to_owned()] {
        assert!(deployment.lines().any(|found| found.trim() == line), "{line}");
    }
    let chart = read("charts/qlik-operator/Chart.yaml");
    for key in ["version", "appVersion"] {
        let line = chart.lines().find_map(|line| line.strip_prefix(&format!("{key}:"))).unwrap();
        assert_eq!(line.trim().trim_matches('"'), env!("CARGO_PKG_VERSION"), "{key}");
    }
}

#[test]
fn everything_that_cargo_needs_is_in_the_context() {
    let ignored = read(".dockerignore");
    let let_in: Vec<_> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for path in ["Cargo.toml", "Cargo.lock", "src", "LICENSE", "e2e/Cargo.toml", "e2e/src/lib.rs"] {
        assert!(let_in.contains(&path), "{path}");
    }
    let members = read("Cargo.toml");
    assert!(members.contains(r#"members = ["e2e"]"#), "another member: let its manifest into the context, too");
    let manifest = read("e2e/Cargo.toml");
    let benches = manifest.split("[[bench]]").skip(1).map(|bench| bench.split('"').nth(1).unwrap());
    for bench in benches {
        assert!(let_in.contains(&format!("e2e/benches/{bench}.rs").as_str()), "{bench}");
    }
}
