//! What users write: refused where it is wrong, with a message that teaches; explained where they ask.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accepted;
mod client_updates;
mod explain;
mod kubectl;
mod provider_updates;
mod refused;
mod server;
mod table;
mod updates;
mod wrong;
mod wrong_client_addresses;
mod wrong_client_auth;
mod wrong_clients;
mod wrong_logins;
mod wrong_providers;
