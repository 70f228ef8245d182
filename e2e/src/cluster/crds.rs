//! Installing custom resource definitions.
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};

use super::Cluster;
use super::error::{Error, kube_error};
use crate::process::until;

const PATIENCE: Duration = Duration::from_secs(60);

impl Cluster {
    /// Applies the definitions in a YAML stream and waits until the API server serves them.
    pub async fn apply_crds(&self, yaml: &str) -> Result<(), Error> {
        let client = self.admin()?;
        let api: Api<CustomResourceDefinition> = Api::all(client.clone());
        let definitions: Vec<CustomResourceDefinition> = serde_saphyr::from_multiple(yaml)
            .map_err(|error| Error::Document("custom resource definitions".to_owned(), error.to_string()))?;
        for definition in &definitions {
            let name = definition.name_any();
            let params = PatchParams::apply("e2e").force();
            let applied = api.patch(&name, &params, &Patch::Apply(definition)).await;
            applied.map_err(kube_error(format!("apply {name}")))?;
        }
        for definition in &definitions {
            let name = definition.name_any();
            until(PATIENCE, &format!("{name} is served"), async || {
                let current = api.get(&name).await.map_err(kube_error(format!("read {name}")))?;
                Ok::<_, Error>((is_established(&current) && is_discovered(&client, &current).await).then_some(()))
            })
            .await?;
        }
        Ok(())
    }
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Established" && condition.status == "True")
}

/// Discovery follows a moment after the condition, and kubectl goes by discovery.
async fn is_discovered(client: &kube::Client, definition: &CustomResourceDefinition) -> bool {
    let spec = &definition.spec;
    for version in spec.versions.iter().filter(|version| version.served) {
        let group_version = format!("{}/{}", spec.group, version.name);
        // An error means: not yet.
        let listed = client.list_api_group_resources(&group_version).await;
        if !listed.is_ok_and(|list| list.resources.iter().any(|resource| resource.name == spec.names.plural)) {
            return false;
        }
    }
    true
}
