//! The steps of a tenant. Each makes exactly one effect, in Qlik Cloud or in Kubernetes.

mod creation;
mod record;

use super::{Sight, gather, letting_go, limit, observe, ownership, released, requested};
use crate::crd::{FINALIZER, Lifecycle, QlikTenant, QlikTenantStatus, RESTART_PURGE_WINDOW, whole_seconds};
use crate::engine::{Acted, Context, Error, api_of, within, write};
use crate::kinds::fence;
use crate::kinds::records::{self, Dates};
use crate::plan::intent::{Intent, IntentStep};
use crate::plan::offboarding::history::State;
use crate::plan::tenant::{Announcement, Bound, Seen, Step, View};
use crate::qlik::{self, Credential, Hostname, Patch, TenantId};
use jiff::Timestamp;
use kube::ResourceExt;
use record::{answered, planned};
use serde_json::json;

pub(super) async fn act(
    tenant: &QlikTenant,
    step: &Step,
    sight: Box<Sight>,
    draft: QlikTenantStatus,
    cx: &Context,
) -> Result<Acted<QlikTenant>, Error> {
    let work = Work { tenant, sight: &sight, cx };
    match step {
        Step::Hold => {
            let object = write::hold(&api_of(tenant, &cx.client), &tenant.metadata, FINALIZER, json!({})).await?;
            Ok(Acted::wrote(object, draft))
        }
        Step::Announce(announcement) => Ok(Acted::wrote(work.announce(announcement).await?, draft)),
        Step::Create => work.create(draft).await,
        Step::CloseIntent => work.close_intent(*sight.clone(), draft).await,
        Step::RecordRelease => {
            letting_go::record(tenant, &sight, &draft, cx).await?;
            let seen = Sight { seen: Seen { released: true, ..sight.seen.clone() }, ..*sight };
            Ok(Acted { object: None, draft, seen: Some(Box::new(seen)), persist: false })
        }
        Step::NoteCall { record, days, announced } => {
            let asked = requested::of(tenant, cx).await?;
            let called = records::called(*days, asked, cx.clock.now());
            let noted =
                |state: &State| Ok(if state.has_call(*days, *announced) { Vec::new() } else { vec![called.clone()] });
            records::enter(cx, &work.namespace(), record, noted).await?;
            Ok(Acted::look_again(draft))
        }
        Step::Bind { id, hostnames, origin } => work.bind(id, hostnames, *origin, draft).await,
        Step::Unbind => work.unbind(draft).await,
        Step::Patch(changes) => work.patch(changes, draft).await,
        Step::OpenRecord(trigger) => work.open_record(*trigger, draft).await,
        Step::RestoreRecord(lost) => work.restore_record(lost, draft).await,
        Step::Deactivate { record, confirm } => work.deactivate(IntentStep::Deactivate, record, confirm, draft).await,
        Step::RestartWindow { record, confirm } => {
            work.deactivate(IntentStep::RestartWindow, record, confirm, draft).await
        }
        Step::Schedule { record, deactivated_at, purge_at, evidence } => {
            let dates = Dates { deactivated_at: *deactivated_at, purge_at: *purge_at, evidence: *evidence };
            let seen = sight.seen.record.as_ref().filter(|seen| seen.name == *record).ok_or(Error::Raced)?;
            records::schedule_as_seen(cx, &work.namespace(), seen, dates).await?;
            cx.ledger.recorded(record);
            Ok(Acted::look_again(draft))
        }
        Step::Reactivate { id, confirm } => work.reactivate(id, confirm, draft).await,
        Step::CloseRecord { record, phase } => {
            work.close_record(record, *phase).await?;
            Ok(Acted::look_again(draft))
        }
        Step::PlanErasure { record, targets } => {
            let planned = planned(targets, &whole_seconds(cx.clock.now()));
            records::update_secrets(cx, &work.namespace(), record, |secrets| records::plan_erasure(secrets, &planned))
                .await?;
            Ok(Acted::look_again(draft))
        }
        Step::Erase(targets) => work.erase(targets, draft).await,
        Step::ConfirmErasure { record } => work.confirm_erasure(record, draft).await,
    }
}

struct Work<'a> {
    tenant: &'a QlikTenant,
    sight: &'a Sight,
    cx: &'a Context,
}

