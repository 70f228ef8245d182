//! The chart as helm renders it, without a cluster.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod generated;
mod refused;
mod rendered;
mod security;
