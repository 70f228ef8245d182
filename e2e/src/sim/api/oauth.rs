//! Token endpoint and OAuth metadata, on every host.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Access, Endpoint, charge, grants};
use crate::sim::call::{Call, Context, Reply};
use crate::sim::clock::{iso, later};
use crate::sim::rates::Tier;
use crate::sim::refusal::{ErrorStyle, Refusal};
use crate::sim::token::{Claims, LIFETIME};
use crate::sim::vhost::{HostKind, VirtualHost};
use crate::sim::world::{Client, Level, World};

const EVERYWHERE: &[HostKind] = &[HostKind::Register, HostKind::Tenant, HostKind::Console];

pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: Method::POST,
        path: "/oauth/token",
        hosts: EVERYWHERE,
        access: Access::Open,
        style: ErrorStyle::Bare,
        run: token,
    },
    Endpoint {
        method: Method::POST,
        path: "/oauth/revoke",
        hosts: EVERYWHERE,
        access: Access::Open,
        style: ErrorStyle::Bare,
        run: revoke,
    },
    Endpoint {
        method: Method::GET,
        path: "/.well-known/jwks.json",
        hosts: EVERYWHERE,
        access: Access::Open,
        style: ErrorStyle::Bare,
        run: jwks,
    },
    Endpoint {
        method: Method::GET,
        path: "/.well-known/oauth-authorization-server",
        hosts: EVERYWHERE,
        access: Access::Open,
        style: ErrorStyle::Bare,
        run: metadata,
    },
];

/// Scopes of every regional client; they cannot be edited. `user_default` is granted too, because `admin_classic`
/// stands for the full use of a tenant administrator and the official JavaScript client asks for it by default.
const REGIONAL: &[&str] =
    &["admin_classic", "tenants:create", "tenants:deactivate", "tenants:reactivate", "user_default"];
const ORGANIZATION: &[&str] = &["cloud-console.tenants:read"];

fn token(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let fields = fields(cx.call)?;
    let field = |name: &str| fields.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let grant = field("grant_type").ok_or_else(|| Refusal::bad_request("grant_type is required"))?;
    let id = field("client_id").ok_or_else(|| Refusal::bad_request("client_id is required"))?;
    let of_tenant = world.visible_client(cx.tenant_id(), id).filter(|client| !client.deleted).cloned();
    if let Some(client) = of_tenant {
        return grants::token(world, cx, &client, &fields);
    }
    if grant != "client_credentials" {
        return Err(Refusal::bad_request("this grant_type is not supported"));
    }
    let client = known(world, cx, id)?;
    let secret = field("client_secret").ok_or_else(|| Refusal::bad_request("client_secret is required"))?;
    let bad = || Refusal::unauthorized("the client credentials are not valid");
    if secret != client.credentials.client_secret || !serves(world, cx, &client) {
        return Err(bad());
    }
    charge(world, Tier::Two, id, cx)?;
    let scope = grant_scopes(&client, field("scope").unwrap_or_default())?;
    let sub = subject(world, cx, id)?;
    issue(world, cx, (sub, scope, id))
}

/// Issues a token to a client, for a user and with scopes.
pub(super) fn issue(world: &mut World, cx: &Context<'_>, wanted: (String, String, &str)) -> Result<Reply, Refusal> {
    let claims = claims(world, cx, wanted);
    let token = world
        .keys
        .sign(&claims)
        .map_err(|_| Refusal::plain(StatusCode::INTERNAL_SERVER_ERROR, "the token could not be signed"))?;
    let id = world.ids.object();
    world.tokens.issue(id, &claims, cx.now);
    let body = json!({
        "access_token": token,
        "token_type": "bearer",
        "expires_in": LIFETIME,
        "expires_at": iso(later(cx.now, Duration::from_secs(LIFETIME.unsigned_abs()))),
        "scope": claims.scope,
    });
    let mut reply = Reply::json(StatusCode::OK, body).header("cache-control", "no-store").effect("token.issued");
    reply.client_id = Some(claims.client_id);
    reply.tenant_id = claims.tenant_id;
    Ok(reply)
}

/// Takes an access token back. What is no token of this cloud is no error, as RFC 7009 has it.
fn revoke(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let fields = fields(cx.call)?;
    let token = fields.get("token").ok_or_else(|| Refusal::bad_request("token is required"))?;
    let here = |claims: &Claims| claims.iss == format!("https://{}", cx.call.host);
    let revoked = world.keys.open(token).filter(here).is_some_and(|claims| world.tokens.revoke(&claims.jti));
    let reply = Reply::empty(StatusCode::OK);
    Ok(if revoked { reply.effect("token.revoked") } else { reply })
}

