//! The admin listener: everything that `Running` offers, over HTTP.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::answer::date;
use super::config::Options;
use super::exchange::Shared;
use super::faults::FaultPlan;
use super::hands::{ByHand, Done};
use super::identity::BrowserTest;
use super::journal::Entry;
use super::portal::{ClientRequest, NewClient, PortalError, PortalPatch, PortalTenant};
use super::tenant::Tenant;

type World = State<Arc<Shared>>;
type Answer<T> = Result<Json<T>, (StatusCode, String)>;

/// Serves the admin listener for as long as the runtime lives.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let tenant = "/_sim/portal/tenants/{id}";
    let router = Router::new()
        .route("/_sim/clock", get(clock).post(advance))
        .route("/_sim/journal", get(journal).delete(clear_journal))
        .route("/_sim/faults", get(faults).post(add_faults).delete(clear_faults))
        .route("/_sim/options", get(options).post(set_options))
        .route("/_sim/clients", post(add_client))
        .route("/_sim/clients/{id}", delete(remove_client))
        .route("/_sim/tenants", get(tenants))
        .route("/_sim/portal/tenants", post(create))
        .route(tenant, post(patch).patch(patch))
        .route(&format!("{tenant}/deactivate"), post(deactivate))
        .route(&format!("{tenant}/reactivate"), post(reactivate))
        .route(&format!("{tenant}/bar"), post(bar))
        .route(&format!("{tenant}/purge"), post(purge))
        .route(&format!("{tenant}/bot"), post(disable_bots).delete(delete_bots))
        .route(&format!("{tenant}/by-hand"), post(by_hand))
        .route(&format!("{tenant}/identity-providers/{{provider}}/test"), post(browser_test))
        .layer(from_fn_with_state(Arc::clone(&shared), virtual_date))
        .with_state(shared);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the admin listener ended");
    }
}

async fn virtual_date(State(shared): World, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&date(shared.clock.now())) {
        response.headers_mut().insert(header::DATE, value);
    }
    response
}

