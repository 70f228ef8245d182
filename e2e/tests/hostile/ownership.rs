//! Whose tenant it is: known or unknown, never assumed. Nobody loses a tenant to an object of another namespace because a
//! list was late, a watch was behind, or an object cannot be understood.

use e2e::cluster::proxy::{Before, Call, Hooks, Proxy};
use e2e::cluster::{Cluster, TestNamespace};
use e2e::process::until;
use e2e::stage::{Error, Operator, PATIENCE, Setup, Stage, condition, is_ready, is_stalled, manifest};
use http::StatusCode;
use kube::Api;
use kube::api::{Patch, PatchParams};
use qlik_operator::crd::QlikTenant;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const HOST: &str = "acme.us.qlikcloud.com";

/// Two namespaces and an operator behind a proxy, which answers what `refused` names while it is told to.
struct Ground {
    stage: Stage,
    other: TestNamespace,
    proxy: Proxy,
    refusing: Arc<AtomicBool>,
}

impl Ground {
    /// `refused` gets the namespace of the holder, and a request.
    async fn new(prefix: &str, refused: fn(&str, &Call) -> Option<Before>) -> Result<Self, Error> {
        let stage = Stage::new(Setup::new(prefix)).await?;
        let other = stage.cluster.namespace(&format!("{prefix}-b")).await?;
        let us = stage.sim.ready().regional["us"].clone();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "qlik-credentials" },
            "stringData": { "clientId": us.client_id, "clientSecret": us.client_secret },
        });
        stage.cluster.kubectl(&["apply", "-n", other.name(), "-f", "-"], &secret.to_string()).await?.succeeded()?;
        let refusing = Arc::new(AtomicBool::new(false));
        let (on, holder) = (refusing.clone(), stage.ns().to_owned());
        let hooks = Hooks::default().before_request(move |call| {
            let refused = on.load(Ordering::SeqCst).then(|| refused(&holder, call)).flatten();
            refused.unwrap_or(Before::Forward)
        });
        let proxy = Proxy::start(stage.cluster, &stage.identity, hooks).await?;
        Ok(Self { stage, other, proxy, refusing })
    }

    fn refuse(&self, on: bool) {
        self.refusing.store(on, Ordering::SeqCst);
    }

    async fn operator(&self) -> Result<Operator, Error> {
        self.stage.operator_with(self.proxy.kubeconfig(), &["--namespaces", self.other.name()]).await
    }

    /// An operator that serves `acme`, which holds a tenant, for as long as it runs. The id of the tenant.
    async fn held(&self) -> Result<(Operator, String), Error> {
        let operator = self.operator().await?;
        let armed = format!("alias: acme\noffboarding: {{confirmHostname: {HOST}}}");
        self.stage.put(&manifest("acme", &armed)).await?;
        let acme = self.stage.until("acme", "is ready", is_ready).await?;
        Ok((operator, acme.status.and_then(|status| status.tenant_id).ok_or("no id")?))
    }

    fn others(&self) -> Api<QlikTenant> {
        Api::namespaced(self.stage.admin(), self.other.name())
    }

    /// Somebody with rights in the other namespace asks for the tenant, and wants it off.
    async fn grab(&self, id: &str) -> Result<(), Error> {
        let grabber: Value = serde_json::to_value(serde_json::Map::from_iter([
            ("apiVersion".to_owned(), json!("qlik-operator.dev/v1alpha1")),
            ("kind".to_owned(), json!("QlikTenant")),
            ("metadata".to_owned(), json!({ "name": "grabber" })),
            (
                "spec".to_owned(),
                json!({
                    "region": "us", "credentialsRef": { "name": "qlik-credentials" },
                    "adopt": { "tenantId": id, "hostname": HOST }, "lifecycle": "Deactivated",
                    "offboarding": { "confirmHostname": HOST, "onDelete": "Deactivate" },
                }),
            ),
        ]))?;
        let params = PatchParams::apply("tenant-admin").force();
        self.others().patch("grabber", &params, &Patch::Apply(grabber)).await?;
        Ok(())
    }

    /// Waits until the grabber was told this reason, in these words.
    async fn told(&self, why: &str, words: &str) -> Result<(), Error> {
        let others = self.others();
        let mut last = None;
        let what = format!("the grabber is told {why}");
        let told = until::<_, Error, _>(PATIENCE, &what, async || {
            let grabber = others.get("grabber").await?;
            last = condition(&grabber, "Ready").cloned();
            Ok(last.clone().filter(|ready| ready.reason == why && ready.message.contains(words)))
        });
        told.await.map(drop).map_err(|error| format!("{error}; it is told {last:?}").into())
    }

    /// Whatever was tried, the tenant is in use and nobody has called for its end.
    fn untouched(&self) {
        assert_eq!(self.stage.called("POST", "/actions/deactivate"), 0, "calls of POST …/deactivate");
        assert!(self.stage.sim.tenants().iter().all(|tenant| tenant.status == e2e::sim::Status::Active));
    }
}

async fn end(operator: Operator) {
    operator.terminate().unwrap();
    operator.ended().await;
}

