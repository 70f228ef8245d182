//! The part of the users API that a client needs to learn who it is.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{Access, Endpoint};
use crate::sim::call::{Context, Reply};
use crate::sim::clock::iso;
use crate::sim::refusal::{ErrorStyle, Refusal};
use crate::sim::vhost::HostKind;
use crate::sim::world::World;

const fn endpoint(path: &'static str, run: fn(&mut World, &Context<'_>) -> Result<Reply, Refusal>) -> Endpoint {
    let access = Access::AnyOf(&["admin_classic", "user_default", "admin.users", "admin.users:read"]);
    let hosts = &[HostKind::Tenant];
    Endpoint { method: Method::GET, path, hosts, access, style: ErrorStyle::Number, run }
}

pub(super) static ENDPOINTS: &[Endpoint] = &[endpoint("/api/v1/users/me", me), endpoint("/api/v1/users/{userId}", get)];

#[expect(clippy::unnecessary_wraps, reason = "every endpoint has this type")]
fn me(_: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let own = cx.caller.as_ref().map_or("", |caller| caller.subject.as_str());
    Ok(Reply::empty(StatusCode::MOVED_PERMANENTLY)
        .header("location", format!("/api/v1/users/{own}"))
        .tenant(cx.tenant_id()))
}

fn get(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let tenant = world.tenants.get(cx.tenant_id()).ok_or_else(Refusal::no_tenant)?;
    let user = tenant
        .users
        .iter()
        .find(|user| user.id == cx.id())
        .ok_or_else(|| Refusal::plain(StatusCode::NOT_FOUND, "no such user"))?;
    let body = json!({
        "id": user.id,
        "tenantId": tenant.id,
        "clientId": user.client_id,
        "subject": user.subject,
        "name": user.name,
        "email": "",
        "status": if user.disabled { "disabled" } else { "active" },
        // the id of the built-in role is made from the tenant's: 24 characters that differ between tenants
        "assignedRoles": [{
            "id": tenant.id.chars().take(24).collect::<String>(),
            "name": "TenantAdmin", "type": "default", "level": "admin",
        }],
        "assignedGroups": [],
        "createdAt": iso(user.created),
        "lastUpdatedAt": iso(user.created),
        "links": { "self": { "href": format!("{}/api/v1/users/{}", cx.call.base(), user.id) } },
    });
    Ok(Reply::json(StatusCode::OK, body).tenant(&tenant.id))
}
