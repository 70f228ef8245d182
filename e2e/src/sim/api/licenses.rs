//! The licence of a tenant, whose key lets a regional client create further ones.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{Access, Endpoint};
use crate::sim::call::{Context, Reply};
use crate::sim::clock::{iso, later};
use crate::sim::refusal::{ErrorStyle, Refusal};
use crate::sim::vhost::HostKind;
use crate::sim::world::World;

pub(super) static ENDPOINTS: &[Endpoint] = &[Endpoint {
    method: Method::GET,
    path: "/api/v1/licenses/overview",
    hosts: &[HostKind::Tenant],
    access: Access::AnyOf(&["admin_classic"]),
    style: ErrorStyle::Licenses,
    run: overview,
}];

fn overview(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let tenant = world.tenants.get(cx.tenant_id()).ok_or_else(Refusal::no_tenant)?;
    let license = world
        .licenses
        .get(&tenant.license_number)
        .ok_or_else(|| Refusal::plain(StatusCode::NOT_FOUND, "no licence"))?;
    let year = Duration::from_hours(24 * 365);
    let body = json!({
        "licenseKey": license.key,
        "licenseNumber": license.number,
        "secondaryNumber": "",
        "product": "Qlik Cloud Analytics",
        "origin": "External",
        "status": "Ok",
        "trial": false,
        "valid": format!("{}/{}", iso(tenant.created), iso(later(cx.now, year))),
        "allotments": [
            { "name": "professional", "units": 10, "unitsUsed": 0, "overage": 0, "usageClass": "" },
            { "name": "analyzer", "units": 100, "unitsUsed": 0, "overage": 0, "usageClass": "" },
        ],
        "parameters": [],
        "updated": iso(tenant.created),
        "version": "1",
    });
    Ok(Reply::json(StatusCode::OK, body).tenant(&tenant.id))
}
