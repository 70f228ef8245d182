//! What a record needs to know: whether its object lives, and what Qlik Cloud says of its tenant.

use crate::crd::{
    OffboardingPhase, PurgeConfirmation, QlikOffboarding, QlikOffboardingStatus, QlikTenant, WAIVE_PURGE_CONFIRMATION,
};
use crate::engine::{Context, Error, root, within};
use crate::kinds::{namespaces, tenant_host};
use crate::plan::intent::TAKE_OVER;
use crate::plan::offboarding::history::State;
use crate::plan::offboarding::{HostView, Organization, Seen};
use crate::plan::tenant::View;
use crate::qlik::{self, Credential, OrgStatus, Region, TenantId};
use crate::secrets;
use jiff::{SignedDuration, Timestamp};
use kube::{Api, ResourceExt};
use std::time::Duration;

pub(super) async fn observe(
    record: &QlikOffboarding,
    draft: &QlikOffboardingStatus,
    cx: &Context,
) -> Result<Seen, Error> {
    let now = cx.clock.now();
    let state = State::of(&record.spec, Some(draft));
    let id: TenantId = record.spec.tenant_id.parse().map_err(|e| Error::Misconfigured {
        reason: crate::crd::Reason::SpecInvalid,
        message: format!("spec.tenantId {e}"),
    })?;
    let mut seen = Seen {
        tenant_id: record.spec.tenant_id.clone(),
        foreign: is_copy(record, cx).await?,
        latest_purge_at: latest(record, &state),
        fresh: is_fresh(record, &state, now),
        orphaned: false,
        organization: Organization::NotAsked,
        host: HostView::NotAsked,
        waived: waives(record.annotations().get(WAIVE_PURGE_CONFIRMATION), record),
        doubt: None,
        state,
    };
    if !is_followed(&seen.state) {
        return Ok(seen);
    }
    let holder = holder(record, cx).await?;
    seen.orphaned = holder.is_none();
    seen.waived |= waives(holder.as_ref().and_then(|meta| meta.annotations().get(WAIVE_PURGE_CONFIRMATION)), record);
    if seen.state.phase == OffboardingPhase::Requested && !seen.orphaned {
        return Ok(seen);
    }
    let look = Look { record, id: &id, cx };
    seen.organization = look.organization().await?;
    let due = seen.state.purge_at.is_none_or(|at| now >= at);
    if due || seen.orphaned || seen.state.gone_since.is_some() || seen.organization == Organization::Gone {
        seen.host = look.host().await;
    }
    // A host that is silent gives no date either, and a waiver is for such hosts.
    if (seen.waived || seen.state.waived) && due && !cx.clock.has_qlik_date() {
        let asked = cx.cloud.ask_date(record.spec.region.into()).await;
        tracing::debug!(answered = asked.is_ok(), "Qlik Cloud's date was asked for");
    }
    seen.doubt = cx.doubt();
    Ok(seen)
}

/// Whether there is still something to find out. A purge that Qlik Cloud did not confirm itself is never sure.
fn is_followed(state: &State) -> bool {
    match state.phase {
        OffboardingPhase::Requested | OffboardingPhase::Scheduled | OffboardingPhase::Unknown => true,
        OffboardingPhase::Purged => {
            !matches!(state.confirmed_by, Some(PurgeConfirmation::Host | PurgeConfirmation::Organization))
        }
        OffboardingPhase::Reactivated | OffboardingPhase::Cancelled | OffboardingPhase::Released => false,
    }
}

/// Whether an annotation speaks of this record's tenant.
fn waives(annotation: Option<&String>, record: &QlikOffboarding) -> bool {
    annotation.is_some_and(|id| id.trim() == record.spec.tenant_id)
}

/// Whether this record was written in another namespace and restored into this one. A record of a former version does not
/// say where it was written.
async fn is_copy(record: &QlikOffboarding, cx: &Context) -> Result<bool, Error> {
    let Some(written_in) = &record.spec.namespace_uid else {
        return Ok(false);
    };
    let here = namespaces::uid(&record.namespace().unwrap_or_default(), cx).await?;
    Ok(here.is_some_and(|here| here != *written_in))
}

