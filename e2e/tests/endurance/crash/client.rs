//! What happens to an OAuth client in its life, and everything that must be the same then.

use super::ground::{Story, TAKE_OVER};
use e2e::app::{App, As};
use e2e::sim::ByHand;
use e2e::stage::{Error, Inside, Stage, client_manifest, is_ready, manifest};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams};
use qlik_operator::crd::{QlikOAuthClient, ROTATE_AT};
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than a former secret works on.
const OVERLAP: Duration = Duration::from_hours(25);

/// One stretch of a client's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientScenario {
    /// From a manifest to an app that works.
    Create,
    /// From the request for another secret to the end of the former one.
    Rotate,
    /// A human deleted the Secret.
    Repair,
    /// Name and consent are changed.
    Change,
    /// The object is deleted.
    Delete,
}

/// What Qlik Cloud and the cluster look like.
#[derive(Debug, PartialEq)]
pub(crate) struct World {
    /// How many clients were made while this was played.
    made: usize,
    /// What the tenant has: names, consents, and how many secrets each.
    clients: Vec<(Value, Value, usize)>,
    object: Option<Object>,
    /// The keys of the Secret, whether it is the object's own, and whether the app can use it.
    secret: Option<(Vec<String>, bool, bool)>,
}

#[derive(Debug, PartialEq)]
struct Object {
    conditions: Vec<(String, String, String)>,
    finalizers: Vec<String>,
    /// It holds the very client that is in Qlik Cloud.
    holds_it: bool,
    issued: usize,
}

impl ClientScenario {
    pub(crate) const ALL: [Self; 5] = [Self::Create, Self::Rotate, Self::Repair, Self::Change, Self::Delete];
}

impl Story for ClientScenario {
    type World = World;

    fn title(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Rotate => "rotate, and retire",
            Self::Repair => "repair of the Secret",
            Self::Change => "change",
            Self::Delete => "delete",
        }
    }

    async fn prepare(self, stage: &Stage, name: &str) -> Result<(), Error> {
        if stage.tenants().get_opt("acme").await?.is_none() {
            stage.put(&manifest("acme", "alias: acme")).await?;
            stage.until("acme", "is ready", is_ready).await?;
        }
        if self == Self::Create { Ok(()) } else { Self::Create.play(stage, name).await }
    }

    async fn play(self, stage: &Stage, name: &str) -> Result<(), Error> {
        match self {
            Self::Create => {
                put(stage, name, "consent: Trusted").await?;
                stage.until_client(name, "is ready", Inside::is_ready).await.map(drop)
            }
            Self::Rotate => {
                let request = json!({ "metadata": { "annotations": { ROTATE_AT: "now" } } });
                stage.patch_child::<QlikOAuthClient>(name, request).await?;
                stage.until_client(name, "has two secrets", |c| c.is_ready() && issued(c) == 2).await?;
                stage.turn(OVERLAP)?;
                swept(stage, name).await
            }
            Self::Repair => {
                stage.delete_secret(name).await?;
                stage.client_pass(name).await?;
                stage.until_client(name, "is ready again", Inside::is_ready).await.map(drop)
            }
            Self::Change => {
                put(stage, name, "consent: Trusted\nclientUri: https://app.example.com\ndescription: changed").await?;
                stage.until_client(name, "is changed", Inside::is_ready).await.map(drop)
            }
            Self::Delete => {
                stage.delete_child::<QlikOAuthClient>(name).await?;
                stage.until_child_gone::<QlikOAuthClient>(name).await
            }
        }
    }

    async fn pass(self, stage: &Stage, name: &str) -> Result<(), Error> {
        if stage.clients().get_opt(name).await?.is_some() { stage.client_pass(name).await.map(drop) } else { Ok(()) }
    }

    async fn look(self, stage: &Stage, name: &str) -> Result<World, Error> {
        let made = stage.committed("oauth-client.created");
        if self == Self::Delete {
            stage.until_some("the Secret goes", async || Ok((!stage.has_secret(name).await?).then_some(()))).await?;
        } else if secrets(&ours(stage)?.unwrap_or_default()) > 1 {
            // What was made on the way and is not used goes after a while.
            stage.turn(OVERLAP)?;
            swept(stage, name).await?;
        }
        let clients = all_in_qlik(stage)?;
        let id = clients.first().and_then(|client| client["clientId"].as_str());
        let object = stage.clients().get_opt(name).await?;
        let uid = object.as_ref().and_then(|object| object.metadata.uid.clone());
        Ok(World {
            made,
            object: object.as_ref().map(|object| of_object(object, id)),
            secret: secret(stage, name, uid.as_deref()).await?,
            clients: clients.iter().map(seen).collect(),
        })
    }

    async fn clear(self, stage: &Stage, name: &str) -> Result<(), Error> {
        if stage.clients().get_opt(name).await?.is_some() {
            Self::Delete.play(stage, name).await?;
        }
        stage.turn(TAKE_OVER)
    }
}

