//! What happens in the model, one event after the other.

use super::process::{Fate, Process};
use super::world::{OVERLAP, World};
use crate::plan::Finding;
use crate::plan::oauth_client::Authentication;
use jiff::SignedDuration;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(super) enum Edit {
    Value,
    Previous,
    Issued,
    Client,
    Minting,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// One request of an operator process.
    Step(usize, Fate),
    /// Several, without trouble.
    Run(usize, usize),
    Restart(usize),
    Pass(i64),
    Land,
    AskForRotation,
    WipeStatus,
    RemoveIntent,
    EditSecret(Edit),
    DeleteSecret,
    PortalAddsSecret,
    PortalTakesSecret(usize),
    PortalDeletesClient,
}

pub(super) struct Story {
    pub(super) world: World,
    pub(super) processes: [Process; 2],
}

impl Story {
    pub(super) fn new(keys: bool, every: Option<Duration>) -> Self {
        let authentication = if keys { Authentication::GeneratedKey } else { Authentication::Secret };
        Self { world: World::new(authentication, every), processes: [Process::new(), Process::new()] }
    }

    pub(super) fn tell(&mut self, events: &[Event]) {
        for event in events {
            self.happen(*event);
        }
    }

    fn happen(&mut self, event: Event) {
        let world = &mut self.world;
        match event {
            Event::Step(who, fate) => self.processes[who].step(world, fate),
            Event::Run(who, steps) => (0..steps).for_each(|_| self.processes[who].step(world, Fate::Done)),
            Event::Restart(who) => self.processes[who].restart(),
            Event::Pass(seconds) => self.pass(seconds),
            Event::Land => world.land(),
            Event::AskForRotation => world.ask_for_rotation(),
            Event::WipeStatus => world.wipe_status(),
            Event::RemoveIntent => world.remove_intent(),
            Event::EditSecret(edit) => world.edit_secret(|secret| match edit {
                Edit::Value => secret.current = Some("garbage".into()),
                Edit::Previous => secret.previous = Some("garbage".into()),
                Edit::Issued => secret.issued.clear(),
                Edit::Client => secret.client.0 = "other".into(),
                Edit::Minting => secret.minting = None,
            }),
            Event::DeleteSecret => world.delete_secret(),
            Event::PortalAddsSecret => world.portal_adds_secret(),
            Event::PortalTakesSecret(which) => world.portal_takes_secret(which),
            Event::PortalDeletesClient => world.portal_deletes_client(),
        }
    }

    fn pass(&mut self, seconds: i64) {
        self.processes.iter_mut().for_each(|process| process.pause(seconds));
        self.world.pass(seconds);
    }

    pub(super) fn delete(&mut self) {
        self.world.delete_object();
    }

    /// Without further faults everything comes to rest; gives time to what needs time.
    pub(super) fn settle(&mut self) {
        let begin = self.world.now;
        for _ in 0..400 {
            let mut recheck = Duration::from_secs(6 * 3600);
            let mut settled = true;
            for process in &mut self.processes {
                let rest = Self::pass_over(process, &mut self.world);
                let Some(rest) = rest else { return self.check_end() };
                let (finding, ready, again) = rest;
                if finding.needs_human {
                    self.world.help(finding.reason);
                }
                settled &= ready;
                recheck = recheck.min(again);
            }
            let age = self.world.now.duration_since(begin);
            let alone = self.world.secret.as_ref().is_some_and(|secret| secret.issued.len() == 1);
            if settled && alone && age > 2 * SignedDuration::try_from(OVERLAP).unwrap() {
                return self.check_end();
            }
            self.pass(i64::try_from(recheck.as_secs()).unwrap().max(1));
        }
        panic!("no rest: {:?}", self.world.secret);
    }

    /// How a process finds the object; `None` when it is gone.
    fn pass_over(process: &mut Process, world: &mut World) -> Option<(Finding, bool, Duration)> {
        for steps in 1..100 {
            process.step(world, Fate::Done);
            if world.object.released {
                return None;
            }
            if let Some(rest) = process.rest.take() {
                process.step(world, Fate::Done); // says so
                return Some(rest);
            }
            if steps % 16 == 0 {
                world.pass(20); // what fails is not tried again at once
            }
        }
        panic!("no rest: {:?}", world.secret);
    }

    fn check_end(&self) {
        let world = &self.world;
        if world.object.released {
            assert!(world.clients.is_empty(), "left behind: {:?}", world.clients);
            return;
        }
        let (secret, client) = (world.secret.as_ref().expect("a Secret"), world.clients.first().expect("a client"));
        assert!(world.carries_what_works());
        assert!(secret.current.as_deref().is_some_and(|value| world.works(value)), "the current one does not work");
        assert_eq!((secret.previous.as_ref(), secret.minting.as_ref()), (None, None));
        let issued: Vec<_> = secret.issued.iter().map(|issued| issued.id.as_str()).collect();
        assert_eq!(issued, [secret.current.as_deref().unwrap()]);
        assert_eq!(world.object.status.rotated, world.object.rotate);
        assert!(world.asked_at.is_none_or(|at| secret.issued[0].created_at >= at), "the rotation was swallowed");
        let ours = client.secrets.iter().map(|secret| secret.hint.as_str()).filter(|hint| !world.human.contains(*hint));
        let keys = client.public_keys.iter().map(|key| key.kid.as_str());
        assert_eq!(ours.chain(keys).collect::<Vec<_>>(), issued, "what Qlik Cloud has is what was issued");
    }
}
