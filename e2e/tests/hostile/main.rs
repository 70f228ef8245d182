//! Proven scenarios of a hostile review: somebody with the rights of an ordinary user, or a cluster on a bad day, tries to
//! make the operator do what cannot be undone.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod alias;
mod creation;
mod crossing;
mod dates;
mod fields;
mod forgotten;
mod inside;
mod last_moment;
mod limit;
mod matrix;
mod ownership;
mod purge;
mod released;
mod story;
mod support;
mod typo;
