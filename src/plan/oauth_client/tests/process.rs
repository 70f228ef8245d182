//! One operator process, request by request, as `kinds::oauth_client` makes them.

use super::look::{Lens, View, genuine};
use super::world::{Answer, Refused, Request, Status, Stored, World, jwk};
use crate::crd::Reason;
use crate::plan::intent::{ACT_WITHIN, Call, Intent, IntentStep};
use crate::plan::oauth_client::{Authentication, Found, Issued, Minting, Step, next};
use crate::plan::{Finding, Next};
use crate::qlik::{OauthClient, OauthClientChange, OauthClientId};
use std::time::Duration;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Done,
    Refused,
    AnswerLost,
    /// It takes effect when nobody waits for it any more.
    Late,
    DiedBefore,
    DiedAfter,
}

enum Failure {
    NoEffect,
    Unknown,
    Died,
}

/// Where a pass stands.
enum Stage {
    Idle,
    /// The object and the Secret are read, the client is next.
    Looking(View),
    Decided(View, Step),
    Writing(Box<Write>),
    Persisting(Option<u64>, Status),
    Reporting(View, Status),
    Leaving(View),
}

/// The Secret on its way, tried for a while.
struct Write {
    view: View,
    content: Stored,
    over: Option<u64>,
    tries: u8,
    /// The client is new: its id goes to the status, whatever becomes of the Secret.
    created: Option<OauthClientId>,
}

pub(super) struct Process {
    pub(super) lens: Lens,
    stage: Stage,
    /// How the last pass ended, until something happens.
    pub(super) rest: Option<(Finding, bool, Duration)>,
}

impl Process {
    pub(super) fn new() -> Self {
        Self { lens: Lens::default(), stage: Stage::Idle, rest: None }
    }

    pub(super) fn restart(&mut self) {
        *self = Self::new();
    }

    /// A pass does not last longer than this.
    pub(super) fn pause(&mut self, seconds: i64) {
        if seconds > 110 {
            self.stage = Stage::Idle;
        }
    }

