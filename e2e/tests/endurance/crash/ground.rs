//! Where a scenario is played again and again, each time with a new object.

use e2e::cluster::proxy::Proxy;
use e2e::nightly::nightly;
use e2e::stage::{Error, Operator, Setup, Stage, Trap};
use futures::FutureExt;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// After this long, a call of unknown outcome may be resolved by another operator.
pub(crate) const TAKE_OVER: Duration = Duration::from_mins(11);

/// What happens to an object, and what must be the same at its end.
pub(crate) trait Story: Copy {
    /// Everything that must be the same, without the names and dates that differ.
    type World: Debug + PartialEq;

    fn title(self) -> &'static str;

    /// Brings the object of this name to where the story begins.
    async fn prepare(self, stage: &Stage, name: &str) -> Result<(), Error>;

    /// Plays it to its end.
    async fn play(self, stage: &Stage, name: &str) -> Result<(), Error>;

    /// Waits for a pass over the object, if there is one.
    async fn pass(self, stage: &Stage, name: &str) -> Result<(), Error>;

    /// Looks at what has become of it.
    async fn look(self, stage: &Stage, name: &str) -> Result<Self::World, Error>;

    /// Leaves nothing behind that the next play could take for its own.
    async fn clear(self, stage: &Stage, name: &str) -> Result<(), Error>;
}

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
    /// The one of this number, of those that [`is_point`] names.
    Number(usize),
    /// The first of this kind.
    Kind(String),
}

/// Whether the operator is killed after such a request, too. What it has read goes with it, so a crash after a read ends as
/// one after the last request before it that changed something: played by night only. A token is no read.
pub(crate) fn is_point(kind: &str) -> bool {
    nightly() || !["GET ", "HEAD "].iter().any(|read| kind.starts_with(read))
}

/// How one play ended.
pub(crate) struct Point<W> {
    pub(crate) world: W,
    /// Those that are points.
    pub(crate) requests: Vec<String>,
    pub(crate) killed: bool,
}

impl Ground {
    pub(crate) async fn new() -> Result<Self, Error> {
        let trap = Trap::default();
        let mut setup = Setup::new("crash").with_own_organization();
        setup.sim.after_request = Some(trap.at_qlik());
        let stage = Stage::new(setup).await?;
        let proxy = Proxy::start(stage.cluster, &stage.identity, trap.at_kubernetes()).await?;
        let operator = Arc::new(stage.operator_with(proxy.kubeconfig(), &[]).await?);
        Ok(Self { stage, trap, proxy, operator, played: 0 })
    }

    /// Plays a story, with the operator killed right after this request.
    pub(crate) async fn point<S: Story>(&mut self, story: S, last: Last) -> Result<Point<S::World>, Error> {
        self.played += 1;
        let name = format!("acme-{}", self.played);
        story.prepare(&self.stage, &name).await?;
        self.stage.sim.clear_journal();
        let mut points = 0;
        self.trap.arm(self.operator.clone(), move |_, kind| {
            points += usize::from(is_point(kind));
            match &last {
                Last::Never => false,
                Last::Number(last) => is_point(kind) && points == *last,
                Last::Kind(last) => kind == last,
            }
        });
        let (killed, mut requests) = self.play(story, &name).await?;
        requests.retain(|kind| is_point(kind));
        let world = story.look(&self.stage, &name).await?;
        story.clear(&self.stage, &name).await?;
        Ok(Point { world, requests, killed })
    }

    /// Plays the story itself. An operator that was killed has a successor, eleven minutes later. Answers whether it was,
    /// and the requests up to then.
    async fn play<S: Story>(&mut self, story: S, name: &str) -> Result<(bool, Vec<String>), Error> {
        let Self { stage, trap, proxy, operator, .. } = self;
        let succeed = async || {
            operator.ended().await;
            stage.turn(TAKE_OVER)?;
            Ok::<_, Error>(Arc::new(stage.operator_with(proxy.kubeconfig(), &[]).await?))
        };
        let mut successor = None;
        let mut requests = None;
        let mut play = std::pin::pin!(story.play(stage, name));
        tokio::select! {
            biased;
            () = trap.sprung() => {
                successor = Some(succeed().await?);
                play.await?;
            }
            played = &mut play => {
                played?;
                // The last request of all may have brought the end about: it is seen before the trap hears of it. From here
                // on nobody is killed, so that no operator is missing later.
                requests = Some(trap.disarm());
                if trap.sprung().now_or_never().is_some() {
                    successor = Some(succeed().await?);
                }
            }
        }
        let requests = requests.unwrap_or_else(|| trap.disarm());
        let killed = successor.is_some();
        if let Some(successor) = successor {
            *operator = successor;
            // Whatever the successor would do on its own account, it has done by then.
            story.pass(stage, name).await?;
        }
        Ok((killed, requests))
    }
}
