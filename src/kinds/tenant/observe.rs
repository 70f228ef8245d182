//! One look at everything that the decision about a tenant needs.

use super::{Sight, invalid};
use super::{erasure, gather, ownership};
use crate::crd::{
    Deactivator, FINALIZER, INTENT, Lifecycle, OffboardingPhase, OnDelete, Origin, QlikTenant, QlikTenantStatus,
    REACTIVATE, RESTART_PURGE_WINDOW, Reason, START_ANEW, Trigger,
};
use crate::engine::{Context, Error, root};
use crate::kinds::records;
use crate::plan::Deletion;
use crate::plan::intent::{Call, IntentSeen, IntentStep, Permit, TAKE_OVER};
use crate::plan::tenant::{
    Asks, Bound, Desired, Lookup, RecordSeen, Seen, View, current_record, erasure_ahead, erasure_due, previous_record,
};
use crate::qlik::{self, Credential, OrgStatus, TenantHost, TenantId, TenantStatus};
use jiff::Timestamp;
use kube::ResourceExt;
use std::time::Duration;

pub(super) async fn observe(tenant: &QlikTenant, draft: &QlikTenantStatus, cx: &Context) -> Result<Sight, Error> {
    let mut seen = from_object(tenant, draft, cx)?;
    let deleting = seen.deletion != Deletion::None;
    let on_delete = tenant.spec.offboarding.as_ref().map_or(OnDelete::Retain, |o| o.on_delete);
    if deleting && (on_delete == OnDelete::Retain || !seen.held) {
        return Ok(gather::nothing_to_decide(seen));
    }
    if deleting && gather::swept(tenant, cx).await? {
        seen.deletion = Deletion::Sweeping;
        return Ok(gather::nothing_to_decide(seen));
    }
    let want = Desired::read(&tenant.spec, cx.cloud.hosts()).map_err(|e| invalid(&e))?;
    let target = target(&seen, &want);
    if let Some((id, _)) = &target {
        seen.other_owner = ownership::cached(tenant, id, cx)?;
    }
    if seen.other_owner.is_some() {
        return Ok(Sight { want: Some(want), seen, credentials: None, license: None });
    }
    let look = Look { tenant, want: &want, cx, deleting, draft };
    let with_records = look.begins_with_records(&seen);
    if with_records {
        look.load_records(&mut seen, target.as_ref().map(|(id, _)| id)).await?;
    }
    let mut credentials = None;
    let mut license = None;
    let decided = seen.record.as_ref().is_some_and(|record| gather::is_decided(record, deleting, want.lifecycle));
    if !decided {
        let found = gather::credentials(tenant, want.region, cx).await?;
        match &target {
            Some((id, host)) => look.at_tenant(&mut seen, &found.0, id, host).await?,
            None => license = look.before_creation(&mut seen, &found.0).await?,
        }
        credentials = Some(found);
    }
    if !with_records && Look::needs_records(&seen) {
        look.load_records(&mut seen, target.as_ref().map(|(id, _)| id)).await?;
    }
    look.after(&mut seen).await?;
    Ok(Sight { want: Some(want), seen, credentials, license })
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
        intent: IntentSeen::read(annotation(INTENT).as_deref(), |intent| cx.ledger.known(intent)),
        other_owner: None,
        tenant: View::NotAsked,
        record: None,
        lost: None,
        previous: None,
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
    let first = hostnames.first().ok_or_else(|| broken("no hostname".to_owned()))?;
    let host = cx.cloud.hosts().tenant(first, region).map_err(|e| broken(e.to_string()))?;
    Ok(Some(Bound { id, host, hostnames, origin: draft.origin.unwrap_or(Origin::Created) }))
}

/// The tenant to look at, and where.
fn target(seen: &Seen, want: &Desired) -> Option<(TenantId, TenantHost)> {
    match &seen.bound {
        Some(bound) => Some((bound.id.clone(), bound.host.clone())),
        None => want.adopt.clone(),
    }
}

struct Look<'a> {
    tenant: &'a QlikTenant,
    want: &'a Desired,
    cx: &'a Context,
    deleting: bool,
    draft: &'a QlikTenantStatus,
}

