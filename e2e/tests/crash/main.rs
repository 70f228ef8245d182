//! A crash after every single request: whatever was under way ends as if nothing had happened.
//!
//! Each scenario is run once to count the operator's requests, to Kubernetes and to Qlik Cloud alike. Then it is run
//! once for each of them: the operator is killed when that request has taken effect and before it hears of it, and a
//! new one goes on eleven minutes later.
#![expect(clippy::panic, reason = "a test fails by panicking")]

mod ground;
mod scenario;
mod world;

use e2e::stage::{Error, show};
use ground::Ground;
use scenario::Scenario;

/// No scenario is that long: something goes round in circles.
const MOST_POINTS: usize = 80;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_is_the_same_wherever_the_operator_dies() {
    let rows = futures::future::join_all(Scenario::ALL.map(all_points)).await;
    let mut lines = vec!["crash after every request: scenarios x points (. same end, F not)".to_owned()];
    let mut failed = Vec::new();
    let mut points = 0;
    for (scenario, row) in Scenario::ALL.into_iter().zip(rows) {
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
    if !failed.is_empty() {
        panic!("{}", failed.join("\n"));
    }
}

/// What became of one scenario.
struct Row {
    marks: String,
    requests: Vec<String>,
    failed: Vec<String>,
}

async fn all_points(scenario: Scenario) -> Result<Row, Error> {
    let mut ground = Ground::new().await?;
    let undisturbed = ground.point(scenario, None).await?;
    let mut row = Row { marks: String::new(), requests: undisturbed.requests.clone(), failed: Vec::new() };
    for number in 1..=MOST_POINTS {
        let point = ground.point(scenario, Some(number)).await;
        let Ok(point) = point else {
            // Nothing that comes after can be trusted.
            row.marks.push('F');
            row.failed.extend(point.err().map(|error| format!("after request {number}: {error}")));
            return Ok(row);
        };
        if !point.killed {
            return Ok(row); // there is no request of this number
        }
        let same = point.world == undisturbed.world;
        row.marks.push(if same { '.' } else { 'F' });
        if !same {
            let last = point.requests.last().map_or("", String::as_str);
            let (is, should) = (point.world, &undisturbed.world);
            row.failed.push(format!("after request {number}, {last}:\n  is        {is:?}\n  should be {should:?}"));
        }
    }
    Err("no end".into())
}
