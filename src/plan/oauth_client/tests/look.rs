//! How a process of the model sees its world: what `kinds::oauth_client::observe` finds out in the real one.

use super::world::{ME, Object, Status, Stored, World};
use crate::plan::Deletion;
use crate::plan::child::Place;
use crate::plan::drift::Written;
use crate::plan::intent::{Call, Intent, IntentSeen};
use crate::plan::oauth_client::{Carried, Content, Found, Issued, Minting, SecretSeen, Seen};
use crate::qlik::{OauthClient, OauthClientId};
use jiff::Timestamp;
use std::collections::HashMap;

/// What a process remembers.
#[derive(Default)]
pub(super) struct Lens {
    pub(super) calls: HashMap<String, Call>,
    pub(super) made: Option<OauthClientId>,
    /// When it last changed the client: lists from before are stale.
    pub(super) touched: Option<Timestamp>,
    /// The last list of the tenant's clients, and when it was asked for.
    list: Option<(Timestamp, Vec<OauthClient>)>,
}

/// What one pass found out.
#[derive(Clone)]
pub(super) struct View {
    pub(super) object: Object,
    pub(super) draft: Status,
    pub(super) stored: Option<Stored>,
    pub(super) seen: Seen,
}

/// The values that the Secret holds, each only if it is the one that was written there.
pub(super) fn genuine(stored: &Stored, issued: &[Issued]) -> (Option<String>, Option<String>) {
    let first = issued.first().filter(|issued| issued.retires_at.is_none()).map(|issued| &issued.id);
    let current = stored.current.clone().filter(|value| Some(value) == first);
    let former = |value: &String| issued.iter().skip(1).any(|issued| issued.id == *value);
    (current, stored.previous.clone().filter(former))
}

impl Lens {
    fn call(&self, nonce: &str) -> Call {
        self.calls.get(nonce).copied().unwrap_or(Call::Unknown)
    }

    fn carried(&self, stored: &Stored) -> Carried {
        let (current, previous) = genuine(stored, &stored.issued);
        let declared = stored.client.0 == stored.client.1 && stored.previous == previous;
        Carried {
            client_id: Some(stored.client.0.clone()),
            issued: stored.issued.clone(),
            minting: stored.minting.clone().map(|minting| (minting.clone(), self.call(&minting.nonce))),
            content: match current {
                None => Content::Lost,
                Some(_) if declared => Content::AsDeclared,
                Some(_) => Content::Repairable,
            },
        }
    }

    /// Reads the object, then the Secret.
    pub(super) fn read(&self, world: &World) -> View {
        let (object, stored) = (world.object.clone(), world.secret.clone());
        let draft = object.status.clone();
        let known = |intent: &Intent| self.call(&intent.nonce);
        let rotate = object.rotate.clone().filter(|asked| Some(asked) != draft.rotated.as_ref());
        let done = stored.as_ref().and_then(|stored| stored.rotated_for.clone());
        let as_known = |issued: &Issued| Issued { by: None, fingerprint: None, jwk: None, ..issued.clone() };
        let seen = Seen {
            deletion: if object.deleting { Deletion::Requested } else { Deletion::None },
            held: object.held,
            place: Place::Usable { id: "t".parse().unwrap(), moved: false },
            intent: match &object.intent {
                None => IntentSeen::None,
                Some(intent) => IntentSeen::Found { intent: intent.clone(), call: known(intent) },
            },
            id: draft.id.clone().or_else(|| self.made.clone()),
            client: Found::NotAsked,
            foreign_mark: false,
            missing_since: draft.missing_since,
            written: Written::default(),
            secret: match &stored {
                _ if object.deleting => SecretSeen::NotWanted,
                None => SecretSeen::Free,
                Some(stored) => SecretSeen::Ours(self.carried(stored)),
            },
            known: draft.issued.iter().map(as_known).collect(),
            me: None,
            rotate: rotate.filter(|asked| Some(asked) != done.as_ref()),
        };
        View { object, draft, stored, seen }
    }

    /// Then the client.
    pub(super) fn look(&mut self, world: &World, view: &mut View) {
        let (seen, deleting) = (&mut view.seen, view.object.deleting);
        let found = match &seen.id {
            None => world.clients.first().cloned(),
            Some(id) => {
                let listed = self.listed(world, id, view.object.status.ready && !deleting);
                let one = || world.clients.iter().find(|client| client.id == *id).cloned();
                let by_mark = || world.clients.first().filter(|_| deleting).cloned();
                listed.filter(|client| seen.agrees_with(client)).or_else(one).or_else(by_mark)
            }
        };
        seen.client = found.map_or(Found::None, |client| Found::One(Box::new(client)));
        if let Found::One(client) = &seen.client {
            let issued: &[Issued] = match &seen.secret {
                SecretSeen::Ours(carried) => &carried.issued,
                _ => &[],
            };
            let explained = |hint: &str| issued.iter().any(|issued| issued.id == hint);
            let asked = !deleting && !client.secrets.iter().all(|secret| explained(&secret.hint));
            seen.me = asked.then(|| ME.to_owned());
        }
    }

    /// While it stands as it should, from a list that is not older than a minute.
    fn listed(&mut self, world: &World, id: &OauthClientId, ordinary: bool) -> Option<OauthClient> {
        let since = |at: Timestamp| world.now.duration_since(at).as_secs();
        let touched = self.touched;
        let fits = |at: Timestamp| since(at) <= 60 && touched.is_none_or(|touched| at > touched);
        if !ordinary {
            return None;
        }
        if !self.list.as_ref().is_some_and(|(at, _)| fits(*at)) {
            if touched.is_some_and(|touched| since(touched) < 90) {
                return None;
            }
            self.list = Some((world.now, world.clients.clone()));
        }
        self.list.as_ref()?.1.iter().find(|client| client.id == *id).cloned()
    }
}

impl View {
    pub(super) fn held(&self) -> (Option<String>, Option<String>) {
        self.stored.as_ref().map(|stored| genuine(stored, &stored.issued)).unwrap_or_default()
    }

    pub(super) fn minting(&self) -> Option<&Minting> {
        self.stored.as_ref()?.minting.as_ref()
    }

    pub(super) fn id(&self) -> &OauthClientId {
        match &self.seen.client {
            Found::One(client) => &client.id,
            other => panic!("no client to work on: {other:?}"),
        }
    }

    pub(super) fn bound(self, id: OauthClientId) -> Status {
        Status { id: Some(id), missing_since: None, ..self.draft }
    }

    /// As `issue::again`: whether what stands there now may be written over.
    pub(super) fn may_write_over(&self, world: &World) -> bool {
        let announced = self.minting().map(|minting| &minting.nonce);
        let there = world.secret.as_ref().map(|there| there.version);
        let under = world.secret.as_ref().and_then(|there| there.minting.as_ref()).map(|minting| &minting.nonce);
        let same = there == self.stored.as_ref().map(|stored| stored.version);
        same || (under.is_some() && under == announced)
    }

    /// As `report::reflect`.
    pub(super) fn reflect(&mut self) {
        let Found::One(client) = &self.seen.client else { return };
        self.draft.missing_since = None;
        if self.seen.id.is_none() {
            return;
        }
        self.draft.id = Some(client.id.clone());
        if let SecretSeen::Ours(carried) = &self.seen.secret {
            self.draft.issued.clone_from(&carried.issued);
        }
        let asked = self.object.rotate.as_ref();
        if asked.is_some() && self.seen.rotate.is_none() {
            self.draft.rotated = asked.cloned();
        }
    }
}
