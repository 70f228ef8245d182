//! What a tenant goes through.

use super::support::*;
use e2e::sim::PortalTenant;
use e2e::stage::{Error, Stage, in_phase, is_ready, manifest};
use serde_json::json;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Story {
    Onboard,
    Adopt,
    Lifecycle,
    DeleteScheduled,
    DeletePurged,
    RestartWindow,
    Reactivate,
    LetGoAndTakenBack,
}

const MORE: &str = ", purgeAfterDays: 10, eraseSecrets: {names: [extra]}";

impl Story {
    pub(crate) const ALL: [Self; 8] = [
        Self::Onboard,
        Self::Adopt,
        Self::Lifecycle,
        Self::DeleteScheduled,
        Self::DeletePurged,
        Self::RestartWindow,
        Self::Reactivate,
        Self::LetGoAndTakenBack,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Onboard => "onboarded",
            Self::Adopt => "adopted",
            Self::Lifecycle => "off by lifecycle",
            Self::DeleteScheduled => "off by deletion, released at once",
            Self::DeletePurged => "off by deletion, held until the purge",
            Self::RestartWindow => "window restarted",
            Self::Reactivate => "brought back",
            Self::LetGoAndTakenBack => "let go and taken back",
        }
    }

    /// How many calls that deactivate were decided in all.
    pub(crate) fn decisions(self) -> usize {
        match self {
            Self::Onboard | Self::Adopt | Self::LetGoAndTakenBack => 0,
            Self::Lifecycle | Self::DeleteScheduled | Self::DeletePurged | Self::Reactivate => 1,
            Self::RestartWindow => 2,
        }
    }

    /// Whether the story takes the tenant off.
    pub(crate) fn ends_off(self) -> bool {
        matches!(self, Self::Lifecycle | Self::DeleteScheduled | Self::DeletePurged | Self::RestartWindow)
    }

    fn more(self) -> String {
        let deletion = match self {
            Self::DeleteScheduled => ", onDelete: Deactivate",
            Self::DeletePurged => ", onDelete: Deactivate, release: Purged",
            _ => "",
        };
        format!("{MORE}{deletion}")
    }

    /// The manifest in the end, as it stands in Git.
    pub(crate) fn file(self, stage: &Stage) -> String {
        let adopt = match (self, stage.sim.tenants().first()) {
            (Self::Adopt, Some(there)) => format!("adopt: {{tenantId: {}, hostname: {}}}\n", there.id, host("acme")),
            _ => String::new(),
        };
        let off = if matches!(self, Self::Lifecycle | Self::RestartWindow) { "\nlifecycle: Deactivated" } else { "" };
        manifest("acme", &format!("{adopt}{}{off}", armed(&self.more())))
    }

    /// Everything that has to be so before.
    pub(crate) async fn prepare(self, stage: &Stage) -> Result<(), Error> {
        stage.secret("extra", &[("a", "b")]).await?;
        if self == Self::Adopt {
            let wanted =
                PortalTenant { region: "us".to_owned(), license_number: None, name: None, alias: Some(host("acme")) };
            stage.sim.create_tenant(wanted)?;
        }
        if matches!(self, Self::Onboard | Self::Adopt) {
            return Ok(());
        }
        stage.put(&manifest("acme", &armed(&self.more()))).await?;
        stage.until("acme", "is in use", |t| is_ready(t) && in_phase(t, "Ready")).await?;
        if matches!(self, Self::RestartWindow | Self::Reactivate) {
            let off = format!("{}\nlifecycle: Deactivated", armed(&self.more()));
            stage.put(&manifest("acme", &off)).await?;
            stage.until("acme", "is off", |t| is_ready(t) && in_phase(t, "Deactivated")).await?;
            stage.turn(DAY)?;
            stage.pass("acme").await?;
        }
        Ok(())
    }

    /// What somebody does.
    pub(crate) async fn begin(self, stage: &Stage) -> Result<(), Error> {
        match self {
            Self::Onboard | Self::Adopt | Self::Lifecycle | Self::Reactivate => stage.put(&self.file(stage)).await,
            Self::DeleteScheduled | Self::DeletePurged | Self::LetGoAndTakenBack => stage.delete("acme").await,
            Self::RestartWindow => {
                let acme = stage.tenants().get("acme").await?;
                let date = purge_at(&acme).ok_or("no date")?.to_string();
                let asks = json!({ "metadata": { "annotations": { "qlik-operator.dev/restart-purge-window": date } } });
                stage.patch("acme", asks).await.map(drop)
            }
        }
    }

    /// The call in Qlik Cloud that it is about, if there is one, as the trap names it.
    pub(crate) fn call(self) -> Option<&'static str> {
        match self {
            Self::Onboard => Some("POST register/api/v1/tenants"),
            Self::Adopt => Some("GET tenant/api/v1/tenants/{id}"),
            Self::Lifecycle | Self::DeleteScheduled | Self::DeletePurged | Self::RestartWindow => {
                Some("POST register/api/v1/tenants/{id}/actions/deactivate")
            }
            Self::Reactivate => Some("POST register/api/v1/tenants/{id}/actions/reactivate"),
            Self::LetGoAndTakenBack => None,
        }
    }

    /// Whether that call was made.
    pub(crate) fn is_in_the_middle(self, stage: &Stage) -> bool {
        match self {
            Self::Onboard => creations(stage) > 0,
            Self::Adopt => {
                let there = stage.sim.tenants().first().map(|tenant| format!("/api/v1/tenants/{}", tenant.id));
                stage.sim.journal().iter().any(|e| Some(&e.path) == there.as_ref())
            }
            Self::Lifecycle | Self::DeleteScheduled | Self::DeletePurged => deactivations(stage) > 0,
            Self::RestartWindow => deactivations(stage) > 1,
            Self::Reactivate => stage.called("POST", "/actions/reactivate") > 0,
            Self::LetGoAndTakenBack => true,
        }
    }
}
