//! What the planner can ask for.

use super::facts::{RecordSeen, TargetSeen};
use crate::crd::{Evidence, OffboardingPhase, Origin, Trigger};
use crate::plan::intent::IntentStep;
use crate::qlik::{Hostname, Patch, TenantId};
use jiff::Timestamp;

/// What an intent is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The call.
    pub step: IntentStep,
    /// The record that it belongs to, if there is one already.
    pub record: Option<String>,
    /// The purge date to be replaced.
    pub replaces: Option<Timestamp>,
}

impl Announcement {
    /// An announcement of a call that has no further particulars.
    pub fn of(step: IntentStep) -> Self {
        Self { step, record: None, replaces: None }
    }
}

/// Exactly one effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Put the finalizer on the object.
    Hold,
    /// Write the intent, and the finalizer with it, if nothing changed meanwhile.
    Announce(Announcement),
    /// `POST /tenants`.
    Create,
    /// Write to the intent which tenant the creation made.
    CloseIntent,
    /// Write the record of a tenant that is let go.
    RecordRelease,
    /// Write what is about to be asked for to the record.
    NoteCall {
        /// The record.
        record: String,
        /// The days.
        days: i32,
        /// When the call was announced.
        announced: Timestamp,
    },
    /// Take a tenant for this object's own.
    Bind {
        /// Its id.
        id: TenantId,
        /// Its hostnames, the generated one first where known.
        hostnames: Vec<Hostname>,
        /// How the object came by it.
        origin: Origin,
    },
    /// Let go of a tenant that is gone.
    Unbind,
    /// `PATCH /tenants/{id}`.
    Patch(Vec<Patch>),
    /// Write the record of a deactivation.
    OpenRecord(Trigger),
    /// Write a record again that somebody deleted.
    RestoreRecord(Box<RecordSeen>),
    /// `POST …/deactivate`, for the first time in this decision.
    Deactivate {
        /// The record.
        record: String,
        /// Sent as `qlik-confirm-hostname`.
        confirm: Hostname,
    },
    /// `POST …/deactivate` again, because somebody asked for a new window.
    RestartWindow {
        /// The record.
        record: String,
        /// Sent as `qlik-confirm-hostname`.
        confirm: Hostname,
    },
    /// The tenant is off: write what is known of the purge to the record.
    Schedule {
        /// The record.
        record: String,
        /// When the tenant went off, as far as known.
        deactivated_at: Option<Timestamp>,
        /// The date.
        purge_at: Option<Timestamp>,
        /// How sure it is.
        evidence: Option<Evidence>,
    },
    /// `POST …/reactivate`.
    Reactivate {
        /// The tenant.
        id: TenantId,
        /// Sent as `qlik-confirm-hostname`.
        confirm: Hostname,
    },
    /// The off-boarding ended: the tenant is back, or never went.
    CloseRecord {
        /// The record.
        record: String,
        /// How it ended.
        phase: OffboardingPhase,
    },
    /// Write which Secrets will go to the record, before any goes.
    PlanErasure {
        /// The record.
        record: String,
        /// The Secrets.
        targets: Vec<TargetSeen>,
    },
    /// Delete Secrets that the record lists.
    Erase(Vec<TargetSeen>),
    /// Write to the record that the listed Secrets are gone.
    ConfirmErasure {
        /// The record.
        record: String,
    },
}

impl Step {
    /// Whether it changes a tenant in a way that somebody could regret, or is made only in order to do so.
    pub(super) fn leads_to_change(&self) -> bool {
        match self {
            Self::Patch(_)
            | Self::Deactivate { .. }
            | Self::RestartWindow { .. }
            | Self::Create
            | Self::Bind { .. }
            | Self::NoteCall { .. }
            | Self::Announce(_) => true,
            Self::OpenRecord(trigger) => *trigger != Trigger::OutOfBand,
            // A tenant that is brought back can be deactivated again; one that is not is purged.
            Self::Reactivate { .. }
            | Self::Hold
            | Self::CloseIntent
            | Self::RecordRelease
            | Self::Unbind
            | Self::RestoreRecord(_)
            | Self::Schedule { .. }
            | Self::CloseRecord { .. }
            | Self::PlanErasure { .. }
            | Self::Erase(_)
            | Self::ConfirmErasure { .. } => false,
        }
    }
}
