//! The whole simulated cloud, behind one lock.

use std::collections::{BTreeMap, HashMap};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::json;

use super::clients::OauthClient;
use super::config::{Config, Credentials, Options};
use super::faults::Faults;
use super::identity::Provider;
use super::ids::Ids;
use super::journal::Journal;
use super::late::Past;
use super::paging::Orders;
use super::rates::Rates;
use super::region::{REGIONS, Region};
use super::tenant::{Flags, Status, TENANT_ADMIN, Tenant, User};
use super::token::Keys;
use super::tokens::Tokens;

/// A subscription's licence.
#[derive(Debug, Clone)]
pub(crate) struct License {
    pub(crate) number: String,
    /// The signed key: whoever has it and a regional client may create tenants.
    pub(crate) key: String,
    pub(crate) subscription: String,
}

/// What an OAuth client is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Level {
    /// One region of one licence.
    Regional { region: String, license: String },
    /// The organization API.
    Organization,
}

/// An OAuth client.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) credentials: Credentials,
    pub(crate) level: Level,
    /// Removed clients get no new tokens; those they have live on until they expire.
    pub(crate) removed: bool,
}

/// All state.
pub(crate) struct World {
    pub(crate) domain: String,
    pub(crate) quota: usize,
    pub(crate) options: Options,
    pub(crate) ids: Ids,
    pub(crate) keys: Keys,
    pub(crate) licenses: BTreeMap<String, License>,
    /// Number of the licence that the ready line speaks of.
    pub(crate) first_license: String,
    pub(crate) clients: BTreeMap<String, Client>,
    pub(crate) tenants: BTreeMap<String, Tenant>,
    /// Tenant id → what it was before each change of its status, the oldest first.
    pub(crate) past: BTreeMap<String, Vec<Past>>,
    /// Tenant id → its identity providers.
    pub(crate) providers: BTreeMap<String, Vec<Provider>>,
    /// Host name → tenant id; a purged tenant keeps its first name, which nobody else ever gets.
    pub(crate) hosts: HashMap<String, String>,
    /// Client id → OAuth client of a tenant.
    pub(crate) oauth: BTreeMap<String, OauthClient>,
    pub(crate) tokens: Tokens,
    pub(crate) orders: Orders,
    pub(crate) rates: Rates,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
}

impl World {
    /// A cloud without tenants, with one licence, its regional clients, and the organization's client.
    pub(crate) fn new(config: &Config) -> Result<Self, rcgen::Error> {
        let mut world = Self {
            domain: config.domain.to_ascii_lowercase(),
            quota: config.tenant_quota,
            options: config.options.clone(),
            ids: Ids::new(config.seed, &config.secret_prefix),
            keys: Keys::generate()?,
            licenses: BTreeMap::new(),
            first_license: String::new(),
            clients: BTreeMap::new(),
            tenants: BTreeMap::new(),
            past: BTreeMap::new(),
            providers: BTreeMap::new(),
            hosts: HashMap::new(),
            oauth: BTreeMap::new(),
            tokens: Tokens::default(),
            orders: Orders::new(config.seed),
            rates: Rates::default(),
            faults: Faults::default(),
            journal: Journal::default(),
        };
        let license = world.add_license();
        for region in &REGIONS {
            world.add_client(Level::Regional { region: region.code.to_owned(), license: license.clone() });
        }
        world.add_client(Level::Organization);
        world.first_license = license;
        Ok(world)
    }

