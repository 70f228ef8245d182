//! What can go wrong with a call to Qlik Cloud.

use crate::sim::{Effect, When};

/// Seconds that a 429 asks for; they pass in real time.
const RETRY_AFTER: u64 = 6;

/// Every fault of a call, whether it takes effect, and whether the answer leaves that open.
pub fn faults() -> Vec<(&'static str, Effect, bool, bool)> {
    let envelope = |status, retry_after| Effect::Status { status, code: None, title: None, retry_after };
    vec![
        // First, since these take as long as the operator's deadline.
        ("no answer before", Effect::Hang, false, true),
        ("no answer after", Effect::Hang, true, true),
        ("connection lost before", Effect::Drop(When::Before), false, true),
        ("connection lost after", Effect::Drop(When::After), true, true),
        ("500 before", Effect::status(500), false, true),
        ("500 after", Effect::status(500), true, true),
        ("503 before", envelope(503, Some(5)), false, true),
        ("503 after", envelope(503, Some(5)), true, true),
        ("408 after", Effect::status(408), true, true),
        ("answer cut short", Effect::Truncate(7), true, true),
        ("answer of a wrong shape", Effect::WrongType, true, true),
        ("a page of HTML, before", Effect::Html, false, true),
        ("429 with Retry-After", envelope(429, Some(RETRY_AFTER)), false, false),
        ("429 without Retry-After", Effect::status(429), false, false),
        ("redirect", Effect::Redirect("https://evil.example/".to_owned()), false, false),
        ("400", Effect::status(400), false, false),
        ("403", Effect::status(403), false, false),
        ("409", Effect::status(409), false, false),
        ("412", Effect::status(412), false, false),
    ]
}
