//! Proven scenarios of a hostile review: somebody with the rights of an ordinary user, or a cluster on a bad day, tries to
//! make the operator do what cannot be undone.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod creation;
mod dates;
mod forgotten;
mod limit;
mod ownership;
mod purge;
mod released;
mod support;
mod typo;
