//! The entry to Qlik Cloud, and the one way a call is made.

use http::Method;

use super::auth::Auth;
use super::call::Call;
use super::classify::Asked;
use super::error::Error;
use super::identity_provider::IdentityProvider;
use super::ids::{HostClass, Hostname, Hosts, Region, TenantHost};
use super::limits::{Limits, Stats, Tier, Usage};
use super::oauth_client::OauthClient;
use super::organization::Organization;
use super::recent::Recent;
use super::secret::{Credential, CredentialKey};
use super::tenants::{Register, TenantApi};
use super::transport::{Answer, Endpoints, Transport};
use crate::clock::Clock;
use crate::metrics::Calls;
use crate::term::Term;

/// Qlik Cloud. Clones share one connection pool, the tokens and the rate budgets.
#[derive(Clone)]
pub struct Cloud {
    hosts: Hosts,
    transport: Transport,
    limits: Limits,
    auth: Auth,
    clients: Recent<Vec<OauthClient>>,
    providers: Recent<Vec<IdentityProvider>>,
}

impl Cloud {
    /// Prepares the client; nothing is sent.
    pub fn new(endpoints: Endpoints, clock: Clock) -> Result<Self, Error> {
        let transport = Transport::new(&endpoints, clock.clone())?;
        let hosts = Hosts::new(endpoints.domain);
        let limits = Limits::new(clock.clone(), hosts.clone());
        let auth = Auth::new(transport.clone(), limits.clone(), clock.clone());
        let (clients, providers) = (Recent::new(clock.clone()), Recent::new(clock));
        Ok(Self { hosts, transport, limits, auth, clients, providers })
    }

    /// Makes no call that changes something once this time is over.
    #[must_use]
    pub fn within(mut self, term: Term) -> Self {
        self.transport = self.transport.within(term);
        self
    }

    /// Where a region's tenants are created, deactivated and reactivated.
    pub fn register(&self, region: Region, credential: &Credential) -> Register {
        Register::new(self.session(self.hosts.register(region), credential))
    }

    /// The inside of one tenant.
    pub fn tenant(&self, host: &TenantHost, credential: &Credential) -> TenantApi {
        TenantApi::new(self.session(host.hostname().clone(), credential))
    }

    /// The read-only view of an organization's tenants.
    pub fn organization(&self, credential: &Credential) -> Organization {
        Organization::new(self.session(self.hosts.console(), credential), self.hosts.clone())
    }

    /// Makes a region's register host say what day it is, with no credential. The date goes to the clock; whatever else
    /// the host answers does not matter.
    pub async fn ask_date(&self, region: Region) -> Result<(), Error> {
        let call = Call::new("oauth.metadata", Method::GET, "/.well-known/oauth-authorization-server");
        match self.transport.send(Asked::Api, &self.hosts.register(region), &call, None).await {
            Ok(_) => Ok(()),
            Err(error) if error.reply().is_some() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The hosts that may be called.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Where the requests are counted.
    pub fn calls(&self) -> &Calls {
        self.transport.calls()
    }

    /// Whether calls that change something are made now.
    pub fn leads(&self) -> bool {
        self.transport.leads()
    }

    /// How the rate budgets of a class of hosts are used.
    pub fn usage(&self, class: HostClass, tier: Tier) -> Usage {
        self.limits.usage(class, tier)
    }

    /// What the rate budgets have done.
    pub fn stats(&self) -> Stats {
        self.limits.stats()
    }

    /// Forgets expired tokens and full budgets, so that tenants long gone leave nothing behind. Call it now and then.
    pub fn sweep(&self) {
        self.auth.sweep();
        self.limits.sweep();
        self.clients.sweep();
        self.providers.sweep();
    }

    fn session(&self, host: Hostname, credential: &Credential) -> Session {
        Session { cloud: self.clone(), host, credential: credential.clone() }
    }
}

/// One credential at one host.
#[derive(Clone)]
pub(super) struct Session {
    cloud: Cloud,
    host: Hostname,
    credential: Credential,
}

impl Session {
    /// The tenant's identity providers as they were listed lately.
    pub(super) fn providers(&self) -> (&Recent<Vec<IdentityProvider>>, (CredentialKey, Hostname)) {
        (&self.cloud.providers, (self.credential.key(), self.host.clone()))
    }

    /// The tenant's OAuth clients as they were listed lately.
    pub(super) fn clients(&self) -> (&Recent<Vec<OauthClient>>, (CredentialKey, Hostname)) {
        (&self.cloud.clients, (self.credential.key(), self.host.clone()))
    }

    /// Makes sure that the credential is accepted at this host, without calling anything else there.
    pub(super) async fn authorize(&self) -> Result<(), Error> {
        self.cloud.auth.token(&self.credential, &self.host, None).await.map(|_| ())
    }

    /// Whether a write would get its turn.
    pub(super) fn admits_write(&self) -> Result<(), Error> {
        self.cloud.limits.admits(self.credential.key(), &self.host, Tier::Two)
    }

    /// Makes sure that the credential is accepted, and takes the turn of one write.
    pub(super) async fn pay_for_write(&self) -> Result<(), Error> {
        self.authorize().await?;
        self.cloud.limits.acquire(self.credential.key(), &self.host, Tier::Two).await
    }

    /// Makes a call, inside the budget and with a good token. When a token that we already had is answered with 401,
    /// it is renewed and the call repeated, once: whatever the method, a 401 had no effect.
    pub(super) async fn call(&self, call: &Call) -> Result<Answer, Error> {
        let auth = &self.cloud.auth;
        let (mut token, fresh) = auth.token(&self.credential, &self.host, None).await?;
        let mut outcome = self.once(call, &token.value).await;
        if !fresh && matches!(outcome, Err(Error::Unauthorized(_))) {
            (token, _) = auth.token(&self.credential, &self.host, Some(&token)).await?;
            outcome = self.once(call, &token.value).await;
        }
        if matches!(outcome, Err(Error::Unauthorized(_))) {
            auth.forget(&self.credential, &self.host, &token);
        }
        outcome
    }

    async fn once(&self, call: &Call, token: &super::Secret) -> Result<Answer, Error> {
        let Cloud { transport, limits, .. } = &self.cloud;
        let key = self.credential.key();
        if !call.paid {
            limits.acquire(key, &self.host, call.tier).await?;
        }
        if call.tier == Tier::Two && !self.cloud.leads() {
            return Err(Error::NotLeading { host: self.host.clone() });
        }
        let outcome = transport.send(Asked::Api, &self.host, call, Some(token)).await;
        if let Err(Error::Throttled { retry_after, .. }) = &outcome {
            limits.close(key, &self.host, call.tier, *retry_after);
        }
        outcome
    }
}
