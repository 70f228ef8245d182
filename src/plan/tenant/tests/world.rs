//! A model of the world around one tenant. It applies the planner's steps the way the operator does.

use super::record;
use crate::crd::{
    EraseSecrets, Evidence, Lifecycle, OffboardingEvent, OffboardingPhase, OnDelete, ReleasePolicy, Trigger,
};
use crate::plan::Next;
use crate::plan::intent::{Call, Intent, IntentStep, Outcome, TAKE_OVER};
use crate::plan::offboarding::history::entry;
use crate::plan::tenant::{Desired, RecordSeen, Step, next};
use crate::qlik::{Hostname, Hosts, PurgeDays, Region};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::time::Duration;

pub(super) const HOSTNAME: &str = "xzoau8xi93gyfo0.us.qlikcloud.com";
pub(super) const ID: &str = "TiQ8GPVr8qI714Lp5ChAAFFaU24MJy69";

/// What becomes of the call that a step makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Done,
    DoneAnswerLost,
    NotDoneAnswerLost,
    Refused,
    DoneThenDied,
    DiedBefore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tenant {
    None,
    Active,
    Off(Timestamp),
    Purged,
}

/// What one operator process remembers.
#[derive(Default)]
pub(super) struct Process {
    pub(super) calls: HashMap<String, Call>,
    pub(super) created: bool,
    pub(super) answered: Option<(Timestamp, Option<Timestamp>)>,
    pub(super) reactivated: Option<Timestamp>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is one fact about the object")]
pub(super) struct World {
    pub(super) want: Desired,
    pub(super) tenant: Tenant,
    pub(super) created: usize,
    pub(super) deactivated: usize,
    pub(super) released: bool,
    pub(super) now: Timestamp,
    pub(super) created_at: Option<Timestamp>,
    pub(super) status_changed: Option<Timestamp>,
    pub(super) organization: bool,
    /// The setting says that this operator alone makes tenants.
    pub(super) ours: bool,
    /// Qlik Cloud says when a tenant's state changed; its schema has that optional.
    pub(super) says_when: bool,
    pub(super) deleting: bool,
    pub(super) held: bool,
    pub(super) bound: bool,
    pub(super) written: bool,
    pub(super) offboarding: Option<String>,
    pub(super) intent: Option<Intent>,
    pub(super) records: Vec<RecordSeen>,
    pub(super) process: Process,
    /// Decisions to deactivate that humans made and that were not used up by a deactivation.
    pub(super) decisions: usize,
    /// When a deactivation of unknown outcome was sent.
    pub(super) unknown_since: Option<Timestamp>,
    pub(super) nonces: usize,
    pub(super) meddled: bool,
    /// The record says that the object let its tenant go.
    pub(super) let_go: bool,
}

impl World {
    pub(super) fn new((on_delete, release): (OnDelete, ReleasePolicy), organization: bool) -> Self {
        let confirm = HOSTNAME.parse().ok();
        let want = Desired {
            region: Region::Us,
            adopt: None,
            display_name: Some("Acme".into()),
            alias: None,
            flags: Vec::new(),
            lifecycle: Lifecycle::Active,
            days: PurgeDays::try_from(30).unwrap(),
            confirm,
            on_delete,
            release,
            erase: EraseSecrets::default(),
            interval: Duration::from_secs(1800),
        };
        Self {
            want,
            tenant: Tenant::None,
            created: 0,
            deactivated: 0,
            released: false,
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            created_at: None,
            status_changed: None,
            organization,
            ours: organization,
            says_when: true,
            deleting: false,
            held: false,
            bound: false,
            written: false,
            offboarding: None,
            intent: None,
            records: Vec::new(),
            process: Process::default(),
            decisions: 0,
            unknown_since: None,
            nonces: 0,
            meddled: false,
            let_go: false,
        }
    }

    pub(super) fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        if let Tenant::Off(at) = self.tenant
            && self.now >= at
        {
            self.tenant = Tenant::Purged;
        }
        // The record's own controller follows the countdown.
        record::follow(self);
    }

    pub(super) fn restart(&mut self) {
        self.process = Process::default();
    }

    pub(super) fn declare(&mut self, lifecycle: Lifecycle) {
        if self.want.lifecycle != lifecycle && lifecycle == Lifecycle::Deactivated {
            self.decisions += 1;
        }
        self.want.lifecycle = lifecycle;
    }

    /// `spec.adopt` says this id.
    pub(super) fn adopt(&mut self, id: &str) {
        let hosts = Hosts::new("qlikcloud.com".parse().unwrap());
        let host = hosts.tenant(&HOSTNAME.parse().unwrap(), Region::Us).unwrap();
        self.want.adopt = Some((id.parse().unwrap(), host));
    }

    pub(super) fn delete(&mut self) {
        if !self.deleting && self.want.on_delete == OnDelete::Deactivate {
            self.decisions += 1;
        }
        self.deleting = true;
    }