impl Work<'_> {
    fn credential(&self) -> Result<&Credential, Error> {
        self.sight.credentials.as_ref().map(|(credential, _)| credential).ok_or(Error::Raced)
    }

    fn bound(&self) -> Result<&Bound, Error> {
        self.sight.seen.bound.as_ref().ok_or(Error::Raced)
    }

    fn namespace(&self) -> String {
        self.tenant.namespace().unwrap_or_default()
    }

    fn region(&self) -> qlik::Region {
        qlik::Region::from(self.tenant.spec.region)
    }

    /// Writes the intent, and the finalizer with it, if nothing changed since the decision.
    async fn announce(&self, announcement: &Announcement) -> Result<QlikTenant, Error> {
        let uid = self.tenant.uid().unwrap_or_default();
        if announcement.step != IntentStep::Create {
            limit::ask(self.limited(announcement.step, &uid), self.cx).await?;
        }
        // Announced although an earlier object of this name let a tenant go: a human gave that one up.
        if let Some(kept) = self.sight.seen.kept.as_ref().filter(|_| announcement.step == IntentStep::Create) {
            released::forget(&kept.tenant_id, self.cx).await?;
        }
        fence::take_turn(self.tenant, self.register()?.pay_for_write(), self.cx).await?;
        let intent = fence::intent(announcement.step, self.cx);
        let of_its_own = || {
            let name = || records::name_for(&self.tenant.name_any(), &intent.nonce);
            (announcement.step == IntentStep::Deactivate).then(name)
        };
        let record = announcement.record.clone().or_else(of_its_own);
        let generation = self.tenant.metadata.generation;
        let intent = Intent { record, replaces: announcement.replaces, generation, ..intent };
        fence::announce(self.tenant, FINALIZER, &intent, self.cx).await
    }

    fn register(&self) -> Result<qlik::Register, Error> {
        Ok(self.cx.cloud.register(self.region(), self.credential()?))
    }

    fn intent(&self, step: IntentStep) -> Result<&Intent, Error> {
        self.sight.seen.intent.of(step).ok_or(Error::Raced)
    }

    /// Qlik answers a PATCH with nothing; what was asked for is taken as seen, and looked at again soon.
    async fn patch(&self, changes: &[Patch], draft: QlikTenantStatus) -> Result<Acted<QlikTenant>, Error> {
        let bound = self.bound()?;
        let View::Active(before) = &self.sight.seen.tenant else {
            return Err(Error::Raced);
        };
        let patched = self.cx.cloud.tenant(&bound.host, self.credential()?).patch(&bound.id, changes).await;
        patched.map_err(|error| match error {
            // The first call that a tenant's host gets may be this one. What it refuses itself is another matter.
            qlik::Error::Refused(_) => error.into(),
            _ if observe::may_be_too_new(&draft, &error, self.cx) => observe::not_ready_yet(),
            _ => error.into(),
        })?;
        let fields: Vec<_> = changes.iter().map(Patch::field).collect();
        let written = self.sight.seen.written.after(&fields, |field| before.hides(field), self.cx.clock.now());
        self.cx.ledger.wrote_unseen(&self.tenant.uid().unwrap_or_default(), written.unseen.clone());
        let draft = QlikTenantStatus { drift: written.drift.clone(), ..draft };
        let mut after = before.clone();
        for change in changes {
            match change {
                Patch::Name(name) => after.name = Some(name.clone()),
                Patch::Alias(alias) => {
                    after.hostnames.truncate(1);
                    after.hostnames.push(alias.clone());
                }
                Patch::Flag(setting, value) => after.settings.set(*setting, *value),
            }
        }
        let mut known = self.knowing(&after, &draft)?;
        known.seen.written = written;
        Ok(Acted { object: None, draft, seen: Some(known), persist: false })
    }

    /// The one irreversible call. Right before it is asked live whom the tenant belongs to, and the object is read: it must
    /// still be the very version that was decided on, under our own announcement; the tenant itself was read in this turn.
    async fn deactivate(
        &self,
        step: IntentStep,
        record: &str,
        confirm: &Hostname,
        draft: QlikTenantStatus,
    ) -> Result<Acted<QlikTenant>, Error> {
        let (id, nonce) = (self.bound()?.id.clone(), self.intent(step)?.nonce.clone());
        let days = self.sight.want.as_ref().map(|want| want.days).ok_or(Error::Raced)?;
        ownership::first(self.tenant, &id, self.cx).await?;
        let live = self.still_the_same(&nonce).await?;
        let replaces = self.intent(step)?.replaces;
        let asked = live.annotations().get(RESTART_PURGE_WINDOW).and_then(|at| at.parse::<Timestamp>().ok());
        if step == IntentStep::RestartWindow && asked != replaces {
            return Err(Error::Raced); // taken back at the last moment
        }
        let uid = self.tenant.uid().unwrap_or_default();
        limit::take(self.limited(step, &uid), &id, self.cx).await?;
        let (register, paid) = (self.register()?, fence::has_turn(self.tenant, self.cx));
        self.cx.ledger.recorded(record); // what an earlier call was answered says nothing of this one
        let answer = fence::announced(&nonce, register.deactivate(&id, (confirm, days), paid), self.cx).await?;
        let made = self.cx.clock.now();
        self.cx.ledger.answered(record, made, answer.purge_at);
        records::enter(self.cx, &self.namespace(), record, |state| Ok(vec![answered(state, answer.purge_at, made)]))
            .await?;
        self.cx.ledger.recorded(record);
        Ok(Acted::look_again(QlikTenantStatus { offboarding: Some(record.to_owned()), ..draft }))
    }

    fn limited<'a>(&self, step: IntentStep, uid: &'a str) -> limit::Call<'a> {
        limit::Call { step, region: self.region(), uid }
    }

    /// Reads the object live and compares it with the one that was decided on; nothing is called for one that is swept away.
    async fn still_the_same(&self, nonce: &str) -> Result<QlikTenant, Error> {
        let live = fence::still_the_same(self.tenant, nonce, self.cx).await?;
        let deleting = live.metadata.deletion_timestamp.is_some();
        if deleting && gather::swept(&live, self.cx).await? {
            return Err(Error::Raced);
        }
        Ok(live)
    }

    async fn reactivate(
        &self,
        id: &TenantId,
        confirm: &Hostname,
        draft: QlikTenantStatus,
    ) -> Result<Acted<QlikTenant>, Error> {
        let api = api_of(self.tenant, &self.cx.client);
        let live = within("read the object once more", api.get(&self.tenant.name_any())).await?;
        let wanted = live.spec.lifecycle == Lifecycle::Active && live.metadata.deletion_timestamp.is_none();
        if live.uid() != self.tenant.uid() || !wanted || live.spec.suspend {
            return Err(Error::Raced);
        }
        self.register()?.reactivate(id, confirm).await?;
        self.cx.ledger.reactivated(id, self.cx.clock.monotonic());
        Ok(Acted::look_again(draft))
    }
}
