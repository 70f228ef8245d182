//! The organization API: a read-only view of the tenants of all regions, purged ones included.

use std::cmp::Ordering;

use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Access, Endpoint};
use crate::sim::call::{Context, Reply};
use crate::sim::clock::iso;
use crate::sim::paging::links;
use crate::sim::refusal::{ErrorStyle, Refusal};
use crate::sim::region::by_code;
use crate::sim::scim::{Comparison, Filter, Operator};
use crate::sim::tenant::Tenant;
use crate::sim::vhost::HostKind;
use crate::sim::world::World;

const fn endpoint(
    method: Method,
    path: &'static str,
    run: fn(&mut World, &Context<'_>) -> Result<Reply, Refusal>,
) -> Endpoint {
    let access = Access::AnyOf(&["cloud-console.tenants:read"]);
    Endpoint { method, path, hosts: &[HostKind::Console], access, style: ErrorStyle::Text, run }
}

pub(super) static ENDPOINTS: &[Endpoint] = &[
    endpoint(Method::GET, "/api/core/tenants", list),
    endpoint(Method::GET, "/api/core/tenants/actions/count", count),
    endpoint(Method::POST, "/api/core/tenants/actions/filter", filter),
    endpoint(Method::GET, "/api/core/tenants/{tenantId}", get),
];

fn list(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let filter = parsed(world, cx.call.param("filter"))?;
    page(world, cx, filter.as_ref())
}

fn filter(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let body: Value = cx.call.json()?;
    let filter = parsed(world, body["filter"].as_str().map(str::to_owned))?;
    page(world, cx, filter.as_ref())
}

fn count(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let filter = parsed(world, cx.call.param("filter"))?;
    let total = world.listed(cx.now).filter(|tenant| selects(world, filter.as_ref(), tenant)).count();
    Ok(Reply::json(StatusCode::OK, json!({ "total": total })))
}

/// The reference's schema of this answer is a list although its text says one tenant; the schema is followed.
fn get(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let absent = || Refusal::plain(StatusCode::NOT_FOUND, "no such tenant");
    let tenant = world.listed_one(cx.id(), cx.now).ok_or_else(absent)?;
    let links = json!({ "self": { "href": format!("{}{}", cx.call.base(), cx.call.path) } });
    Ok(Reply::json(StatusCode::OK, json!({ "data": [view(world, cx, tenant)], "links": links })).tenant(&tenant.id))
}

fn view(world: &World, cx: &Context<'_>, tenant: &Tenant) -> Value {
    let region = by_code(&tenant.region);
    let mut view = json!({
        "id": tenant.id,
        "originalId": tenant.id,
        "name": tenant.name,
        "links": { "self": { "href": format!("{}/api/core/tenants/{}", cx.call.base(), tenant.id) } },
        "status": tenant.status.as_str(),
        "createdAt": iso(tenant.created),
        "createdBy": "",
        "hostnames": tenant.hostnames,
        "updatedAt": iso(tenant.last_updated),
        "regionCode": region.map(|region| region.datacenter),
        "countryCode": region.map(|region| region.country),
        "licenseNumber": tenant.license_number,
        "subscriptionId": subscription(world, tenant),
    });
    if let Some(purge) = tenant.purge_at {
        view["deletionStartsAt"] = json!(iso(purge));
    }
    view
}

fn subscription<'w>(world: &'w World, tenant: &Tenant) -> &'w str {
    world.licenses.get(&tenant.license_number).map_or("", |license| license.subscription.as_str())
}

/// Parses a filter and refuses what the API's page does not allow.
fn parsed(world: &World, text: Option<String>) -> Result<Option<Filter>, Refusal> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let filter = Filter::parse(&text)?;
    let comparisons = filter.comparisons();
    for comparison in &comparisons {
        check(comparison)?;
        let foreign = |value: &str| !world.licenses.values().any(|license| license.subscription == value);
        if is(comparison, "subscriptionId") && foreign(&comparison.value) {
            return Err(Refusal::forbidden("no access to this subscription"));
        }
    }
    let named = comparisons.iter().any(|comparison| is(comparison, "subscriptionId"));
    if world.options.filter_needs_subscription && !named {
        return Err(Refusal::bad_request("the filter must name subscriptionId"));
    }
    Ok(Some(filter))
}

fn is(comparison: &Comparison, attribute: &str) -> bool {
    comparison.attribute.eq_ignore_ascii_case(attribute)
}

fn check(comparison: &Comparison) -> Result<(), Refusal> {
    let equality = [Operator::Eq, Operator::Ne].contains(&comparison.operator);
    let allowed = match comparison.attribute.to_ascii_lowercase().as_str() {
        "subscriptionid" | "name" | "hostnames" | "id" | "originalid" => comparison.operator == Operator::Eq,
        "regioncode" | "status" => equality,
        // which operators these two take is not said
        "countrycode" => equality || comparison.operator == Operator::Co,
        "createdat" | "updatedat" => {
            comparison.operator != Operator::Co && comparison.value.parse::<Timestamp>().is_ok()
        }
        _ => false,
    };
    if allowed {
        return Ok(());
    }
    Err(Refusal::bad_request(format!("the filter cannot compare {} in this way", comparison.attribute)).at("/filter"))
}

