//! What the off-boarding records say of the tenant.

use super::Look;
use crate::crd::{Deactivator, Lifecycle, OffboardingPhase, Trigger};
use crate::engine::Error;
use crate::kinds::records;
use crate::kinds::tenant::{gather, ownership};
use crate::plan::intent::{Call, IntentSeen, IntentStep};
use crate::plan::offboarding::history::State;
use crate::plan::tenant::{RecordSeen, Seen, View, current_record, previous_record};
use crate::qlik::TenantId;
use kube::ResourceExt;

impl Look<'_> {
    /// Records are read where an off-boarding is asked for or under way, and before a tenant is created; not for a
    /// tenant that is simply in use, so that its drift reads cost nothing here.
    pub(super) fn begins_with_records(&self, seen: &Seen) -> bool {
        let quiet = seen.bound.is_some()
            && !self.deleting
            && self.want.lifecycle == Lifecycle::Active
            && self.draft.offboarding.is_none()
            && self.draft.observed_generation.is_some()
            && !gather::has_open_record(self.tenant, self.cx);
        !quiet
    }

    pub(super) fn needs_records(seen: &Seen) -> bool {
        matches!(seen.tenant, View::Disabled | View::Gone)
    }

    pub(super) async fn load_records(&self, seen: &mut Seen, target: Option<&TenantId>) -> Result<(), Error> {
        let namespace = self.tenant.namespace().unwrap_or_default();
        let (records, unreadable) = records::list(self.cx, &namespace).await?;
        let named = self.named(&seen.intent);
        let named = named.as_deref();
        if let Some(record) = unreadable.iter().find(|record| record.concerns(self.tenant, target, named)) {
            return Err(record.not_known());
        }
        let written = self.draft.observed_generation.is_some();
        seen.record = match target {
            Some(id) => current_record(&records, id, named, written).cloned(),
            // Without a tenant, a record of this very object is what is left of a lost status.
            None => records.iter().filter(|r| r.uid == seen.uid).max_by_key(|r| r.requested_at).cloned(),
        };
        // A human who writes the id into the manifest says that the record counts, wherever it was written.
        if let (Some(record), Some((adopted, _))) = (&mut seen.record, &self.want.adopt)
            && record.tenant_id == *adopted
        {
            record.copied = false;
        }
        if seen.record.is_none() && seen.bound.is_some() {
            seen.lost = self.lost_record(&records);
        }
        if let Some(previous) = previous_record(&records, &self.tenant.name_any(), &seen.uid)
            && ownership::cached(self.tenant, &previous.tenant_id, self.cx)?.is_none()
        {
            seen.previous = Some(previous.clone());
        }
        Self::close_intent(seen, &records);
        Ok(())
    }

    /// The record that this object goes by. The status tells, unless it could not be written since the call was announced:
    /// a record that was closed meanwhile, for a tenant that somebody brought back, is not over by that.
    fn named(&self, intent: &IntentSeen) -> Option<String> {
        // An announcement of a later manifest than there is comes from another life of the object, by a restore.
        let spoken_for = self.draft.observed_generation..=self.tenant.metadata.generation;
        let announced = match intent {
            IntentSeen::Found { intent, .. } if spoken_for.contains(&intent.generation) => {
                intent.generation.and(intent.record.clone())
            }
            IntentSeen::None | IntentSeen::Unreadable | IntentSeen::Found { .. } => None,
        };
        self.draft.offboarding.clone().or(announced)
    }

    pub(super) fn load_answer(&self, seen: &mut Seen) {
        seen.answered = seen.record.as_ref().and_then(|record| self.cx.ledger.answer_for(&record.name));
    }

    /// What the status tells of a record that it names and that is not there.
    pub(super) fn lost_record(&self, records: &[RecordSeen]) -> Option<RecordSeen> {
        let name = self.draft.offboarding.clone().filter(|name| records.iter().all(|record| record.name != *name))?;
        let purge = self.draft.purge.as_ref().filter(|purge| purge.by == Deactivator::Operator)?;
        let deactivated_at = purge.deactivated_at.as_ref()?.0;
        let state = State {
            phase: OffboardingPhase::Scheduled,
            deactivated_at: Some(deactivated_at),
            purge_at: purge.purge_at.map(|at| at.0),
            evidence: purge.evidence,
            ..State::default()
        };
        Some(RecordSeen {
            name,
            tenant_id: self.draft.tenant_id.as_ref()?.parse().ok()?,
            hostnames: self.draft.hostnames.clone(),
            tenant_name: self.tenant.name_any(),
            uid: self.tenant.uid().unwrap_or_default(),
            trigger: if self.deleting { Trigger::Deletion } else { Trigger::Lifecycle },
            requested_at: deactivated_at,
            purge_after_days: purge.purge_after_days.unwrap_or_else(|| i32::from(self.want.days.get())),
            copied: false,
            state,
            secrets: Vec::new(),
        })
    }

    /// An announcement whose record tells what came of it does not stand in the way of a new one.
    pub(super) fn close_intent(seen: &mut Seen, records: &[RecordSeen]) {
        if let IntentSeen::Found { intent, call } = &mut seen.intent
            && intent.step == IntentStep::Deactivate
            && let Some(name) = &intent.record
            && records.iter().any(|record| record.name == *name && record.is_resolved())
        {
            *call = Call::Closed;
        }
    }
}
