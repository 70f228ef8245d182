//! The customers' apps: programs of their own, each with the right to read its one Secret.

use crate::cluster::Identity;
use crate::process::{Guarded, Launch, sibling};
use crate::stage::{Error, Stage};

/// How many calls in a row show that an app works, or that it does not.
const IN_A_ROW: usize = 3;

/// A running app of a customer.
pub(super) struct CustomerApp {
    process: Guarded,
    // Its kubeconfig goes with it.
    _identity: Identity,
}

/// How an app's calls went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) ok: usize,
    pub(super) refused: usize,
}

impl CustomerApp {
    /// Starts the app that reads this Secret.
    pub(super) async fn start(stage: &Stage, secret: &str) -> Result<Self, Error> {
        let identity = stage.cluster.identity(&format!("{}-{secret}", stage.ns()), &[]).await?;
        stage.apply(&right_to_read(secret, identity.user())).await?;
        let ready = stage.sim.ready();
        let ca = ready.ca_file.clone().ok_or("the simulator has no certificate")?;
        let tls = ready.tls.clone().ok_or("the simulator has no TLS listener")?;
        let process = Launch::new(sibling("customer-app")?)
            .env("KUBECONFIG", identity.kubeconfig())
            .args(["--namespace", stage.ns(), "--secret", secret, "--qlik-connect-to", &tls, "--qlik-ca-file"])
            .arg(ca)
            .spawn(stage.directory().join(format!("app-{secret}.log")))?;
        Ok(Self { process, _identity: identity })
    }

    /// How its calls went so far.
    pub(super) fn calls(&self) -> Result<Calls, Error> {
        let log = self.process.log()?;
        let ok = log.lines().filter(|line| *line == "ok").count();
        Ok(Calls { ok, refused: log.lines().filter(|line| line.starts_with("refused")).count() })
    }

    /// What it was told when it was refused, for people.
    pub(super) fn refusals(&self) -> Result<String, Error> {
        let log = self.process.log()?;
        Ok(log.lines().filter(|line| line.starts_with("refused")).collect::<Vec<_>>().join("; "))
    }

    /// Waits for further calls that all go well.
    pub(super) async fn works(&self, stage: &Stage) -> Result<(), Error> {
        self.in_a_row(stage, "the app works", |line| line == "ok").await
    }

    /// Waits for further calls that are all refused.
    pub(super) async fn is_refused(&self, stage: &Stage) -> Result<(), Error> {
        self.in_a_row(stage, "the app is refused", |line| line.starts_with("refused")).await
    }

    async fn in_a_row(&self, stage: &Stage, what: &str, wanted: impl Fn(&str) -> bool) -> Result<(), Error> {
        let before = self.process.log()?.lines().count();
        let shown = stage.until_some(what, async || {
            let log = self.process.log()?;
            let new: Vec<_> = log.lines().skip(before).collect();
            let last = new.iter().rev().take(IN_A_ROW);
            Ok((new.len() >= IN_A_ROW && last.clone().all(|line| wanted(line))).then_some(()))
        });
        shown.await.map_err(|error| format!("{error}; the app says: {}", self.process.tail()).into())
    }
}

fn right_to_read(secret: &str, user: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: reads-{secret}}}\nrules:\n- apiGroups: ['']\n  \
         resources: [secrets]\n  resourceNames: [{secret}]\n  verbs: [get]\n---\napiVersion: rbac.authorization.k8s.io/v1\n\
         kind: RoleBinding\nmetadata: {{name: reads-{secret}}}\nroleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: \
         reads-{secret}}}\nsubjects:\n- {{kind: User, apiGroup: rbac.authorization.k8s.io, name: '{user}'}}\n"
    )
}
