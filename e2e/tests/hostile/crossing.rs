//! What happens in the middle of a story.

use super::story::Story;
use super::support::reason;
use e2e::cluster::proxy::{Before, Call, Hooks, Proxy};
use e2e::stage::{Error, Operator, PATIENCE, Setup, Stage, Trap};
use http::StatusCode;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use qlik_operator::crd::{QlikOffboarding, QlikTenant};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crossing {
    /// The operator is killed when its call has taken effect and it has not heard of that; another one is started.
    Restart,
    /// The same, and one that stood by goes on.
    Failover,
    /// The same, and the list of the records comes late.
    LateStore,
    /// Somebody brings the tenant back in the portal at once.
    BackAtOnce,
    /// Two days later.
    BackLater,
    /// While no operator runs, until after the date.
    BackUnseen,
    /// The cluster is lost and restored from a backup that was made before.
    RestoredFromBefore,
    /// From one that was made in the middle.
    RestoredFromTheMiddle,
    /// `kubectl replace --force` with the file of the story's end.
    Replaced,
}

impl Crossing {
    pub(crate) const ALL: [Self; 9] = [
        Self::Restart,
        Self::Failover,
        Self::LateStore,
        Self::BackAtOnce,
        Self::BackLater,
        Self::BackUnseen,
        Self::RestoredFromBefore,
        Self::RestoredFromTheMiddle,
        Self::Replaced,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Restart => "killed and started",
            Self::Failover => "failover",
            Self::LateStore => "a list late",
            Self::BackAtOnce => "back at once",
            Self::BackLater => "back on day 2",
            Self::BackUnseen => "back while away",
            Self::RestoredFromBefore => "backup from before",
            Self::RestoredFromTheMiddle => "backup from the middle",
            Self::Replaced => "replaced by force",
        }
    }

    /// What is never off cannot be brought back, and what is not there yet is in no backup.
    pub(crate) fn concerns(self, story: Story) -> bool {
        match self {
            Self::BackAtOnce | Self::BackLater | Self::BackUnseen => story.ends_off(),
            Self::RestoredFromBefore => !matches!(story, Story::Onboard | Story::Adopt),
            _ => true,
        }
    }

    fn strikes(self) -> bool {
        matches!(self, Self::Restart | Self::Failover | Self::LateStore)
    }
}

/// A stage, its operator, and what was saved of it.
pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) story: Story,
    /// The Secret that goes with the tenant went while the tenant was off.
    pub(crate) went_with_it: bool,
    crossing: Crossing,
    trap: Trap,
    proxy: Proxy,
    late: Arc<AtomicBool>,
    operators: Vec<Arc<Operator>>,
    saved: Vec<Value>,
}

impl World {
    pub(crate) async fn new(story: Story, crossing: Crossing) -> Result<Self, Error> {
        let trap = Trap::default();
        let mut setup = Setup::new("matrix");
        setup.sim.after_request = Some(trap.at_qlik());
        let stage = Stage::new(setup).await?;
        let late = Arc::new(AtomicBool::new(false));
        let on = late.clone();
        let hooks = Hooks::default().before_request(move |call: &Call| {
            let one = call.query.split('&').any(|word| word == "limit=1");
            let list = call.path.ends_with("/qlikoffboardings") && !call.is_watch && !one;
            let throttled = list && on.load(Ordering::SeqCst);
            if throttled { Before::Fail(StatusCode::TOO_MANY_REQUESTS) } else { Before::Forward }
        });
        let proxy = Proxy::start(stage.cluster, &stage.identity, hooks).await?;
        let (operators, saved) = (Vec::new(), Vec::new());
        let mut world = Self { stage, story, went_with_it: false, crossing, trap, proxy, late, operators, saved };
        world.start().await?;
        if crossing == Crossing::Failover {
            let standby = world.launch()?;
            standby.wait_for_line(PATIENCE, |line| line.contains("standing by")).await?;
            world.operators.insert(0, Arc::new(standby));
        }
        Ok(world)
    }

