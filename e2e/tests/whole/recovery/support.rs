//! A small world that is saved as Velero saves it, lost and restored, and what must be the same afterwards.

use e2e::openmetrics::Scrape;
use e2e::stage::child_manifest;
use e2e::stage::{
    Error, Inside, Operator, PATIENCE, Setup, Stage, address, client_manifest, in_phase, is_ready, manifest,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use qlik_operator::crd::{OffboardingPhase, PurgeWindow, QlikIdentityProvider, QlikOffboardingStatus, QlikTenant};
use serde_json::{Value, json};

const CLIENT: &str = "appType: web
grantTypes: [client_credentials]
scopes: [user_default]
consent: Trusted
auth: {clientSecret: {secret: {name: app}}}";
const LOGIN: &str = "oidc:
  provider: auth0
  discoveryUrl: https://acme.auth0.example/.well-known/openid-configuration
  clientId: qlik
  clientSecretRef: {name: login}
  realm: acme.example";
const LEAVING: &str = "alias: leaving
lifecycle: Deactivated
offboarding: {confirmHostname: leaving.us.qlikcloud.com, purgeAfterDays: 20}";

/// Two tenants in use, one of them without an alias and one with a client and a login; and one that is off.
pub(crate) async fn world(prefix: &str) -> (Stage, Operator) {
    let stage = Stage::new(Setup::new(prefix)).await.unwrap();
    let operator = stage.operator().await.unwrap();
    login_secret(&stage).await;
    let all = [
        manifest("acme", "alias: acme"),
        manifest("plain", ""),
        manifest("leaving", "alias: leaving"),
        client_manifest("app", "acme", CLIENT),
        child_manifest("QlikIdentityProvider", ("login", "acme"), LOGIN),
    ];
    stage.apply(&all.join("---\n")).await.unwrap();
    stage.until("leaving", "is ready", is_ready).await.unwrap();
    stage.apply(&manifest("leaving", LEAVING)).await.unwrap();
    all_well(&stage).await;
    (stage, operator)
}

async fn login_secret(stage: &Stage) {
    stage.secret("login", &[("clientSecret", "canary-of-the-login")]).await.unwrap();
}

pub(crate) async fn in_use(stage: &Stage) {
    for name in ["acme", "plain"] {
        stage.until(name, "is ready", |t| is_ready(t) && in_phase(t, "Ready")).await.unwrap();
    }
    stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
    stage.until_child::<QlikIdentityProvider>("login", "is ready", Inside::is_ready).await.unwrap();
    let there = async || Ok(stage.has_secret("app").await?.then_some(()));
    stage.until_some("the app has its Secret again", there).await.unwrap();
}

pub(crate) async fn all_well(stage: &Stage) {
    in_use(stage).await;
    stage.until("leaving", "is off", |t| is_ready(t) && in_phase(t, "Deactivated")).await.unwrap();
}

/// What cannot be taken back, as often as it was asked for: tenants, deactivations, clients, providers.
pub(crate) fn calls(stage: &Stage) -> [usize; 5] {
    [
        stage.called("POST", "/api/v1/tenants"),
        stage.called("POST", "/actions/deactivate"),
        stage.called("POST", "/actions/reactivate"),
        stage.called("POST", "/api/v1/oauth-clients"),
        stage.called("POST", "/api/v1/identity-providers"),
    ]
}

/// What the record of `leaving` says: phase, date, windows.
pub(crate) type Dates = (OffboardingPhase, Option<Timestamp>, Vec<PurgeWindow>);

pub(crate) async fn dates(stage: &Stage) -> Result<Dates, Error> {
    let record = stage.records_of("leaving").await?.pop().ok_or("there is no record")?;
    let QlikOffboardingStatus { phase, purge_at, windows, .. } = record.status.unwrap_or_default();
    Ok((phase, purge_at.map(|at| at.0), windows))
}

/// Waits until the record says the same as before the loss, but for the phase.
pub(crate) async fn dates_are_back(stage: &Stage, before: &Dates, phase: OffboardingPhase) {
    let wanted = (phase, before.1, before.2.clone());
    let back = async || Ok((dates(stage).await? == wanted).then_some(()));
    stage.until_some("the record has its dates again", back).await.unwrap();
}

/// An operator that serves metrics, and waits until the purge of `leaving` is told by them, at this date.
pub(crate) async fn serving(stage: &Stage, args: &[&str]) -> (Operator, String) {
    let args = [&["--listen", "127.0.0.1:0"], args].concat();
    let operator = stage.operator_with(stage.identity.kubeconfig(), &args).await.unwrap();
    let metrics = format!("http://{}/metrics", address(&operator, "serving /livez").await.unwrap());
    (operator, metrics)
}

pub(crate) async fn alerts_know(stage: &Stage, metrics: &str, before: &Dates) {
    let at = before.1.unwrap().as_duration().as_secs_f64();
    let told = async || {
        let text = reqwest::get(metrics).await?.text().await?;
        let scrape = Scrape::parse(&text)?;
        let all = scrape.all("qlik_operator_tenant_purge_timestamp_seconds");
        Ok(all.iter().any(|sample| (sample.value - at).abs() < 0.01).then_some(()))
    };
    stage.until_some("the gauge of the alerts is back", told).await.unwrap();
}

/// Objects as they were saved, in the order in which they are restored.
pub(crate) struct Saved(Vec<Value>);

/// Their own kinds, records first.
const KINDS: [&str; 4] = ["qlikoffboardings", "qliktenants", "qlikoauthclients", "qlikidentityproviders"];

impl Saved {
    /// The Secret that an app reads and every object, with labels, annotations, finalizers, owners and status.
    pub(crate) async fn of(stage: &Stage) -> Self {
        let mut all = Vec::new();
        for what in [&["secrets", "app"][..], &KINDS[..1], &KINDS[1..2], &KINDS[2..3], &KINDS[3..]] {
            let text = stage.kubectl(&[&["get", "--output", "json"], what].concat()).await.unwrap();
            let mut found: Value = serde_json::from_str(&text).unwrap();
            match found.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => all.extend(items),
                _ => all.push(found),
            }
        }
        for object in &mut all {
            let kept = ["name", "labels", "annotations", "finalizers", "ownerReferences"];
            object["metadata"].as_object_mut().unwrap().retain(|key, _| kept.contains(&key.as_str()));
        }
        Self(all)
    }

    /// All is created again, and with `status` what its status was is written.
    pub(crate) async fn restore(&self, stage: &Stage, status: bool) {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": self.0 }).to_string();
        let args = ["-n", stage.ns(), "create", "--filename", "-"];
        stage.cluster.kubectl(&args, &list).await.unwrap().succeeded().unwrap();
        if status {
            let own: Vec<_> = self.0.iter().filter(|object| object["kind"] != "Secret").collect();
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": own }).to_string();
            let args = ["-n", stage.ns(), "replace", "--subresource=status", "--filename", "-"];
            stage.cluster.kubectl(&args, &list).await.unwrap().succeeded().unwrap();
        }
    }
}

