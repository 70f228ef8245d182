//! The tenants API on a region's register host: create, deactivate, reactivate.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Access, Endpoint};
use crate::sim::call::{Context, Reply};
use crate::sim::clock::{iso, later};
use crate::sim::refusal::{ErrorStyle, Refusal};
use crate::sim::region::{REGIONS, Region};
use crate::sim::tenant::{Status, Tenant};
use crate::sim::vhost::{HostKind, VirtualHost};
use crate::sim::world::{Level, World};

const CONFIRM: &str = "qlik-confirm-hostname";

const fn endpoint(
    method: Method,
    path: &'static str,
    scope: &'static [&'static str],
    run: fn(&mut World, &Context<'_>) -> Result<Reply, Refusal>,
) -> Endpoint {
    let access = Access::AnyOf(scope);
    Endpoint { method, path, hosts: &[HostKind::Register], access, style: ErrorStyle::Text, run }
}

pub(super) static ENDPOINTS: &[Endpoint] = &[
    endpoint(Method::POST, "/api/v1/tenants", &["tenants:create"], create),
    endpoint(Method::GET, "/api/v1/tenants/{id}", &["admin_classic"], get),
    endpoint(Method::POST, "/api/v1/tenants/{id}/actions/deactivate", &["tenants:deactivate"], deactivate),
    endpoint(Method::POST, "/api/v1/tenants/{id}/actions/reactivate", &["tenants:reactivate"], reactivate),
];

fn region(cx: &Context<'_>) -> Result<&'static Region, Refusal> {
    match cx.host {
        VirtualHost::Register(region) => Ok(region),
        VirtualHost::Tenant(_) | VirtualHost::Console | VirtualHost::Unknown => Err(Refusal::no_tenant()),
    }
}

/// The licence that the calling client belongs to.
fn license(world: &World, cx: &Context<'_>) -> Result<String, Refusal> {
    match world.clients.get(cx.client_id()).map(|client| &client.level) {
        Some(Level::Regional { license, .. }) => Ok(license.clone()),
        Some(Level::Organization) | None => Err(Refusal::forbidden("a regional OAuth client is needed")),
    }
}

fn create(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let region = region(cx)?;
    let own = license(world, cx)?;
    let body: Value = if cx.call.has_body() { cx.call.json()? } else { Value::Null };
    let refuse = |status, code, title| Err(Refusal::coded(status, code, title));
    let key = match &body["licenseKey"] {
        Value::String(key) if !key.is_empty() => key,
        _ => return refuse(StatusCode::BAD_REQUEST, "TENANTS-21", "Missing licenseKey property"),
    };
    check_datacenter(region, &body["datacenter"])?;
    if world.licenses.get(&own).is_none_or(|license| license.key != *key) {
        return refuse(StatusCode::FORBIDDEN, "TENANTS-23", "Invalid license error");
    }
    if world.tenants_of(&own) >= world.quota {
        return refuse(StatusCode::FORBIDDEN, "TENANTS-22", "License quota limit reached");
    }
    let id = world.create_tenant(region, &own, cx.now);
    let tenant = world.tenants.get(&id).ok_or_else(Refusal::no_tenant)?;
    // links point to the tenant's own host, on whatever port this simulator listens
    let port = cx.call.authority.strip_prefix(cx.call.host.as_str()).unwrap_or_default();
    let base = format!("{}://{}{port}", cx.call.scheme, tenant.hostnames[0]);
    Ok(Reply::json(StatusCode::CREATED, tenant.body(&base)).tenant(&id).effect("tenant.created"))
}

/// The data centre is optional. One that is not in the page's list, or is another region's, is refused; the code is
/// undocumented.
fn check_datacenter(region: &Region, value: &Value) -> Result<(), Refusal> {
    let known = |name: &str| REGIONS.iter().any(|region| region.creatable && region.datacenter == name);
    match value {
        Value::Null => Ok(()),
        Value::String(name) if known(name) && name == region.datacenter => Ok(()),
        _ => Err(Refusal::bad_request("the datacenter is not available in this region").at("/datacenter")),
    }
}

/// The tenant that an action is about: in this region, of the caller's licence, and not purged.
fn subject(world: &World, cx: &Context<'_>) -> Result<Tenant, Refusal> {
    let region = region(cx)?;
    let own = license(world, cx)?;
    let tenant = world
        .tenants
        .get(cx.id())
        .filter(|tenant| tenant.region == region.code && tenant.status != Status::Deleted)
        .ok_or_else(Refusal::no_tenant)?;
    if tenant.license_number != own {
        return Err(Refusal::forbidden("the tenant belongs to another licence"));
    }
    Ok(tenant.clone())
}

fn get(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    if !world.options.register_get_tenant {
        return Err(Refusal::no_tenant());
    }
    let tenant = subject(world, cx)?;
    Ok(Reply::json(StatusCode::OK, tenant.body(&cx.call.base())).tenant(&tenant.id))
}

fn confirmed(world: &World, cx: &Context<'_>, tenant: &Tenant) -> Result<(), Refusal> {
    match cx.call.header(CONFIRM) {
        Some(hostname) if tenant.answers_to(hostname.trim()) => Ok(()),
        Some(_) => {
            Err(Refusal::plain(StatusCode::PRECONDITION_FAILED, format!("{CONFIRM} is not a hostname of this tenant")))
        }
        None => {
            let status = StatusCode::from_u16(world.options.missing_confirm_header).unwrap_or(StatusCode::BAD_REQUEST);
            Err(Refusal::plain(status, format!("{CONFIRM} is required")))
        }
    }
}

fn deactivate(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let mut tenant = subject(world, cx)?;
    confirmed(world, cx, &tenant)?;
    let days = purge_days(cx)?;
    if tenant.barred {
        return Err(Refusal::forbidden("the tenant is not allowed to be deactivated"));
    }
    tenant.deactivate(days, cx.now);
    let id = tenant.id.clone();
    // the very instant that is kept, so that the answer and the purge cannot differ
    let purge = tenant.purge_at.unwrap_or_else(|| later(cx.now, Duration::ZERO));
    world.replace_tenant(tenant);
    let body = json!({ "id": id, "status": "disabled", "estimatedPurgeDate": iso(purge) });
    Ok(Reply::json(StatusCode::OK, body).tenant(&id).effect("tenant.deactivated"))
}

fn purge_days(cx: &Context<'_>) -> Result<u32, Refusal> {
    let body: Value = if cx.call.has_body() { cx.call.json()? } else { json!({}) };
    let Value::Object(body) = body else { return Err(Refusal::bad_request("the request body is not an object")) };
    let Some(days) = body.get("purgeAfterDays") else { return Ok(30) };
    days.as_u64().and_then(|days| u32::try_from(days).ok()).filter(|days| (10..=90).contains(days)).ok_or_else(|| {
        Refusal::bad_request("purgeAfterDays must be an integer between 10 and 90").at("/purgeAfterDays")
    })
}

fn reactivate(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let mut tenant = subject(world, cx)?;
    confirmed(world, cx, &tenant)?;
    let id = tenant.id.clone();
    let reply = Reply::json(StatusCode::OK, json!({ "id": id, "status": "active" })).tenant(&id);
    if tenant.status == Status::Active {
        return match StatusCode::from_u16(world.options.reactivate_active) {
            Ok(status) if status.is_client_error() => Err(Refusal::plain(status, "the tenant is active")),
            Ok(_) | Err(_) => Ok(reply),
        };
    }
    tenant.reactivate(cx.now);
    world.replace_tenant(tenant);
    Ok(reply.effect("tenant.reactivated"))
}
