//! A human tries the login before it is used. Qlik Cloud says what came of it; only the very options that were written and
//! tried are put in force.

use super::{Desired, Next, Seen, Step, drift};
use crate::crd::Reason;
use crate::plan::Finding;
use crate::qlik::{IdentityProvider, PendingState};
use std::time::Duration;

/// How often to ask whether somebody has tried it.
const ASK: Duration = Duration::from_secs(30);

pub(super) fn next(want: &Desired, seen: &Seen, provider: &IdentityProvider) -> Option<Next<Step>> {
    if !want.tried || drift::is_live(want, provider, seen) {
        return None;
    }
    let version = seen.version.as_ref().filter(|(id, _)| *id == provider.id).map(|(_, version)| version.clone());
    let before =
        if drift::has_options(want, provider, seen) { "; until then the former login goes on working" } else { "" };
    let (reason, message) = match provider.pending_state {
        Some(PendingState::Verified) => {
            return Some(Next::Do(Step::Promote(provider.id.clone(), version)));
        }
        Some(PendingState::Error) => {
            let answer = provider.pending_answer.as_deref().unwrap_or("no reason given");
            let what = "correct the manifest or the provider and try it again";
            (Reason::VerificationFailed, format!("the login was tried and failed ({answer}): {what}{before}"))
        }
        Some(PendingState::Pending) | None => (
            Reason::VerificationPending,
            format!(
                "a tenant administrator has to try the login: open the page in status.verification, section Identity provider, and choose Validate{before}"
            ),
        ),
    };
    Some(Next::Wait { finding: Finding::human(reason, message), recheck: ASK })
}
