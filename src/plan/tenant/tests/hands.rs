//! What people do in the portal and to the object.

use super::world::{Tenant, World};
use jiff::SignedDuration;

impl World {
    pub(super) fn portal_off(&mut self) {
        if self.tenant == Tenant::Active {
            self.tenant = Tenant::Off(self.now + SignedDuration::from_hours(24 * 30));
            self.meddled = true;
        }
    }

    pub(super) fn portal_on(&mut self) {
        if matches!(self.tenant, Tenant::Off(_)) {
            self.pass(10); // nobody in the portal is faster
            self.tenant = Tenant::Active;
            self.status_changed = Some(self.now);
            self.meddled = true;
        }
    }

    // An object has three traces of its tenant: status, intent, finalizer. One at a time may be lost; an object without
    // any of them cannot be told from a new one.

    pub(super) fn wipe_status(&mut self) {
        if !self.held && self.intent.is_none() {
            return;
        }
        (self.bound, self.written, self.offboarding) = (false, false, None);
        self.meddled = true;
    }

    pub(super) fn remove_intent(&mut self) {
        if !self.held && !self.bound {
            return;
        }
        self.intent = None;
        self.meddled = true;
    }

    pub(super) fn remove_finalizer(&mut self) {
        if self.intent.is_none() && !self.bound {
            return;
        }
        self.held = false;
        self.meddled = true;
    }

    pub(super) fn confirm(&mut self, hostname: Option<&str>) {
        self.want.confirm = hostname.map(|h| h.parse().unwrap());
    }
}
