//! Installed as people install it, on a control plane of its own: by Helm and by kustomize, for the whole cluster and for
//! some namespaces. The operator runs under exactly the service account, rights, arguments and environment of its Deployment.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod combinations;
mod life;
mod namespaced;
mod policies;
mod requested_by;
mod site;
mod warnings;
