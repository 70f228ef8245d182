//! A name that is deleted and created again at once, while Kubernetes is still collecting the former Secret: each object
//! ends with a client and a Secret of its own.

use super::operation::machine;
use e2e::app::{App, As};
use e2e::sim::ByHand;
use e2e::stage::{Error, Inside, Setup, Stage, is_ready, manifest, show};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use qlik_operator::crd::QlikOAuthClient;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

const NAMES: usize = 20;
const ROUNDS: usize = 10;
/// Each has its own budget of calls.
const TENANTS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_times_deleted_and_created_again_at_once() {
    let stage = Stage::new(Setup::new("reborn")).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    for n in 0..TENANTS {
        stage.put(&manifest(&format!("acme-{n}"), "")).await.unwrap();
    }
    for n in 0..TENANTS {
        stage.until(&format!("acme-{n}"), "is ready", is_ready).await.unwrap();
    }
    let overtaken = AtomicUsize::new(0);
    let all = try_join_all((0..NAMES).map(|n| lives(&stage, n, &overtaken))).await.unwrap();
    let clients: BTreeSet<_> = all.into_iter().flatten().collect();
    assert_eq!(clients.len(), NAMES * ROUNDS, "an object had the client of another one");
    let (made, deleted) = (stage.committed("oauth-client.created"), stage.committed("oauth-client.deleted"));
    assert_eq!((made, deleted), (NAMES * ROUNDS, NAMES * ROUNDS));
    for tenant in stage.sim.tenants() {
        let list = ByHand { method: "GET".to_owned(), path: super::operation::PATH.to_owned(), body: None };
        let left = stage.sim.by_hand(&tenant.id, &list).unwrap().body["data"].clone();
        assert_eq!(left, serde_json::json!([]), "left behind in Qlik Cloud");
    }
    let overtaken = overtaken.load(Ordering::Relaxed);
    show(&format!("reborn: {made} objects of {NAMES} names, the former Secret was still there {overtaken} times"));
    assert!(overtaken > 0, "Kubernetes was always faster: this shows nothing");
}

/// The lives of one name, one after the other. Answers the clients that it had.
async fn lives(stage: &Stage, number: usize, overtaken: &AtomicUsize) -> Result<Vec<String>, Error> {
    let name = format!("app-{number}");
    let text = machine(&name).replace("{name: acme}", &format!("{{name: acme-{}}}", number % TENANTS));
    let object: QlikOAuthClient = serde_saphyr::from_str(&text)?;
    let secrets = Api::<Secret>::namespaced(stage.admin(), stage.ns());
    let mut clients = Vec::new();
    for _ in 0..ROUNDS {
        let created = stage.until_some("the name is free", async || create(stage, &object).await).await?;
        if secrets.get_metadata_opt(&name).await?.is_some_and(|secret| owner(&secret.metadata) != Some(created.clone()))
        {
            overtaken.fetch_add(1, Ordering::Relaxed);
        }
        let ready = stage.until_client(&name, "is ready", Inside::is_ready).await?;
        let secret = secrets.get(&name).await?;
        let given = stage.read_secret(&name).await?;
        let id = ready.status.as_ref().and_then(|status| status.client_id.clone()).unwrap_or_default();
        if ready.metadata.uid.as_ref() != Some(&created) || owner(&secret.metadata) != Some(created) {
            return Err(format!("{name} is ready with a Secret that is not its own").into());
        }
        if given.get("clientId") != Some(&id) {
            return Err(format!("{name} has client {id} and the Secret of {:?}", given.get("clientId")).into());
        }
        App::new(&stage.sim)?.token(&given, As::Itself).await?;
        clients.push(id);
        stage.delete_child::<QlikOAuthClient>(&name).await?;
    }
    stage.until_child_gone::<QlikOAuthClient>(&name).await?;
    Ok(clients)
}

/// Creates the object if the name is free. Its uid.
async fn create(stage: &Stage, object: &QlikOAuthClient) -> Result<Option<String>, Error> {
    match stage.clients().create(&PostParams::default(), object).await {
        Ok(created) => Ok(created.metadata.uid),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Uid of the object that controls a Secret.
fn owner(meta: &kube::core::ObjectMeta) -> Option<String> {
    let mut owners = meta.owner_references.iter().flatten();
    owners.find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.clone())
}
