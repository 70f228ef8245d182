//! What people do by hand inside a tenant: the portal's pages do what the APIs do, and a browser test what no API can.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api;
use super::call::Call;
use super::identity::BrowserTest;
use super::portal::PortalError;
use super::running::Running;
use super::tenant::Status;
use super::world::World;

/// Something an administrator does in the portal, told as the API request with the same effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ByHand {
    /// HTTP method.
    pub method: String,
    /// Path on the tenant's host, with query.
    pub path: String,
    /// Body.
    #[serde(default)]
    pub body: Option<Value>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Status of the answer.
    pub status: u16,
    /// Its body; `null` when there is none.
    pub body: Value,
}

impl World {
    /// Does something by hand: no token, no rate limit, no fault and no journal entry.
    pub(crate) fn by_hand(&mut self, id: &str, wanted: &ByHand, now: Timestamp) -> Result<Done, PortalError> {
        let tenant = self.tenants.get(id).filter(|tenant| tenant.status != Status::Deleted);
        let host = tenant.and_then(|tenant| tenant.hostnames.first()).cloned().ok_or(PortalError::NoTenant)?;
        let (path, query) = match wanted.path.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (wanted.path.as_str(), None),
        };
        let mut headers = HeaderMap::new();
        // the portal asks for confirmation in a dialogue
        if let Ok(confirm) = HeaderValue::from_str(path.rsplit('/').next().unwrap_or_default()) {
            headers.insert("qlik-confirm-delete", confirm);
        }
        let call = Call {
            scheme: "https",
            authority: host.clone(),
            host,
            method: Method::from_bytes(wanted.method.to_ascii_uppercase().as_bytes()).unwrap_or_default(),
            path: path.to_owned(),
            query,
            headers,
            body: wanted.body.as_ref().map_or_else(Bytes::new, |body| body.to_string().into()),
            too_large: false,
        };
        let (status, body) = api::by_hand(self, &call, id, now);
        Ok(Done { status: status.as_u16(), body })
    }

    /// A person tests the pending options of an identity provider in a browser.
    pub(crate) fn browser_test(
        &mut self,
        (tenant, provider): (&str, &str),
        test: BrowserTest,
        now: Timestamp,
    ) -> Result<(), PortalError> {
        let provider = self.provider_mut(tenant, provider).filter(|provider| provider.pending.is_some());
        provider.ok_or(PortalError::NoProvider)?.tested(test, now);
        Ok(())
    }
}

impl Running {
    /// Does something in a tenant by hand.
    pub fn by_hand(&self, tenant: &str, wanted: &ByHand) -> Result<Done, PortalError> {
        let (mut world, now) = self.shared.world();
        world.by_hand(tenant, wanted, now)
    }

    /// A person tests the pending options of an identity provider in a browser.
    pub fn browser_test(&self, tenant: &str, provider: &str, test: BrowserTest) -> Result<(), PortalError> {
        let (mut world, now) = self.shared.world();
        world.browser_test((tenant, provider), test, now)
    }
}
