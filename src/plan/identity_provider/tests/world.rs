//! A model of the world around one identity provider. It applies the planner's steps the way the operator does.

use crate::crd::KeyAlgorithm;
use crate::plan::Next;
use crate::plan::child::{Deletion, Place};
use crate::plan::identity_provider::{
    Change, Desired, KeySource, Keys, Pair, Print, Record, Role, SecretSeen, Seen, Step, Trial, Turnover, next,
};
use crate::plan::intent::{Call, Intent, IntentSeen, IntentStep, TAKE_OVER};
use crate::qlik::{IdentityProvider, PendingState, Protocol, ProviderId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;

/// What becomes of the call that a step makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Done,
    DoneAnswerLost,
    NotDoneAnswerLost,
    Refused,
    DoneThenDied,
    DiedBefore,
    DiedMidway,
}

/// The kinds of providers that differ in what can be done to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Login,
    TriedLogin,
    Saml,
    Machine,
    Generated,
}

pub(super) const OVERLAP: Duration = Duration::from_secs(3600);

/// What a status remembers, with versions of the client secret in place of fingerprints.
#[derive(Clone, Default)]
pub(super) struct Status {
    record: Record,
    print: Option<u32>,
    successor_print: Option<u32>,
    trial: Option<(ProviderId, u32, String)>,
    settled_intent: Option<String>,
}

#[derive(Default)]
pub(super) struct Process {
    calls: HashMap<String, Call>,
    draft: Option<Status>,
}

pub(super) struct World {
    pub(super) want: Desired,
    secret_version: u32,
    pub(super) providers: Vec<IdentityProvider>,
    versions: HashMap<ProviderId, u32>,
    pub(super) secret: Option<(String, Option<String>)>,
    pub(super) now: Timestamp,
    pub(super) deleting: bool,
    pub(super) released: bool,
    /// Qlik puts what is made without a trial in use at once, and out of use what was before.
    switches: bool,
    held: bool,
    intent: Option<Intent>,
    status: Status,
    pub(super) process: Process,
    rotate: Option<String>,
    rotated: Option<String>,
    unknown_since: Option<Timestamp>,
    count: usize,
    /// Keys that apps may sign with, and until when.
    promised: HashMap<String, Option<Timestamp>>,
    /// Somebody changed something by hand, or a process died half-way, since the last rest.
    pub(super) disturbed: bool,
}

impl World {
    pub(super) fn new(kind: Kind, switches: bool) -> Self {
        let (protocol, interactive) = match kind {
            Kind::Login | Kind::TriedLogin => (Protocol::Oidc, true),
            Kind::Machine => (Protocol::Oidc, false),
            Kind::Saml => (Protocol::Saml, true),
            Kind::Generated => (Protocol::Jwt, false),
        };
        let want = Desired {
            protocol,
            product: if protocol == Protocol::Jwt { "external" } else { "okta" },
            interactive,
            active: true,
            description: "mark".into(),
            clock_tolerance_sec: None,
            create_new_users_on_login: None,
            post_logout_redirect_uri: None,
            options: json!({ "issuer": "0" }),
            tried: kind == Kind::TriedLogin,
            key: if kind == Kind::Generated { KeySource::Generated(KeyAlgorithm::ES384) } else { KeySource::None },
            turnover: Turnover { every: Some(Duration::from_secs(86_400)), overlap: OVERLAP },
            orphan: false,
            interval: Duration::from_secs(1800),
        };
        Self {
            want,
            secret_version: 0,
            providers: Vec::new(),
            versions: HashMap::new(),
            secret: None,
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            deleting: false,
            released: false,
            switches,
            held: false,
            intent: None,
            status: Status::default(),
            process: Process::default(),
            rotate: None,
            rotated: None,
            unknown_since: None,
            count: 0,
            promised: HashMap::new(),
            disturbed: false,
        }
    }

    pub(super) fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    pub(super) fn restart(&mut self) {
        self.process = Process::default();
    }

    pub(super) fn edit(&mut self, n: u8) {
        self.want.options["issuer"] = json!(n.to_string());
    }

    pub(super) fn change_product(&mut self) {
        if self.want.protocol != Protocol::Jwt {
            self.want.product = if self.want.product == "okta" { "generic" } else { "okta" };
        }
    }

