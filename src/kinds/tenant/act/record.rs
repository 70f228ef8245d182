//! What goes into a record: the call before it is made, its answer, its end, and the Secrets.

use super::super::{ownership, requested};
use super::Work;
use crate::crd::{
    Evidence, OffboardedSecret, OffboardingEntry, OffboardingEvent, OffboardingPhase, QlikTenant, QlikTenantStatus,
    SecretOutcome, Trigger, whole_seconds,
};
use crate::engine::{Acted, Error};
use crate::kinds::records::{self, Dates};
use crate::plan::intent::IntentStep;
use crate::plan::offboarding::history::{State, entry};
use crate::plan::tenant::{RecordSeen, TargetSeen};
use crate::secrets;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

impl Work<'_> {
    pub(super) async fn open_record(
        &self,
        trigger: Trigger,
        draft: QlikTenantStatus,
    ) -> Result<Acted<QlikTenant>, Error> {
        let announced = self.intent(IntentStep::Deactivate).ok().and_then(|intent| intent.record.clone());
        let days = self.sight.want.as_ref().map_or(30, |want| i32::from(want.days.get()));
        let (name, entries) = match (trigger, announced) {
            (Trigger::Lifecycle | Trigger::Deletion, Some(name)) => {
                let asked = requested::of(self.tenant, self.cx).await?;
                (name, vec![records::called(days, asked, self.cx.clock.now())])
            }
            (Trigger::Lifecycle | Trigger::Deletion, None) => return Err(Error::Raced),
            (Trigger::OutOfBand | Trigger::Release, _) => {
                (records::name_for(&self.tenant.name_any(), &self.cx.nonce()), Vec::new())
            }
        };
        records::open(self.cx, records::Opening { entries, ..self.opening(&name, trigger, days)? }).await?;
        Ok(Acted::look_again(QlikTenantStatus { offboarding: Some(name), ..draft }))
    }

    pub(super) async fn restore_record(
        &self,
        lost: &RecordSeen,
        draft: QlikTenantStatus,
    ) -> Result<Acted<QlikTenant>, Error> {
        let state = &lost.state;
        let dates = Dates { deactivated_at: state.deactivated_at, purge_at: state.purge_at, evidence: state.evidence };
        let entries = vec![dates.entry(self.cx.clock.now())];
        let opening = self.opening(&lost.name, lost.trigger, lost.purge_after_days)?;
        records::open(self.cx, records::Opening { requested_at: lost.requested_at, entries, ..opening }).await?;
        Ok(Acted::look_again(draft))
    }

    pub(super) fn opening<'a>(
        &'a self,
        name: &'a str,
        trigger: Trigger,
        days: i32,
    ) -> Result<records::Opening<'a>, Error> {
        let source = self.sight.credentials.as_ref().map(|(_, source)| source.clone()).unwrap_or_default();
        let (tenant, bound, requested_at) = (self.tenant, self.bound()?, self.cx.clock.now());
        Ok(records::Opening {
            name,
            tenant,
            id: &bound.id,
            hostnames: bound.generated_first(),
            trigger,
            days,
            requested_at,
            credentials_source: source,
            entries: Vec::new(),
        })
    }

    pub(super) async fn close_record(&self, record: &str, phase: OffboardingPhase) -> Result<(), Error> {
        let event = match phase {
            OffboardingPhase::Cancelled => OffboardingEvent::Cancelled,
            _ => OffboardingEvent::Reactivated,
        };
        let now = self.cx.clock.now();
        let over = |state: &State| Ok(if state.phase == phase { Vec::new() } else { vec![entry(event, now)] });
        records::enter(self.cx, &self.namespace(), record, over).await
    }

    pub(super) async fn erase(
        &self,
        targets: &[TargetSeen],
        draft: QlikTenantStatus,
    ) -> Result<Acted<QlikTenant>, Error> {
        ownership::first(self.tenant, &self.bound()?.id, self.cx).await?;
        for target in targets {
            if let Some(uid) = &target.uid {
                secrets::delete(&self.cx.client, &self.namespace(), &target.name, uid).await?;
            }
        }
        Ok(Acted::look_again(draft))
    }

    /// Reads back that every listed Secret is gone before the record says so.
    pub(super) async fn confirm_erasure(
        &self,
        record: &str,
        draft: QlikTenantStatus,
    ) -> Result<Acted<QlikTenant>, Error> {
        let listed: Vec<_> = self.sight.seen.record.iter().flat_map(RecordSeen::planned).cloned().collect();
        for entry in &listed {
            let there = secrets::presence(&self.cx.client, &self.namespace(), &entry.name).await?;
            if there.is_some_and(|there| there.uid == entry.uid) {
                return Err(Error::Raced);
            }
        }
        let now = whole_seconds(self.cx.clock.now());
        records::update_secrets(self.cx, &self.namespace(), record, |secrets| {
            for entry in secrets.iter_mut().filter(|entry| listed.contains(entry)) {
                entry.outcome = SecretOutcome::Erased;
                entry.time = now.clone();
            }
        })
        .await?;
        Ok(Acted::look_again(draft))
    }
}

/// The entry of an answer. Qlik's schema has its date optional: then the earliest possible one stands there.
pub(super) fn answered(state: &State, purge_at: Option<Timestamp>, made: Timestamp) -> OffboardingEntry {
    let (purge_at, evidence) = match purge_at {
        Some(at) => (Some(at), Evidence::Date),
        None => (state.earliest_purge(), Evidence::Estimated),
    };
    Dates { deactivated_at: Some(made), purge_at, evidence: Some(evidence) }.entry(made)
}

/// What the record says of Secrets before any of them goes.
pub(super) fn planned(targets: &[TargetSeen], now: &Time) -> Vec<OffboardedSecret> {
    targets
        .iter()
        .map(|target| OffboardedSecret {
            name: target.name.clone(),
            uid: target.uid.clone().unwrap_or_default(),
            rule: match &target.uid {
                Some(_) => target.rule.clone(),
                None => format!("{}: was not there", target.rule),
            },
            outcome: match &target.uid {
                _ if target.kept => SecretOutcome::Kept,
                Some(_) => SecretOutcome::Planned,
                // One that was absent from the start is confirmed absent already.
                None => SecretOutcome::Erased,
            },
            time: now.clone(),
        })
        .collect()
}
