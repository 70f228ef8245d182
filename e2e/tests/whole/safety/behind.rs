//! An operator to which the API server shows its own writes late.

use super::support::*;
use e2e::cluster::proxy::{Before, Hooks, Proxy};
use e2e::sim::Options;
use e2e::stage::{Inside, Setup, Stage, child_manifest};
use http::Method;
use qlik_operator::crd::QlikIdentityProvider;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

const TOKENS: &str = "description: first
jwt: {issuer: https://app.acme.example, key: {generate: {secret: {name: tokens}}}}";

/// A field that Qlik Cloud does not show is written when the manifest changes. That it was written stands in the status,
/// which the watch has not shown yet when the next pass comes, an hour later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_watch_has_not_shown_yet_is_not_done_again() {
    let stage = Stage::new(Setup::new("behind")).await.unwrap();
    let hidden = vec!["identityProviders.description".to_owned()];
    stage.sim.set_options(Options { omit: hidden, ..Options::default() }).unwrap();
    let (flow, shown) = watch::channel(true);
    let (flow, armed) = (Arc::new(flow), Arc::new(AtomicBool::new(false)));
    let hooks = {
        let (flow, armed) = (flow.clone(), armed.clone());
        Hooks::default().watches(shown).before_request(move |asked| {
            let status = asked.method == Method::PATCH && asked.path.ends_with("/qlikidentityproviders/tokens/status");
            if status && armed.swap(false, Ordering::SeqCst) {
                flow.send_replace(false);
            }
            Before::Forward
        })
    };
    let proxy = Proxy::start(stage.cluster, &stage.identity, hooks).await.unwrap();
    let _operator = stage.operator_with(proxy.kubeconfig(), &[]).await.unwrap();
    onboard(&stage, "acme", "alias: acme").await;
    stage.apply(&child_manifest("QlikIdentityProvider", ("tokens", "acme"), TOKENS)).await.unwrap();
    stage.until_child::<QlikIdentityProvider>("tokens", "is ready", Inside::is_ready).await.unwrap();
    let is_write = |e: &e2e::sim::Entry| e.method == "PATCH" && e.path.starts_with("/api/v1/identity-providers/");
    let written = || stage.sim.journal().iter().filter(|entry| is_write(entry)).count();
    let before = written();

    armed.store(true, Ordering::SeqCst);
    let second = json!({ "spec": { "description": "second" } });
    stage.patch_child::<QlikIdentityProvider>("tokens", second).await.unwrap();
    stage.until_child::<QlikIdentityProvider>("tokens", "is written", Inside::is_ready).await.unwrap();
    assert!(!*flow.borrow(), "its watch is behind from here on");
    for _ in 0..3 {
        let looks = || stage.called("GET", "/api/v1/identity-providers");
        let looked = looks();
        stage.turn(HOUR).unwrap();
        let again = async || Ok((looks() > looked).then_some(()));
        stage.until_some("the providers are looked at again", again).await.unwrap();
    }
    flow.send_replace(true);
    stage.child_pass::<QlikIdentityProvider>("tokens").await.unwrap();
    assert_eq!(written() - before, 1);
}
