//! One pass over one object.

use super::gate::{Admission, Appearance};
use super::span::Watch;
use super::{Acted, Context, Error, Lean, Managed, Note, SideFacts, api_of, context::within, malformed, write};
use crate::crd::{Phase, Reason};
use crate::plan::intent::{Call, Intent, IntentSeen, Outcome};
use crate::plan::status::Verdict;
use crate::plan::{Finding, Next, delay, schedule};
use crate::qlik::Class;
use kube::Resource as _;
use kube::api::Api;
use kube::runtime::controller::Action;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// Turns in one pass. A tenant needs at most six: announce, create, write, patch, look, rest.
const TURNS: usize = 10;
const DEADLINE: Duration = Duration::from_secs(120);
/// After a result that was taken from an answer rather than seen, look soon.
const VERIFY_AFTER: Duration = Duration::from_secs(10);
/// After a start, settled objects are left alone for this long.
const QUIET_START: Duration = Duration::from_secs(30);
/// Our own rate budget makes passes wait now and then, in a rush of changes several times; that is not worth a write.
const QUIET_THROTTLES: u32 = 6;

/// How long a pass waits for lists that are not complete before it makes room for the next one, which waits likewise.
const LISTS_WAIT: Duration = Duration::from_secs(1);

/// Makes one pass over one object, once every list is complete. Never fails: what goes wrong becomes a status and a time
/// for the next attempt.
pub async fn reconcile<K: Managed>(object: Arc<Lean<K>>, cx: Arc<Context>) -> Result<Action, Infallible> {
    if !cx.caches.lists.wait(LISTS_WAIT).await {
        return Ok(Action::requeue(Duration::ZERO));
    }
    let object = match object.read() {
        Ok(object) => object.clone(),
        Err(remains) => {
            malformed::refuse::<K>(object.meta(), remains, &cx).await;
            return Ok(Action::requeue(delay::after(&Class::Misconfigured, 1, 0.0)));
        }
    };
    let uid = object.meta().uid.clone().unwrap_or_default();
    let now = cx.clock.monotonic();
    let (attempt, anew) = match cx.gates.admit(&uid, appearance(&object), now) {
        Admission::Wait(left) => return Ok(Action::requeue(left)),
        Admission::Go { attempt, behind } => (attempt, behind || attempt > 0),
        Admission::First => {
            if let Some(interval) = object.at_rest().filter(|_| !is_restored(&object)) {
                let wait = schedule::until_slot(&object.slot(), interval, QUIET_START, cx.clock.now());
                cx.gates.set(&uid, appearance(&object), (now, wait), 0);
                return Ok(Action::requeue(wait));
            }
            (0, false)
        }
    };
    let watch = Watch::begin::<K>(object.meta(), &cx);
    Ok(watch.over(work(object, (attempt, anew, now), &cx)).await)
}

/// Whether the status is older than the object: it was restored from a backup, and what it says of anything beside the
/// object may be long past.
fn is_restored<K: Managed>(object: &K) -> bool {
    let created = object.meta().creation_timestamp.as_ref().map(|at| at.0);
    let ready = object.status().and_then(|status| K::conditions(status).iter().find(|c| c.type_ == "Ready"));
    ready.is_some_and(|ready| created.is_some_and(|created| ready.last_transition_time.0 < created))
}

/// The pass itself, which began at `started`, with its outcome as a word.
async fn work<K: Managed>(
    object: K,
    (attempt, anew, started): (u32, bool, Duration),
    cx: &Context,
) -> (Action, &'static str) {
    let uid = object.meta().uid.clone().unwrap_or_default();
    let object = match if anew { newest(object, cx).await } else { Ok(Some(object)) } {
        Ok(Some(object)) => object,
        Ok(None) => return (Action::await_change(), "gone"),
        Err(error) => {
            let recheck = delay::after(&error.class(), attempt + 1, jitter(&uid, attempt));
            tracing::warn!(kind = %K::KIND, uid, error = error.chain(), "the object cannot be read");
            return (Action::requeue(recheck), error.label());
        }
    };
    let draft = object.status().cloned().unwrap_or_default();
    let mut pass = Pass { draft, object, cx, facts: SideFacts::default(), started, overtaken: false };
    let ended = match tokio::time::timeout(DEADLINE, pass.run()).await {
        Ok(ended) => ended,
        Err(_) => Ended::Failed(Error::Deadline(DEADLINE)),
    };
    pass.finish(ended, attempt, &uid).await
}

