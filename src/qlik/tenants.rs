//! Tenants: the register host makes, deactivates and reactivates them; a tenant's own host shows and changes it.

use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::Call;
use super::cloud::Session;
use super::error::Error;
use super::ids::{Hostname, PurgeDays, TenantId};
use super::secret::Secret;
use super::tenant_settings::{Setting, TenantSettings};
use super::transport::Answer;
use super::users::redirected_to;

/// Creation is synchronous, its duration undocumented.
const CREATE_DEADLINE: Duration = Duration::from_secs(30);
const CONFIRM_HOSTNAME: &str = "qlik-confirm-hostname";

/// What Qlik Cloud says of a tenant's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantStatus {
    /// In use.
    Active,
    /// Deactivated.
    Disabled,
    /// Purged.
    Deleted,
    /// Undocumented.
    UserAccessDisabled,
    /// Qlik's schema has it optional, and it was not given.
    NotSaid,
    /// A state that is not in Qlik's reference.
    Other(String),
}

impl TenantStatus {
    fn read(text: Option<&str>) -> Self {
        match text {
            Some("active") => Self::Active,
            Some("disabled") => Self::Disabled,
            Some("deleted") => Self::Deleted,
            Some("user-access-disabled") => Self::UserAccessDisabled,
            Some(other) => Self::Other(super::envelope::tame(other)),
            None => Self::NotSaid,
        }
    }
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its display name, where given.
    pub name: Option<String>,
    /// The system-generated hostname, then the alias if there is one. It ends before the first that is no hostname, and
    /// Qlik's schema has it optional, so it may be empty: the id of a tenant just created must not be lost over that.
    pub hostnames: Vec<Hostname>,
    /// Its state.
    pub status: TenantStatus,
    /// Qlik's region, where given.
    pub region: Option<String>,
    /// When it was created, where given.
    pub created: Option<Timestamp>,
    /// When its state last changed, where given as an instant: a bare date does not tell which of two things came first.
    pub status_changed: Option<Timestamp>,
    /// The user who created it, where given.
    pub created_by: Option<String>,
    /// Its flags.
    pub settings: TenantSettings,
}

/// A change to a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch {
    /// Sets the display name.
    Name(String),
    /// Sets the alias hostname; the former one becomes free for others.
    Alias(Hostname),
    /// Sets a flag.
    Flag(Setting, bool),
}

/// A deactivation that Qlik Cloud has confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deactivated {
    /// The tenant's id.
    pub id: TenantId,
    /// The purge happens on or after this; Qlik's schema has it optional.
    pub purge_at: Option<Timestamp>,
}

/// The licence of a tenant.
#[derive(Clone, Debug)]
pub struct License {
    /// The signed key, a credential.
    pub key: Secret,
    /// The licence number, where given.
    pub number: Option<String>,
}

/// The register host of a region.
#[derive(Clone)]
pub struct Register {
    session: Session,
}

impl Register {
    pub(super) fn new(session: Session) -> Self {
        Self { session }
    }

    /// Makes sure that the credentials are accepted and that the rate budget has room for a call, before anything is
    /// announced that depends on them: an announcement that has to wait runs out, and is written again.
    pub async fn authorize(&self) -> Result<(), Error> {
        self.session.authorize().await?;
        self.session.admits_write()
    }

    /// Makes sure that the credentials are accepted, and takes the turn of one write.
    pub async fn pay_for_write(&self) -> Result<(), Error> {
        self.session.pay_for_write().await
    }

    /// Creates a tenant. Qlik Cloud knows no idempotency key: a second call makes a second tenant. `paid` says that its
    /// turn was taken by [`Self::pay_for_write`].
    pub async fn create(&self, license_key: &Secret, paid: bool) -> Result<Tenant, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            license_key: &'a str,
        }
        let call = Call::new("tenants.create", Method::POST, "/api/v1/tenants")
            .json(&Body { license_key: license_key.expose() })?
            .hiding(license_key)
            .deadline(CREATE_DEADLINE)
            .with_turn(paid);
        read_tenant(&self.session.call(&call).await?)
    }

    /// Deactivates a tenant: it is purged after `days` and cannot be brought back then. A second call restarts the
    /// countdown. `confirm` must be a hostname of the tenant. `paid` as above.
    pub async fn deactivate(
        &self,
        id: &TenantId,
        (confirm, days): (&Hostname, PurgeDays),
        paid: bool,
    ) -> Result<Deactivated, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            purge_after_days: u8,
        }
        let call = Call::new("tenants.deactivate", Method::POST, format!("/api/v1/tenants/{id}/actions/deactivate"))
            .header(CONFIRM_HOSTNAME, confirm.as_str())?
            .json(&Body { purge_after_days: days.get() })?
            .with_turn(paid);
        read_deactivated(&self.session.call(&call).await?, id)
    }

    /// Reactivates a deactivated tenant. `confirm` must be one of its hostnames.
    pub async fn reactivate(&self, id: &TenantId, confirm: &Hostname) -> Result<(), Error> {
        let call = Call::new("tenants.reactivate", Method::POST, format!("/api/v1/tenants/{id}/actions/reactivate"))
            .header(CONFIRM_HOSTNAME, confirm.as_str())?
            .json(&serde_json::json!({}))?;
        let answer = self.session.call(&call).await?;
        // Qlik's schema leaves the body open; only one that speaks of another tenant is wrong.
        match answer.optional_json()?.get("id") {
            Some(other) if other.as_str() != Some(id.as_str()) => Err(answer.malformed("it is of another tenant")),
            Some(_) | None => Ok(()),
        }
    }
}

