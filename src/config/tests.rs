use super::*;
use clap::Parser;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    run: RunArgs,
}

fn settings(args: &[&str]) -> Result<Settings, Invalid> {
    Settings::read(&Cli::parse_from([&["run"], args].concat()).run)
}

#[test]
fn a_default_serves_only_the_namespaces_that_are_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("clientId"), "id\n").unwrap();
    std::fs::write(dir.path().join("clientSecret"), "s\n").unwrap();
    let us = format!("us={}", dir.path().display());
    let named = settings(&["--regional-credentials", &us, "--regional-namespaces", "us=a,b"]).unwrap();
    assert!(named.default_credential(Region::Us, "a").is_ok());
    assert!(matches!(named.default_credential(Region::Us, "c"), Err(NoDefault::NotAllowed(_))));
    assert!(matches!(named.default_credential(Region::Eu, "a"), Err(NoDefault::None(_))));
    let nobody = settings(&["--regional-credentials", &us]).unwrap();
    assert!(matches!(nobody.default_credential(Region::Us, "a"), Err(NoDefault::NotAllowed(_))));
    let all = settings(&["--regional-credentials", &us, "--regional-namespaces", "us=*"]).unwrap();
    assert!(all.default_credential(Region::Us, "any").is_ok());
}

#[test]
fn gauges_for_single_objects_can_be_turned_off() {
    let of = |args: &[&str]| settings(args).unwrap().per_object;
    assert_eq!(of(&[]), PerObject { purge: true, secrets: true });
    assert_eq!(of(&["--metrics-per-object", "secrets"]), PerObject { purge: false, secrets: true });
    assert_eq!(of(&["--metrics-per-object", ""]), PerObject::default());
}

#[test]
fn a_region_without_its_files_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&["--regional-credentials", &format!("eu={}", dir.path().display())]).unwrap();
    let problems = settings.unreadable();
    assert!(problems.len() == 1 && problems[0].starts_with("default credentials of region eu: "), "{problems:?}");
    std::fs::write(dir.path().join("clientId"), "id").unwrap();
    std::fs::write(dir.path().join("clientSecret"), "s").unwrap();
    assert!(settings.unreadable().is_empty());
}

#[test]
fn a_wrong_setting_says_which_one_and_why() {
    let text = |args: &[&str]| settings(args).unwrap_err().to_string();
    assert!(text(&["--regional-credentials", "/etc/qlik"]).contains("REGION=VALUE"));
    assert!(text(&["--regional-credentials", "xx=/etc/qlik"]).starts_with("--regional-credentials: "));
    assert!(text(&["--admin-listen", "0.0.0.0:8081"]).contains("give a loopback address"));
    assert!(text(&["--metrics-per-object", "purge,tenants"]).contains("\"tenants\" is neither purge nor secrets"));
    assert!(text(&["--regional-namespaces", "us=a"]).contains("has no --regional-credentials"));
}
