//! One look at a tenant through its own host, and what its answers mean.

use crate::engine::{Context, root};
use crate::plan::tenant::View;
use crate::qlik::{self, Credential, TenantHost, TenantId, TenantStatus};

/// `GET /tenants/{id}` answers this code for an id that is not there.
const NO_SUCH_TENANT: &str = "TENANTS-8";

/// Asks the host for the tenant. An answer that says nothing of whether the tenant exists is an error.
pub(super) async fn look(
    cx: &Context,
    (id, host): (&TenantId, &TenantHost),
    credential: &Credential,
) -> Result<View, qlik::Error> {
    match cx.cloud.tenant(host, credential).get(id).await {
        Ok(tenant) => Ok(match tenant.status {
            TenantStatus::Disabled => View::Disabled,
            TenantStatus::Deleted => View::Gone,
            TenantStatus::Active
            | TenantStatus::UserAccessDisabled
            | TenantStatus::NotSaid
            | TenantStatus::Other(_) => View::Active(Box::new(tenant)),
        }),
        Err(error) => match root(&error) {
            qlik::Error::TenantDisabled(_) => Ok(View::Disabled),
            // Qlik's own word for it. A bare 404 of whoever stands in front of the host, or serves it now, is not.
            qlik::Error::NotFound(reply) if reply.code.as_deref() == Some(NO_SUCH_TENANT) => Ok(View::Gone),
            _ => Err(error),
        },
    }
}
