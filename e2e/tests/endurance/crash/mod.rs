//! A crash after every single request that changes something (by night: after every request): whatever was under way ends as
//! if nothing had happened.
//!
//! Each scenario is run once to count these requests of the operator, to Kubernetes and to Qlik Cloud alike. Then it is run
//! once for each of them: the operator is killed when that request has taken effect and before it hears of it, and a
//! new one goes on eleven minutes later.

mod client;
mod ground;
mod provider;
mod scenario;
mod world;

use client::ClientScenario;
use e2e::nightly::nightly;
use e2e::stage::{Error, show};
use ground::{Ground, Last, Point, Story};
use provider::ProviderScenario;
use scenario::Scenario;
use std::collections::BTreeSet;
use std::fmt::Debug;

/// No scenario is that long: something goes round in circles.
const MOST_POINTS: usize = 120;
/// Points that are played one after the other; the others at the same time.
const POINTS_PER_LANE: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_is_the_same_wherever_the_operator_dies() {
    run("tenants", Scenario::ALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_for_clients() {
    run("OAuth clients", ClientScenario::ALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_for_identity_providers() {
    run("identity providers", ProviderScenario::ALL).await;
}

async fn run<S: Story, const N: usize>(title: &str, all: [S; N]) {
    let rows = futures::future::join_all(all.map(all_points)).await;
    let what = if nightly() { "request" } else { "request that changes something" };
    let mut lines = vec![format!("crash after every {what}, {title}: scenarios x points (. same end, F not)")];
    let mut failed = Vec::new();
    let mut points = 0;
    for (scenario, row) in all.into_iter().zip(rows) {
        match row {
            Ok(row) => {
                points += row.marks.len();
                lines.push(format!("  {:<24} {:>3}  {}", scenario.title(), row.marks.len(), row.marks));
                lines.push(format!("  {:<24}      {}", "", row.requests.join(" | ")));
                failed.extend(row.failed.iter().map(|why| format!("{}: {why}", scenario.title())));
            }
            Err(error) => failed.push(format!("{}: {error}", scenario.title())),
        }
    }
    lines.push(format!("  {points} points in all"));
    show(&lines.join("\n"));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What became of one scenario.
struct Row {
    marks: String,
    requests: Vec<String>,
    failed: Vec<String>,
}

/// A point and how it ended.
type Played<W> = (usize, Result<Point<W>, Error>);

async fn all_points<S: Story>(scenario: S) -> Result<Row, Error> {
    let mut ground = Ground::new().await?;
    let undisturbed = ground.point(scenario, Last::Never).await?;
    let lanes = undisturbed.requests.len().div_ceil(POINTS_PER_LANE);
    let played = futures::future::try_join_all((1..=lanes).map(|first| lane(scenario, first, lanes))).await?;
    let mut played: Vec<Played<S::World>> = played.into_iter().flatten().collect();
    played.sort_by_key(|(number, _)| *number);
    other_writes(&mut ground, scenario, &undisturbed, &mut played).await;
    Ok(judge(undisturbed, played))
}

/// Tokens and reads come and go with the order in which things are heard of, and shift the numbers. So that each kind of
/// write is among the points in any case, those that were missed are played by name.
async fn other_writes<S: Story>(
    ground: &mut Ground,
    scenario: S,
    undisturbed: &Point<S::World>,
    played: &mut Vec<Played<S::World>>,
) {
    let writes = undisturbed.requests.iter().filter(|kind| !kind.starts_with("GET ") && !kind.contains("/oauth/"));
    for kind in writes.collect::<BTreeSet<_>>() {
        let is_last =
            |point: &Played<S::World>| point.1.as_ref().is_ok_and(|point| point.requests.last() == Some(kind));
        if played.iter().any(is_last) {
            continue;
        }
        match ground.point(scenario, Last::Kind(kind.clone())).await {
            // It did not come up again: an echo of what had been before.
            Ok(point) if !point.killed => {}
            Ok(point) => played.push((played.len() + 1, Ok(point))),
            // What comes after on this ground could not be trusted.
            Err(error) => return played.push((played.len() + 1, Err(error))),
        }
    }
}

/// Compares the end of every point with the undisturbed one.
fn judge<W: Debug + PartialEq>(undisturbed: Point<W>, played: Vec<Played<W>>) -> Row {
    let mut row = Row { marks: String::new(), requests: undisturbed.requests, failed: Vec::new() };
    for (number, point) in played {
        let why = match point {
            Ok(point) if point.world == undisturbed.world => {
                row.marks.push('.');
                continue;
            }
            Ok(Point { world, requests, .. }) => {
                let last = requests.last().map_or("", String::as_str);
                format!("{last}:\n  is        {world:?}\n  should be {:?}", undisturbed.world)
            }
            Err(error) => error.to_string(),
        };
        row.marks.push('F');
        row.failed.push(format!("after request {number}, {why}"));
    }
    row
}

/// Every nth point, on a ground of its own, until there is no request of such a number.
async fn lane<S: Story>(scenario: S, first: usize, every: usize) -> Result<Vec<Played<S::World>>, Error> {
    let mut ground = Ground::new().await?;
    let mut played = Vec::new();
    for number in (first..=MOST_POINTS).step_by(every) {
        match ground.point(scenario, Last::Number(number)).await {
            Ok(point) if !point.killed => return Ok(played),
            Ok(point) => played.push((number, Ok(point))),
            Err(error) => {
                // What comes after on this ground could not be trusted.
                played.push((number, Err(error)));
                return Ok(played);
            }
        }
    }
    Err(format!("no end after {MOST_POINTS} requests").into())
}
