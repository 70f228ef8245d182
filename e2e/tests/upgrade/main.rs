//! Objects that were stored under an earlier schema of the kinds meet the operator of today, and definitions come and go.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod gone;
mod stored;
mod stricter;

use e2e::cluster::Cluster;
use e2e::stage::{Error, Setup, Stage};
use tokio::sync::{Mutex, MutexGuard};

/// A stage whose definitions nobody else changes meanwhile: they belong to the whole cluster, so one test at a time.
async fn stage(prefix: &str) -> Result<(MutexGuard<'static, ()>, Stage), Error> {
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    Ok((turn, Stage::on(Cluster::shared().await?, Setup::new(prefix)).await?))
}
