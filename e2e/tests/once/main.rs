//! What must happen once happens once: deactivations and creations under every fault that a call can meet.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod create;
mod deactivate;
mod rivals;
mod table;
mod trouble;
