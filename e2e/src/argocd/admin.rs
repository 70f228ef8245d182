//! The scripts as Argo CD itself runs them, by its commands for administrators. No cluster is needed.

use super::cases::{self, Answer, Case};
use super::program::{Program, Run};
use super::scripts::config_map;
use crate::cluster::binaries;
use crate::playground::Screen;
use crate::stage::Error;
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// Each run takes a good part of a second, nearly all of it one processor's.
const AT_A_TIME: usize = 2;

/// Runs every script of every case; fails with the first that answers otherwise than the table.
pub async fn check(screen: &Screen) -> Result<(), Error> {
    let directory = tempfile::tempdir()?;
    let argocd = binaries::argo_cd().await?.join("argocd");
    let config = directory.path().join("argocd-cm.yaml");
    fs::write(&config, config_map())?;
    // Whoever has a cluster is not asked.
    let program = Program::new(argocd, directory.path()).env("KUBECONFIG", "/dev/null");
    let admin = Admin { program, config: &config, directory: directory.path() };
    let since = Instant::now();
    let table = cases::all();
    let all = stream::iter(table.iter().enumerate().map(|(number, case)| admin.case(number, case)))
        .buffer_unordered(AT_A_TIME);
    let done: Vec<usize> = screen.during("running the scripts", all.try_collect::<Vec<_>>()).await?;
    let (objects, runs) = (done.len(), done.iter().sum::<usize>());
    Ok(screen.proven(&format!(
        "{objects} objects: health, what is offered and what it does are as in the table ({runs} runs of Argo CD, {} s)",
        since.elapsed().as_secs()
    ))?)
}

struct Admin<'a> {
    program: Program,
    config: &'a Path,
    directory: &'a Path,
}

impl Admin<'_> {
    /// How many runs it took.
    async fn case(&self, number: usize, case: &Case) -> Result<usize, Error> {
        let file = self.directory.join(format!("{number}.json"));
        fs::write(&file, case.object.to_string())?;
        self.health(case, &file).await?;
        let disabled = self.offered(&file).await?;
        let wanted: BTreeMap<_, _> = case
            .actions
            .iter()
            .map(|(name, _, answer)| ((*name).to_owned(), matches!(answer, Answer::Refuses(_))))
            .collect();
        if disabled != wanted {
            return Err(
                format!("{}: offered (true where disabled) {disabled:?} instead of {wanted:?}", case.what).into()
            );
        }
        for (name, annotation, answer) in &case.actions {
            let done = self.run("run-action", &file, &[name]).await?;
            verify(&done, annotation, *answer).map_err(|error| format!("{}: {name}: {error}", case.what))?;
        }
        Ok(2 + case.actions.len())
    }

    async fn run(&self, command: &str, file: &Path, more: &[&str]) -> Result<Run, Error> {
        let file = file.to_string_lossy();
        let config = self.config.to_string_lossy();
        let fixed = ["admin", "settings", "resource-overrides", command, &file];
        self.program.run(&[&fixed, more, &["--argocd-cm-path", &config]].concat()).await
    }

    async fn health(&self, case: &Case, file: &Path) -> Result<(), Error> {
        let done = self.run("health", file, &[]).await?;
        let status = done.stdout.lines().find_map(|line| line.strip_prefix("STATUS: "));
        if status == Some(case.health) && done.stdout.contains(case.message) {
            return Ok(());
        }
        let wanted = format!("{} and {:?}", case.health, case.message);
        Err(format!("{}: {wanted} expected, found\n{}{}", case.what, done.stdout, done.stderr).into())
    }

    /// Each action with whether it is disabled.
    async fn offered(&self, file: &Path) -> Result<BTreeMap<String, bool>, Error> {
        let done = self.run("list-actions", file, &[]).await?;
        let rows = done.stdout.lines().skip(1).filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()? == "true"))
        });
        Ok(rows.collect())
    }
}

/// The command prints what an action changes, as a difference of lines; or why it refuses.
fn verify(done: &Run, annotation: &str, answer: Answer) -> Result<(), String> {
    let said = format!("{}{}", done.stdout, done.stderr);
    let value = said.lines().find_map(|line| {
        let (_, value) = line.split_once(&format!("qlik-operator.dev/{annotation}: "))?;
        Some(value.trim().trim_matches(['"', '\'']).to_owned())
    });
    let as_wanted = match (answer, &value) {
        (Answer::Now, Some(value)) => value.parse::<jiff::Timestamp>().is_ok(),
        (Answer::Writes(wanted), Some(value)) => value == wanted,
        (Answer::Refuses(why), None) => !done.success && said.contains(why),
        (Answer::Now | Answer::Writes(_), None) | (Answer::Refuses(_), Some(_)) => false,
    };
    if as_wanted { Ok(()) } else { Err(format!("{answer:?} expected, found\n{said}")) }
}
