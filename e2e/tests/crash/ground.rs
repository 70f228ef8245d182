//! Where a scenario is played again and again, each time with a new object.

use crate::scenario::Scenario;
use crate::world::World;
use e2e::cluster::proxy::Proxy;
use e2e::stage::{Error, Operator, Setup, Stage, Trap};
use futures::FutureExt;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// After this long, a call of unknown outcome may be resolved by another operator.
const TAKE_OVER: Duration = Duration::from_mins(11);

/// A stage, and the one operator that works on it.
pub(crate) struct Ground {
    pub(crate) stage: Stage,
    trap: Trap,
    proxy: Proxy,
    operator: Arc<Operator>,
    played: usize,
}

/// After which request the operator is killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// None.
    Never,
    /// The one of this number.
    Number(usize),
    /// The first of this kind.
    Kind(String),
}

/// How one play ended.
pub(crate) struct Point {
    pub(crate) world: World,
    pub(crate) requests: Vec<String>,
    pub(crate) killed: bool,
}

impl Ground {
    pub(crate) async fn new() -> Result<Self, Error> {
        let trap = Trap::default();
        let mut setup = Setup::new("crash").with_organization();
        setup.sim.after_request = Some(trap.at_qlik());
        let stage = Stage::new(setup).await?;
        let proxy = Proxy::start(stage.cluster, &stage.identity, trap.at_kubernetes()).await?;
        let operator = Arc::new(stage.operator_with(proxy.kubeconfig(), &[]).await?);
        Ok(Self { stage, trap, proxy, operator, played: 0 })
    }

    /// Plays a scenario, with the operator killed right after this request.
    pub(crate) async fn point(&mut self, scenario: Scenario, last: Last) -> Result<Point, Error> {
        self.played += 1;
        let name = format!("acme-{}", self.played);
        self.stage.secret(&format!("{name}-extra"), &[("a", "b")]).await?;
        scenario.prepare(&self.stage, &name).await?;
        self.stage.sim.clear_journal();
        self.trap.arm(self.operator.clone(), move |number, kind| match &last {
            Last::Never => false,
            Last::Number(last) => number == *last,
            Last::Kind(last) => kind == last,
        });
        let killed = self.play(scenario, &name).await?;
        let requests = self.trap.disarm();
        let world = World::look(&self.stage, &name).await?;
        self.clear(&name).await?;
        Ok(Point { world, requests, killed })
    }

    /// Plays the scenario itself. An operator that was killed has a successor, eleven minutes later.
    async fn play(&mut self, scenario: Scenario, name: &str) -> Result<bool, Error> {
        let Self { stage, trap, proxy, operator, .. } = self;
        let succeed = async || {
            operator.ended().await;
            stage.turn(TAKE_OVER)?;
            Ok::<_, Error>(Arc::new(stage.operator_with(proxy.kubeconfig(), &[]).await?))
        };
        let mut successor = None;
        let mut play = std::pin::pin!(scenario.play(stage, name));
        tokio::select! {
            biased;
            () = trap.sprung() => {
                successor = Some(succeed().await?);
                play.await?;
            }
            played = &mut play => {
                played?;
                // The last request of all may have brought the end about.
                if trap.sprung().now_or_never().is_some() {
                    successor = Some(succeed().await?);
                }
            }
        }
        let killed = successor.is_some();
        if let Some(successor) = successor {
            *operator = successor;
            // Whatever the successor would do on its own account, it has done by then.
            stage.pass(name).await?;
        }
        Ok(killed)
    }

    /// Leaves nothing behind that the next play could take for its own.
    async fn clear(&self, name: &str) -> Result<(), Error> {
        if self.stage.tenants().get_opt(name).await?.is_some() {
            self.stage.patch(name, json!({ "spec": { "offboarding": { "onDelete": "Retain" } } })).await?;
            self.stage.delete(name).await?;
            self.stage.until_gone(name).await?;
        }
        for record in self.stage.records_of(name).await? {
            let name = record.metadata.name.unwrap_or_default();
            self.stage.records().delete(&name, &kube::api::DeleteParams::default()).await?;
        }
        self.stage.turn(TAKE_OVER)
    }
}
