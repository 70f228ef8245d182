//! The cgroups of a node: one below the top of each hierarchy, with all pods in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const TOP: &str = "/sys/fs/cgroup";
/// What a new cpuset has to be given before a process can be put into it.
const CPUSET: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

/// The hierarchies: many with cgroup v1, one with v2.
fn hierarchies() -> io::Result<Vec<PathBuf>> {
    let is_hierarchy = |path: &Path| path.join("cgroup.procs").exists();
    let top = PathBuf::from(TOP);
    if is_hierarchy(&top) {
        return Ok(vec![top]);
    }
    let entries = fs::read_dir(top)?.map(|entry| entry?.path().canonicalize()).collect::<io::Result<Vec<_>>>()?;
    let mut found: Vec<_> = entries.into_iter().filter(|path| is_hierarchy(path)).collect();
    found.sort();
    // Some hierarchies have several names.
    found.dedup();
    Ok(found)
}

/// Makes the cgroup of this name in every hierarchy.
pub(super) fn create(name: &str) -> io::Result<()> {
    for hierarchy in hierarchies()? {
        let path = hierarchy.join(name);
        fs::create_dir(&path)?;
        for file in CPUSET.into_iter().filter(|file| hierarchy.join(file).exists()) {
            fs::write(path.join(file), fs::read_to_string(hierarchy.join(file))?)?;
        }
    }
    Ok(())
}

/// Removes the cgroups of this name and all in them; `false` while there are still processes.
pub(super) fn remove(name: &str) -> io::Result<bool> {
    let mut gone = true;
    for hierarchy in hierarchies()? {
        gone &= remove_tree(&hierarchy.join(name))?;
    }
    Ok(gone)
}

fn remove_tree(path: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        other => other?,
    };
    let mut gone = true;
    for entry in entries {
        let entry = entry?;
        // What is in there besides cgroups are files of the kernel's, which go with it.
        if entry.file_type()?.is_dir() {
            gone &= remove_tree(&entry.path())?;
        }
    }
    match fs::remove_dir(path) {
        Ok(()) => Ok(gone),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(gone),
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a container uses, by its id.
pub(super) struct Container {
    memory: PathBuf,
}

impl Container {
    /// Looks for it below the cgroup of this name.
    pub(super) fn find(name: &str, id: &str) -> io::Result<Self> {
        let (v1, v2) = (Path::new(TOP).join("memory"), PathBuf::from(TOP));
        let hierarchy = if v1.is_dir() { v1 } else { v2 };
        let memory = descendant(&hierarchy.join(name), id)?;
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("no cgroup of container {id}"));
        Ok(Self { memory: memory.ok_or_else(missing)? })
    }

    /// The most memory it ever had charged to it, its files' pages among it.
    pub(super) fn peak(&self) -> io::Result<u64> {
        let v1 = self.memory.join("memory.max_usage_in_bytes");
        number(&if v1.exists() { v1 } else { self.memory.join("memory.peak") })
    }

    /// How much it may have.
    pub(super) fn limit(&self) -> io::Result<u64> {
        let v1 = self.memory.join("memory.limit_in_bytes");
        number(&if v1.exists() { v1 } else { self.memory.join("memory.max") })
    }

    /// Its processes.
    pub(super) fn processes(&self) -> io::Result<Vec<i32>> {
        let text = fs::read_to_string(self.memory.join("cgroup.procs"))?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }
}

fn descendant(path: &Path, name: &str) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        if entry.file_name() == name {
            return Ok(Some(entry.path()));
        }
        if let Some(found) = descendant(&entry.path(), name)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn number(path: &Path) -> io::Result<u64> {
    fs::read_to_string(path)?.trim().parse().map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}