    pub(super) fn change_secret(&mut self) {
        self.secret_version += u32::from(self.want.protocol == Protocol::Oidc);
    }

    pub(super) fn ask_rotation(&mut self) {
        self.count += 1;
        self.rotate = Some(format!("r{}", self.count));
    }

    pub(super) fn set_active(&mut self, active: bool) {
        self.want.active = active || self.want.protocol == Protocol::Jwt;
        self.disturbed = true; // what people ask for is no fault of the operator
    }

    pub(super) fn hand_deactivates(&mut self) {
        self.disturbed = true;
        if self.want.protocol != Protocol::Jwt {
            self.providers.iter_mut().for_each(|provider| provider.active = false);
        }
    }

    pub(super) fn hand_deletes(&mut self) {
        self.disturbed = true;
        if let Some(gone) = self.providers.pop() {
            self.promised.remove(gone.kid().unwrap_or_default());
        }
    }

    pub(super) fn hand_edits(&mut self) {
        self.disturbed = true;
        if self.want.protocol != Protocol::Jwt
            && let Some(provider) = self.providers.first_mut()
            && let Some(options) = &mut provider.options
        {
            options["issuer"] = json!("by hand");
        }
    }

    pub(super) fn hand_deletes_secret(&mut self) {
        self.disturbed = true;
        self.secret = None;
    }

    pub(super) fn human_tries(&mut self, works: bool) {
        for provider in self.providers.iter_mut().filter(|provider| provider.pending_options.is_some()) {
            provider.pending_state = Some(if works { PendingState::Verified } else { PendingState::Error });
        }
    }

    pub(super) fn wipe_status(&mut self) {
        self.disturbed = true;
        self.status = Status::default();
        self.process.draft = None;
    }

    fn draft(&self) -> &Status {
        self.process.draft.as_ref().unwrap_or(&self.status)
    }

    fn draft_mut(&mut self) -> &mut Status {
        self.process.draft.get_or_insert_with(|| self.status.clone())
    }

    pub(super) fn see(&self) -> Seen {
        let status = self.draft().clone();
        let print = |stored: Option<u32>| match stored {
            None => Print::Unknown,
            Some(version) if version == self.secret_version => Print::Same,
            Some(_) => Print::Differs,
        };
        let known = |intent: &Intent| match self.process.calls.get(&intent.nonce) {
            Some(call) => *call,
            None if status.settled_intent.as_ref() == Some(&intent.nonce) => Call::Closed,
            None => Call::Unknown,
        };
        let intent = self.intent.clone().map_or(IntentSeen::None, |intent| {
            let call = known(&intent);
            IntentSeen::Found { intent, call }
        });
        let pair = |kid: &String| Pair { kid: kid.clone(), fits: true };
        let secret = match (&self.want.key, &self.secret) {
            (KeySource::Generated(_), None) => SecretSeen::Free,
            (KeySource::Generated(_), Some((current, staged))) => SecretSeen::Ours(Keys {
                current: Some(pair(current)),
                staged: staged.as_ref().map(pair),
                in_sync: true,
            }),
            (KeySource::None | KeySource::Given { .. }, _) => SecretSeen::NotWanted,
        };
        let mut seen = Seen {
            deletion: if self.deleting { Deletion::Requested } else { Deletion::None },
            held: self.held,
            place: Place::Usable { id: "tenant".parse().unwrap(), moved: false },
            intent,
            looked: true,
            mine: self.providers.clone(),
            version: None,
            record: Record {
                print: print(status.print),
                successor_print: print(status.successor_print),
                trial: status.trial.map(|(id, written, version)| Trial {
                    id,
                    print: print(Some(written)),
                    version: Some(version),
                }),
                ..status.record
            },
            rival: None,
            occupant: None,
            secret,
            rotate: self.rotate.clone().filter(|_| self.rotate != self.rotated),
        };
        let version = |p: &IdentityProvider| Some((p.id.clone(), p.pending_options.as_ref()?.to_string()));
        seen.version = seen.on_trial().and_then(version);
        seen
    }

    pub(super) fn next(&self) -> Next<Step> {
        next(&self.want, &self.see(), self.now)
    }

