//! What an operator finds that is installed by its chart instead of being started by the stage.

use super::{Error, Stage};
use std::fmt::Write;

/// The namespace of an installed operator, and the name of everything that it is.
pub const INSTALLED: &str = "qlik-operator";

impl Stage {
    /// The operator's namespace, where only restricted pods may run, with its credentials and the authority to trust, as a
    /// platform engineer would prepare it.
    pub async fn prepare_installation(&self) -> Result<(), Error> {
        let namespace = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {INSTALLED}\n  labels: \
             {{pod-security.kubernetes.io/enforce: restricted}}\n"
        );
        self.cluster.kubectl(&["apply", "-f", "-"], &namespace).await?.succeeded()?;
        let us = self.directory().join("us");
        let from = |name: &str| format!("--from-file={}", us.join(name).display());
        let (id, secret) = (from("clientId"), from("clientSecret"));
        self.kubectl(&["-n", INSTALLED, "create", "secret", "generic", "qlik-us", &id, &secret]).await?;
        let ca = self.sim.ca_file().ok_or("the simulator has no authority")?;
        let ca = format!("--from-file=ca.crt={}", ca.display());
        self.kubectl(&["-n", INSTALLED, "create", "configmap", "qlik-ca", &ca]).await?;
        Ok(())
    }

    /// Values of the chart for that: in these namespaces, or in all where none is named.
    pub fn chart_values(&self, namespaces: &[&str]) -> Result<String, Error> {
        let qlik = self.sim.tls().ok_or("the simulator has no address")?;
        let mut values = format!(
            "# The operator's own credentials, and a Qlik Cloud that is a stand-in.\nregions:\n  us:\n    existingSecret: \
             qlik-us\n    namespaces: [{}]\nqlik:\n  caConfigMap:\n    name: qlik-ca\n  connectTo: \"{qlik}\"\nextraEnv:\n  - \
             name: QLIK_OPERATOR_CLOCK_OFFSET_FILE # its calendar can be turned\n    value: {}\n",
            self.ns(),
            self.clock_file().display(),
        );
        if !namespaces.is_empty() {
            writeln!(values, "namespaces: [{}]", namespaces.join(", "))?;
        }
        Ok(values)
    }
}
