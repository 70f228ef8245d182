//! What can go wrong with a call to Qlik Cloud.

use crate::nightly::nightly;
use crate::sim::{Effect, When};

/// Seconds that a 429 asks for; they pass in real time.
const RETRY_AFTER: u64 = 6;

/// A fault, whether the call takes effect, and whether the answer leaves that open.
pub type Fault = (&'static str, Effect, bool, bool);

/// The faults of a call: all of them by night, otherwise the first of each kind.
pub fn faults() -> Vec<Fault> {
    let mut faults: Vec<_> = if nightly() {
        kinds().into_iter().flatten().collect()
    } else {
        kinds().into_iter().filter_map(|kind| kind.into_iter().next()).collect()
    };
    // First, since these take as long as the operator's deadline.
    faults.sort_by_key(|(_, effect, ..)| *effect != Effect::Hang);
    faults
}

/// Every fault. Those of one kind are alike to the operator: the same class of error, the same doubt whether the call took
/// effect, the same word on when to try again. That they are is proven on the wire, in `src/qlik/fault_tests.rs`.
fn kinds() -> [Vec<Fault>; 7] {
    let envelope = |status, retry_after| Effect::Status { status, code: None, title: None, retry_after };
    [
        // Transient, effect unknown: nothing was done,
        vec![
            ("connection lost before", Effect::Drop(When::Before), false, true),
            ("no answer before", Effect::Hang, false, true),
            ("500 before", Effect::status(500), false, true),
            ("a page of HTML, before", Effect::Html, false, true),
        ],
        // or it was done,
        vec![
            ("connection lost after", Effect::Drop(When::After), true, true),
            ("no answer after", Effect::Hang, true, true),
            ("500 after", Effect::status(500), true, true),
            ("408 after", Effect::status(408), true, true),
            ("answer cut short", Effect::Truncate(7), true, true),
            ("answer of a wrong shape", Effect::WrongType, true, true),
        ],
        // or Qlik Cloud says when to come back, too.
        vec![("503 after", envelope(503, Some(5)), true, true), ("503 before", envelope(503, Some(5)), false, true)],
        // Throttled. Where no time is named, a minute passes in real time.
        vec![
            ("429 with Retry-After", envelope(429, Some(RETRY_AFTER)), false, false),
            ("429 without Retry-After", Effect::status(429), false, false),
        ],
        // Misconfigured.
        vec![("redirect", Effect::Redirect("https://evil.example/".to_owned()), false, false)],
        // Refused.
        vec![("403", Effect::status(403), false, false), ("400", Effect::status(400), false, false)],
        // In conflict.
        vec![("409", Effect::status(409), false, false), ("412", Effect::status(412), false, false)],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_fault_has_a_name_of_its_own_and_each_kind_one_that_stands_for_it() {
        let kinds = kinds();
        let names: BTreeSet<_> = kinds.iter().flatten().map(|(name, ..)| *name).collect();
        assert_eq!((names.len(), kinds.iter().map(Vec::len).sum::<usize>()), (19, 19));
        assert_eq!(faults().len(), if nightly() { 19 } else { kinds.len() });
        // Whether the answer leaves the effect open is part of the kind.
        for kind in kinds {
            assert_eq!(kind.iter().map(|(.., unknown)| unknown).collect::<BTreeSet<_>>().len(), 1, "{kind:?}");
        }
    }
}
