//! Programs that are started, do one thing and end.

use crate::process::{Output, finish, in_path};
use crate::stage::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// A program with the environment that all its runs have.
pub struct Program {
    path: PathBuf,
    envs: Vec<(OsString, OsString)>,
}

impl Program {
    /// A program that writes below `home` and nowhere else.
    pub fn new(path: impl Into<PathBuf>, home: &Path) -> Self {
        let envs = ["HOME", "TMPDIR"].map(|name| (name.into(), home.as_os_str().to_owned()));
        Self { path: path.into(), envs: envs.into() }
    }

    /// One more environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.envs.push((name.into(), value.into()));
        self
    }

    /// Runs it, whether it goes well or not.
    pub async fn run(&self, args: &[&str]) -> Result<Output, Error> {
        let mut command = Command::new(&self.path);
        command.args(args).envs(self.envs.iter().map(|(name, value)| (name, value)));
        let done = finish(command, "").await;
        done.map_err(|error| format!("cannot run {}: {error}", self.path.display()).into())
    }

    /// Runs it; an error when it does not go well.
    pub async fn output(&self, args: &[&str]) -> Result<String, Error> {
        let done = self.run(args).await?;
        if done.success() {
            Ok(done.stdout)
        } else {
            let command = format!("{} {}", self.path.display(), args.join(" "));
            Err(format!("`{command}`: {}{}", done.stderr, done.stdout).into())
        }
    }
}

/// A program of the system, by its Debian package.
pub fn installed(name: &str, package: &str) -> Result<PathBuf, Error> {
    in_path(name).ok_or_else(|| format!("no {name} in PATH; on Debian: apt-get install {package}").into())
}
