//! Each fault of `e2e/src/stage/faults.rs` on the wire, as it comes to a call that makes something: of which class it is,
//! and whether it leaves open if the call took effect. Those that are alike here are one kind there, of which the tests of
//! whole scenarios need one only. No answer at all is in `transport.rs`, where a call's deadline can be set.

use std::time::Duration;

use axum::body::Body;
use futures::stream;
use http::{Request, Response};

use super::testing::{Server, answer, credential, is_token, token};
use super::{Class, Effect, Region, Secret};

/// A kind of fault and the answers of that kind.
type Kind = (Class, Effect, Vec<(&'static str, Option<Response<Body>>)>);

const ERROR: &str = r#"{"errors":[{"code":"ANY","title":"any"}]}"#;

fn with(status: u16, header: &'static str, value: &str) -> Option<Response<Body>> {
    let mut response = answer(status, ERROR)?;
    response.headers_mut().insert(header, value.parse().unwrap());
    Some(response)
}

/// The beginning of a good answer, whose connection is broken then.
#[expect(clippy::unnecessary_wraps, reason = "what a handler gives back")]
fn cut_short() -> Option<Response<Body>> {
    let part: [Result<&str, std::io::Error>; 2] = [Ok("{\"id\":\""), Err(std::io::Error::other("cut"))];
    Some(Response::builder().status(201).body(Body::from_stream(stream::iter(part))).unwrap())
}

fn kinds() -> Vec<Kind> {
    let seconds = |seconds| Class::Throttled(Duration::from_secs(seconds));
    vec![
        (
            Class::Transient,
            Effect::Unknown,
            vec![
                ("connection lost", None),
                ("500", answer(500, ERROR)),
                ("408", answer(408, ERROR)),
                ("a page of HTML", answer(200, "<html>welcome to the proxy</html>")),
                ("answer cut short", cut_short()),
                ("answer of a wrong shape", answer(201, r#"{"id":7}"#)),
                // When to come back is the business of 429 alone.
                ("503 with Retry-After", with(503, "retry-after", "5")),
            ],
        ),
        (seconds(6), Effect::None, vec![("429 with Retry-After", with(429, "retry-after", "6"))]),
        (seconds(60), Effect::None, vec![("429 without Retry-After", answer(429, ERROR))]),
        (Class::Misconfigured, Effect::None, vec![("redirect", with(302, "location", "https://evil.example/"))]),
        (Class::Refused, Effect::None, vec![("403", answer(403, ERROR)), ("400", answer(400, ERROR))]),
        (Class::Conflict, Effect::None, vec![("409", answer(409, ERROR)), ("412", answer(412, ERROR))]),
    ]
}

#[tokio::test]
async fn faults_of_a_kind_are_taken_alike() {
    for (class, effect, faults) in kinds() {
        for (name, fault) in faults {
            let fault = std::sync::Mutex::new(Some(fault));
            let server = Server::start(move |request: &Request<_>| {
                // One answer for one call: a second one would be a call too many.
                if is_token(request) { token("t") } else { fault.lock().unwrap().take().unwrap() }
            })
            .await;
            let created = server.cloud().register(Region::Us, &credential()).create(&Secret::new("key"), false).await;
            let error = created.unwrap_err();
            assert_eq!((error.class(), error.effect()), (class, effect), "{name}: {error}");
            assert_eq!(server.count("POST /api/v1/tenants"), 1, "{name}");
        }
    }
}
