//! The proxy in front of the API server: it passes everything on, and what a hook wants dropped is dropped.
use std::pin::pin;
use std::sync::{Arc, Mutex};

use e2e::cluster::proxy::{After, Before, Hooks, Proxy, Request};
use e2e::cluster::{Identity, TestNamespace};
use futures::TryStreamExt;
use http::StatusCode;
use kube::api::{Patch, PatchParams, WatchEvent, WatchParams};

use super::*;

struct Setup {
    cluster: &'static Cluster,
    namespace: TestNamespace,
    identity: Identity,
}

async fn setup(prefix: &str) -> Setup {
    let cluster = Cluster::shared().await.expect("cluster");
    let namespace = cluster.namespace(prefix).await.expect("namespace");
    let identity = cluster.identity(&format!("operator-{}", namespace.name()), &[ADMINS]).await.expect("identity");
    Setup { cluster, namespace, identity }
}

impl Setup {
    async fn proxy(&self, hooks: Hooks) -> (Proxy, Api<ConfigMap>) {
        let proxy = Proxy::start(self.cluster, &self.identity, hooks).await.expect("proxy");
        let client = proxy.client().await.expect("client");
        (proxy, Api::namespaced(client, self.namespace.name()))
    }

    /// The same objects without the proxy.
    fn direct(&self) -> Api<ConfigMap> {
        Api::namespaced(self.cluster.admin().expect("client"), self.namespace.name())
    }
}

#[tokio::test]
async fn requests_are_counted_shown_and_made_as_the_operator() {
    let setup = setup("proxy-count").await;
    let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
    let record = Arc::clone(&seen);
    let hooks = Hooks::default().after_request(move |request| {
        record.lock().expect("lock").push(request.clone());
        After::Answer
    });
    let (proxy, maps) = setup.proxy(hooks).await;
    maps.create(&PostParams::default(), &config_map("one")).await.expect("create");
    let patch = serde_json::json!({ "data": { "key": "x".repeat(200_000) } });
    maps.patch("one", &PatchParams::default(), &Patch::Merge(&patch)).await.expect("patch");
    let read = maps.get("one").await.expect("read");
    assert_eq!(read.data.expect("data")["key"].len(), 200_000);
    maps.get("two").await.expect_err("it does not exist");

    assert_eq!(proxy.finished(), 4);
    let seen: Vec<_> = seen.lock().expect("lock").iter().map(|r| (r.seq, r.method.to_string(), r.status)).collect();
    let expected = [
        (1, "POST".to_owned(), StatusCode::CREATED),
        (2, "PATCH".to_owned(), StatusCode::OK),
        (3, "GET".to_owned(), StatusCode::OK),
        (4, "GET".to_owned(), StatusCode::NOT_FOUND),
    ];
    assert_eq!(seen, expected);
    let audit = setup.cluster.audit().expect("audit log");
    let filter = Filter::new().user(setup.identity.user());
    assert_eq!(audit.entries(Position::START, &filter).await.expect("entries").len(), 4);
}

#[tokio::test]
async fn a_dropped_answer_was_still_carried_out() {
    let setup = setup("proxy-drop").await;
    let hooks = Hooks::default().after_request(|request| match request.seq {
        1 => After::Drop,
        _ => After::Answer,
    });
    let (proxy, maps) = setup.proxy(hooks).await;
    let error = maps.create(&PostParams::default(), &config_map("one")).await.expect_err("no answer");
    assert!(!matches!(error, kube::Error::Api(_)), "{error}");
    assert_eq!(proxy.finished(), 1);
    setup.direct().get("one").await.expect("it was created");
    maps.get("one").await.expect("the next connection works");
}

#[tokio::test]
async fn what_is_refused_dropped_or_left_hanging_never_reaches_the_api_server() {
    let setup = setup("proxy-before").await;
    let hooks = Hooks::default().before_request(|call| match call.path.rsplit('/').next() {
        Some("refused") => Before::Fail(StatusCode::FORBIDDEN),
        Some("dropped") => Before::Drop,
        Some("hanging") => Before::Hang,
        _ => Before::Forward,
    });
    let (proxy, maps) = setup.proxy(hooks).await;
    let refused = maps.get("refused").await.expect_err("refused");
    assert!(is_status(&refused, 403), "{refused}");
    let dropped = maps.get("dropped").await.expect_err("dropped");
    assert!(!matches!(dropped, kube::Error::Api(_)), "{dropped}");
    tokio::time::timeout(Duration::from_millis(300), maps.get("hanging")).await.expect_err("no answer ever");
    maps.list(&ListParams::default()).await.expect("others pass");
    assert_eq!(proxy.finished(), 1);
    let filter = Filter::new().user(setup.identity.user());
    let audit = setup.cluster.audit().expect("audit log");
    assert_eq!(audit.entries(Position::START, &filter).await.expect("entries").len(), 1);
}

#[tokio::test]
async fn watches_stream_through_and_end_with_the_proxy() {
    let setup = setup("proxy-watch").await;
    let (proxy, maps) = setup.proxy(Hooks::default()).await;
    let version = maps.list(&ListParams::default()).await.expect("list").metadata.resource_version.expect("version");
    let mut events = pin!(maps.watch(&WatchParams::default(), &version).await.expect("watch"));
    for name in ["one", "two"] {
        setup.direct().create(&PostParams::default(), &config_map(name)).await.expect("create");
        // The root certificates that a controller publishes in each namespace may come in between.
        loop {
            let event = tokio::time::timeout(SOON, events.try_next()).await.expect("in time").expect("event");
            match event.expect("the watch goes on") {
                WatchEvent::Added(map) if map.metadata.name.as_deref() == Some(name) => break,
                WatchEvent::Error(error) => panic!("{error}"),
                _ => {}
            }
        }
    }
    assert_eq!(proxy.finished(), 1, "the list; the watch does not count");
    let filter = Filter::new().user(setup.identity.user()).verb("watch");
    let audit = setup.cluster.audit().expect("audit log");
    assert_eq!(audit.entries(Position::START, &filter).await.expect("entries").len(), 1);

    drop(proxy);
    let end = tokio::time::timeout(SOON, events.try_next()).await.expect("in time");
    assert!(!matches!(end, Ok(Some(WatchEvent::Added(_)))), "{end:?}");
}
