//! The faults that a call which must not be made twice can meet, each with what has to come of it.

use e2e::cluster::proxy::{Before, Hooks, Proxy};
use e2e::sim::{Effect, FaultPlan, Match, When};
use e2e::stage::{Error, Operator, PATIENCE, Setup, Stage, Trap};
use http::{Method, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the organization API is to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Organization {
    /// It has no credential for it.
    Unasked,
    /// It has one, and others may make tenants there, too.
    Shared,
    /// Nobody else makes tenants there.
    Ours,
}

/// What goes wrong with the call.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// This fault; the call takes effect or not.
    Call(Effect, bool),
    /// The answer is lost, and from then on the tenant's own host fails until it is put right.
    CallAndHost,
    /// The operator is killed when the call has taken effect, and another is started.
    Killed,
    /// Two operators do everything at the same time.
    TwoOperators,
    /// The same manifest is applied again and again.
    RepeatedApplies,
    /// No status of this kind can be written until it is put right.
    StatusWrites(&'static str),
    /// The same, and the operator is killed before it is put right.
    StatusWritesAndKilled(&'static str),
}

/// Seconds that a 429 without a word on it means to the operator.
const RETRY_DEFAULT: u64 = 60;

/// A stage with a trouble, and the operators on it.
pub(crate) struct Troubled {
    pub(crate) stage: Stage,
    trouble: Trouble,
    trap: Trap,
    refusing: Arc<AtomicBool>,
    proxy: Proxy,
    operators: Vec<Arc<Operator>>,
}

impl Troubled {
    /// Sets everything up; the trouble itself begins with [`Self::begin`].
    pub(crate) async fn new(prefix: &str, organization: Organization, trouble: &Trouble) -> Result<Self, Error> {
        let trap = Trap::default();
        let mut setup = Setup::new(prefix);
        setup.organization = organization != Organization::Unasked;
        setup.organization_is_ours = organization == Organization::Ours;
        setup.sim.after_request = Some(trap.at_qlik());
        let stage = Stage::new(setup).await?;
        let refusing = Arc::new(AtomicBool::new(false));
        let proxy = Proxy::start(stage.cluster, &stage.identity, refusal(trouble, &refusing)).await?;
        let mut troubled = Self { stage, trouble: trouble.clone(), trap, refusing, proxy, operators: Vec::new() };
        let count = if matches!(trouble, Trouble::TwoOperators) { 2 } else { 1 };
        for _ in 0..count {
            troubled.start().await?;
        }
        Ok(troubled)
    }

    /// Starts one more operator.
    pub(crate) async fn start(&mut self) -> Result<(), Error> {
        self.operators.push(Arc::new(self.stage.operator_with(self.proxy.kubeconfig(), &[]).await?));
        Ok(())
    }

    /// Lets the trouble begin, with the call of this method and path.
    pub(crate) fn begin(&self, path: &str) {
        let plan = |effect: &Effect, commit| {
            let matching = Match { host: Some("register".to_owned()), ..Match::on("POST", path) };
            self.stage.sim.fault(FaultPlan::new(matching, effect.clone()).commit(commit));
        };
        match &self.trouble {
            Trouble::None | Trouble::TwoOperators | Trouble::RepeatedApplies => {}
            Trouble::Call(effect, commit) => plan(effect, *commit),
            Trouble::CallAndHost => plan(&Effect::Drop(When::After), true),
            Trouble::Killed => {
                let end = path.rsplit('/').next().unwrap_or_default().to_owned();
                if let Some(operator) = self.operators.last() {
                    self.trap.arm(operator.clone(), move |_, what| {
                        what.starts_with("POST register") && what.ends_with(&format!("/{end}"))
                    });
                }
            }
            Trouble::StatusWrites(_) | Trouble::StatusWritesAndKilled(_) => {
                self.refusing.store(true, Ordering::SeqCst);
            }
        }
    }

    /// What belongs to the trouble once the call was made; an operator that was killed has a successor.
    pub(crate) async fn go_on(&mut self) -> Result<(), Error> {
        match self.trouble {
            Trouble::Killed => {
                self.trap.sprung().await;
                self.start().await?;
            }
            Trouble::StatusWritesAndKilled(_) => {
                if let Some(operator) = self.operators.pop() {
                    operator.kill9()?;
                    operator.ended().await;
                }
                self.start().await?;
            }
            Trouble::CallAndHost => {
                let matching = Match { host: Some("tenant".to_owned()), count: 0, ..Match::default() };
                self.stage.sim.fault(FaultPlan::new(matching, Effect::status(503)));
            }
            // Not before the operator has heard of it: the time that it was told to wait counts from then.
            Trouble::Call(Effect::Status { status: 429, .. }, _) => {
                if let Some(operator) = self.operators.last() {
                    let failed = |line: &str| line.contains("the pass failed") && line.contains("throttled");
                    operator.wait_for_line(PATIENCE, failed).await?;
                }
            }
            Trouble::None
            | Trouble::Call(..)
            | Trouble::TwoOperators
            | Trouble::RepeatedApplies
            | Trouble::StatusWrites(_) => {}
        }
        Ok(())
    }

    /// What the trouble is.
    pub(crate) fn trouble(&self) -> &Trouble {
        &self.trouble
    }

    /// Whether passes can be asked for and acknowledge it. One that is throttled writes nothing at first.
    pub(crate) fn answers(&self) -> bool {
        let throttled =
            matches!(&self.trouble, Trouble::Call(Effect::Status { status: 429, retry_after: None, .. }, _));
        !throttled && !self.refusing.load(Ordering::SeqCst)
    }

    /// How many seconds Qlik Cloud asked to wait before the next call.
    pub(crate) fn asked_to_wait(&self) -> u64 {
        match &self.trouble {
            Trouble::Call(Effect::Status { status: 429, retry_after, .. }, _) => retry_after.unwrap_or(RETRY_DEFAULT),
            _ => 0,
        }
    }

    /// Ends what does not end by itself.
    pub(crate) fn put_right(&self) {
        self.refusing.store(false, Ordering::SeqCst);
        self.stage.sim.clear_faults();
    }
}

/// Status writes of one kind fail while the flag is up.
fn refusal(trouble: &Trouble, refusing: &Arc<AtomicBool>) -> Hooks {
    let (Trouble::StatusWrites(plural) | Trouble::StatusWritesAndKilled(plural)) = trouble else {
        return Hooks::default();
    };
    let (kind, refusing) = (format!("/{plural}/"), refusing.clone());
    Hooks::default().before_request(move |call| {
        let hit = call.method == Method::PATCH && call.path.contains(&kind) && call.path.ends_with("/status");
        if hit && refusing.load(Ordering::SeqCst) {
            Before::Fail(StatusCode::INTERNAL_SERVER_ERROR)
        } else {
            Before::Forward
        }
    })
}
