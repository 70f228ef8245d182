//! The APIs: one file each, with a table of endpoints. What is common to all of them happens here, in the order in
//! which Qlik's layers stand in front of each other: host, tenant status, endpoint, token, rate limit, scope.

mod clients;
mod connections;
mod grants;
mod identity;
mod licenses;
mod login;
mod oauth;
mod oauth_tokens;
mod organization;
mod register;
mod tenants;
mod users;

use std::time::Duration;

use axum::http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::call::{Call, Caller, Context, Reply};
use super::clock::later;
use super::config::{DisabledCode, Options, PurgedHost, UnknownHost};
use super::rates::{Account, Tier};
use super::refusal::{ErrorStyle, Refusal};
use super::shape::shaped;
use super::tenant::{Status, User};
use super::vhost::{HostKind, VirtualHost};
use super::world::World;

/// Who acts by hand: an administrator who is none of the users that the simulator keeps.
pub(crate) const PERSON: &str = "000000000000000000000000";

/// Who may call an endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access {
    /// Anyone.
    Open,
    /// The bearer of a token of this host with one of these scopes.
    AnyOf(&'static [&'static str]),
}

/// One operation of an API.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    /// Path; a part in braces stands for any one segment.
    pub(crate) path: &'static str,
    pub(crate) hosts: &'static [HostKind],
    pub(crate) access: Access,
    pub(crate) style: ErrorStyle,
    pub(crate) run: fn(&mut World, &Context<'_>) -> Result<Reply, Refusal>,
}

impl Endpoint {
    /// Reads are Tier 1 and everything else Tier 2; endpoints of special rates are not among those here.
    fn tier(&self) -> Tier {
        if self.method == Method::GET { Tier::One } else { Tier::Two }
    }
}

/// In order of precedence: `/me` stands before `/{id}` inside each table.
static TABLES: [&[Endpoint]; 11] = [
    oauth::ENDPOINTS,
    tenants::ENDPOINTS,
    register::ENDPOINTS,
    users::ENDPOINTS,
    licenses::ENDPOINTS,
    identity::ENDPOINTS,
    clients::ENDPOINTS,
    connections::ENDPOINTS,
    oauth_tokens::ENDPOINTS,
    login::ENDPOINTS,
    organization::ENDPOINTS,
];

/// Every operation of every API.
#[cfg(test)]
pub(crate) fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    TABLES.iter().copied().flatten()
}

/// What became of a request.
pub(crate) struct Handled {
    pub(crate) answer: Result<Reply, Refusal>,
    pub(crate) style: ErrorStyle,
    pub(crate) caller: Option<String>,
    /// The host is gone: close the connection instead of answering.
    pub(crate) gone: bool,
}

