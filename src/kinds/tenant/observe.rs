//! One look at everything that the decision about a tenant needs.

use super::{Sight, invalid};
use super::{alias, erasure, gather, ownership};
use crate::crd::{
    Deactivator, FINALIZER, INTENT, Lifecycle, OffboardingPhase, OnDelete, Origin, QlikTenant, QlikTenantStatus,
    REACTIVATE, RESTART_PURGE_WINDOW, Reason, START_ANEW, Trigger,
};
use crate::engine::{Context, Error, root};
use crate::kinds::{records, tenant_host};
use crate::plan::Deletion;
use crate::plan::intent::{Call, IntentSeen, IntentStep, Permit, TAKE_OVER};
use crate::plan::offboarding::history::State;
use crate::plan::tenant::{
    AliasSeen, Asks, Bound, Desired, Lookup, RecordSeen, Seen, View, current_record, erasure_ahead, erasure_due,
    previous_record,
};
use crate::qlik::{self, Credential, Hostname, OrgStatus, TenantHost, TenantId};
use jiff::Timestamp;
use kube::ResourceExt;
use std::time::Duration;

pub(super) async fn observe(tenant: &QlikTenant, draft: &QlikTenantStatus, cx: &Context) -> Result<Sight, Error> {
    let mut seen = from_object(tenant, draft, cx)?;
    let deleting = seen.deletion != Deletion::None;
    let on_delete = tenant.spec.offboarding.as_ref().map_or(OnDelete::Retain, |o| o.on_delete);
    if deleting && (on_delete == OnDelete::Retain || !seen.held) {
        return let_go(tenant, draft, seen, cx).await;
    }
    if deleting && gather::swept(tenant, cx).await? {
        seen.deletion = Deletion::Sweeping;
        return let_go(tenant, draft, seen, cx).await;
    }
    let want = Desired::read(&tenant.spec, cx.cloud.hosts()).map_err(|e| invalid(&e))?;
    let look = Look { tenant, want: &want, cx, deleting, draft };
    let mut with_records = look.begins_with_records(&seen);
    if with_records && seen.bound.is_none() && want.adopt.is_none() {
        look.load_records(&mut seen, None).await?;
    }
    let target = look.target(&seen);
    if let Some((id, _)) = &target {
        seen.other_owner = ownership::cached(tenant, id, cx)?;
    }
    if seen.other_owner.is_some() {
        return Ok(Sight { want: Some(want), seen, credentials: None, license: None });
    }
    if with_records && (seen.bound.is_some() || want.adopt.is_some()) {
        look.load_records(&mut seen, target.as_ref().map(|(id, _)| id)).await?;
    }
    let (credentials, license) = look.at_qlik(&mut seen, target.as_ref()).await?;
    if !with_records && Look::needs_records(&seen) {
        look.load_records(&mut seen, target.as_ref().map(|(id, _)| id)).await?;
        with_records = true;
    }
    if with_records {
        look.load_answer(&mut seen);
    }
    look.after(&mut seen).await?;
    Ok(Sight { want: Some(want), seen, credentials, license })
}

/// What has to be known of an object whose tenant is left alone. Where its off-boarding had begun, a record may say of it
/// what an object of the same name has to know; otherwise nothing is read.
async fn let_go(tenant: &QlikTenant, draft: &QlikTenantStatus, mut seen: Seen, cx: &Context) -> Result<Sight, Error> {
    let id = seen.bound.as_ref().map(|bound| bound.id.clone());
    if let Some(id) = &id {
        seen.other_owner = ownership::cached(tenant, id, cx)?;
    }
    if seen.held && (draft.offboarding.is_some() || draft.purge.is_some()) {
        let (records, _) = records::list(cx, &tenant.namespace().unwrap_or_default()).await?;
        seen.record = id.and_then(|id| current_record(&records, &id, draft.offboarding.as_deref(), true).cloned());
    }
    Ok(gather::nothing_to_decide(seen))
}

