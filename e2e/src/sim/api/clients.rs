//! The OAuth clients API: the clients themselves.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Access, Endpoint, PERSON};
use crate::sim::call::{Context, Reply};
use crate::sim::clients::check::{settings, trusted};
use crate::sim::clients::{Connection, HINT, OauthClient};
use crate::sim::clock::iso;
use crate::sim::paging::{List, NEXT_PREV};
use crate::sim::refusal::{ErrorStyle, Refusal};
use crate::sim::scim::{Comparison, Filter, Operator};
use crate::sim::vhost::HostKind;
use crate::sim::world::World;

/// Everybody may look; what there is to see differs.
pub(super) const USER: Access = Access::AnyOf(&["admin_classic", "user_default"]);
pub(super) const ADMIN: Access = Access::AnyOf(&["admin_classic"]);

pub(super) const fn endpoint(
    method: Method,
    path: &'static str,
    access: Access,
    run: fn(&mut World, &Context<'_>) -> Result<Reply, Refusal>,
) -> Endpoint {
    Endpoint { method, path, hosts: &[HostKind::Tenant], access, style: ErrorStyle::Bare, run }
}

pub(super) static ENDPOINTS: &[Endpoint] = &[
    endpoint(Method::GET, "/api/v1/oauth-clients", USER, list),
    endpoint(Method::POST, "/api/v1/oauth-clients", ADMIN, create),
    endpoint(Method::GET, "/api/v1/oauth-clients/{id}", USER, get),
    endpoint(Method::PATCH, "/api/v1/oauth-clients/{id}", ADMIN, patch),
    endpoint(Method::DELETE, "/api/v1/oauth-clients/{id}", ADMIN, delete),
    endpoint(Method::POST, "/api/v1/oauth-clients/{id}/actions/publish", ADMIN, publish),
];

pub(super) fn absent() -> Refusal {
    Refusal::plain(StatusCode::NOT_FOUND, "no such OAuth client")
}

/// The client of the path, for a change by its own tenant.
pub(super) fn own<'w>(world: &'w mut World, cx: &Context<'_>) -> Result<&'w mut OauthClient, Refusal> {
    world.own_client(cx.tenant_id(), cx.id()).ok_or_else(absent)?;
    world.oauth.get_mut(cx.id()).ok_or_else(absent)
}

/// User id of whoever acts.
pub(super) fn actor<'c>(cx: &'c Context<'_>) -> &'c str {
    cx.caller.as_ref().map_or("", |caller| caller.subject.as_str())
}

fn is_admin(cx: &Context<'_>) -> bool {
    cx.caller.as_ref().is_some_and(|caller| caller.scopes.iter().any(|scope| scope == "admin_classic"))
}

fn list(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let filter = cx.call.param("filter").filter(|text| !text.trim().is_empty());
    let filter = filter.map(|text| Filter::parse(&text)).transpose()?;
    for comparison in filter.iter().flat_map(Filter::comparisons) {
        let known = ["clientId", "clientName", "appType", "tenantId", "createdByType"];
        let operator = [Operator::Eq, Operator::Ne, Operator::Co].contains(&comparison.operator);
        if !operator || !known.iter().any(|name| name.eq_ignore_ascii_case(&comparison.attribute)) {
            return Err(Refusal::bad_request(format!("the filter cannot compare {} so", comparison.attribute)));
        }
    }
    let sort = cx.call.param("sort").unwrap_or_default();
    let (descending, field) = match sort.strip_prefix('-') {
        Some(field) => (true, field),
        // a plus sign that was not escaped arrives as a space
        None => (false, sort.trim_start_matches(['+', ' '])),
    };
    let sorted = ["", "clientId", "clientName", "appType", "tenantId", "createdAt", "updatedAt"];
    if !sorted.contains(&field) {
        return Err(Refusal::bad_request("this sort field is not known"));
    }
    let own = world.oauth.values().filter(|client| client.tenant == cx.tenant_id() && !client.deleted);
    let wanted = own.filter(|client| filter.as_ref().is_none_or(|filter| filter.holds(&|one| compare(client, one))));
    let rows: Vec<_> =
        wanted.map(|client| (format!("{}\u{1}{}", attribute(client, field), client.id), client)).collect();
    let salt = world.orders.next(&world.options, cx, &rows);
    let list = List { rows, descending, cursors: NEXT_PREV, salt };
    let body = list.page(&world.options, cx, if is_admin(cx) { OauthClient::item } else { OauthClient::plain })?;
    Ok(Reply::json(StatusCode::OK, body))
}

/// What a client is filtered and sorted by.
fn attribute(client: &OauthClient, name: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "clientid" => client.id.clone(),
        "clientname" => client.text("clientName").to_owned(),
        "apptype" => client.text("appType").to_owned(),
        "tenantid" => client.tenant.clone(),
        "createdbytype" => client.created_by_type.to_owned(),
        "updatedat" => iso(client.updated),
        _ => iso(client.created),
    }
}

