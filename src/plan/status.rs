//! From what a pass found to the conditions of a status. Pure; `lastTransitionTime` moves only when a status does.

use super::Finding;
use crate::crd::{ConditionType, Phase, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// How a pass ended, as far as people are concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Where the object stands and why.
    pub finding: Finding,
    /// The declared state is reached.
    pub settled: bool,
    /// Qlik Cloud was seen in this pass.
    pub looked: bool,
    /// What is known of the credentials; `None` when they were not used.
    pub credentials: Option<Finding>,
    /// The purge date, while one is ahead.
    pub purge_at: Option<Timestamp>,
    /// The Secret that is written says what works in Qlik Cloud, or why not; `None` where that was not looked at.
    pub secret: Option<Finding>,
    /// Whether the tenant's end could be done as the manifest says; `None` where that was not asked for.
    pub offboarding: Option<Finding>,
    /// Fields that were written and cannot be compared.
    pub not_compared: Vec<String>,
    /// For an object that is being deleted and is held: how a human lets it go.
    pub held: Option<&'static str>,
}

impl Verdict {
    /// A pass that ended so, without a look at Qlik Cloud and with nothing known beside it.
    pub fn new(finding: Finding, settled: bool) -> Self {
        Self {
            finding,
            settled,
            looked: false,
            credentials: None,
            purge_at: None,
            secret: None,
            offboarding: None,
            not_compared: Vec::new(),
            held: None,
        }
    }
}

/// The conditions after a pass.
pub fn conditions(old: &[Condition], verdict: &Verdict, generation: i64, now: Timestamp) -> Vec<Condition> {
    let Finding { reason, message, needs_human, .. } = &verdict.finding;
    let suspended = *reason == Reason::Suspended;
    let mut out = Set { old, generation, now, list: Vec::new() };
    out.put(ConditionType::Ready, truth(verdict.settled), *reason, message);
    out.put(ConditionType::Reconciling, truth(!verdict.settled && !needs_human && !suspended), *reason, message);
    out.put(ConditionType::Stalled, truth(*needs_human), *reason, message);
    if verdict.settled && *reason == Reason::Settled && !verdict.not_compared.is_empty() {
        let fields = verdict.not_compared.join(", ");
        let message =
            format!("{message}; Qlik Cloud does not show what was written to {fields}, so that is not compared");
        out.put(ConditionType::Synced, "True", Reason::NotCompared, &message);
    } else if verdict.looked || verdict.settled {
        out.put(ConditionType::Synced, truth(verdict.settled), *reason, message);
    } else {
        out.keep(ConditionType::Synced);
    }
    match &verdict.credentials {
        Some(found) => {
            let valid = found.reason == Reason::Settled;
            out.put(ConditionType::CredentialsValid, truth(valid), found.reason, &found.message);
        }
        None => out.keep(ConditionType::CredentialsValid),
    }
    match &verdict.secret {
        Some(found) => {
            let in_sync = found.reason == Reason::Settled;
            out.put(ConditionType::SecretInSync, truth(in_sync), found.reason, &found.message);
        }
        None => out.keep(ConditionType::SecretInSync),
    }
    match &verdict.offboarding {
        Some(found) => {
            let ready = found.reason == Reason::Settled;
            out.put(ConditionType::OffboardingReady, truth(ready), found.reason, &found.message);
        }
        // Looked at, and the manifest does not ask for it any more.
        None if verdict.looked => {}
        None => out.keep(ConditionType::OffboardingReady),
    }
    match (verdict.purge_at, verdict.finding.phase) {
        (Some(at), phase) if phase != Phase::Ready && phase != Phase::Purged => {
            let message = format!("Qlik purges the tenant at {at}");
            out.put(ConditionType::PurgeScheduled, "True", Reason::PurgePending, &message);
        }
        (_, phase) if out.had(ConditionType::PurgeScheduled) => {
            let (reason, message) = match phase {
                Phase::Purged => {
                    (Reason::Purged, "no purge is ahead any more: the record tells how it is known to be over")
                }
                _ => (Reason::Settled, "no purge is ahead"),
            };
            out.put(ConditionType::PurgeScheduled, "False", reason, message);
        }
        _ => {}
    }
    if let Some(way_out) = verdict.held {
        // A suspended object is not let go either, whatever else it says.
        let first = if suspended { "set spec.suspend: false, and before that, " } else { "" };
        let message = format!("{message}. To let this object go, {first}{way_out}");
        out.put(ConditionType::DeletionHeld, "True", *reason, &message);
    }
    out.list
}

