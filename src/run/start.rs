//! What is made sure of before any work begins, and whenever it is in doubt.

use super::Error;
use super::controllers::api;
use crate::config::Settings;
use crate::crd::{QlikIdentityProvider, QlikOAuthClient, QlikOffboarding, QlikTenant};
use crate::engine::{Managed, chain};
use crate::health::{Health, Need};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::Notify;

/// The namespaces to work in; `None` stands for all.
pub(super) fn places(settings: &Settings) -> Vec<Option<String>> {
    if settings.namespaces.is_empty() {
        return vec![None];
    }
    settings.namespaces.iter().cloned().map(Some).collect()
}

/// Waits until every kind can be worked with and the cluster has a name. Fails where waiting cures nothing.
pub(super) async fn ready(
    client: &Client,
    places: &[Option<String>],
    (settings, health): (&Settings, &Health),
) -> Result<String, Error> {
    found(health, async || {
        kinds(client, places).await?;
        cluster_id(client, settings).await
    })
    .await
}

/// Looks at the kinds again whenever one of their watches broke: a definition may have been deleted.
pub(super) async fn attend(
    client: &Client,
    places: &[Option<String>],
    (health, broken): (&Health, &Notify),
) -> Result<Infallible, Error> {
    loop {
        broken.notified().await;
        found(health, async || kinds(client, places).await).await?;
    }
}

/// Looks until it is there. What is missing is said once, and again when it is something else.
async fn found<T>(health: &Health, look: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let mut said = String::new();
    loop {
        let missing = match look().await {
            Ok(found) => {
                health.has(Need::Kinds);
                return Ok(found);
            }
            Err(error @ (Error::Kind { .. } | Error::Unreachable { .. } | Error::Silent(_))) => chain(&error),
            Err(error) => return Err(error),
        };
        health.lacks(Need::Kinds, &missing);
        if missing != said {
            tracing::warn!(error = missing, "waiting for what is missing; it is looked for again and again");
            said = missing;
        }
        pause(LOOK_AGAIN).await;
    }
}

async fn kinds(client: &Client, places: &[Option<String>]) -> Result<(), Error> {
    for place in places {
        let place = place.as_deref();
        check::<QlikTenant>(client, place).await?;
        check::<QlikIdentityProvider>(client, place).await?;
        check::<QlikOAuthClient>(client, place).await?;
        check::<QlikOffboarding>(client, place).await?;
    }
    Ok(())
}

/// A kind that cannot be listed would make its controller wait without a word.
async fn check<K: Managed>(client: &Client, place: Option<&str>) -> Result<(), Error> {
    let place_text = || place.map_or_else(|| "the cluster".to_owned(), |n| format!("namespace {n}"));
    let list = api::<K>(client, place);
    let first = kube::api::ListParams::default().limit(1);
    match tokio::time::timeout(CHECK_DEADLINE, list.list_metadata(&first)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(source)) if matches!(source, kube::Error::Api(_)) => {
            Err(Error::Kind { kind: K::KIND, place: place_text(), source: Box::new(source) })
        }
        Ok(Err(source)) => Err(Error::Unreachable { source: Box::new(source) }),
        Err(_) => Err(Error::Silent(CHECK_DEADLINE)),
    }
}

/// What names this cluster in marks: the setting, or the uid of a namespace that lives as long as the cluster (or as the
/// operator, whose Lease is in its own; or as the operator's only namespaces).
async fn cluster_id(client: &Client, settings: &Settings) -> Result<String, Error> {
    if let Some(id) = &settings.cluster_id {
        return Ok(id.clone());
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let mut last = None;
    let own = settings.lease.iter().map(|(namespace, _)| namespace.as_str());
    for name in std::iter::once("kube-system").chain(own).chain(settings.namespaces.first().map(String::as_str)) {
        match tokio::time::timeout(CHECK_DEADLINE, namespaces.get_metadata(name)).await {
            Ok(Ok(found)) => return Ok(found.metadata.uid.unwrap_or_default()),
            Ok(Err(source)) if matches!(source, kube::Error::Api(_)) => last = Some(source),
            Ok(Err(source)) => return Err(Error::Unreachable { source: Box::new(source) }),
            Err(_) => return Err(Error::Silent(CHECK_DEADLINE)),
        }
    }
    last.map_or(Err(Error::Silent(CHECK_DEADLINE)), |source| Err(Error::ClusterId { source: Box::new(source) }))
}

/// An API server that takes the connection and says nothing must not keep a start waiting for ever.
const CHECK_DEADLINE: Duration = Duration::from_secs(20);
/// Between two looks for what is missing.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

#[expect(clippy::disallowed_methods, reason = "before any pass there is nothing to requeue")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
