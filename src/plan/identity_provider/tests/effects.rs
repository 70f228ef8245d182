//! What each step does to the model.

use super::world::{Fate, OVERLAP, World};
use crate::plan::identity_provider::{Change, Role, Step};
use crate::plan::intent::{Call, Intent, IntentStep, TAKE_OVER};
use crate::qlik::{IdentityProvider, PendingState, ProviderId};
use serde_json::json;
use std::time::Duration;

impl World {
    pub(super) fn act(&mut self, step: &Step, fate: Fate) {
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
            // Whatever was not done.
            _ => {}
        }
    }

    fn note_step(&mut self, step: &Step) {
        let status = self.draft_mut();
        let record = &mut status.record;
        match step {
            Step::Bind(id) => {
                let from_successor = record.successor.take().is_some_and(|s| s == *id);
                status.print = if from_successor { status.successor_print } else { None };
                record.current = Some(id.clone());
                record.retiring.retain(|(known, _)| known != id);
            }
            Step::Adopt(id) => {
                record.retiring.retain(|(known, _)| known != id);
                (record.successor, status.successor_print) = (Some(id.clone()), None);
            }
            Step::Retire(id, at) => {
                if record.successor.take_if(|successor| successor == id).is_some() {
                    status.successor_print = None;
                }
                record.retiring.push((id.clone(), *at));
            }
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
        self.intent = Some(Intent::new(IntentStep::Create, nonce, "me".to_owned(), self.now));
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
        let intent = self.intent.as_ref().expect("announced first");
        let (nonce, announced) = (intent.nonce.clone(), intent.at);
        let call = match fate {
            Fate::Done => Call::Closed,
            Fate::Refused => Call::NoEffect,
            _ => Call::Unknown,
        };
        self.process.calls.insert(nonce.clone(), call);
        // The announcement is what another process sees, so its time is what counts.
        self.unknown_since = (call == Call::Unknown).then_some(announced);
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
            hidden: Vec::new(),
            written_kid: None,
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
