//! Operators as processes of a stage.

use super::{Error, PATIENCE, Stage};
use crate::process::{Guarded, Launch, sibling};
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// A running operator; killed when dropped.
pub struct Operator {
    process: Guarded,
}

impl Deref for Operator {
    type Target = Guarded;

    fn deref(&self) -> &Guarded {
        &self.process
    }
}

impl Stage {
    /// Starts an operator for the stage's namespace and waits until it works.
    pub async fn operator(&self) -> Result<Operator, Error> {
        self.operator_with(self.identity.kubeconfig(), &[]).await
    }

    /// Starts an operator with this kubeconfig and further arguments.
    pub async fn operator_with(&self, kubeconfig: &Path, args: &[&str]) -> Result<Operator, Error> {
        let operator = self.launch(kubeconfig, args)?;
        operator.wait_for_line(PATIENCE, |line| line.contains("started")).await?;
        Ok(operator)
    }

    /// Starts an operator for another namespace alone, as a second installation, and waits until it works.
    pub async fn operator_of(&self, namespace: &str) -> Result<Operator, Error> {
        super::rights::own_namespace(self.cluster, namespace, super::rights::OPERATORS).await?;
        let operator = self.launch_of(namespace, self.identity.kubeconfig(), &[])?;
        operator.wait_for_line(PATIENCE, |line| line.contains("started")).await?;
        Ok(operator)
    }

    /// Starts an operator without waiting for anything.
    pub fn launch(&self, kubeconfig: &Path, args: &[&str]) -> Result<Operator, Error> {
        self.launch_of(self.ns(), kubeconfig, args)
    }

    fn launch_of(&self, namespace: &str, kubeconfig: &Path, args: &[&str]) -> Result<Operator, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let ready = self.sim.ready();
        let (tls, ca) = (ready.tls.clone().unwrap_or_default(), ready.ca_file.clone().unwrap_or_default());
        let mut launch = Launch::new(sibling("operator-under-test")?)
            .env("KUBECONFIG", kubeconfig)
            // More than any scenario deactivates within an hour; tests of the limit give it as an argument.
            .env("QLIK_OPERATOR_MAX_DEACTIVATIONS", "1000")
            .args(["run", "--namespaces", namespace, "--qlik-connect-to", &tls])
            .args(["--log", &self.setup.log, "--log-format", "json"])
            .arg("--qlik-ca-file")
            .arg(ca)
            .arg("--clock-offset-file")
            .arg(self.clock_file());
        if self.setup.organization {
            launch = launch.arg("--organization-credentials").arg(self.directory().join("organization"));
        }
        if self.setup.organization_is_ours {
            launch = launch.arg("--organization-is-ours");
        }
        let process =
            launch.args(args.iter().copied()).spawn(self.directory().join(format!("operator-{number}.log")))?;
        Ok(Operator { process })
    }
}

/// The address that a line of a process's log, which is JSON, says something is served at.
pub async fn address(process: &Guarded, words: &str) -> Result<String, Error> {
    let line = process.wait_for_line(PATIENCE, |line| line.contains(words)).await?;
    let line: serde_json::Value = serde_json::from_str(&line)?;
    Ok(line["address"].as_str().ok_or("the log does not tell the address")?.to_owned())
}
