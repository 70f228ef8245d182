//! What happens to a client in its life, one thing after the other.

use e2e::sim::ByHand;
use e2e::stage::{Error, Inside, Stage, client_manifest};
use kube::api::{Patch, PatchParams};
use qlik_operator::crd::{QlikOAuthClient, REQUESTED_AT, ROTATE_AT};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const PATH: &str = "/api/v1/oauth-clients";
/// Longer than a former secret works on.
pub(crate) const OVERLAP: Duration = Duration::from_hours(25);

/// A machine-to-machine client whose secret is written to the Secret of its own name.
pub(crate) fn machine(name: &str) -> String {
    let spec = format!(
        "appType: web\ngrantTypes: [client_credentials]\nscopes: [user_default]\nconsent: Trusted\nauth: {{clientSecret: \
         {{secret: {{name: {name}}}}}}}"
    );
    client_manifest(name, "acme", &spec)
}

/// Applies a client's manifest without starting a program for it.
pub(crate) async fn put(stage: &Stage, manifest: &str) -> Result<(), Error> {
    let object: Value = serde_saphyr::from_str(manifest)?;
    let name = object["metadata"]["name"].as_str().ok_or("the manifest has no name")?.to_owned();
    let params = PatchParams::apply("platform-engineer").force();
    stage.clients().patch(&name, &params, &Patch::Apply(object)).await?;
    Ok(())
}

/// One stretch of a client's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    /// From a manifest to an app that works.
    Create,
    /// A new secret takes over, asked for by annotation.
    Rotate,
    /// The former secret's time is over.
    Retire,
    /// Another name in the manifest.
    Change,
    /// A human deleted the Secret.
    Repair,
    /// The object is deleted.
    Delete,
}

impl Operation {
    pub(crate) const ALL: [Self; 6] =
        [Self::Create, Self::Rotate, Self::Retire, Self::Change, Self::Repair, Self::Delete];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Rotate => "rotate",
            Self::Retire => "retire",
            Self::Change => "change",
            Self::Repair => "repair",
            Self::Delete => "delete",
        }
    }

    /// What has to come before it.
    pub(crate) fn needs(self) -> &'static [Self] {
        match self {
            Self::Create => &[],
            Self::Rotate | Self::Change | Self::Repair | Self::Delete => &[Self::Create],
            Self::Retire => &[Self::Create, Self::Rotate],
        }
    }

    /// The call that matters, as a fault names it: method and path.
    pub(crate) fn call(self) -> (&'static str, String) {
        match self {
            Self::Create => ("POST", PATH.to_owned()),
            Self::Rotate | Self::Repair => ("POST", "*/client-secrets".to_owned()),
            Self::Retire => ("DELETE", "*/client-secrets/*".to_owned()),
            Self::Change => ("PATCH", format!("{PATH}/*")),
            Self::Delete => ("DELETE", format!("{PATH}/*")),
        }
    }

    /// Whether a request is that call.
    pub(crate) fn is_call(self, method: &str, path: &str) -> bool {
        let (wanted, _) = self.call();
        let parts: Vec<_> = path.trim_start_matches(PATH).split('/').filter(|part| !part.is_empty()).collect();
        let fits = match self {
            Self::Create => parts.is_empty(),
            Self::Rotate | Self::Repair => matches!(parts[..], [_, "client-secrets"]),
            Self::Retire => matches!(parts[..], [_, "client-secrets", _]),
            Self::Change | Self::Delete => parts.len() == 1,
        };
        method == wanted && path.starts_with(PATH) && fits
    }

    /// Begins it, as people do.
    pub(crate) async fn begin(self, stage: &Stage) -> Result<(), Error> {
        let annotate = async |key: &str| {
            let patch = json!({ "metadata": { "annotations": { key: self.title() } } });
            stage.patch_child::<QlikOAuthClient>("app", patch).await.map(drop)
        };
        match self {
            Self::Create => put(stage, &machine("app")).await,
            Self::Rotate => annotate(ROTATE_AT).await,
            Self::Retire => stage.turn(OVERLAP),
            Self::Change => put(stage, &machine("app").replace("clientName: app", "clientName: changed")).await,
            Self::Repair => {
                stage.delete_secret("app").await?;
                annotate(REQUESTED_AT).await
            }
            Self::Delete => stage.delete_child::<QlikOAuthClient>("app").await,
        }
    }

    /// Whether it has come to its end.
    pub(crate) async fn has_ended(self, stage: &Stage) -> Result<bool, Error> {
        let Some(app) = stage.clients().get_opt("app").await? else { return Ok(self == Self::Delete) };
        let status = app.status.clone().unwrap_or_default();
        let handled = match self {
            Self::Create => true,
            Self::Rotate => status.last_handled_rotate_at.as_deref() == Some(self.title()) && status.issued.len() > 1,
            Self::Retire => status.issued.len() == 1,
            Self::Change => all_in_qlik(stage)?.iter().all(|client| client["clientName"] == "changed"),
            Self::Repair => status.last_handled_reconcile_at.as_deref() == Some(self.title()),
            Self::Delete => false,
        };
        Ok(handled && app.is_ready())
    }
}

/// Every client of the tenant, as the portal shows them.
pub(crate) fn all_in_qlik(stage: &Stage) -> Result<Vec<Value>, Error> {
    let tenant = stage.sim.tenants().first().map(|tenant| tenant.id.clone()).ok_or("there is no tenant")?;
    let list = ByHand { method: "GET".to_owned(), path: PATH.to_owned(), body: None };
    let done = stage.sim.by_hand(&tenant, &list)?;
    Ok(done.body["data"].as_array().cloned().unwrap_or_default())
}
