//! One implementation of `Managed` for each kind: gather, observe, act.

mod children;
mod fence;
mod identity_provider;
mod namespaces;
mod oauth_client;
mod offboarding;
pub(crate) mod parent;
mod records;
pub mod tenant;
mod tenant_host;
