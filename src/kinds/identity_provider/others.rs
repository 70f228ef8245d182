//! The other objects and providers of a tenant: of those through which people log in, one can be in use.

use super::super::parent::Parent;
use super::observe::marker;
use crate::crd::QlikIdentityProvider;
use crate::engine::Context;
use crate::plan::identity_provider::{Desired, Occupant};
use crate::plan::marker::Marker;
use crate::qlik::{IdentityProvider, ProviderId};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::Store;

/// What the cache knows of them.
pub(super) struct Others<'a> {
    pub(super) object: &'a QlikIdentityProvider,
    pub(super) parent: &'a Parent,
    pub(super) cx: &'a Context,
}

impl Others<'_> {
    fn all(&self) -> impl Iterator<Item = QlikIdentityProvider> + '_ {
        let stores = self.cx.caches.identity_providers.iter();
        let all = stores.flat_map(Store::state).filter_map(|lean| lean.0.0.as_ref().ok().cloned());
        all.filter(|other| other.uid() != self.object.uid())
    }

    /// Objects of another namespace may name the same tenant, by adoption.
    fn is_of_this_tenant(&self, other: &QlikIdentityProvider) -> bool {
        let same_name = other.namespace() == self.object.namespace()
            && other.spec.tenant_ref.name == self.object.spec.tenant_ref.name;
        let recorded = other.status.as_ref().and_then(|status| status.tenant.as_ref());
        same_name || recorded.is_some_and(|tenant| tenant.id == self.parent.id.as_str())
    }

    /// The oldest object that asks for people's login, if it is older than this one.
    pub(super) fn rival(&self) -> Option<String> {
        let rivals = self.all().filter(|other| wants(other) && self.is_of_this_tenant(other));
        let oldest = rivals.min_by_key(age)?;
        (age(&oldest) < age(self.object)).then(|| title(&oldest))
    }

    /// The providers of which it cannot be told whether they are what a lost call made: no description is shown of them, and
    /// what is shown is like what was to be made.
    pub(super) fn unmarked(&self, list: &[IdentityProvider], want: &Desired) -> Vec<ProviderId> {
        let same = |name: &str, have: &str, want: &str, p: &IdentityProvider| p.hides(name) || have == want;
        let issuer = |p: &IdentityProvider| p.option("issuer").is_none_or(|have| have == want.issuer());
        let alike = |p: &&IdentityProvider| {
            p.hides("description")
                && same("protocol", p.protocol.as_str(), want.protocol.as_str(), p)
                && same("provider", &p.provider, want.product, p)
                && issuer(p)
        };
        let theirs = |p: &&IdentityProvider| {
            let recorded = |other: &QlikIdentityProvider| other.status.as_ref().and_then(|s| s.provider_id.clone());
            self.all().any(|other| recorded(&other).as_deref() == Some(p.id.as_str()))
        };
        list.iter().filter(alike).filter(|p| !theirs(p)).map(|p| p.id.clone()).collect()
    }

    /// The provider of others through which people log in now, or may. The login with a Qlik Account is none.
    pub(super) fn occupant(&self, list: &[IdentityProvider], mine: &[IdentityProvider]) -> Option<Occupant> {
        let is_mine = |id: &ProviderId| mine.iter().any(|provider| provider.id == *id);
        let reigns = |p: &&IdentityProvider| p.may_reign() && p.provider != QLIK_ACCOUNT && !is_mine(&p.id);
        let found = list.iter().filter(reigns).filter_map(|found| {
            let (owner, shown) = (self.owner(found), found.reigns());
            // Of one that may be in use its object tells more.
            let kept_out = !shown && owner.as_ref().is_some_and(|owner| !wants(owner));
            (!kept_out).then(|| Occupant { id: found.id.clone(), object: owner.as_ref().map(title), shown })
        });
        found.min_by_key(|occupant| (!occupant.shown, occupant.object.is_some()))
    }

    /// The object that a provider belongs to.
    fn owner(&self, provider: &IdentityProvider) -> Option<QlikIdentityProvider> {
        let mark = Marker::split(&provider.description).1;
        self.all().find(|other| {
            let recorded = other.status.as_ref().and_then(|status| status.provider_id.as_deref());
            mark.as_ref().is_some_and(|mark| mark.same_place(&marker(other, self.cx)))
                || (mark.is_none() && recorded == Some(provider.id.as_str()))
        })
    }
}

/// Whether an object asks for people's login.
fn wants(object: &QlikIdentityProvider) -> bool {
    let interactive = object.spec.saml.is_some() || object.spec.oidc.as_ref().is_some_and(|oidc| oidc.interactive);
    interactive && object.spec.active && object.metadata.deletion_timestamp.is_none()
}

/// Qlik's word for the login that every tenant has.
const QLIK_ACCOUNT: &str = "qlik";

/// What orders those who ask for a login. Kubernetes' dates have whole seconds: of two of the same second the one that has
/// the login keeps it, and where neither has, the name decides.
fn age(object: &QlikIdentityProvider) -> (Timestamp, bool, String) {
    let created = object.metadata.creation_timestamp.as_ref().map_or(Timestamp::MAX, |at| at.0);
    let status = object.status.as_ref();
    let has_it = status.is_some_and(|status| status.provider_id.is_some() && status.active == Some(true));
    (created, !has_it, title(object))
}

fn title(object: &QlikIdentityProvider) -> String {
    format!("QlikIdentityProvider {}/{}", object.namespace().unwrap_or_default(), object.name_any())
}
