//! The steps of a tenant. Each makes exactly one effect, in Qlik Cloud or in Kubernetes.

use super::{Sight, gather, limit, observe, ownership};
use crate::crd::{ErasedSecret, FINALIZER, INTENT, Lifecycle, Origin, QlikTenant, QlikTenantStatus, Reason, Trigger};
use crate::engine::{Acted, Context, Error, api_of, within, write};
use crate::kinds::fence;
use crate::kinds::records::{self, Dates};
use crate::plan::intent::{Intent, IntentSeen, IntentStep};
use crate::plan::tenant::{Announcement, Bound, KEPT, Seen, Step, TargetSeen, View};
use crate::qlik::{self, Credential, Hostname, Patch, Tenant, TenantId};
use crate::secrets;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
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
        Step::Bind { id, hostnames, origin } => work.bind(id, hostnames, *origin, draft).await,
        Step::Unbind => work.unbind(draft).await,
        Step::Patch(changes) => work.patch(changes, draft).await,
        Step::OpenRecord(trigger) => work.open_record(*trigger, draft).await,
        Step::RestoreRecord(lost) => {
            let (name, trigger, days) = (&lost.name, lost.trigger, lost.purge_after_days);
            records::restore(cx, work.opening(name, trigger, days)?, lost).await?;
            Ok(Acted::look_again(draft))
        }
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
            let now = Time(cx.clock.now());
            work.update(record, |status| {
                status.phase = *phase;
                status.closed_at = Some(now.clone());
            })
            .await?;
            Ok(Acted::look_again(draft))
        }
        Step::PlanErasure { record, targets } => {
            let planned = planned(targets, &Time(cx.clock.now()));
            work.update(record, |status| records::plan_erasure(status, &planned)).await?;
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

    async fn update(
        &self,
        record: &str,
        change: impl Fn(&mut crate::crd::QlikOffboardingStatus) + Send + Sync,
    ) -> Result<(), Error> {
        records::update(self.cx, &self.namespace(), record, change).await
    }

    /// Writes the intent, and the finalizer with it, if nothing changed since the decision.
    async fn announce(&self, announcement: &Announcement) -> Result<QlikTenant, Error> {
        let uid = self.tenant.uid().unwrap_or_default();
        if announcement.step != IntentStep::Create {
            limit::ask(self.limited(announcement.step, &uid), self.cx).await?;
        }
        fence::take_turn(self.tenant, self.register()?.pay_for_write(), self.cx).await?;
        let nonce = self.cx.nonce();
        let of_its_own = || {
            (announcement.step == IntentStep::Deactivate).then(|| records::name_for(&self.tenant.name_any(), &nonce))
        };
        let intent = Intent {
            step: announcement.step,
            holder: self.cx.holder.clone(),
            at: self.cx.clock.now(),
            record: announcement.record.clone().or_else(of_its_own),
            replaces: announcement.replaces,
            nonce,
        };
        fence::announce(self.tenant, FINALIZER, &intent, self.cx).await
    }

    fn register(&self) -> Result<qlik::Register, Error> {
        Ok(self.cx.cloud.register(self.region(), self.credential()?))
    }

    fn intent(&self, step: IntentStep) -> Result<&Intent, Error> {
        self.sight.seen.intent.of(step).ok_or(Error::Raced)
    }

    async fn create(&self, draft: QlikTenantStatus) -> Result<Acted<QlikTenant>, Error> {
        let nonce = self.intent(IntentStep::Create)?.nonce.clone();
        let license = self.sight.license.as_ref().ok_or(Error::Raced)?;
        self.still_the_same(&nonce).await?;
        let (register, paid) = (self.register()?, fence::has_turn(self.tenant, self.cx));
        let created = fence::announced(&nonce, register.create(license, paid), self.cx).await?;
        let uid = self.tenant.uid().unwrap_or_default();
        self.cx.ledger.created(&uid, created.id.clone(), created.hostnames.clone());
        self.claim(&created.id);
        let draft = self.bind_to(&created.id, &created.hostnames, Origin::Created, draft);
        let seen = self.knowing(&created, &draft)?;
        Ok(Acted { object: None, draft, seen: Some(seen), persist: true })
    }

    /// What is known from an answer that shows the whole tenant.
    fn knowing(&self, shown: &Tenant, draft: &QlikTenantStatus) -> Result<Box<Sight>, Error> {
        let hostnames = shown.hostnames.clone();
        let first = hostnames.first().cloned().ok_or(Error::Raced)?;
        let host = self.cx.cloud.hosts().tenant(&first, self.region()).map_err(qlik::Error::from)?;
        let origin = draft.origin.unwrap_or(Origin::Created);
        Ok(Box::new(Sight {
            want: self.sight.want.clone(),
            seen: Seen {
                bound: Some(Bound { id: shown.id.clone(), host, hostnames, origin }),
                tenant: View::Active(Box::new(shown.clone())),
                intent: IntentSeen::None,
                record: None,
                ..self.sight.seen.clone()
            },
            credentials: self.sight.credentials.clone(),
            license: None,
        }))
    }

    async fn bind(
        &self,
        id: &TenantId,
        hostnames: &[Hostname],
        origin: Origin,
        draft: QlikTenantStatus,
    ) -> Result<Acted<QlikTenant>, Error> {
        ownership::first(self.tenant, id, self.cx).await?;
        if !self.claim(id) {
            // Its status will soon show it by name.
            let message = "another object of this operator holds the tenant or is taking it over".to_owned();
            return Err(Error::Missing { reason: Reason::Conflict, message });
        }
        let draft = self.bind_to(id, hostnames, origin, draft);
        Ok(Acted { object: None, draft, seen: None, persist: true })
    }

    fn claim(&self, id: &TenantId) -> bool {
        self.cx.ledger.claim(id, &self.tenant.uid().unwrap_or_default(), |uid| self.cx.has_tenant(uid))
    }

    fn bind_to(
        &self,
        id: &TenantId,
        hostnames: &[Hostname],
        origin: Origin,
        draft: QlikTenantStatus,
    ) -> QlikTenantStatus {
        QlikTenantStatus {
            tenant_id: Some(id.to_string()),
            hostnames: hostnames.iter().map(ToString::to_string).collect(),
            hostname: hostnames.last().map(ToString::to_string),
            region: Some(self.region().to_string()),
            origin: Some(origin),
            bound_at: Some(Time(self.cx.clock.now())),
            ..draft
        }
    }

    /// Gives up a tenant that is gone: with the status go the traces of its creation, so that they are not taken for
    /// those of a call that lost its status. Without them the object is as new.
    async fn unbind(&self, draft: QlikTenantStatus) -> Result<Acted<QlikTenant>, Error> {
        let api = api_of(self.tenant, &self.cx.client);
        let object = write::forget(&api, &self.tenant.metadata, FINALIZER, INTENT).await?;
        let uid = self.tenant.uid().unwrap_or_default();
        self.cx.ledger.unclaim(&uid);
        self.cx.ledger.safe(&uid);
        let draft = QlikTenantStatus {
            conditions: draft.conditions,
            observed_generation: draft.observed_generation,
            last_handled_reconcile_at: draft.last_handled_reconcile_at,
            ..QlikTenantStatus::default()
        };
        Ok(Acted { object: Some(object), draft, seen: None, persist: true })
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
        let mut after = before.clone();
        for change in changes {
            match change {
                Patch::Name(name) => after.name.clone_from(name),
                Patch::Alias(alias) => {
                    after.hostnames.truncate(1);
                    after.hostnames.push(alias.clone());
                }
                Patch::Flag(setting, value) => after.settings.set(*setting, *value),
            }
        }
        let seen = self.knowing(&after, &draft)?;
        Ok(Acted { object: None, draft, seen: Some(seen), persist: false })
    }

    async fn open_record(&self, trigger: Trigger, draft: QlikTenantStatus) -> Result<Acted<QlikTenant>, Error> {
        let announced = self.intent(IntentStep::Deactivate).ok().and_then(|intent| intent.record.clone());
        let name = match (trigger, announced) {
            (Trigger::Lifecycle | Trigger::Deletion, Some(name)) => name,
            (Trigger::Lifecycle | Trigger::Deletion, None) => return Err(Error::Raced),
            (Trigger::OutOfBand, _) => records::name_for(&self.tenant.name_any(), &self.cx.nonce()),
        };
        let days = self.sight.want.as_ref().map_or(30, |want| i32::from(want.days.get()));
        records::open(self.cx, self.opening(&name, trigger, days)?).await?;
        Ok(Acted::look_again(QlikTenantStatus { offboarding: Some(name), ..draft }))
    }

    fn opening<'a>(&'a self, name: &'a str, trigger: Trigger, days: i32) -> Result<records::Opening<'a>, Error> {
        let source = self.sight.credentials.as_ref().map(|(_, source)| source.clone()).unwrap_or_default();
        let (tenant, bound, requested_at) = (self.tenant, self.bound()?, self.cx.clock.now());
        Ok(records::Opening { name, tenant, bound, trigger, days, requested_at, credentials_source: source })
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
        self.still_the_same(&nonce).await?;
        let uid = self.tenant.uid().unwrap_or_default();
        limit::take(self.limited(step, &uid), &id, self.cx).await?;
        let (register, paid) = (self.register()?, fence::has_turn(self.tenant, self.cx));
        self.cx.ledger.recorded(record); // what an earlier call was answered says nothing of this one
        let answer = fence::announced(&nonce, register.deactivate(&id, (confirm, days), paid), self.cx).await?;
        let made = self.cx.clock.now();
        self.cx.ledger.answered(record, made, answer.purge_at);
        let (deactivated_at, purge_at) = (Some(made), Some(answer.purge_at));
        let dates = Dates { deactivated_at, purge_at, evidence: Some(crate::crd::Evidence::Date) };
        self.update(record, |status| records::schedule(status, dates)).await?;
        self.cx.ledger.recorded(record);
        Ok(Acted::look_again(QlikTenantStatus { offboarding: Some(record.to_owned()), ..draft }))
    }

    fn limited<'a>(&self, step: IntentStep, uid: &'a str) -> limit::Call<'a> {
        limit::Call { step, region: self.region(), uid }
    }

    /// Reads the object live and compares it with the one that was decided on; nothing is called for one that is swept away.
    async fn still_the_same(&self, nonce: &str) -> Result<(), Error> {
        let live = fence::still_the_same(self.tenant, nonce, self.cx).await?;
        let deleting = live.metadata.deletion_timestamp.is_some();
        if deleting && gather::swept(&live, self.cx).await? {
            return Err(Error::Raced);
        }
        Ok(())
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

    async fn erase(&self, targets: &[TargetSeen], draft: QlikTenantStatus) -> Result<Acted<QlikTenant>, Error> {
        ownership::first(self.tenant, &self.bound()?.id, self.cx).await?;
        for target in targets {
            if let Some(uid) = &target.uid {
                secrets::delete(&self.cx.client, &self.namespace(), &target.name, uid).await?;
            }
        }
        Ok(Acted::look_again(draft))
    }

    /// Reads back that every listed Secret is gone before the record says so.
    async fn confirm_erasure(&self, record: &str, draft: QlikTenantStatus) -> Result<Acted<QlikTenant>, Error> {
        let listed = self.sight.seen.record.as_ref().map(|r| r.erased.clone()).unwrap_or_default();
        for entry in listed.iter().filter(|e| e.erased_at.is_none() && !e.rule.starts_with(KEPT)) {
            let there = secrets::presence(&self.cx.client, &self.namespace(), &entry.name).await?;
            if there.is_some_and(|there| there.uid == entry.uid) {
                return Err(Error::Raced);
            }
        }
        let now = Time(self.cx.clock.now());
        self.update(record, |status| {
            for entry in status.erased.iter_mut().filter(|e| e.erased_at.is_none() && !e.rule.starts_with(KEPT)) {
                entry.erased_at = Some(now.clone());
            }
        })
        .await?;
        Ok(Acted::look_again(draft))
    }
}

/// What the record says of Secrets before any of them goes.
fn planned(targets: &[TargetSeen], now: &Time) -> Vec<ErasedSecret> {
    targets
        .iter()
        .map(|target| ErasedSecret {
            name: target.name.clone(),
            uid: target.uid.clone().unwrap_or_default(),
            rule: match &target.uid {
                Some(_) => target.rule.trim_end_matches(crate::plan::tenant::TERMINATING).trim_end().to_owned(),
                None => format!("{}: was not there", target.rule),
            },
            // One that was absent from the start is confirmed absent already.
            erased_at: target.uid.is_none().then(|| now.clone()),
        })
        .collect()
}
