//! What humans and time do to the world of the model.

use super::world::{Status, Stored, World};
use crate::crd::Reason;
use jiff::SignedDuration;

/// A request that got no answer takes effect within this time or never: the deadline of a call.
const LANDS_WITHIN: i64 = 25;

impl World {
    pub(super) fn pass(&mut self, seconds: i64) {
        if seconds >= LANDS_WITHIN {
            self.land_all();
        }
        self.now += SignedDuration::from_secs(seconds);
        let late = std::mem::take(&mut self.late);
        for (sent, request) in late {
            if self.now.duration_since(sent).as_secs() >= LANDS_WITHIN {
                let _ = self.commit(&request);
            } else {
                self.late.push((sent, request));
            }
        }
    }

    /// What was sent first arrives.
    pub(super) fn land(&mut self) {
        if !self.late.is_empty() {
            let (_, request) = self.late.remove(0);
            let _ = self.commit(&request);
        }
    }

    pub(super) fn land_all(&mut self) {
        while !self.late.is_empty() {
            self.land();
        }
    }

    fn touch_object(&mut self) {
        self.object.version = self.serial();
    }

    pub(super) fn delete_object(&mut self) {
        self.object.deleting = true;
        self.touch_object();
    }

    pub(super) fn ask_for_rotation(&mut self) {
        self.asked_at = Some(self.now);
        self.object.rotate = Some(format!("r{}", self.serial()));
        self.touch_object();
    }

    // Of the traces that an object has of its client (status, finalizer, mark) one at a time may be lost; the intent too.

    pub(super) fn wipe_status(&mut self) {
        if self.object.held {
            self.object.status = Status::default();
            self.touch_object();
        }
    }

    pub(super) fn remove_intent(&mut self) {
        if self.object.status.id.is_some() {
            self.object.intent = None;
            self.touch_object();
        }
    }

    pub(super) fn edit_secret(&mut self, edit: impl FnOnce(&mut Stored)) {
        self.land_all(); // who takes the announcement away takes it from the calls under way
        self.edited_at = Some(self.now);
        let version = self.serial();
        if let Some(secret) = &mut self.secret {
            edit(secret);
            secret.version = version;
        }
        self.by_hand();
    }

    pub(super) fn delete_secret(&mut self) {
        self.land_all();
        // Who deletes the Secret while two processes are at it may ask once more for a rotation.
        (self.secret, self.asked_at) = (None, None);
        self.by_hand();
    }

    pub(super) fn portal_adds_secret(&mut self) {
        let Some(id) = self.clients.first().map(|client| client.id.clone()) else { return };
        if !self.keys()
            && let Ok(made) = self.make_secret(&id, "human")
        {
            self.human.insert(made.hint);
        }
    }

    /// In the portal one secret (or key) of the client is deleted.
    pub(super) fn portal_takes_secret(&mut self, which: usize) {
        if let Some(client) = self.clients.first_mut() {
            if !client.secrets.is_empty() {
                self.taken.insert(client.secrets.remove(which % client.secrets.len()).hint);
            }
            if !client.public_keys.is_empty() {
                self.taken.insert(client.public_keys.remove(which % client.public_keys.len()).kid);
            }
        }
        self.by_hand();
    }

    pub(super) fn portal_deletes_client(&mut self) {
        self.clients.clear();
        self.by_hand();
    }

    /// What people do who are told that only they can help.
    pub(super) fn help(&mut self, reason: Reason) {
        assert_eq!(reason, Reason::SecretSlotsFull, "nobody can be told to do something about it here");
        let current = self.secret.as_ref().and_then(|secret| secret.current.clone());
        let client = &mut self.clients[0];
        let unused = client.secrets.iter().position(|secret| Some(&secret.hint) != current.as_ref());
        client.secrets.remove(unused.expect("one that is not in use"));
        self.by_hand();
    }
}
