//! The Secrets and manifests of a stage.

use super::{Error, Stage};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, ObjectMeta, PostParams};
use qlik_operator::crd::QlikTenant;
use std::collections::BTreeMap;
use std::fs;

impl Stage {
    /// The operator's own credentials, as files.
    pub(super) fn write_credentials(&self) -> Result<(), Error> {
        let ready = self.sim.ready().clone();
        let us = ready.regional.get("us").cloned().unwrap_or_default();
        for (directory, credentials) in [("us", &us), ("organization", &ready.organization)] {
            let directory = self.directory.path().join(directory);
            fs::create_dir_all(&directory)?;
            fs::write(directory.join("clientId"), &credentials.client_id)?;
            fs::write(directory.join("clientSecret"), &credentials.client_secret)?;
        }
        Ok(())
    }

    /// `qlik-credentials` and `qlik-license`, as a platform engineer would make them.
    pub async fn write_secrets(&self) -> Result<(), Error> {
        let ready = self.sim.ready().clone();
        let us = ready.regional.get("us").cloned().unwrap_or_default();
        self.secret("qlik-credentials", &[("clientId", &us.client_id), ("clientSecret", &us.client_secret)]).await?;
        self.secret("qlik-license", &[("licenseKey", &ready.license_key)]).await
    }

    /// Makes a Secret.
    pub async fn secret(&self, name: &str, values: &[(&str, &str)]) -> Result<(), Error> {
        let data: BTreeMap<_, _> = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let secret = Secret { metadata, string_data: Some(data), ..Secret::default() };
        Api::<Secret>::namespaced(self.admin(), self.ns()).create(&PostParams::default(), &secret).await?;
        Ok(())
    }

    /// Whether a Secret is there.
    pub async fn has_secret(&self, name: &str) -> Result<bool, Error> {
        Ok(Api::<Secret>::namespaced(self.admin(), self.ns()).get_metadata_opt(name).await?.is_some())
    }
}

/// A tenant's manifest: the given lines, indented as below `spec:`, after region, credentials and license.
pub fn manifest(name: &str, spec: &str) -> String {
    let lines = spec.lines().filter(|line| !line.trim().is_empty());
    let spec = lines.fold(String::new(), |spec, line| spec + "  " + line + "\n");
    format!(
        "apiVersion: qlik-operator.dev/v1alpha1\nkind: QlikTenant\nmetadata:\n  name: {name}\nspec:\n  region: us\n  \
         credentialsRef: {{name: qlik-credentials}}\n  license: {{keyRef: {{name: qlik-license}}}}\n{spec}"
    )
}

/// One condition of a tenant's object.
pub fn condition<'a>(tenant: &'a QlikTenant, kind: &str) -> Option<&'a Condition> {
    tenant.status.as_ref()?.conditions.iter().find(|c| c.type_ == kind)
}