/// Carries a request out.
pub(crate) fn handle(world: &mut World, call: &Call, host: &VirtualHost, now: Timestamp) -> Handled {
    let refused = |refusal, style| Handled { answer: Err(refusal), style, caller: None, gone: false };
    if call.too_large {
        let refusal = Refusal::plain(StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large");
        return refused(refusal, ErrorStyle::Text);
    }
    if let Err(away) = at_home(world, host, now) {
        return match away {
            Away::Refused(refusal) => refused(refusal, ErrorStyle::Text),
            Away::Gone => Handled { gone: true, ..refused(Refusal::no_tenant(), ErrorStyle::Text) },
        };
    }
    let (endpoint, params) = match find(call, host.kind()) {
        Ok(found) => found,
        Err(refusal) => return refused(refusal, ErrorStyle::Text),
    };
    let caller = match authenticate(world, call, host, now) {
        Ok(caller) => Some(caller),
        Err(refusal) if matches!(endpoint.access, Access::AnyOf(_)) => return refused(refusal, endpoint.style),
        Err(_) => None,
    };
    let cx = Context { call, host, now, caller, params };
    let answer = admit(world, endpoint, &cx).and_then(|()| (endpoint.run)(world, &cx));
    let answer = answer.map(|reply| shaped(&world.options, endpoint, reply));
    let proven = answer.as_ref().ok().and_then(|reply| reply.client_id.clone());
    let caller = proven.or_else(|| cx.caller.map(|caller| caller.client_id)).filter(|id| !id.is_empty());
    Handled { answer, style: endpoint.style, caller, gone: false }
}

/// Carries out what a person does in the portal: the same effect without what stands in front of the APIs.
pub(crate) fn by_hand(world: &mut World, call: &Call, tenant: &str, now: Timestamp) -> (StatusCode, Value) {
    let host = VirtualHost::Tenant(tenant.to_owned());
    let (answer, style) = match find(call, host.kind()) {
        Ok((endpoint, params)) => {
            let scopes = vec!["admin_classic".to_owned(), "user_default".to_owned()];
            let caller = Caller { client_id: String::new(), subject: PERSON.to_owned(), scopes, token: String::new() };
            let cx = Context { call, host: &host, now, caller: Some(caller), params };
            ((endpoint.run)(world, &cx), endpoint.style)
        }
        Err(refusal) => (Err(refusal), ErrorStyle::Text),
    };
    match answer {
        Ok(reply) => (reply.status, reply.body.unwrap_or_default()),
        Err(refusal) => (refusal.status, refusal.envelope(style, "")),
    }
}

/// What a host does where nobody is home.
enum Away {
    Refused(Refusal),
    /// It closes the connection.
    Gone,
}

/// Whether anybody is home: not on hosts that nobody has and of tenants that are not active.
fn at_home(world: &World, host: &VirtualHost, now: Timestamp) -> Result<(), Away> {
    let id = match host {
        VirtualHost::Register(_) | VirtualHost::Console => return Ok(()),
        // what a name answers that no tenant has is undocumented: the same as a purged tenant's by default
        VirtualHost::Unknown => return Err(unknown(world.options.unknown_host)),
        VirtualHost::Tenant(id) => id,
    };
    let tenant = world.tenants.get(id).ok_or_else(|| Away::Refused(Refusal::no_tenant()))?;
    match tenant.status {
        Status::Deleted => return Err(purged(&world.options)),
        Status::Disabled => return Err(Away::Refused(disabled(world.options.disabled_code))),
        Status::Active => {}
    }
    match world.options.new_host {
        Some(spell) if now < later(tenant.created, Duration::from_secs(spell.seconds.into())) => {
            let status = StatusCode::from_u16(spell.status).unwrap_or(StatusCode::NOT_FOUND);
            Err(Away::Refused(Refusal::plain(status, "the host of this tenant is not ready")))
        }
        Some(_) | None => Ok(()),
    }
}

fn unknown(host: UnknownHost) -> Away {
    match host {
        UnknownHost::NotFound => Away::Refused(Refusal::no_tenant().detail("no such host")),
        UnknownHost::BareNotFound => Away::Refused(Refusal::bare_not_found()),
        UnknownHost::Drop => Away::Gone,
    }
}

fn purged(options: &Options) -> Away {
    match options.purged_host {
        PurgedHost::NotFound => Away::Refused(Refusal::no_tenant()),
        PurgedHost::BareNotFound => Away::Refused(Refusal::bare_not_found()),
        PurgedHost::StillDisabled => Away::Refused(disabled(options.disabled_code)),
        PurgedHost::Drop => Away::Gone,
    }
}

fn disabled(code: DisabledCode) -> Refusal {
    let code = match code {
        DisabledCode::TenantDisabled => "TENANT_DISABLED",
        DisabledCode::TenantDeactivated => "TENANT_DEACTIVATED",
    };
    let title = "Tenant has been deactivated. Contact your administrator for more details.";
    Refusal::coded(StatusCode::UNAUTHORIZED, code, title)
}

fn find(call: &Call, kind: HostKind) -> Result<(&'static Endpoint, Vec<String>), Refusal> {
    let mut allowed = Vec::new();
    for endpoint in TABLES.iter().copied().flatten().filter(|endpoint| endpoint.hosts.contains(&kind)) {
        if let Some(params) = matched(endpoint.path, &call.path) {
            if endpoint.method == call.method {
                return Ok((endpoint, params));
            }
            allowed.push(endpoint.method.as_str());
        }
    }
    if !allowed.is_empty() {
        let mut refusal = Refusal::plain(StatusCode::METHOD_NOT_ALLOWED, "the method is not allowed here");
        refusal.more.allow = Some(allowed.join(", "));
        return Err(refusal);
    }
    // documented: the tenants API answers TENANTS-8 wherever one of its operations is not to be had
    if call.path.starts_with("/api/v1/tenants") {
        return Err(Refusal::no_tenant());
    }
    Err(Refusal::plain(StatusCode::NOT_FOUND, "no such resource"))
}

/// The variable parts of `path` if it has the form of `pattern`.
fn matched(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut params = Vec::new();
    let (mut wanted, mut had) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), had.next()) {
            (None, None) => return Some(params),
            (Some(want), Some(have)) if want.starts_with('{') && !have.is_empty() => params.push(have.to_owned()),
            (Some(want), Some(have)) if want == have => {}
            _ => return None,
        }
    }
}

