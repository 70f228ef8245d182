//! OAuth clients and the Secrets that their apps read: the built operator against the real API server and the simulator.
//! What works is what an app can do with its Secret; counts come from the simulator's journal.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_secrets;
mod children;
mod life;
mod repair;
mod rotation;
mod support;
mod types;
mod unasked;