/// What the object itself tells.
fn from_object(tenant: &QlikTenant, draft: &QlikTenantStatus, cx: &Context) -> Result<Seen, Error> {
    let annotation = |key: &str| tenant.annotations().get(key).cloned();
    let uid = tenant.uid().unwrap_or_default();
    let consent = annotation(REACTIVATE);
    let used = consent.is_some() && consent == draft.last_handled_reactivate;
    Ok(Seen {
        deletion: Deletion::of(&tenant.metadata),
        held: tenant.finalizers().iter().any(|f| f == FINALIZER),
        bound: bound(tenant, draft, &uid, cx)?,
        hostless: hostless(draft, &uid, cx),
        pending_creation: draft.pending_creation.clone().or_else(|| cx.ledger.pending_creation(&uid)),
        unwritten: draft.observed_generation != tenant.metadata.generation,
        intent: IntentSeen::read(annotation(INTENT).as_deref(), |intent| cx.ledger.known(intent)),
        other_owner: None,
        tenant: View::NotAsked,
        record: None,
        lost: None,
        previous: None,
        released: false,
        alias: AliasSeen::NotAsked,
        lookup: Lookup::NotAsked,
        doubt: None,
        asks: Asks {
            reactivate: consent.filter(|_| !used),
            reactivate_used: used,
            start_anew: annotation(START_ANEW),
            restart_window: annotation(RESTART_PURGE_WINDOW),
        },
        targets: Vec::new(),
        organization_purge_at: None,
        answered: None,
        reactivation_sent: false,
        uid,
    })
}

/// The tenant that the object holds: by its status, or by what this process remembers of a write that failed.
pub(super) fn bound(
    tenant: &QlikTenant,
    draft: &QlikTenantStatus,
    uid: &str,
    cx: &Context,
) -> Result<Option<Bound>, Error> {
    let region = qlik::Region::from(tenant.spec.region);
    let broken = |problem: String| Error::Misconfigured {
        reason: Reason::SpecInvalid,
        message: format!("the status was changed by hand and cannot be used: {problem}; remove status.tenantId"),
    };
    let (id, hostnames) = match (&draft.tenant_id, cx.ledger.created_for(uid)) {
        (Some(id), _) => {
            let id: TenantId = id.parse().map_err(|e| broken(format!("{e}")))?;
            let hostnames = draft.hostnames.iter().map(|h| h.parse()).collect::<Result<Vec<_>, _>>();
            (id, hostnames.map_err(|e| broken(format!("{e}")))?)
        }
        (None, Some(remembered)) => remembered,
        (None, None) => return Ok(None),
    };
    let Some(first) = hostnames.first() else {
        return Ok(None); // see `hostless`
    };
    let host = cx.cloud.hosts().tenant(first, region).map_err(|e| broken(e.to_string()))?;
    Ok(Some(Bound { id, host, hostnames, origin: draft.origin.unwrap_or(Origin::Created) }))
}

/// A tenant of this object of which no hostname is known: Qlik's schema has them optional.
fn hostless(draft: &QlikTenantStatus, uid: &str, cx: &Context) -> Option<TenantId> {
    match (&draft.tenant_id, cx.ledger.created_for(uid)) {
        (Some(id), _) if draft.hostnames.is_empty() => id.parse().ok(),
        (None, Some((id, hostnames))) if hostnames.is_empty() => Some(id),
        (Some(_), _) | (None, Some(_) | None) => None,
    }
}

/// The credentials that were used, with their source, and the license key for a creation.
type Used = (Option<(Credential, String)>, Option<qlik::Secret>);

struct Look<'a> {
    tenant: &'a QlikTenant,
    want: &'a Desired,
    cx: &'a Context,
    deleting: bool,
    draft: &'a QlikTenantStatus,
}