/// The bearer of a token that this very host issued and that has not expired, or somebody with a session.
pub(crate) fn authenticate(world: &World, call: &Call, host: &VirtualHost, now: Timestamp) -> Result<Caller, Refusal> {
    let refused = || Refusal::unauthorized("the access token is missing, expired or not valid for this host");
    let Some(token) = login::bearer(call) else {
        return in_session(world, call, host, now).unwrap_or_else(|| Err(refused()));
    };
    let claims = world.keys.open(token).ok_or_else(refused)?;
    // Two names of one tenant count as two hosts: the strictest reading of "tokens do not cross hosts"
    let own = claims.iss == format!("https://{}", call.host) && claims.aud == claims.iss;
    if !own || claims.exp <= now.as_second() || world.tokens.revoked(&claims.jti) {
        return Err(refused());
    }
    let mut scopes: Vec<String> = claims.scope.split_whitespace().map(str::to_owned).collect();
    if let VirtualHost::Tenant(id) = host {
        let user = user(world, id, &claims.sub).ok_or_else(refused)??;
        // scopes only narrow: nobody becomes an administrator by them
        scopes.retain(|scope| user.is_admin() || !scope.starts_with("admin"));
    }
    Ok(Caller { client_id: claims.client_id, subject: claims.sub, scopes, token: claims.jti })
}

/// A user of a tenant who may act.
fn user<'w>(world: &'w World, tenant: &str, id: &str) -> Option<Result<&'w User, Refusal>> {
    let user = world.tenants.get(tenant)?.users.iter().find(|user| user.id == id)?;
    Some(if user.disabled { Err(Refusal::unauthorized("the user is disabled")) } else { Ok(user) })
}

/// Whoever the cookies of a browser speak for. Writes need the session's token too.
fn in_session(world: &World, call: &Call, host: &VirtualHost, now: Timestamp) -> Option<Result<Caller, Refusal>> {
    let VirtualHost::Tenant(tenant) = host else { return None };
    let session = login::session(world, call).filter(|session| now < session.expires)?;
    let user = match user(world, tenant, &session.user)? {
        Ok(user) => user,
        Err(refusal) => return Some(Err(refusal)),
    };
    if call.method != Method::GET && call.header("qlik-csrf-token") != Some(&session.csrf) {
        return Some(Err(Refusal::coded(StatusCode::FORBIDDEN, "CSRF-TOKEN-2", "CSRF token is missing or not valid")));
    }
    let mut scopes = vec!["user_default".to_owned()];
    if user.is_admin() {
        scopes.push("admin_classic".to_owned());
    }
    Some(Ok(Caller { client_id: String::new(), subject: user.id.clone(), scopes, token: String::new() }))
}

fn admit(world: &mut World, endpoint: &Endpoint, cx: &Context<'_>) -> Result<(), Refusal> {
    let (Access::AnyOf(scopes), Some(caller)) = (endpoint.access, &cx.caller) else { return Ok(()) };
    charge(world, endpoint.tier(), &caller.subject, cx)?;
    world.tokens.touch(&caller.token, cx.now);
    if caller.scopes.iter().any(|scope| scopes.contains(&scope.as_str())) {
        return Ok(());
    }
    Err(Refusal::forbidden(format!("one of these scopes is needed: {}", scopes.join(", "))))
}

/// Charges the user's budget for a tier.
fn charge(world: &mut World, tier: Tier, user: &str, cx: &Context<'_>) -> Result<(), Refusal> {
    let tenant = match cx.host {
        VirtualHost::Tenant(id) => id.clone(),
        VirtualHost::Register(_) | VirtualHost::Console | VirtualHost::Unknown => cx.call.host.clone(),
    };
    let account = Account { tier, user: user.to_owned(), tenant };
    world.rates.charge(account, cx.now, world.options.rate_scale).map_err(Refusal::too_many)
}

#[cfg(test)]
mod tests {
    use super::matched;

    #[test]
    fn patterns_bind_whole_segments() {
        assert_eq!(matched("/api/v1/tenants/{id}", "/api/v1/tenants/x"), Some(vec!["x".to_owned()]));
        assert_eq!(matched("/api/v1/tenants/{id}", "/api/v1/tenants/"), None);
        assert_eq!(matched("/api/v1/tenants/{id}", "/api/v1/tenants/x/y"), None);
        assert_eq!(matched("/api/v1/tenants", "/api/v1/tenants"), Some(vec![]));
    }
}