    /// Without further faults everything comes to rest; gives time to what needs time, and humans do what they are asked.
    pub(super) fn settle(&mut self) {
        let mut calm = 0;
        for _ in 0..200 {
            if self.released {
                return;
            }
            match self.next() {
                Next::Do(_) | Next::Release => self.turn(Fate::Done),
                Next::Wait { finding, .. } if finding.needs_human => {
                    self.publish();
                    self.human_tries(true);
                    assert!(self.providers.iter().any(|p| p.pending_options.is_some()), "{finding:?}");
                }
                Next::Wait { .. } => {
                    self.publish();
                    self.pass(301);
                }
                Next::Settled { .. } if calm > 0 => return self.publish(),
                Next::Settled { .. } => {
                    calm += 1;
                    self.publish();
                    self.pass(601);
                }
            }
        }
        panic!("no rest after 200 turns, at {:?}", self.next());
    }

    /// What is so whenever an object rests.
    pub(super) fn check_rest(&self) {
        let status = self.draft();
        let known = |p: &IdentityProvider| {
            Some(&p.id) == status.record.current.as_ref()
                || status.record.retiring.iter().any(|(id, at)| *id == p.id && *at > self.now)
        };
        assert!(self.providers.iter().all(known), "{:?} beside {:?}", self.providers, status.record);
        let current = self.providers.iter().find(|p| Some(&p.id) == status.record.current.as_ref()).expect("there");
        assert_eq!(current.active, self.want.active);
        assert_eq!(current.options.as_ref().unwrap()["issuer"], self.want.options["issuer"]);
        // Whether a login that was tried still has the declared secret, nobody can tell whose status was lost.
        let told = self.want.protocol == Protocol::Oidc && (!self.want.tried || status.print.is_some());
        assert!(!told || self.versions[&current.id] == self.secret_version, "the secret is not the declared one");
        if let Some((kid, staged)) = &self.secret {
            assert_eq!((current.kid(), staged), (Some(kid.as_str()), &None));
        }
    }

    pub(super) fn publish(&mut self) {
        if let Some(draft) = self.process.draft.take() {
            self.status = draft;
        }
        if self.secret.is_some() && matches!(self.next(), Next::Settled { .. }) {
            let kid = self.secret.as_ref().unwrap().0.clone();
            self.promised.insert(kid, None);
        }
        if let Next::Settled { .. } = self.next() {
            self.disturbed = false;
        }
    }

    pub(super) fn turn(&mut self, fate: Fate) {
        if self.released {
            return;
        }
        let login = self.reigns();
        match self.next() {
            Next::Do(_) if fate == Fate::DiedBefore => self.restart(),
            Next::Do(step) => {
                self.act(&step, fate);
                match fate {
                    Fate::Done => {}
                    Fate::DoneThenDied | Fate::DiedMidway => self.restart(),
                    Fate::DoneAnswerLost | Fate::NotDoneAnswerLost | Fate::Refused | Fate::DiedBefore => self.publish(),
                }
                let midway = fate == Fate::DiedMidway && matches!(step, Step::Switch { .. });
                self.disturbed |= midway;
                let wanted = self.want.reigns() && !self.deleting;
                assert!(
                    !wanted || !login || self.disturbed || self.reigns(),
                    "nobody can log in after {step:?} {fate:?}"
                );
            }
            Next::Release => {
                self.released = self.deleting;
                assert!(self.providers.is_empty(), "left behind: {:?}", self.providers);
            }
            Next::Settled { .. } | Next::Wait { .. } => self.publish(),
        }
        let active = self.providers.iter().filter(|p| p.active && p.interactive).count();
        assert!(active <= 1, "two logins");
        if let Some((kid, _)) = self.secret.as_ref().filter(|(kid, _)| self.promised.contains_key(kid)) {
            let known = self.providers.iter().any(|p| p.kid() == Some(kid.as_str()));
            assert!(known || self.deleting, "the Secret's key stopped working");
        }
    }

    fn reigns(&self) -> bool {
        self.providers.iter().any(|p| p.active && p.interactive)
    }

