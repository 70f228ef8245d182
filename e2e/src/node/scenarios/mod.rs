//! The scenarios, one after the other on one node: each begins where the one before ended.

mod confined;
mod install;
mod killed;
mod many;
mod observed;
mod onboard;
mod rollout;
mod uninstall;

use super::Error;
use super::ground::Ground;
use crate::playground::Screen;
use crate::process::tail;
use std::fs;
use std::time::{Duration, Instant};

/// Runs them all; ends at the first that fails.
pub(super) async fn all(ground: &Ground, screen: &Screen) -> Result<(), Error> {
    let mut told = Told { ground, screen, took: Vec::new() };
    told.run("installed by helm where only restricted pods may run", install::run(ground)).await?;
    told.run("an ordinary user with a read-only root and no rights", confined::run(ground)).await?;
    told.run("two customers onboarded", onboard::run(ground)).await?;
    told.run("logs, metrics, and a log level changed by port-forward", observed::run(ground)).await?;
    told.run("killed in the middle of an onboarding", killed::known(ground)).await?;
    told.run("killed while Qlik Cloud makes a tenant", killed::lost(ground)).await?;
    told.run("many tenants within the memory limit", many::run(ground)).await?;
    told.run("another image rolled out during off-boardings", rollout::run(ground)).await?;
    told.run("the tenant of the lost answer found, after ten minutes", killed::resolved(ground)).await?;
    told.run("uninstalled, with everything kept", uninstall::run(ground)).await?;
    screen.heading("scenario, with its time")?;
    told.took
        .iter()
        .try_for_each(|(title, took)| screen.say(&format!("  {title:<56} {:>6.1} s", took.as_secs_f64())))?;
    Ok(())
}

struct Told<'a> {
    ground: &'a Ground,
    screen: &'a Screen,
    took: Vec<(&'static str, Duration)>,
}

impl Told<'_> {
    /// A scenario answers what it has found, one line for each fact.
    async fn run(
        &mut self,
        title: &'static str,
        scenario: impl Future<Output = Result<Vec<String>, Error>>,
    ) -> Result<(), Error> {
        self.screen.heading(title)?;
        let since = Instant::now();
        let outcome = self.screen.during(title, scenario).await;
        let took = since.elapsed();
        match outcome {
            Ok(facts) => facts.iter().try_for_each(|fact| self.screen.proven(fact))?,
            Err(error) => return Err(format!("{title}: {error}\n\n{}", self.circumstances().await).into()),
        }
        self.screen.aside(&format!("  {:.1} s", took.as_secs_f64()))?;
        self.took.push((title, took));
        Ok(())
    }

    /// What helps to understand a failure.
    async fn circumstances(&self) -> String {
        let selector = "app.kubernetes.io/instance=qlik-operator";
        let questions: [&[&str]; 4] = [
            &["get", "pods,events", "--namespace", "qlik-system", "--output=wide"],
            &["describe", "pods", "--namespace", "qlik-system"],
            &["logs", "--namespace", "qlik-system", "--selector", selector, "--tail=30"],
            &["logs", "--namespace", "qlik-system", "--selector", selector, "--tail=30", "--previous"],
        ];
        let mut answers = Vec::new();
        for question in questions {
            if let Ok(output) = self.ground.cluster.kubectl(question, "").await {
                answers.push(format!("kubectl {}\n{}{}", question.join(" "), output.stdout, output.stderr));
            }
        }
        answers.push(tail(&self.ground.directory.join("kubelet.log")));
        answers.join("\n")
    }
}

/// A fact, where it is one.
fn fact(what: String, is_so: bool) -> Result<String, Error> {
    if is_so { Ok(what) } else { Err(format!("not so: {what}").into()) }
}

/// A file of the repository.
fn sample(path: &str) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}").into())
}
