//! The same for what lives inside a tenant: clients and providers of each kind, with each optional field of Qlik's answers
//! missing, and with all of them. Nothing is made twice, nothing is written again and again, what apps hold goes on working,
//! and a change of the manifest arrives.

use super::fields::comes_into_use;
use super::support::*;
use e2e::app::{App, As, Person};
use e2e::nightly::nightly;
use e2e::sim::{BrowserTest, Options, optional_fields};
use e2e::stage::{Error, Inside, Operator, Setup, Stage, child_manifest, client_manifest, manifest};
use e2e::table;
use futures::future::try_join_all;
use futures::try_join;
use qlik_operator::crd::{QlikIdentityProvider, QlikOAuthClient};
use serde_json::{Value, json};
use std::time::Duration;

/// Tenants at the same time.
const AT_ONCE: usize = 8;

/// The groups whose fields are answers about what lives inside a tenant.
const INSIDE: [&str; 14] = [
    "oauthClients",
    "oauthClient",
    "oauthClientsList",
    "clientSecrets",
    "connectionConfig",
    "oauthTokens",
    "oauthTokensList",
    "identityProviders",
    "identityProvidersList",
    "identityProvidersStatus",
    "identityProvidersMeta",
    "users",
    "usersList",
    "token",
];

const CLIENTS: [(&str, &str); 2] = [
    (
        "app",
        "appType: web
grantTypes: [client_credentials]
scopes: [user_default]
consent: Trusted
clientName: App
description: first
clientUri: https://app.acme.example
logoUri: https://app.acme.example/logo.png
redirectUris: [https://app.acme.example/back]
allowedOrigins: [https://app.acme.example]
auth: {clientSecret: {secret: {name: app}}}",
    ),
    (
        "signer",
        "appType: web
grantTypes: [client_credentials]
scopes: [user_default]
consent: Trusted
description: first
auth: {privateKeyJwt: {generate: {secret: {name: signer}}}}",
    ),
];

const PROVIDERS: [(&str, &str); 3] = [
    (
        "login",
        "description: first
oidc:
  provider: auth0
  discoveryUrl: https://acme.auth0.example/.well-known/openid-configuration
  clientId: qlik
  clientSecretRef: {name: login}
  realm: acme.example
postLogoutRedirectUri: https://acme.example/bye
clockToleranceSec: 9",
    ),
    (
        "spare",
        "active: false
description: first
saml:
  provider: okta
  entityId: https://login.acme.example
  signOnUrl: https://login.acme.example/sso
  certificates:
  - {name: first, certificate: CERTIFICATE}",
    ),
    (
        "tokens",
        "description: first
jwt:
  issuer: https://app.acme.example
  key: {generate: {secret: {name: tokens}}}",
    ),
];

/// Fields that decide: a whole life each. With NIGHTLY set every field gets one.
const DECIDE: [&str; 9] = [
    "*",
    "oauthClients.clientSecrets",
    "oauthClients.description",
    "oauthClients.publicKeys",
    "identityProviders.active",
    "identityProviders.description",
    "identityProviders.options",
    "identityProviders.options.staticKeys.kid",
    "identityProviders.protocol",
];

fn fields() -> Vec<&'static str> {
    let inside = |field: &&&str| INSIDE.contains(&field.split('.').next().unwrap_or_default());
    optional_fields().iter().filter(inside).copied().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lives_inside_a_tenant_with_fields_missing() {
    let mut lives = DECIDE.to_vec();
    if nightly() {
        lives.extend(fields().into_iter().filter(|field| !DECIDE.contains(field)));
    }
    let rows = lives.into_iter().map(|field| (field.to_owned(), field)).collect();
    table::run("fields missing (inside a tenant, whole lives)", rows, |field| async move { life(field).await }).await;
}

/// Each field by itself, several of them one after another in the same tenant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lives_inside_a_tenant_with_each_field_missing() {
    // Each option of a provider has its row in the tests of the plan, since all of them are compared by one rule.
    let apart = |field: &&str| nightly() || !(field.contains("options.") || field.contains("pendingOptions."));
    let fields: Vec<_> = fields().into_iter().filter(apart).collect();
    let rows = fields
        .chunks(fields.len().div_ceil(AT_ONCE))
        .map(|some| (format!("{} and {} more", some[0], some.len() - 1), some));
    let rows = rows.map(|(name, some)| (name, some.to_vec())).collect();
    table::run("fields missing (inside a tenant, each)", rows, |some| async move { short_lives(&some).await }).await;
}

async fn scene(field: &str) -> Result<(Stage, Operator, String), Error> {
    let stage = Stage::new(Setup::new("inside")).await?;
    omit(&stage, field)?;
    let operator = stage.operator().await?;
    stage.secret("login", &[("clientSecret", "canary-of-the-login")]).await?;
    stage.put(&manifest("acme", "alias: acme")).await?;
    comes_into_use(&stage).await?;
    let tenant = stage.sim.tenants()[0].id.clone();
    Ok((stage, operator, tenant))
}

fn omit(stage: &Stage, field: &str) -> Result<(), Error> {
    Ok(stage.sim.set_options(Options { omit: vec![field.to_owned()], ..Options::default() })?)
}

async fn life(field: &str) -> Result<String, Error> {
    let (stage, operator, tenant) = scene(field).await?;
    apply_all(&stage).await?;
    all_work(&stage).await?;
    quiet(&stage, 2).await?;
    let _operator = restarted(&stage, operator).await;
    quiet(&stage, 1).await?;
    all_work(&stage).await?;
    change_all(&stage, &tenant).await?;
    quiet(&stage, 1).await?;
    let rotated = rotate_all(&stage).await?;
    quiet(&stage, 2).await?;
    all_work(&stage).await?;
    nothing_is_left(&stage, &tenant).await?;
    let (clients, providers) = (stage.committed("oauth-client.created"), stage.committed("idp.created"));
    if clients != 2 || !(3..=4).contains(&providers) {
        return Err(format!("{clients} clients and {providers} providers made").into());
    }
    Ok(format!("{clients} clients, {providers} providers, none left; {rotated}"))
}

async fn short_lives(fields: &[&str]) -> Result<String, Error> {
    let (stage, _operator, tenant) = scene(fields[0]).await?;
    let made = |stage: &Stage| (stage.committed("oauth-client.created"), stage.committed("idp.created"));
    for (n, field) in (1..).zip(fields) {
        omit(&stage, field)?;
        let short = async {
            apply_all(&stage).await?;
            all_work(&stage).await?;
            quiet(&stage, 1).await?;
            change_all(&stage, &tenant).await?;
            quiet(&stage, 1).await?;
            nothing_is_left(&stage, &tenant).await?;
            if made(&stage) == (2 * n, 3 * n) { Ok(()) } else { Err(format!("{:?} made", made(&stage)).into()) }
        };
        short.await.map_err(|error: Error| format!("{field}: {error}"))?;
    }
    Ok(format!("{:?} made, none left", made(&stage)))
}

fn certificate() -> String {
    let pem = rcgen::generate_simple_self_signed(vec!["login.acme.example".to_owned()]);
    pem.map(|pem| Value::from(pem.cert.pem()).to_string()).unwrap_or_default()
}

async fn apply_all(stage: &Stage) -> Result<(), Error> {
    for (name, spec) in CLIENTS {
        stage.apply(&client_manifest(name, "acme", spec)).await?;
    }
    for (name, spec) in PROVIDERS {
        let spec = spec.replace("CERTIFICATE", &certificate());
        stage.apply(&child_manifest("QlikIdentityProvider", (name, "acme"), &spec)).await?;
    }
    all_ready(stage).await
}

async fn all_ready(stage: &Stage) -> Result<(), Error> {
    let clients = CLIENTS.map(|(name, _)| stage.until_client(name, "is ready", Inside::is_ready));
    let providers =
        PROVIDERS.map(|(name, _)| stage.until_child::<QlikIdentityProvider>(name, "is ready", Inside::is_ready));
    try_join!(try_join_all(clients), try_join_all(providers)).map(drop)
}

async fn pass_all(stage: &Stage) -> Result<(), Error> {
    let clients = CLIENTS.map(|(name, _)| stage.child_pass::<QlikOAuthClient>(name));
    let providers = PROVIDERS.map(|(name, _)| stage.child_pass::<QlikIdentityProvider>(name));
    try_join!(try_join_all(clients), try_join_all(providers)).map(drop)
}

/// What apps were given works: a secret, a key pair, a signed token.
async fn all_work(stage: &Stage) -> Result<(), Error> {
    let app = App::new(&stage.sim)?;
    for name in ["app", "signer"] {
        let done = app.whoami(&stage.read_secret(name).await?, As::Itself).await;
        done.map_err(|error| format!("{name} does not get in: {error}"))?;
    }
    let person = Person { subject: "ada", name: "Ada", email: "ada@acme.example" };
    let done = app.jwt_login(&stage.read_secret("tokens").await?, person).await;
    done.map_err(|error| format!("a signed token is not taken: {error}").into())
}

/// Calls that change something in Qlik Cloud.
fn changes(stage: &Stage) -> Vec<String> {
    let changed = |path: &str| path.contains("/oauth-clients") || path.contains("/identity-providers");
    let all = stage.sim.journal();
    let mine = all.iter().filter(|e| e.method != "GET" && changed(&e.path));
    mine.map(|e| format!("{} {} {:?}", e.method, e.path, e.effect)).collect()
}

/// Several intervals go by, and nothing is written in Qlik Cloud.
async fn quiet(stage: &Stage, intervals: usize) -> Result<(), Error> {
    // What was taken from an answer is looked at once more at first.
    pass_all(stage).await?;
    let before = changes(stage).len();
    for _ in 0..intervals {
        stage.turn(Duration::from_mins(61))?;
        pass_all(stage).await?;
    }
    let after = changes(stage).split_off(before);
    if after.is_empty() { Ok(()) } else { Err(format!("in {intervals} intervals without a change: {after:?}").into()) }
}

async fn change_all(stage: &Stage, tenant: &str) -> Result<(), Error> {
    let second = json!({ "spec": { "description": "second" } });
    for (name, _) in CLIENTS {
        stage.patch_child::<QlikOAuthClient>(name, second.clone()).await?;
    }
    for (name, _) in PROVIDERS {
        stage.patch_child::<QlikIdentityProvider>(name, second.clone()).await?;
    }
    stage
        .patch_child::<QlikOAuthClient>("app", json!({ "spec": { "redirectUris": ["https://app.acme.example/2"] } }))
        .await?;
    pass_all(stage).await?;
    all_ready(stage).await?;
    let shown = ["/api/v1/oauth-clients", "/api/v1/identity-providers"];
    let all: Vec<Value> = shown.iter().map(|path| in_tenant(stage, tenant, "GET", path, &Value::Null)).collect();
    let text = json!(all).to_string();
    let (second, moved) = (text.matches("second").count(), text.contains("https://app.acme.example/2"));
    if second == 5 && moved { Ok(()) } else { Err(format!("{second} of 5 descriptions arrived, {moved}").into()) }
}

/// A rotation is asked for. It is done, or people are told why it is not; in the end one secret or key works.
async fn rotate_all(stage: &Stage) -> Result<String, Error> {
    let ask = json!({ "metadata": { "annotations": { "qlik-operator.dev/rotate-at": "now" } } });
    let before =
        [stage.read_secret("app").await?, stage.read_secret("signer").await?, stage.read_secret("tokens").await?];
    for (name, _) in CLIENTS {
        stage.patch_child::<QlikOAuthClient>(name, ask.clone()).await?;
    }
    stage.patch_child::<QlikIdentityProvider>("tokens", ask).await?;
    for _ in 0..3 {
        pass_all(stage).await?;
    }
    all_work(stage).await?;
    stage.turn(Duration::from_hours(25))?;
    for _ in 0..3 {
        pass_all(stage).await?;
    }
    let mut told = Vec::new();
    for ((name, key), before) in [("app", "clientSecret"), ("signer", "keyId"), ("tokens", "keyId")].iter().zip(&before)
    {
        let after = stage.read_secret(name).await?;
        told.push(format!("{name} {}", if after.get(*key) == before.get(*key) { "kept" } else { "rotated" }));
    }
    Ok(told.join(", "))
}

async fn nothing_is_left(stage: &Stage, tenant: &str) -> Result<(), Error> {
    for (name, _) in CLIENTS {
        stage.delete_child::<QlikOAuthClient>(name).await?;
    }
    for (name, _) in PROVIDERS {
        stage.delete_child::<QlikIdentityProvider>(name).await?;
    }
    let clients = CLIENTS.map(|(name, _)| stage.until_child_gone::<QlikOAuthClient>(name));
    let providers = PROVIDERS.map(|(name, _)| stage.until_child_gone::<QlikIdentityProvider>(name));
    try_join!(try_join_all(clients), try_join_all(providers))?;
    let providers = in_tenant(stage, tenant, "GET", "/api/v1/identity-providers", &Value::Null);
    let left = (clients_in(stage, tenant), providers["data"].as_array().map_or(0, Vec::len));
    if left == (0, 0) { Ok(()) } else { Err(format!("{left:?} clients and providers are left").into()) }
}

/// What an answer tells of a login that a human tries.
const TRIED: [&str; 5] = ["options", "pendingOptions", "pendingOptions.clientId", "pendingResult", "pendingState"];

/// A login is put in force once it was tried, or never where Qlik Cloud does not tell; it is not written again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_tried_with_fields_missing() {
    let mut rows: Vec<_> = TRIED.iter().map(|field| format!("identityProviders.{field}")).collect();
    rows.push("*".to_owned());
    let rows = rows.into_iter().map(|field| (field.clone(), field)).collect();
    table::run("fields missing (a login that is tried)", rows, |field| async move { Box::pin(trial(&field)).await })
        .await;
}

