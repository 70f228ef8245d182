//! What happened in an off-boarding: entries of its record that are written once and never changed.

use super::ExactTime;
use super::offboarding::{Evidence, PurgeConfirmation};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that happened, or was about to.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("an entry of a record is never changed"))]
pub struct OffboardingEntry {
    /// Its place, from 1.
    #[schemars(range(min = 1, max = 1000))]
    pub number: i32,
    /// When it was written, by the operator's clock.
    pub at: Time,
    /// What it was.
    pub event: OffboardingEvent,
    /// `Called`: the days that are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<i32>,
    /// `Called`: who asked for it, as far as the cluster tells. `Purged`: who accepted it without a confirmation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub requested_by: Option<String>,
    /// `Called`: who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub approved_by: Option<String>,
    /// `Called`: the revision in Git that the manifest came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub revision: Option<String>,
    /// `Scheduled`: when the tenant went off, as far as known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivated_at: Option<Time>,
    /// `Scheduled`: when Qlik purges the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge_at: Option<ExactTime>,
    /// `Scheduled`: how sure that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// `Purged`: how it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<PurgeConfirmation>,
}

/// What can happen in an off-boarding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum OffboardingEvent {
    /// The call that deactivates, or restarts the window, is about to be made.
    Called,
    /// The tenant is off, and this is known of its purge.
    Scheduled,
    /// The tenant is in use again.
    Reactivated,
    /// The deactivation never took effect.
    Cancelled,
    /// Qlik Cloud said for the first time that there is no such tenant.
    SeenGone,
    /// Qlik Cloud knows the tenant after all.
    SeenAgain,
    /// The tenant is purged.
    Purged,
    /// The object let the tenant go.
    Released,
}
