//! The one reconcile loop, generic over [`Managed`].
//!
//! ```text
//! every list complete ─ decode ─ gate ─ suspended? ─ ( observe ─ next ─ act )… ─ publish ─ requeue
//! ```
//!
//! One effect per turn, then look again. A crash between any two lines is the same as an ordinary restart.

mod context;
mod error;
mod events;
mod gate;
mod lean;
mod ledger;
mod lists;
mod malformed;
mod pass;
mod span;
pub mod write;

pub use context::{Caches, Context, within};
pub use error::{Error, chain, root};
pub use events::{Events, Note};
pub use gate::{Gates, Standing};
pub use lean::{Lean, Remains};
pub use ledger::Ledger;
pub use lists::{List, Lists};
pub use pass::reconcile;

use crate::crd::Rules;
use crate::plan::status::Verdict;
use crate::plan::{Finding, Next};
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::time::Duration;

/// A kind that the operator keeps as declared.
pub trait Managed:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
    /// The kind's name.
    const KIND: &'static str;
    /// Keeps the object until its end is decided; `None` for kinds that may go at any time.
    const FINALIZER: Option<&'static str>;
    /// How a human lets a held object go, as the end of "to let this object go …".
    const WAY_OUT: &'static str;
    /// What is written below `status`.
    type Status: Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync;
    /// Everything that was observed in one turn.
    type Seen: Debug + Send + Sync;
    /// One effect.
    type Step: Debug + Clone + PartialEq + Send + Sync;

    /// The status as it stands.
    fn status(&self) -> Option<&Self::Status>;
    /// What a status says is true.
    fn conditions(status: &Self::Status) -> &[Condition];
    /// Whether a human said to stop acting.
    fn suspended(&self) -> bool;
    /// Today's rules of the kind.
    fn rules() -> &'static Rules;
    /// For an object that needs no look now, as far as the object itself tells: how often to look. The operator then
    /// makes no call for it when it starts.
    fn at_rest(&self) -> Option<Duration>;
    /// What gives the object its place inside the drift interval. Objects that are compared by one list share it.
    fn slot(&self) -> String {
        self.meta().uid.clone().unwrap_or_default()
    }
    /// Looks at everything that the decision needs. `draft` is the status as this pass has changed it.
    fn observe(&self, draft: &Self::Status, cx: &Context) -> impl Future<Output = Result<Self::Seen, Error>> + Send;
    /// Decides. Pure.
    fn next(&self, seen: &Self::Seen, now: Timestamp) -> Next<Self::Step>;
    /// Makes exactly one effect.
    fn act(
        &self,
        step: &Self::Step,
        seen: Self::Seen,
        draft: Self::Status,
        cx: &Context,
    ) -> impl Future<Output = Result<Acted<Self>, Error>> + Send;
    /// The draft with what was just seen. Pure.
    fn reflect(&self, seen: &Self::Seen, draft: Self::Status) -> Self::Status;
    /// The status after a pass: the draft, with what people are told.
    fn describe(&self, draft: Self::Status, verdict: &Verdict, now: Timestamp) -> Self::Status;
    /// What people are told while a step is under way.
    fn progress(step: &Self::Step) -> Finding;
    /// What is known of the credentials and the coming purge after a turn.
    fn side_facts(seen: &Self::Seen) -> SideFacts;
    /// The purge date by the status alone, for a pass that ended before anything was seen.
    fn known_purge(status: &Self::Status) -> Option<Timestamp>;
    /// The event when the object is let go, if people should know what stays behind.
    fn parting(&self, seen: &Self::Seen) -> Option<Note>;
    /// The event for a step that was made over what was seen before it, if people should know.
    fn note(&self, step: &Self::Step, seen: &Self::Seen) -> Option<Note>;
}

/// What a step left behind.
#[derive(Debug)]
pub struct Acted<K: Managed> {
    /// The object, when the step wrote it.
    pub object: Option<K>,
    /// The status with what the step learned.
    pub draft: K::Status,
    /// What is now known without looking again, because Qlik's answer said it.
    pub seen: Option<K::Seen>,
    /// The draft holds facts that must be written before anything else happens.
    pub persist: bool,
}

impl<K: Managed> Acted<K> {
    /// A step that changed something outside; look again.
    pub fn look_again(draft: K::Status) -> Self {
        Self { object: None, draft, seen: None, persist: false }
    }

    /// A step that wrote the object itself.
    pub fn wrote(object: K, draft: K::Status) -> Self {
        Self { object: Some(object), draft, seen: None, persist: false }
    }
}

/// What a turn found out beside the decision.
#[derive(Clone, Debug, Default)]
pub struct SideFacts {
    /// Qlik Cloud accepted the credentials, or why not.
    pub credentials: Option<Finding>,
    /// Qlik Cloud was seen.
    pub looked: bool,
    /// The purge date, while one is ahead.
    pub purge_at: Option<Timestamp>,
    /// The Secret that is written says what works in Qlik Cloud, or why not.
    pub secret: Option<Finding>,
    /// The tenant's end could be done as the manifest says, or why not.
    pub offboarding: Option<Finding>,
    /// Fields that were written and cannot be compared.
    pub not_compared: Vec<String>,
}

/// The API of an object's own namespace.
pub fn api_of<K: Managed>(object: &K, client: &kube::Client) -> Api<K> {
    Api::namespaced(client.clone(), object.meta().namespace.as_deref().unwrap_or_default())
}
