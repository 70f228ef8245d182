//! The Git repository that Argo CD syncs from: a directory of this machine.

use super::program::{Program, installed};
use crate::stage::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// A repository with a work tree.
pub struct Repository {
    git: Program,
    path: PathBuf,
}

impl Repository {
    /// A new one, below this directory.
    pub async fn create(home: &Path) -> Result<Self, Error> {
        let path = home.join("customers.git");
        let mut git = Program::new(installed("git", "git")?, home);
        // Whatever the user's own settings say.
        for (name, value) in [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_AUTHOR_NAME", "Platform"),
            ("GIT_AUTHOR_EMAIL", "platform@example.com"),
            ("GIT_COMMITTER_NAME", "Platform"),
            ("GIT_COMMITTER_EMAIL", "platform@example.com"),
        ] {
            git = git.env(name, value);
        }
        git.output(&["init", "--quiet", "--initial-branch=main", &path.to_string_lossy()]).await?;
        Ok(Self { git, path })
    }

    /// Where Argo CD finds it.
    pub fn url(&self) -> String {
        format!("file://{}", self.path.display())
    }

    /// Puts a file into the work tree.
    pub fn write(&self, path: &str, text: &str) -> Result<(), Error> {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().ok_or("a file without a directory")?)?;
        Ok(fs::write(path, text)?)
    }

    /// Reads a file of the work tree.
    pub fn read(&self, path: &str) -> Result<String, Error> {
        Ok(fs::read_to_string(self.path.join(path))?)
    }

    /// Takes a file or a folder out of the work tree.
    pub fn remove(&self, path: &str) -> Result<(), Error> {
        let path = self.path.join(path);
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        Ok(removed?)
    }

    /// Commits everything; the commit's id.
    pub async fn commit(&self, message: &str) -> Result<String, Error> {
        self.git(&["add", "--all"]).await?;
        self.git(&["commit", "--quiet", "--message", message]).await?;
        self.head().await
    }

    /// Takes the last commit back by another one; the new commit's id.
    pub async fn revert(&self) -> Result<String, Error> {
        self.git(&["revert", "--no-edit", "HEAD"]).await?;
        self.head().await
    }

    async fn head(&self) -> Result<String, Error> {
        Ok(self.git(&["rev-parse", "HEAD"]).await?.trim().to_owned())
    }

    async fn git(&self, args: &[&str]) -> Result<String, Error> {
        self.git.output(&[&["-C", &self.path.to_string_lossy()], args].concat()).await
    }
}
