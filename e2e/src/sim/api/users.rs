//! The part of the users API that clients need: who they are, and whom they act for.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Access, Endpoint};
use crate::sim::call::{Call, Context, Reply};
use crate::sim::check::Fields;
use crate::sim::clock::iso;
use crate::sim::ids::derived;
use crate::sim::paging::{List, NEXT_PREV};
use crate::sim::refusal::{ErrorStyle, Refusal};
use crate::sim::scim::{Comparison, Filter, Operator};
use crate::sim::tenant::{TENANT_ADMIN, Tenant, User};
use crate::sim::vhost::HostKind;
use crate::sim::world::World;

/// The default roles, by their API names.
const ROLES: &[&str] = &[
    TENANT_ADMIN,
    "AnalyticsAdmin",
    "DataAdmin",
    "AuditAdmin",
    "AutomationCreator",
    "AutomlDeploymentContributor",
    "AutomlExperimentContributor",
    "CollaborationPlatformUser",
    "DataProductManager",
    "DataServicesContributor",
    "DataSpaceCreator",
    "EmbeddedAnalyticsUser",
    "ManagedSpaceCreator",
    "PrivateAnalyticsContentCreator",
    "SharedSpaceCreator",
    "Steward",
];
const READ: Access = Access::AnyOf(&["admin_classic", "user_default", "admin.users", "admin.users:read"]);
const WRITE: Access = Access::AnyOf(&["admin_classic", "admin.users"]);

const fn endpoint(
    method: Method,
    path: &'static str,
    access: Access,
    run: fn(&mut World, &Context<'_>) -> Result<Reply, Refusal>,
) -> Endpoint {
    Endpoint { method, path, hosts: &[HostKind::Tenant], access, style: ErrorStyle::Number, run }
}

pub(super) static ENDPOINTS: &[Endpoint] = &[
    endpoint(Method::GET, "/api/v1/users", READ, list),
    endpoint(Method::POST, "/api/v1/users", WRITE, create),
    endpoint(Method::GET, "/api/v1/users/me", READ, me),
    endpoint(Method::GET, "/api/v1/users/{userId}", READ, get),
];

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
    Ok(Reply::json(StatusCode::OK, view(cx.call, &tenant.id, user)).tenant(&tenant.id))
}

fn status(user: &User) -> &'static str {
    match (user.disabled, user.invited) {
        (true, _) => "disabled",
        (false, true) => "invited",
        (false, false) => "active",
    }
}

fn view(call: &Call, tenant: &str, user: &User) -> Value {
    let role = |name: &String| {
        let level = if name.ends_with("Admin") { "admin" } else { "user" };
        json!({ "id": role_id(tenant, name), "name": name, "type": "default", "level": level })
    };
    let mut view = json!({
        "id": user.id,
        "tenantId": tenant,
        "subject": user.subject,
        "name": user.name,
        "email": user.email,
        "status": status(user),
        "assignedRoles": user.roles.iter().map(role).collect::<Value>(),
        "assignedGroups": [],
        "createdAt": iso(user.created),
        "lastUpdatedAt": iso(user.created),
        "links": { "self": { "href": format!("{}/api/v1/users/{}", call.base(), user.id) } },
    });
    if user.is_bot() {
        view["clientId"] = json!(user.client_id);
    }
    view
}

/// The ids of built-in roles differ between tenants.
fn role_id(tenant: &str, name: &str) -> String {
    derived(&format!("{tenant} {name}"), 24)
}

fn list(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let tenant = world.tenants.get(cx.tenant_id()).ok_or_else(Refusal::no_tenant)?;
    let filter = cx.call.param("filter").filter(|text| !text.trim().is_empty());
    let filter = filter.map(|text| Filter::parse(&text)).transpose()?;
    for comparison in filter.iter().flat_map(Filter::comparisons) {
        if attribute(&tenant.id, &comparison.attribute).is_none() {
            return Err(Refusal::bad_request(format!("the filter cannot compare {}", comparison.attribute)));
        }
    }
    let sort = cx.call.param("sort").unwrap_or_default();
    let (descending, field) = match sort.strip_prefix('-') {
        Some(field) => (true, field),
        // a plus sign that was not escaped arrives as a space
        None => (false, sort.trim_start_matches(['+', ' '])),
    };
    let field = if field.is_empty() { "name" } else { field.trim_start_matches('_') };
    let key = attribute(&tenant.id, field).ok_or_else(|| Refusal::bad_request("this sort field is not known"))?;
    let wanted = tenant.users.iter().filter(|user| {
        filter.as_ref().is_none_or(|filter| filter.holds(&|comparison| compare(&tenant.id, user, comparison)))
    });
    let rows = wanted.map(|user| (format!("{}\u{1}{}", key(user), user.id), user)).collect();
    let list = List { rows, descending, cursors: NEXT_PREV, salt: None };
    let body = list.page(&world.options, cx, |user| view(cx.call, &tenant.id, user))?;
    Ok(Reply::json(StatusCode::OK, body))
}

