//! Programs that are started, do one thing and end.

use crate::process::{OWNER_VARIABLE, own_mark};
use crate::stage::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A program with the environment that all its runs have.
pub struct Program {
    path: PathBuf,
    envs: Vec<(OsString, OsString)>,
}

/// What a run has printed and whether it went well.
pub struct Run {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Whether it returned 0.
    pub success: bool,
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
    pub async fn run(&self, args: &[&str]) -> Result<Run, Error> {
        let mut command = tokio::process::Command::new(&self.path);
        command.args(args).envs(self.envs.iter().map(|(name, value)| (name, value))).env(OWNER_VARIABLE, own_mark()?);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let done = command.output().await.map_err(|error| format!("cannot run {}: {error}", self.path.display()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Run { stdout: text(&done.stdout), stderr: text(&done.stderr), success: done.status.success() })
    }

    /// Runs it; an error when it does not go well.
    pub async fn output(&self, args: &[&str]) -> Result<String, Error> {
        let Run { stdout, stderr, success } = self.run(args).await?;
        if success {
            Ok(stdout)
        } else {
            Err(format!("`{} {}`: {stderr}{stdout}", self.path.display(), args.join(" ")).into())
        }
    }
}

/// A program of the system, by its Debian package.
pub fn installed(name: &str, package: &str) -> Result<PathBuf, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| format!("no {name} in PATH; on Debian: apt-get install {package}").into())
}
