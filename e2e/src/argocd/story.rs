//! Customers that come and go by commits, told with the real Argo CD. Every claim is checked, never just told.

mod actions;
mod leaving;
mod modes;
mod onboarding;
mod protection;

use super::applications::{Applications, View};
use super::repository::Repository;
use super::stack::Stack;
use super::witness::{Sight, Witness};
use crate::cluster::Cluster;
use crate::playground::{Screen, end, workspace};
use crate::stage::{Error, Operator, Setup, Stage};
use qlik_operator::crd::QlikTenant;
use std::fs;
use std::time::Instant;

/// What the samples say, and is put in their place here.
const SAMPLE_REPOSITORY: &str = "https://git.example.com/platform/customers.git";
const SAMPLES: &str = "config/argocd";

/// Starts everything, tells the whole story and ends everything; fails with the step that did not happen.
pub async fn tell(screen: &Screen) -> Result<(), Error> {
    std::env::set_current_dir(workspace())?;
    let since = Instant::now();
    let cluster = screen.during("starting Kubernetes", Cluster::shared()).await?;
    if cluster.outlives_us() {
        return Err("Argo CD is tried on a control plane of its own only: unset CLUSTER".into());
    }
    let told = perform(cluster, screen).await;
    screen.during("ending", end(None, cluster)).await?;
    told?;
    screen.heading(&format!("The story is told, in {} s. Nothing is left running.", since.elapsed().as_secs()))?;
    Ok(())
}

async fn perform(cluster: &'static Cluster, screen: &Screen) -> Result<(), Error> {
    let since = Instant::now();
    let stage = Stage::on(cluster, Setup::new("customers").with_organization()).await?;
    let operator = stage.operator().await?;
    let stack = screen.during("starting Argo CD", Stack::start(cluster)).await?;
    let repository = Repository::create(stack.directory()).await?;
    let applications = Applications::new(&stage.admin());
    let witness = Witness::start(applications.api());
    screen.say(&format!("Argo CD works after {} s.", since.elapsed().as_secs()))?;
    let story = Story { stage: &stage, operator: &operator, stack: &stack, repository, applications, witness, screen };
    story.tell().await
}

/// What every chapter works with.
pub(super) struct Story<'a> {
    stage: &'a Stage,
    operator: &'a Operator,
    stack: &'a Stack,
    repository: Repository,
    applications: Applications,
    witness: Witness,
    screen: &'a Screen,
}

impl Story<'_> {
    async fn tell(&self) -> Result<(), Error> {
        self.chapter("Onboarding in waves", self.onboarding()).await?;
        self.chapter("Drift in the cluster", self.drift()).await?;
        self.chapter("Actions", self.actions()).await?;
        self.chapter("Off-boarding by a commit", self.leaving()).await?;
        self.chapter("That commit reverted before the purge", self.staying()).await?;
        self.chapter("A customer's folder removed from Git and restored", self.folder()).await?;
        self.chapter("A client's file removed from Git", self.client_file()).await?;
        self.chapter("A tenant's file removed from Git: Prune=confirm", self.tenant_file()).await?;
        self.chapter("An Application deleted: Delete=confirm", self.application()).await?;
        self.chapter("Four ways to apply and compare, none OutOfSync for good", self.modes()).await?;
        let memory = self.stack.memory();
        Ok(self.screen.say(&format!("\nArgo CD and Redis had {memory} MiB resident at most."))?)
    }

    async fn chapter(&self, title: &str, told: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
        let since = Instant::now();
        self.screen.heading(title)?;
        let told = Box::pin(self.screen.during("waiting", told)).await;
        told.map_err(|error| {
            let (operator, argo) = (self.operator.tail(), self.stack.tails());
            format!("\"{title}\" did not happen: {error}\n\nThe operator: {operator}\n\nArgo CD: {argo}")
        })?;
        Ok(self.screen.aside(&format!("  ({:.1} s)", since.elapsed().as_secs_f64()))?)
    }

    /// Copies a customer's sample folder to the repository.
    fn folder_of(&self, customer: &str) -> Result<(), Error> {
        for entry in fs::read_dir(format!("{SAMPLES}/customers/{customer}"))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            self.repository.write(&format!("customers/{customer}/{name}"), &fs::read_to_string(entry.path())?)?;
        }
        Ok(())
    }

    /// A sample with this run's repository and namespace.
    fn sample(&self, name: &str) -> Result<String, Error> {
        let text = fs::read_to_string(format!("{SAMPLES}/{name}"))?;
        let placed = text.replace(SAMPLE_REPOSITORY, &self.repository.url());
        Ok(placed.replace("namespace: customers", &format!("namespace: {}", self.stage.ns())))
    }

    /// Changes a file of the repository; fails when there is nothing to change.
    fn edit(&self, path: &str, from: &str, to: &str) -> Result<(), Error> {
        let text = self.repository.read(path)?;
        let edited = text.replace(from, to);
        if edited == text {
            Err(format!("{path} does not say {from:?}").into())
        } else {
            self.repository.write(path, &edited)
        }
    }

    async fn apply(&self, manifests: &str) -> Result<(), Error> {
        self.stage.cluster.kubectl(&["apply", "-f", "-"], manifests).await?.succeeded()?;
        Ok(())
    }

    /// Asks an Application to look at a commit and waits until all of it is as it should be.
    async fn done(&self, application: &str, commit: &str) -> Result<View, Error> {
        self.applications.refresh(application, "normal").await?;
        let view = self.applications.until(application, "has the commit in place", |view| view.is_done(commit)).await?;
        self.shown(&view)?;
        Ok(view)
    }

    fn shown(&self, view: &View) -> Result<(), Error> {
        Ok(self.screen.output(&view.line())?)
    }

    async fn tenant(&self, name: &str) -> Result<QlikTenant, Error> {
        Ok(self.stage.tenants().get(name).await?)
    }

    fn prove(&self, fact: &str, so: bool) -> Result<(), Error> {
        if so { Ok(self.screen.proven(fact)?) } else { Err(format!("it is not so that {fact}").into()) }
    }

    /// Shows the states that objects went through, and proves that none was Degraded.
    fn never_degraded(&self, mark: usize) -> Result<(), Error> {
        let seen = self.witness.since(mark);
        let mut objects: Vec<_> = seen.iter().map(|sight| (&sight.application, &sight.object)).collect();
        objects.sort_unstable();
        objects.dedup();
        for (application, object) in objects.into_iter().filter(|(_, object)| object.starts_with("Qlik")) {
            let mine = seen.iter().filter(|sight| (&sight.application, &sight.object) == (application, object));
            let mut states: Vec<_> =
                mine.map(|sight| sight.health.as_str()).filter(|health| !health.is_empty()).collect();
            states.dedup();
            self.screen.output(&format!("{application} {object}: {}", states.join(" → ")))?;
        }
        let degraded: Vec<&Sight> = seen.iter().filter(|sight| sight.health == "Degraded").collect();
        if !degraded.is_empty() {
            return Err(format!("something was Degraded: {degraded:?}").into());
        }
        self.prove("nothing was Degraded at any moment", self.witness.is_awake() && !seen.is_empty())
    }

    /// How many requests have changed something in Qlik Cloud.
    fn effects(&self) -> usize {
        self.stage.sim.journal().iter().filter(|entry| entry.committed && entry.effect.is_some()).count()
    }
}

fn tenant_id(tenant: &QlikTenant) -> Result<String, Error> {
    let id = tenant.status.as_ref().and_then(|status| status.tenant_id.clone());
    id.ok_or_else(|| "the status names no tenant".into())
}