type Attribute<'a> = Box<dyn Fn(&User) -> String + 'a>;

fn attribute<'a>(tenant: &'a str, name: &str) -> Option<Attribute<'a>> {
    Some(match name.to_ascii_lowercase().as_str() {
        "id" => Box::new(|user| user.id.clone()),
        "name" => Box::new(|user| user.name.to_lowercase()),
        "subject" => Box::new(|user| user.subject.clone()),
        "email" => Box::new(|user| user.email.clone()),
        "status" => Box::new(|user| status(user).to_owned()),
        "clientid" => Box::new(|user| user.client_id.clone()),
        "createdat" => Box::new(|user| iso(user.created)),
        "tenantid" => Box::new(move |_| tenant.to_owned()),
        _ => return None,
    })
}

/// Filters of users do not look at case.
fn compare(tenant: &str, user: &User, comparison: &Comparison) -> bool {
    let Some(attribute) = attribute(tenant, &comparison.attribute) else { return false };
    let (have, want) = (attribute(user).to_lowercase(), comparison.value.to_lowercase());
    match comparison.operator {
        Operator::Co => have.contains(&want),
        other => other.holds(&have, &want),
    }
}

fn create(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let body: Value = cx.call.json()?;
    let fields = Fields::of(&body, "")?;
    let id = world.ids.object();
    let tenant = world.tenants.get_mut(cx.tenant_id()).ok_or_else(Refusal::no_tenant)?;
    if fields.get("tenantId").is_some_and(|own| *own != tenant.id) {
        return Err(Refusal::forbidden("tenantId is not the tenant of the token"));
    }
    let subject = fields.required("subject", usize::MAX)?;
    let user = User {
        id,
        client_id: String::new(),
        subject: subject.to_owned(),
        name: fields.text("name", usize::MAX)?.unwrap_or(subject).to_owned(),
        email: fields.text("email", usize::MAX)?.unwrap_or_default().to_owned(),
        roles: roles(&tenant.id, &fields)?,
        // the schema knows invited alone, Qlik's tutorial sends active
        invited: fields.one_of("status", &["invited", "active"])? == Some("invited"),
        disabled: false,
        created: cx.now,
    };
    if let Some(why) = taken(tenant, &user) {
        return Err(Refusal::plain(StatusCode::CONFLICT, why));
    }
    let view = view(cx.call, &tenant.id, &user);
    tenant.users.push(user);
    Ok(Reply::json(StatusCode::CREATED, view).effect("user.created"))
}

/// Subjects are unique, and so are emails.
fn taken(tenant: &Tenant, user: &User) -> Option<&'static str> {
    let email = |other: &User| !user.email.is_empty() && other.email.eq_ignore_ascii_case(&user.email);
    if tenant.users.iter().any(|other| other.subject == user.subject) {
        return Some("a user has this subject already");
    }
    tenant.users.iter().any(email).then_some("a user has this email already")
}

fn roles(tenant: &str, fields: &Fields<'_>) -> Result<Vec<String>, Refusal> {
    let mut names = Vec::new();
    for role in fields.objects("assignedRoles")?.unwrap_or_default() {
        let meant = |name: &&&str| {
            role.get("name").is_some_and(|want| want == **name)
                || role.get("id").is_some_and(|id| *id == role_id(tenant, name))
        };
        let name = ROLES.iter().find(meant).ok_or_else(|| role.refuse("name", "no such role"))?;
        names.push((*name).to_owned());
    }
    Ok(names)
}
