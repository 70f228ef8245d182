//! What was asked for is taken back when the operator is about to make the call: nothing is called.

use super::support::*;
use e2e::cluster::proxy::{Before, Hooks, Proxy};
use e2e::stage::{Error, Setup, Stage, manifest};
use e2e::table;
use kube::Api;
use kube::api::{Patch, PatchParams};
use qlik_operator::crd::QlikTenant;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// What is changed at the last moment, and how often the tenant was deactivated in the end.
#[derive(Clone)]
struct Row {
    restart: bool,
    change: Value,
}

fn rows() -> Vec<(String, Row)> {
    let annotation = json!({ "metadata": { "annotations": { "qlik-operator.dev/restart-purge-window": null } } });
    let other =
        json!({ "metadata": { "annotations": { "qlik-operator.dev/restart-purge-window": "2031-01-01T00:00:00Z" } } });
    let spec = |spec: Value| json!({ "spec": spec });
    [
        ("a restarted window, annotation taken away", true, annotation),
        ("a restarted window, annotation with another date", true, other),
        ("a restarted window, suspended", true, spec(json!({ "suspend": true }))),
        ("a restarted window, declared Active", true, spec(json!({ "lifecycle": "Active" }))),
        ("a deactivation, declared Active", false, spec(json!({ "lifecycle": "Active" }))),
        ("a deactivation, suspended", false, spec(json!({ "suspend": true }))),
        (
            "a deactivation, another name to confirm",
            false,
            spec(json!({ "offboarding": { "confirmHostname": "x.us.qlikcloud.com" } })),
        ),
        (
            "a deactivation, another tenant to adopt",
            false,
            spec(json!({ "adopt": { "tenantId": "another", "hostname": "x.us.qlikcloud.com" } })),
        ),
    ]
    .map(|(name, restart, change)| (name.to_owned(), Row { restart, change }))
    .to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_taken_back_at_the_last_moment_is_not_done() {
    table::run("taken back at the last moment", rows(), |row| async move { Box::pin(course(&row)).await }).await;
}

/// Makes the change when the operator asks live whom the tenant belongs to, the last thing before it reads the object.
fn hooks(tenants: Api<QlikTenant>, armed: Arc<Mutex<Option<Value>>>) -> Hooks {
    let runtime = tokio::runtime::Handle::current();
    Hooks::default().before_request(move |call| {
        let live = call.path.ends_with("/qliktenants") && call.query.contains("fieldSelector");
        let change = if live { armed.lock().unwrap().take() } else { None };
        if let Some(change) = change {
            let (tenants, runtime) = (tenants.clone(), runtime.clone());
            let done = std::thread::spawn(move || {
                runtime.block_on(tenants.patch("acme", &PatchParams::default(), &Patch::Merge(&change))).map(drop)
            });
            done.join().unwrap().unwrap();
        }
        Before::Forward
    })
}

async fn course(row: &Row) -> Result<String, Error> {
    let stage = Stage::new(Setup::new("last-moment")).await?;
    let armed_with = Arc::new(Mutex::new(None));
    let proxy = Proxy::start(stage.cluster, &stage.identity, hooks(stage.tenants(), armed_with.clone())).await?;
    let _operator = stage.operator_with(proxy.kubeconfig(), &[]).await?;
    onboard(&stage, "acme", &armed("")).await;
    let before = usize::from(row.restart);
    if row.restart {
        let acme = offboard(&stage, "acme", &off("")).await;
        let date = purge_at(&acme).ok_or("no date")?;
        *armed_with.lock().unwrap() = Some(row.change.clone());
        annotate(&stage, "acme", "restart-purge-window", Some(&date.to_string())).await;
    } else {
        *armed_with.lock().unwrap() = Some(row.change.clone());
        stage.put(&manifest("acme", &off(""))).await?;
    }
    stage.until_some("the last moment", async || Ok(armed_with.lock().unwrap().is_none().then_some(()))).await?;
    for _ in 0..2 {
        if row.change["spec"]["suspend"] == true {
            stage.until("acme", "is suspended", |t| reason(t) == "Suspended").await?;
        } else {
            stage.pass("acme").await?;
        }
    }
    let calls = deactivations(&stage);
    if calls == before {
        Ok(format!("{calls} calls, as before"))
    } else {
        Err(format!("{calls} calls, not {before}").into())
    }
}
