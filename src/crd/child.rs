//! What the kinds that live inside a tenant have in common.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A `QlikTenant` of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantRef {
    /// Name of the `QlikTenant`.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message("tenantRef.name is the name of a QlikTenant in the same namespace, for instance acme, not a hostname with capitals or a path"))]
    pub name: String,
}

/// What deleting an object does to its counterpart in Qlik Cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum DeletionPolicy {
    /// It is deleted in Qlik Cloud as well.
    #[default]
    Delete,
    /// It stays in Qlik Cloud; an object of the same name takes it back later.
    Orphan,
}

/// The Secret that the operator writes for an app.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretTarget {
    /// Name of the Secret. It must be free: a Secret of somebody else is never overwritten.
    #[schemars(length(max = 253))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message("secret.name is the name of the Secret to write, in the same namespace: lower-case letters, digits, inner dashes and dots, for instance acme-app"),
        validation = Rule::new("self == oldSelf").message("secret.name cannot be changed, apps would be left with the former Secret: create another object for another Secret"),
    )]
    pub name: String,
    /// What the Secret says: each key with a text in which `${name}` stands for a value. Without it, the documented
    /// default of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = { "type": "string", "maxLength": 4096 }))]
    #[x_kube(
        validation = Rule::new("self.all(k, k.matches('^[-._a-zA-Z0-9]{1,253}$'))").message("a key of secret.template is a key of the Secret: letters, digits, dashes, dots and underscores, for instance clientId"),
    )]
    pub template: Option<BTreeMap<String, String>>,
    /// Labels of the Secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = { "type": "string", "maxLength": 1024 }))]
    #[x_kube(validation = Rule::new("self.all(k, !k.startsWith('qlik-operator.dev/') && size(self[k]) <= 63)").message("secret.labels takes labels of your own, with values of at most 63 characters; names under qlik-operator.dev/ are the operator's"))]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the Secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = { "type": "string", "maxLength": 1024 }))]
    #[x_kube(validation = Rule::new("self.all(k, !k.startsWith('qlik-operator.dev/'))").message("secret.annotations takes annotations of your own; names under qlik-operator.dev/ are the operator's"))]
    pub annotations: BTreeMap<String, String>,
}

/// When a generated secret or key is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!self.every.matches('^([0-9]{1,5}(h|m|s))+$') || !self.overlap.matches('^([0-9]{1,5}(h|m|s))+$') || duration(self.every) > duration(self.overlap)").message("rotation.every must be longer than rotation.overlap, in which the former secret still works: write for instance every: 2160h, overlap: 24h"))]
pub struct Rotation {
    /// How often, as a duration such as `2160h` (90 days); at least `1h`.
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]{1,5}(h|m|s))+$')").message("rotation.every is a duration made of hours, minutes and seconds, for instance 2160h for 90 days"),
        validation = Rule::new("!self.matches('^([0-9]{1,5}(h|m|s))+$') || duration(self) >= duration('1h')").message("rotation.every must be at least 1h"),
    )]
    pub every: String,
    /// How long the former secret still works beside the new one, as a duration; at least `1m`.
    #[serde(default = "default_overlap")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new("self.matches('^([0-9]{1,5}(h|m|s))+$')").message("rotation.overlap is a duration made of hours, minutes and seconds, for instance 24h"),
        validation = Rule::new("!self.matches('^([0-9]{1,5}(h|m|s))+$') || duration(self) >= duration('1m')").message("rotation.overlap must be at least 1m: apps need time to read the new secret"),
    )]
    pub overlap: String,
}

fn default_overlap() -> String {
    "24h".to_owned()
}

/// Where an object's counterpart was last seen, so that it can be cleaned up when the `QlikTenant` is gone already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChildTenant {
    /// Id of the tenant in Qlik Cloud.
    pub id: String,
    /// The hostname that Qlik generated.
    pub hostname: String,
    /// Region of the tenant.
    pub region: String,
    /// Which credentials are used: `Secret/NAME`, or `Default/REGION` for the operator's own.
    pub credentials_source: String,
}

/// A secret or key that the operator made, without its content.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedSecret {
    /// How Qlik Cloud names it: the hint of a client secret, the id of a key.
    pub id: String,
    /// When it was made.
    pub created_at: Time,
    /// When it stops working, for one that has been replaced.
    pub retires_at: Option<Time>,
}

/// A public key or certificate in a Secret of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicKeyRef {
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message("this is the name of a Secret in the same namespace: lower-case letters, digits, inner dashes and dots, for instance acme-public-key"))]
    pub name: String,
    /// Key inside the Secret with a PEM public key or certificate.
    #[serde(default = "public_key")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')").message("this is a key of the Secret: letters, digits, dashes, dots and underscores, for instance publicKey; the PEM itself belongs into the Secret"))]
    pub key: String,
}

fn public_key() -> String {
    "publicKey".to_owned()
}

/// Algorithms that Qlik Cloud accepts for keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are those of RFC 7518")]
pub enum KeyAlgorithm {
    #[default]
    RS256,
    RS512,
    ES384,
}

/// Default of `spec.interval`.
pub(super) fn default_interval() -> String {
    "30m".to_owned()
}
