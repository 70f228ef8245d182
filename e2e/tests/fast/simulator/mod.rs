//! The simulator through real sockets: what Qlik documents, what it leaves open, and what faults do to a client.
#![expect(clippy::unwrap_used, reason = "what the tests share fails a test by panicking, as the tests do")]

mod admin;
mod clients;
mod cloud;
mod faults;
mod gallery;
mod hosts;
mod keys;
mod late;
mod lifecycle;
mod logins;
mod office;
mod organization;
mod providers;
mod shape;
mod tokens;