    /// A further licence; its number.
    pub(crate) fn add_license(&mut self) -> String {
        let number = self.ids.license();
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "RS512", "typ": "JWT" }).to_string());
        let payload = URL_SAFE_NO_PAD.encode(json!({ "license": number, "jti": self.ids.object() }).to_string());
        let key = format!("{header}.{payload}.{}", self.ids.secret());
        let license = License { number: number.clone(), key, subscription: self.ids.object() };
        self.licenses.insert(number.clone(), license);
        number
    }

    /// A further OAuth client.
    pub(crate) fn add_client(&mut self, level: Level) -> Credentials {
        let credentials = Credentials { client_id: self.ids.client(), client_secret: self.ids.secret() };
        let client = Client { credentials: credentials.clone(), level, removed: false };
        self.clients.insert(credentials.client_id.clone(), client);
        credentials
    }

    /// How many of a licence's tenant entitlements are in use: a purged tenant gives its own back.
    pub(crate) fn tenants_of(&self, license: &str) -> usize {
        self.tenants
            .values()
            .filter(|tenant| tenant.license_number == license && tenant.status != Status::Deleted)
            .count()
    }

    /// Copies of all tenants in the order of their creation.
    pub(crate) fn by_creation(&self) -> Vec<Tenant> {
        let mut tenants: Vec<Tenant> = self.tenants.values().cloned().collect();
        tenants.sort_by(|a, b| a.created.cmp(&b.created).then_with(|| a.id.cmp(&b.id)));
        tenants
    }

    /// Creates a tenant; its id.
    pub(crate) fn create_tenant(&mut self, region: &Region, license: &str, now: Timestamp) -> String {
        let label = self.ids.hostname();
        let tenant = Tenant {
            id: self.ids.tenant(),
            hostnames: vec![format!("{label}.{}.{}", region.code, self.domain)],
            name: label,
            region: region.code.to_owned(),
            datacenter: region.datacenter.to_owned(),
            license_number: license.to_owned(),
            status: Status::Active,
            created: now,
            last_updated: now,
            status_last_updated: now,
            purge_at: None,
            purge_after_days: None,
            barred: false,
            flags: Flags::default(),
            users: Vec::new(),
        };
        let id = tenant.id.clone();
        self.hosts.insert(tenant.hostnames[0].clone(), id.clone());
        self.tenants.insert(id.clone(), tenant);
        id
    }

    /// Checks an alias for a tenant and answers it in its canonical form, or says what is wrong with it.
    pub(crate) fn check_alias(&self, tenant: &Tenant, alias: &str) -> Result<String, &'static str> {
        // Qlik documents no syntax for the label: a DNS label is the least it can be
        let alias = alias.to_ascii_lowercase();
        let suffix = format!(".{}.{}", tenant.region, self.domain);
        let label = alias.strip_suffix(&suffix).ok_or("the hostname is not in the tenant's region")?;
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let shaped = (1..=63).contains(&label.len()) && label.bytes().all(letters);
        if !shaped || label.starts_with('-') || label.ends_with('-') || label == "register" {
            return Err("the hostname is not valid");
        }
        match self.hosts.get(&alias) {
            Some(owner) if *owner != tenant.id => Err("the hostname is already in use"),
            Some(_) if tenant.hostnames.first() == Some(&alias) => Err("the hostname is already in use"),
            Some(_) | None => Ok(alias),
        }
    }

    /// Puts a checked new form of a tenant in place and keeps the host names in step.
    pub(crate) fn replace_tenant(&mut self, tenant: Tenant) {
        if let Some(old) = self.tenants.get(&tenant.id) {
            for host in &old.hostnames {
                self.hosts.remove(host);
            }
            if old.status != tenant.status {
                let past = Past { until: tenant.status_last_updated, tenant: old.clone() };
                self.past.entry(tenant.id.clone()).or_default().push(past);
            }
        }
        for host in &tenant.hostnames {
            self.hosts.insert(host.clone(), tenant.id.clone());
        }
        self.tenants.insert(tenant.id.clone(), tenant);
    }

    /// Purges every tenant whose date has passed.
    pub(crate) fn purge_due(&mut self, now: Timestamp) {
        let due: Vec<String> =
            self.tenants.values().filter(|tenant| tenant.due(now)).map(|tenant| tenant.id.clone()).collect();
        for id in due {
            self.purge(&id, now);
        }
    }

    /// Purges one tenant.
    pub(crate) fn purge(&mut self, id: &str, now: Timestamp) {
        if let Some(mut tenant) = self.tenants.get(id).cloned() {
            tenant.purge(now);
            self.providers.remove(id);
            self.oauth.retain(|_, client| client.tenant != id);
            self.replace_tenant(tenant);
        }
    }

    /// The bot of `client` in a tenant, made on first use and
    /// named after the client, or after the region for a regional client, which has no name.
    pub(crate) fn bot(
        &mut self,
        tenant_id: &str,
        (client, name): (&str, Option<&str>),
        now: Timestamp,
    ) -> Option<User> {
        let id = self.ids.object();
        let tenant = self.tenants.get_mut(tenant_id)?;
        if let Some(user) = tenant.users.iter().find(|user| user.client_id == client) {
            return Some(user.clone());
        }
        let user = User {
            id,
            client_id: client.to_owned(),
            subject: format!("qlikbot\\{client}"),
            name: name.map_or_else(|| format!("{} OAuth client", tenant.region.to_ascii_uppercase()), str::to_owned),
            email: String::new(),
            roles: vec![TENANT_ADMIN.to_owned()],
            invited: false,
            disabled: false,
            created: now,
        };
        tenant.users.push(user.clone());
        Some(user)
    }

    /// The person whom an identity provider sends, made on the first login and brought up to date on every other.
    pub(crate) fn person(
        &mut self,
        tenant_id: &str,
        (subject, name, email): (&str, &str, &str),
        now: Timestamp,
    ) -> Option<User> {
        let id = self.ids.object();
        let tenant = self.tenants.get_mut(tenant_id)?;
        if let Some(user) = tenant.users.iter_mut().find(|user| user.subject == subject) {
            name.clone_into(&mut user.name);
            email.clone_into(&mut user.email);
            user.invited = false;
            return Some(user.clone());
        }
        let user = User {
            id,
            client_id: String::new(),
            subject: subject.to_owned(),
            name: name.to_owned(),
            email: email.to_owned(),
            roles: Vec::new(),
            invited: false,
            disabled: false,
            created: now,
        };
        tenant.users.push(user.clone());
        Some(user)
    }
}