const TENANTS: &str = "/api/v1/tenants/";

/// The host of one tenant.
#[derive(Clone)]
pub struct TenantApi {
    pub(super) session: Session,
}

impl TenantApi {
    pub(super) fn new(session: Session) -> Self {
        Self { session }
    }

    /// The tenant as it is now.
    pub async fn get(&self, id: &TenantId) -> Result<Tenant, Error> {
        let call = Call::new("tenants.get", Method::GET, format!("/api/v1/tenants/{id}"));
        let answer = self.session.call(&call).await?;
        let tenant = read_tenant(&answer)?;
        if tenant.id == *id { Ok(tenant) } else { Err(answer.malformed("it is of another tenant")) }
    }

    /// The tenant that this host belongs to. Qlik answers with a redirect to the tenant, of which the id is read; the
    /// tenant is then asked for at this host and no other.
    pub async fn me(&self) -> Result<Tenant, Error> {
        let call = Call::new("tenants.me", Method::GET, format!("{TENANTS}me")).redirect_answers();
        let answer = self.session.call(&call).await?;
        if (200..300).contains(&answer.status) {
            return read_tenant(&answer);
        }
        // A redirect to anywhere else, such as to the login page of a proxy, is no answer of Qlik's.
        let elsewhere = Error::Redirected { host: answer.host.clone(), status: answer.status };
        let id = answer.header("location").and_then(|to| redirected_to(to, TENANTS));
        let id: TenantId = id.and_then(|id| id.parse().ok()).ok_or(elsewhere)?;
        self.get(&id).await
    }

    /// Changes the tenant, all changes in one call; without any there is no call.
    pub async fn patch(&self, id: &TenantId, patches: &[Patch]) -> Result<(), Error> {
        if patches.is_empty() {
            return Ok(());
        }
        let operations: Vec<Value> = patches.iter().map(Patch::operation).collect();
        let call = Call::new("tenants.patch", Method::PATCH, format!("/api/v1/tenants/{id}")).json(&operations)?;
        self.session.call(&call).await?.optional_json().map(drop)
    }

    /// The tenant's licence.
    pub async fn license(&self) -> Result<License, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Overview {
            license_key: String,
            license_number: Option<Value>,
        }
        let answer =
            self.session.call(&Call::new("licenses.overview", Method::GET, "/api/v1/licenses/overview")).await?;
        let Overview { license_key, license_number } = answer.json()?;
        let key = Secret::new(license_key);
        if key.expose().trim().is_empty() {
            return Err(answer.malformed("its licence key is empty"));
        }
        Ok(License { key, number: license_number.as_ref().and_then(Value::as_str).map(str::to_owned) })
    }

    /// The signed licence key of the tenant.
    pub async fn license_key(&self) -> Result<Secret, Error> {
        self.license().await.map(|license| license.key)
    }
}

impl Patch {
    /// Names what is changed, for people.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Alias(_) => "alias",
            Self::Flag(setting, _) => setting.name(),
        }
    }

    fn operation(&self) -> Value {
        let (path, value) = match self {
            Self::Name(name) => ("name", Value::from(name.as_str())),
            Self::Alias(hostname) => ("hostnames/1", Value::from(hostname.as_str())),
            Self::Flag(setting, on) => (setting.name(), Value::from(*on)),
        };
        serde_json::json!({ "op": "replace", "path": format!("/{path}"), "value": value })
    }
}