async fn trial(field: &str) -> Result<String, Error> {
    let (stage, _operator, tenant) = scene(field).await?;
    let spec = format!("{}\nverification: Browser", PROVIDERS[0].1);
    stage.apply(&child_manifest("QlikIdentityProvider", ("login", "acme"), &spec)).await?;
    let waits = |p: &QlikIdentityProvider| p.reason() == "VerificationPending";
    let object: QlikIdentityProvider = stage.until_child("login", "waits for its trial", waits).await?;
    let id = object.status.and_then(|status| status.provider_id).ok_or("no provider")?;
    login_is_quiet(&stage).await?;
    stage.sim.browser_test(&tenant, &id, BrowserTest::Success)?;
    login_is_quiet(&stage).await?;
    let all = in_tenant(&stage, &tenant, "GET", "/api/v1/identity-providers", &Value::Null);
    let mine = all["data"].as_array().into_iter().flatten().find(|one| one["id"] == id.as_str());
    let active = mine.is_some_and(|mine| mine["active"] == true);
    let object: QlikIdentityProvider = stage.child_pass("login").await?;
    if active != object.is_ready() || stage.committed("idp.created") != 1 {
        return Err(format!("active {active}, {} {}", object.reason(), object.message()).into());
    }
    Ok(format!("tried and {}", if active { "in force" } else { "waiting" }))
}

/// Of several looks the last ones write nothing.
async fn login_is_quiet(stage: &Stage) -> Result<(), Error> {
    stage.child_pass::<QlikIdentityProvider>("login").await?;
    stage.child_pass::<QlikIdentityProvider>("login").await?;
    let before = changes(stage).len();
    for _ in 0..2 {
        stage.turn(Duration::from_mins(61))?;
        stage.child_pass::<QlikIdentityProvider>("login").await?;
    }
    let after = changes(stage).split_off(before);
    if after.is_empty() { Ok(()) } else { Err(format!("written without a change: {after:?}").into()) }
}
