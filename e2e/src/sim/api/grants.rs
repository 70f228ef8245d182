//! Tokens for the OAuth clients of a tenant: how they prove who they are, and for whom they get a token.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use jsonwebtoken::decode_header;
use serde_json::{Map, Value};

use super::charge;
use super::oauth::{issue, unknown_client};
use crate::sim::call::{Context, Reply};
use crate::sim::clients::{Connection, OauthClient};
use crate::sim::rates::Tier;
use crate::sim::refusal::Refusal;
use crate::sim::tenant::User;
use crate::sim::world::World;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion may be good for, in seconds.
const ASSERTION_LIFE: i64 = 300;

type Fields = BTreeMap<String, String>;

/// Answers a token request of a tenant's client.
pub(super) fn token(
    world: &mut World,
    cx: &Context<'_>,
    client: &OauthClient,
    fields: &Fields,
) -> Result<Reply, Refusal> {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    prove(world, cx, client, fields)?;
    charge(world, Tier::Two, &client.id, cx)?;
    let grant = field("grant_type");
    if !client.list("allowedGrantTypes").contains(&grant) {
        return Err(Refusal::bad_request("this grant_type is not allowed for this client"));
    }
    // a client that acts on its own has nobody who could consent
    if client.connection(cx.tenant_id()) != Connection::Trusted {
        return Err(unknown_client());
    }
    let scope = narrow(client, field("scope"))?;
    let user = if grant == "client_credentials" {
        let name = client.text("clientName");
        world.bot(cx.tenant_id(), (&client.id, Some(name)), cx.now).ok_or_else(Refusal::no_tenant)?
    } else {
        impersonated(world, cx, fields)?
    };
    if user.disabled {
        return Err(Refusal::forbidden("the user is disabled"));
    }
    issue(world, cx, (user.id, scope, &client.id))
}

/// Checks the client's secret or assertion.
fn prove(world: &mut World, cx: &Context<'_>, client: &OauthClient, fields: &Fields) -> Result<(), Refusal> {
    let bad = || Refusal::unauthorized("the client credentials are not valid");
    if let Some(assertion) = fields.get("client_assertion") {
        if fields.get("client_assertion_type").map(String::as_str) != Some(ASSERTION) {
            return Err(Refusal::bad_request("this client_assertion_type is not supported"));
        }
        let good = client.authenticates_by("private_key_jwt") && asserted(world, cx, client, assertion).is_some();
        return if good { Ok(()) } else { Err(bad()) };
    }
    let secret = fields.get("client_secret").ok_or_else(|| Refusal::bad_request("client_secret is required"))?;
    let known = client.secrets.iter().any(|known| known.value == *secret);
    if known && client.authenticates_by("client_secret") { Ok(()) } else { Err(bad()) }
}

/// An assertion that is genuine, for this host, of this moment, and new. Keys behind a `jwksUri` cannot be fetched
/// here: assertions signed with those are refused.
fn asserted(world: &mut World, cx: &Context<'_>, client: &OauthClient, assertion: &str) -> Option<()> {
    let kid = decode_header(assertion).ok()?.kid?;
    let claims = client.key(&kid)?.open(assertion)?;
    let (issued, expires) = (number(&claims, "iat")?, number(&claims, "exp")?);
    let now = cx.now.as_second();
    let fresh = now < expires && issued <= now + 60 && expires - issued <= ASSERTION_LIFE;
    let endpoints = [&cx.call.host, &cx.call.authority].map(|host| format!("https://{host}/oauth/token"));
    let here = claims["aud"].as_str().is_some_and(|aud| endpoints.iter().any(|endpoint| endpoint == aud));
    let own = text(&claims, "iss")? == client.id && text(&claims, "sub")? == client.id;
    let jti = text(&claims, "jti").filter(|jti| !jti.is_empty())?;
    (fresh && here && own && world.tokens.first_use(&client.id, jti, (expires, now))).then_some(())
}

/// A claim that is a string.
pub(super) fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    claims.get(name)?.as_str()
}

/// A claim that is a time.
pub(super) fn number(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    claims.get(name)?.as_i64()
}

/// The scopes to grant: asking for none grants all but `offline_access`, asking for one too many is refused.
fn narrow(client: &OauthClient, asked: &str) -> Result<String, Refusal> {
    let own = client.list("allowedScopes");
    let asked: Vec<&str> = asked.split_whitespace().collect();
    if asked.is_empty() {
        let granted: Vec<&str> = own.into_iter().filter(|scope| *scope != "offline_access").collect();
        return Ok(granted.join(" "));
    }
    // a scope stands for those that end in a qualifier of it
    let allowed =
        |scope: &&&str| own.contains(*scope) || scope.rsplit_once(':').is_some_and(|(parent, _)| own.contains(&parent));
    match asked.iter().find(|scope| !allowed(scope)) {
        Some(scope) => Err(Refusal::bad_request(format!("the scope {scope} is not allowed for this client"))),
        None => Ok(asked.join(" ")),
    }
}

/// The user to impersonate, who must be there already. Which status Qlik answers otherwise is not documented.
fn impersonated(world: &World, cx: &Context<'_>, fields: &Fields) -> Result<User, Refusal> {
    let lookup = |name: &str| fields.get(&format!("user_lookup.{name}")).map(String::as_str);
    let (Some(field), Some(value)) = (lookup("field"), lookup("value")) else {
        return Err(Refusal::bad_request("user_lookup with field and value is required").at("/user_lookup"));
    };
    let matches: fn(&User, &str) -> bool = match field {
        "userId" => |user, value| user.id == value,
        "subject" => |user, value| user.subject == value,
        _ => return Err(Refusal::bad_request("field is userId or subject").at("/user_lookup/field")),
    };
    let tenant = world.tenants.get(cx.tenant_id()).ok_or_else(Refusal::no_tenant)?;
    let user = tenant.users.iter().find(|user| matches(user, value) && !user.is_bot());
    user.cloned().ok_or_else(|| Refusal::plain(StatusCode::BAD_REQUEST, "no such user").at("/user_lookup/value"))
}
