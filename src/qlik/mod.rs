//! Qlik Cloud REST client. It knows nothing of Kubernetes.
//!
//! [`Cloud`] is the entry: it owns one connection pool, the access tokens and the rate budgets. From it come the three
//! hosts that Qlik Cloud has: [`Register`] (create, deactivate, reactivate), [`TenantApi`] (inside one tenant) and
//! [`Organization`] (read-only list of tenants).

mod auth;
#[cfg(test)]
mod canary_tests;
mod classify;
mod cloud;
mod envelope;
mod error;
mod ids;
mod jwk;
mod limits;
mod organization;
mod recent;
mod secret;
mod tenants;
#[cfg(test)]
mod testing;
mod transport;
#[cfg(test)]
mod wire_tests;

pub use cloud::Cloud;
pub use error::{Class, Effect, Error, Reply};
pub use ids::{ClientId, ForeignHost, Hostname, Hosts, Invalid, PurgeDays, Region, TenantHost, TenantId};
pub use jwk::Jwk;
pub use limits::Stats;
pub use organization::{OrgStatus, OrgTenant, Organization};
pub use secret::{Credential, CredentialKey, Secret};
pub use tenants::{Deactivated, License, Patch, Register, Setting, Tenant, TenantApi, TenantSettings, TenantStatus};
pub use transport::Endpoints;
