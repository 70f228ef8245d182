//! What happens to a tenant in its life.

use e2e::stage::{Error, Stage, in_phase, is_ready, manifest};
use std::time::Duration;

const MONTH: Duration = Duration::from_hours(31 * 24);

/// One stretch of a tenant's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// From a manifest to a tenant in use.
    Onboarding,
    /// Name and settings are changed.
    Change,
    /// `lifecycle: Deactivated`.
    Deactivation,
    /// `lifecycle: Active` again.
    Reactivation,
    /// The object is deleted, and goes when the purge is scheduled.
    DeletionScheduled,
    /// The object is deleted, and goes when the tenant is purged.
    DeletionPurged,
}

impl Scenario {
    pub(crate) const ALL: [Self; 6] = [
        Self::Onboarding,
        Self::Change,
        Self::Deactivation,
        Self::Reactivation,
        Self::DeletionScheduled,
        Self::DeletionPurged,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Onboarding => "onboarding",
            Self::Change => "change",
            Self::Deactivation => "deactivation",
            Self::Reactivation => "reactivation",
            Self::DeletionScheduled => "deletion, Scheduled",
            Self::DeletionPurged => "deletion, Purged",
        }
    }

    /// Brings the tenant to where the scenario begins.
    pub(crate) async fn prepare(self, stage: &Stage, name: &str) -> Result<(), Error> {
        match self {
            Self::Onboarding => Ok(()),
            Self::Change | Self::Deactivation => onboard(stage, name, "Active", "").await,
            Self::Reactivation => {
                onboard(stage, name, "Active", "").await?;
                off(stage, name).await
            }
            Self::DeletionScheduled => onboard(stage, name, "Active", "onDelete: Deactivate").await,
            Self::DeletionPurged => onboard(stage, name, "Active", "onDelete: Deactivate, release: Purged").await,
        }
    }

    /// Plays it to its end.
    pub(crate) async fn play(self, stage: &Stage, name: &str) -> Result<(), Error> {
        match self {
            Self::Onboarding | Self::Reactivation => onboard(stage, name, "Active", "").await,
            Self::Change => {
                let spec = format!("displayName: Other\nalias: {name}\nsettings: {{enableAppOpeningFeedback: true}}");
                stage.put(&manifest(name, &spec)).await?;
                stage.until(name, "is changed", is_ready).await.map(drop)
            }
            Self::Deactivation => off(stage, name).await,
            Self::DeletionScheduled => {
                stage.delete(name).await?;
                stage.until_gone(name).await
            }
            Self::DeletionPurged => {
                stage.delete(name).await?;
                stage.until(name, "waits for the purge", |t| in_phase(t, "Deactivated")).await?;
                stage.turn(MONTH)?;
                let tenants = stage.tenants();
                let gone = async || Ok(tenants.get_opt(name).await?.is_none().then_some(()));
                stage.in_time("the object goes away", gone).await
            }
        }
    }
}

async fn onboard(stage: &Stage, name: &str, lifecycle: &str, on_delete: &str) -> Result<(), Error> {
    declare(stage, name, lifecycle, on_delete).await?;
    stage.until(name, "is ready", |t| is_ready(t) && in_phase(t, "Ready")).await.map(drop)
}

async fn off(stage: &Stage, name: &str) -> Result<(), Error> {
    declare(stage, name, "Deactivated", "").await?;
    stage.until(name, "is off", |t| is_ready(t) && in_phase(t, "Deactivated")).await.map(drop)
}

async fn declare(stage: &Stage, name: &str, lifecycle: &str, on_delete: &str) -> Result<(), Error> {
    let comma = if on_delete.is_empty() { "" } else { ", " };
    let offboarding = format!(
        "{{confirmHostname: {name}.us.qlikcloud.com, eraseSecrets: {{names: [{name}-extra]}}{comma}{on_delete}}}"
    );
    let spec = format!("displayName: Acme\nalias: {name}\nlifecycle: {lifecycle}\noffboarding: {offboarding}");
    stage.put(&manifest(name, &spec)).await
}
