//! Kubernetes events, on transitions only.
//!
//! They are written beside the passes: an event that cannot be written never holds up a tenant.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::core::ObjectMeta;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;

/// Where passes leave their events.
#[derive(Clone, Debug)]
pub struct Events {
    queue: mpsc::Sender<(Event, ObjectReference)>,
}

/// An event about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Something to look at, rather than the ordinary course.
    pub warning: bool,
    /// A word in upper camel case.
    pub reason: String,
    /// What the operator did, as a verb.
    pub action: &'static str,
    /// A sentence for people.
    pub message: String,
}

const QUEUE: usize = 1024;
const DEADLINE: Duration = Duration::from_secs(10);
/// The API refuses longer notes.
const LONGEST_NOTE: usize = 1000;

impl Events {
    /// Starts the writer. It ends when the last [`Events`] is dropped.
    pub fn start(client: kube::Client, instance: String) -> (Self, impl Future<Output = ()> + Send) {
        let (queue, mut inbox) = mpsc::channel::<(Event, ObjectReference)>(QUEUE);
        let reporter = Reporter { controller: "qlik-operator".into(), instance: Some(instance) };
        let mut series = Series { client, reporter, last: HashMap::new() };
        let writer = async move {
            while let Some((event, object)) = inbox.recv().await {
                let recorder = series.recorder(&event, &object);
                match tokio::time::timeout(DEADLINE, recorder.publish(&event, &object)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(%error, reason = event.reason, "cannot write an event"),
                    Err(_) => tracing::warn!(reason = event.reason, "writing an event took too long"),
                }
            }
        };
        (Self { queue }, writer)
    }

    /// Leaves an event. When too many wait, it is dropped and logged: the status says the same.
    pub fn publish<K: Resource<DynamicType = ()>>(&self, meta: &ObjectMeta, note: Note) {
        let object = ObjectReference {
            api_version: Some(K::api_version(&()).into_owned()),
            kind: Some(K::kind(&()).into_owned()),
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            uid: meta.uid.clone(),
            ..ObjectReference::default()
        };
        let event = Event {
            type_: if note.warning { EventType::Warning } else { EventType::Normal },
            reason: note.reason,
            note: Some(note.message.chars().take(LONGEST_NOTE).collect()),
            action: note.action.to_owned(),
            secondary: None,
        };
        if let Err(error) = self.queue.try_send((event, object)) {
            tracing::warn!(%error, "an event was dropped");
        }
    }
}

/// kube counts repetitions without looking at the note: what was said first would stand there for all that came after.
/// So a recorder goes on only as long as the same is said.
struct Series {
    client: kube::Client,
    reporter: Reporter,
    /// By uid and reason: what was said last, and by which recorder.
    last: HashMap<(Option<String>, String), (Option<String>, Recorder)>,
}

/// More need not be remembered: a forgotten series merely begins anew.
const MOST_SERIES: usize = 1000;

impl Series {
    fn recorder(&mut self, event: &Event, object: &ObjectReference) -> Recorder {
        if self.last.len() >= MOST_SERIES {
            self.last.clear();
        }
        let anew = || (event.note.clone(), Recorder::new(self.client.clone(), self.reporter.clone()));
        let known = self.last.entry((object.uid.clone(), event.reason.clone())).or_insert_with(anew);
        if known.0 != event.note {
            *known = anew();
        }
        known.1.clone()
    }
}
