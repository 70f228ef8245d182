//! Directories that go with their owner: locked while it lives, removed at its end, swept away later if it could not.
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A temporary directory of this process, removed when dropped.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Holds the lock. Closed by the kernel at the latest, whatever ends this process; children do not inherit it.
    _lock: File,
}

impl Directory {
    /// A new one, readable by this user alone.
    pub fn create() -> io::Result<Self> {
        loop {
            let path = std::env::temp_dir().join(format!("{}{:08x}", prefix(), rand::random::<u32>()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            // Before it is locked somebody may look at it as an orphan, or have swept it away: then take another.
            match lock(&path) {
                Ok(Some(lock)) => return Ok(Self { path, _lock: lock }),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(None) | Err(_) => drop(fs::remove_dir(&path)),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed now is swept at the next start.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The directories of this user whose owners are gone.
pub fn orphans() -> io::Result<Vec<PathBuf>> {
    Ok(locked_orphans()?.into_iter().map(|(path, _)| path).collect())
}

/// Removes the directories of this user whose owners are gone.
pub fn sweep() -> io::Result<()> {
    for (path, _lock) in locked_orphans()? {
        // A program that is just being killed may still write into it; then it is left for the next time.
        let _ = fs::remove_dir_all(path);
    }
    Ok(())
}

fn locked_orphans() -> io::Result<Vec<(PathBuf, File)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(std::env::temp_dir())? {
        let path = entry?.path();
        let ours = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&prefix()));
        if !ours {
            continue;
        }
        match lock(&path) {
            Ok(Some(lock)) => found.push((path, lock)),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Locks a directory unless somebody else has, or has removed it meanwhile.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let directory = File::open(path)?;
    match directory.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Ok(None),
        Err(fs::TryLockError::Error(error)) => return Err(error),
    }
    let (locked, named) = (directory.metadata()?, fs::metadata(path)?);
    Ok((locked.ino() == named.ino() && locked.dev() == named.dev()).then_some(directory))
}

/// One prefix for each user: nobody can lock or remove what belongs to somebody else.
fn prefix() -> String {
    format!("qlik-operator-cluster-{}-", rustix::process::getuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_no_orphan_while_held_and_gone_afterwards() {
        let directory = Directory::create().expect("directory");
        let path = directory.path().to_owned();
        assert!(path.is_dir());
        assert!(!orphans().expect("orphans").contains(&path));
        sweep().expect("sweep");
        assert!(path.is_dir(), "sweeping leaves what is held");
        drop(directory);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn an_abandoned_directory_is_swept() {
        let path = std::env::temp_dir().join(format!("{}abandoned-{}", prefix(), std::process::id()));
        fs::create_dir(&path).expect("create");
        fs::write(path.join("file"), "x").expect("write");
        // More than once: a neighbour that looks at it at the same moment holds its lock.
        let swept = crate::process::until(std::time::Duration::from_secs(10), "it is swept", async || {
            sweep()?;
            Ok::<_, io::Error>((!path.exists()).then_some(()))
        });
        swept.await.expect("swept");
    }
}