/// The list of a kind in the holder's namespace, as a cache is filled from it; the look at the start asks for one object.
fn is_list(call: &Call, namespace: &str, kind: &str) -> bool {
    let one = call.query.split('&').any(|word| word == "limit=1");
    call.path.ends_with(&format!("/namespaces/{namespace}/{kind}")) && !call.is_watch && !one
}

fn throttled(so: bool) -> Option<Before> {
    so.then_some(Before::Fail(StatusCode::TOO_MANY_REQUESTS))
}

/// F1: the operator restarts, and the API server throttles the list of the namespace whose object holds the tenant.
#[tokio::test]
async fn the_list_of_the_holders_namespace_is_late() {
    let late = |holder: &str, call: &Call| throttled(is_list(call, holder, "qliktenants"));
    let ground = Ground::new("late", late).await.unwrap();
    let (operator, id) = ground.held().await.unwrap();
    ground.grab(&id).await.unwrap();
    ground.told("Conflict", &format!("{}/acme", ground.stage.ns())).await.unwrap();
    end(operator).await;
    ground.stage.sim.clear_journal();
    ground.refuse(true);
    let operator = ground.operator().await.unwrap();
    let words = format!("QlikTenant in namespace {}", ground.stage.ns());
    operator.wait_for_line(PATIENCE, |line| line.contains("nothing is done") && line.contains(&words)).await.unwrap();
    assert_eq!(ground.stage.sim.journal().len(), 0, "no pass of any kind runs");
    ground.refuse(false);
    operator.wait_for_line(PATIENCE, |line| line.contains("every list is complete")).await.unwrap();
    let patch = json!({ "metadata": { "annotations": { "qlik-operator.dev/requested-at": "now" } } });
    ground.others().patch("grabber", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    let handled = async || {
        let others = ground.others();
        let status = others.get("grabber").await?.status.unwrap_or_default();
        Ok((status.last_handled_reconcile_at.as_deref() == Some("now")).then_some(()))
    };
    ground.stage.until_some("the grabber has had its pass", handled).await.unwrap();
    ground.told("Conflict", &format!("{}/acme", ground.stage.ns())).await.unwrap();
    ground.untouched();
}

/// A list of another kind is late: what it would tell of a tenant is not known either.
#[tokio::test]
async fn the_list_of_another_kind_is_late() {
    let late = |holder: &str, call: &Call| throttled(is_list(call, holder, "qlikidentityproviders"));
    let ground = Ground::new("late-kind", late).await.unwrap();
    ground.refuse(true);
    let operator = ground.operator().await.unwrap();
    ground.stage.put(&manifest("acme", "alias: acme")).await.unwrap();
    operator.wait_for_line(PATIENCE, |line| line.contains("QlikIdentityProvider in namespace")).await.unwrap();
    assert_eq!(ground.stage.sim.journal().len(), 0, "nothing is asked of Qlik Cloud");
    ground.refuse(false);
    ground.stage.until("acme", "is ready", is_ready).await.unwrap();
}

/// The watch of the holder's namespace hangs: its cache is complete and knows nothing of the holder.
#[tokio::test]
async fn the_watch_of_the_holders_namespace_is_behind() {
    let behind = |holder: &str, call: &Call| {
        let watch = call.is_watch && call.path.ends_with(&format!("/namespaces/{holder}/qliktenants"));
        watch.then_some(Before::Hang)
    };
    let ground = Ground::new("behind", behind).await.unwrap();
    let (operator, id) = ground.held().await.unwrap();
    end(operator).await;
    // The object is taken away and written again, as a restore does; only the cache does not hear of it.
    let acme = ground.stage.tenants().get("acme").await.unwrap();
    let patch = json!({ "metadata": { "finalizers": [] } });
    ground.stage.patch("acme", patch).await.unwrap();
    ground.stage.delete("acme").await.unwrap();
    ground.stage.until_gone("acme").await.unwrap();
    ground.refuse(true);
    let _operator = ground.operator().await.unwrap();
    let again = format!("adopt: {{tenantId: {id}, hostname: {HOST}}}");
    ground.stage.put(&manifest("acme", &again)).await.unwrap();
    let status = Patch::Merge(json!({ "status": acme.status }));
    ground.stage.tenants().patch_status("acme", &PatchParams::default(), &status).await.unwrap();
    ground.grab(&id).await.unwrap();
    ground.told("Conflict", &format!("{}/acme", ground.stage.ns())).await.unwrap();
    ground.untouched();
    assert!(ground.others().get("grabber").await.unwrap().status.unwrap_or_default().tenant_id.is_none());
}

/// Nobody can tell whom the tenant belongs to: nothing is called for until somebody can, and then once.
#[tokio::test]
async fn the_live_look_fails() {
    let fails = |_: &str, call: &Call| throttled(call.query.contains("fieldSelector=spec.adopt"));
    let ground = Ground::new("unknown", fails).await.unwrap();
    let (_operator, _) = ground.held().await.unwrap();
    ground.refuse(true);
    ground.stage.patch("acme", json!({ "spec": { "lifecycle": "Deactivated" } })).await.unwrap();
    let waits = |tenant: &QlikTenant| {
        let said = |it: &str| condition(tenant, "Ready").is_some_and(|c| c.message.contains(it));
        said("cannot list the objects that claim the tenant")
    };
    ground.stage.until("acme", "says that it cannot know", waits).await.unwrap();
    ground.untouched();
    ground.refuse(false);
    let off = |tenant: &QlikTenant| is_ready(tenant) && e2e::stage::in_phase(tenant, "Deactivated");
    ground.stage.until("acme", "is deactivated", off).await.unwrap();
    assert_eq!(ground.stage.called("POST", "/actions/deactivate"), 1);
}

/// A control plane of its own, whose definitions a test may change.
async fn private(prefix: &str) -> Stage {
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::private().await.unwrap()));
    Stage::on(cluster, Setup::new(prefix)).await.unwrap()
}

