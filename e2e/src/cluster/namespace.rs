//! Namespaces of one test each.
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, PostParams};

use super::Cluster;
use super::error::{Error, kube_error};
use crate::process::until;

/// How long deletion may take: the namespace controller waits between its looks.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long dropping may hold up the end of a test.
const BRIEFLY: Duration = Duration::from_secs(5);

/// A namespace that no other test uses. Its deletion is asked for when it is dropped.
pub struct TestNamespace {
    name: String,
    config: kube::Config,
    deleted: bool,
}

impl Cluster {
    /// A new namespace, its name unique after the prefix.
    pub async fn namespace(&self, prefix: &str) -> Result<TestNamespace, Error> {
        let name = format!("{prefix}-{:08x}", rand::random::<u32>());
        let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        let created = Api::<Namespace>::all(self.admin()?).create(&PostParams::default(), &namespace).await;
        created.map_err(kube_error(format!("create namespace {name}")))?;
        Ok(TestNamespace { name, config: self.config.clone(), deleted: false })
    }
}

impl TestNamespace {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Deletes it and waits until it is gone with everything in it.
    pub async fn delete(mut self) -> Result<(), Error> {
        let namespaces: Api<Namespace> = self.request_deletion().await?;
        let doing = format!("namespace {} goes away", self.name);
        until(PATIENCE, &doing, async || {
            let found = namespaces.get_opt(&self.name).await.map_err(kube_error("read the namespace"))?;
            Ok(found.is_none().then_some(()))
        })
        .await
    }

    async fn request_deletion(&mut self) -> Result<Api<Namespace>, Error> {
        let client = kube::Client::try_from(self.config.clone()).map_err(kube_error("make a client"))?;
        let namespaces: Api<Namespace> = Api::all(client);
        let answer = namespaces.delete(&self.name, &DeleteParams::default()).await;
        answer.map_err(kube_error(format!("delete namespace {}", self.name)))?;
        self.deleted = true;
        Ok(namespaces)
    }
}

impl Drop for TestNamespace {
    fn drop(&mut self) {
        if self.deleted {
            return;
        }
        // The test's own runtime is about to end and would not carry this out any more.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
                // Best effort: an embedded cluster goes away as a whole, and may be down already.
                let _ = runtime.block_on(async { tokio::time::timeout(BRIEFLY, self.request_deletion()).await });
            });
        });
    }
}
