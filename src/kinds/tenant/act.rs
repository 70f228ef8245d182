//! The steps of a tenant. Each makes exactly one effect, in Qlik Cloud or in Kubernetes.

use super::{Sight, gather, letting_go, limit, observe, ownership, requested};
use crate::crd::{
    Evidence, FINALIZER, INTENT, Lifecycle, OffboardedSecret, OffboardingEntry, OffboardingEvent, OffboardingPhase,
    Origin, QlikTenant, QlikTenantStatus, RESTART_PURGE_WINDOW, Reason, SecretOutcome, Trigger, whole_seconds,
};
use crate::engine::{Acted, Context, Error, api_of, within, write};
use crate::kinds::fence;
use crate::kinds::records::{self, Dates};
use crate::plan::intent::{Intent, IntentSeen, IntentStep, Outcome};
use crate::plan::offboarding::history::{State, entry};
use crate::plan::tenant::{Announcement, Bound, RecordSeen, Seen, Step, TargetSeen, View};
use crate::qlik::{self, Credential, Hostname, Patch, Tenant, TenantId};
use crate::secrets;
use jiff::Timestamp;
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
        Step::CloseIntent => work.close_intent(*sight.clone(), draft).await,
        Step::RecordRelease => {
            letting_go::record(tenant, &sight, &draft, cx).await?;
            let seen = Sight { seen: Seen { released: true, ..sight.seen.clone() }, ..*sight };
            Ok(Acted { object: None, draft, seen: Some(Box::new(seen)), persist: false })
        }
        Step::NoteCall { record, days } => {
            let asked = requested::of(tenant, cx).await?;
            let called = records::called(*days, asked, cx.clock.now());
            let noted = |state: &State| Ok(if state.has_call(*days) { Vec::new() } else { vec![called.clone()] });
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

    async fn close_record(&self, record: &str, phase: OffboardingPhase) -> Result<(), Error> {
        let event = match phase {
            OffboardingPhase::Cancelled => OffboardingEvent::Cancelled,
            _ => OffboardingEvent::Reactivated,
        };
        let now = self.cx.clock.now();
        let over = |state: &State| Ok(if state.phase == phase { Vec::new() } else { vec![entry(event, now)] });
        records::enter(self.cx, &self.namespace(), record, over).await
    }

    /// Writes to the intent which tenant the creation made. From then on it survives a restart and a restore.
    async fn close_intent(&self, sight: Sight, draft: QlikTenantStatus) -> Result<Acted<QlikTenant>, Error> {
        let intent = self.intent(IntentStep::Create)?.clone();
        let bound = sight.seen.bound.as_ref().map(|bound| (bound.id.clone(), Some(bound.host.hostname().clone())));
        let made = bound.or_else(|| sight.seen.hostless.clone().map(|id| (id, None)));
        let (tenant_id, hostname) = made.ok_or(Error::Raced)?;
        let closed = Intent { outcome: Some(Outcome::Created { tenant_id, hostname }), ..intent };
        let text = serde_json::to_string(&closed).unwrap_or_default();
        let api = api_of(self.tenant, &self.cx.client);
        let object = write::annotation_whatever(&api, &self.tenant.metadata, INTENT, &text).await?;
        let uid = self.tenant.uid().unwrap_or_default();
        let known = IntentSeen::read(Some(&text), |intent| self.cx.ledger.known(intent));
        let seen = Sight { seen: Seen { intent: known, ..sight.seen }, ..sight };
        tracing::debug!(uid, "the creation is on record");
        // Of one without a hostname the organization API may tell it: that is another look.
        let seen = seen.seen.hostless.is_none().then(|| Box::new(seen));
        Ok(Acted { object: Some(object), draft, seen, persist: false })
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
            generation: self.tenant.metadata.generation,
            outcome: None,
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
        let uid = self.tenant.uid().unwrap_or_default();
        self.cx.ledger.creating(&uid, &nonce);
        let outcome = fence::announced(&nonce, register.create(license, paid), self.cx).await;
        if outcome.as_ref().map_or_else(Error::had_no_effect, |_| true) {
            self.cx.ledger.creation_known(&uid);
        }
        let created = outcome?;
        self.cx.ledger.created(&uid, created.id.clone(), created.hostnames.clone());
        self.claim(&created.id);
        tracing::info!(namespace = self.namespace(), name = self.tenant.name_any(), tenant = %created.id,
            hostnames = ?created.hostnames, "Qlik Cloud created a tenant");
        // Whatever else of the answer is odd: the id is in the draft, and the next step writes it before anything else.
        let draft = self.bind_to(&created.id, &created.hostnames, Origin::Created, draft);
        let seen = match self.knowing(&created, &draft) {
            Ok(seen) => seen,
            Err(_) => Box::new(Sight {
                seen: Seen { hostless: Some(created.id), ..self.sight.seen.clone() },
                ..self.sight.clone()
            }),
        };
        Ok(Acted { object: None, draft, seen: Some(seen), persist: false })
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
                Patch::Name(name) => after.name = Some(name.clone()),
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

    async fn restore_record(&self, lost: &RecordSeen, draft: QlikTenantStatus) -> Result<Acted<QlikTenant>, Error> {
        let state = &lost.state;
        let dates = Dates { deactivated_at: state.deactivated_at, purge_at: state.purge_at, evidence: state.evidence };
        let entries = vec![dates.entry(self.cx.clock.now())];
        let opening = self.opening(&lost.name, lost.trigger, lost.purge_after_days)?;
        records::open(self.cx, records::Opening { requested_at: lost.requested_at, entries, ..opening }).await?;
        Ok(Acted::look_again(draft))
    }

    fn opening<'a>(&'a self, name: &'a str, trigger: Trigger, days: i32) -> Result<records::Opening<'a>, Error> {
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
fn answered(state: &State, purge_at: Option<Timestamp>, made: Timestamp) -> OffboardingEntry {
    let (purge_at, evidence) = match purge_at {
        Some(at) => (Some(at), Evidence::Date),
        None => (state.earliest_purge(), Evidence::Estimated),
    };
    Dates { deactivated_at: Some(made), purge_at, evidence: Some(evidence) }.entry(made)
}

/// What the record says of Secrets before any of them goes.
fn planned(targets: &[TargetSeen], now: &Time) -> Vec<OffboardedSecret> {
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
