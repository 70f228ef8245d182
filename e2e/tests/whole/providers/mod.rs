//! Identity providers of every kind, and the Secrets with which apps sign: the built operator against the real API server
//! and the simulator. Counts come from the simulator's journal.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod counts;
mod jwt;
mod kinds;
mod logins;
mod repair;
mod support;
mod trial;
