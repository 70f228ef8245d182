//! What the planner is told.

use super::Desired;
use crate::crd::{Lifecycle, OffboardedSecret, OffboardingPhase, Origin, SecretOutcome, Trigger};
use crate::plan::Deletion;
use crate::plan::drift::Written;
use crate::plan::intent::IntentSeen;
use crate::plan::offboarding::history::State;
use crate::plan::released::Released;
use crate::qlik::{Hostname, Tenant, TenantHost, TenantId};
use jiff::Timestamp;

/// Everything that was observed about one tenant and its object, in one pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Uid of the object.
    pub uid: String,
    /// Whether the object is being deleted, and how.
    pub deletion: Deletion,
    /// Whether our finalizer is there.
    pub held: bool,
    /// The tenant that this object holds.
    pub bound: Option<Bound>,
    /// A tenant that this object holds and of which no hostname is known.
    pub hostless: Option<TenantId>,
    /// What is on record of earlier writes.
    pub written: Written,
    /// The announced call.
    pub intent: IntentSeen,
    /// A creation of unknown outcome that the status or this process remembers, should the announcement be gone.
    pub pending_creation: Option<String>,
    /// Another object that holds this tenant longer, as `namespace/name`.
    pub other_owner: Option<String>,
    /// The tenant, as Qlik shows it.
    pub tenant: View,
    /// The record of this tenant's current off-boarding.
    pub record: Option<RecordSeen>,
    /// A record of ours that somebody deleted, as far as the object's status still tells what it said. Only used where
    /// the tenant is seen to be off.
    pub lost: Option<RecordSeen>,
    /// The record of a tenant that an earlier object of this name left behind.
    pub previous: Option<RecordSeen>,
    /// The tenant that an earlier object of this name let go where no record could be written, and that no other object
    /// holds now. Looked for right before a creation is announced.
    pub kept: Option<Released>,
    /// There is a record that says that this object let its tenant go.
    pub released: bool,
    /// Who has the alias that the manifest asks for, before anything is created.
    pub alias: AliasSeen,
    /// What the organization API says of a creation whose outcome is unknown.
    pub lookup: Lookup,
    /// Why the clocks cannot be trusted, if so.
    pub doubt: Option<String>,
    /// One-shot requests that people made by annotation.
    pub asks: Asks,
    /// The Secrets that have to go; empty until it is time.
    pub targets: Vec<TargetSeen>,
    /// The date of the purge by the organization API, for a tenant that is off.
    pub organization_purge_at: Option<Timestamp>,
    /// The dates (made, purge) that Qlik answered to this process for the current record, while they are not on record.
    pub answered: Option<(Timestamp, Option<Timestamp>)>,
    /// Whether this process asked for a reactivation that may still need time to show.
    pub reactivation_sent: bool,
}

impl Seen {
    /// Declared and seen in use, with no off-boarding under way: what was recorded before is history.
    pub fn in_use(&self, want: &Desired) -> bool {
        self.deletion == Deletion::None
            && want.lifecycle == Lifecycle::Active
            && matches!(self.tenant, View::Active(_))
            && self.record.as_ref().is_none_or(RecordSeen::is_over)
    }
}

/// The tenant that an object holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its id.
    pub id: TenantId,
    /// The host to talk to: the one that Qlik generated.
    pub host: TenantHost,
    /// All its hostnames, as last seen.
    pub hostnames: Vec<Hostname>,
    /// How the object came by it.
    pub origin: Origin,
}

impl Bound {
    /// Its hostnames, the one that Qlik generated first.
    pub fn generated_first(&self) -> Vec<Hostname> {
        let generated = self.host.hostname();
        let others = self.hostnames.iter().filter(|hostname| *hostname != generated);
        std::iter::once(generated).chain(others).cloned().collect()
    }
}

/// The tenant, as Qlik shows it.
#[derive(Clone, Debug, PartialEq)]
pub enum View {
    /// Nobody asked.
    NotAsked,
    /// It answers.
    Active(Box<Tenant>),
    /// Its host answers that it is deactivated.
    Disabled,
    /// It does not exist any more.
    Gone,
}

/// An off-boarding record, as far as a decision needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordSeen {
    /// Name of the `QlikOffboarding`.
    pub name: String,
    /// The tenant that it is about.
    pub tenant_id: TenantId,
    /// The tenant's hostnames then.
    pub hostnames: Vec<String>,
    /// Name of the object that asked.
    pub tenant_name: String,
    /// Uid of the object that asked.
    pub uid: String,
    /// What made it.
    pub trigger: Trigger,
    /// When it was decided.
    pub requested_at: Timestamp,
    /// The window asked for at first.
    pub purge_after_days: i32,
    /// It was restored from a backup into another namespace than it was written in, and no human said that it counts.
    pub copied: bool,
    /// Where it stands, by its entries.
    pub state: State,
    /// Secrets that go with the tenant.
    pub secrets: Vec<OffboardedSecret>,
}

