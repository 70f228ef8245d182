//! What the operator says of itself: health, metrics, traces, and log lines whose filter is changed while it runs.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod health;
mod metrics;
mod support;
mod traces;
