//! One look at everything that the decision about a tenant needs.

mod recorded;

use super::{Sight, invalid};
use super::{alias, erasure, gather, ownership, released};
use crate::crd::{
    FINALIZER, INTENT, Lifecycle, OffboardingPhase, OnDelete, Origin, QlikTenant, QlikTenantStatus, REACTIVATE,
    RESTART_PURGE_WINDOW, Reason, START_ANEW,
};
use crate::engine::{Context, Error, root};
use crate::kinds::{records, tenant_host};
use crate::plan::Deletion;
use crate::plan::drift::Written;
use crate::plan::intent::{IntentSeen, IntentStep, Permit, TAKE_OVER};
use crate::plan::tenant::{
    AliasSeen, Asks, Bound, Desired, Lookup, Seen, View, current_record, erasure_ahead, erasure_due,
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
        let (records, _) = match records::list(cx, &tenant.namespace().unwrap_or_default()).await {
            // The definition of the records is deleted, and they with it.
            Err(error) if error.is_not_found() => Default::default(),
            other => other?,
        };
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
        written: Written {
            drift: draft.drift.clone(),
            not_compared: draft.not_compared.clone(),
            unseen: Vec::new(),
            outdated: draft.observed_generation != tenant.metadata.generation,
        },
        intent: IntentSeen::read(annotation(INTENT).as_deref(), |intent| cx.ledger.known(intent)),
        other_owner: None,
        tenant: View::NotAsked,
        record: None,
        lost: None,
        previous: None,
        kept: None,
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
                self.cx.ledger.looked(&seen.uid, &mut seen.written, |field| tenant.hides(field));
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
        if permit == Permit::Announce {
            self.before_announcement(seen, credential).await?;
        }
        match permit {
            Permit::Act(_) | Permit::Announce => {
                gather::license(self.tenant, self.want, credential, self.cx).await.map(Some)
            }
            Permit::TakeOver | Permit::Wait(_) | Permit::Unreadable => Ok(None),
        }
    }

    /// What is looked at once, right before a creation is announced: whether there is a tenant already that is meant.
    async fn before_announcement(&self, seen: &mut Seen, credential: &Credential) -> Result<(), Error> {
        if let Some(kept) = released::of(self.tenant, self.cx).await?
            && ownership::cached(self.tenant, &kept.tenant_id, self.cx)?.is_none()
        {
            seen.kept = Some(kept);
        }
        if let Some(alias) = &self.want.alias {
            seen.alias = alias::look(self.tenant, (alias, self.want), credential, self.cx).await?;
        }
        Ok(())
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
