//! The only place where a tenant's spec is interpreted.

use crate::crd::{EraseSecrets, Lifecycle, OnDelete, QlikTenantSpec, RegionCode, ReleasePolicy, TenantSettings};
use crate::plan::duration;
use crate::qlik::{Hostname, Hosts, PurgeDays, Region, Setting, TenantHost, TenantId};
use std::time::Duration;

/// What the manifest asks for, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The region.
    pub region: Region,
    /// The tenant to take over: its id and one of its hostnames.
    pub adopt: Option<(TenantId, TenantHost)>,
    /// The display name, where given.
    pub display_name: Option<String>,
    /// The whole alias hostname, where given.
    pub alias: Option<Hostname>,
    /// The flags that are given.
    pub flags: Vec<(Setting, bool)>,
    /// Whether the tenant is meant to be in use.
    pub lifecycle: Lifecycle,
    /// The purge window.
    pub days: PurgeDays,
    /// The hostname that confirms a deactivation.
    pub confirm: Option<Hostname>,
    /// What a deletion does.
    pub on_delete: OnDelete,
    /// When a deleted object may go.
    pub release: ReleasePolicy,
    /// Which Secrets go at off-boarding.
    pub erase: EraseSecrets,
    /// How often to look for drift.
    pub interval: Duration,
}

/// A value of the spec that cannot be used, in words for its author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec.{field} {problem}")]
pub struct Invalid {
    /// Path below `spec`.
    pub field: &'static str,
    /// What is wrong and what to write instead.
    pub problem: String,
}

impl Desired {
    /// Reads a spec. `hosts` knows the Qlik domain of this operator.
    pub fn read(spec: &QlikTenantSpec, hosts: &Hosts) -> Result<Self, Invalid> {
        let region = Region::from(spec.region);
        let offboarding = spec.offboarding.clone().unwrap_or_default();
        let days = spec.offboarding.as_ref().map_or(DEFAULT_PURGE_DAYS, |o| o.purge_after_days);
        let alias = match &spec.alias {
            None => None,
            Some(label) => {
                let whole = format!("{label}.{}.{}", region.code(), hosts.domain());
                Some(tenant_host("alias", &whole, region, hosts)?.hostname().clone())
            }
        };
        Ok(Self {
            region,
            adopt: match &spec.adopt {
                None => None,
                Some(adopt) => Some((
                    parse("adopt.tenantId", &adopt.tenant_id)?,
                    tenant_host("adopt.hostname", &adopt.hostname, region, hosts)?,
                )),
            },
            display_name: spec.display_name.clone(),
            alias,
            flags: spec.settings.as_ref().map(flags).unwrap_or_default(),
            lifecycle: spec.lifecycle,
            days: PurgeDays::try_from(days)
                .map_err(|e| Invalid { field: "offboarding.purgeAfterDays", problem: e.to_string() })?,
            confirm: match &offboarding.confirm_hostname {
                None => None,
                Some(text) => Some(parse("offboarding.confirmHostname", text)?),
            },
            on_delete: offboarding.on_delete,
            release: offboarding.release,
            erase: offboarding.erase_secrets.unwrap_or_default(),
            interval: duration::parse(&spec.interval).unwrap_or(DEFAULT_INTERVAL).clamp(MIN_INTERVAL, MAX_INTERVAL),
        })
    }
}

const DEFAULT_PURGE_DAYS: i32 = 30;
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30 * 60);
const MIN_INTERVAL: Duration = Duration::from_secs(60);
const MAX_INTERVAL: Duration = Duration::from_secs(24 * 3600);

fn parse<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, Invalid>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| Invalid { field, problem: e.to_string() })
}

/// A hostname of the region's Qlik domain; nothing else ever gets a credential.
pub(super) fn tenant_host(
    field: &'static str,
    text: &str,
    region: Region,
    hosts: &Hosts,
) -> Result<TenantHost, Invalid> {
    let hostname: Hostname = parse(field, text)?;
    hosts.tenant(&hostname, region).map_err(|e| Invalid { field, problem: e.to_string() })
}

fn flags(settings: &TenantSettings) -> Vec<(Setting, bool)> {
    use Setting as S;
    [
        (
            S::AutoAssignCreateSharedSpacesRoleToProfessionals,
            settings.auto_assign_create_shared_spaces_role_to_professionals,
        ),
        (
            S::AutoAssignPrivateAnalyticsContentCreatorRoleToProfessionals,
            settings.auto_assign_private_analytics_content_creator_role_to_professionals,
        ),
        (
            S::AutoAssignDataServicesContributorRoleToProfessionals,
            settings.auto_assign_data_services_contributor_role_to_professionals,
        ),
        (S::EnableAnalyticCreation, settings.enable_analytic_creation),
        (S::EnableAppOpeningFeedback, settings.enable_app_opening_feedback),
    ]
    .into_iter()
    .filter_map(|(setting, value)| value.map(|value| (setting, value)))
    .collect()
}

impl From<RegionCode> for Region {
    fn from(code: RegionCode) -> Self {
        match code {
            RegionCode::Us => Self::Us,
            RegionCode::Eu => Self::Eu,
            RegionCode::De => Self::De,
            RegionCode::Uk => Self::Uk,
            RegionCode::Se => Self::Se,
            RegionCode::Jp => Self::Jp,
            RegionCode::Ap => Self::Ap,
            RegionCode::Sg => Self::Sg,
            RegionCode::In => Self::In,
            RegionCode::Ae => Self::Ae,
            RegionCode::Br => Self::Br,
            RegionCode::Fr => Self::Fr,
            RegionCode::Il => Self::Il,
        }
    }
}
