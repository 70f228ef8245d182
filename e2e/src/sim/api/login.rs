//! Logging in with a signed JWT, and the sessions that follow from it.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use jsonwebtoken::decode_header;
use serde_json::{Map, Value};

use super::grants::{number, text};
use super::{Access, Endpoint};
use crate::sim::call::{Call, Context, Reply};
use crate::sim::clock::later;
use crate::sim::identity::{Protocol, Provider};
use crate::sim::keys::PublicKey;
use crate::sim::refusal::{ErrorStyle, Refusal};
use crate::sim::tokens::Session;
use crate::sim::vhost::HostKind;
use crate::sim::world::World;

/// What the tokens of this login are for.
const AUDIENCE: &str = "qlik.api/login/jwt-session";
/// The longest life of such a token, in seconds.
const LONGEST: i64 = 3600;
/// How long a session lasts; Qlik does not say.
const SESSION: Duration = Duration::from_hours(24);

const fn endpoint(
    method: Method,
    path: &'static str,
    access: Access,
    run: fn(&mut World, &Context<'_>) -> Result<Reply, Refusal>,
) -> Endpoint {
    Endpoint { method, path, hosts: &[HostKind::Tenant], access, style: ErrorStyle::Text, run }
}

pub(super) static ENDPOINTS: &[Endpoint] = &[
    endpoint(Method::POST, "/login/jwt-session", Access::Open, login),
    endpoint(Method::GET, "/api/v1/csrf-token", Access::AnyOf(&["admin_classic", "user_default"]), csrf),
];

fn login(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let token = bearer(cx.call).ok_or_else(|| Refusal::unauthorized("a JWT is required"))?;
    let claims = verified(world, cx, token).map_err(Refusal::unauthorized)?;
    let claim = |name: &str| text(&claims, name).unwrap_or_default();
    let person = (claim("sub"), claim("name"), claim("email"));
    let user = world.person(cx.tenant_id(), person, cx.now).ok_or_else(Refusal::no_tenant)?;
    if user.disabled {
        return Err(Refusal::unauthorized("the user is disabled"));
    }
    let session = Session {
        host: cx.call.host.clone(),
        user: user.id,
        signature: world.ids.secret(),
        csrf: world.ids.secret(),
        expires: later(cx.now, SESSION),
    };
    let id = world.ids.secret();
    let cookie = |name: &str, value: &str| format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=None");
    let reply = Reply::empty(StatusCode::OK)
        .header("set-cookie", cookie("eas.sid", &id))
        .header("set-cookie", cookie("eas.sid.sig", &session.signature))
        .header("set-cookie", cookie("_csrfToken", &session.csrf))
        .effect("session.created");
    world.tokens.sessions.insert(id, session);
    Ok(reply)
}

/// The token of the header.
pub(super) fn bearer(call: &Call) -> Option<&str> {
    let (scheme, token) = call.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The claims of a JWT that an active provider of this tenant vouches for.
fn verified(world: &World, cx: &Context<'_>, token: &str) -> Result<Map<String, Value>, &'static str> {
    let kid = decode_header(token).ok().and_then(|header| header.kid).ok_or("the JWT has no kid")?;
    let candidates = world.providers_of(cx.tenant_id()).iter();
    let candidates = candidates.filter(|one| one.active && one.protocol == Protocol::Jwt);
    let mut opened = candidates.filter_map(|provider| Some((provider, opened(provider, &kid, token)?)));
    let (provider, claims) =
        opened.next().ok_or("no identity provider has a key with this kid that signed the JWT for this issuer")?;
    if text(&claims, "aud") != Some(AUDIENCE) {
        return Err("the audience of the JWT is not qlik.api/login/jwt-session");
    }
    if text(&claims, "subType") != Some("user") {
        return Err("subType must be user");
    }
    let empty = |name: &&&str| text(&claims, name).is_none_or(str::is_empty);
    if ["sub", "name", "email", "jti"].iter().any(|name| empty(&name)) || !claims.contains_key("email_verified") {
        return Err("one of the claims sub, name, email, email_verified and jti is missing");
    }
    let times = (number(&claims, "iat"), number(&claims, "nbf"), number(&claims, "exp"));
    let (Some(_), Some(begins), Some(ends)) = times else { return Err("iat, nbf and exp are required") };
    if ends - begins > LONGEST {
        return Err("a JWT is good for one hour at most");
    }
    let (now, tolerance) = (cx.now.as_second(), provider.clock_tolerance);
    if now < begins - tolerance || ends + tolerance <= now {
        return Err("the JWT is not valid at this time");
    }
    Ok(claims)
}

/// The claims, if this provider has the key and is the issuer.
fn opened(provider: &Provider, kid: &str, token: &str) -> Option<Map<String, Value>> {
    let key = &provider.option("staticKeys")?[0];
    if key["kid"] != kid {
        return None;
    }
    let claims = PublicKey::from_pem(key["pem"].as_str()?).ok()?.open(token)?;
    (claims.get("iss") == provider.option("issuer")).then_some(claims)
}

/// The session of a request's cookies.
pub(super) fn session<'w>(world: &'w World, call: &Call) -> Option<&'w Session> {
    let cookies = call.header("cookie")?;
    let cookie = |wanted: &str| {
        let all = cookies.split(';').filter_map(|cookie| cookie.trim().split_once('='));
        all.into_iter().find(|(name, _)| *name == wanted).map(|(_, value)| value)
    };
    let session = world.tokens.sessions.get(cookie("eas.sid")?)?;
    (cookie("eas.sid.sig") == Some(&session.signature) && session.host == call.host).then_some(session)
}

/// The token that writes in a session have to carry; bearers of access tokens need none and get none.
fn csrf(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let session = session(world, cx.call).filter(|_| bearer(cx.call).is_none());
    let session = session.ok_or_else(|| Refusal::bad_request("only sessions have CSRF tokens"))?;
    Ok(Reply::empty(StatusCode::NO_CONTENT).header("qlik-csrf-token", session.csrf.clone()))
}
