//! A started simulator: its addresses, its clock, its journal, and what can be done to it from outside.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;

use super::config::{Config, Options, Ready};
use super::exchange::Shared;
use super::faults::{FaultPlan, FaultState};
use super::journal::Entry;
use super::portal::{ClientRequest, NewClient, PortalError, PortalPatch, PortalTenant};
use super::tenant::Tenant;
use super::world::{Level, World};
use super::{admin, server, tls};

/// Why a simulator cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A listener or a file.
    #[error("a listener or file could not be opened")]
    Io(#[from] io::Error),
    /// Keys and certificates.
    #[error("a key or certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    /// The options.
    #[error("an option cannot be: {0}")]
    Options(String),
    /// The TLS server.
    #[error("the TLS server could not be configured")]
    Tls(#[from] rustls::Error),
}

/// The simulator.
#[derive(Debug, Clone, Copy)]
pub struct Sim;

impl Sim {
    /// Starts a simulator on threads of its own. When this returns, all listeners accept connections. Any number can
    /// run in one process.
    pub fn start(config: Config) -> Result<Running, StartError> {
        config.options.check().map_err(StartError::Options)?;
        let world = World::new(&config)?;
        let mut ready = introduce(&world);
        let mut temporary = None;
        let mut acceptor = None;
        let tls = bind(config.listen.as_deref(), &mut ready.tls)?;
        if tls.is_some() {
            let dir = match &config.tls_dir {
                Some(dir) => dir.clone(),
                None => temporary.insert(tempfile::Builder::new().prefix("qlik-sim-").tempdir()?).path().to_owned(),
            };
            let (server, file) = tls::server(&ready.domain, &dir)?;
            acceptor = Some(TlsAcceptor::from(server));
            ready.ca_file = Some(file);
        }
        let plain = bind(config.listen_plain.as_deref(), &mut ready.plain)?;
        let admin = bind(config.listen_admin.as_deref(), &mut ready.admin)?;
        let shared = Arc::new(Shared::new(world, config.after_request));
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("qlik-sim").enable_all().build()?;
        // from here on an error must not drop the runtime itself, which a thread of another runtime may not do
        let running = Running { shared, ready, runtime: Some(runtime), _temporary: temporary };
        running.serve(tls, |listener, shared| server::serve(listener, acceptor, shared))?;
        running.serve(plain, |listener, shared| server::serve(listener, None, shared))?;
        running.serve(admin, admin::serve)?;
        Ok(running)
    }
}

/// Opens a listener and writes its address down.
fn bind(address: Option<&str>, bound: &mut Option<String>) -> io::Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    *bound = Some(listener.local_addr()?.to_string());
    Ok(Some(listener))
}

fn introduce(world: &World) -> Ready {
    let mut regional = BTreeMap::new();
    let mut organization = None;
    for client in world.clients.values() {
        match &client.level {
            Level::Regional { region, .. } => {
                regional.insert(region.clone(), client.credentials.clone());
            }
            Level::Organization => organization = Some(client.credentials.clone()),
        }
    }
    let license = world.licenses.get(&world.first_license);
    Ready {
        tls: None,
        plain: None,
        admin: None,
        ca_file: None,
        domain: world.domain.clone(),
        license_key: license.map(|license| license.key.clone()).unwrap_or_default(),
        regional,
        organization: organization.unwrap_or_default(),
    }
}

/// A running simulator. It stops, with all its connections, when this is dropped.
pub struct Running {
    pub(super) shared: Arc<Shared>,
    ready: Ready,
    runtime: Option<Runtime>,
    _temporary: Option<TempDir>,
}

