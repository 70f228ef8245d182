//! Tokens that were issued: listed, and taken back.

use axum::http::{Method, StatusCode};

use super::Endpoint;
use super::clients::{ADMIN, USER, actor, endpoint};
use crate::sim::call::{Context, Reply};
use crate::sim::paging::{Cursors, List};
use crate::sim::refusal::Refusal;
use crate::sim::tokens::Issued;
use crate::sim::world::World;

pub(super) static ENDPOINTS: &[Endpoint] = &[
    endpoint(Method::GET, "/api/v1/oauth-tokens", USER, list),
    endpoint(Method::DELETE, "/api/v1/oauth-tokens/{tokenId}", USER, delete),
];

/// Users see and revoke their own tokens, administrators everybody's.
fn visible(cx: &Context<'_>, token: &Issued) -> bool {
    let super::Access::AnyOf(admin) = ADMIN else { return false };
    let scopes = cx.caller.as_ref().map_or(&[][..], |caller| &caller.scopes);
    token.user == actor(cx) || scopes.iter().any(|scope| admin.contains(&scope.as_str()))
}

fn list(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    if !matches!(cx.call.param("sort").as_deref(), None | Some("userId")) {
        return Err(Refusal::bad_request("the only sort is userId"));
    }
    let user = cx.call.param("userId");
    let all = world.tokens.of(cx.tenant_id(), cx.now).map(|(_, token)| token);
    let wanted = all.filter(|token| visible(cx, token) && user.as_ref().is_none_or(|user| token.user == *user));
    let rows = wanted.map(|token| (format!("{} {}", token.user, token.id), token)).collect();
    let list = List { rows, descending: false, cursors: Cursors { next: "page", prev: "page" }, salt: None };
    Ok(Reply::json(StatusCode::OK, list.page(&world.options, cx, Issued::view)?))
}

fn delete(world: &mut World, cx: &Context<'_>) -> Result<Reply, Refusal> {
    let mut all = world.tokens.of(cx.tenant_id(), cx.now);
    let found = all.find(|(_, token)| token.id == cx.id() && visible(cx, token)).map(|(jti, _)| jti.clone());
    drop(all);
    let jti = found.ok_or_else(|| Refusal::plain(StatusCode::NOT_FOUND, "no such token"))?;
    world.tokens.revoke(&jti);
    Ok(Reply::empty(StatusCode::NO_CONTENT).effect("token.revoked"))
}
