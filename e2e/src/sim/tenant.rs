//! A tenant as a state machine: active ⇄ disabled → deleted.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock::{iso, later};

/// Where a tenant is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// In use.
    Active,
    /// Deactivated, waiting for its purge.
    Disabled,
    /// Purged. Only the organization API still knows it.
    Deleted,
}

impl Status {
    /// Qlik's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
        }
    }
}

/// The switches that PATCH can set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "Qlik's tenant has these five independent switches")]
pub struct Flags {
    /// `/autoAssignCreateSharedSpacesRoleToProfessionals`
    pub auto_assign_create_shared_spaces_role_to_professionals: bool,
    /// `/autoAssignPrivateAnalyticsContentCreatorRoleToProfessionals`
    pub auto_assign_private_analytics_content_creator_role_to_professionals: bool,
    /// `/autoAssignDataServicesContributorRoleToProfessionals`
    pub auto_assign_data_services_contributor_role_to_professionals: bool,
    /// `/enableAnalyticCreation`
    pub enable_analytic_creation: bool,
    /// `/enableAppOpeningFeedback`
    pub enable_app_opening_feedback: bool,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            auto_assign_create_shared_spaces_role_to_professionals: true,
            auto_assign_private_analytics_content_creator_role_to_professionals: true,
            auto_assign_data_services_contributor_role_to_professionals: true,
            enable_analytic_creation: false,
            enable_app_opening_feedback: false,
        }
    }
}

impl Flags {
    /// The switch that a PATCH path names.
    pub(crate) fn at(&mut self, path: &str) -> Option<&mut bool> {
        match path {
            "/autoAssignCreateSharedSpacesRoleToProfessionals" => {
                Some(&mut self.auto_assign_create_shared_spaces_role_to_professionals)
            }
            "/autoAssignPrivateAnalyticsContentCreatorRoleToProfessionals" => {
                Some(&mut self.auto_assign_private_analytics_content_creator_role_to_professionals)
            }
            "/autoAssignDataServicesContributorRoleToProfessionals" => {
                Some(&mut self.auto_assign_data_services_contributor_role_to_professionals)
            }
            "/enableAnalyticCreation" => Some(&mut self.enable_analytic_creation),
            "/enableAppOpeningFeedback" => Some(&mut self.enable_app_opening_feedback),
            _ => None,
        }
    }
}

/// The role that makes an administrator.
pub(crate) const TENANT_ADMIN: &str = "TenantAdmin";

/// A user of a tenant: a person, or the bot of an OAuth client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// User id.
    pub id: String,
    /// The OAuth client whose bot this is; empty for people.
    pub client_id: String,
    /// `qlikbot\<clientId>`, or what an identity provider calls a person.
    pub subject: String,
    /// Display name.
    pub name: String,
    /// Email address.
    #[serde(default)]
    pub email: String,
    /// Names of its roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Whether it was invited and has not logged in yet.
    #[serde(default)]
    pub invited: bool,
    /// Whether an administrator disabled it.
    pub disabled: bool,
    /// When it was made.
    pub created: Timestamp,
}

impl User {
    /// Whether it is the bot of an OAuth client.
    pub fn is_bot(&self) -> bool {
        !self.client_id.is_empty()
    }

    /// Whether it administers its tenant.
    pub(crate) fn is_admin(&self) -> bool {
        self.roles.iter().any(|role| role == TENANT_ADMIN)
    }
}

/// Everything the simulator knows about a tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// Tenant id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// The system's host name, then the alias if there is one.
    pub hostnames: Vec<String>,
    /// Region code.
    pub region: String,
    /// Data centre.
    pub datacenter: String,
    /// Number of the licence it belongs to.
    pub license_number: String,
    /// Where it is in its life.
    pub status: Status,
    /// When it was created.
    pub created: Timestamp,
    /// When it last changed.
    pub last_updated: Timestamp,
    /// When its status last changed.
    pub status_last_updated: Timestamp,
    /// From when on the purge is due, or when it was.
    pub purge_at: Option<Timestamp>,
    /// The window that the last deactivation asked for.
    pub purge_after_days: Option<u32>,
    /// Whether deactivation is refused.
    pub barred: bool,
    /// The switches.
    pub flags: Flags,
    /// Its users.
    pub users: Vec<User>,
}

impl Tenant {
    /// Starts or restarts the purge countdown.
    pub(crate) fn deactivate(&mut self, days: u32, now: Timestamp) {
        self.purge_at = Some(later(now, Duration::from_hours(24) * days));
        self.purge_after_days = Some(days);
        self.turn(Status::Disabled, now);
    }

    /// Takes the deactivation back.
    pub(crate) fn reactivate(&mut self, now: Timestamp) {
        self.purge_at = None;
        self.purge_after_days = None;
        self.turn(Status::Active, now);
    }

    /// Whether its purge is due.
    pub(crate) fn due(&self, now: Timestamp) -> bool {
        self.status == Status::Disabled && self.purge_at.is_some_and(|at| at <= now)
    }

    /// Removes its content. The end.
    pub(crate) fn purge(&mut self, now: Timestamp) {
        self.users.clear();
        self.hostnames.truncate(1);
        self.purge_at.get_or_insert(now);
        self.turn(Status::Deleted, now);
    }

    /// Disables or enables all its bot users.
    pub(crate) fn disable_bots(&mut self, disabled: bool) {
        for user in self.users.iter_mut().filter(|user| user.is_bot()) {
            user.disabled = disabled;
        }
    }

    /// Deletes all its bot users.
    pub(crate) fn delete_bots(&mut self) {
        self.users.retain(|user| !user.is_bot());
    }

    /// Whether `hostname` is one of its names.
    pub(crate) fn answers_to(&self, hostname: &str) -> bool {
        self.hostnames.iter().any(|own| own.eq_ignore_ascii_case(hostname))
    }

    /// The tenant as its own API shows it; `base` is scheme and authority.
    pub(crate) fn body(&self, base: &str) -> Value {
        let mut body = json!({
            "id": self.id,
            "name": self.name,
            "hostnames": self.hostnames,
            "status": self.status.as_str(),
            "statusLastUpdatedAt": iso(self.status_last_updated),
            "datacenter": self.datacenter,
            "region": self.region,
            "created": iso(self.created),
            "lastUpdated": iso(self.last_updated),
            "createdByUser": "",
            "links": { "self": { "href": format!("{base}/api/v1/tenants/{}", self.id) } },
        });
        if let (Value::Object(body), Ok(Value::Object(flags))) = (&mut body, serde_json::to_value(&self.flags)) {
            body.extend(flags);
        }
        body
    }

    fn turn(&mut self, status: Status, now: Timestamp) {
        if self.status != status {
            self.status = status;
            self.status_last_updated = now;
        }
        self.last_updated = now;
    }
}
