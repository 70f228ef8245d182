//! What the cache holds: an object that may be malformed, without the parts that nobody reads.

use kube::Resource;
use kube::core::{DeserializeGuard, ObjectMeta};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// An object in the cache. A malformed one is still an object with a name, so it never stops the others; what only costs
/// memory (`managedFields`, kubectl's copy of the manifest) is dropped before it is kept.
#[derive(Clone, Debug)]
pub struct Lean<K>(pub DeserializeGuard<K>);

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

impl<'de, K: Deserialize<'de> + Resource> Deserialize<'de> for Lean<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut guard = DeserializeGuard::<K>::deserialize(deserializer)?;
        let meta = guard.meta_mut();
        meta.managed_fields = None;
        if let Some(annotations) = &mut meta.annotations {
            annotations.remove(LAST_APPLIED);
        }
        Ok(Self(guard))
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
