//! What must never happen: a tenant deactivated that nobody meant to lose, a secret shown, a Secret erased that was
//! still needed. Counts come from the simulator's journal, words from the status that people read.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod behind;
mod canary;
mod canary_apps;
mod canary_logins;
mod clocks;
mod deletion;
mod erasure;
mod misfits;
mod outside;
mod ownership;
mod races;
mod refusals;
mod releases;
mod support;
mod tampering;
mod unforeseen;
