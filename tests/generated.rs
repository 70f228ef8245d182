//! Generated files that are committed are the ones that the program generates.

use std::fs;
use std::path::Path;

#[test]
fn the_definitions_are_up_to_date() {
    let committed = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("crds/qlik-operator.yaml")).unwrap();
    // Not assert_eq: two whole files help nobody to see that one command is missing.
    assert!(committed == qlik_operator::cli::crds(), "crds/qlik-operator.yaml is stale: run `make crds`");
}

#[test]
fn the_reference_of_the_metrics_is_up_to_date() {
    let committed = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/METRICS.md")).unwrap();
    assert!(committed == qlik_operator::metrics::markdown(), "docs/METRICS.md is stale: run `make docs-metrics`");
}
