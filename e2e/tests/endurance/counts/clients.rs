//! A thousand OAuth clients in five tenants: what they cost, made, changed, compared, left alone and deleted.

use e2e::cluster::audit::{Entry, Filter, Position};
use e2e::stage::{Error, PATIENCE, Setup, Stage, is_ready, manifest, show};
use futures::{StreamExt, TryStreamExt, stream};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use qlik_operator::crd::QlikOAuthClient;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const TENANTS: usize = 5;
const CLIENTS: usize = 1_000;
const AT_ONCE: usize = 16;
const INTERVAL: Duration = Duration::from_mins(30);
/// Qlik Cloud takes a hundred writes a minute for each tenant; the machine may be slow besides.
const LONG: Duration = PATIENCE.saturating_mul(8);

struct Ground {
    stage: Stage,
    clients: Api<QlikOAuthClient>,
}

impl Ground {
    async fn new(tenants: usize) -> Result<Self, Error> {
        let stage = Stage::new(Setup::new("clients")).await?;
        let clients = Api::namespaced(stage.admin(), stage.ns());
        for tenant in 0..tenants {
            stage.put(&manifest(&format!("tenant-{tenant}"), "")).await?;
        }
        Ok(Self { stage, clients })
    }

    async fn create(&self, count: usize, tenants: usize) -> Result<(), Error> {
        let created = stream::iter(0..count).map(|n| async move {
            let object = object(&format!("app-{n}"), &format!("tenant-{}", n % tenants))?;
            self.clients.create(&PostParams::default(), &object).await.map_err(Error::from)
        });
        created.buffer_unordered(AT_ONCE).try_for_each(|_| async { Ok(()) }).await
    }

    async fn until_ready(&self, count: usize, patience: Duration) -> Result<(), Error> {
        let wanted = |client: &QlikOAuthClient| ready(client);
        let all = e2e::process::until::<_, Error, _>(patience, "all clients are ready", async || {
            let all = self.clients.list(&ListParams::default()).await?.items;
            Ok((all.iter().filter(|client| wanted(client)).count() == count).then_some(()))
        });
        if let Err(error) = all.await {
            let all = self.clients.list(&ListParams::default()).await?.items;
            let left = all.into_iter().find(|client| !wanted(client)).and_then(|client| client.status);
            return Err(format!("{error}; one is {left:#?}").into());
        }
        Ok(())
    }

    /// Writes of the operator, events left out, by what they are.
    async fn writes(&self, since: Position) -> Result<BTreeMap<String, usize>, Error> {
        let audit = self.stage.cluster.audit()?;
        let filter = Filter::new().user(self.stage.identity.user());
        let mut writes = BTreeMap::new();
        for Entry { verb, resource, subresource, group, code, .. } in audit.writes(since, &filter).await? {
            if group != "events.k8s.io" {
                *writes.entry(format!("{verb} {resource} {subresource} {code}")).or_default() += 1;
            }
        }
        Ok(writes)
    }

    fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for entry in self.stage.sim.journal() {
            let path = entry.path.split('?').next().unwrap_or_default().trim_start_matches("/api/v1/");
            let path = path.split('/').map(|part| if part.len() > 20 { "{id}" } else { part });
            *calls.entry(format!("{} {}", entry.method, path.collect::<Vec<_>>().join("/"))).or_default() += 1;
        }
        calls
    }
}

fn ready(client: &QlikOAuthClient) -> bool {
    let conditions = client.status.iter().flat_map(|status| &status.conditions);
    conditions
        .into_iter()
        .any(|c| c.type_ == "Ready" && c.status == "True" && c.observed_generation == client.metadata.generation)
}

fn object(name: &str, tenant: &str) -> Result<QlikOAuthClient, Error> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "qlik-operator.dev/v1alpha1",
        "kind": "QlikOAuthClient",
        "metadata": { "name": name },
        "spec": {
            "tenantRef": { "name": tenant },
            "appType": "web",
            "clientName": name,
            "scopes": ["user_default"],
            "grantTypes": ["client_credentials"],
            "consent": "Trusted",
            "auth": { "clientSecret": { "secret": { "name": format!("{name}-oauth") } } },
        },
    }))?)
}

fn sum(counts: &BTreeMap<String, usize>, what: &str) -> usize {
    counts.iter().filter(|(key, _)| key.starts_with(what)).map(|(_, count)| count).sum()
}

async fn position(stage: &Stage) -> Position {
    stage.sim.clear_journal();
    stage.cluster.audit().unwrap().position().await.unwrap()
}

