//! The OAuth clients API: what belongs to a client, its secrets and each tenant's connection.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::Endpoint;
use super::clients::{ADMIN, USER, absent, actor, endpoint, own};
use crate::sim::call::{Context, Reply};
use crate::sim::check::Fields;
use crate::sim::clients::{Connection, HINT, MAX_SECRETS};
use crate::sim::clock::iso;
use crate::sim::refusal::Refusal;
use crate::sim::world::World;

const SECRETS: &str = "/api/v1/oauth-clients/{id}/client-secrets";
const CONFIG: &str = "/api/v1/oauth-clients/{id}/connection-configs/me";

pub(super) static ENDPOINTS: &[Endpoint] = &[
    endpoint(Method::POST, SECRETS, ADMIN, add_secret),
    endpoint(Method::DELETE, "/api/v1/oauth-clients/{id}/client-secrets/{hint}", ADMIN, delete_secret),
    endpoint(Method::GET, CONFIG, USER, get),
    endpoint(Method::PATCH, CONFIG, ADMIN, patch),
    endpoint(Method::DELETE, CONFIG, ADMIN, delete),
];

fn add_secret(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let client = own(world, cx)?;
    if !client.authenticates_by("client_secret") {
        return Err(Refusal::bad_request("this client does not authenticate by a secret"));
    }
    if client.secrets.len() >= MAX_SECRETS {
        return Err(Refusal::plain(StatusCode::CONFLICT, "the client has five secrets already"));
    }
    let taken: Vec<String> = client.secrets.iter().map(|secret| secret.hint().to_owned()).collect();
    let mut value = world.ids.client_secret(HINT);
    while taken.iter().any(|hint| value.starts_with(hint.as_str())) {
        value = world.ids.client_secret(HINT);
    }
    let client = own(world, cx)?;
    client.add_secret(value.clone(), actor(cx), cx.now);
    client.updated = cx.now;
    let body = json!({
        "clientId": client.id,
        "hint": value.get(..HINT),
        "clientSecret": value,
        "createdAt": iso(cx.now),
        "createdBy": actor(cx),
    });
    Ok(Reply::json(StatusCode::CREATED, body).effect("secret.created"))
}

/// The last secret can go too: no page says that it cannot.
fn delete_secret(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let hint = cx.params.get(1).map_or("", String::as_str);
    let client = own(world, cx)?;
    let index = client.secrets.iter().position(|secret| secret.hint() == hint);
    let index = index.ok_or_else(|| Refusal::plain(StatusCode::NOT_FOUND, "no secret has this hint"))?;
    client.secrets.remove(index);
    client.updated = cx.now;
    Ok(Reply::empty(StatusCode::NO_CONTENT).effect("secret.deleted"))
}

fn get(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let client = world.visible_client(cx.tenant_id(), cx.id()).ok_or_else(absent)?;
    client.connection(cx.tenant_id()).consent().ok_or_else(absent)?;
    Ok(Reply::json(StatusCode::OK, client.connection_view(cx.tenant_id())))
}

/// What a tenant says about a client, once it is known that the client is there to be spoken of.
fn connect(world: &mut World, cx: &Context<'_>, new: Connection) -> Result<bool, Refusal> {
    let client = world.visible_client(cx.tenant_id(), cx.id()).filter(|client| !client.deleted).ok_or_else(absent)?;
    let old = client.connection(cx.tenant_id());
    old.consent().ok_or_else(absent)?;
    let client = world.oauth.get_mut(cx.id()).ok_or_else(absent)?;
    client.connections.insert(cx.tenant_id().to_owned(), new);
    Ok(old != new)
}

fn patch(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let operations: Vec<Value> = cx.call.json()?;
    let mut wanted = None;
    for (index, operation) in operations.iter().enumerate() {
        let fields = Fields::of(operation, &format!("/{index}"))?;
        if fields.required("op", 64)? != "replace" {
            return Err(fields.refuse("op", "only replace is supported"));
        }
        if fields.required("path", 64)? != "/consentMethod" {
            return Err(fields.refuse("path", "this path cannot be patched"));
        }
        wanted = match fields.required("value", 64)? {
            "required" => Some(Connection::Required),
            "trusted" => Some(Connection::Trusted),
            _ => return Err(fields.refuse("value", "one of required and trusted is expected")),
        };
    }
    let reply = Reply::empty(StatusCode::NO_CONTENT);
    let Some(wanted) = wanted else { return Ok(reply) };
    let changed = connect(world, cx, wanted)?;
    Ok(if changed { reply.effect("connection.patched") } else { reply })
}

fn delete(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    connect(world, cx, Connection::Deleted)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT).effect("connection.deleted"))
}
