//! Kubernetes operator for the life cycle of Qlik Cloud tenants.

pub mod cli;
pub mod clock;
pub mod config;
pub mod crd;
pub mod engine;
pub mod health;
pub mod keys;
pub mod kinds;
pub mod leader;
pub mod metrics;
pub mod plan;
pub mod qlik;
pub mod run;
pub mod secrets;
mod server;
mod telemetry;
pub mod term;
