//! What tells one namespace from another of the same name.

use crate::engine::{Context, Error, within};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;

/// The uid of a namespace; `None` when there is no such namespace. Read live: a namespace that was deleted and made again
/// is another one.
pub(super) async fn uid(name: &str, cx: &Context) -> Result<Option<String>, Error> {
    let namespaces: Api<Namespace> = Api::all(cx.client.clone());
    let found = within("read the namespace", namespaces.get_metadata_opt(name)).await?;
    Ok(found.and_then(|namespace| namespace.metadata.uid))
}
