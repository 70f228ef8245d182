//! Three customers, from the first manifest to the last record. Every claim is checked, never just told.

use super::apps::CustomerApp;
use super::tally::Tally;
use super::{Playground, Screen};
use crate::sim::{PortalPatch, Status, Tenant};
use crate::stage::{Error, Operator, Stage};
use kube::api::ListParams;
use qlik_operator::crd::{OffboardingPhase, Phase, QlikOffboarding, QlikTenant, REQUESTED_AT, SecretOutcome};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::sync::OnceCell;

pub(super) const SAMPLES: &str = "config/samples";
pub(super) const CUSTOMERS: [&str; 3] = ["acme", "globex", "initech"];
const WINDOW: Duration = Duration::from_hours(30 * 24);
const CHAPTERS: usize = 10;

/// Tells the whole story; fails with the step that did not happen.
pub async fn tell(playground: &Playground, screen: &Screen) -> Result<(), Error> {
    let story = Story { stage: &playground.stage, operator: &playground.operator, screen, apps: OnceCell::new() };
    story.chapter(1, "Three customers come", story.onboarding()).await?;
    story.chapter(2, "Each gets logins, clients, and an app that works", story.furnishing()).await?;
    story.chapter(3, "Somebody changes a tenant in Qlik's portal", story.drift()).await?;
    story.chapter(4, "A client secret is replaced while the app works", story.rotation()).await?;
    story.chapter(5, "Acme leaves", story.leaving()).await?;
    story.chapter(6, "Acme stays after all", story.staying()).await?;
    story.chapter(7, "Acme leaves for good", story.leaving_again()).await?;
    story.chapter(8, "The purge date passes", story.purge()).await?;
    story.chapter(9, "The manifests are removed; the record stays", story.removal()).await?;
    story.chapter(10, "What the operator asked of Qlik Cloud in all", story.totals()).await
}

pub(super) struct Story<'a> {
    pub(super) stage: &'a Stage,
    operator: &'a Operator,
    pub(super) screen: &'a Screen,
    pub(super) apps: OnceCell<BTreeMap<&'static str, CustomerApp>>,
}

