//! Many tenants at once, of which two misbehave for ever; shared by a test and the benchmark.

use crate::cluster::audit::Filter;
use crate::sim::{ClientRequest, Effect, FaultPlan, Match, PortalTenant};
use crate::stage::{Error, Operator, Setup, Stage, is_ready};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{ListParams, PostParams};
use qlik_operator::crd::QlikTenant;
use serde_json::json;
use std::fmt;
use std::time::{Duration, Instant};

/// Qlik's limit for calls that write, per client and host.
const WRITES_A_MINUTE: f64 = 100.0;
/// Objects that are applied at the same time.
const AT_ONCE: usize = 16;

/// How many tenants, and how many OAuth clients they are spread over.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Tenants that work, beside the two that do not.
    pub tenants: usize,
    /// Clients, each with a licence and a budget of its own.
    pub clients: usize,
}

/// A stage full of tenants.
pub struct Load {
    /// The stage.
    pub stage: Stage,
    /// The one operator.
    pub operator: Operator,
    /// How it went.
    pub report: Report,
}

/// How it went.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// What was asked for.
    pub size: Size,
    /// Until every tenant that works was ready.
    pub ready: Duration,
    /// How long the budget alone makes it take.
    pub budget: Duration,
    /// From the first creation to the last of the client that the two misbehaving tenants share.
    pub beside: Duration,
    /// The same of the slowest of the other clients.
    pub elsewhere: Duration,
    /// The most memory that the operator had.
    pub peak_resident: u64,
    /// Processor time of the operator.
    pub cpu: Duration,
    /// Creations.
    pub created: usize,
    /// Writes to the Kubernetes API, events left out.
    pub writes: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size { tenants, clients } = self.size;
        let mib = self.peak_resident / 1024 / 1024;
        let per_tenant = self.cpu / u32::try_from(tenants.max(1)).unwrap_or(u32::MAX);
        write!(
            f,
            "{tenants} tenants, {clients} clients, one more tenant answering 429 and one hanging: all ready in {:.1} s, \
             the budget alone takes {:.1} s; creations beside the two took {:.1} s, elsewhere {:.1} s; {} \
             writes to Kubernetes; operator: peak {mib} MiB, CPU {:.1} s ({} ms for each)",
            self.ready.as_secs_f64(),
            self.budget.as_secs_f64(),
            self.beside.as_secs_f64(),
            self.elsewhere.as_secs_f64(),
            self.writes,
            self.cpu.as_secs_f64(),
            per_tenant.as_millis(),
        )
    }
}

impl Load {
    /// Creates the tenants and waits until all that work are ready.
    pub async fn run(size: Size, patience: Duration) -> Result<Self, Error> {
        let stage = Stage::new(Setup::new("load")).await?;
        clients(&stage, size.clients).await?;
        misbehaving(&stage).await?;
        let operator = stage.operator().await?;
        let audit = stage.cluster.audit()?;
        let since = audit.position().await?;
        let start = Instant::now();
        let tenants = stage.tenants();
        stream::iter(0..size.tenants)
            .map(|n| {
                let (tenants, object) = (tenants.clone(), object(&format!("tenant-{n}"), n % size.clients, None));
                async move { tenants.create(&PostParams::default(), &object?).await.map_err(Error::from) }
            })
            .buffer_unordered(AT_ONCE)
            .try_for_each(|_| async { Ok(()) })
            .await?;
        wait_ready(&stage, size.tenants, patience).await?;
        let ready = start.elapsed();
        let usage = operator.usage()?;
        let writes = audit.writes(since, &Filter::new().user(stage.identity.user())).await?;
        let spans: Vec<Duration> = (0..size.clients).map(|client| span(&stage, client)).collect();
        let report = Report {
            size,
            ready,
            budget: budget(size),
            beside: spans.first().copied().unwrap_or_default(),
            elsewhere: spans.iter().skip(1).copied().max().unwrap_or_default(),
            peak_resident: usage.peak_resident.unwrap_or_default(),
            cpu: usage.cpu,
            created: stage.committed("tenant.created"),
            writes: writes.iter().filter(|write| write.group != "events.k8s.io").count(),
        };
        Ok(Self { stage, operator, report })
    }
}

/// Each client may write a hundred times a minute; a token and ten creations go at once.
fn budget(size: Size) -> Duration {
    let each = size.tenants.div_ceil(size.clients).saturating_sub(9);
    Duration::from_secs_f64(f64::from(u32::try_from(each).unwrap_or(u32::MAX)) * 60.0 / WRITES_A_MINUTE)
}

