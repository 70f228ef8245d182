//! What must happen once happens once: deactivations and creations under every fault that a call can meet.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod create;
mod deactivate;
mod rivals;
mod trouble;
