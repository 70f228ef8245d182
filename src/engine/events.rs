//! Kubernetes events, on transitions only.
//!
//! They are written beside the passes: an event that cannot be written never holds up a tenant.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::core::ObjectMeta;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
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
        let recorder = Recorder::new(client, Reporter { controller: "qlik-operator".into(), instance: Some(instance) });
        let writer = async move {
            while let Some((event, object)) = inbox.recv().await {
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
