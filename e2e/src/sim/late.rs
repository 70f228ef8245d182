//! What the organization API shows where it lags behind: [`super::LateList`].

use std::time::Duration;

use jiff::Timestamp;

use super::clock::later;
use super::tenant::Tenant;
use super::world::World;

/// A tenant as it was before its status changed.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    /// When the status changed.
    pub(crate) until: Timestamp,
    pub(crate) tenant: Tenant,
}

impl World {
    /// The tenants that the organization API shows, each as it is shown.
    pub(crate) fn listed(&self, now: Timestamp) -> impl Iterator<Item = &Tenant> {
        self.tenants.values().filter_map(move |tenant| self.as_listed(tenant, now))
    }

    /// One of them.
    pub(crate) fn listed_one(&self, id: &str, now: Timestamp) -> Option<&Tenant> {
        self.tenants.get(id).and_then(|tenant| self.as_listed(tenant, now))
    }

    fn as_listed<'w>(&'w self, tenant: &'w Tenant, now: Timestamp) -> Option<&'w Tenant> {
        let Some(late) = self.options.late_list else { return Some(tenant) };
        let known = |since: Timestamp, seconds: u32| now >= later(since, Duration::from_secs(seconds.into()));
        if !known(tenant.created, late.new_seconds) {
            return None;
        }
        let past = self.past.get(&tenant.id).map_or(&[][..], Vec::as_slice);
        let shown = past.iter().find(|past| !known(past.until, late.status_seconds));
        Some(shown.map_or(tenant, |past| &past.tenant))
    }
}