/// The object read anew, as is done after a failure: when the watch is behind (the API server was away, say), what the
/// cache holds would lose each race for as long. `None` when it is gone.
async fn newest<K: Managed>(cached: K, cx: &Context) -> Result<Option<K>, Error> {
    let name = cached.meta().name.clone().unwrap_or_default();
    let api: Api<Lean<K>> = Api::namespaced(cx.client.clone(), cached.meta().namespace.as_deref().unwrap_or_default());
    let found = within("read the object", api.get_opt(&name)).await?;
    let same = |object: &K| object.meta().uid == cached.meta().uid;
    Ok(found.and_then(|lean| lean.0.0.ok()).filter(same))
}

/// How the turns of a pass ended.
enum Ended {
    Rest { finding: Finding, settled: bool, recheck: Duration },
    Released,
    Failed(Error),
}

impl Ended {
    /// A word for metrics and traces.
    fn label(&self) -> &'static str {
        match self {
            Self::Rest { settled: true, .. } => "settled",
            Self::Rest { finding, .. } if finding.reason == Reason::Suspended => "suspended",
            Self::Rest { finding, .. } if finding.needs_human => "stalled",
            Self::Rest { .. } => "waiting",
            Self::Released => "released",
            Self::Failed(error) => error.label(),
        }
    }
}

struct Pass<'a, K: Managed> {
    object: K,
    draft: K::Status,
    cx: &'a Context,
    facts: SideFacts,
    /// Monotonic time at which it began to look: what it found is as old as that.
    started: Duration,
    /// The object was changed by others after the last decision and before the status was written.
    overtaken: bool,
}

