//! One request from its arrival to its answer: read, decide under the lock, journal, then deliver.

use std::convert::Infallible;
use std::future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, Response, header};
use jiff::Timestamp;
use tokio::sync::Notify;

use super::answer::{Answer, Delivery, pause};
use super::api::{self, Handled};
use super::call::Call;
use super::clock::Clock;
use super::config::{After, AfterRequest};
use super::faults::Subject;
use super::journal::{Entry, redacted};
use super::vhost::{VirtualHost, host_of};
use super::world::World;

/// Far above any request of these APIs.
const MAX_BODY: usize = 1 << 20;

/// What all listeners share.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    world: Mutex<World>,
    hook: Option<AfterRequest>,
}

/// A decided request.
struct Decision {
    answer: Answer,
    entry: Entry,
    now: Timestamp,
}

impl Shared {
    pub(crate) fn new(world: World, hook: Option<AfterRequest>) -> Self {
        Self { clock: Clock::default(), world: Mutex::new(world), hook }
    }

    /// The world as it is now: whatever was due has happened.
    pub(crate) fn world(&self) -> (MutexGuard<'_, World>, Timestamp) {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        world.purge_due(now);
        (world, now)
    }

    fn decide(&self, call: &Call) -> Decision {
        let (mut world, now) = self.world();
        let world = &mut *world;
        let host = VirtualHost::resolve(world, &call.host);
        let trace = world.ids.trace();
        let subject =
            Subject { kind: host.kind().name(), host: &call.host, method: call.method.as_str(), path: &call.path };
        let fault = world.faults.select(&subject, now);
        let handled = fault.as_ref().is_none_or(|fault| fault.commit).then(|| api::handle(world, call, &host, now));
        let (mut answer, mut entry) = note(world, call, (&host, now), handled, &trace);
        if let Some(fault) = &fault {
            answer.spoil(&fault.effect, &trace);
            entry.fault = Some(fault.effect.name().to_owned());
        }
        let unsent = matches!(answer.delivery, Delivery::Drop | Delivery::Hang);
        entry.status = Some(answer.status.as_u16()).filter(|_| !unsent);
        world.journal.record(entry.clone());
        Decision { answer, entry, now }
    }
}

/// Turns what the APIs did, if they were asked, into an answer and a journal entry.
fn note(
    world: &mut World,
    call: &Call,
    (host, now): (&VirtualHost, Timestamp),
    handled: Option<Handled>,
    trace: &str,
) -> (Answer, Entry) {
    let mut entry = Entry {
        seq: world.journal.number(),
        time: now,
        host: call.host.clone(),
        method: call.method.to_string(),
        path: call.target(),
        status: None,
        caller: None,
        committed: false,
        effect: None,
        tenant_id: match host {
            VirtualHost::Tenant(id) => Some(id.clone()),
            VirtualHost::Register(_) | VirtualHost::Console | VirtualHost::Unknown => None,
        },
        fault: None,
        trace_id: trace.to_owned(),
        body: (call.method == Method::PATCH).then(|| serde_json::from_slice(&call.body).ok()).flatten().map(redacted),
    };
    let Some(handled) = handled else {
        entry.caller = api::authenticate(world, call, host, now).ok().map(|caller| caller.client_id);
        return (Answer::none(), entry);
    };
    entry.caller = handled.caller;
    let mut answer = match &handled.answer {
        Ok(reply) => {
            entry.committed = reply.effect.is_some();
            entry.effect = reply.effect.map(str::to_owned);
            entry.tenant_id = reply.tenant_id.clone().or(entry.tenant_id);
            Answer::reply(reply)
        }
        Err(refusal) => Answer::refusal(refusal, handled.style, trace),
    };
    if entry.effect.as_deref() == Some("tenant.created") {
        answer.wait = Duration::from_millis(world.options.create_delay_ms);
    }
    if handled.gone {
        answer.delivery = Delivery::Drop;
    }
    (answer, entry)
}

/// Serves one request. `kill` closes the connection it came on.
pub(crate) async fn exchange(
    shared: Arc<Shared>,
    scheme: &'static str,
    kill: Arc<Notify>,
    request: Request<Body>,
) -> Result<Response<Body>, Infallible> {
    let call = read(scheme, request).await;
    let Decision { answer, entry, now } = shared.decide(&call);
    tracing::debug!(seq = entry.seq, host = %entry.host, method = %entry.method, path = %entry.path,
        status = entry.status, effect = entry.effect.as_deref(), fault = entry.fault.as_deref(), "request");
    let after = shared.hook.as_ref().map_or(After::Answer, |hook| hook(&entry));
    if after == After::Drop {
        shared.world().0.journal.unsent(entry.seq);
    }
    if after == After::Drop || answer.delivery == Delivery::Drop {
        kill.notify_one();
        return future::pending().await;
    }
    if answer.delivery == Delivery::Hang {
        return future::pending().await;
    }
    pause(answer.wait).await;
    Ok(answer.into_response(now, &entry.trace_id))
}

async fn read(scheme: &'static str, request: Request<Body>) -> Call {
    let (head, body) = request.into_parts();
    // HTTP/2 carries the authority in the request line, HTTP/1.1 in a header
    let authority = match head.uri.authority() {
        Some(authority) => authority.to_string(),
        None => head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned(),
    };
    let body = to_bytes(body, MAX_BODY).await;
    Call {
        scheme,
        host: host_of(&authority),
        authority,
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head.headers,
        too_large: body.is_err(),
        body: body.unwrap_or_else(|_| Bytes::new()),
    }
}
