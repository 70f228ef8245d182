//! What users write: refused where it is wrong, with a message that teaches; explained where they ask.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accepted;
mod explain;
mod kubectl;
mod refused;
mod updates;
mod wrong;
