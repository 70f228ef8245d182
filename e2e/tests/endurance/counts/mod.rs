//! How much the operator asks of Kubernetes and of Qlik Cloud when all goes well, and what many tenants cost.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clients;
mod good_path;
mod many;