    fn act(&mut self, step: &Step, fate: Fate) {
        let done = matches!(fate, Fate::Done | Fate::DoneAnswerLost | Fate::DoneThenDied);
        match step {
            Step::Hold => self.held |= done,
            Step::Announce if done => self.announce(),
            Step::NewKey | Step::StageKey | Step::PromoteKey if done => self.write_secret(step),
            Step::Create { role, kid } => self.create(*role, kid.as_ref(), fate),
            Step::Change(id, changes) if done => self.change(id, changes, fate),
            Step::Promote(id, _) if done => self.promote(id, fate),
            Step::Switch { from, to } => {
                self.set_provider(from, |p| p.active = !(done || fate == Fate::DiedMidway));
                self.set_provider(to, |p| p.active = done);
            }
            Step::Delete(id) if done => {
                let gone = self.providers.iter().find(|p| p.id == *id).expect("deletes what is there");
                let until = self.promised.get(gone.kid().unwrap_or_default()).copied().flatten();
                assert!(self.deleting || until.is_none_or(|at| self.now >= at), "a key went before its time");
                self.providers.retain(|p| p.id != *id);
            }
            // What only the status keeps.
            Step::Bind(_) | Step::Adopt(_) | Step::Retire(..) | Step::Forget | Step::Succeed(_)
                if fate == Fate::Done =>
            {
                self.note_step(step);
            }
            Step::Announce | Step::NewKey | Step::StageKey | Step::PromoteKey | Step::WriteSecret => {}
            Step::Change(..) | Step::Promote(..) | Step::Delete(_) => {}
            Step::Bind(_) | Step::Adopt(_) | Step::Retire(..) | Step::Forget | Step::Succeed(_) => {}
        }
    }

    fn note_step(&mut self, step: &Step) {
        let status = self.draft_mut();
        let record = &mut status.record;
        match step {
            Step::Bind(id) => {
                let from_successor = record.successor.take().filter(|s| s == id).is_some();
                status.print = if from_successor { status.successor_print } else { None };
                record.current = Some(id.clone());
                record.retiring.retain(|(known, _)| known != id);
            }
            Step::Adopt(id) => {
                record.retiring.retain(|(known, _)| known != id);
                (record.successor, status.successor_print) = (Some(id.clone()), None);
            }
            Step::Retire(id, at) => record.retiring.push((id.clone(), *at)),
            Step::Forget => (record.current, status.print) = (None, None),
            Step::Succeed(at) => {
                let former = record.current.take().expect("there was one");
                record.retiring.push((former, *at));
                record.current = record.successor.take();
                status.print = status.successor_print.take();
                record.key_since = None;
            }
            other => panic!("{other:?} is not kept in the status"),
        }
    }

    fn announce(&mut self) {
        self.count += 1;
        let nonce = format!("n{}", self.count);
        self.process.calls.insert(nonce.clone(), Call::NotSent);
        self.held = true;
        let (step, holder, at) = (IntentStep::Create, "me".to_owned(), self.now);
        self.intent = Some(Intent { step, nonce, holder, at, record: None, replaces: None });
    }

    fn write_secret(&mut self, step: &Step) {
        self.count += 1;
        let fresh = format!("k{}", self.count);
        let former = self.secret.take();
        self.secret = match (step, former) {
            (Step::PromoteKey, Some((former, Some(staged)))) => {
                let until = self.now + OVERLAP;
                self.promised.entry(former).and_modify(|at| *at = Some(until));
                self.promised.insert(staged.clone(), None);
                Some((staged, None))
            }
            (Step::StageKey, Some((current, _))) => Some((current, Some(fresh))),
            _ => Some((fresh, None)),
        };
        if *step != Step::PromoteKey {
            self.rotated = self.rotate.clone();
        }
    }