impl Story<'_> {
    async fn chapter(
        &self,
        number: usize,
        title: &str,
        told: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        self.screen.heading(&format!("{number}/{CHAPTERS}  {title}"))?;
        told.await.map_err(|error| {
            let failed = format!("step {number} of {CHAPTERS} ({title}) did not happen: {error}");
            format!("{failed}\n\nThe operator: {}", self.operator.tail()).into()
        })
    }

    async fn onboarding(&self) -> Result<(), Error> {
        let file = |name: &str| format!("{SAMPLES}/{name}.yaml");
        let files = ["create-with-key", "create-from-tenant", "default-credentials"].map(file);
        self.kubectl(&["apply", "-f", &file("secrets/acme")]).await?;
        self.kubectl(&["apply", "-f", &files[0], "-f", &files[1], "-f", &files[2]]).await?;
        self.kubectl(&["wait", "--for=condition=Ready", "qliktenant", "--all", "--timeout=120s"]).await?;
        self.kubectl(&["get", "qliktenants"]).await?;
        let tenants = self.stage.sim.tenants();
        let live = tenants.iter().filter(|tenant| tenant.status == Status::Active).count();
        self.prove("Qlik Cloud has three tenants, each created by one call", {
            live == 3 && tenants.len() == 3 && self.stage.called("POST", "/api/v1/tenants") == 3
        })?;
        for name in CUSTOMERS {
            let tenant = self.in_qlik(&self.object(name).await?)?;
            let hostname = format!("{name}.us.qlikcloud.com");
            self.prove(&format!("{hostname} is {:?} in Qlik Cloud", tenant.name), {
                tenant.hostnames.contains(&hostname) && tenant.name.to_lowercase().starts_with(name)
            })?;
        }
        Ok(())
    }

    async fn drift(&self) -> Result<(), Error> {
        let id = id(&self.object("acme").await?)?;
        let before = self.stage.sim.tenant(&id).ok_or("acme is not in Qlik Cloud")?;
        let mut flags = before.flags.clone();
        flags.enable_app_opening_feedback = !flags.enable_app_opening_feedback;
        let patch = PortalPatch { name: Some("Acne Corp".into()), alias: None, flags: Some(flags) };
        self.stage.sim.patch_tenant(&id, patch)?;
        self.screen.say("In the portal: the name is now \"Acne Corp\", and a switch is turned.")?;
        self.screen.say("The operator would see it at its next look (every 30 minutes). Asked to look now:")?;
        self.look_now("acme").await?;
        let after = self.stage.sim.tenant(&id).ok_or("acme is not in Qlik Cloud")?;
        let event = self.event("acme", "DriftCorrected").await?;
        self.screen.output(&event)?;
        self.prove("the tenant is as the manifest declares it again, by one PATCH", {
            after.name == before.name && after.flags == before.flags && self.stage.committed("tenant.patched") == 4
        })
    }

    async fn leaving(&self) -> Result<(), Error> {
        self.screen.say("The manifest of acme with two fields more:")?;
        self.screen.output(&added_lines("create-with-key.yaml", "off-boarding/acme.yaml")?)?;
        self.kubectl(&["apply", "-f", &format!("{SAMPLES}/off-boarding/acme.yaml")]).await?;
        self.kubectl_until_phase("Deactivated").await?;
        self.kubectl(&["get", "qliktenants"]).await?;
        self.prove_scheduled(1).await?;
        self.locked_out().await
    }

    async fn staying(&self) -> Result<(), Error> {
        self.screen.say("In time: the former manifest is applied again.")?;
        self.kubectl(&["apply", "-f", &format!("{SAMPLES}/create-with-key.yaml")]).await?;
        self.kubectl_until_phase("Ready").await?;
        let acme = self.object("acme").await?;
        let tenant = self.in_qlik(&acme)?;
        self.prove("the very same tenant is in use again, and no purge is ahead", {
            tenant.status == Status::Active && tenant.purge_at.is_none() && purge_at(&acme).is_none()
        })?;
        let records = self.stage.records().list(&ListParams::default()).await?.items;
        self.prove("its record says so", matches!(&records[..], [one] if phase(one) == OffboardingPhase::Reactivated))?;
        self.let_in_again().await
    }

    async fn leaving_again(&self) -> Result<(), Error> {
        let manifest = format!("{SAMPLES}/off-boarding/acme.yaml");
        self.kubectl(&["apply", "-f", &manifest]).await?;
        self.kubectl_until_phase("Deactivated").await?;
        self.screen.say("Once more the same, as GitOps tools do all the time, and a look asked for by hand:")?;
        self.kubectl(&["apply", "-f", &manifest]).await?;
        self.look_now("acme").await?;
        self.kubectl(&["get", "qlikoffboardings"]).await?;
        self.prove_scheduled(2).await?;
        let kept = self.stage.has_secret("acme-data-gateway").await?;
        self.prove("no Secret is erased while the tenant can still be brought back", kept)
    }

    async fn purge(&self) -> Result<(), Error> {
        self.screen.say("The calendar of Qlik Cloud and the operator's is turned by 30 days.")?;
        self.stage.turn(WINDOW)?;
        self.screen.say("A purge is seen and not calculated: Qlik Cloud has to say twice, an hour apart, that there is no such tenant.")?;
        self.stage.confirm_purge().await?;
        self.kubectl_until_phase("Purged").await?;
        let acme = self.object("acme").await?;
        self.prove("Qlik Cloud has purged the tenant", self.in_qlik(&acme)?.status == Status::Deleted)?;
        self.stage.until("acme", "is settled", is_ready).await?;
        self.kubectl(&["get", "qliktenants"]).await?;
        self.kubectl(&["get", "secrets"]).await?;
        self.prove("acme's own Secret is erased", !self.stage.has_secret("acme-data-gateway").await?)?;
        self.prove("the Secrets that the other customers still use are kept", {
            self.stage.has_secret("qlik-credentials").await? && self.stage.has_secret("qlik-license").await?
        })?;
        self.nothing_left().await
    }

    async fn removal(&self) -> Result<(), Error> {
        let record = self.object("acme").await?.status.and_then(|status| status.offboarding);
        let record = record.ok_or("acme's status names no record")?;
        self.insiders_go().await?;
        self.kubectl(&["delete", "qliktenant", "acme", "--timeout=120s"]).await?;
        self.stage.until_gone("acme").await?;
        self.kubectl(&["get", "qliktenants"]).await?;
        self.kubectl(&["get", "qlikoffboarding", &record, "--output=yaml"]).await?;
        let record = self.stage.records().get(&record).await?;
        let secrets = record.status.as_ref().map(|status| status.secrets.clone()).unwrap_or_default();
        self.prove("the record says that the tenant is purged", phase(&record) == OffboardingPhase::Purged)?;
        self.prove("and which Secret was erased, which were kept and for whom", {
            secrets.iter().any(|e| e.name == "acme-data-gateway" && e.outcome == SecretOutcome::Erased)
                && secrets.iter().filter(|e| e.outcome == SecretOutcome::Kept).count() == 2
        })?;
        for name in ["globex", "initech"] {
            let tenant = self.object(name).await?;
            let active = self.in_qlik(&tenant)?.status == Status::Active;
            self.prove(&format!("{name} was never touched"), active && is_ready(&tenant))?;
        }
        Ok(())
    }

    async fn totals(&self) -> Result<(), Error> {
        let journal = self.stage.sim.journal();
        let tally = Tally::of(&journal);
        self.screen.output(&tally.table())?;
        let writes = tally.writes();
        let once = |effect: &str, times: usize| self.stage.committed(effect) == times;
        self.prove("three tenants created, two deactivations for two decisions, one reactivation", {
            once("tenant.created", 3) && once("tenant.deactivated", 2) && once("tenant.reactivated", 1)
        })?;
        self.prove("four changes written: three at onboarding, one for the drift", once("tenant.patched", 4))?;
        self.prove("no call that changes something was made twice or in vain", writes.calls == writes.effects)?;
        let records = self.stage.records().list(&ListParams::default()).await?.items.len();
        self.prove("each deactivation has its record", records == self.stage.committed("tenant.deactivated"))
    }

    /// The tenant is off, with Qlik's own date in the status, after this many deactivations in all.
    async fn prove_scheduled(&self, times: usize) -> Result<(), Error> {
        let acme = self.stage.until("acme", "is settled", is_ready).await?;
        let tenant = self.in_qlik(&acme)?;
        self.prove("Qlik Cloud has taken the tenant out of service", tenant.status == Status::Disabled)?;
        self.prove("the purge date in the status is the one that Qlik answered", {
            tenant.purge_at.is_some() && purge_at(&acme) == tenant.purge_at
        })?;
        let calls = self.stage.called("POST", "/actions/deactivate");
        let once = calls == times && self.stage.committed("tenant.deactivated") == times;
        self.prove(&format!("deactivations called so far: {times}, one for each decision"), once)
    }

    /// Asks for a pass and waits until it was made.
    async fn look_now(&self, name: &str) -> Result<(), Error> {
        let value = self.stage.sim.now().to_string();
        let annotation = format!("{REQUESTED_AT}={value}");
        self.kubectl(&["annotate", "qliktenant", name, "--overwrite", &annotation]).await?;
        let handled = |tenant: &QlikTenant| {
            tenant.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_ref()) == Some(&value)
        };
        self.screen.during("waiting for the look", self.stage.until(name, "is looked at", handled)).await?;
        Ok(())
    }

    async fn kubectl_until_phase(&self, phase: &str) -> Result<(), Error> {
        let wanted = format!("--for=jsonpath={{.status.phase}}={phase}");
        self.kubectl(&["wait", &wanted, "qliktenant/acme", "--timeout=120s"]).await
    }

    /// Runs kubectl in front of everybody; fails when kubectl does.
    pub(super) async fn kubectl(&self, args: &[&str]) -> Result<(), Error> {
        let line = format!("kubectl {}", args.iter().map(|arg| quoted(arg)).collect::<Vec<_>>().join(" "));
        self.screen.command(&line)?;
        let all = [&["-n", self.stage.ns()], args].concat();
        let done = self.screen.during("waiting", self.stage.cluster.kubectl(&all, "")).await?;
        self.screen.output(&done.stdout)?;
        self.screen.output(&done.stderr)?;
        if done.success() { Ok(()) } else { Err(format!("`{line}` failed: {}", done.stderr).into()) }
    }

    /// The line of an event. Events are written beside the passes, so it may come a moment later.
    async fn event(&self, name: &str, reason: &str) -> Result<String, Error> {
        let about = format!("--for=qliktenant/{name}");
        self.screen.command(&format!("kubectl events {about}"))?;
        self.stage
            .until_some(&format!("an event {reason}"), async || {
                let events = self.stage.kubectl(&["events", &about]).await?;
                Ok(events.contains(reason).then_some(events))
            })
            .await
    }

    async fn object(&self, name: &str) -> Result<QlikTenant, Error> {
        Ok(self.stage.tenants().get(name).await?)
    }

    /// The tenant of an object, as Qlik Cloud has it.
    fn in_qlik(&self, object: &QlikTenant) -> Result<Tenant, Error> {
        let id = id(object)?;
        self.stage.sim.tenant(&id).ok_or_else(|| format!("Qlik Cloud does not know tenant {id}").into())
    }

    pub(super) fn prove(&self, fact: &str, so: bool) -> Result<(), Error> {
        if so { Ok(self.screen.proven(fact)?) } else { Err(format!("it is not so that {fact}").into()) }
    }
}

