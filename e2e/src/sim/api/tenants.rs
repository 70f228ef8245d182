//! The tenants API on a tenant's own host.

use axum::http::{Method, StatusCode};
use serde_json::Value;

use super::{Access, Endpoint};
use crate::sim::call::{Context, Reply};
use crate::sim::refusal::{ErrorStyle, Refusal};
use crate::sim::tenant::Tenant;
use crate::sim::vhost::HostKind;
use crate::sim::world::World;

const USER: Access = Access::AnyOf(&["admin_classic", "user_default"]);
const ADMIN: Access = Access::AnyOf(&["admin_classic"]);

const fn endpoint(
    method: Method,
    path: &'static str,
    access: Access,
    run: fn(&mut World, &Context<'_>) -> Result<Reply, Refusal>,
) -> Endpoint {
    Endpoint { method, path, hosts: &[HostKind::Tenant], access, style: ErrorStyle::Text, run }
}

pub(super) static ENDPOINTS: &[Endpoint] = &[
    endpoint(Method::GET, "/api/v1/tenants/me", USER, me),
    endpoint(Method::GET, "/api/v1/tenants/{id}", USER, get),
    endpoint(Method::PATCH, "/api/v1/tenants/{id}", ADMIN, patch),
];

#[expect(clippy::unnecessary_wraps, reason = "every endpoint has this type")]
fn me(_: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let location = format!("/api/v1/tenants/{}", cx.tenant_id());
    Ok(Reply::empty(StatusCode::FOUND).header("location", location).tenant(cx.tenant_id()))
}

/// The tenant of the path, if it is the one whose host was called.
fn own<'w>(world: &'w World, cx: &Context<'_>) -> Result<&'w Tenant, Refusal> {
    world.tenants.get(cx.id()).filter(|tenant| tenant.id == cx.tenant_id()).ok_or_else(Refusal::no_tenant)
}

fn get(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let tenant = own(world, cx)?;
    Ok(Reply::json(StatusCode::OK, tenant.body(&cx.call.base())).tenant(&tenant.id))
}

fn patch(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let before = own(world, cx)?;
    let operations: Vec<Value> = cx.call.json()?;
    let mut tenant = before.clone();
    for (index, operation) in operations.iter().enumerate() {
        apply(world, &mut tenant, operation).map_err(|why| refuse(index, why))?;
    }
    let id = tenant.id.clone();
    let reply = Reply::empty(StatusCode::NO_CONTENT).tenant(&id);
    if tenant == *before {
        return Ok(reply);
    }
    tenant.last_updated = cx.now;
    world.replace_tenant(tenant);
    Ok(reply.effect("tenant.patched"))
}

/// Which part of an operation is wrong, and how.
type Wrong = (&'static str, &'static str);

fn apply(world: &World, tenant: &mut Tenant, operation: &Value) -> Result<(), Wrong> {
    if operation["op"] != "replace" {
        return Err(("op", "only replace is supported"));
    }
    let path = operation["path"].as_str().ok_or(("path", "a path is required"))?;
    let value = &operation["value"];
    let text = || value.as_str().ok_or(("value", "the value must be a string"));
    match path {
        "/name" => {
            let name = text()?;
            if name.trim().is_empty() {
                return Err(("value", "the name must not be empty"));
            }
            name.clone_into(&mut tenant.name);
        }
        "/hostnames/1" => {
            let alias = world.check_alias(tenant, text()?).map_err(|why| ("value", why))?;
            tenant.hostnames.truncate(1);
            tenant.hostnames.push(alias);
        }
        other => {
            let flag = tenant.flags.at(other).ok_or(("path", "this path cannot be patched"))?;
            *flag = value.as_bool().ok_or(("value", "the value must be a boolean"))?;
        }
    }
    Ok(())
}

/// The shape is documented, the codes are not.
fn refuse(index: usize, (part, why): Wrong) -> Refusal {
    Refusal::bad_request(why).at(format!("/{index}/{part}")).meta("invalid", why)
}
