//! The built operator against a real API server and the simulator, on one control plane for all of it. Whatever changes
//! what belongs to the whole cluster (its definitions, an installation) has a control plane of its own.

mod clients;
mod cluster;
mod install;
mod observe;
mod once;
mod playground;
mod providers;
mod recovery;
mod safety;
mod samples;
mod schema;
mod tenant;
mod upgrade;
