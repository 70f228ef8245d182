//! What goes over the wire: the decided answer, and the ways in which a fault spoils it.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use futures::StreamExt;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::json;

use super::call::Reply;
use super::faults::{Effect, Trickle, When};
use super::refusal::{ErrorStyle, Refusal};

/// How an answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    Trickle(Trickle),
    Truncate(usize),
    /// Not at all: the connection is closed.
    Drop,
    /// Not at all: the client is left waiting.
    Hang,
}

/// An answer on its way.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    pub(crate) delivery: Delivery,
    /// Real time to wait before it is sent.
    pub(crate) wait: Duration,
}

impl Answer {
    fn new(status: StatusCode, headers: Vec<(&'static str, String)>, body: impl Into<Bytes>) -> Self {
        Self { status, headers, body: body.into(), delivery: Delivery::Whole, wait: Duration::ZERO }
    }

    /// What a handler answered.
    pub(crate) fn reply(reply: &Reply) -> Self {
        let mut headers = reply.headers.clone();
        let body = reply.body.as_ref().map(ToString::to_string).unwrap_or_default();
        if !body.is_empty() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        Self::new(reply.status, headers, body)
    }

    /// A refusal in its envelope.
    pub(crate) fn refusal(refusal: &Refusal, style: ErrorStyle, trace: &str) -> Self {
        if refusal.style == Some(ErrorStyle::Page) {
            let headers = vec![("content-type", "text/html".to_owned())];
            return Self::new(refusal.status, headers, format!("<!doctype html><title>{}</title>", refusal.status));
        }
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if let Some(seconds) = refusal.more.retry_after {
            headers.push(("retry-after", seconds.to_string()));
        }
        if let Some(allow) = &refusal.more.allow {
            headers.push(("allow", allow.clone()));
        }
        Self::new(refusal.status, headers, refusal.envelope(style, trace).to_string())
    }

    /// An answer for a request that no handler was asked about.
    pub(crate) fn none() -> Self {
        Self::new(StatusCode::OK, Vec::new(), "{}")
    }

    /// Lets a fault loose on the answer.
    pub(crate) fn spoil(&mut self, effect: &Effect, trace: &str) {
        match effect {
            Effect::Status { status, code, title, retry_after } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut refusal = Refusal::plain(status, "fault injected by the simulator");
                refusal.code = code.clone().unwrap_or(refusal.code);
                refusal.title = title.clone().unwrap_or(refusal.title);
                refusal.more.retry_after = *retry_after;
                *self = Self::refusal(&refusal, ErrorStyle::Text, trace);
            }
            Effect::Storm429 { retry_after } => {
                *self = Self::refusal(&Refusal::too_many(*retry_after), ErrorStyle::Text, trace);
            }
            Effect::Drop(When::Before | When::After) => self.delivery = Delivery::Drop,
            Effect::Hang => self.delivery = Delivery::Hang,
            Effect::DelayMs(ms) => self.wait += Duration::from_millis(*ms),
            Effect::Trickle(trickle) => self.delivery = Delivery::Trickle(*trickle),
            Effect::Truncate(bytes) => self.delivery = Delivery::Truncate(*bytes),
            Effect::WrongType => {
                let headers = vec![("content-type", "application/json".to_owned())];
                *self = Self::new(self.status, headers, json!(["unexpected", { "id": 7 }]).to_string());
            }
            Effect::Html => {
                let headers = vec![("content-type", "text/html".to_owned())];
                *self = Self::new(StatusCode::OK, headers, "<!doctype html><title>Maintenance</title><p>Back soon.");
            }
            Effect::Redirect(to) => {
                *self = Self::new(StatusCode::TEMPORARY_REDIRECT, vec![("location", to.clone())], "");
            }
        }
    }

    /// The HTTP response. A length is announced even for a body that will fall short of it.
    pub(crate) fn into_response(self, now: Timestamp, trace: &str) -> Response<Body> {
        let length = self.body.len();
        let body = match self.delivery {
            Delivery::Trickle(trickle) => trickled(&self.body, trickle),
            Delivery::Truncate(bytes) => truncated(self.body.slice(..bytes.min(length))),
            Delivery::Whole | Delivery::Drop | Delivery::Hang => Body::from(self.body),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                // the one header that may stand there several times
                if name == "set-cookie" {
                    response.headers_mut().append(name, value);
                } else {
                    response.headers_mut().insert(name, value);
                }
            }
        };
        for (name, value) in &self.headers {
            set(name, value);
        }
        if self.status != StatusCode::NO_CONTENT {
            set(header::CONTENT_LENGTH.as_str(), &length.to_string());
        }
        // the header's name is not documented; that answers can be traced is
        set("qlik-trace-id", trace);
        set("date", &date(now));
        response
    }
}

/// The HTTP date of a virtual instant.
pub(crate) fn date(now: Timestamp) -> String {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default()
}

/// Waits in real time.
#[expect(clippy::disallowed_methods, reason = "being slow on purpose is what this part of the simulator is for")]
pub(crate) async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

fn trickled(body: &Bytes, Trickle { chunk, every_ms }: Trickle) -> Body {
    let pieces: Vec<Bytes> = body.chunks(chunk.max(1)).map(Bytes::copy_from_slice).collect();
    Body::from_stream(futures::stream::iter(pieces).then(move |piece| async move {
        pause(Duration::from_millis(every_ms)).await;
        Ok::<_, Infallible>(piece)
    }))
}

/// Ends before its announced length. A stream, because a body of known size would correct the announcement; an early
/// end rather than an error, because HTTP/2 would let an error overtake the headers.
fn truncated(part: Bytes) -> Body {
    Body::from_stream(futures::stream::iter([Ok::<_, Infallible>(part)]))
}
