//! Kubernetes operator for the life cycle of Qlik Cloud tenants.

pub mod clock;
pub mod qlik;