impl Look<'_> {
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
        let (records, unreadable) = records::list(&self.cx.client, &namespace).await?;
        let named = self.draft.offboarding.as_deref();
        if let Some(record) = unreadable.iter().find(|record| record.concerns(self.tenant, target, named)) {
            return Err(record.not_known());
        }
        let written = self.draft.observed_generation.is_some();
        seen.record = match target {
            Some(id) => current_record(&records, id, named, written).cloned(),
            // Without a tenant, a record of this very object is what is left of a lost status.
            None => records.iter().filter(|r| r.uid == seen.uid).max_by_key(|r| r.requested_at).cloned(),
        };
        if seen.record.is_none() && seen.bound.is_some() {
            seen.lost = self.lost_record(&records);
        }
        if let Some(previous) = previous_record(&records, &self.tenant.name_any(), &seen.uid)
            && ownership::cached(self.tenant, &previous.tenant_id, self.cx)?.is_none()
        {
            seen.previous = Some(previous.clone());
        }
        Self::close_intent(seen, &records);
        seen.answered = seen.record.as_ref().and_then(|record| self.cx.ledger.answer_for(&record.name));
        Ok(())
    }

    /// What the status tells of a record that it names and that is not there.
    fn lost_record(&self, records: &[RecordSeen]) -> Option<RecordSeen> {
        let name = self.draft.offboarding.clone().filter(|name| records.iter().all(|record| record.name != *name))?;
        let purge = self.draft.purge.as_ref().filter(|purge| purge.by == Deactivator::Operator)?;
        let deactivated_at = purge.deactivated_at.as_ref()?.0;
        Some(RecordSeen {
            name,
            tenant_id: self.draft.tenant_id.as_ref()?.parse().ok()?,
            hostnames: self.draft.hostnames.clone(),
            tenant_name: self.tenant.name_any(),
            uid: self.tenant.uid().unwrap_or_default(),
            trigger: if self.deleting { Trigger::Deletion } else { Trigger::Lifecycle },
            phase: OffboardingPhase::Scheduled,
            requested_at: deactivated_at,
            purge_after_days: purge.purge_after_days.unwrap_or_else(|| i32::from(self.want.days.get())),
            deactivated_at: Some(deactivated_at),
            purge_at: purge.purge_at.map(|at| at.0),
            evidence: purge.evidence,
            erased: Vec::new(),
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
        seen.tenant = match self.cx.cloud.tenant(host, credential).get(id).await {
            Ok(tenant) => match tenant.status {
                TenantStatus::Disabled => View::Disabled,
                TenantStatus::Deleted => View::Gone,
                TenantStatus::Active | TenantStatus::UserAccessDisabled | TenantStatus::Other(_) => {
                    View::Active(Box::new(tenant))
                }
            },
            Err(error) => match root(&error) {
                qlik::Error::TenantDisabled(_) => View::Disabled,
                _ if may_be_too_new(self.draft, &error, self.cx) => return Err(not_ready_yet()),
                // Qlik's own word for it. A bare 404 of whoever stands in front of the host, or serves it now, is not.
                qlik::Error::NotFound(reply) if reply.code.as_deref() == Some(NO_SUCH_TENANT) => View::Gone,
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
        if self.deleting || self.want.lifecycle == Lifecycle::Deactivated {
            return self.look_up(seen).await.map(|()| None);
        }
        self.cx.cloud.register(self.want.region, credential).authorize().await?;
        self.look_up(seen).await?;
        match seen.intent.permit(IntentStep::Create, self.cx.clock.now()) {
            Permit::Act(_) | Permit::Announce => {
                gather::license(self.tenant, self.want, credential, self.cx).await.map(Some)
            }
            Permit::TakeOver | Permit::Wait(_) | Permit::Unreadable => Ok(None),
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
            && erasure_due(self.want, seen.deletion, &record, seen.tenant == View::Gone)
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

/// `GET /tenants/{id}` answers this code for an id that is not there.
const NO_SUCH_TENANT: &str = "TENANTS-8";

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
