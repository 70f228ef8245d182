//! Objects that were stored under an earlier schema of the kinds meet the operator of today, and definitions come and go.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod gone;
mod stored;
mod stricter;

use e2e::cluster::Cluster;
use e2e::stage::{Error, Setup, Stage};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// A stage whose definitions nobody else changes or uses meanwhile. They belong to the whole cluster, so these tests have
/// one of their own, and go one at a time.
async fn stage(prefix: &str) -> Result<(MutexGuard<'static, ()>, Stage), Error> {
    static TURN: Mutex<()> = Mutex::const_new(());
    static PLANE: OnceCell<Cluster> = OnceCell::const_new();
    let turn = TURN.lock().await;
    let plane = PLANE.get_or_try_init(Cluster::private).await?;
    Ok((turn, Stage::on(plane, Setup::new(prefix)).await?))
}
