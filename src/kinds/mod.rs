//! One implementation of `Managed` for each kind: gather, observe, act.

mod offboarding;
mod records;
pub mod tenant;
