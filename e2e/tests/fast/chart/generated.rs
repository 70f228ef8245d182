//! Files that are made from others are the ones that would be made now, and what is told twice is told alike.

use e2e::chart::{files, folder, repository, values};
use qlik_operator::qlik::Region;
use serde_json::Value;
use std::fs;
use std::process::Command;

#[test]
fn the_definitions_of_the_chart_are_up_to_date() {
    let all = files::crds().unwrap();
    let stale: Vec<_> = all.iter().filter(|file| !file.is_current()).map(|file| &file.path).collect();
    assert!(stale.is_empty(), "run `make crds` and commit: {stale:?}");
    let made = all.iter().filter(|file| file.path.starts_with("charts")).count();
    let there = fs::read_dir(folder().join("files/crds")).unwrap().count();
    assert_eq!(there, made, "there is a definition in files/crds that the operator does not have");
}

/// The kustomize bases are what the chart renders by default: this is its snapshot, too.
#[tokio::test]
async fn the_kustomize_bases_and_the_table_of_values_are_up_to_date() {
    let all = files::manifests().await.unwrap();
    assert_eq!(all.len(), 6);
    let stale: Vec<_> = all.into_iter().filter(|file| !file.is_current()).map(|file| file.path).collect();
    assert!(stale.is_empty(), "run `make manifests` and commit: {stale:?}");
}

#[test]
fn the_chart_has_the_version_of_the_operator() {
    let chart: Value = serde_saphyr::from_str(&fs::read_to_string(folder().join("Chart.yaml")).unwrap()).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_value_is_explained_and_in_the_schema() {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(folder().join("values.schema.json")).unwrap()).unwrap();
    let all = values().unwrap();
    assert!(all.len() > 50, "{} values", all.len());
    for value in &all {
        let mut place = &schema;
        for key in value.path.split('.') {
            let found = &place["properties"][key];
            let named = found["$ref"].as_str().map(|path| &schema["$defs"][path.rsplit('/').next().unwrap()]);
            place = named.unwrap_or(found);
            assert!(!place.is_null(), "{} is not in the schema", value.path);
        }
        assert!(value.holds_others() || !value.meaning.is_empty(), "{} is not explained", value.path);
        if !value.holds_others() && place["type"] == "object" {
            assert!(
                !place["additionalProperties"].is_null() || value.path == "affinity",
                "{} takes anything",
                value.path
            );
        }
    }
}

/// A name that the operator does not know would be passed on and never heard of.
#[test]
fn the_operator_knows_every_variable_that_the_chart_sets() {
    let help = Command::new(env!("CARGO_BIN_EXE_operator-under-test")).args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let template = fs::read_to_string(folder().join("templates/_process.tpl")).unwrap();
    let names: Vec<_> = template.lines().filter_map(|line| line.strip_prefix("- name: ")).collect();
    let settings: Vec<_> =
        names.into_iter().filter(|name| name.contains("_OPERATOR_") || name.starts_with("OTEL")).collect();
    assert!(settings.len() >= 15, "{settings:?}");
    for name in settings {
        assert!(help.contains(&format!("[env: {name}=")), "{name} is no setting of the operator:\n{help}");
    }
}

#[test]
fn the_chart_knows_the_regions_that_the_operator_knows() {
    let checks = fs::read_to_string(folder().join("templates/_checks.tpl")).unwrap();
    let codes: Vec<_> = Region::ALL.iter().map(|region| format!("{:?}", region.code())).collect();
    assert!(checks.contains(&format!("$codes := list {} -", codes.join(" "))), "{codes:?}");
}

#[test]
fn the_readme_of_the_chart_names_files_that_are_there() {
    let text = fs::read_to_string(folder().join("README.md")).unwrap();
    let links: Vec<_> = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() >= 3, "{links:?}");
    for link in links {
        assert!(folder().join(link).exists(), "{link}");
    }
    assert!(repository().join("config/overlays/example/kustomization.yaml").exists());
}
