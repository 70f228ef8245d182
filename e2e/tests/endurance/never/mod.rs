//! What must never happen to an OAuth client and its Secret, whatever goes wrong: two clients for one object, Ready
//! without a Secret that works, a Secret of somebody else written over, a secret lost that an app uses, anything left
//! behind in Qlik Cloud.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod customer;
mod life;
mod matrix;
mod offboard;
mod operation;
mod reborn;
mod rivals;
mod secrets;
mod trouble;
