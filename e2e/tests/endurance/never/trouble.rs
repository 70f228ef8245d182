//! A stage on which something goes wrong with each operation, or with one.

use super::operation::Operation;
use super::secrets::{Switch, Writes, theirs};
use e2e::cluster::proxy::{Hooks, Proxy};
use e2e::cluster::rights::GROUPS;
use e2e::sim::{Effect, FaultPlan, Match};
use e2e::stage::{Error, Inside, Operator, Setup, Stage, Trap, in_phase, is_ready, manifest, rights};
use qlik_operator::crd::QlikOAuthClient;
use std::sync::{Arc, Mutex, PoisonError};

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// This fault in the call that matters, which takes effect or not.
    Call(Effect, bool),
    /// The operator is killed when that call has taken effect, and another is started.
    Killed,
    /// Two operators do everything at the same time.
    TwoOperators,
    /// Something in front of the API server.
    Secret(Writes),
    /// The operator may not write Secrets any more.
    Rights,
    /// The namespace may have no further Secret.
    Quota,
    /// The client's status cannot be written until it is put right.
    Status,
    /// The same, and the operator is killed before.
    StatusAndKilled,
}

impl Trouble {
    /// Whether it can meet this operation at all.
    pub(crate) fn concerns(&self, operation: Operation) -> bool {
        use Operation::{Create, Repair, Retire, Rotate};
        match self {
            Self::None | Self::Call(..) | Self::Killed | Self::TwoOperators => true,
            // An object that goes has no further status.
            Self::Status | Self::StatusAndKilled => operation != Operation::Delete,
            Self::Secret(Writes::NameTaken) => [Create, Rotate, Repair].contains(&operation),
            Self::Secret(_) | Self::Rights => [Create, Rotate, Retire, Repair].contains(&operation),
            Self::Quota => [Create, Repair].contains(&operation),
        }
    }
}

/// The stage, and the operators on it.
pub(crate) struct Troubled {
    pub(crate) stage: Stage,
    trouble: Trouble,
    trap: Trap,
    pub(crate) switch: Switch,
    proxy: Proxy,
    operators: Mutex<Vec<Arc<Operator>>>,
}

/// The group of an operator that may not write Secrets by itself.
const LIMITED: &str = GROUPS[1];

impl Troubled {
    /// Sets everything up, with the tenant `acme` in use; the trouble itself begins with [`Self::begin`].
    pub(crate) async fn new(trouble: &Trouble) -> Result<Self, Error> {
        let trap = Trap::default();
        let mut setup = Setup::new("never");
        setup.sim.after_request = Some(trap.at_qlik());
        // The customer's app asks more often than any app would.
        setup.sim.options.rate_scale = 1000.0;
        let mut stage = Stage::new(setup).await?;
        if matches!(trouble, Trouble::Rights) {
            stage.identity = limited(&stage).await?;
        }
        let switch = Switch::new(stage.cluster.kubeconfig().to_path_buf(), stage.ns().to_owned());
        let hooks = match trouble {
            Trouble::Secret(writes) => switch.of_writes(*writes),
            Trouble::Status | Trouble::StatusAndKilled => switch.of_status(),
            _ => Hooks::default(),
        };
        let proxy = Proxy::start(stage.cluster, &stage.identity, hooks).await?;
        let troubled = Self { stage, trouble: trouble.clone(), trap, switch, proxy, operators: Mutex::default() };
        let count = if matches!(trouble, Trouble::TwoOperators) { 2 } else { 1 };
        for _ in 0..count {
            troubled.start().await?;
        }
        troubled.stage.put(&manifest("acme", "alias: acme")).await?;
        troubled.stage.until("acme", "is ready", |t| is_ready(t) && in_phase(t, "Ready")).await?;
        Ok(troubled)
    }

    async fn start(&self) -> Result<(), Error> {
        let operator = Arc::new(self.stage.operator_with(self.proxy.kubeconfig(), &[]).await?);
        self.operators.lock().unwrap_or_else(PoisonError::into_inner).push(operator);
        Ok(())
    }

    fn last_operator(&self) -> Result<Arc<Operator>, Error> {
        let operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
        operators.last().cloned().ok_or_else(|| "there is no operator".into())
    }

    /// Whether it takes the name of the Secret.
    pub(crate) fn takes_name(&self) -> bool {
        matches!(self.trouble, Trouble::Secret(Writes::NameTaken))
    }

    /// Whether it is brought about in front of the API server.
    pub(crate) fn is_switched(&self) -> bool {
        matches!(self.trouble, Trouble::Secret(_) | Trouble::Status | Trouble::StatusAndKilled)
    }

    /// Whether it ends only when people do something.
    pub(crate) fn needs_people(&self) -> bool {
        matches!(self.trouble, Trouble::Secret(Writes::NameTaken) | Trouble::Rights | Trouble::Quota)
    }