/// The object that asked, if it lives. Read live: a cache that is still being filled knows nobody.
async fn holder(
    record: &QlikOffboarding,
    cx: &Context,
) -> Result<Option<kube::core::PartialObjectMeta<QlikTenant>>, Error> {
    let api: Api<QlikTenant> = Api::namespaced(cx.client.clone(), &record.namespace().unwrap_or_default());
    let there = within("read the QlikTenant", api.get_metadata_opt(&record.spec.tenant.name)).await?;
    Ok(there.filter(|tenant| tenant.metadata.uid.as_deref() == Some(record.spec.tenant.uid.as_str())))
}

/// Whether Qlik may still be about to show what was asked of it.
fn is_fresh(record: &QlikOffboarding, state: &State, now: Timestamp) -> bool {
    let asked = state.last_call.as_ref().map_or(record.spec.requested_at.0, |made| made.at);
    let since = state.deactivated_at.unwrap_or(asked).max(asked);
    Duration::try_from(now.duration_since(since)).is_ok_and(|age| age < TAKE_OVER) || now < since
}

/// The latest date at which Qlik may purge the tenant. Where no date is known, a deactivation by somebody else may have
/// asked for the longest window.
fn latest(record: &QlikOffboarding, state: &State) -> Timestamp {
    let longest = SignedDuration::from_hours(24 * 91);
    let known = state.latest_purge();
    known.or(record.spec.requested_at.0.checked_add(longest).ok()).unwrap_or(Timestamp::MAX)
}

struct Look<'a> {
    record: &'a QlikOffboarding,
    id: &'a TenantId,
    cx: &'a Context,
}

impl Look<'_> {
    async fn organization(&self) -> Result<Organization, Error> {
        let Some(credential) = self.cx.settings.organization_credential() else {
            return Ok(Organization::NotAsked);
        };
        let found = self.cx.cloud.organization(&credential).tenant(self.id).await?;
        Ok(found.map_or(Organization::NotListed, |found| match found.status {
            OrgStatus::Active => Organization::Active,
            OrgStatus::Deleted => Organization::Gone,
            OrgStatus::Disabled | OrgStatus::Deactivated => Organization::Off(found.deletion_starts_at),
            // Not said, or a word that is not in Qlik's reference: it proves nothing.
            OrgStatus::Other(_) => Organization::NotListed,
        }))
    }

    /// Asks the tenant's own host. What goes wrong is said and proves nothing.
    async fn host(&self) -> HostView {
        let region = Region::from(self.record.spec.region);
        let credential = match self.credential(region).await {
            Ok(credential) => credential,
            Err(Error::Missing { message, .. } | Error::Misconfigured { message, .. }) => {
                return HostView::Unasked(message);
            }
            Err(error) => return HostView::Silent(error.chain()),
        };
        let Some(hostname) = self.record.spec.hostnames.first().and_then(|name| name.parse().ok()) else {
            return HostView::Unasked("its hostname is not known".to_owned());
        };
        let Ok(host) = self.cx.cloud.hosts().tenant(&hostname, region) else {
            return HostView::Unasked(format!("{hostname} is no host of Qlik Cloud in region {region}"));
        };
        match tenant_host::look(self.cx, (self.id, &host), &credential).await {
            Ok(View::Active(_)) => HostView::Active,
            Ok(View::Disabled) => HostView::Disabled,
            // The same answer from a cloud that fails as a whole would prove nothing.
            Ok(View::Gone) => match self.cx.cloud.ask_date(region).await {
                Ok(()) => HostView::Gone,
                Err(error) => HostView::Silent(Error::from(error).chain()),
            },
            Ok(View::NotAsked) => HostView::NotAsked,
            Err(error) => match root(&error) {
                qlik::Error::BadCredentials(_) => {
                    HostView::Silent(format!("the credentials are not accepted: {error}"))
                }
                _ => HostView::Silent(Error::from(error).chain()),
            },
        }
    }

    async fn credential(&self, region: Region) -> Result<Credential, Error> {
        let namespace = self.record.namespace().unwrap_or_default();
        let source = &self.record.spec.credentials_source;
        match source.strip_prefix("Secret/") {
            Some(name) => secrets::credential(&self.cx.client, &namespace, name).await,
            None => self.cx.settings.default_credential(region, &namespace).map_err(|error| Error::Misconfigured {
                reason: crate::crd::Reason::CredentialsMissing,
                message: error.to_string(),
            }),
        }
    }
}
