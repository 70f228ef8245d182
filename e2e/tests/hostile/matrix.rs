//! What must never happen to a tenant, whatever it goes through and whatever happens in the middle of that: a deactivation
//! that nobody decided, a second tenant, a Secret of a tenant in use that is erased. One half each time, all by night.

use super::crossing::{Crossing, World};
use super::story::Story;
use super::support::*;
use e2e::nightly::nightly;
use e2e::sim::Status;
use e2e::stage::{Error, show};
use e2e::table;
use std::sync::Mutex;
use std::time::Duration;

/// What must be nought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Harm {
    unwanted: usize,
    second: usize,
    erased: usize,
}

fn rows() -> Vec<(String, (Story, Crossing))> {
    let stories = Story::ALL.into_iter().enumerate();
    let all =
        stories.flat_map(|(s, story)| Crossing::ALL.into_iter().enumerate().map(move |(c, it)| (s + c, story, it)));
    let sensible = all.filter(|(_, story, crossing)| crossing.concerns(*story));
    let chosen = sensible.filter(|(number, ..)| nightly() || number % 2 == 0);
    chosen
        .map(|(_, story, crossing)| (format!("{} × {}", story.title(), crossing.title()), (story, crossing)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_never_happen_to_a_tenant() {
    let sum = Mutex::new((0, Harm::default()));
    table::run("tenants (stories × what happens in the middle)", rows(), |(story, crossing)| {
        let sum = &sum;
        async move {
            let (harm, end) = Box::pin(course(story, crossing)).await?;
            if let Ok(mut sum) = sum.lock() {
                let Harm { unwanted, second, erased } = sum.1;
                let more = |was: usize, now: usize| was + now;
                let all = Harm {
                    unwanted: more(unwanted, harm.unwanted),
                    second: more(second, harm.second),
                    erased: more(erased, harm.erased),
                };
                *sum = (sum.0 + 1, all);
            }
            let Harm { unwanted, second, erased } = harm;
            let shown = format!("unwanted {unwanted}, second {second}, erased {erased}; {end}");
            if harm == Harm::default() { Ok(shown) } else { Err(shown.into()) }
        }
    })
    .await;
    let (rows, Harm { unwanted, second, erased }) = *sum.lock().unwrap();
    show(&format!(
        "tenants: {rows} rows, {unwanted} unwanted deactivations, {second} second tenants, {erased} erased Secrets of a \
         tenant in use"
    ));
}

async fn course(story: Story, crossing: Crossing) -> Result<(Harm, String), Error> {
    let mut world = World::new(story, crossing).await?;
    story.prepare(&world.stage).await?;
    world.save().await?;
    world.arm();
    story.begin(&world.stage).await?;
    world.until_middle().await?;
    world.cross().await?;
    // What is left of an unknown outcome is old enough to be decided, and whoever acts by himself has had the time to.
    for step in [TAKE_OVER, HOUR, HOUR] {
        world.goes_by(step).await?;
    }
    let half = world.harm().await?;
    // Past each date.
    for step in [DAY * 14, HOUR * 2, HOUR * 2, DAY * 80, HOUR * 2, HOUR * 2] {
        world.goes_by(step).await?;
    }
    let whole = world.harm().await?;
    if half.0 > whole.0 {
        return Err("a deactivation was counted and is not any more".into());
    }
    let end = world.end().await?;
    Ok((Harm { unwanted: whole.0, second: whole.1, erased: whole.2 }, end))
}

impl World {
    /// Unwanted deactivations, second tenants, erased Secrets of a tenant in use.
    async fn harm(&mut self) -> Result<(usize, usize, usize), Error> {
        let unwanted = deactivations(&self.stage).saturating_sub(self.story.decisions());
        let tenants = self.stage.sim.tenants();
        let in_use = tenants.iter().any(|tenant| tenant.status == Status::Active);
        let there = self.stage.has_secret("extra").await?;
        // What went with a tenant that was off and had been decided to go is not taken back by its return.
        if in_use && !there && !self.went_with_it {
            return Ok((unwanted, tenants.len() - 1, 1));
        }
        self.went_with_it |= !there;
        Ok((unwanted, tenants.len() - 1, 0))
    }

    /// Time goes by, and everything that is there is looked at.
    async fn goes_by(&mut self, step: Duration) -> Result<(), Error> {
        self.stage.turn(step)?;
        self.look_at_all().await
    }
}
