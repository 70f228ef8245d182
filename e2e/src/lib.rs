//! Stand-ins for what the operator talks to, the playground, and what the tests share.
pub mod app;
pub mod argocd;
pub mod canary;
pub mod chart;
pub mod cluster;
pub mod load;
pub mod nightly;
pub mod node;
pub mod openmetrics;
pub mod playground;
pub mod process;
pub mod sim;
pub mod stage;
pub mod table;