/// The record that speaks of the tenant as it is declared now.
///
/// A record that ended with the tenant's return is over once the object was seen at rest again, which forgets its name
/// (`named`). Where the status was wiped nobody knows, so it still counts: better to ask than to deactivate twice.
pub fn current_record<'a>(
    records: &'a [RecordSeen],
    tenant: &TenantId,
    named: Option<&str>,
    status_written: bool,
) -> Option<&'a RecordSeen> {
    let of_it = |r: &&RecordSeen| r.tenant_id == *tenant && r.trigger != Trigger::Release;
    let newest = records.iter().filter(of_it).max_by_key(|r| r.requested_at)?;
    (!newest.is_over() || !status_written || named == Some(newest.name.as_str())).then_some(newest)
}

/// The record of a tenant that an earlier object of this name left behind and that still exists.
pub fn previous_record<'a>(records: &'a [RecordSeen], name: &str, uid: &str) -> Option<&'a RecordSeen> {
    let newest = records.iter().filter(|r| r.tenant_name == name && r.uid != uid).max_by_key(|r| r.requested_at)?;
    match newest.phase() {
        OffboardingPhase::Requested
        | OffboardingPhase::Scheduled
        | OffboardingPhase::Reactivated
        | OffboardingPhase::Cancelled
        | OffboardingPhase::Released
        | OffboardingPhase::Unknown => Some(newest),
        OffboardingPhase::Purged => None,
    }
}

impl RecordSeen {
    /// Where it stands. Of a copy that is not over nobody knows what happened since it was written.
    pub fn phase(&self) -> OffboardingPhase {
        let open = matches!(self.state.phase, OffboardingPhase::Requested | OffboardingPhase::Scheduled);
        if self.copied && open { OffboardingPhase::Unknown } else { self.state.phase }
    }

    /// The tenant is back, or never went.
    pub fn is_over(&self) -> bool {
        matches!(self.phase(), OffboardingPhase::Reactivated | OffboardingPhase::Cancelled | OffboardingPhase::Released)
    }

    /// What came of the call is known.
    pub fn is_resolved(&self) -> bool {
        self.phase() != OffboardingPhase::Requested
    }

    /// The days of the window that runs.
    pub fn days(&self) -> i32 {
        self.state.days().unwrap_or(self.purge_after_days)
    }

    /// The earliest purge that its calls can have led to.
    pub fn earliest_purge(&self) -> Timestamp {
        let window = jiff::SignedDuration::from_hours(24 * i64::from(self.purge_after_days));
        // A record of a former version does not tell its calls.
        let first = || self.requested_at.checked_add(window).unwrap_or(Timestamp::MAX);
        self.state.earliest_purge().unwrap_or_else(first)
    }

    /// What of its Secrets is not through yet.
    pub fn planned(&self) -> impl Iterator<Item = &OffboardedSecret> {
        self.secrets.iter().filter(|secret| secret.outcome == SecretOutcome::Planned)
    }
}

/// A Secret that has to go, or would have if nobody else needed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSeen {
    /// Its name.
    pub name: String,
    /// The rule that made it go, or why it stays.
    pub rule: String,
    /// Its uid, while it is there.
    pub uid: Option<String>,
    /// It stays.
    pub kept: bool,
    /// It is being deleted already.
    pub terminating: bool,
}

/// Who has an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasSeen {
    /// Nobody asked.
    NotAsked,
    /// Nobody, as far as Qlik Cloud tells.
    Free,
    /// Another object that asks for it as well and comes first, as `namespace/name`.
    Wanted(String),
    /// A tenant that these credentials may enter, and whether the manifest may take it over by itself.
    Ours {
        /// Its id.
        id: TenantId,
        /// Its hostnames.
        hostnames: Vec<Hostname>,
        /// `onExisting: Adopt`, and allowed here.
        adopt: bool,
    },
    /// A deactivated tenant.
    Disabled,
    /// A tenant that these credentials may not enter.
    Foreign,
    /// The answer does not tell.
    Unclear(String),
}

/// The answer to: was the tenant created after all?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Nobody asked.
    NotAsked,
    /// There is no organization credential to ask with.
    Impossible,
    /// The organization API answered.
    Found {
        /// Tenants that came into being just then and belong to no object.
        tenants: Vec<(TenantId, Hostname)>,
        /// How many other objects lost a creation at about the same time.
        rivals: usize,
        /// How many more of them the organization API lists without a hostname.
        nameless: usize,
        /// A setting says that this operator alone makes tenants in the subscription.
        ours: bool,
    },
}

/// One-shot requests that people made by annotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// `qlik-operator.dev/reactivate`
    pub reactivate: Option<String>,
    /// Such a consent stands and was used before.
    pub reactivate_used: bool,
    /// `qlik-operator.dev/start-anew`
    pub start_anew: Option<String>,
    /// `qlik-operator.dev/restart-purge-window`
    pub restart_window: Option<String>,
}

impl Asks {
    /// Whether it is consented that the tenant of this hostname comes back. A dot at the end makes no other host of it.
    pub(super) fn brings_back(&self, hostname: &Hostname) -> bool {
        let asked = self.reactivate.as_deref().map(|asked| asked.trim_end_matches('.'));
        asked.is_some_and(|asked| asked.eq_ignore_ascii_case(hostname.as_str()))
    }
}