impl Running {
    fn serve<F>(
        &self,
        listener: Option<TcpListener>,
        server: impl FnOnce(tokio::net::TcpListener, Arc<Shared>) -> F,
    ) -> io::Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if let (Some(listener), Some(runtime)) = (listener, &self.runtime) {
            let _inside = runtime.enter();
            let listener = tokio::net::TcpListener::from_std(listener)?;
            runtime.spawn(server(listener, Arc::clone(&self.shared)));
        }
        Ok(())
    }

    /// What the program prints when it is ready.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Address of the TLS listener.
    pub fn tls(&self) -> Option<SocketAddr> {
        self.ready.tls.as_ref().and_then(|address| address.parse().ok())
    }

    /// Address of the plain HTTP listener.
    pub fn plain(&self) -> Option<SocketAddr> {
        self.ready.plain.as_ref().and_then(|address| address.parse().ok())
    }

    /// Address of the admin listener.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.ready.admin.as_ref().and_then(|address| address.parse().ok())
    }

    /// The CA certificate that clients must trust.
    pub fn ca_file(&self) -> Option<&Path> {
        self.ready.ca_file.as_deref()
    }

    /// The virtual instant.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Turns the virtual clock forward; whatever becomes due by it has happened when this returns.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
        drop(self.shared.world());
    }

    /// How far virtual time is ahead of real time.
    pub fn offset(&self) -> Duration {
        self.shared.clock.offset()
    }

    /// Every request so far.
    pub fn journal(&self) -> Vec<Entry> {
        self.shared.world().0.journal.entries()
    }

    /// Forgets the journal.
    pub fn clear_journal(&self) {
        self.shared.world().0.journal.clear();
    }

    /// Adds a fault plan.
    pub fn fault(&self, plan: FaultPlan) {
        self.shared.world().0.faults.add(plan);
    }

    /// The fault plans that are not used up.
    pub fn faults(&self) -> Vec<FaultState> {
        let (world, now) = self.shared.world();
        world.faults.remaining(now)
    }

    /// Removes all fault plans.
    pub fn clear_faults(&self) {
        self.shared.world().0.faults.clear();
    }

    /// The choices in force.
    pub fn options(&self) -> Options {
        self.shared.world().0.options.clone()
    }

    /// Changes the choices, unless one of them is none that there is.
    pub fn set_options(&self, options: Options) -> Result<(), String> {
        options.check()?;
        self.shared.world().0.options = options;
        Ok(())
    }

    /// Every tenant, purged ones included, by creation.
    pub fn tenants(&self) -> Vec<Tenant> {
        self.shared.world().0.by_creation()
    }

    /// One tenant.
    pub fn tenant(&self, id: &str) -> Option<Tenant> {
        self.shared.world().0.tenants.get(id).cloned()
    }

    /// Makes a regional OAuth client, with a licence of its own unless one is named.
    pub fn add_client(&self, request: ClientRequest) -> Result<NewClient, PortalError> {
        self.shared.world().0.portal_client(request)
    }

    /// Removes an OAuth client; tokens that it has stay good until they expire.
    pub fn remove_client(&self, client_id: &str) -> Result<(), PortalError> {
        self.shared.world().0.portal_remove_client(client_id)
    }

    /// Makes a tenant by hand.
    pub fn create_tenant(&self, wanted: PortalTenant) -> Result<Tenant, PortalError> {
        let (mut world, now) = self.shared.world();
        world.portal_create(wanted, now)
    }

    /// Changes a tenant by hand.
    pub fn patch_tenant(&self, id: &str, patch: PortalPatch) -> Result<Tenant, PortalError> {
        let (mut world, now) = self.shared.world();
        world.portal_patch(id, patch, now)
    }

    /// Deactivates a tenant by hand. What would be refused to the API is possible here.
    pub fn deactivate(&self, id: &str, days: u32) -> Result<Tenant, PortalError> {
        let (mut world, now) = self.shared.world();
        world.portal_change(id, |tenant| tenant.deactivate(days, now))
    }

    /// Reactivates a tenant by hand.
    pub fn reactivate(&self, id: &str) -> Result<Tenant, PortalError> {
        let (mut world, now) = self.shared.world();
        world.portal_change(id, |tenant| tenant.reactivate(now))
    }

    /// Bars a tenant from deactivation, or lifts that.
    pub fn bar(&self, id: &str, barred: bool) -> Result<Tenant, PortalError> {
        self.shared.world().0.portal_change(id, |tenant| tenant.barred = barred)
    }

    /// Purges a tenant at once.
    pub fn purge(&self, id: &str) -> Result<Tenant, PortalError> {
        let (mut world, now) = self.shared.world();
        world.portal_purge(id, now)
    }

    /// Disables the bot users of a tenant, or enables them.
    pub fn disable_bots(&self, id: &str, disabled: bool) -> Result<Tenant, PortalError> {
        self.shared.world().0.portal_change(id, |tenant| tenant.disable_bots(disabled))
    }

    /// Deletes the bot users of a tenant; the next token request makes new ones.
    pub fn delete_bots(&self, id: &str) -> Result<Tenant, PortalError> {
        self.shared.world().0.portal_change(id, Tenant::delete_bots)
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ready { tls, plain, admin, domain, .. } = &self.ready;
        f.debug_struct("Running")
            .field("tls", tls)
            .field("plain", plain)
            .field("admin", admin)
            .field("domain", domain)
            .finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        // a runtime may not be shut down by a thread of another one, and its sockets must be closed when this returns
        let stopper = std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5)));
        drop(stopper.join());
    }
}