async fn put(stage: &Stage, name: &str, more: &str) -> Result<(), Error> {
    let spec = format!(
        "appType: web\ngrantTypes: [client_credentials]\nscopes: [user_default]\n{more}\nauth: {{clientSecret: {{secret: \
         {{name: {name}}}}}}}"
    );
    let object: Value = serde_saphyr::from_str(&client_manifest(name, "acme", &spec))?;
    let params = PatchParams::apply("platform-engineer").force();
    stage.clients().patch(name, &params, &Patch::Apply(object)).await?;
    Ok(())
}

/// Waits until nothing but the present secret is left.
async fn swept(stage: &Stage, name: &str) -> Result<(), Error> {
    let one = async || {
        let object = stage.clients().get(name).await?;
        let alone = object.is_ready() && issued(&object) == 1 && secrets(&ours(stage)?.unwrap_or_default()) == 1;
        Ok(alone.then_some(()))
    };
    stage.in_time("one secret is left", one).await
}

fn issued(object: &QlikOAuthClient) -> usize {
    object.status.as_ref().map_or(0, |status| status.issued.len())
}

fn all_in_qlik(stage: &Stage) -> Result<Vec<Value>, Error> {
    let tenant = stage.sim.tenants().first().map(|tenant| tenant.id.clone()).ok_or("there is no tenant")?;
    let list = ByHand { method: "GET".to_owned(), path: "/api/v1/oauth-clients".to_owned(), body: None };
    Ok(stage.sim.by_hand(&tenant, &list)?.body["data"].as_array().cloned().unwrap_or_default())
}

/// The tenant's only client.
fn ours(stage: &Stage) -> Result<Option<Value>, Error> {
    Ok(all_in_qlik(stage)?.into_iter().next())
}

fn secrets(client: &Value) -> usize {
    client["clientSecrets"].as_array().map_or(0, Vec::len)
}

fn seen(client: &Value) -> (Value, Value, usize) {
    (client["clientUri"].clone(), client["connectionConfig"]["consentMethod"].clone(), secrets(client))
}

fn of_object(object: &QlikOAuthClient, id: Option<&str>) -> Object {
    let status = object.status.clone().unwrap_or_default();
    Object {
        conditions: status.conditions.into_iter().map(|c| (c.type_, c.status, c.reason)).collect(),
        finalizers: object.metadata.finalizers.clone().unwrap_or_default(),
        holds_it: status.client_id.as_deref() == id,
        issued: status.issued.len(),
    }
}

async fn secret(stage: &Stage, name: &str, uid: Option<&str>) -> Result<Option<(Vec<String>, bool, bool)>, Error> {
    let Some(secret) = Api::<Secret>::namespaced(stage.admin(), stage.ns()).get_opt(name).await? else {
        return Ok(None);
    };
    let owners = secret.metadata.owner_references.unwrap_or_default();
    let own = owners.iter().any(|owner| owner.controller == Some(true) && Some(owner.uid.as_str()) == uid);
    let given = stage.read_secret(name).await?;
    let works = App::new(&stage.sim)?.whoami(&given, As::Itself).await.is_ok();
    Ok(Some((given.into_keys().collect(), own, works)))
}
