//! Pure decisions: what should happen next to one object. No I/O, no clock, no randomness.
//!
//! Everything that needs careful thought lives here, so that it can be tested as tables and properties.

pub mod child;
pub mod delay;
pub mod drift;
pub mod duration;
pub mod fingerprint;
pub mod identity_provider;
pub mod intent;
pub mod limit;
pub mod marker;
pub mod oauth_client;
pub mod offboarding;
pub mod released;
pub mod schedule;
pub mod status;
pub mod template;
pub mod tenant;

use crate::crd::{Phase, Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::fmt::Write;
use std::time::Duration;

/// What should happen next to one object. The only thing a planner returns.
#[derive(Clone, Debug, PartialEq)]
pub enum Next<S> {
    /// Exactly one effect, then look again.
    Do(S),
    /// Not where it should be, and nothing to do about it now.
    Wait {
        /// Why, for people.
        finding: Finding,
        /// When to look again.
        recheck: Duration,
    },
    /// Declared and observed state are equal.
    Settled {
        /// What is reached, for people.
        finding: Finding,
        /// When to look again.
        recheck: Duration,
    },
    /// The finalizer may go.
    Release,
}

/// Whether and how an object is being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is not.
    None,
    /// Somebody deleted this object.
    Requested,
    /// The whole namespace, or the kind itself, is being deleted: then nothing is touched in Qlik Cloud.
    Sweeping,
}

impl Deletion {
    /// What the object alone tells: whether it has a deletion timestamp.
    pub fn of(object: &ObjectMeta) -> Self {
        if object.deletion_timestamp.is_some() { Self::Requested } else { Self::None }
    }
}

/// Why an object stands where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where the object stands.
    pub phase: Phase,
    /// The reason, one of a closed set.
    pub reason: Reason,
    /// A sentence for people; says what to do where something is to be done.
    pub message: String,
    /// Nothing more happens until a human acts.
    pub needs_human: bool,
}

impl Finding {
    /// Something that passes by itself.
    pub fn passing(phase: Phase, reason: Reason, message: impl Into<String>) -> Self {
        Self { phase, reason, message: message.into(), needs_human: false }
    }

    /// Something that only a human can end.
    pub fn human(reason: Reason, message: impl Into<String>) -> Self {
        Self { phase: Phase::Stalled, reason, message: message.into(), needs_human: true }
    }
}

/// A state that only a human ends. Looked at again now and then, since not every cure shows as an event.
fn human<S>(reason: Reason, message: impl Into<String>) -> Next<S> {
    Next::Wait { finding: Finding::human(reason, message), recheck: Duration::from_secs(600) }
}

/// How often to look at something that changes only when a human acts, or at a countdown.
pub const HOURLY: Duration = Duration::from_secs(3600);

/// The first hexadecimal digits of a digest.
fn hex(bytes: &[u8], digits: usize) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.truncate(digits);
    text
}
