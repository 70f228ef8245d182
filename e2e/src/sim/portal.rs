//! What people do by hand in Qlik's portal and console, and what only Qlik can do: the part that no API has.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::config::Credentials;
use super::region::by_code;
use super::tenant::{Flags, Status, Tenant};
use super::world::{Level, World};

/// Why an action cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PortalError {
    /// The tenant does not exist or has been purged.
    #[error("there is no such tenant")]
    NoTenant,
    /// The region does not exist.
    #[error("there is no such region")]
    NoRegion,
    /// The licence does not exist.
    #[error("there is no such licence")]
    NoLicense,
    /// The OAuth client does not exist.
    #[error("there is no such OAuth client")]
    NoClient,
    /// The identity provider does not exist or has nothing to test.
    #[error("there is no such identity provider with pending options")]
    NoProvider,
    /// A licence has at most one client in each region.
    #[error("the licence has a client in this region already")]
    ClientExists,
    /// The alias is taken or malformed.
    #[error("the alias cannot be used: {0}")]
    Alias(&'static str),
}

/// A tenant to make by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortalTenant {
    /// Region code.
    pub region: String,
    /// Number of the licence; the first one when absent.
    #[serde(default)]
    pub license_number: Option<String>,
    /// Display name.
    #[serde(default)]
    pub name: Option<String>,
    /// Full alias hostname.
    #[serde(default)]
    pub alias: Option<String>,
}

/// What an administrator changes by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct PortalPatch {
    /// Display name.
    pub name: Option<String>,
    /// Full alias hostname; empty removes the alias, which only the portal can.
    pub alias: Option<String>,
    /// All switches.
    pub flags: Option<Flags>,
}

/// A regional OAuth client to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientRequest {
    /// Region code.
    pub region: String,
    /// Number of the licence; a new licence when absent.
    #[serde(default)]
    pub license_number: Option<String>,
}

/// A regional OAuth client that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewClient {
    /// Its id and secret.
    #[serde(flatten)]
    pub credentials: Credentials,
    /// Its licence.
    pub license_number: String,
    /// The signed key of its licence.
    pub license_key: String,
}

impl World {
    /// Makes a tenant.
    pub(crate) fn portal_create(&mut self, wanted: PortalTenant, now: Timestamp) -> Result<Tenant, PortalError> {
        let region = by_code(&wanted.region).ok_or(PortalError::NoRegion)?;
        let license = match wanted.license_number {
            Some(number) if self.licenses.contains_key(&number) => number,
            Some(_) => return Err(PortalError::NoLicense),
            None => self.first_license.clone(),
        };
        let id = self.create_tenant(region, &license, now);
        let patch = PortalPatch { name: wanted.name, alias: wanted.alias, flags: None };
        let created = self.portal_patch(&id, patch, now);
        if created.is_err() {
            self.hosts.retain(|_, owner| *owner != id);
            self.tenants.remove(&id);
        }
        created
    }

    /// Changes a tenant.
    pub(crate) fn portal_patch(&mut self, id: &str, patch: PortalPatch, now: Timestamp) -> Result<Tenant, PortalError> {
        let alias = match patch.alias.as_deref() {
            None | Some("") => None,
            Some(alias) => Some(self.check_alias(self.living(id)?, alias).map_err(PortalError::Alias)?),
        };
        self.portal_change(id, |tenant| {
            if let Some(name) = patch.name {
                tenant.name = name;
            }
            if patch.alias.is_some() {
                tenant.hostnames.truncate(1);
                tenant.hostnames.extend(alias);
            }
            if let Some(flags) = patch.flags {
                tenant.flags = flags;
            }
            tenant.last_updated = now;
        })
    }

    /// Does anything to a tenant that has not been purged.
    pub(crate) fn portal_change(&mut self, id: &str, change: impl FnOnce(&mut Tenant)) -> Result<Tenant, PortalError> {
        let mut tenant = self.living(id)?.clone();
        change(&mut tenant);
        self.replace_tenant(tenant.clone());
        Ok(tenant)
    }

    /// Purges a tenant at once, as Qlik's support can.
    pub(crate) fn portal_purge(&mut self, id: &str, now: Timestamp) -> Result<Tenant, PortalError> {
        self.living(id)?;
        self.purge(id, now);
        self.tenants.get(id).cloned().ok_or(PortalError::NoTenant)
    }

    /// Makes a regional OAuth client.
    pub(crate) fn portal_client(&mut self, request: ClientRequest) -> Result<NewClient, PortalError> {
        let region = by_code(&request.region).ok_or(PortalError::NoRegion)?.code.to_owned();
        let number = match request.license_number {
            Some(number) if self.licenses.contains_key(&number) => number,
            Some(_) => return Err(PortalError::NoLicense),
            None => self.add_license(),
        };
        let level = Level::Regional { region, license: number.clone() };
        if self.clients.values().any(|client| !client.removed && client.level == level) {
            return Err(PortalError::ClientExists);
        }
        let license_key = self.licenses.get(&number).ok_or(PortalError::NoLicense)?.key.clone();
        Ok(NewClient { credentials: self.add_client(level), license_number: number, license_key })
    }

    /// Removes an OAuth client.
    pub(crate) fn portal_remove_client(&mut self, id: &str) -> Result<(), PortalError> {
        let client = self.clients.get_mut(id).filter(|client| !client.removed).ok_or(PortalError::NoClient)?;
        client.removed = true;
        Ok(())
    }

    fn living(&self, id: &str) -> Result<&Tenant, PortalError> {
        self.tenants.get(id).filter(|tenant| tenant.status != Status::Deleted).ok_or(PortalError::NoTenant)
    }
}