fn compare(client: &OauthClient, comparison: &Comparison) -> bool {
    let have = attribute(client, &comparison.attribute);
    match comparison.operator {
        Operator::Co => have.contains(&comparison.value),
        other => other.holds(have.as_str(), comparison.value.as_str()),
    }
}

fn create(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let body: Value = cx.call.json()?;
    let region = world.tenants.get(cx.tenant_id()).ok_or_else(Refusal::no_tenant)?.region.clone();
    let settings = settings(&body, &region)?;
    let connection = if trusted(&body)? { Connection::Trusted } else { Connection::Required };
    let mut client = OauthClient {
        id: world.ids.client(),
        tenant: cx.tenant_id().to_owned(),
        region,
        settings,
        secrets: Vec::new(),
        created: cx.now,
        updated: cx.now,
        created_by_type: if actor(cx) == PERSON { "user" } else { "service" },
        published: None,
        deleted: false,
        connections: [(cx.tenant_id().to_owned(), connection)].into(),
    };
    let mut secret = None;
    // public clients get none: the schema says they do, the text that they cannot have one
    if client.authenticates_by("client_secret") {
        client.add_secret(world.ids.client_secret(HINT), actor(cx), cx.now);
        secret = client.secrets.first().map(|secret| secret.value.clone());
    }
    let mut body = client.full();
    if let Some(secret) = secret {
        body["clientSecretHint"] = json!(secret.get(..HINT));
        body["clientSecret"] = json!(secret);
    }
    world.oauth.insert(client.id.clone(), client);
    Ok(Reply::json(StatusCode::CREATED, body).effect("oauth-client.created"))
}

fn get(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let client = world.visible_client(cx.tenant_id(), cx.id()).filter(|client| !client.deleted).ok_or_else(absent)?;
    let full = is_admin(cx) && client.tenant == cx.tenant_id();
    Ok(Reply::json(StatusCode::OK, if full { client.full() } else { client.plain() }))
}

fn patch(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let operations: Vec<Value> = cx.call.json()?;
    let client = own(world, cx)?;
    let mut changed = client.clone();
    let needs_secret = changed.patch(&operations, cx.now)?;
    if changed == *client {
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    }
    if !needs_secret {
        *client = changed;
        return Ok(Reply::empty(StatusCode::NO_CONTENT).effect("oauth-client.patched"));
    }
    let secret = world.ids.client_secret(HINT);
    changed.add_secret(secret.clone(), actor(cx), cx.now);
    world.oauth.insert(changed.id.clone(), changed);
    let body = json!({ "clientSecret": secret });
    Ok(Reply::json(StatusCode::ACCEPTED, body).effect("oauth-client.patched"))
}

/// The status for a missing or wrong confirmation is not documented; 400 is the one in the list that fits.
fn delete(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let client = own(world, cx)?;
    if cx.call.header("qlik-confirm-delete") != Some(client.id.as_str()) {
        return Err(Refusal::bad_request("qlik-confirm-delete must carry the id of the client"));
    }
    // a published client is remembered for the other tenants, whose connections say that its owner deleted it
    client.deleted = true;
    client.secrets.clear();
    Ok(Reply::empty(StatusCode::NO_CONTENT).effect("oauth-client.deleted"))
}

fn publish(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let client = own(world, cx)?;
    let published = client.published.is_some();
    let at = *client.published.get_or_insert(cx.now);
    let reply = Reply::json(StatusCode::CREATED, json!({ "publishedAt": iso(at) }));
    Ok(if published { reply } else { reply.effect("oauth-client.published") })
}
