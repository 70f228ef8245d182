//! Waiting for conditions that nobody announces.
use std::io;
use std::time::Duration;

/// Long enough not to weigh on a small machine, short enough not to be noticed.
const EVERY: Duration = Duration::from_millis(50);

/// Asks again and again until there is an answer; an error ends the wait, and so does the time limit
/// ([`io::ErrorKind::TimedOut`], naming `what` was waited for).
pub async fn until<T, E, F>(timeout: Duration, what: &str, mut ask: F) -> Result<T, E>
where
    F: AsyncFnMut() -> Result<Option<T>, E>,
    E: From<io::Error>,
{
    let asking = async {
        let mut again = interval(EVERY);
        loop {
            again.tick().await;
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
        }
    };
    match tokio::time::timeout(timeout, asking).await {
        Ok(answer) => answer,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("{what}: not within {timeout:?}")).into()),
    }
}

/// A ticker that does not catch up on ticks that a busy machine missed.
pub fn interval(every: Duration) -> tokio::time::Interval {
    let mut ticker = tokio::time::interval(every);
    ticker.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticker
}
