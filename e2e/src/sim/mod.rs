//! A simulator of Qlik Cloud, written from the API reference alone.
//!
//! It never uses the operator's code, so that the two can disagree. Every handler is a synchronous function on one
//! `World` behind one lock: an effect, its journal entry and the answer are decided together, and only then
//! does anything asynchronous (a fault, a hook, the socket) happen. A further Qlik API is one more file in `api/` with
//! its table of endpoints.

mod admin;
mod answer;
mod api;
mod call;
mod check;
mod clients;
mod clock;
mod config;
mod exchange;
mod faults;
mod faultwire;
mod hands;
mod identity;
mod ids;
mod journal;
mod keys;
mod late;
mod optional;
mod paging;
mod portal;
mod rates;
mod refusal;
mod region;
mod running;
mod scim;
mod server;
mod shape;
mod tenant;
mod tls;
mod token;
mod tokens;
mod vhost;
mod world;

pub use config::{
    After, AfterRequest, Config, Credentials, Dates, DisabledCode, LateList, NewHost, NextLink, Options, PurgedHost,
    Ready, SecondInteractive, SecretsInGet, UnknownHost,
};
pub use faults::{Effect, Fault, FaultPlan, FaultState, Match, Trickle, When};
pub use hands::{ByHand, Done};
pub use identity::BrowserTest;
pub use journal::Entry;
pub use optional::optional_fields;
pub use portal::{ClientRequest, NewClient, PortalError, PortalPatch, PortalTenant};
pub use running::{Running, Sim, StartError};
pub use tenant::{Flags, Status, Tenant, User};
