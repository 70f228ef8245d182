//! The identity providers API.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Access, Endpoint};
use crate::sim::call::{Context, Reply};
use crate::sim::config::SecondInteractive;
use crate::sim::identity::{Protocol, Provider, qlik_account};
use crate::sim::paging::{List, NEXT_PREV};
use crate::sim::refusal::{ErrorStyle, Refusal};
use crate::sim::vhost::HostKind;
use crate::sim::world::World;

/// Header with the hash of the pending options.
const POPTS: &str = "qlik-idp-popts";

const fn endpoint(
    method: Method,
    path: &'static str,
    run: fn(&mut World, &Context<'_>) -> Result<Reply, Refusal>,
) -> Endpoint {
    // no OAuth scope is made for these: they need the full use of an administrator
    let access = Access::AnyOf(&["admin_classic"]);
    Endpoint { method, path, hosts: &[HostKind::Tenant], access, style: ErrorStyle::Untraced, run }
}

pub(super) static ENDPOINTS: &[Endpoint] = &[
    endpoint(Method::GET, "/api/v1/identity-providers", list),
    endpoint(Method::POST, "/api/v1/identity-providers", create),
    endpoint(Method::GET, "/api/v1/identity-providers/status", status),
    endpoint(Method::GET, "/api/v1/identity-providers/me/meta", meta),
    endpoint(Method::GET, "/api/v1/identity-providers/.well-known/metadata.json", metadata),
    endpoint(Method::GET, "/api/v1/identity-providers/{id}", get),
    endpoint(Method::PATCH, "/api/v1/identity-providers/{id}", patch),
    endpoint(Method::DELETE, "/api/v1/identity-providers/{id}", delete),
];

fn absent() -> Refusal {
    Refusal::plain(StatusCode::NOT_FOUND, "no such identity provider")
}

/// The login with a Qlik Account as one of the list, where the simulator's options show it.
fn account(world: &World, cx: &Context<'_>) -> Value {
    let created = world.tenants.get(cx.tenant_id()).map_or(cx.now, |tenant| tenant.created);
    qlik_account(cx.tenant_id(), created, world.falls_back(cx.tenant_id()))
}

fn is_account(world: &World, cx: &Context<'_>) -> bool {
    world.options.list_qlik_account && account(world, cx)["id"] == cx.id()
}

fn own<'w>(world: &'w World, cx: &Context<'_>) -> Result<&'w Provider, Refusal> {
    world.providers_of(cx.tenant_id()).iter().find(|provider| provider.id == cx.id()).ok_or_else(absent)
}

fn list(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let active = match cx.call.param("active").as_deref() {
        None | Some("") => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => return Err(Refusal::bad_request("active is true or false")),
    };
    let mut all: Vec<Value> = Vec::new();
    if world.options.list_qlik_account {
        all.push(account(world, cx));
    }
    let secrets = world.options.idp_secrets;
    all.extend(world.providers_of(cx.tenant_id()).iter().map(|provider| provider.view(secrets)));
    let wanted = all.iter().filter(|view| active.is_none_or(|active| view["active"] == active));
    let rows = wanted.map(|view| (format!("{}\u{1}{}", view["created"], view["id"]), view)).collect::<Vec<_>>();
    let salt = world.orders.next(&world.options, cx, &rows);
    let list = List { rows, descending: false, cursors: NEXT_PREV, salt };
    let body = list.page(&world.options, cx, Value::clone)?;
    Ok(Reply::json(StatusCode::OK, body))
}

fn create(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let body: Value = cx.call.json()?;
    let foreign = |id: &Value| id != cx.tenant_id();
    if body["tenantIds"].as_array().is_some_and(|ids| ids.iter().any(foreign)) {
        return Err(Refusal::forbidden("tenantIds does not match the tenant of the token"));
    }
    let mut provider = Provider::asked_for(&body, cx.tenant_id(), cx.now)?;
    if provider.protocol == Protocol::Jwt && world.options.unique_jwt_issuer && twin(world, cx, &provider) {
        return Err(Refusal::bad_request("another provider has this issuer and kid").at("/options/issuer"));
    }
    let at_once = provider.options.is_some() && world.options.skip_verify_activates;
    provider.active = !provider.interactive || at_once;
    provider.id = world.ids.object();
    make_way(world, cx, &provider)?;
    let reply = Reply::json(StatusCode::CREATED, provider.view(world.options.idp_secrets))
        .header(POPTS, provider.pending_hash())
        .effect("idp.created");
    world.providers.entry(cx.tenant_id().to_owned()).or_default().push(provider);
    Ok(reply)
}

/// Whether some provider has the same issuer and key id.
fn twin(world: &World, cx: &Context<'_>, provider: &Provider) -> bool {
    let mark = |one: &Provider| Some((one.option("issuer")?.clone(), one.option("staticKeys")?[0]["kid"].clone()));
    world.providers_of(cx.tenant_id()).iter().any(|other| mark(other) == mark(provider))
}

/// At most one interactive provider is active: refuses a second one, or deactivates the first.
fn make_way(world: &mut World, cx: &Context<'_>, provider: &Provider) -> Result<(), Refusal> {
    if !provider.reigns() {
        return Ok(());
    }
    let others = world.providers.entry(cx.tenant_id().to_owned()).or_default();
    let Some(other) = others.iter_mut().find(|other| other.reigns() && other.id != provider.id) else {
        return Ok(());
    };
    match world.options.second_interactive {
        SecondInteractive::Refuse => {
            Err(Refusal::bad_request("another interactive identity provider is active").at("/active"))
        }
        SecondInteractive::Deactivate => {
            other.active = false;
            other.updated = cx.now;
            Ok(())
        }
    }
}

fn get(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    if is_account(world, cx) {
        return Ok(Reply::json(StatusCode::OK, account(world, cx)));
    }
    let provider = own(world, cx)?;
    let view = provider.view(world.options.idp_secrets);
    Ok(Reply::json(StatusCode::OK, view).header(POPTS, provider.pending_hash()))
}

fn patch(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    if is_account(world, cx) {
        return Err(Refusal::bad_request("the Qlik Account login cannot be changed"));
    }
    let before = own(world, cx)?.clone();
    if cx.call.header("qlik-idp-popts-match").is_some_and(|hash| hash != before.pending_hash()) {
        // the header's name is misspelt in Qlik's own text
        let text = "QLIK-IDP-OPTS-MATCH does not match the pending options";
        return Err(Refusal::plain(StatusCode::PRECONDITION_FAILED, text));
    }
    let operations: Vec<Value> = cx.call.json()?;
    let mut after = before.clone();
    let promoted = after.patch(&operations, cx.now)?;
    let reply = Reply::empty(StatusCode::NO_CONTENT);
    if after == before {
        return Ok(reply);
    }
    make_way(world, cx, &after)?;
    if let Some(provider) = world.provider_mut(cx.tenant_id(), cx.id()) {
        *provider = after;
    }
    Ok(reply.effect(if promoted { "idp.promoted" } else { "idp.patched" }))
}

fn delete(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    if is_account(world, cx) {
        return Err(Refusal::bad_request("this identity provider cannot be removed"));
    }
    own(world, cx)?;
    if let Some(providers) = world.providers.get_mut(cx.tenant_id()) {
        providers.retain(|provider| provider.id != cx.id());
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT).effect("idp.deleted"))
}