fn id(object: &QlikTenant) -> Result<String, Error> {
    let id = object.status.as_ref().and_then(|status| status.tenant_id.clone());
    id.ok_or_else(|| "the status names no tenant".into())
}

fn purge_at(object: &QlikTenant) -> Option<jiff::Timestamp> {
    Some(object.status.as_ref()?.purge.as_ref()?.purge_at?.0)
}

fn is_ready(object: &QlikTenant) -> bool {
    let at_rest = |phase| matches!(phase, Phase::Ready | Phase::Deactivated | Phase::Purged);
    crate::stage::condition(object, "Ready").is_some_and(|ready| ready.status == "True")
        && object
            .status
            .as_ref()
            .is_some_and(|s| at_rest(s.phase) && s.observed_generation == object.metadata.generation)
}

fn phase(record: &QlikOffboarding) -> OffboardingPhase {
    record.status.as_ref().map(|status| status.phase).unwrap_or_default()
}

/// The lines that the second sample has and the first has not, comments left out.
fn added_lines(before: &str, after: &str) -> Result<String, Error> {
    let read = |name: &str| std::fs::read_to_string(Path::new(SAMPLES).join(name));
    let (before, after) = (read(before)?, read(after)?);
    let new = |line: &&str| !line.starts_with('#') && !before.lines().any(|old| old == *line);
    Ok(after.lines().filter(new).map(|line| ["+ ", line, "\n"].concat()).collect())
}

/// An argument as it has to be typed in a shell.
fn quoted(arg: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,".contains(c);
    match arg.split_once('=') {
        _ if arg.chars().all(plain) => arg.to_owned(),
        Some((option, value)) => format!("{option}='{value}'"),
        None => format!("'{arg}'"),
    }
}
