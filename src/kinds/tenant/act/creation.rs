//! How an object comes by its tenant, and gives it up.

use super::super::{Sight, ownership, released};
use super::Work;
use crate::crd::{FINALIZER, INTENT, Origin, QlikTenant, QlikTenantStatus, Reason};
use crate::engine::{Acted, Error, api_of, write};
use crate::kinds::fence;
use crate::plan::intent::{Intent, IntentSeen, IntentStep, Outcome};
use crate::plan::tenant::{Bound, Seen, View};
use crate::qlik::{self, Hostname, Tenant, TenantId};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

impl Work<'_> {
    pub(super) async fn create(&self, draft: QlikTenantStatus) -> Result<Acted<QlikTenant>, Error> {
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

    /// Writes to the intent which tenant the creation made. From then on it survives a restart and a restore.
    pub(super) async fn close_intent(&self, sight: Sight, draft: QlikTenantStatus) -> Result<Acted<QlikTenant>, Error> {
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

    /// What is known from an answer that shows the whole tenant.
    pub(super) fn knowing(&self, shown: &Tenant, draft: &QlikTenantStatus) -> Result<Box<Sight>, Error> {
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

    pub(super) async fn bind(
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
        if let Err(error) = released::forget(id, self.cx).await {
            // It speaks of a tenant that has a holder, so nobody is held by it.
            tracing::warn!(tenant = %id, error = error.chain(), "the entry of a tenant that is held again was not taken away");
        }
        let draft = self.bind_to(id, hostnames, origin, draft);
        Ok(Acted { object: None, draft, seen: None, persist: true })
    }

    pub(super) fn claim(&self, id: &TenantId) -> bool {
        self.cx.ledger.claim(id, &self.tenant.uid().unwrap_or_default(), |uid| self.cx.has_tenant(uid))
    }

    pub(super) fn bind_to(
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
    pub(super) async fn unbind(&self, draft: QlikTenantStatus) -> Result<Acted<QlikTenant>, Error> {
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
}
