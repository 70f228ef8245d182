//! How the model is observed: what `kinds::tenant::observe` finds out in the real world.

use super::world::{HOSTNAME, ID, Tenant, World};
use crate::crd::Origin;
use crate::plan::Deletion;
use crate::plan::drift::Written;
use crate::plan::intent::{Call, Intent, IntentSeen, IntentStep, Permit};
use crate::plan::tenant::{AliasSeen, Asks, Bound, Lookup, Seen, View, current_record};
use crate::qlik::{self, Hostname, Hosts, Region, TenantId, TenantStatus};
use jiff::Timestamp;

impl World {
    pub(super) fn see(&self) -> Seen {
        let id: TenantId = ID.parse().unwrap();
        let hosts = Hosts::new("qlikcloud.com".parse().unwrap());
        let host = hosts.tenant(&HOSTNAME.parse().unwrap(), Region::Us).unwrap();
        let known = |intent: &Intent| self.process.calls.get(&intent.nonce).copied().unwrap_or(Call::Unknown);
        let mut intent = match &self.intent {
            None => IntentSeen::None,
            // As it stands in the annotation.
            Some(intent) => IntentSeen::read(serde_json::to_string(intent).ok().as_deref(), known),
        };
        if let IntentSeen::Found { intent, call } = &mut intent
            && self.records.iter().any(|r| Some(&r.name) == intent.record.as_ref() && r.is_resolved())
        {
            *call = Call::Closed;
        }
        let bound = (self.bound || self.process.created).then(|| Bound {
            id: id.clone(),
            host,
            hostnames: vec![HOSTNAME.parse().unwrap()],
            origin: Origin::Created,
        });
        let record = match &bound {
            Some(_) => current_record(&self.records, &id, self.offboarding.as_deref(), self.written).cloned(),
            None => self.records.iter().max_by_key(|r| r.requested_at).cloned(),
        };
        let take_over = intent.permit(IntentStep::Create, self.now) == Permit::TakeOver;
        Seen {
            uid: "uid".into(),
            deletion: if self.deleting { Deletion::Requested } else { Deletion::None },
            held: self.held,
            tenant: if bound.is_some() || intent.created().is_some() { self.view(&id) } else { View::NotAsked },
            bound,
            hostless: None,
            written: Written { outdated: !self.written, ..Written::default() },
            pending_creation: None,
            intent,
            other_owner: None,
            record,
            lost: None,
            previous: None,
            kept: None,
            released: self.let_go,
            alias: AliasSeen::NotAsked,
            lookup: match (take_over, self.organization) {
                (true, true) => Lookup::Found { tenants: self.found(), rivals: 0, nameless: 0, ours: self.ours },
                (true, false) => Lookup::Impossible,
                (false, _) => Lookup::NotAsked,
            },
            doubt: None,
            asks: Asks::default(),
            targets: Vec::new(),
            organization_purge_at: None,
            answered: self.process.answered,
            reactivation_sent: self.process.reactivated.is_some_and(|at| self.now.duration_since(at).as_secs() < 120),
        }
    }

    /// The organization API is asked about the minutes around the announcement.
    fn found(&self) -> Vec<(TenantId, Hostname)> {
        let announced = self.intent.as_ref().map(|intent| intent.at);
        let near = |at: Timestamp| announced.is_some_and(|a| at.duration_since(a).as_secs().abs() < 180);
        let listed = self.created_at.filter(|at| near(*at)).map(|_| (ID.parse().unwrap(), HOSTNAME.parse().unwrap()));
        listed.into_iter().collect()
    }

    fn view(&self, id: &TenantId) -> View {
        match self.tenant {
            Tenant::None | Tenant::Purged => View::Gone,
            Tenant::Off(_) => View::Disabled,
            Tenant::Active => View::Active(Box::new(qlik::Tenant {
                id: id.clone(),
                name: Some("Acme".into()),
                hostnames: vec![HOSTNAME.parse().unwrap()],
                status: TenantStatus::Active,
                region: None,
                created: None,
                status_changed: self.status_changed.or(self.created_at).filter(|_| self.says_when),
                created_by: None,
                settings: qlik::TenantSettings::default(),
            })),
        }
    }
}