fn selects(world: &World, filter: Option<&Filter>, tenant: &Tenant) -> bool {
    filter.is_none_or(|filter| filter.holds(&|comparison| compare(world, tenant, comparison)))
}

fn compare(world: &World, tenant: &Tenant, comparison: &Comparison) -> bool {
    let (operator, want) = (comparison.operator, comparison.value.as_str());
    let text = |have: &str| match operator {
        Operator::Co => have.to_ascii_lowercase().contains(&want.to_ascii_lowercase()),
        other => other.holds(&have.to_ascii_lowercase(), &want.to_ascii_lowercase()),
    };
    let time = |have: Timestamp| want.parse().is_ok_and(|want: Timestamp| operator.holds(&have, &want));
    let region = by_code(&tenant.region);
    match comparison.attribute.to_ascii_lowercase().as_str() {
        "id" | "originalid" => operator.holds(tenant.id.as_str(), want),
        "subscriptionid" => operator.holds(subscription(world, tenant), want),
        "name" => text(&tenant.name),
        "hostnames" => tenant.hostnames.iter().any(|hostname| text(hostname)),
        "status" => text(tenant.status.as_str()),
        "regioncode" => region.is_some_and(|region| text(region.datacenter)),
        "countrycode" => region.is_some_and(|region| text(region.country)),
        "createdat" => time(tenant.created),
        "updatedat" => time(tenant.last_updated),
        _ => false,
    }
}

/// Orders tenants by a `sort` parameter: a field, with `-` for descending. Creation, then id, by default and for ties.
fn ordering<'w>(world: &'w World, sort: &str) -> Result<impl Fn(&Tenant, &Tenant) -> Ordering + use<'w>, Refusal> {
    // a plus sign in a query reads as a space
    let (descending, field) = match sort.strip_prefix('-') {
        Some(field) => (true, field),
        None => (false, sort.trim_start_matches(['+', ' '])),
    };
    let key: fn(&World, &Tenant) -> String = match field {
        "" | "createdAt" => |_, tenant| iso(tenant.created),
        "name" => |_, tenant| tenant.name.to_lowercase(),
        "updatedAt" => |_, tenant| iso(tenant.last_updated),
        "hostnames" => |_, tenant| tenant.hostnames.join(","),
        "status" => |_, tenant| tenant.status.as_str().to_owned(),
        "regionCode" | "countryCode" => |_, tenant| tenant.datacenter.clone(),
        "subscriptionId" => |world, tenant| subscription(world, tenant).to_owned(),
        _ => return Err(Refusal::bad_request("this sort field is not known")),
    };
    Ok(move |a: &Tenant, b: &Tenant| {
        let order = key(world, a).cmp(&key(world, b));
        let order = if descending { order.reverse() } else { order };
        order.then_with(|| a.created.cmp(&b.created)).then_with(|| a.id.cmp(&b.id))
    })
}

fn limit(world: &World, cx: &Context<'_>) -> Result<usize, Refusal> {
    let asked = match cx.call.param("limit") {
        None => 20,
        Some(text) => match text.parse() {
            Ok(limit) if limit <= 100 => limit,
            Ok(_) | Err(_) => return Err(Refusal::bad_request("limit must be between 0 and 100")),
        },
    };
    Ok(asked.min(world.options.max_page.unwrap_or(usize::MAX)))
}

fn page(world: &World, cx: &Context<'_>, filter: Option<&Filter>) -> Result<Reply, Refusal> {
    let limit = limit(world, cx)?;
    let order = ordering(world, &cx.call.param("sort").unwrap_or_default())?;
    let mut all: Vec<&Tenant> = world.listed(cx.now).filter(|tenant| selects(world, filter, tenant)).collect();
    all.sort_by(|a, b| order(a, b));
    // a cursor names the tenant at the edge, so that tenants that come or go do not shift the pages
    let position = |cursor: &str| {
        let id = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|id| String::from_utf8(id).ok());
        let edge = id.and_then(|id| world.listed_one(&id, cx.now)).ok_or_else(|| Refusal::bad_request("bad cursor"))?;
        Ok(all.partition_point(|tenant| order(tenant, edge) == Ordering::Less))
    };
    let start = match (cx.call.param("next"), cx.call.param("prev")) {
        (Some(_), Some(_)) => return Err(Refusal::bad_request("next and prev exclude each other")),
        (Some(next), None) => position(&next)?,
        (None, Some(prev)) => position(&prev)?.saturating_sub(limit),
        (None, None) => 0,
    };
    let end = start.saturating_add(limit).min(all.len());
    let cursor = |index: usize| all.get(index).map(|tenant| URL_SAFE_NO_PAD.encode(&tenant.id));
    let next = cursor(end).filter(|_| limit > 0);
    let prev = cursor(start).filter(|_| start > 0);
    let data: Vec<Value> = all[start..end].iter().map(|tenant| view(world, cx, tenant)).collect();
    let mut body =
        json!({ "data": data, "links": links(&world.options, cx, &[("next", next, "next"), ("prev", prev, "prev")]) });
    if cx.call.param("totalResults").as_deref() == Some("true") {
        body["totalResults"] = json!(all.len());
    }
    Ok(Reply::json(StatusCode::OK, body))
}