impl Look<'_> {
    /// The tenant to look at, and where: the one that the object holds, or is to take over, or held under an earlier object
    /// of its name, or made before its status was lost.
    fn target(&self, seen: &Seen) -> Option<(TenantId, TenantHost)> {
        if let Some(bound) = &seen.bound {
            return Some((bound.id.clone(), bound.host.clone()));
        }
        if self.want.adopt.is_some() {
            return self.want.adopt.clone();
        }
        let given_up = |id: &TenantId| seen.asks.start_anew.as_deref() == Some(id.as_str());
        let host = |hostname: &Hostname| self.cx.cloud.hosts().tenant(hostname, self.want.region).ok();
        let previous = seen.previous.as_ref().filter(|previous| previous.phase() == OffboardingPhase::Released);
        if let Some(previous) = previous.filter(|previous| !previous.copied && !given_up(&previous.tenant_id)) {
            let hostname = previous.hostnames.first()?.parse().ok()?;
            return Some((previous.tenant_id.clone(), host(&hostname)?));
        }
        let (id, hostname) = seen.intent.created().filter(|(id, _)| !given_up(id))?;
        Some((id.clone(), host(hostname?)?))
    }

    /// Looks at Qlik Cloud with the object's own credentials: at the tenant, or at what a creation needs.
    async fn at_qlik(&self, seen: &mut Seen, target: Option<&(TenantId, TenantHost)>) -> Result<Used, Error> {
        // A purge that is on record is looked behind as far as that is possible: the credentials may be erased already,
        // and the host may not answer any more.
        let purged = seen.record.as_ref().is_some_and(|record| record.phase() == OffboardingPhase::Purged);
        let found = match gather::credentials(self.tenant, self.want.region, self.cx).await {
            Ok(found) => found,
            Err(Error::Missing { .. } | Error::Misconfigured { .. }) if purged => return Ok((None, None)),
            Err(error) => return Err(error),
        };
        let mut license = None;
        match target {
            Some((id, host)) => match self.at_tenant(seen, &found.0, id, host).await {
                Err(Error::Qlik(error)) if purged => {
                    tracing::debug!(%error, "the tenant is purged on record and its host does not answer");
                }
                other => other?,
            },
            None => license = self.before_creation(seen, &found.0).await?,
        }
        Ok((Some(found), license))
    }

    /// Records are read where an off-boarding is asked for or under way, and before a tenant is created; not for a
    /// tenant that is simply in use, so that its drift reads cost nothing here.
    fn begins_with_records(&self, seen: &Seen) -> bool {
        let quiet = seen.bound.is_some()
            && !self.deleting
            && self.want.lifecycle == Lifecycle::Active
            && self.draft.offboarding.is_none()
            && self.draft.observed_generation.is_some()
            && !gather::has_open_record(self.tenant, self.cx);
        !quiet
    }

    fn needs_records(seen: &Seen) -> bool {
        matches!(seen.tenant, View::Disabled | View::Gone)
    }

    async fn load_records(&self, seen: &mut Seen, target: Option<&TenantId>) -> Result<(), Error> {
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

    fn load_answer(&self, seen: &mut Seen) {
        seen.answered = seen.record.as_ref().and_then(|record| self.cx.ledger.answer_for(&record.name));
    }

    /// What the status tells of a record that it names and that is not there.
    fn lost_record(&self, records: &[RecordSeen]) -> Option<RecordSeen> {
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
    fn close_intent(seen: &mut Seen, records: &[RecordSeen]) {
        if let IntentSeen::Found { intent, call } = &mut seen.intent
            && intent.step == IntentStep::Deactivate
            && let Some(name) = &intent.record
            && records.iter().any(|record| record.name == *name && record.is_resolved())
        {
            *call = Call::Closed;
        }
    }

    /// Looks at the tenant itself.
    async fn at_tenant(
        &self,
        seen: &mut Seen,
        credential: &Credential,
        id: &TenantId,
        host: &TenantHost,
    ) -> Result<(), Error> {
        seen.reactivation_sent = self.cx.ledger.reactivated_lately(id, self.cx.clock.monotonic());
        seen.tenant = match tenant_host::look(self.cx, (id, host), credential).await {
            Ok(View::Active(mut tenant)) => {
                // Qlik's schema has them optional. A host that answers for the tenant is one of its names.
                if tenant.hostnames.is_empty() {
                    let known = seen.bound.as_ref().map(|bound| bound.hostnames.clone());
                    tenant.hostnames = known.unwrap_or_else(|| vec![host.hostname().clone()]);
                }
                View::Active(tenant)
            }
            Ok(view) => view,
            Err(error) => match root(&error) {
                _ if may_be_too_new(self.draft, &error, self.cx) => return Err(not_ready_yet()),
                root if is_no_answer_of_a_tenant(root) => self.gone_by_organization(id, error).await?,
                _ => return Err(error.into()),
            },
        };
        if seen.tenant == View::Disabled {
            seen.organization_purge_at = self.organization_purge_at(id).await?;
        }
        Ok(())
    }

    /// A host without a sensible answer may belong to a purged tenant: only the organization API can tell.
    async fn gone_by_organization(&self, id: &TenantId, error: qlik::Error) -> Result<View, Error> {
        let Some(credential) = self.cx.settings.organization_credential() else {
            return Err(error.into());
        };
        match self.cx.cloud.organization(&credential).tenant(id).await {
            Ok(Some(found)) if found.status == OrgStatus::Deleted => Ok(View::Gone),
            Ok(Some(_) | None) | Err(_) => Err(error.into()),
        }
    }

    async fn organization_purge_at(&self, id: &TenantId) -> Result<Option<Timestamp>, Error> {
        let Some(credential) = self.cx.settings.organization_credential() else {
            return Ok(None);
        };
        let found = self.cx.cloud.organization(&credential).tenant(id).await?;
        Ok(found.and_then(|tenant| tenant.deletion_starts_at))
    }

    /// Checks what a creation needs before anything is announced: credentials that work, and a license key.
    async fn before_creation(&self, seen: &mut Seen, credential: &Credential) -> Result<Option<qlik::Secret>, Error> {
        if let Some(id) = &seen.hostless {
            seen.lookup = gather::hostnames_of(id, self.cx).await?;
            return Ok(None);
        }
        if self.deleting || self.want.lifecycle == Lifecycle::Deactivated {
            return self.look_up(seen).await.map(|()| None);
        }
        self.cx.cloud.register(self.want.region, credential).authorize().await?;
        self.look_up(seen).await?;
        let permit = seen.intent.permit(IntentStep::Create, self.cx.clock.now());
        if let Some(alias) = &self.want.alias {
            seen.alias = self.alias(&permit, alias, credential).await?;
        }
        match permit {
            Permit::Act(_) | Permit::Announce => {
                gather::license(self.tenant, self.want, credential, self.cx).await.map(Some)
            }
            Permit::TakeOver | Permit::Wait(_) | Permit::Unreadable => Ok(None),
        }
    }

    /// Who has the alias: asked of Qlik Cloud once, right before the announcement, and of the other objects once more after
    /// it, since another operator may have announced a creation at the same time.
    async fn alias(&self, permit: &Permit, alias: &Hostname, credential: &Credential) -> Result<AliasSeen, Error> {
        match permit {
            Permit::Announce => alias::look(self.tenant, (alias, self.want), credential, self.cx).await,
            Permit::Act(_) => {
                Ok(alias::wanted_by(self.tenant, alias, self.cx).map_or(AliasSeen::NotAsked, AliasSeen::Wanted))
            }
            Permit::TakeOver | Permit::Wait(_) | Permit::Unreadable => Ok(AliasSeen::NotAsked),
        }
    }

    async fn look_up(&self, seen: &mut Seen) -> Result<(), Error> {
        if seen.intent.permit(IntentStep::Create, self.cx.clock.now()) == Permit::TakeOver {
            seen.lookup = gather::lookup(self.tenant, &seen.intent, self.want.region, self.cx).await?;
        }
        Ok(())
    }

    /// What is asked last, since it depends on the rest: the Secrets to erase, and whether the clocks can be trusted.
    async fn after(&self, seen: &mut Seen) -> Result<(), Error> {
        if let Some(record) = seen.record.as_ref().filter(|_| erasure_ahead(seen)) {
            // Whatever is missing here is put on record when it is time to erase: a deactivation does not wait for it.
            seen.targets = erasure::ahead(self.tenant, record, self.cx).await.unwrap_or_else(|error| {
                tracing::warn!(error = error.chain(), "what will be erased is not on record yet");
                Vec::new()
            });
        } else if let Some(record) = seen.record.clone()
            && seen.bound.is_some()
            && erasure_due(self.want, seen.deletion, &record, &seen.tenant)
        {
            seen.targets = erasure::targets(self.tenant, &self.want.erase, &record, self.cx).await?;
            if !seen.targets.is_empty() && seen.tenant == View::NotAsked {
                // Nothing was asked of Qlik in this turn, so its date is asked for by itself.
                self.cx.cloud.ask_date(self.want.region).await?;
            }
        }
        seen.doubt = self.cx.doubt();
        Ok(())
    }
}

/// What a host that no tenant stands behind any more may do instead of answering.
fn is_no_answer_of_a_tenant(error: &qlik::Error) -> bool {
    use qlik::Error as E;
    matches!(
        error,
        E::Unreachable { .. }
            | E::NoAnswer { .. }
            | E::Deadline { .. }
            | E::Redirected { .. }
            | E::Malformed { .. }
            | E::NotFound(_)
    )
}

/// Whether this may be the answer of a host that is still being set up. Which answers such a host gives is
/// undocumented, so all that are plausible count; refused credentials only for a short while, since they are more
/// often just wrong.
pub(super) fn may_be_too_new(draft: &QlikTenantStatus, error: &qlik::Error, cx: &Context) -> bool {
    let since = draft.bound_at.as_ref().map(|at| cx.clock.now().duration_since(at.0));
    // Qlik's own date, once heard, may set the clock back by a little: then the tenant is as young as can be.
    let age = since.map(|age| Duration::try_from(age).unwrap_or(Duration::ZERO));
    let younger_than = |limit| draft.origin == Some(Origin::Created) && age.is_some_and(|age| age < limit);
    match root(error) {
        qlik::Error::NotFound(_) | qlik::Error::Unreachable { .. } | qlik::Error::Refused(_) => younger_than(TAKE_OVER),
        qlik::Error::BadCredentials(_) | qlik::Error::Unauthorized(_) => younger_than(Duration::from_secs(120)),
        _ => false,
    }
}

pub(super) fn not_ready_yet() -> Error {
    Error::Missing {
        reason: Reason::HostNotReady,
        message: "the tenant was created and its host does not answer yet; this passes by itself".to_owned(),
    }
}
