//! Generated files that are committed are the ones that the program generates.

use std::fs;
use std::path::Path;

#[test]
fn the_definitions_are_up_to_date() {
    let committed = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("crds/qlik-operator.yaml")).unwrap();
    // Not assert_eq: two whole files help nobody to see that one command is missing.
    assert!(committed == qlik_operator::cli::crds(), "crds/qlik-operator.yaml is stale: run `make crds`");
}
