//! What the operator counts. One table (`table.rs`) names every metric: what is served and what `docs/METRICS.md` says
//! both come from it.
//!
//! Labels have few values, which the program itself knows: no name of an object, host or customer is ever one, except in
//! the gauges for single objects, which have switches. What can be counted when it is asked for is not kept here.

mod calls;
mod passes;
mod table;

pub use calls::Calls;
pub use passes::{Passes, Running};
pub use table::{About, markdown};
pub(crate) use table::{
    BUDGET_LEFT, BUDGET_SPENT, BUDGET_WAITS, BUILD, DEACTIVATIONS_WAITING, LEADER, OBJECTS, OBJECTS_BACKING_OFF,
    OBJECTS_DUE, PURGE_AT, PURGE_IN, READY, ROTATION_DUE, SECRET_AGE,
};

use prometheus_client::registry::Registry;

/// What `OpenMetrics` text is announced as.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// An empty registry; every name in it gets the operator's prefix.
pub fn registry() -> Registry {
    Registry::with_prefix(table::PREFIX)
}
