//! Sample customers, with the manifests of the repository.

use super::install::credentials;
use super::{fact, sample};
use crate::node::Error;
use crate::node::ground::{CUSTOMERS, Ground};
use crate::stage::is_ready;
use serde_json::json;

const SAMPLES: &str = "config/samples";

pub(super) async fn run(ground: &Ground) -> Result<Vec<String>, Error> {
    let ready = ground.sim.ready();
    let us = ready.regional.get("us").cloned().unwrap_or_default();
    let secrets = json!({ "apiVersion": "v1", "kind": "List", "items": [
        credentials("qlik-credentials", CUSTOMERS, (&us.client_id, &us.client_secret)),
        { "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "qlik-license", "namespace": CUSTOMERS },
          "stringData": { "licenseKey": ready.license_key } },
    ] });
    apply(ground, &secrets.to_string()).await?;
    // The one brings its own credentials; the other uses those that the chart was given for its region.
    for file in ["secrets/oidc", "create-with-key", "default-credentials", "onboarding/acme"] {
        apply(ground, &sample(&format!("{SAMPLES}/{file}.yaml"))?).await?;
    }
    let mut facts = Vec::new();
    for name in ["acme", "initech"] {
        let tenant = ground.until(name, "is ready", is_ready).await?;
        let id = tenant.status.and_then(|status| status.tenant_id).ok_or("ready without a tenant")?;
        let created = ground.committed("tenant.created");
        let mine = created.iter().filter(|entry| entry.tenant_id.as_deref() == Some(id.as_str())).count();
        facts.push(fact(format!("{name} is ready: tenant {id}, created by {mine} call"), mine == 1)?);
    }
    let kinds = "qlikidentityproviders,qlikoauthclients";
    let args = ["wait", "--for=condition=Ready", kinds, "--all", "--namespace", CUSTOMERS, "--timeout=120s"];
    let waited = ground.kubectl(&args, "").await?;
    let count = waited.lines().count();
    facts.push(fact(format!("and so are {count} logins and clients of acme"), count == 4)?);
    Ok(facts)
}

async fn apply(ground: &Ground, manifests: &str) -> Result<(), Error> {
    ground.kubectl(&["apply", "--namespace", CUSTOMERS, "-f", "-"], manifests).await.map(drop)
}
