//! Tables of scenarios: every row runs, then the whole matrix is shown, then the test fails if a row did.

use crate::stage::{Error, show};
use futures::{FutureExt, StreamExt};
use std::panic::AssertUnwindSafe;
use std::time::Instant;

/// How many rows run at the same time. They mostly wait: for the operator's deadlines, and for its pauses.
const AT_ONCE: usize = 8;

/// Runs all rows. `run` answers what to show of a row that went well.
///
/// # Panics
///
/// When a row failed.
pub async fn run<R, F>(title: &str, rows: Vec<(String, R)>, run: impl Fn(R) -> F)
where
    F: Future<Output = Result<String, Error>>,
{
    let count = rows.len();
    let begun: Vec<_> = rows.into_iter().map(|(name, row)| (name, run(row))).collect();
    let results = futures::stream::iter(begun.into_iter().enumerate())
        .map(|(number, (name, row))| async move {
            let start = Instant::now();
            // A row that panics must not hide the others.
            let outcome = AssertUnwindSafe(row).catch_unwind().await.unwrap_or_else(|_| Err("panicked".into()));
            (number, name, outcome, start.elapsed().as_secs())
        })
        .buffer_unordered(AT_ONCE);
    let mut results: Vec<_> = results.collect().await;
    results.sort_by_key(|(number, ..)| *number);
    let mut lines = vec![format!("{title}: {count} rows")];
    let mut failed = Vec::new();
    for (_, name, outcome, seconds) in results {
        match outcome {
            Ok(shown) => lines.push(format!("  {name:<62} {shown}  {seconds} s")),
            Err(error) => {
                lines.push(format!("  {name:<62} FAILED  {seconds} s"));
                failed.push(format!("{name}: {error}"));
            }
        }
    }
    show(&lines.join("\n"));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