    /// Without further faults everything comes to rest; gives time to what needs time.
    pub(super) fn settle(&mut self) {
        let mut calm = 0;
        for _ in 0..400 {
            if self.released {
                return;
            }
            match next(&self.want, &self.see(), self.now) {
                Next::Do(_) => {
                    calm = 0;
                    self.turn(Fate::Done);
                }
                Next::Wait { finding, .. } if finding.needs_human => return,
                Next::Wait { recheck, .. } if recheck >= crate::plan::HOURLY => self.pass(86_400),
                Next::Wait { .. } => self.pass(301),
                Next::Settled { .. } if calm > 3 => return self.publish(),
                Next::Settled { .. } => {
                    self.publish();
                    calm += 1;
                    self.pass(1801);
                }
                Next::Release => self.turn(Fate::Done),
            }
        }
        panic!("no rest after 400 turns, at {:?}", next(&self.want, &self.see(), self.now));
    }

    /// What people are told now.
    pub(super) fn finding(&self) -> crate::plan::Finding {
        match next(&self.want, &self.see(), self.now) {
            Next::Wait { finding, .. } | Next::Settled { finding, .. } => finding,
            other => panic!("not at rest: {other:?}"),
        }
    }

    pub(super) fn turn(&mut self, fate: Fate) {
        if self.released {
            return;
        }
        match next(&self.want, &self.see(), self.now) {
            Next::Do(_) if fate == Fate::DiedBefore => self.restart(),
            Next::Do(step) => {
                self.act(step, fate);
                if fate == Fate::DoneThenDied {
                    self.restart();
                }
            }
            Next::Release => {
                let alive = matches!(self.tenant, Tenant::Active) && self.bound && self.held;
                let open = [OffboardingPhase::Requested, OffboardingPhase::Scheduled, OffboardingPhase::Purged];
                let recorded = self.let_go || self.records.iter().any(|record| open.contains(&record.phase()));
                assert!(!self.deleting || !alive || recorded, "a tenant in use is forgotten");
                self.released = self.deleting;
            }
            Next::Settled { .. } | Next::Wait { .. } => self.publish(),
        }
    }

    /// As `kinds::tenant::report::reflect` does it.
    fn publish(&mut self) {
        let seen = self.see();
        self.written = true;
        if seen.in_use(&self.want) {
            self.offboarding = None;
        } else if let Some(record) = seen.record {
            self.offboarding = Some(record.name);
        }
    }

    fn note(&mut self, step: IntentStep, call: Call) {
        let nonce = self.intent.as_ref().filter(|i| i.step == step).map(|i| i.nonce.clone()).expect("announced first");
        self.process.calls.insert(nonce, call);
    }

    fn act(&mut self, step: Step, fate: Fate) {
        let lost = matches!(fate, Fate::DoneAnswerLost | Fate::NotDoneAnswerLost | Fate::DoneThenDied);
        let done = matches!(fate, Fate::Done | Fate::DoneAnswerLost | Fate::DoneThenDied);
        match step {
            Step::Hold => self.held |= done,
            Step::Announce(a) if done => {
                self.nonces += 1;
                let nonce = format!("n{}", self.nonces);
                let own = (a.step == IntentStep::Deactivate).then(|| format!("acme-{nonce}"));
                self.process.calls.insert(nonce.clone(), Call::NotSent);
                self.held = true;
                let intent = Intent::new(a.step, nonce, "me".into(), self.now);
                self.intent = Some(Intent { record: a.record.or(own), replaces: a.replaces, ..intent });
                // A fresh announcement: what was not known of an earlier call is resolved by now.
                self.meddled = false;
            }
            Step::Create => {
                assert!(self.held, "nothing is created for an object that nobody holds");
                self.note(IntentStep::Create, if lost { Call::Unknown } else { Call::NoEffect });
                if done {
                    self.created += 1;
                    assert_eq!(self.created, 1, "a second tenant");
                    (self.tenant, self.created_at) = (Tenant::Active, Some(self.now));
                }
                if fate == Fate::Done {
                    self.note(IntentStep::Create, Call::Closed);
                    (self.process.created, self.bound) = (true, true);
                }
            }
            Step::Bind { .. } => self.bound |= done,
            Step::CloseIntent => {
                if let (true, Some(intent)) = (done, &mut self.intent) {
                    let hostname = HOSTNAME.parse().ok();
                    intent.outcome = Some(Outcome::Created { tenant_id: super::world::ID.parse().unwrap(), hostname });
                }
            }
            Step::RecordRelease => {
                if done {
                    self.open_record(Trigger::Release, true);
                    self.enter(OffboardingEvent::Released);
                    self.let_go = true;
                }
            }
            Step::NoteCall { days, .. } => {
                if done {
                    let (now, days) = (self.now, Some(days));
                    let called = crate::crd::OffboardingEntry { days, ..entry(OffboardingEvent::Called, now) };
                    self.note_entry(&called);
                }
            }
            Step::OpenRecord(trigger) => self.open_record(trigger, done),
            Step::RestoreRecord(record) => self.records.extend(done.then_some(*record)),
            Step::Deactivate { confirm, .. } => {
                self.check_deactivation(&confirm);
                self.note(IntentStep::Deactivate, if lost { Call::Unknown } else { Call::NoEffect });
                if lost {
                    self.unknown_since = Some(self.now);
                }
                if done {
                    self.deactivated += 1;
                    self.decisions = self.decisions.checked_sub(1).expect("a deactivation that nobody decided");
                    self.tenant = Tenant::Off(self.now + SignedDuration::from_hours(24 * 30));
                }
                if fate == Fate::Done {
                    self.note(IntentStep::Deactivate, Call::Closed);
                    let at = self.now + SignedDuration::from_hours(24 * 30);
                    self.process.answered = Some((self.now, Some(at)));
                    self.schedule(Some(at), Some(Evidence::Date));
                }
            }
            Step::Unbind | Step::RestartWindow { .. } => unreachable!("nobody asked for it"),
            Step::Schedule { purge_at, evidence, .. } if done => {
                self.unknown_since = None;
                self.schedule(purge_at, evidence);
            }
            Step::Reactivate { .. } => {
                assert!(!self.deleting && self.want.lifecycle == Lifecycle::Active, "reactivated unasked");
                if done && matches!(self.tenant, Tenant::Off(_)) {
                    self.status_changed = Some(self.now);
                    self.tenant = Tenant::Active;
                }
                if fate == Fate::Done {
                    self.process.reactivated = Some(self.now);
                }
            }
            Step::CloseRecord { record, phase } if done => {
                let event = match phase {
                    OffboardingPhase::Cancelled => OffboardingEvent::Cancelled,
                    _ => OffboardingEvent::Reactivated,
                };
                let over = entry(event, self.now);
                let record = self.records.iter_mut().find(|r| r.name == record).expect("on record");
                record.state = record.state.clone().after(&over);
            }
            Step::Announce(_) | Step::Patch(_) | Step::Schedule { .. } | Step::CloseRecord { .. } => {}
            Step::PlanErasure { .. } | Step::Erase(_) | Step::ConfirmErasure { .. } => unreachable!("nothing to erase"),
        }
    }

