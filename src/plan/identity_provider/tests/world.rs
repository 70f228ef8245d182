//! A model of the world around one identity provider. It applies the planner's steps the way the operator does.

use crate::crd::KeyAlgorithm;
use crate::plan::Deletion;
use crate::plan::Next;
use crate::plan::child::Place;
use crate::plan::drift::Written;
use crate::plan::identity_provider::{
    Desired, KeySource, Keys, Pair, Print, Record, SecretSeen, Seen, Step, Trial, Turnover, next,
};
use crate::plan::intent::{Call, Intent, IntentSeen};
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
    pub(super) record: Record,
    pub(super) print: Option<u32>,
    pub(super) successor_print: Option<u32>,
    pub(super) trial: Option<(ProviderId, u32, String)>,
    pub(super) settled_intent: Option<String>,
}

#[derive(Default)]
pub(super) struct Process {
    pub(super) calls: HashMap<String, Call>,
    draft: Option<Status>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is one fact about the object")]
pub(super) struct World {
    pub(super) want: Desired,
    pub(super) secret_version: u32,
    pub(super) providers: Vec<IdentityProvider>,
    pub(super) versions: HashMap<ProviderId, u32>,
    pub(super) secret: Option<(String, Option<String>)>,
    pub(super) now: Timestamp,
    pub(super) deleting: bool,
    pub(super) released: bool,
    /// Qlik puts what is made without a trial in use at once, and out of use what was before.
    pub(super) switches: bool,
    pub(super) held: bool,
    pub(super) intent: Option<Intent>,
    status: Status,
    pub(super) process: Process,
    pub(super) rotate: Option<String>,
    pub(super) rotated: Option<String>,
    pub(super) unknown_since: Option<Timestamp>,
    pub(super) count: usize,
    /// Keys that apps may sign with, and until when.
    pub(super) promised: HashMap<String, Option<Timestamp>>,
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

    pub(super) fn draft(&self) -> &Status {
        self.process.draft.as_ref().unwrap_or(&self.status)
    }

    pub(super) fn draft_mut(&mut self) -> &mut Status {
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
            unmarked: Vec::new(),
            written: Written::default(),
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
        if let Some((kid, _)) = self.secret.clone().filter(|_| matches!(self.next(), Next::Settled { .. })) {
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
}
