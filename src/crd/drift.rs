//! What a status tells of the comparison with the counterpart in Qlik Cloud, for every kind that has one.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A change from outside that was written back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// What was changed.
    #[schemars(length(max = 16), inner(length(max = 64)))]
    pub fields: Vec<String>,
    /// How often the same was written back, each time within a day of the former one.
    pub times: i32,
    /// When it was written back last.
    pub corrected_at: Time,
}
