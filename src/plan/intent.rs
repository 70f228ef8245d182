//! The trace that is left before a call which must not be made twice.
//!
//! The intent stands in an annotation and is written by compare-and-swap, so that of two operators one wins. Its holder
//! may act on it for a minute. When the outcome of the call is unknown, or the holder is gone, nobody repeats the call
//! before [`TAKE_OVER`] has passed and what is observed then shows that it had no effect.

use crate::qlik::{Hostname, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long the holder may act on its intent.
pub const ACT_WITHIN: Duration = Duration::from_secs(60);
/// After how long an unresolved intent may be replaced.
pub const TAKE_OVER: Duration = Duration::from_secs(600);

/// The call that an intent announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum IntentStep {
    /// `POST /api/v1/tenants`.
    Create,
    /// `POST /api/v1/tenants/{id}/actions/deactivate`.
    Deactivate,
    /// The same call again, to restart the countdown.
    RestartWindow,
}

/// Begins what stands in a record for the id of a tenant of which nobody knows whether it was created.
pub const LOST_CREATION: &str = "unknown-";

/// What stands in the annotation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// The call.
    pub step: IntentStep,
    /// Names this one announcement.
    pub nonce: String,
    /// The operator process that announced it.
    pub holder: String,
    /// When it was announced.
    pub at: Timestamp,
    /// Names the cluster in the mark of what the call makes. Here it survives the cluster, in any copy of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The off-boarding record that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// The purge date that a restarted window replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Timestamp>,
    /// The manifest that it was decided on. Where the status speaks of no later one, it may not name the record yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// What came of the call, once that is known for certain. It survives a restart and a backup without status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

impl Intent {
    /// The announcement of a call, with nothing else said of it.
    pub fn new(step: IntentStep, nonce: String, holder: String, at: Timestamp) -> Self {
        Self { step, nonce, holder, at, cluster: None, record: None, replaces: None, generation: None, outcome: None }
    }
}

/// What came of an announced call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Outcome {
    /// It was refused, or never got there: it had no effect.
    NoEffect,
    /// It made this tenant.
    #[serde(rename_all = "camelCase")]
    Created {
        /// Its id.
        tenant_id: TenantId,
        /// The hostname that Qlik generated, where Qlik gave it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hostname: Option<Hostname>,
    },
}

/// What this process knows of the call that was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// This process announced it and has not made it.
    NotSent,
    /// This process made it and Qlik's answer proves that it had no effect.
    NoEffect,
    /// It may have taken effect, or another process announced it.
    Unknown,
    /// It was made and what came of it is on record.
    Closed,
    /// It is on record that it had no effect.
    Refused,
}

/// The intent as found on the object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one of them in a pass")]
pub enum IntentSeen {
    /// There is none.
    None,
    /// There is something that this operator did not write.
    Unreadable,
    /// There is one.
    Found {
        /// What it says.
        intent: Intent,
        /// What is known of its call.
        call: Call,
    },
}

/// Whether a call may be made now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Yes, under this nonce.
    Act(String),
    /// Announce it first; nothing stands in the way.
    Announce,
    /// An earlier announcement is old enough to be replaced, if what is observed shows that its call had no effect.
    TakeOver,
    /// Not before this time has passed.
    Wait(Duration),
    /// A human has to look at the annotation.
    Unreadable,
}

impl IntentSeen {
    /// Reads the annotation. `known` tells what this process knows of a nonce that it announced itself.
    pub fn read(annotation: Option<&str>, known: impl Fn(&Intent) -> Call) -> Self {
        match annotation.map(serde_json::from_str::<Intent>) {
            None => Self::None,
            Some(Err(_)) => Self::Unreadable,
            Some(Ok(intent)) => {
                let call = match &intent.outcome {
                    Some(Outcome::NoEffect) => Call::Refused,
                    Some(Outcome::Created { .. }) => Call::Closed,
                    None => known(&intent),
                };
                Self::Found { intent, call }
            }
        }
    }

    /// The intent, when it announces this step.
    pub fn of(&self, step: IntentStep) -> Option<&Intent> {
        match self {
            Self::Found { intent, .. } if intent.step == step => Some(intent),
            Self::None | Self::Unreadable | Self::Found { .. } => None,
        }
    }

    /// What named the cluster when the announcement was made, as far as it tells.
    pub fn cluster(&self) -> Option<&str> {
        match self {
            Self::Found { intent, .. } => intent.cluster.as_deref(),
            Self::None | Self::Unreadable => None,
        }
    }

    /// The tenant that the announced creation made, where that is on record.
    pub fn created(&self) -> Option<(&TenantId, Option<&Hostname>)> {
        match self {
            Self::Found { intent: Intent { outcome: Some(Outcome::Created { tenant_id, hostname }), .. }, .. } => {
                Some((tenant_id, hostname.as_ref()))
            }
            Self::None | Self::Unreadable | Self::Found { .. } => None,
        }
    }