/// Waits until so many objects are ready. Asks seldom: with hundreds of objects an answer is large.
pub async fn wait_ready(stage: &Stage, count: usize, patience: Duration) -> Result<(), Error> {
    let tenants = stage.tenants();
    let asking = async {
        let mut again = crate::process::interval(Duration::from_millis(500));
        loop {
            again.tick().await;
            let all = tenants.list(&ListParams::default()).await?;
            let ready = all.items.iter().filter(|tenant| is_ready(tenant)).count();
            if ready >= count {
                return Ok(());
            }
        }
    };
    if let Ok(answer) = tokio::time::timeout(patience, asking).await {
        return answer;
    }
    let all = tenants.list(&ListParams::default()).await?;
    let left = all.items.iter().filter(|tenant| !is_ready(tenant));
    let left: Vec<_> = left.take(3).map(|t| (t.metadata.name.clone(), t.status.clone())).collect();
    Err(format!("not {count} ready within {patience:?}; for instance {left:#?}").into())
}

/// Secrets for each client: its credentials, and the key of its licence.
async fn clients(stage: &Stage, count: usize) -> Result<(), Error> {
    for client in 1..count {
        let new = stage.sim.add_client(ClientRequest { region: "us".to_owned(), license_number: None })?;
        let values = [("clientId", &*new.credentials.client_id), ("clientSecret", &*new.credentials.client_secret)];
        stage.secret(&credentials_of(client), &values).await?;
        stage.secret(&license_of(client), &[("licenseKey", &new.license_key)]).await?;
    }
    Ok(())
}

fn credentials_of(client: usize) -> String {
    if client == 0 { "qlik-credentials".to_owned() } else { format!("qlik-credentials-{client}") }
}

fn license_of(client: usize) -> String {
    if client == 0 { "qlik-license".to_owned() } else { format!("qlik-license-{client}") }
}

/// Two tenants of the first client: every call to the one is answered with 429, none to the other is answered at all.
async fn misbehaving(stage: &Stage) -> Result<(), Error> {
    let throttled = Effect::Status { status: 429, code: None, title: None, retry_after: Some(1) };
    for (name, effect) in [("throttled", throttled), ("hanging", Effect::Hang)] {
        let wanted = PortalTenant { region: "us".to_owned(), license_number: None, name: None, alias: None };
        let tenant = stage.sim.create_tenant(wanted)?;
        let matching = Match { host: Some(tenant.hostnames[0].clone()), count: 0, ..Match::default() };
        stage.sim.fault(FaultPlan::new(matching, effect));
        let adopt = Some((tenant.id.as_str(), tenant.hostnames[0].as_str()));
        stage.tenants().create(&PostParams::default(), &object(name, 0, adopt)?).await?;
    }
    Ok(())
}

fn object(name: &str, client: usize, adopt: Option<(&str, &str)>) -> Result<QlikTenant, Error> {
    let mut spec = json!({
        "region": "us",
        "credentialsRef": { "name": credentials_of(client) },
        "license": { "keyRef": { "name": license_of(client) } },
    });
    if let Some((id, hostname)) = adopt {
        spec["adopt"] = json!({ "tenantId": id, "hostname": hostname });
    }
    let (api_version, kind) = ("qlik-operator.dev/v1alpha1", "QlikTenant");
    let object = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": name }, "spec": spec });
    Ok(serde_json::from_value(object)?)
}

/// From the first to the last creation of one client, told apart by the order in which callers show up.
fn span(stage: &Stage, client: usize) -> Duration {
    let mut callers: Vec<String> = Vec::new();
    let first = stage.sim.ready().regional.get("us").map(|us| us.client_id.clone());
    callers.extend(first);
    let journal = stage.sim.journal();
    let created: Vec<_> = journal.iter().filter(|e| e.effect.as_deref() == Some("tenant.created")).collect();
    for caller in created.iter().filter_map(|e| e.caller.clone()) {
        if !callers.contains(&caller) {
            callers.push(caller);
        }
    }
    let times = created.iter().filter(|e| e.caller.as_ref() == callers.get(client)).map(|e| e.time);
    let (earliest, latest) = (times.clone().min(), times.max());
    let between = earliest.zip(latest).map(|(earliest, latest)| latest.duration_since(earliest));
    between.and_then(|between| Duration::try_from(between).ok()).unwrap_or_default()
}
