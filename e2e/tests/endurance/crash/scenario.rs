//! What happens to a tenant in its life.

use super::ground::{Story, TAKE_OVER};
use super::world::World;
use e2e::stage::{Error, Stage, in_phase, is_ready, manifest};
use serde_json::json;
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
    /// The object is deleted, and its tenant lives on.
    DeletionRetain,
}

impl Scenario {
    pub(crate) const ALL: [Self; 7] = [
        Self::Onboarding,
        Self::Change,
        Self::Deactivation,
        Self::Reactivation,
        Self::DeletionScheduled,
        Self::DeletionPurged,
        Self::DeletionRetain,
    ];
}

impl Story for Scenario {
    type World = World;

    fn title(self) -> &'static str {
        match self {
            Self::Onboarding => "onboarding",
            Self::Change => "change",
            Self::Deactivation => "deactivation",
            Self::Reactivation => "reactivation",
            Self::DeletionScheduled => "deletion, Scheduled",
            Self::DeletionPurged => "deletion, Purged",
            Self::DeletionRetain => "deletion, Retain",
        }
    }

    async fn prepare(self, stage: &Stage, name: &str) -> Result<(), Error> {
        stage.secret(&format!("{name}-extra"), &[("a", "b")]).await?;
        match self {
            Self::Onboarding => Ok(()),
            Self::Change | Self::Deactivation | Self::DeletionRetain => onboard(stage, name, "Active", "").await,
            Self::Reactivation => {
                onboard(stage, name, "Active", "").await?;
                off(stage, name).await
            }
            Self::DeletionScheduled => onboard(stage, name, "Active", "onDelete: Deactivate").await,
            Self::DeletionPurged => onboard(stage, name, "Active", "onDelete: Deactivate, release: Purged").await,
        }
    }

    async fn play(self, stage: &Stage, name: &str) -> Result<(), Error> {
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
            Self::DeletionRetain => {
                stage.delete(name).await?;
                stage.until_gone(name).await?;
                stage.until_released(name).await
            }
            Self::DeletionPurged => {
                stage.delete(name).await?;
                stage.until(name, "waits for the purge", |t| in_phase(t, "Deactivated")).await?;
                stage.turn(MONTH)?;
                stage.confirm_purge().await?;
                let tenants = stage.tenants();
                let gone = async || Ok(tenants.get_opt(name).await?.is_none().then_some(()));
                stage.in_time("the object goes away", gone).await
            }
        }
    }

    async fn pass(self, stage: &Stage, name: &str) -> Result<(), Error> {
        stage.pass(name).await.map(drop)
    }

    async fn look(self, stage: &Stage, name: &str) -> Result<World, Error> {
        World::look(stage, name).await
    }

    async fn clear(self, stage: &Stage, name: &str) -> Result<(), Error> {
        if stage.tenants().get_opt(name).await?.is_some() {
            stage.patch(name, json!({ "spec": { "offboarding": { "onDelete": "Retain" } } })).await?;
            stage.delete(name).await?;
            stage.until_gone(name).await?;
        }
        for record in stage.records_of(name).await? {
            let name = record.metadata.name.unwrap_or_default();
            stage.records().delete(&name, &kube::api::DeleteParams::default()).await?;
        }
        stage.turn(TAKE_OVER)
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
