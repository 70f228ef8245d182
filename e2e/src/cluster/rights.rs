//! What operators asked of a control plane, kept beyond its end: the union over all tests says which rights are needed.
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::audit::{Entry, parse};
use super::error::Error;

/// The groups that operators of tests are in: as themselves, with fewer rights, and as pods of the chart's namespace.
pub const GROUPS: [&str; 3] = ["qlik-operators", "qlik-operators-limited", "system:serviceaccounts:qlik-operator"];

/// One thing that an operator asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Used {
    /// The API group, empty for the core group.
    pub group: String,
    /// The resource, with its subresource after a slash.
    pub resource: String,
    /// As in RBAC.
    pub verb: String,
    /// The object, for the resources of which rules name some; of others there would be thousands.
    pub name: Option<String>,
}

impl Used {
    /// What an entry of the audit log is about, where an operator made it.
    fn of(entry: &Entry) -> Option<Self> {
        let operator = entry.groups.iter().any(|group| GROUPS.contains(&group.as_str()));
        // kubectl is the hand of a test, which only borrows the name. What is about no resource everybody may do.
        if !operator || entry.user_agent.starts_with("kubectl") || entry.resource.is_empty() {
            return None;
        }
        let resource = match entry.subresource.as_str() {
            "" => entry.resource.clone(),
            subresource => format!("{}/{subresource}", entry.resource),
        };
        let named = ["customresourcedefinitions", "leases", "configmaps"].contains(&entry.resource.as_str());
        let name = Some(entry.name.clone()).filter(|name| named && !name.is_empty());
        Some(Self { group: entry.group.clone(), resource, verb: entry.verb.clone(), name })
    }
}

/// What operators asked for among these entries, refused or not.
pub fn used<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> BTreeSet<Used> {
    entries.into_iter().filter_map(Used::of).collect()
}

/// Where they are kept.
pub fn directory() -> PathBuf {
    super::go_module::target().join("rights")
}

/// Everything that is kept.
pub fn kept() -> Result<BTreeSet<Used>, Error> {
    let mut all = BTreeSet::new();
    let files = match fs::read_dir(directory()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
        files => files?,
    };
    for file in files {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let part: BTreeSet<Used> = serde_json::from_str(&text)
            .map_err(|error| Error::Document(path.display().to_string(), error.to_string()))?;
        all.extend(part);
    }
    Ok(all)
}

/// Keeps what an audit log has of operators, under a name that no other control plane has.
pub(super) fn keep(log: &Path, name: &str) -> Result<(), Error> {
    let text = fs::read(log)?;
    let mut entries = Vec::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        // The last one may have been cut off with the API server's end.
        entries.extend(parse(line).ok().flatten());
    }
    let used = used(&entries);
    if used.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(directory())?;
    let json = serde_json::to_string_pretty(&used).map_err(io::Error::from)?;
    // Written beside and moved: somebody may be reading.
    let next = directory().join(format!("{name}.next"));
    fs::write(&next, json)?;
    Ok(fs::rename(next, directory().join(format!("{name}.json")))?)
}