    fn launch(&self) -> Result<Operator, Error> {
        let lease = format!("--leader-election-lease={}/qlik-operator", self.stage.ns());
        // Long enough for a machine on which many rows run at the same time: who loses its lease ends, and stays away.
        let elect = [
            &lease,
            "--leader-elect-lease-duration=12s",
            "--leader-elect-renew-deadline=10s",
            "--leader-elect-retry-period=1s",
        ];
        let args: &[&str] = if self.crossing == Crossing::Failover { &elect } else { &[] };
        self.stage.launch(self.proxy.kubeconfig(), args)
    }

    async fn start(&mut self) -> Result<(), Error> {
        let operator = self.launch()?;
        operator.wait_for_line(PATIENCE, |line| line.contains("started")).await?;
        self.operators.push(Arc::new(operator));
        Ok(())
    }

    /// Lays the trap for the story's call.
    pub(crate) fn arm(&self) {
        if let (true, Some(call), Some(operator)) = (self.crossing.strikes(), self.story.call(), self.operators.last())
        {
            self.trap.arm(operator.clone(), move |_, what| what == call);
        }
    }

    /// Waits until the call was made, and for its blow.
    pub(crate) async fn until_middle(&self) -> Result<(), Error> {
        if self.crossing.strikes() && self.story.call().is_some() {
            self.trap.sprung().await;
            return Ok(());
        }
        let middle = async || Ok(self.story.is_in_the_middle(&self.stage).then_some(()));
        self.stage.until_some("the middle of the story", middle).await
    }

    pub(crate) async fn cross(&mut self) -> Result<(), Error> {
        match self.crossing {
            Crossing::Restart => {
                self.end_operator().await?;
                self.start().await?;
            }
            Crossing::Failover => {
                self.end_operator().await?;
                let next = self.operators.last().ok_or("nobody stands by")?;
                next.wait_for_line(PATIENCE, |line| line.contains("started")).await?;
            }
            Crossing::LateStore => self.start_with_a_late_list().await?,
            Crossing::BackAtOnce => self.back()?,
            Crossing::BackLater => {
                self.settled().await?;
                self.stage.turn(Duration::from_hours(48))?;
                self.back()?;
            }
            Crossing::BackUnseen => {
                self.settled().await?;
                self.end_operator().await?;
                self.back()?;
                self.stage.turn(Duration::from_hours(24 * 12))?;
                self.start().await?;
            }
            Crossing::RestoredFromBefore => self.restore().await?,
            Crossing::RestoredFromTheMiddle => {
                self.end_operator().await?;
                self.save().await?;
                self.restore().await?;
            }
            Crossing::Replaced => {
                let file = self.story.file(&self.stage);
                let args = ["replace", "--force", "--timeout=15s", "-n", self.stage.ns(), "-f", "-"];
                drop(self.stage.cluster.kubectl(&args, &file).await?);
            }
        }
        if self.story == Story::LetGoAndTakenBack {
            // By whoever restores what Git says.
            let gone = async || {
                Ok(self
                    .stage
                    .tenants()
                    .get_opt("acme")
                    .await?
                    .is_none_or(|t| t.metadata.deletion_timestamp.is_none())
                    .then_some(()))
            };
            self.stage.until_some("the object is gone", gone).await?;
            self.stage.put(&self.story.file(&self.stage)).await?;
        }
        Ok(())
    }

    async fn end_operator(&mut self) -> Result<(), Error> {
        if let Some(operator) = self.operators.pop() {
            drop(operator.kill9());
            operator.ended().await;
        }
        Ok(())
    }

    async fn start_with_a_late_list(&mut self) -> Result<(), Error> {
        self.end_operator().await?;
        self.late.store(true, Ordering::SeqCst);
        let operator = self.launch()?;
        operator.wait_for_line(PATIENCE, |line| line.contains("nothing is done")).await?;
        self.late.store(false, Ordering::SeqCst);
        operator.wait_for_line(PATIENCE, |line| line.contains("every list is complete")).await?;
        self.operators.push(Arc::new(operator));
        Ok(())
    }

