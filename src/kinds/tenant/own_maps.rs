//! `ConfigMap`s in the operator's own namespace: what has to outlive this process and belongs to no object. Each write is
//! a compare-and-swap. The chart grants the rights to each by its name.

use crate::engine::{Context, Error, within};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use kube::core::ObjectMeta;
use std::collections::BTreeMap;

/// How often a write is tried again that lost a race. Another process writes only while it is being replaced by this one.
pub(super) const ATTEMPTS: usize = 5;

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
    pub(super) fn data(&self) -> Option<BTreeMap<String, String>> {
        self.found.as_ref().map(|map| map.data.clone().unwrap_or_default())
    }

    /// Writes its keys and texts, if nothing changed since it was read. Losing the race is [`Error::Raced`].
    pub(super) async fn write(self, what: &'static str, data: BTreeMap<String, String>) -> Result<(), Error> {
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
