//! What happens to an identity provider in its life, and everything that must be the same then.

use super::ground::{Story, TAKE_OVER};
use e2e::app::{App, Person};
use e2e::sim::ByHand;
use e2e::stage::{Error, Inside, Stage, child_manifest, is_ready, manifest};
use kube::api::{Patch, PatchParams};
use qlik_operator::crd::{QlikIdentityProvider, ROTATE_AT};
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than a former key works on.
const OVERLAP: Duration = Duration::from_hours(25);

/// One stretch of a provider's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProviderScenario {
    /// From a manifest to a login that is in use.
    CreateLogin,
    /// From a manifest to a portal that logs people in with a generated key.
    CreateKey,
    /// From the request for another key to the end of the former one.
    RotateKey,
    /// A field that Qlik Cloud can change.
    Change,
    /// A field that it cannot: another provider takes the place of the former one.
    Replace,
    /// The object is deleted.
    Delete,
}

/// What Qlik Cloud and the cluster look like.
#[derive(Debug, PartialEq)]
pub(crate) struct World {
    /// Protocol, whether it is in use, and what the scenario changes, of each provider that the tenant has.
    providers: Vec<(Value, Value, Value, Value)>,
    object: Option<Object>,
    /// Whether a person can log in with the key in the Secret, where there is one.
    key_works: Option<bool>,
}

#[derive(Debug, PartialEq)]
struct Object {
    conditions: Vec<(String, String, String)>,
    finalizers: Vec<String>,
    /// It holds the very provider that is in Qlik Cloud.
    holds_it: bool,
    keys: usize,
    retiring: usize,
}

impl ProviderScenario {
    pub(crate) const ALL: [Self; 6] =
        [Self::CreateLogin, Self::CreateKey, Self::RotateKey, Self::Change, Self::Replace, Self::Delete];

    /// Whether it is about a key pair.
    fn is_of_key(self) -> bool {
        matches!(self, Self::CreateKey | Self::RotateKey)
    }
}

impl Story for ProviderScenario {
    type World = World;

    fn title(self) -> &'static str {
        match self {
            Self::CreateLogin => "create a login",
            Self::CreateKey => "create a key pair",
            Self::RotateKey => "rotate, and retire",
            Self::Change => "change",
            Self::Replace => "replace",
            Self::Delete => "delete",
        }
    }

    async fn prepare(self, stage: &Stage, name: &str) -> Result<(), Error> {
        if stage.tenants().get_opt("acme").await?.is_none() {
            stage.secret("login", &[("clientSecret", "fake")]).await?;
            stage.put(&manifest("acme", "alias: acme")).await?;
            stage.until("acme", "is ready", is_ready).await?;
        }
        match self {
            Self::CreateLogin | Self::CreateKey => Ok(()),
            Self::RotateKey => Self::CreateKey.play(stage, name).await,
            Self::Change | Self::Replace | Self::Delete => Self::CreateLogin.play(stage, name).await,
        }
    }

    async fn play(self, stage: &Stage, name: &str) -> Result<(), Error> {
        match self {
            Self::CreateLogin => declare(stage, name, LOGIN).await,
            Self::CreateKey => declare(stage, name, &key(name)).await,
            Self::RotateKey => {
                let request = json!({ "metadata": { "annotations": { ROTATE_AT: "now" } } });
                stage.patch_child::<QlikIdentityProvider>(name, request).await?;
                let both = |p: &QlikIdentityProvider| p.is_ready() && keys(p) == 2;
                stage.until_child(name, "has two keys", both).await?;
                stage.turn(OVERLAP)?;
                swept(stage, name).await
            }
            Self::Change => {
                declare(stage, name, &format!("{LOGIN}\npostLogoutRedirectUri: https://www.example.com")).await
            }
            Self::Replace => {
                declare(stage, name, &format!("{LOGIN}\ncreateNewUsersOnLogin: false")).await?;
                swept(stage, name).await
            }
            Self::Delete => {
                stage.delete_child::<QlikIdentityProvider>(name).await?;
                stage.until_child_gone::<QlikIdentityProvider>(name).await
            }
        }
    }

    async fn pass(self, stage: &Stage, name: &str) -> Result<(), Error> {
        match stage.all::<QlikIdentityProvider>().get_opt(name).await? {
            Some(_) => stage.child_pass::<QlikIdentityProvider>(name).await.map(drop),
            None => Ok(()),
        }
    }

    async fn look(self, stage: &Stage, name: &str) -> Result<World, Error> {
        if self != Self::Delete && in_qlik(stage)?.len() > 1 {
            // What was made on the way and is not used goes after a while.
            stage.turn(OVERLAP)?;
            swept(stage, name).await?;
        }
        let providers = in_qlik(stage)?;
        let id = providers.first().and_then(|provider| provider["id"].as_str());
        let object = stage.all::<QlikIdentityProvider>().get_opt(name).await?;
        let key_works = if self.is_of_key() { Some(logs_in(stage, name).await?) } else { None };
        Ok(World {
            object: object.as_ref().map(|object| of_object(object, id)),
            key_works,
            providers: providers.iter().map(seen).collect(),
        })
    }

    async fn clear(self, stage: &Stage, name: &str) -> Result<(), Error> {
        if stage.all::<QlikIdentityProvider>().get_opt(name).await?.is_some() {
            Self::Delete.play(stage, name).await?;
        }
        stage.turn(TAKE_OVER)
    }
}

