//! The audit log: what was asked of the API server, by whom and with what result.
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::error::{Error, io_error};
use crate::process::until;

/// Begins the name of the objects that are asked for only to leave a mark in the log.
const MARKER: &str = "audit-marker-";
const PATIENCE: Duration = Duration::from_secs(60);
/// The verbs that change something.
const WRITES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// A place in the log, between two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(u64);

impl Position {
    /// Before the first entry.
    pub const START: Self = Self(0);
}

/// One request. A watch counts when it begins, everything else when it is answered, so that each is here once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As in RBAC: get, list, watch, create, update, patch, delete, deletecollection.
    pub verb: String,
    /// Path and query.
    pub uri: String,
    /// Who asked; the impersonated user where there is one.
    pub user: String,
    /// The groups that they are in.
    pub groups: Vec<String>,
    /// With which program.
    pub user_agent: String,
    /// The answer's HTTP status.
    pub code: u16,
    /// When it came in, as the API server writes it.
    pub received_at: String,
    /// The API group, empty for the core group.
    pub group: String,
    /// The resource, empty for requests that are about none.
    pub resource: String,
    /// The subresource, empty for the object itself.
    pub subresource: String,
    /// Empty for what is in no namespace.
    pub namespace: String,
    /// Empty for collections, and for objects under creation.
    pub name: String,
}

impl Entry {
    /// Whether it changed something: a write that was accepted and meant.
    pub fn is_write(&self) -> bool {
        WRITES.contains(&self.verb.as_str()) && self.code < 400 && !self.uri.contains("dryRun=")
    }
}

/// Which entries are wanted; an empty filter lets everything pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    user: Option<String>,
    namespace: Option<String>,
    verb: Option<String>,
    resource: Option<String>,
}

impl Filter {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only what this user asked.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Only what is in this namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Only requests with this verb.
    #[must_use]
    pub fn verb(mut self, verb: &str) -> Self {
        self.verb = Some(verb.to_owned());
        self
    }

    /// Only this resource, by its plural name, whatever its group.
    #[must_use]
    pub fn resource(mut self, resource: &str) -> Self {
        self.resource = Some(resource.to_owned());
        self
    }

    fn accepts(&self, entry: &Entry) -> bool {
        let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        same(&self.user, &entry.user)
            && same(&self.namespace, &entry.namespace)
            && same(&self.verb, &entry.verb)
            && same(&self.resource, &entry.resource)
    }
}

/// The audit log of one cluster.
///
/// Counts are exact for requests that were answered before the question: the API server writes the entry (the log is
/// in blocking mode) before it completes the answer, and before reading, a marker is sent after them and waited for.
pub struct AuditLog {
    path: PathBuf,
    client: kube::Client,
}

impl AuditLog {
    pub(super) fn new(path: PathBuf, client: kube::Client) -> Self {
        Self { path, client }
    }

    /// The place after everything that has been answered so far.
    pub async fn position(&self) -> Result<Position, Error> {
        let start = self.length()?;
        let marker = format!("{MARKER}{:016x}", rand::random::<u64>());
        let uri = format!("/api/v1/namespaces/default/configmaps/{marker}");
        let request = http::Request::get(uri).body(Vec::new()).map_err(io::Error::other)?;
        // Nothing is there to be found; any answer will do. Without one the marker does not show up.
        let _ = self.client.request_text(request).await;
        until(PATIENCE, "the audit log's marker", async || {
            let bytes = self.read(Position(start), None)?;
            let mut end = start;
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                end += line.len() as u64;
                if line.ends_with(b"\n") && String::from_utf8_lossy(line).contains(&marker) {
                    return Ok(Some(Position(end)));
                }
            }
            Ok::<_, Error>(None)
        })
        .await
    }

    /// The requests answered from a position to now, refused ones included, without those of the log itself.
    pub async fn entries(&self, since: Position, filter: &Filter) -> Result<Vec<Entry>, Error> {
        let end = self.position().await?;
        let bytes = self.read(since, Some(end))?;
        let mut entries = Vec::new();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if let Some(entry) = parse(line)?
                && filter.accepts(&entry)
            {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// The changes among them: accepted requests to create, update, patch or delete.
    pub async fn writes(&self, since: Position, filter: &Filter) -> Result<Vec<Entry>, Error> {
        let mut entries = self.entries(since, filter).await?;
        entries.retain(Entry::is_write);
        Ok(entries)
    }

    fn length(&self) -> Result<u64, Error> {
        match std::fs::metadata(&self.path) {
            Ok(metadata) => Ok(metadata.len()),
            // It is created with the first entry.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self, from: Position, to: Option<Position>) -> Result<Vec<u8>, Error> {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(from.0))?;
            let mut bytes = Vec::new();
            file.take(to.map_or(u64::MAX, |to| to.0.saturating_sub(from.0))).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(io_error(format!("read {}", self.path.display())))
    }
}

/// The entry that a line stands for; none where it tells nothing new about a request.
pub(super) fn parse(line: &[u8]) -> Result<Option<Entry>, Error> {
    let event: Event = serde_json::from_slice(line)
        .map_err(|error| Error::Document(String::from_utf8_lossy(line).into_owned(), error.to_string()))?;
    Ok(event.into_entry())
}

/// The part of an audit.k8s.io/v1 Event that is of interest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    #[serde(rename = "requestURI")]
    uri: String,
    user: User,
    impersonated_user: Option<User>,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
    request_received_timestamp: String,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
    #[serde(default)]
    groups: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

impl Event {
    fn into_entry(self) -> Option<Entry> {
        let counts = match (self.stage.as_str(), self.verb.as_str()) {
            // A refused watch never starts.
            ("ResponseComplete", "watch") => self.response_status.code >= 400,
            ("ResponseStarted", "watch") | ("ResponseComplete" | "Panic", _) => true,
            _ => false,
        };
        let object = self.object_ref;
        let user = self.impersonated_user.unwrap_or(self.user);
        (counts && !object.name.starts_with(MARKER)).then_some(Entry {
            verb: self.verb,
            uri: self.uri,
            user: user.username,
            groups: user.groups,
            user_agent: self.user_agent,
            code: self.response_status.code,
            received_at: self.request_received_timestamp,
            group: object.api_group,
            resource: object.resource,
            subresource: object.subresource,
            namespace: object.namespace,
            name: object.name,
        })
    }
}
