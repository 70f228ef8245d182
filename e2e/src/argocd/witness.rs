//! Somebody who looks at Argo CD all the time and forgets nothing: states that last a moment matter, too.

use super::applications::View;
use crate::stage::Error;
use futures::TryStreamExt;
use kube::api::{Api, DynamicObject};
use kube::runtime::watcher::{self, Event, watcher};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// A state that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// When, counted from the start.
    pub at: Duration,
    /// The Application.
    pub application: String,
    /// `KIND/NAME` of the object; empty for the Application itself.
    pub object: String,
    /// Its health.
    pub health: String,
    /// Whether it is in sync.
    pub sync: String,
    /// What is said about its health.
    pub message: String,
}

/// Watches all Applications until dropped.
pub struct Witness {
    seen: Arc<Mutex<Vec<Sight>>>,
    task: JoinHandle<()>,
}

impl Witness {
    /// Begins to look.
    pub fn start(applications: Api<DynamicObject>) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let (since, mut last) = (Instant::now(), BTreeMap::new());
            // The watch begins anew by itself after an error.
            let _ = watcher(applications, watcher::Config::default())
                .map_err(Error::from)
                .try_for_each(|event| {
                    if let Event::Apply(object) | Event::InitApply(object) = event {
                        note(&object, since.elapsed(), &mut last, &kept);
                    }
                    std::future::ready(Ok(()))
                })
                .await;
        });
        Self { seen, task }
    }

    /// Whether it still looks; a watch that ended would make every "never" worthless.
    pub fn is_awake(&self) -> bool {
        !self.task.is_finished()
    }

    /// How much has been seen so far.
    pub fn mark(&self) -> usize {
        self.all().len()
    }

    /// What was seen since then.
    pub fn since(&self, mark: usize) -> Vec<Sight> {
        self.all().into_iter().skip(mark).collect()
    }

    fn all(&self) -> Vec<Sight> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Last = BTreeMap<(String, String), (String, String)>;

/// Keeps what is different from the last look.
fn note(object: &DynamicObject, at: Duration, last: &mut Last, kept: &Mutex<Vec<Sight>>) {
    let Ok(view) = serde_json::to_value(object).map(View) else { return };
    let application = object.metadata.name.clone().unwrap_or_default();
    let own = (String::new(), view.health().to_owned(), view.sync().to_owned(), String::new());
    let inside = view.resources().map(|resource| {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let health = &resource["health"];
        let object = format!("{}/{}", text(&resource["kind"]), text(&resource["name"]));
        (object, text(&health["status"]), text(&resource["status"]), text(&health["message"]))
    });
    for (object, health, sync, message) in std::iter::once(own).chain(inside) {
        let state = (health.clone(), sync.clone());
        if last.insert((application.clone(), object.clone()), state.clone()) != Some(state) {
            let sight = Sight { at, application: application.clone(), object, health, sync, message };
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(sight);
        }
    }
}