/// The fields of a token request: JSON or form, credentials in the body or in HTTP Basic.
fn fields(call: &Call) -> Result<BTreeMap<String, String>, Refusal> {
    let kind = call.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let form = kind.starts_with("application/x-www-form-urlencoded");
    let mut fields: BTreeMap<String, String> = if form {
        url::form_urlencoded::parse(&call.body).into_owned().collect()
    } else {
        let body: BTreeMap<String, Value> = call.json()?;
        body.iter().flat_map(|(name, value)| flat(name, value)).collect()
    };
    if let Some((id, secret)) = basic(call) {
        fields.insert("client_id".to_owned(), id);
        fields.insert("client_secret".to_owned(), secret);
    }
    Ok(fields)
}

/// A field and its text; the fields of an object follow its name after a dot. What is neither is of no interest.
fn flat(name: &str, value: &Value) -> Vec<(String, String)> {
    let text = |name: String, value: &Value| Some((name, value.as_str()?.to_owned()));
    match value.as_object() {
        Some(map) => map.iter().filter_map(|(inner, value)| text(format!("{name}.{inner}"), value)).collect(),
        None => text(name.to_owned(), value).into_iter().collect(),
    }
}

fn basic(call: &Call) -> Option<(String, String)> {
    let (scheme, encoded) = call.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    text.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
}

/// The client, if this host knows it: regional clients are unknown outside their region and to the console.
fn known(world: &World, cx: &Context<'_>, id: &str) -> Result<Client, Refusal> {
    let here = match cx.host {
        VirtualHost::Register(region) => Some(region.code),
        VirtualHost::Tenant(tenant) => world.tenants.get(tenant).map(|tenant| tenant.region.as_str()),
        VirtualHost::Console | VirtualHost::Unknown => None,
    };
    let client = world.clients.get(id).filter(|client| {
        !client.removed
            && match &client.level {
                Level::Regional { region, .. } => here == Some(region.as_str()),
                Level::Organization => matches!(cx.host, VirtualHost::Console),
            }
    });
    client.cloned().ok_or_else(unknown_client)
}

/// The one refusal whose code is known.
pub(super) fn unknown_client() -> Refusal {
    Refusal::coded(StatusCode::BAD_REQUEST, "OAUTH-14", "Invalid client_id").detail("OAuth client is not authorized")
}

/// Whether the client belongs to this host: a tenant takes only clients of its own licence.
fn serves(world: &World, cx: &Context<'_>, client: &Client) -> bool {
    match (cx.host, &client.level) {
        (VirtualHost::Tenant(id), Level::Regional { license, .. }) => {
            world.tenants.get(id).is_some_and(|tenant| tenant.license_number == *license)
        }
        _ => true,
    }
}

/// The scopes to grant. Asking for none grants all; asking for one too many is refused, since whether Qlik would
/// refuse or silently narrow is undocumented and a client should learn of it here.
fn grant_scopes(client: &Client, asked: &str) -> Result<String, Refusal> {
    let (own, implied) = match client.level {
        Level::Regional { .. } => (REGIONAL, 1),
        Level::Organization => (ORGANIZATION, 0),
    };
    let asked: Vec<&str> = asked.split_whitespace().collect();
    if asked.is_empty() {
        return Ok(own[..own.len() - implied].join(" "));
    }
    match asked.iter().find(|scope| !own.contains(scope)) {
        Some(scope) => Err(Refusal::bad_request(format!("the scope {scope} is not allowed for this client"))),
        None => Ok(asked.join(" ")),
    }
}

/// Who the token speaks for: in a tenant the client's bot user, made on first use.
fn subject(world: &mut World, cx: &Context<'_>, client: &str) -> Result<String, Refusal> {
    let VirtualHost::Tenant(tenant) = cx.host else { return Ok(client.to_owned()) };
    let user = world.bot(tenant, (client, None), cx.now).ok_or_else(Refusal::no_tenant)?;
    if user.disabled {
        return Err(Refusal::forbidden("the user is disabled"));
    }
    Ok(user.id)
}

fn claims(world: &mut World, cx: &Context<'_>, (sub, scope, client): (String, String, &str)) -> Claims {
    let issuer = format!("https://{}", cx.call.host);
    Claims {
        iss: issuer.clone(),
        aud: issuer,
        sub,
        sub_type: "user".to_owned(),
        jti: world.ids.token(),
        iat: cx.now.as_second(),
        exp: cx.now.as_second().saturating_add(LIFETIME),
        scope,
        client_id: client.to_owned(),
        tenant_id: Some(cx.tenant_id().to_owned()).filter(|id| !id.is_empty()),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every endpoint has this type")]
fn jwks(world: &mut World, _: &Context<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::json(StatusCode::OK, world.keys.jwks()))
}

#[expect(clippy::unnecessary_wraps, reason = "every endpoint has this type")]
fn metadata(_: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let base = cx.call.base();
    let body = json!({
        "issuer": format!("https://{}", cx.call.host),
        "jwks_uri": format!("{base}/.well-known/jwks.json"),
        "token_endpoint": format!("{base}/oauth/token"),
        "revocation_endpoint": format!("{base}/oauth/revoke"),
        "grant_types_supported": ["client_credentials", "urn:qlik:oauth:user-impersonation"],
        "response_types_supported": [],
    });
    Ok(Reply::json(StatusCode::OK, body))
}