    fn check_deactivation(&self, confirm: &Hostname) {
        assert!(self.deleting || self.want.lifecycle == Lifecycle::Deactivated, "deactivated while declared Active");
        assert!(!self.deleting || self.want.on_delete == OnDelete::Deactivate, "deactivated though retained");
        assert_eq!(Some(confirm), self.want.confirm.as_ref(), "not the hostname that was written");
        assert_eq!(confirm.as_str(), HOSTNAME, "not the tenant's hostname");
        assert_eq!(self.tenant, Tenant::Active, "deactivated once more: the countdown would restart");
        let announced = self.intent.as_ref().expect("announced first").at;
        let noted = |r: &RecordSeen| r.phase() == OffboardingPhase::Requested && r.state.has_call(30, announced);
        assert!(self.records.iter().any(noted), "without a record");
        if let Some(since) = self.unknown_since {
            let age = self.now.duration_since(since);
            let take_over = SignedDuration::try_from(TAKE_OVER).unwrap();
            assert!(age >= take_over || self.meddled, "called again {age} after a call of unknown outcome");
        }
    }

    fn open_record(&mut self, trigger: Trigger, done: bool) {
        if !done {
            return;
        }
        let announced = self.intent.as_ref().and_then(|intent| intent.record.clone());
        let name = match trigger {
            Trigger::OutOfBand | Trigger::Release => format!("acme-out-{}", self.records.len()),
            Trigger::Lifecycle | Trigger::Deletion => announced.expect("announced first"),
        };
        if trigger != Trigger::Release {
            self.offboarding = Some(name.clone());
        }
        self.process.answered = None;
        self.records.push(RecordSeen {
            name,
            tenant_id: ID.parse().unwrap(),
            hostnames: vec![HOSTNAME.into()],
            tenant_name: "acme".into(),
            uid: "uid".into(),
            trigger,
            requested_at: self.now,
            purge_after_days: 30,
            copied: false,
            state: crate::plan::offboarding::history::State::default(),
            secrets: Vec::new(),
        });
        if matches!(trigger, Trigger::Lifecycle | Trigger::Deletion) {
            let called = crate::crd::OffboardingEntry { days: Some(30), ..entry(OffboardingEvent::Called, self.now) };
            self.note_entry(&called);
        }
    }

    fn schedule(&mut self, purge_at: Option<Timestamp>, evidence: Option<Evidence>) {
        self.note_entry(&record::scheduled(self.now, purge_at, evidence));
    }

    fn enter(&mut self, event: OffboardingEvent) {
        self.note_entry(&entry(event, self.now));
    }

    /// Adds to the newest record.
    fn note_entry(&mut self, entry: &crate::crd::OffboardingEntry) {
        let record = self.records.iter_mut().max_by_key(|r| r.requested_at).expect("on record");
        record.state = record.state.clone().after(entry);
    }
}