fn told<T>(result: Result<T, PortalError>) -> Answer<T> {
    result.map(Json).map_err(|error| {
        let status = match error {
            PortalError::NoTenant | PortalError::NoClient | PortalError::NoProvider => StatusCode::NOT_FOUND,
            PortalError::ClientExists => StatusCode::CONFLICT,
            PortalError::NoRegion | PortalError::NoLicense | PortalError::Alias(_) => StatusCode::BAD_REQUEST,
        };
        (status, error.to_string())
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Advance {
    advance_seconds: u64,
}

fn time(shared: &Shared) -> Json<Value> {
    Json(json!({ "now": shared.clock.now(), "offsetSeconds": shared.clock.offset().as_secs() }))
}

async fn clock(State(shared): World) -> Json<Value> {
    time(&shared)
}

async fn advance(State(shared): World, Json(by): Json<Advance>) -> Json<Value> {
    shared.clock.advance(Duration::from_secs(by.advance_seconds));
    drop(shared.world());
    time(&shared)
}

async fn journal(State(shared): World) -> Json<Vec<Entry>> {
    Json(shared.world().0.journal.entries())
}

async fn clear_journal(State(shared): World) -> StatusCode {
    shared.world().0.journal.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Value>),
    One(Value),
}

async fn faults(State(shared): World) -> impl IntoResponse {
    let (world, now) = shared.world();
    Json(world.faults.remaining(now))
}

async fn add_faults(State(shared): World, Json(plans): Json<OneOrMany>) -> Result<StatusCode, (StatusCode, String)> {
    let plans = match plans {
        OneOrMany::Many(plans) => plans,
        OneOrMany::One(plan) => vec![plan],
    };
    // all of them or none; parsed one by one for a message that says what is wrong
    let plans: Result<Vec<FaultPlan>, _> = plans.into_iter().map(serde_json::from_value).collect();
    let plans = plans.map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    let (mut world, _) = shared.world();
    for plan in plans {
        world.faults.add(plan);
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_faults(State(shared): World) -> StatusCode {
    shared.world().0.faults.clear();
    StatusCode::NO_CONTENT
}

async fn options(State(shared): World) -> Json<Options> {
    Json(shared.world().0.options.clone())
}

/// Changes the options that the body names and leaves the others.
async fn set_options(State(shared): World, Json(changes): Json<Value>) -> Answer<Options> {
    let bad = |error: serde_json::Error| (StatusCode::BAD_REQUEST, error.to_string());
    let (mut world, _) = shared.world();
    let mut merged = serde_json::to_value(&world.options).map_err(bad)?;
    match (&mut merged, changes) {
        (Value::Object(merged), Value::Object(changes)) => merged.extend(changes),
        _ => return Err((StatusCode::BAD_REQUEST, "an object is expected".to_owned())),
    }
    let options: Options = serde_json::from_value(merged).map_err(bad)?;
    options.check().map_err(|error| (StatusCode::BAD_REQUEST, error))?;
    world.options = options;
    Ok(Json(world.options.clone()))
}

async fn add_client(State(shared): World, Json(request): Json<ClientRequest>) -> Answer<NewClient> {
    told(shared.world().0.portal_client(request))
}

async fn remove_client(State(shared): World, Path(id): Path<String>) -> Answer<()> {
    told(shared.world().0.portal_remove_client(&id))
}

async fn tenants(State(shared): World) -> Json<Vec<Tenant>> {
    Json(shared.world().0.by_creation())
}

async fn create(State(shared): World, Json(wanted): Json<PortalTenant>) -> Answer<Tenant> {
    let (mut world, now) = shared.world();
    told(world.portal_create(wanted, now))
}

async fn patch(State(shared): World, Path(id): Path<String>, Json(patch): Json<PortalPatch>) -> Answer<Tenant> {
    let (mut world, now) = shared.world();
    told(world.portal_patch(&id, patch, now))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    days: u32,
}

async fn deactivate(State(shared): World, Path(id): Path<String>, Json(window): Json<Window>) -> Answer<Tenant> {
    let (mut world, now) = shared.world();
    told(world.portal_change(&id, |tenant| tenant.deactivate(window.days, now)))
}

async fn reactivate(State(shared): World, Path(id): Path<String>) -> Answer<Tenant> {
    let (mut world, now) = shared.world();
    told(world.portal_change(&id, |tenant| tenant.reactivate(now)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bar {
    barred: bool,
}

async fn bar(State(shared): World, Path(id): Path<String>, Json(bar): Json<Bar>) -> Answer<Tenant> {
    told(shared.world().0.portal_change(&id, |tenant| tenant.barred = bar.barred))
}

async fn purge(State(shared): World, Path(id): Path<String>) -> Answer<Tenant> {
    let (mut world, now) = shared.world();
    told(world.portal_purge(&id, now))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Disabled {
    disabled: bool,
}

async fn disable_bots(State(shared): World, Path(id): Path<String>, Json(bots): Json<Disabled>) -> Answer<Tenant> {
    told(shared.world().0.portal_change(&id, |tenant| tenant.disable_bots(bots.disabled)))
}

async fn delete_bots(State(shared): World, Path(id): Path<String>) -> Answer<Tenant> {
    told(shared.world().0.portal_change(&id, Tenant::delete_bots))
}

async fn by_hand(State(shared): World, Path(id): Path<String>, Json(wanted): Json<ByHand>) -> Answer<Done> {
    let (mut world, now) = shared.world();
    told(world.by_hand(&id, &wanted, now))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tested {
    status: BrowserTest,
}

async fn browser_test(
    State(shared): World,
    Path((tenant, provider)): Path<(String, String)>,
    Json(tested): Json<Tested>,
) -> Answer<()> {
    let (mut world, now) = shared.world();
    told(world.browser_test((&tenant, &provider), tested.status, now))
}