    /// Names a creation of which nobody knows what came of it, as a tenant's id would.
    pub fn lost_creation(&self) -> Option<TenantId> {
        match self {
            Self::Found { intent, call: Call::Unknown } if intent.step == IntentStep::Create => {
                format!("{LOST_CREATION}{}", intent.nonce).parse().ok()
            }
            Self::None | Self::Unreadable | Self::Found { .. } => None,
        }
    }

    /// Whether the call may be made now.
    pub fn permit(&self, step: IntentStep, now: Timestamp) -> Permit {
        let (intent, call) = match self {
            Self::Unreadable => return Permit::Unreadable,
            Self::None => return Permit::Announce,
            Self::Found { intent, .. } if intent.step != step => return Permit::Announce,
            Self::Found { intent, call } => (intent, *call),
        };
        let age = now.duration_since(intent.at);
        if age < -SignedDuration::try_from(TAKE_OVER).unwrap_or(SignedDuration::MAX) {
            return Permit::Unreadable; // a date that no operator with a sane clock writes
        }
        let age = Duration::try_from(age).unwrap_or(Duration::ZERO);
        match call {
            Call::NotSent | Call::NoEffect if age <= ACT_WITHIN => Permit::Act(intent.nonce.clone()),
            Call::NotSent | Call::NoEffect | Call::Closed | Call::Refused => Permit::Announce,
            Call::Unknown if age >= TAKE_OVER => Permit::TakeOver,
            Call::Unknown => Permit::Wait(TAKE_OVER.saturating_sub(age)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(call: Call) -> IntentSeen {
        let at = Timestamp::from_second(1_000_000).unwrap();
        let intent = Intent::new(IntentStep::Create, "n1".into(), "me".into(), at);
        IntentSeen::Found { intent, call }
    }

    #[test]
    fn only_what_is_known_to_have_had_no_effect_may_be_repeated_soon() {
        let act = Permit::Act("n1".into());
        let wait = |seconds| Permit::Wait(Duration::from_secs(seconds));
        for (call, age, expected) in [
            (Call::NotSent, 0, act.clone()),
            (Call::NotSent, 60, act.clone()),
            (Call::NotSent, 61, Permit::Announce),
            (Call::NoEffect, 5, act.clone()),
            (Call::NoEffect, 90, Permit::Announce),
            (Call::Closed, 1, Permit::Announce),
            (Call::Refused, 1, Permit::Announce),
            (Call::Unknown, 0, wait(600)),
            (Call::Unknown, 599, wait(1)),
            (Call::Unknown, 600, Permit::TakeOver),
            (Call::Unknown, -30, wait(600)),
            (Call::Unknown, -700, Permit::Unreadable),
            (Call::NotSent, -700, Permit::Unreadable),
        ] {
            let now = Timestamp::from_second(1_000_000 + age).unwrap();
            assert_eq!(seen(call).permit(IntentStep::Create, now), expected, "{call:?} after {age} s");
        }
    }

    #[test]
    fn what_is_on_record_counts_whatever_this_process_remembers() {
        let text = |outcome: &str| {
            format!(r#"{{"step":"Create","nonce":"n1","holder":"me","at":"2026-11-24T10:00:00Z"{outcome}}}"#)
        };
        let read = |outcome: &str| IntentSeen::read(Some(&text(outcome)), |_| Call::Unknown);
        let call = |seen: &IntentSeen| match seen {
            IntentSeen::Found { call, .. } => *call,
            IntentSeen::None | IntentSeen::Unreadable => panic!("{seen:?}"),
        };
        assert_eq!(call(&read("")), Call::Unknown);
        assert_eq!(call(&read(r#","outcome":"NoEffect""#)), Call::Refused);
        let made = read(r#","outcome":{"Created":{"tenantId":"vi06S40US9YCpugS6IuyR0OQ7HuGweu0"}}"#);
        assert_eq!(call(&made), Call::Closed);
        assert!(made.created().is_some_and(|(_, hostname)| hostname.is_none()));
        assert_eq!(read(r#","outcome":"Burnt""#), IntentSeen::Unreadable, "an outcome of a later version");
    }

    #[test]
    fn another_step_or_nothing_is_no_obstacle_and_garbage_is() {
        let now = Timestamp::from_second(1_000_001).unwrap();
        assert_eq!(seen(Call::Unknown).permit(IntentStep::Deactivate, now), Permit::Announce);
        assert_eq!(IntentSeen::read(None, |_| Call::Unknown).permit(IntentStep::Create, now), Permit::Announce);
        let garbage = IntentSeen::read(Some("{\"step\":\"Burn\"}"), |_| Call::NotSent);
        assert_eq!(garbage.permit(IntentStep::Create, now), Permit::Unreadable);
    }
}