    /// Somebody brings the tenant back in the portal. What went with it by then went as decided.
    fn back(&self) -> Result<(), Error> {
        let id = self.stage.sim.tenants().first().map(|tenant| tenant.id.clone()).ok_or("no tenant")?;
        self.stage.sim.reactivate(&id)?;
        Ok(())
    }

    /// Waits until the operator has put on record what its call led to.
    async fn settled(&mut self) -> Result<(), Error> {
        self.look_at_all().await?;
        let gone = self.stage.tenants().get_opt("acme").await?.is_none();
        self.went_with_it = gone && !self.stage.has_secret("extra").await?;
        Ok(())
    }

    /// Saves objects as Velero does: with finalizers and annotations, without status, uid and version.
    pub(crate) async fn save(&mut self) -> Result<(), Error> {
        let tenants = self.stage.tenants().list(&ListParams::default()).await?.items;
        let records = self.stage.records().list(&ListParams::default()).await?.items;
        let tenants = tenants.into_iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
        let records = records.into_iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
        self.saved = tenants.into_iter().chain(records).map(stripped).collect();
        Ok(())
    }

    /// Everything is lost, and created again from what was saved.
    async fn restore(&mut self) -> Result<(), Error> {
        self.end_operator().await?;
        let bare = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
        for tenant in self.stage.tenants().list(&ListParams::default()).await?.items {
            let name = tenant.metadata.name.unwrap_or_default();
            self.stage.tenants().patch(&name, &PatchParams::default(), &bare).await?;
            drop(self.stage.tenants().delete(&name, &DeleteParams::default()).await);
        }
        self.stage.records().delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
        self.stage.until_gone("acme").await?;
        for object in self.saved.clone() {
            let post = PostParams::default();
            if object["kind"] == "QlikTenant" {
                self.stage.tenants().create(&post, &serde_json::from_value::<QlikTenant>(object)?).await?;
            } else {
                self.stage.records().create(&post, &serde_json::from_value::<QlikOffboarding>(object)?).await?;
            }
        }
        self.start().await
    }

    /// Asks every object and every record for a pass, and waits for it.
    pub(crate) async fn look_at_all(&self) -> Result<(), Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("matrix-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.stage.pass("acme").await.map(drop).or_else(|error| {
            // Deleted in between is as good.
            if error.to_string().contains("NotFound") { Ok(()) } else { Err(error) }
        })?;
        let asks = Patch::Merge(json!({ "metadata": { "annotations": { "qlik-operator.dev/requested-at": mark } } }));
        for record in self.stage.records().list(&ListParams::default()).await?.items {
            let name = record.metadata.name.unwrap_or_default();
            self.stage.records().patch(&name, &PatchParams::default(), &asks).await?;
            let handled = async || {
                let status = self.stage.records().get(&name).await?.status.unwrap_or_default();
                Ok((status.last_handled_reconcile_at.as_deref() == Some(mark.as_str())).then_some(()))
            };
            self.stage.until_some(&format!("{name}: a pass on request"), handled).await?;
        }
        self.stage.pass("acme").await.map(drop)
    }

    /// How it ended, in two words.
    pub(crate) async fn end(&self) -> Result<String, Error> {
        let object = self.stage.tenants().get_opt("acme").await?;
        let records = self.stage.records().list(&ListParams::default()).await?.items;
        let phases: Vec<_> =
            records.iter().map(|r| format!("{:?}", r.status.clone().unwrap_or_default().phase)).collect();
        let qlik: Vec<_> = self.stage.sim.tenants().iter().map(|tenant| tenant.status.as_str()).collect();
        let object = object.as_ref().map_or("gone", reason);
        Ok(format!("object {object}, records [{}], Qlik {}", phases.join(" "), qlik.join(" ")))
    }
}

fn stripped(mut object: Value) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for key in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "managedFields",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ] {
            metadata.remove(key);
        }
    }
    object
}