const LOGIN: &str = "oidc:
  provider: auth0
  discoveryUrl: https://acme.auth0.example/.well-known/openid-configuration
  clientId: qlik
  clientSecretRef: {name: login}";

fn key(name: &str) -> String {
    format!(
        "jwt:\n  issuer: https://app.acme.example/{name}\n  key: {{generate: {{algorithm: ES384, secret: {{name: {name}}}}}}}"
    )
}

async fn declare(stage: &Stage, name: &str, spec: &str) -> Result<(), Error> {
    let object: Value = serde_saphyr::from_str(&child_manifest("QlikIdentityProvider", (name, "acme"), spec))?;
    let params = PatchParams::apply("platform-engineer").force();
    stage.all::<QlikIdentityProvider>().patch(name, &params, &Patch::Apply(object)).await?;
    stage.until_child::<QlikIdentityProvider>(name, "is ready", Inside::is_ready).await.map(drop)
}

/// Waits until nothing but the present provider is left.
async fn swept(stage: &Stage, name: &str) -> Result<(), Error> {
    let one = async || {
        let object = stage.all::<QlikIdentityProvider>().get(name).await?;
        let retiring = object.status.as_ref().map_or(0, |status| status.retiring.len());
        Ok((object.is_ready() && retiring == 0 && in_qlik(stage)?.len() == 1).then_some(()))
    };
    stage.in_time("one provider is left", one).await
}

fn keys(object: &QlikIdentityProvider) -> usize {
    object.status.as_ref().map_or(0, |status| status.keys.len())
}

fn in_qlik(stage: &Stage) -> Result<Vec<Value>, Error> {
    let tenant = stage.sim.tenants().first().map(|tenant| tenant.id.clone()).ok_or("there is no tenant")?;
    let list = ByHand { method: "GET".to_owned(), path: "/api/v1/identity-providers".to_owned(), body: None };
    Ok(stage.sim.by_hand(&tenant, &list)?.body["data"].as_array().cloned().unwrap_or_default())
}

fn seen(provider: &Value) -> (Value, Value, Value, Value) {
    let field = |name: &str| provider[name].clone();
    (field("protocol"), field("active"), field("postLogoutRedirectUri"), field("createNewUsersOnLogin"))
}

fn of_object(object: &QlikIdentityProvider, id: Option<&str>) -> Object {
    let status = object.status.clone().unwrap_or_default();
    Object {
        conditions: status.conditions.into_iter().map(|c| (c.type_, c.status, c.reason)).collect(),
        finalizers: object.metadata.finalizers.clone().unwrap_or_default(),
        holds_it: status.provider_id.as_deref() == id,
        keys: status.keys.len(),
        retiring: status.retiring.len(),
    }
}

async fn logs_in(stage: &Stage, name: &str) -> Result<bool, Error> {
    let given = stage.read_secret(name).await?;
    let person = Person { subject: "ann", name: "Ann", email: "ann@example.com" };
    Ok(App::new(&stage.sim)?.jwt_login(&given, person).await.is_ok())
}
