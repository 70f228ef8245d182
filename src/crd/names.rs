//! References to other objects, all of them inside the object's own namespace, and dates that must not be rounded.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A Secret of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalSecretRef {
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message("this is the name of a Secret in the same namespace: lower-case letters, digits, inner dashes and dots, for instance qlik-credentials"))]
    pub name: String,
}

/// One key of a Secret of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message("this is the name of a Secret in the same namespace: lower-case letters, digits, inner dashes and dots, for instance qlik-credentials"))]
    pub name: String,
    /// Key inside the Secret.
    #[serde(default = "license_key")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')").message("this is a key of the Secret: letters, digits, dashes, dots and underscores, for instance licenseKey; the license key itself belongs into the Secret"))]
    pub key: String,
}

fn license_key() -> String {
    "licenseKey".to_owned()
}

/// A date exactly as Qlik gave it. Kubernetes' own time type drops everything below a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct ExactTime(pub Timestamp);

impl JsonSchema for ExactTime {
    fn schema_name() -> Cow<'static, str> {
        "ExactTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// An instant as a status keeps it. Kubernetes' own time type drops what is below a second when it is written; dropped
/// here already, the same instant compares equal before and after.
pub fn whole_seconds(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}