    /// One request further.
    pub(super) fn step(&mut self, world: &mut World, fate: Fate) {
        self.rest = None;
        if world.object.released {
            self.stage = Stage::Idle;
            return;
        }
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Idle => self.stage = Stage::Looking(self.lens.read(world)),
            Stage::Looking(mut view) => {
                self.lens.look(world, &mut view);
                self.decide(world, view);
            }
            Stage::Decided(view, step) => self.act(world, (view, step), fate),
            Stage::Writing(write) => self.write(world, *write, fate),
            Stage::Persisting(version, status) => self.put_status(world, (version, status), fate),
            Stage::Reporting(view, status) => {
                let version = self.lens.made.is_none().then_some(view.object.version);
                self.put_status(world, (version, status), fate);
            }
            Stage::Leaving(view) => {
                let _ = self.send(world, Request::Release(view.object.version), fate);
            }
        }
    }

    fn send(&mut self, world: &mut World, request: Request, fate: Fate) -> Result<Answer, Failure> {
        match fate {
            Fate::Done => world.commit(&request).map_err(|Refused| Failure::NoEffect),
            Fate::Refused => Err(Failure::NoEffect),
            Fate::AnswerLost => {
                let _ = world.commit(&request);
                Err(Failure::Unknown)
            }
            Fate::Late => {
                world.late.push((world.now, request));
                Err(Failure::Unknown)
            }
            Fate::DiedBefore => {
                self.restart();
                Err(Failure::Died)
            }
            Fate::DiedAfter => {
                let _ = world.commit(&request);
                self.restart();
                Err(Failure::Died)
            }
        }
    }

    fn put_status(&mut self, world: &mut World, (version, status): (Option<u64>, Status), fate: Fate) {
        if self.send(world, Request::PutStatus(version, status), fate).is_ok() {
            self.lens.made = None;
        }
    }

    fn decide(&mut self, world: &World, mut view: View) {
        view.reflect();
        let (finding, settled, recheck) = match next(&world.want, &view.seen, world.now) {
            Next::Do(step) => {
                self.stage = Stage::Decided(view, step);
                return;
            }
            Next::Release => {
                self.stage = Stage::Leaving(view);
                return;
            }
            Next::Wait { finding, recheck } => (finding, false, recheck),
            Next::Settled { finding, recheck } => (finding, true, recheck),
        };
        let mut status = Status { ready: settled, ..view.draft.clone() };
        if finding.reason == Reason::CounterpartGone {
            status.missing_since = status.missing_since.or(Some(world.now));
        }
        self.rest = Some((finding, settled, recheck));
        if status != view.object.status {
            self.stage = Stage::Reporting(view, status);
        }
    }

    fn act(&mut self, world: &mut World, (view, step): (View, Step), fate: Fate) {
        match step {
            Step::Hold => drop(self.send(world, Request::Hold(view.object.version, None), fate)),
            Step::Announce => {
                let nonce = self.nonce(world);
                let intent = Intent::new(IntentStep::Create, nonce, "me".to_owned(), world.now);
                drop(self.send(world, Request::Hold(view.object.version, Some(intent)), fate));
            }
            Step::Create => self.create(world, view, fate),
            Step::Bind(id) => self.stage = Stage::Persisting(Some(view.object.version), view.bound(id)),
            Step::Forget => {
                self.lens.made = None;
                let status = Status { id: None, missing_since: None, issued: Vec::new(), ..view.draft };
                self.stage = Stage::Persisting(Some(view.object.version), status);
            }
            Step::Reserve { issued, before } => self.reserve(world, view, (issued, before)),
            Step::Mint { former } => self.mint(world, (view, former), fate),
            Step::NewKey { former } => self.new_key(world, (view, former), fate),
            Step::Deliver { issued } => {
                let (current, previous) = view.stored.as_ref().map(|s| genuine(s, &issued)).unwrap_or_default();
                let id = view.id().to_string();
                let content = Stored { client: (id.clone(), id), current, previous, issued, ..Stored::default() };
                self.begin_write(view, content);
            }
            Step::Publish => unreachable!("nobody asked for it"),
            Step::Change(_) | Step::SetConsent(_) | Step::Discard { .. } | Step::Delete(_) => {
                self.plain(world, (view, step), fate);
            }
        }
    }

    fn nonce(&mut self, world: &mut World) -> String {
        let nonce = format!("n{}", world.serial());
        self.lens.calls.insert(nonce.clone(), Call::NotSent);
        nonce
    }

    /// Calls that Qlik Cloud answers with nothing: what they do is taken as seen.
    fn plain(&mut self, world: &mut World, (mut view, step): (View, Step), mut fate: Fate) {
        let keys =
            |changes: &[OauthClientChange]| changes.iter().any(|c| matches!(c, OauthClientChange::PublicKeys(_)));
        if matches!(&step, Step::Change(changes) if keys(changes)) {
            let version = |stored: &Option<Stored>| stored.as_ref().map(|stored| stored.version);
            if version(&world.secret) != version(&view.stored) {
                return; // Raced
            }
            // What nothing can fence: a correction of the keys that arrives after the next rotation.
            fate = if fate == Fate::Late { Fate::AnswerLost } else { fate };
        }
        let id = view.id().clone();
        let request = match &step {
            Step::Change(changes) => Request::PatchClient(id, changes.clone()),
            Step::SetConsent(consent) => Request::SetConsent(id, *consent),
            Step::Discard { hint, .. } => Request::DeleteSecret(id, hint.clone()),
            Step::Delete(id) => Request::DeleteClient(id.clone()),
            other => unreachable!("{other:?}"),
        };
        if self.send(world, request, fate).is_err() {
            return;
        }
        self.lens.touched = Some(world.now);
        let Found::One(client) = &mut view.seen.client else { unreachable!("looked at") };
        match step {
            Step::Change(changes) => changes.iter().for_each(|change| client.apply(change)),
            Step::SetConsent(consent) => client.consent = Some(consent),
            Step::Discard { hint, .. } => client.secrets.retain(|secret| secret.hint != hint),
            _ => view.seen.client = Found::None,
        }
        self.decide(world, view);
    }

    /// A call that must not be made twice, announced under this nonce.
    fn announced(&mut self, world: &mut World, nonce: &str, (request, fate): (Request, Fate)) -> Option<Answer> {
        self.lens.calls.insert(nonce.to_owned(), Call::Unknown);
        let outcome = self.send(world, request, fate);
        match &outcome {
            Ok(_) => drop(self.lens.calls.insert(nonce.to_owned(), Call::Closed)),
            Err(Failure::NoEffect) => drop(self.lens.calls.insert(nonce.to_owned(), Call::NoEffect)),
            Err(Failure::Unknown | Failure::Died) => {}
        }
        outcome.ok()
    }

    fn create(&mut self, world: &mut World, view: View, fate: Fate) {
        let nonce = view.object.intent.as_ref().map(|intent| intent.nonce.clone()).expect("announced");
        let live = world.object.intent.as_ref().map(|intent| &intent.nonce);
        if live != Some(&nonce) || world.object.deleting {
            return; // Raced
        }
        let key =
            (world.want.authentication == Authentication::GeneratedKey).then(|| jwk(&format!("k{}", world.serial())));
        let request = Request::PostClient { key };
        let Some(Answer::Client(client)) = self.announced(world, &nonce, (request, fate)) else { return };
        self.lens.made = Some(client.id.clone());
        self.lens.touched = Some(world.now);
        let made = made_with(&client, world);
        let id = client.id.to_string();
        let content = Stored {
            client: (id.clone(), id),
            current: Some(made.id.clone()),
            issued: vec![made],
            rotated_for: view.seen.rotate.clone(),
            ..Stored::default()
        };
        self.begin_write(view, content);
        if let Stage::Writing(write) = &mut self.stage {
            write.created = Some(client.id);
        }
    }

    fn reserve(&mut self, world: &mut World, view: View, (issued, before): (Vec<Issued>, Vec<String>)) {
        let minting = Some(Minting { nonce: self.nonce(world), at: world.now, before });
        let id = view.id().to_string();
        let stands = view.stored.clone().unwrap_or_default();
        let (current, previous) = (stands.current, stands.previous);
        let client = (id.clone(), id);
        let content = Stored { client, current, previous, issued, minting, ..Stored::default() };
        self.begin_write(view, content);
    }

    fn mint(&mut self, world: &mut World, (view, former): (View, Vec<Issued>), fate: Fate) {
        let nonce = view.minting().expect("announced").nonce.clone();
        let id = view.id().clone();
        let request = Request::PostSecret(id.clone());
        let Some(Answer::Secret(made)) = self.announced(world, &nonce, (request, fate)) else { return };
        self.lens.touched = Some(world.now);
        let made = Issued {
            id: made.hint,
            created_at: made.created_at.unwrap(),
            retires_at: None,
            by: made.created_by,
            fingerprint: Some("f".into()),
            jwk: None,
        };
        let content = Stored {
            client: (id.to_string(), id.to_string()),
            current: Some(made.id.clone()),
            previous: view.held().0,
            issued: std::iter::once(made).chain(former).collect(),
            rotated_for: view.seen.rotate.clone(),
            ..Stored::default()
        };
        self.begin_write(view, content);
    }

    fn new_key(&mut self, world: &mut World, (view, former): (View, Vec<Issued>), fate: Fate) {
        let announced = view.minting().expect("announced").clone();
        let live = world.secret.as_ref().and_then(|secret| secret.minting.as_ref());
        let age = Duration::try_from(world.now.duration_since(announced.at)).unwrap();
        if live != Some(&announced) || age > ACT_WITHIN {
            return; // Raced
        }
        let key = jwk(&format!("k{}", world.serial()));
        let id = view.id().clone();
        let keys = former.iter().filter_map(|issued| issued.jwk.clone()).chain([key.clone()]).collect();
        let request = Request::PatchClient(id.clone(), vec![OauthClientChange::PublicKeys(keys)]);
        if self.announced(world, &announced.nonce, (request, fate)).is_none() {
            return;
        }
        self.lens.touched = Some(world.now);
        let made = key_made(key, world);
        let content = Stored {
            client: (id.to_string(), id.to_string()),
            current: Some(made.id.clone()),
            issued: std::iter::once(made).chain(former).collect(),
            rotated_for: view.seen.rotate.clone(),
            ..Stored::default()
        };
        self.begin_write(view, content);
    }

    fn begin_write(&mut self, view: View, content: Stored) {
        let over = view.stored.as_ref().map(|stored| stored.version);
        self.stage = Stage::Writing(Box::new(Write { view, content, over, tries: 4, created: None }));
    }

    /// As `issue::write_secret`.
    fn write(&mut self, world: &mut World, mut write: Write, fate: Fate) {
        let mut content = write.content.clone();
        content.rotated_for = content.rotated_for.or_else(|| write.view.stored.as_ref()?.rotated_for.clone());
        match self.send(world, Request::PutSecret(write.over, content), fate) {
            Err(Failure::Died) => return,
            Err(Failure::NoEffect | Failure::Unknown) if write.tries > 0 => {
                write.tries -= 1;
                if write.view.may_write_over(world) {
                    write.over = world.secret.as_ref().map(|secret| secret.version);
                    self.stage = Stage::Writing(Box::new(write));
                    return;
                }
            }
            Ok(_) | Err(Failure::NoEffect | Failure::Unknown) => {}
        }
        if let Some(id) = write.created {
            self.stage = Stage::Persisting(None, write.view.bound(id));
        }
    }
}

fn made_with(client: &OauthClient, world: &World) -> Issued {
    if let Some(key) = client.public_keys.first() {
        return key_made(key.clone(), world);
    }
    let secret = client.secrets.first().cloned().expect("made with the client");
    let (created_at, by) = (secret.created_at.unwrap(), secret.created_by);
    Issued { id: secret.hint, created_at, retires_at: None, by, fingerprint: Some("f".into()), jwk: None }
}

fn key_made(key: crate::qlik::Jwk, world: &World) -> Issued {
    let (id, created_at) = (key.kid.clone(), world.now);
    Issued { id, created_at, retires_at: None, by: None, fingerprint: Some("f".into()), jwk: Some(key) }
}