fn truth(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

struct Set<'a> {
    old: &'a [Condition],
    generation: i64,
    now: Timestamp,
    list: Vec<Condition>,
}

impl Set<'_> {
    fn find(&self, kind: ConditionType) -> Option<&Condition> {
        let name = kind.to_string();
        self.old.iter().find(|c| c.type_ == name)
    }

    fn had(&self, kind: ConditionType) -> bool {
        self.find(kind).is_some()
    }

    fn keep(&mut self, kind: ConditionType) {
        if let Some(mut condition) = self.find(kind).cloned() {
            condition.observed_generation = Some(self.generation);
            self.list.push(condition);
        }
    }

    fn put(&mut self, kind: ConditionType, status: &str, reason: Reason, message: &str) {
        let since = match self.find(kind) {
            Some(old) if old.status == status => old.last_transition_time.clone(),
            Some(_) | None => Time(self.now),
        };
        self.list.push(Condition {
            type_: kind.to_string(),
            status: status.to_owned(),
            reason: reason.to_string(),
            message: bounded(message),
            observed_generation: Some(self.generation),
            last_transition_time: since,
        });
    }
}

/// The API server refuses messages over 32 KiB; people stop reading long before.
fn bounded(message: &str) -> String {
    message.chars().take(1024).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(finding: Finding, settled: bool) -> Verdict {
        Verdict { looked: true, ..Verdict::new(finding, settled) }
    }

    fn get<'a>(list: &'a [Condition], kind: &str) -> &'a Condition {
        list.iter().find(|c| c.type_ == kind).unwrap()
    }

    #[test]
    fn the_same_verdict_gives_the_same_conditions_whenever_it_is_reached() {
        let ready = verdict(Finding::passing(Phase::Ready, Reason::Settled, "as declared"), true);
        let first = conditions(&[], &ready, 1, Timestamp::from_second(10).unwrap());
        let again = conditions(&first, &ready, 1, Timestamp::from_second(9_999).unwrap());
        assert_eq!(first, again, "a settled object costs no write");
    }

    #[test]
    fn what_is_not_compared_is_said_of_an_object_that_is_as_declared() {
        let ready = verdict(Finding::passing(Phase::Ready, Reason::Settled, "as declared"), true);
        let verdict = Verdict { not_compared: vec!["logoUri".into()], ..ready };
        let list = conditions(&[], &verdict, 1, Timestamp::UNIX_EPOCH);
        let synced = get(&list, "Synced");
        assert_eq!((synced.status.as_str(), synced.reason.as_str()), ("True", "NotCompared"));
        assert!(synced.message.contains("logoUri"), "{}", synced.message);
        assert_eq!(get(&list, "Ready").reason, "Settled");
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let ready = verdict(Finding::passing(Phase::Ready, Reason::Settled, "as declared"), true);
        let human = verdict(Finding::human(Reason::TenantGone, "gone"), false);
        let passing = verdict(Finding::passing(Phase::Pending, Reason::Throttled, "slow down"), false);
        let at = |s| Timestamp::from_second(s).unwrap();
        let a = conditions(&[], &ready, 1, at(1));
        let b = conditions(&a, &human, 2, at(2));
        let c = conditions(&b, &passing, 2, at(3));
        for (list, kind, status, since) in [
            (&a, "Ready", "True", 1),
            (&b, "Ready", "False", 2),
            (&b, "Stalled", "True", 2),
            (&b, "Reconciling", "False", 1),
            (&c, "Ready", "False", 2),
            (&c, "Stalled", "False", 3),
            (&c, "Reconciling", "True", 3),
        ] {
            let condition = get(list, kind);
            assert_eq!((condition.status.as_str(), condition.last_transition_time.0), (status, at(since)), "{kind}");
        }
        assert_eq!(get(&c, "Ready").observed_generation, Some(2));
    }
}
