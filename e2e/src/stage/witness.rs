//! What scenarios ask about again and again.

use super::{Error, Stage, condition};
use kube::api::ListParams;
use qlik_operator::crd::{OffboardingPhase, QlikOffboarding, QlikTenant, REQUESTED_AT};
use serde_json::json;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The declared state is reached, for the manifest as it stands.
pub fn is_ready(tenant: &QlikTenant) -> bool {
    let generation = tenant.metadata.generation;
    condition(tenant, "Ready").is_some_and(|c| c.status == "True" && c.observed_generation == generation)
}

/// The phase is this one.
pub fn in_phase(tenant: &QlikTenant, phase: &str) -> bool {
    tenant.status.as_ref().is_some_and(|s| s.phase.to_string() == phase)
}

/// Stalled for this reason, by the manifest as it stands.
pub fn is_stalled(tenant: &QlikTenant, reason: &str) -> bool {
    let generation = tenant.metadata.generation;
    condition(tenant, "Stalled")
        .is_some_and(|c| c.status == "True" && c.reason == reason && c.observed_generation == generation)
}

impl Stage {
    /// For off-boardings whose date has passed: waits until Qlik Cloud has said of each for the first time that there is no
    /// such tenant, and lets the hour pass after which it is asked once more and believed.
    pub async fn confirm_purge(&self) -> Result<(), Error> {
        let now = self.sim.now();
        let is_due = |record: &QlikOffboarding| {
            let status = record.status.clone().unwrap_or_default();
            status.phase == OffboardingPhase::Scheduled && status.purge_at.is_some_and(|at| at.0 <= now)
        };
        let seen = |record: &QlikOffboarding| record.status.as_ref().is_some_and(|status| status.gone_since.is_some());
        self.until_some("each purge is seen for the first time", async || {
            let records = self.records().list(&ListParams::default()).await?.items;
            Ok(records.iter().filter(|record| is_due(record)).all(seen).then_some(()))
        })
        .await?;
        self.turn(Duration::from_mins(61))
    }

    /// Asks for a pass and waits until one that began after the question is through. `false` when the object is gone.
    pub async fn pass(&self, name: &str) -> Result<bool, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("ask-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let gone = |error: &kube::Error| matches!(error, kube::Error::Api(status) if status.is_not_found());
        let patch = kube::api::Patch::Merge(json!({ "metadata": { "annotations": { REQUESTED_AT: mark } } }));
        match self.tenants().patch(name, &kube::api::PatchParams::default(), &patch).await {
            Ok(_) => {}
            Err(error) if gone(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let tenants = self.tenants();
        self.until_some(&format!("{name}: a pass on request"), async || {
            let Some(tenant) = tenants.get_opt(name).await? else { return Ok(Some(false)) };
            let handled = tenant.status.and_then(|s| s.last_handled_reconcile_at);
            Ok((handled.as_deref() == Some(mark.as_str())).then_some(true))
        })
        .await
    }

    /// Applies one tenant's manifest as `kubectl apply --server-side` would, without starting a program for it: for
    /// scenarios that do it hundreds of times.
    pub async fn put(&self, manifest: &str) -> Result<(), Error> {
        let object: serde_json::Value = serde_saphyr::from_str(manifest)?;
        let name = object["metadata"]["name"].as_str().ok_or("the manifest has no name")?.to_owned();
        let params = kube::api::PatchParams::apply("platform-engineer").force();
        self.tenants().patch(&name, &params, &kube::api::Patch::Apply(object)).await?;
        Ok(())
    }

    /// Waits for something that the operator does in its own time, the clock already being turned to it. A pass that had
    /// not quite ended at that moment counts its delay from after the turn; so the clock goes on by an hour now and then.
    pub async fn in_time<T: std::fmt::Debug>(
        &self,
        what: &str,
        mut ask: impl AsyncFnMut() -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        let mut asked = 0_u32;
        self.until_some(what, async || {
            asked += 1;
            if asked.is_multiple_of(ASKED_IN_VAIN) {
                self.turn(Duration::from_mins(61))?;
            }
            ask().await
        })
        .await
    }

    /// The off-boarding records of objects of this name.
    pub async fn records_of(&self, name: &str) -> Result<Vec<QlikOffboarding>, Error> {
        let all = self.records().list(&ListParams::default()).await?;
        Ok(all.items.into_iter().filter(|record| record.spec.tenant.name == name).collect())
    }

    /// Waits until the status of a record says that an object of this name let its tenant go; it follows the record.
    pub async fn until_released(&self, name: &str) -> Result<(), Error> {
        let says = |r: &QlikOffboarding| r.status.as_ref().is_some_and(|s| s.phase == OffboardingPhase::Released);
        let released = async || Ok(self.records_of(name).await?.iter().any(says).then_some(()));
        self.until_some("the record says so", released).await
    }
}

/// About two seconds of asking.
const ASKED_IN_VAIN: u32 = 40;

/// Shows a line to whoever runs the tests, also where they pass.
pub fn show(line: &str) {
    // Not by the macros, whose output the test harness keeps for itself.
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}