/// The operator dies, and every object is gone without a word to anybody.
pub(crate) async fn lose(stage: &Stage, operator: Operator) {
    operator.kill9().unwrap();
    operator.ended().await;
    for kind in KINDS {
        let names = stage.kubectl(&["get", kind, "--output", "name"]).await.unwrap();
        for name in names.lines() {
            let patch = r#"{"metadata":{"finalizers":null}}"#;
            stage.kubectl(&["patch", name, "--type", "merge", "--patch", patch]).await.unwrap();
        }
        stage.kubectl(&["delete", kind, "--all"]).await.unwrap();
    }
    // Its owner is gone.
    let secrets: Api<Secret> = Api::namespaced(stage.admin(), stage.ns());
    let gone = async || Ok(secrets.get_metadata_opt("app").await?.is_none().then_some(()));
    stage.until_some("the app's Secret is collected", gone).await.unwrap();
}

/// The namespace is deleted, and another one made of its name, with the Secrets that people make.
pub(crate) async fn another_namespace(stage: &Stage) {
    let namespaces: Api<Namespace> = Api::all(stage.admin());
    namespaces.delete(stage.ns(), &DeleteParams::default()).await.unwrap();
    let gone = async || Ok(namespaces.get_opt(stage.ns()).await?.is_none().then_some(()));
    e2e::process::until::<_, Error, _>(PATIENCE, "the namespace goes away", gone).await.unwrap();
    let metadata = ObjectMeta { name: Some(stage.ns().to_owned()), ..ObjectMeta::default() };
    namespaces.create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() }).await.unwrap();
    e2e::stage::rights::own_namespace(stage.cluster, stage.ns(), e2e::stage::rights::OPERATORS).await.unwrap();
    stage.write_secrets().await.unwrap();
    login_secret(stage).await;
}

/// The script of this name, as it stands on the page.
pub(crate) fn script(name: &str) -> String {
    let page = std::fs::read_to_string(e2e::chart::repository().join("docs/DISASTER-RECOVERY.md")).unwrap();
    let mut blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.find(|block| block.starts_with(&format!("# {name}"))).unwrap().to_owned()
}

pub(crate) fn tenant_id(tenant: &QlikTenant) -> String {
    tenant.status.as_ref().and_then(|status| status.tenant_id.clone()).unwrap_or_default()
}
