//! Today's rules of a kind, for objects that were stored before they were made: the API server asks only for a part of them
//! again when such an object is changed, and for none when it is not.

use kube::CustomResourceExt;
use kube::core::cel::{CompiledSchema, ErrorKind, Validator, compile_schema};
use serde::Serialize;

/// The rules of one kind, compiled once.
#[derive(Debug)]
pub struct Rules {
    schema: CompiledSchema,
    validator: Validator,
}

impl Rules {
    /// Those of this kind, as its definition says them.
    pub fn of<K: CustomResourceExt>() -> Self {
        let versions = K::crd().spec.versions;
        let schema = versions.into_iter().next().and_then(|version| version.schema);
        let schema = serde_json::to_value(schema.and_then(|schema| schema.open_api_v3_schema)).unwrap_or_default();
        Self { schema: compile_schema(&schema), validator: Validator::new() }
    }

    /// What the object does not keep, each as `FIELD: what to write instead`. A rule that cannot be evaluated here is
    /// the API server's matter alone.
    pub fn broken(&self, object: &impl Serialize) -> Vec<String> {
        let mut object = serde_json::to_value(object).unwrap_or_default();
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        let errors = match self.validator.validate_compiled(&self.schema, &object, None) {
            Ok(()) => return Vec::new(),
            Err(errors) => errors.into_vec(),
        };
        errors.into_iter().filter(|error| error.kind == ErrorKind::ValidationFailure).map(|e| e.to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::QlikTenant;
    use serde_json::{Value, json};

    fn tenant(spec: &Value) -> QlikTenant {
        let object = json!({
            "apiVersion": "qlik-operator.dev/v1alpha1", "kind": "QlikTenant", "metadata": { "name": "acme" }, "spec": spec,
            "status": { "phase": "Ready" },
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn what_is_broken_is_said_in_the_words_of_the_schema() {
        let rules = Rules::of::<QlikTenant>();
        let license = json!({ "keyRef": { "name": "l" } });
        assert_eq!(rules.broken(&tenant(&json!({ "region": "us", "license": license }))), [""; 0]);
        let broken = rules.broken(&tenant(&json!({ "region": "us", "license": license, "interval": "often" })));
        assert_eq!(broken.len(), 1);
        assert!(broken[0].starts_with("spec.interval: spec.interval is a duration"), "{broken:?}");
        let broken = rules.broken(&tenant(&json!({ "region": "us" })));
        assert!(broken.iter().any(|text| text.contains("license")), "{broken:?}");
    }
}
