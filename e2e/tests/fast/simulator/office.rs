//! A tenant in a simulator, and what its administrator does in one of its APIs.

use e2e::sim::{ByHand, Config, Done, Options};
use reqwest::Method;
use serde_json::Value;

use super::cloud::{Answer, Cloud};

pub(crate) struct Office {
    pub(crate) cloud: Cloud,
    pub(crate) id: String,
    pub(crate) host: String,
    /// The API that calls go to.
    path: &'static str,
}

impl Office {
    pub(crate) async fn open(path: &'static str, options: Options) -> Self {
        Self::with(path, Config { options, ..Config::default() }).await
    }

    pub(crate) async fn with(path: &'static str, config: Config) -> Self {
        let cloud = Cloud::with(config);
        let (id, host) = cloud.tenant().await;
        Self { cloud, id, host, path }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.cloud.call(method, &self.host, &format!("{}{path}", self.path), body).await
    }

    pub(crate) async fn post(&self, body: Value) -> Answer {
        self.call(Method::POST, "", Some(body)).await
    }

    /// Creates what must be accepted.
    pub(crate) async fn created(&self, body: Value) -> Value {
        let answer = self.post(body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body
    }

    pub(crate) async fn get(&self, id: &str) -> Value {
        self.call(Method::GET, &format!("/{id}"), None).await.body
    }

    pub(crate) async fn patch(&self, id: &str, operations: Value) -> Answer {
        self.call(Method::PATCH, &format!("/{id}"), Some(operations)).await
    }

    pub(crate) fn by_hand(&self, method: &str, path: &str, body: Option<Value>) -> Done {
        let wanted = ByHand { method: method.to_owned(), path: format!("{}{path}", self.path), body };
        self.cloud.sim.by_hand(&self.id, &wanted).unwrap()
    }

    /// What the journal says was changed, tokens and the tenant aside.
    pub(crate) fn effects(&self) -> Vec<String> {
        let all = self.cloud.sim.journal().into_iter().filter_map(|entry| entry.effect);
        all.filter(|effect| effect != "token.issued" && effect != "tenant.created").collect()
    }
}