impl Tenant {
    /// Whether Qlik Cloud does not show a field that a [`Patch`] sets, by its name there: all of them are optional.
    pub fn hides(&self, field: &str) -> bool {
        let flag = Setting::ALL.into_iter().find(|setting| setting.name() == field);
        flag.map_or(field == "name" && self.name.is_none(), |setting| self.settings.get(setting).is_none())
    }
}

/// Only the id is required: whatever else is odd, a tenant just created must be known.
fn read_tenant(answer: &Answer) -> Result<Tenant, Error> {
    let body: Value = answer.json()?;
    let text = |field| body.get(field).and_then(Value::as_str).map(str::to_owned);
    let flag = |setting: Setting| body.get(setting.name()).and_then(Value::as_bool);
    let id = text("id").and_then(|id| TenantId::try_from(id).ok());
    let listed = body.get("hostnames").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(Tenant {
        id: id.ok_or_else(|| answer.malformed("it has no tenant id"))?,
        name: text("name"),
        hostnames: listed.iter().map_while(|name| name.as_str()?.parse().ok()).collect(),
        status: TenantStatus::read(text("status").as_deref()),
        region: text("region"),
        created: text("created").as_deref().and_then(instant),
        status_changed: text("statusLastUpdatedAt").as_deref().and_then(exact_instant),
        created_by: text("createdByUser").filter(|user| !user.is_empty()),
        settings: TenantSettings {
            auto_assign_create_shared_spaces_role_to_professionals: flag(Setting::ALL[0]),
            auto_assign_private_analytics_content_creator_role_to_professionals: flag(Setting::ALL[1]),
            auto_assign_data_services_contributor_role_to_professionals: flag(Setting::ALL[2]),
            enable_analytic_creation: flag(Setting::ALL[3]),
            enable_app_opening_feedback: flag(Setting::ALL[4]),
        },
    })
}

fn read_deactivated(answer: &Answer, id: &TenantId) -> Result<Deactivated, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        id: Option<String>,
        status: Option<String>,
        estimated_purge_date: Option<String>,
    }
    // Each field is optional in Qlik's schema; what is there must be right.
    let body: Body = answer.json()?;
    if body.id.is_some_and(|other| other != id.as_str()) {
        return Err(answer.malformed("it is of another tenant"));
    }
    if body.status.is_some_and(|status| status != "disabled") {
        return Err(answer.malformed("the tenant it speaks of is not disabled"));
    }
    let read = |date: String| instant(&date).ok_or_else(|| answer.malformed("its purge date is no date"));
    Ok(Deactivated { id: id.clone(), purge_at: body.estimated_purge_date.map(read).transpose()? })
}

/// An RFC 3339 instant; without an offset it is UTC. A bare date is none.
pub(super) fn exact_instant(text: &str) -> Option<Timestamp> {
    let read = |text: String| text.parse().ok();
    read(text.to_owned()).or_else(|| read(format!("{text}Z")))
}

/// An RFC 3339 instant; without an offset it is UTC. A bare date, which Qlik's schema has in places, means the beginning of
/// that day: nobody is told of more time than there is, and that a tenant was purged is seen and never concluded.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    exact_instant(text).or_else(|| format!("{text}T00:00:00Z").parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_in_an_address() {
        for (location, id) in [
            ("/api/v1/tenants/wJfYvSGqfwlCvGWiDhG65CBtX6YXnxFm", Some("wJfYvSGqfwlCvGWiDhG65CBtX6YXnxFm")),
            ("https://acme.us.qlikcloud.com/api/v1/tenants/-abc_DEF", Some("-abc_DEF")),
            ("me", None),
            ("/api/v1/tenants/me", None),
            ("/api/v1/tenants/abc/actions/deactivate", None),
            ("https://login.example/?to=/api/v1/tenants/abc", None),
            ("/login", None),
            ("", None),
        ] {
            assert_eq!(redirected_to(location, TENANTS).as_deref(), id, "{location}");
        }
    }

    #[test]
    fn instants() {
        for (text, read) in [
            ("2026-12-24T12:00:00.000Z", Some("2026-12-24T12:00:00Z")),
            ("2026-12-24T12:00:00+02:00", Some("2026-12-24T10:00:00Z")),
            ("2026-12-24T12:00:00", Some("2026-12-24T12:00:00Z")),
            ("2026-12-24", Some("2026-12-24T00:00:00Z")),
            ("1970-01-01T00:00:00.001Z", Some("1970-01-01T00:00:00.001Z")),
            ("", None),
            ("soon", None),
            ("2026-13-45", None),
            ("99999999-01-01T00:00:00Z", None),
        ] {
            assert_eq!(instant(text), read.map(|read| read.parse().unwrap()), "{text}");
        }
    }
}
