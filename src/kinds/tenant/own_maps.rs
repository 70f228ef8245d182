//! `ConfigMap`s in the operator's own namespace: what has to outlive this process and belongs to no object. Each write is
//! a compare-and-swap. The chart grants the rights to each by its name.

use crate::engine::{Context, Error, within};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use kube::core::ObjectMeta;
use std::collections::BTreeMap;

/// How often a write is tried again that lost a race. Another process writes only while it is being replaced by this one.
const ATTEMPTS: usize = 5;

/// The keys and texts of one.
pub(super) type Data = BTreeMap<String, String>;

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// It is written.
    Written,
    /// Nothing was to be changed.
    Left,
    /// The operator's own namespace is not known.
    Nowhere,
}

/// Reads one, and writes what `change` makes of it; `change` is told nothing while there is none of that name, and answers
/// nothing to leave it as it is. Starts anew when another process wrote it meanwhile, and fails with [`Error::Raced`] when
/// that happens time and again. `reads` and `writes` say for people what is done.
pub(super) async fn change(
    name: &'static str,
    (reads, writes): (&'static str, &'static str),
    cx: &Context,
    mut change: impl FnMut(Option<Data>) -> Result<Option<Data>, Error> + Send,
) -> Result<Changed, Error> {
    for _ in 0..ATTEMPTS {
        let Some(map) = OwnMap::read(name, reads, cx).await? else {
            return Ok(Changed::Nowhere);
        };
        let Some(data) = change(map.data())? else {
            return Ok(Changed::Left);
        };
        match map.write(writes, data).await {
            Err(Error::Raced) => {}
            written => return written.map(|()| Changed::Written),
        }
    }
    Err(Error::Raced)
}

/// One `ConfigMap` as it was read.
pub(super) struct OwnMap {
    api: Api<ConfigMap>,
    name: &'static str,
    found: Option<ConfigMap>,
}

impl OwnMap {
    /// Reads it; there may be none of that name yet. `None` when the operator's own namespace is not known.
    pub(super) async fn read(name: &'static str, what: &'static str, cx: &Context) -> Result<Option<Self>, Error> {
        let Some(namespace) = cx.settings.operator_namespace.as_deref() else {
            return Ok(None);
        };
        let api: Api<ConfigMap> = Api::namespaced(cx.client.clone(), namespace);
        let found = within(what, api.get_opt(name)).await?;
        Ok(Some(Self { api, name, found }))
    }

    /// Its keys and texts; `None` while there is no such `ConfigMap`.
    pub(super) fn data(&self) -> Option<Data> {
        self.found.as_ref().map(|map| map.data.clone().unwrap_or_default())
    }

    /// Writes its keys and texts, if nothing changed since it was read. Losing the race is [`Error::Raced`].
    async fn write(self, what: &'static str, data: Data) -> Result<(), Error> {
        let params = PostParams::default();
        if let Some(map) = self.found {
            // It carries the version that was read.
            let map = ConfigMap { data: Some(data), ..map };
            within(what, self.api.replace(self.name, &params, &map)).await.map(drop)
        } else {
            let metadata = ObjectMeta { name: Some(self.name.to_owned()), ..ObjectMeta::default() };
            let map = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
            within(what, self.api.create(&params, &map)).await.map(drop)
        }
    }
}