    /// Lets the trouble begin, for this operation.
    pub(crate) async fn begin(&self, operation: Operation) -> Result<(), Error> {
        match &self.trouble {
            Trouble::None | Trouble::TwoOperators => {}
            Trouble::Call(effect, commit) => {
                let (method, path) = operation.call();
                let matching = Match { host: Some("tenant".to_owned()), ..Match::on(method, &path) };
                self.stage.sim.fault(FaultPlan::new(matching, effect.clone()).commit(*commit));
            }
            Trouble::Killed => {
                self.trap.arm(self.last_operator()?, move |_, what| {
                    let (method, place) = what.split_once(' ').unwrap_or_default();
                    place.strip_prefix("tenant").is_some_and(|path| operation.is_call(method, path))
                });
            }
            Trouble::Secret(_) | Trouble::Status | Trouble::StatusAndKilled => self.switch.turn(true),
            Trouble::Rights => {
                self.stage.kubectl(&["delete", "rolebinding", "secrets"]).await?;
                let user = ["--as", self.stage.identity.user(), "--as-group", LIMITED];
                self.no_secret_may_be_made(&user).await?;
            }
            Trouble::Quota => {
                let quota =
                    "{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {count/secrets: 0}}}";
                self.stage.apply(quota).await?;
                // What the quota controller would write.
                let counted = r#"{"status": {"hard": {"count/secrets": "0"}, "used": {"count/secrets": "0"}}}"#;
                self.stage
                    .kubectl(&["patch", "quota", "none", "--subresource=status", "--type=merge", "-p", counted])
                    .await?;
                self.no_secret_may_be_made(&[]).await?;
            }
        }
        Ok(())
    }

    /// Waits until the API server has heard of it.
    async fn no_secret_may_be_made(&self, who: &[&str]) -> Result<(), Error> {
        let probe = [&["create", "secret", "generic", "probe", "--dry-run=server"], who].concat();
        let refused = async || Ok(self.stage.kubectl(&probe).await.is_err().then_some(()));
        self.stage.until_some("no Secret may be made", refused).await
    }

    /// What belongs to the trouble once the operation has begun; an operator that was killed has a successor.
    pub(crate) async fn go_on(&self, operation: Operation) -> Result<(), Error> {
        match self.trouble {
            Trouble::Killed => {
                self.trap.sprung().await;
                self.start().await
            }
            Trouble::StatusAndKilled => {
                let called = async || Ok((self.calls(operation) > 0).then_some(()));
                self.stage.until_some("the first call", called).await?;
                let operator = self.last_operator()?;
                operator.kill9()?;
                operator.ended().await;
                self.start().await
            }
            _ => Ok(()),
        }
    }

    /// How often the call that matters was made since the journal was cleared, with whatever outcome.
    pub(crate) fn calls(&self, operation: Operation) -> usize {
        let journal = self.stage.sim.journal();
        let of_tenant = |path: &str| path.split('?').next().unwrap_or_default().to_owned();
        journal.iter().filter(|e| operation.is_call(&e.method, &of_tenant(&e.path))).count()
    }

    /// Does what the object tells its reader to do, and otherwise ends what does not end by itself.
    pub(crate) async fn put_right(&self) -> Result<Option<&'static str>, Error> {
        let stage = &self.stage;
        let object = stage.clients().get_opt("app").await?;
        let told = |words: &str| {
            object.as_ref().is_some_and(|o: &QlikOAuthClient| o.is("Stalled") && o.message().contains(words))
        };
        match &self.trouble {
            Trouble::Secret(Writes::NameTaken)
                if told("exists and belongs to somebody else") && told("is left alone") =>
            {
                if stage.read_secret("app").await? != theirs() {
                    return Err("the Secret of somebody else was changed".into());
                }
                stage.delete_secret("app").await?;
                Ok(Some("Secret deleted"))
            }
            Trouble::Rights if told("give the operator's service account this right") => {
                self.grant().await?;
                Ok(Some("right given"))
            }
            Trouble::Quota if told("exceeded quota") => {
                stage.kubectl(&["delete", "quota", "none", "--ignore-not-found"]).await?;
                Ok(Some("quota lifted"))
            }
            Trouble::Secret(Writes::Fail | Writes::Drop) | Trouble::Status | Trouble::StatusAndKilled
                if self.switch.was_hit() =>
            {
                self.switch.turn(false);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Ends what is left of the trouble.
    pub(crate) async fn end(&self) -> Result<(), Error> {
        self.switch.turn(false);
        self.trap.disarm();
        self.stage.sim.clear_faults();
        if matches!(self.trouble, Trouble::Rights) {
            self.grant().await?;
        }
        Ok(())
    }

    async fn grant(&self) -> Result<(), Error> {
        self.stage.apply(&grant(self.stage.identity.user())).await
    }
}

/// An operator that reads everything and has its right to write Secrets from a binding of the namespace.
async fn limited(stage: &Stage) -> Result<e2e::cluster::Identity, Error> {
    rights::limited(stage.cluster, LIMITED).await?;
    rights::own_namespace(stage.cluster, stage.ns(), LIMITED).await?;
    stage.apply(&grant(&format!("operator-{}", stage.ns()))).await?;
    Ok(stage.cluster.identity(&format!("operator-{}", stage.ns()), &[LIMITED]).await?)
}

/// Binds every right on Secrets to a user, in the namespace that it is applied in.
fn grant(user: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: secrets}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {}}}
subjects: [{{kind: User, name: {user}, apiGroup: rbac.authorization.k8s.io}}]
",
        rights::SECRETS
    )
}