#[tokio::test]
async fn one_client_is_made_changed_and_deleted_with_as_little_as_can_be() {
    let ground = Ground::new(1).await.unwrap();
    let stage = &ground.stage;
    let _operator = stage.operator().await.unwrap();
    stage.until("tenant-0", "is ready", is_ready).await.unwrap();
    let since = position(stage).await;
    ground.create(1, 1).await.unwrap();
    ground.until_ready(1, PATIENCE).await.unwrap();
    let (writes, calls) = (ground.writes(since).await.unwrap(), ground.calls());
    show(&format!("  one client made: {writes:?} {calls:?}"));
    assert_eq!(writes.values().sum::<usize>(), 3, "{writes:?}");
    assert_eq!((sum(&calls, "POST oauth-clients"), sum(&calls, "PATCH")), (1, 0));
    // The look that follows a result which was taken from an answer.
    stage.turn(Duration::from_secs(40)).unwrap();
    stage
        .until_some("the look afterwards", async || {
            Ok((sum(&ground.calls(), "GET oauth-clients") > sum(&calls, "GET oauth-clients")).then_some(()))
        })
        .await
        .unwrap();

    let since = position(stage).await;
    let change = Patch::Merge(json!({ "spec": { "clientName": "Other" } }));
    ground.clients.patch("app-0", &PatchParams::default(), &change).await.unwrap();
    ground.until_ready(1, PATIENCE).await.unwrap();
    let (writes, calls) = (ground.writes(since).await.unwrap(), ground.calls());
    show(&format!("  one client changed: {writes:?} {calls:?}"));
    assert_eq!(
        (writes.values().sum::<usize>(), sum(&calls, "PATCH"), sum(&calls, "POST oauth-clients")),
        (1, 1, 0),
        "{writes:?}"
    );

    let since = position(stage).await;
    ground.clients.delete("app-0", &DeleteParams::default()).await.unwrap();
    let gone = async || Ok(ground.clients.get_opt("app-0").await?.is_none().then_some(()));
    stage.until_some("the object is gone", gone).await.unwrap();
    let (writes, calls) = (ground.writes(since).await.unwrap(), ground.calls());
    show(&format!("  one client deleted: {writes:?} {calls:?}"));
    assert_eq!((writes.values().sum::<usize>(), sum(&calls, "DELETE oauth-clients")), (1, 1), "{writes:?}");
    let swept = async || Ok((!stage.has_secret("app-0-oauth").await?).then_some(()));
    stage.until_some("its Secret is gone", swept).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_in_five_tenants() {
    let ground = Ground::new(TENANTS).await.unwrap();
    let stage = &ground.stage;
    let operator = stage.operator().await.unwrap();
    for tenant in 0..TENANTS {
        stage.until(&format!("tenant-{tenant}"), "is ready", is_ready).await.unwrap();
    }
    let since = position(stage).await;
    let start = std::time::Instant::now();
    ground.create(CLIENTS, TENANTS).await.unwrap();
    ground.until_ready(CLIENTS, LONG).await.unwrap();
    let took = start.elapsed().as_secs();
    let (writes, calls) = (ground.writes(since).await.unwrap(), ground.calls());
    show(&format!("  {CLIENTS} clients made in {took} s: {writes:?} {calls:?}"));
    assert_eq!(sum(&calls, "POST oauth-clients"), CLIENTS, "one POST each");
    assert_eq!(sum(&calls, "PATCH"), 0);
    assert_eq!(writes.values().sum::<usize>(), 3 * CLIENTS, "{writes:?}");
    assert_eq!(stage.committed("oauth-client.created"), CLIENTS);

    settle(&ground).await;
    let since = position(stage).await;
    stage.turn(INTERVAL + Duration::from_secs(60)).unwrap();
    settle(&ground).await;
    let (writes, calls) = (ground.writes(since).await.unwrap(), ground.calls());
    show(&format!("  drift sweep of {CLIENTS} clients in {TENANTS} tenants: {writes:?} {calls:?}"));
    let of_clients = sum(&calls, "GET oauth-clients");
    assert!((2 * TENANTS..=60).contains(&of_clients), "{calls:?}");
    assert_eq!(
        calls.values().sum::<usize>()
            - sum(&calls, "POST oauth/token")
            - sum(&calls, "POST /oauth/token")
            - sum(&calls, "GET tenants"),
        of_clients,
        "{calls:?}"
    );
    assert_eq!(writes, BTreeMap::new(), "steady state");

    operator.terminate().unwrap();
    operator.ended().await;
    let since = position(stage).await;
    let operator = stage.operator().await.unwrap();
    let started = tokio::time::Instant::now();
    let mut again = e2e::process::interval(Duration::from_millis(250));
    while started.elapsed() < Duration::from_secs(30) {
        again.tick().await;
        assert!(stage.sim.journal().is_empty(), "no call to Qlik Cloud: {:?}", stage.sim.journal());
    }
    assert_eq!(ground.writes(since).await.unwrap(), BTreeMap::new(), "no write");
    stage.turn(INTERVAL + Duration::from_secs(60)).unwrap();
    settle(&ground).await;
    assert_eq!(ground.writes(since).await.unwrap(), BTreeMap::new(), "no write");
    let usage = operator.usage().unwrap();
    let mib = usage.peak_resident.unwrap_or_default() / 1024 / 1024;
    show(&format!(
        "  restart with {CLIENTS} clients: no call and no write in 30 s; peak {mib} MiB, CPU {:.1} s",
        usage.cpu.as_secs_f64()
    ));
}

/// Waits until nothing has been asked of Qlik Cloud for a while.
async fn settle(ground: &Ground) {
    let (mut last, mut since) = (usize::MAX, tokio::time::Instant::now());
    let mut again = e2e::process::interval(Duration::from_millis(200));
    while since.elapsed() < Duration::from_secs(4) {
        again.tick().await;
        let now = ground.stage.sim.journal().len();
        if now != last {
            (last, since) = (now, tokio::time::Instant::now());
        }
    }
}
