//! What the cache holds: an object that may be malformed, without the parts that nobody reads.

use kube::Resource;
use kube::core::error_boundary::InvalidObject;
use kube::core::{DeserializeGuard, ObjectMeta};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;

/// An object in the cache. A malformed one is still an object with a name, so it never stops the others; what only costs
/// memory (`managedFields`, kubectl's copy of the manifest) is dropped before it is kept.
#[derive(Clone, Debug)]
pub struct Lean<K>(pub DeserializeGuard<K>, Option<Box<Remains>>);

/// What can be read of a malformed object: the words by which it may hold a tenant or speak of one. Each is as it stands
/// there, checked by nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Why it cannot be understood.
    pub problem: String,
    /// `status.tenantId`.
    pub tenant_id: Option<String>,
    /// `status.boundAt`.
    pub bound_at: Option<String>,
    /// `spec.adopt.tenantId`.
    pub adopts: Option<String>,
    /// `spec.tenantId`, of a record.
    pub recorded_id: Option<String>,
    /// `spec.tenant.name`, of a record.
    pub recorded_name: Option<String>,
    /// `spec.tenant.uid`, of a record.
    pub recorded_uid: Option<String>,
}

impl Remains {
    fn of(object: &Value, problem: String) -> Self {
        let word = |path: &str| object.pointer(path).and_then(Value::as_str).map(str::to_owned);
        Self {
            problem,
            tenant_id: word("/status/tenantId"),
            bound_at: word("/status/boundAt"),
            adopts: word("/spec/adopt/tenantId"),
            recorded_id: word("/spec/tenantId"),
            recorded_name: word("/spec/tenant/name"),
            recorded_uid: word("/spec/tenant/uid"),
        }
    }
}

impl<K> Lean<K> {
    /// The object, or what is left of one that cannot be understood.
    pub fn read(&self) -> Result<&K, &Remains> {
        static NOTHING: Remains = Remains {
            problem: String::new(),
            tenant_id: None,
            bound_at: None,
            adopts: None,
            recorded_id: None,
            recorded_name: None,
            recorded_uid: None,
        };
        self.0.0.as_ref().map_err(|_| self.1.as_deref().unwrap_or(&NOTHING))
    }
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

impl<'de, K: DeserializeOwned + Resource> Deserialize<'de> for Lean<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Value::deserialize(deserializer)?;
        let (mut guard, remains) = match K::deserialize(&object) {
            Ok(whole) => (DeserializeGuard(Ok(whole)), None),
            Err(error) => {
                let metadata = object.get("metadata").map(ObjectMeta::deserialize).transpose();
                let metadata = metadata.map_err(serde::de::Error::custom)?.unwrap_or_default();
                let remains = Remains::of(&object, error.to_string());
                let invalid = InvalidObject { error: remains.problem.clone(), metadata };
                (DeserializeGuard(Err(invalid)), Some(Box::new(remains)))
            }
        };
        let meta = guard.meta_mut();
        meta.managed_fields = None;
        if let Some(annotations) = &mut meta.annotations {
            annotations.remove(LAST_APPLIED);
        }
        Ok(Self(guard, remains))
    }
}

impl<K: Resource> Resource for Lean<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }
    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }
    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }
    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }
    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::QlikTenant;
    use serde_json::json;

    #[test]
    fn what_holds_a_tenant_is_read_of_a_malformed_object_too() {
        let object = json!({
            "apiVersion": "qlik-operator.dev/v1alpha1", "kind": "QlikTenant",
            "metadata": { "name": "acme", "namespace": "a", "uid": "u", "managedFields": [] },
            "spec": { "region": "mars", "adopt": { "tenantId": "T2", "hostname": 7 } },
            "status": { "tenantId": "T1", "boundAt": "2026-01-01T00:00:00Z", "hostnames": "none" },
        });
        let lean: Lean<QlikTenant> = serde_json::from_value(object).unwrap();
        assert_eq!((lean.meta().name.as_deref(), lean.meta().uid.as_deref()), (Some("acme"), Some("u")));
        assert!(lean.meta().managed_fields.is_none());
        let remains = lean.read().unwrap_err();
        assert_eq!(remains.tenant_id.as_deref(), Some("T1"));
        assert_eq!(remains.bound_at.as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(remains.adopts.as_deref(), Some("T2"));
    }
}