/// Does something while the definition of a kind takes everything, as an older or newer one may have done.
async fn laxly(stage: &Stage, crd: &str, what: impl AsyncFn() -> Option<()>) {
    let crd = format!("{crd}.qlik-operator.dev");
    let lax = json!([
        { "op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema",
          "value": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
        { "op": "remove", "path": "/spec/versions/0/selectableFields" },
    ]);
    stage.kubectl(&["patch", "crd", &crd, "--type=json", "-p", &lax.to_string()]).await.unwrap();
    stage.until_some("the laxer schema takes it", async || Ok(what().await)).await.unwrap();
    stage.cluster.apply_crds(&qlik_operator::cli::crds()).await.unwrap();
}

/// The object that holds the tenant cannot be understood by this version: it holds it nevertheless.
#[tokio::test]
async fn a_malformed_holder_still_holds() {
    let stage = private("malformed").await;
    let operator = stage.operator().await.unwrap();
    stage.put(&manifest("acme", "alias: acme")).await.unwrap();
    let acme = stage.until("acme", "is ready", is_ready).await.unwrap();
    let id = acme.status.and_then(|status| status.tenant_id).unwrap();
    end(operator).await;
    laxly(&stage, "qliktenants", async || {
        let patch = r#"{"spec":{"offboarding":{"purgeAfterDays":"soon"}}}"#;
        stage.kubectl(&["patch", "qt", "acme", "--type=merge", "-p", patch]).await.ok().map(drop)
    })
    .await;
    let _operator = stage.operator().await.unwrap();
    let spec = format!(
        "adopt: {{tenantId: {id}, hostname: {HOST}}}\nlifecycle: Deactivated\noffboarding: {{confirmHostname: {HOST}}}"
    );
    stage.apply(&manifest("grabber", &spec)).await.unwrap();
    let grabber = Api::<QlikTenant>::namespaced(stage.admin(), stage.ns());
    let conflict = async || {
        let grabber = grabber.get("grabber").await?;
        let said = condition(&grabber, "Ready").map(|c| c.message.clone()).unwrap_or_default();
        Ok((is_stalled(&grabber, "Conflict") && said.contains("/acme")).then_some(()))
    };
    stage.until_some("the conflict is reported", conflict).await.unwrap();
    assert_eq!(stage.called("POST", "/actions/deactivate"), 0);
}

/// One record that cannot be understood concerns the tenant that it names, and no other of the namespace.
#[tokio::test]
async fn a_malformed_record_concerns_its_own_tenant_only() {
    let stage = private("record").await;
    let operator = stage.operator().await.unwrap();
    for name in ["acme", "globex"] {
        let armed = format!("alias: {name}\noffboarding: {{confirmHostname: {name}.us.qlikcloud.com}}");
        stage.put(&manifest(name, &armed)).await.unwrap();
    }
    stage.until("acme", "is ready", is_ready).await.unwrap();
    let globex = stage.until("globex", "is ready", is_ready).await.unwrap();
    end(operator).await;
    let record = json!({
        "apiVersion": "qlik-operator.dev/v1alpha1", "kind": "QlikOffboarding", "metadata": { "name": "of-a-newer-version" },
        "spec": { "tenantId": globex.status.and_then(|status| status.tenant_id), "trigger": "Whim" },
    });
    laxly(&stage, "qlikoffboardings", async || stage.apply(&record.to_string()).await.ok()).await;
    let _operator = stage.operator().await.unwrap();
    for name in ["acme", "globex"] {
        stage.patch(name, json!({ "spec": { "lifecycle": "Deactivated" } })).await.unwrap();
    }
    let off = |tenant: &QlikTenant| is_ready(tenant) && e2e::stage::in_phase(tenant, "Deactivated");
    stage.until("acme", "is deactivated", off).await.unwrap();
    let held = stage.until("globex", "is held", |tenant| is_stalled(tenant, "SpecInvalid")).await.unwrap();
    let said = condition(&held, "Ready").map(|c| c.message.clone()).unwrap_or_default();
    assert!(said.contains("of-a-newer-version"), "{said}");
    assert_eq!(stage.called("POST", "/actions/deactivate"), 1);
}
