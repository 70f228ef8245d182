//! Qlik Cloud REST client. It knows nothing of Kubernetes.
//!
//! [`Cloud`] is the entry: it owns one connection pool, the access tokens and the rate budgets. From it come the three
//! hosts that Qlik Cloud has: [`Register`] (create, deactivate, reactivate), [`TenantApi`] (inside one tenant) and
//! [`Organization`] (read-only list of tenants).

mod auth;
mod call;
#[cfg(test)]
mod canary_tests;
mod classify;
mod cloud;
mod envelope;
mod error;
#[cfg(test)]
mod fault_tests;
mod identity_provider;
#[cfg(test)]
mod identity_provider_tests;
mod identity_providers;
mod ids;
mod jwk;
mod last_look;
mod limits;
mod oauth_client;
#[cfg(test)]
mod oauth_client_tests;
mod oauth_clients;
mod organization;
mod paging;
mod recent;
mod secret;
mod tenant_settings;
mod tenants;
#[cfg(test)]
mod testing;
mod transport;
mod users;
#[cfg(test)]
mod wire_tests;

pub use cloud::Cloud;
pub use error::{Class, Effect, Error, Reply};
pub use identity_provider::{
    IdentityProvider, NewIdentityProvider, Options, PendingState, Protocol, ProviderChange, Sighting,
};
pub use ids::{
    ClientId, ForeignHost, HostClass, Hostname, Hosts, Invalid, OauthClientId, ProviderId, PurgeDays, Region,
    TenantHost, TenantId,
};
pub use jwk::Jwk;
pub use limits::{Stats, Tier, Usage};
pub use oauth_client::{Consent, MintedSecret, NewOauthClient, OauthClient, OauthClientChange, SecretHint};
pub use organization::{OrgStatus, OrgTenant, Organization};
pub use secret::{Credential, CredentialKey, Secret};
pub use tenant_settings::{Setting, TenantSettings};
pub use tenants::{Deactivated, License, Patch, Register, Tenant, TenantApi, TenantStatus};
pub use transport::Endpoints;
