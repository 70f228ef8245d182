//! The operator's pod, as the API server and the node's kernel show it.

use super::Error;
use super::cgroups::Container;
use super::ground::{Ground, RELEASE, SYSTEM};
use crate::process::until;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod as PodObject};
use kube::api::{Api, ListParams};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(180);

/// The one pod of the operator, ready and not about to go.
pub(super) struct Pod {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) restarts: i32,
    pub(super) container: Container,
    /// The process, by its id in this process's namespace.
    pub(super) process: i32,
}

impl Pod {
    /// Waits until there is exactly one, ready, that `wanted` accepts.
    pub(super) async fn until(ground: &Ground, what: &str, wanted: impl Fn(&Self) -> bool) -> Result<Self, Error> {
        until::<_, Error, _>(PATIENCE, what, async || {
            let all = pods(ground).await?;
            let [only] = &all[..] else { return Ok(None) };
            // Between the report and this look the container may have ended.
            Ok(Self::of(ground, only).ok().flatten().filter(&wanted))
        })
        .await
    }

    /// Waits until it is ready.
    pub(super) async fn ready(ground: &Ground) -> Result<Self, Error> {
        Self::until(ground, "the operator's pod is ready", |_| true).await
    }

    fn of(ground: &Ground, pod: &PodObject) -> Result<Option<Self>, Error> {
        let Some(status) = status(pod).filter(|status| status.ready) else { return Ok(None) };
        let id =
            status.container_id.as_deref().and_then(|id| id.strip_prefix("containerd://")).ok_or("no container")?;
        let container = ground.node.container(id)?;
        let process = container.processes()?.first().copied().ok_or("no process")?;
        Ok(Some(Self {
            name: pod.metadata.name.clone().unwrap_or_default(),
            image: status.image.clone(),
            restarts: status.restart_count,
            container,
            process,
        }))
    }

    /// A line of the process's `/proc/PID/status`.
    pub(super) fn status(&self, name: &str) -> Result<String, Error> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.process))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(line.ok_or_else(|| format!("no {name}"))?.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The mounts of the process: where, and with which options.
    pub(super) fn mounts(&self) -> Result<Vec<(String, String)>, Error> {
        let text = fs::read_to_string(format!("/proc/{}/mounts", self.process))?;
        let fields = text.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        Ok(fields.filter_map(|fields| Some((fields.get(1)?.clone(), fields.get(3)?.clone()))).collect())
    }
}

/// Kills a process outright.
pub(super) fn kill(process: i32) -> std::io::Result<()> {
    let process = Pid::from_raw(process).ok_or(std::io::ErrorKind::InvalidInput)?;
    Ok(kill_process(process, Signal::KILL)?)
}

/// All pods of the release, those that are about to go among them.
pub(super) async fn pods(ground: &Ground) -> Result<Vec<PodObject>, Error> {
    let selector = ListParams::default().labels(&format!("app.kubernetes.io/instance={RELEASE}"));
    Ok(Api::<PodObject>::namespaced(ground.client.clone(), SYSTEM).list(&selector).await?.items)
}

fn status(pod: &PodObject) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()
}