    fn create(&mut self, role: Role, kid: Option<&String>, fate: Fate) {
        assert!(self.held, "nothing is made for an object that nobody holds");
        if let Some(since) = self.unknown_since {
            let age = Duration::try_from(self.now.duration_since(since)).unwrap();
            assert!(age >= TAKE_OVER || self.disturbed, "made again {age:?} after a call of unknown outcome");
        }
        let nonce = self.intent.as_ref().expect("announced first").nonce.clone();
        let call = match fate {
            Fate::Done => Call::Closed,
            Fate::Refused => Call::NoEffect,
            _ => Call::Unknown,
        };
        self.process.calls.insert(nonce.clone(), call);
        self.unknown_since = (call == Call::Unknown).then_some(self.now);
        if !matches!(fate, Fate::Done | Fate::DoneAnswerLost | Fate::DoneThenDied) {
            return;
        }
        self.count += 1;
        let id: ProviderId = format!("p{}", self.count).parse().unwrap();
        let mut options = self.want.options.clone();
        if let Some(kid) = kid {
            options["staticKeys"] = json!([{ "kid": kid }]);
        }
        let at_once = self.switches && self.want.interactive && !self.want.tried;
        if at_once {
            self.providers.iter_mut().for_each(|p| p.active = false);
        }
        let want = &self.want;
        self.providers.push(IdentityProvider {
            id: id.clone(),
            protocol: want.protocol,
            provider: want.product.to_owned(),
            interactive: want.interactive,
            active: !want.interactive || at_once,
            description: want.description.clone(),
            clock_tolerance_sec: None,
            create_new_users_on_login: None,
            post_logout_redirect_uri: None,
            created: Some(self.now),
            options: (!want.tried).then(|| options.clone()),
            pending_options: want.tried.then_some(options),
            pending_state: want.tried.then_some(PendingState::Pending),
            pending_answer: None,
        });
        self.versions.insert(id.clone(), self.secret_version);
        if fate == Fate::Done {
            let (version, tried) = (self.secret_version, self.want.tried);
            let pending = self.want.options.to_string();
            let status = self.draft_mut();
            status.settled_intent = Some(nonce);
            if tried {
                status.trial = Some((id.clone(), version, pending));
            }
            let print = Some(version).filter(|_| !tried);
            match role {
                Role::Only => (status.record.current, status.print) = (Some(id), print),
                Role::Successor => (status.record.successor, status.successor_print) = (Some(id), print),
            }
        }
    }

    fn set_provider(&mut self, id: &ProviderId, change: impl FnOnce(&mut IdentityProvider)) {
        change(self.providers.iter_mut().find(|p| p.id == *id).expect("changes what is there"));
    }

    fn change(&mut self, id: &ProviderId, changes: &[Change], fate: Fate) {
        let (options, version) = (self.want.options.clone(), self.secret_version);
        for change in changes {
            let options = options.clone();
            match change {
                Change::Active(true) if self.want.interactive => {
                    assert!(self.providers.iter().all(|p| !p.active), "a second login");
                    self.set_provider(id, |p| p.active = true);
                }
                Change::Active(active) => self.set_provider(id, |p| p.active = *active),
                Change::Options => {
                    self.set_provider(id, |p| p.options = Some(options));
                    self.versions.insert(id.clone(), version);
                }
                Change::Pending => self.set_provider(id, |p| {
                    (p.pending_options, p.pending_state) = (Some(options), Some(PendingState::Pending));
                }),
                Change::Description | Change::ClockTolerance | Change::PostLogout => {}
            }
        }
        if fate != Fate::Done {
            return;
        }
        let is_current = self.draft().record.current.as_ref() == Some(id);
        let status = self.draft_mut();
        if changes.contains(&Change::Options) {
            *(if is_current { &mut status.print } else { &mut status.successor_print }) = Some(version);
        }
        if changes.contains(&Change::Pending) {
            status.trial = Some((id.clone(), version, options.to_string()));
        }
    }

    fn promote(&mut self, id: &ProviderId, fate: Fate) {
        let written = self
            .draft()
            .trial
            .clone()
            .filter(|(of, ..)| of == id)
            .map_or(self.secret_version, |(_, written, _)| written);
        self.set_provider(id, |p| {
            assert_eq!(p.pending_state, Some(PendingState::Verified));
            p.options = p.pending_options.take();
            p.pending_state = None;
        });
        self.versions.insert(id.clone(), written);
        if fate == Fate::Done {
            let is_current = self.draft().record.current.as_ref() == Some(id);
            let status = self.draft_mut();
            let print = status.trial.take().filter(|(of, ..)| of == id).map(|(_, written, _)| written);
            *(if is_current { &mut status.print } else { &mut status.successor_print }) = print;
        }
    }
}
