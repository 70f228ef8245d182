//! Kubernetes operator for the life cycle of Qlik Cloud tenants.
