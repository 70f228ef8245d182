//! What Qlik takes as an OAuth client.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use url::Url;

use super::OauthClient;
use crate::sim::check::{Bounds, Fields};
use crate::sim::keys::PublicKey;
use crate::sim::refusal::Refusal;

const TYPES: &[&str] = &["web", "native", "spa", "anonymous-embed"];
const GRANTS: &[&str] = &["client_credentials", "urn:qlik:oauth:user-impersonation"];
const METHODS: &[&str] = &["client_secret", "private_key_jwt"];
/// The limit of five stands at the items in Qlik's schema; it can only be meant for the list.
const FIVE: Bounds = Bounds { items: 5, length: 256 };
const SCOPES: Bounds = Bounds { items: usize::MAX, length: 256 };
const SETTINGS: &[&str] = &[
    "appType",
    "clientName",
    "description",
    "clientUri",
    "logoUri",
    "redirectUris",
    "allowedOrigins",
    "allowedScopes",
    "allowedGrantTypes",
    "allowedAuthMethods",
    "publicKeys",
    "jwksUri",
];

/// The settings that a create request asks for.
pub(crate) fn settings(body: &Value, region: &str) -> Result<Value, Refusal> {
    let fields = Fields::of(body, "")?;
    let known = SETTINGS.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(name)?.clone())));
    let mut settings = Value::Object(known.collect::<Map<_, _>>());
    if fields.get("appType").is_some_and(|kind| kind == "web") && !fields.has("allowedAuthMethods") {
        settings["allowedAuthMethods"] = json!(["client_secret"]);
    }
    check(&settings)?;
    if settings["appType"] == "anonymous-embed" && region != "se" {
        return Err(fields.refuse("appType", "anonymous-embed is available in region se alone"));
    }
    Ok(settings)
}

/// Whether the request trusts the client from the start: the only thing that can be said about consent then.
pub(crate) fn trusted(body: &Value) -> Result<bool, Refusal> {
    let Some(config) = Fields::of(body, "")?.object("connectionConfig")? else { return Ok(false) };
    match config.get("consentMethod") {
        Some(method) if method == "trusted" => Ok(true),
        Some(_) | None => Err(config.refuse("consentMethod", "the only value at creation is trusted")),
    }
}

/// Checks settings as a whole, at creation and after every change.
pub(super) fn check(settings: &Value) -> Result<(), Refusal> {
    let fields = Fields::of(settings, "")?;
    fields.required("appType", 64)?;
    let kind = fields.one_of("appType", TYPES)?.unwrap_or_default();
    fields.required("clientName", 512)?;
    fields.text("description", 4096)?;
    fields.address("clientUri", 2048)?;
    fields.address("logoUri", 2048)?;
    let redirects = fields.texts("redirectUris", FIVE)?.unwrap_or_default();
    if !redirects.iter().all(|uri| Url::parse(uri).is_ok()) {
        return Err(fields.refuse("redirectUris", "absolute URLs are expected"));
    }
    let origins = fields.texts("allowedOrigins", FIVE)?.unwrap_or_default();
    if !origins.iter().all(|origin| is_origin(origin)) {
        return Err(fields.refuse("allowedOrigins", "origins are expected: scheme, host and port"));
    }
    // the reference says for SPA alone, Qlik's guide to impersonation sets them on a web client too
    if !origins.is_empty() && kind == "native" {
        return Err(fields.refuse("allowedOrigins", "a native client has no origins"));
    }
    fields.texts("allowedScopes", SCOPES)?;
    let grants = words(&fields, "allowedGrantTypes", GRANTS)?;
    let methods = words(&fields, "allowedAuthMethods", METHODS)?;
    if kind != "web" && !grants.is_empty() {
        return Err(fields.refuse("allowedGrantTypes", "only web clients have grant types"));
    }
    if kind != "web" && !methods.is_empty() {
        return Err(fields.refuse("allowedAuthMethods", "only web clients authenticate"));
    }
    let keys = keys(&fields)?;
    let set = fields.address("jwksUri", 2048)?.is_some_and(|uri| !uri.is_empty());
    if methods.contains(&"private_key_jwt") && keys == 0 && !set {
        return Err(fields.refuse("publicKeys", "private_key_jwt needs publicKeys or jwksUri"));
    }
    Ok(())
}

fn words<'a>(fields: &Fields<'a>, name: &str, allowed: &[&str]) -> Result<Vec<&'a str>, Refusal> {
    let list = fields.texts(name, SCOPES)?.unwrap_or_default();
    if list.iter().all(|word| allowed.contains(word)) {
        return Ok(list);
    }
    Err(fields.refuse(name, format!("only these are allowed: {}", allowed.join(", "))))
}

fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        ["http", "https"].contains(&url.scheme()) && url.path() == "/" && url.query().is_none() && !text.ends_with('/')
    })
}

/// Checks the public keys; how many there are.
fn keys(fields: &Fields<'_>) -> Result<usize, Refusal> {
    let keys = fields.objects("publicKeys")?.unwrap_or_default();
    if keys.len() > 5 {
        return Err(fields.refuse("publicKeys", "at most 5 items are allowed"));
    }
    for key in &keys {
        PublicKey::from_jwk(key)?;
    }
    let ids: BTreeSet<_> = keys.iter().filter_map(|key| key.get("kid").and_then(Value::as_str)).collect();
    if ids.len() != keys.len() {
        return Err(fields.refuse("publicKeys", "a kid stands there twice"));
    }
    Ok(keys.len())
}

impl OauthClient {
    /// The key with this id among the client's.
    pub(crate) fn key(&self, kid: &str) -> Option<PublicKey> {
        let jwk = self.settings["publicKeys"].as_array()?.iter().find(|jwk| jwk["kid"] == kid)?;
        PublicKey::from_jwk(&Fields::of(jwk, "").ok()?).ok()
    }
}
