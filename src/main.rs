//! The `qlik-operator` program.
fn main() {}