#[expect(clippy::unnecessary_wraps, reason = "every endpoint has this type")]
fn status(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let mut all = vec![json!({ "active": world.falls_back(cx.tenant_id()), "interactive": true, "provider": "qlik" })];
    all.extend(world.providers_of(cx.tenant_id()).iter().map(|provider| {
        json!({ "active": provider.active, "interactive": provider.interactive, "provider": provider.product })
    }));
    let count = all.iter().filter(|one| one["active"] == true && one["interactive"] == true).count();
    let body = json!({ "active_interactive_idps_count": count, "idps_metadata": all });
    Ok(Reply::json(StatusCode::OK, body))
}

/// Only the default login has these links.
fn meta(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    if !world.falls_back(cx.tenant_id()) {
        return Err(absent());
    }
    let base = format!("https://account.{}", world.domain);
    let body = json!({ "userPortalLink": base, "upgradeSubscriptionLink": format!("{base}/subscription") });
    Ok(Reply::json(StatusCode::OK, body))
}

/// A free-form object: what a provider has to be told about this tenant.
#[expect(clippy::unnecessary_wraps, reason = "every endpoint has this type")]
fn metadata(_: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let base = cx.call.base();
    let body = json!({
        "redirect_uris": [format!("{base}/login/callback")],
        "assertion_consumer_service": format!("{base}/login/saml"),
        "entity_id": base,
    });
    Ok(Reply::json(StatusCode::OK, body))
}