impl<K: Managed> Pass<'_, K> {
    async fn run(&mut self) -> Ended {
        if self.object.suspended() {
            let finding = Finding::passing(Phase::Pending, Reason::Suspended, "spec.suspend is set: nothing is done");
            return Ended::Rest { finding, settled: false, recheck: crate::plan::HOURLY };
        }
        if let Some(finding) = self.outdated() {
            return Ended::Rest { finding, settled: false, recheck: crate::plan::HOURLY };
        }
        match self.turns().await {
            Ok(ended) => ended,
            Err(Error::Wait { finding, recheck }) => Ended::Rest { finding: *finding, settled: false, recheck },
            Err(error) => Ended::Failed(error),
        }
    }

    /// An object that was stored before today's rules and does not keep them: nothing is done with it but let it go.
    fn outdated(&self) -> Option<Finding> {
        if self.object.meta().deletion_timestamp.is_some() {
            return None;
        }
        let broken = K::rules().broken(&self.object);
        let say = || format!("this object does not keep the rules of its kind as they are now: {}", broken.join("; "));
        (!broken.is_empty()).then(|| Finding::human(Reason::SpecInvalid, say()))
    }

    async fn turns(&mut self) -> Result<Ended, Error> {
        let mut known: Option<K::Seen> = None;
        let mut last = String::new();
        for _ in 0..TURNS {
            let from_answer = known.is_some();
            let seen = match known.take() {
                Some(seen) => seen,
                None => self.object.observe(&self.draft, self.cx).await?,
            };
            self.facts = K::side_facts(&seen);
            self.draft = self.object.reflect(&seen, self.draft.clone());
            let step = match self.object.next(&seen, self.cx.clock.now()) {
                Next::Do(step) => step,
                Next::Wait { finding, recheck } => return Ok(Ended::Rest { finding, settled: false, recheck }),
                Next::Settled { finding, recheck } => {
                    let recheck = if from_answer { recheck.min(VERIFY_AFTER) } else { recheck };
                    return Ok(Ended::Rest { finding, settled: true, recheck });
                }
                Next::Release => {
                    let parting = self.object.parting(&seen);
                    return self.release(parting).await;
                }
            };
            last = format!("{step:?}");
            known = self.take(&step, seen).await?;
        }
        Err(Error::Stuck(TURNS, last))
    }

    /// Makes one step and keeps what it left behind.
    async fn take(&mut self, step: &K::Step, seen: K::Seen) -> Result<Option<K::Seen>, Error> {
        let meta = self.object.meta();
        tracing::debug!(kind = %K::KIND, namespace = meta.namespace, name = meta.name, uid = meta.uid, ?step, "step");
        let note = self.object.note(step, &seen);
        let Acted { object, draft, seen, persist } =
            match self.object.act(step, seen, self.draft.clone(), self.cx).await {
                Ok(acted) => acted,
                Err(error) => {
                    self.close_intent(&error).await;
                    return Err(error);
                }
            };
        self.draft = draft;
        if let Some(object) = object {
            self.object = object;
        }
        if let Some(note) = note {
            let meta = self.object.meta();
            tracing::info!(kind = %K::KIND, namespace = meta.namespace, name = meta.name, uid = meta.uid,
                generation = meta.generation, step = note.action, outcome = "done", "{}", note.message);
            self.cx.events.publish::<K>(meta, note);
        }
        if persist && !self.rests_on(seen.as_ref()) {
            self.persist(step).await?;
        }
        Ok(seen)
    }

    /// A call that is known to have had no effect is closed on the object, so that a restart does not take it for one
    /// whose answer was lost.
    async fn close_intent(&mut self, error: &Error) {
        let annotation = self.object.meta().annotations.as_ref().and_then(|all| all.get(crate::crd::INTENT));
        let seen = IntentSeen::read(annotation.map(String::as_str), |intent| self.cx.ledger.known(intent));
        let (true, IntentSeen::Found { intent, call: Call::NoEffect }) = (error.had_no_effect(), seen) else {
            return;
        };
        let closed = Intent { outcome: Some(Outcome::NoEffect), ..intent };
        let text = serde_json::to_string(&closed).unwrap_or_default();
        let change = json!({ "annotations": { crate::crd::INTENT: text } });
        let api = api_of(&self.object, &self.cx.client);
        match write::metadata(&api, self.object.meta(), "close the intent", change).await {
            Ok(object) => self.object = object,
            // This process remembers it, and the next attempt writes it anew.
            Err(error) => tracing::debug!(error = error.chain(), "the intent is not closed on the object"),
        }
    }

    /// Whether the status of the whole pass follows at once, so that one write says everything.
    fn rests_on(&self, seen: Option<&K::Seen>) -> bool {
        seen.is_some_and(|seen| matches!(self.object.next(seen, self.cx.clock.now()), Next::Settled { .. }))
    }

    async fn persist(&mut self, step: &K::Step) -> Result<(), Error> {
        let verdict = self.verdict(K::progress(step), false);
        let status = self.object.describe(self.draft.clone(), &verdict, self.cx.clock.now());
        self.object = self.write_status(&status).await?;
        self.draft = status;
        self.cx.ledger.safe(self.object.meta().uid.as_deref().unwrap_or_default());
        Ok(())
    }

    /// Writes the status as it was decided on; whatever happened meanwhile only where it holds an id that nobody else
    /// knows. Anything else could be decided on an old copy, and must not replace what is newer.
    async fn write_status(&self, status: &K::Status) -> Result<K, Error> {
        let api = api_of(&self.object, &self.cx.client);
        if self.cx.ledger.is_unsaved(self.object.meta().uid.as_deref().unwrap_or_default()) {
            write::status_whatever(&api, self.object.meta(), status).await
        } else {
            write::status(&api, self.object.meta(), status).await
        }
    }

    async fn release(&mut self, parting: Option<Note>) -> Result<Ended, Error> {
        let held = self.object.meta().finalizers.iter().flatten().any(|f| Some(f.as_str()) == K::FINALIZER);
        if let Some(note) = parting.filter(|_| held) {
            tracing::warn!(kind = %K::KIND, namespace = self.object.meta().namespace,
                name = self.object.meta().name, "{}", note.message);
            self.cx.events.publish::<K>(self.object.meta(), note);
        }
        if let Some(finalizer) = K::FINALIZER {
            write::release(&api_of(&self.object, &self.cx.client), self.object.meta(), finalizer).await?;
        }
        Ok(Ended::Released)
    }

    /// Publishes what was found and says when to look again.
    async fn finish(mut self, ended: Ended, attempt: u32, uid: &str) -> (Action, &'static str) {
        let cx = self.cx;
        let mut outcome = ended.label();
        let (finding, settled, recheck, failed) = match ended {
            Ended::Released => {
                cx.gates.forget(uid);
                cx.ledger.unclaim(uid);
                return (Action::await_change(), outcome);
            }
            Ended::Rest { finding, settled, recheck } => {
                let recheck = if settled && recheck > VERIFY_AFTER {
                    schedule::until_slot(&self.object.slot(), recheck, QUIET_START.min(recheck / 2), cx.clock.now())
                } else {
                    recheck
                };
                (Some(finding), settled, recheck, 0)
            }
            Ended::Failed(error) => {
                self.log(&error, attempt);
                let recheck = delay::after(&error.class(), attempt + 1, jitter(uid, attempt));
                let quiet = matches!(error.class(), Class::Throttled(_)) && attempt < QUIET_THROTTLES;
                (error.finding().filter(|_| !quiet), false, recheck, attempt + 1)
            }
        };
        let published = match finding {
            Some(finding) => self.publish(finding, settled).await,
            None => Ok(()),
        };
        let (recheck, failed) = match published {
            Ok(()) => (recheck, failed),
            // The next pass reads the object anew: what this one did stands in no status.
            Err(error) => {
                self.log(&error, attempt);
                outcome = error.label();
                (delay::after(&error.class(), attempt + 1, jitter(uid, attempt)).min(recheck), attempt + 1)
            }
        };
        let recheck = if self.overtaken { Duration::ZERO } else { recheck };
        cx.gates.set(uid, appearance(&self.object), (self.started, recheck), failed);
        (Action::requeue(recheck), outcome)
    }

    fn verdict(&self, finding: Finding, settled: bool) -> Verdict {
        let credentials = match finding.reason {
            Reason::CredentialsInvalid
            | Reason::CredentialsMissing
            | Reason::CredentialsNotAllowed
            | Reason::BotDisabled => Some(finding.clone()),
            _ => self.facts.credentials.clone(),
        };
        Verdict {
            secret: self.facts.secret.clone(),
            offboarding: self.facts.offboarding.clone(),
            not_compared: self.facts.not_compared.clone(),
            held: self.object.meta().deletion_timestamp.as_ref().map(|_| K::WAY_OUT),
            purge_at: self.facts.purge_at.or_else(|| K::known_purge(&self.draft)),
            looked: self.facts.looked,
            credentials,
            finding,
            settled,
        }
    }

    /// Writes the status when it differs, and an event when the object's standing changed.
    async fn publish(&mut self, finding: Finding, settled: bool) -> Result<(), Error> {
        let verdict = self.verdict(finding, settled);
        let status = self.object.describe(self.draft.clone(), &verdict, self.cx.clock.now());
        if self.object.status() == Some(&status) {
            return Ok(());
        }
        match self.write_status(&status).await {
            Ok(object) => {
                self.cx.ledger.safe(object.meta().uid.as_deref().unwrap_or_default());
                self.overtaken = asked(&object) != asked(&self.object);
                self.object = object;
            }
            Err(error) if error.is_not_found() => return Ok(()), // gone meanwhile
            Err(error) => return Err(error),
        }
        if verdict.finding.needs_human {
            let Finding { reason, message, .. } = verdict.finding;
            let note = Note { warning: true, reason: reason.to_string(), action: "Hold", message };
            self.cx.events.publish::<K>(self.object.meta(), note);
        }
        Ok(())
    }

    fn log(&self, error: &Error, attempt: u32) {
        let meta = self.object.meta();
        let (kind, outcome, error_text) = (K::KIND, error.label(), error.chain());
        if matches!(error, Error::Raced) {
            tracing::debug!(%kind, namespace = meta.namespace, name = meta.name, outcome, "looking again");
        } else {
            tracing::warn!(%kind, namespace = meta.namespace, name = meta.name, uid = meta.uid, attempt, outcome,
                error = error_text, "the pass failed and will be repeated");
        }
    }
}

/// What of an object makes a pass worthwhile when it changes.
fn appearance<K: Managed>(object: &K) -> Appearance {
    let status = serde_json::to_string(&object.status()).unwrap_or_default();
    Appearance::new(object.meta(), &format!("{}/{status}", asked(object)))
}

/// What others ask for by metadata.
fn asked<K: Managed>(object: &K) -> String {
    let meta = object.meta();
    let ours = |key: &str| key.starts_with(crate::crd::GROUP);
    let annotations: Vec<_> = meta.annotations.iter().flatten().filter(|(key, _)| ours(key)).collect();
    let held = meta.finalizers.iter().flatten().any(|f| ours(f));
    format!("{:?}/{}/{annotations:?}/{held}", meta.generation, meta.deletion_timestamp.is_some())
}

/// Spreads objects that failed together, the same way each time.
fn jitter(uid: &str, attempt: u32) -> f64 {
    let hash = schedule::fnv1a(&format!("{uid}/{attempt}"));
    f64::from(u32::try_from(hash & 0xffff).unwrap_or_default()) / f64::from(0xffff_u32)
}
