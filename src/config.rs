//! The operator's settings. The only reader of flags, environment and files.

mod election;

use crate::plan::duration;
use crate::qlik::{ClientId, Credential, Endpoints, Hostname, Region, Secret};
use crate::term::Pace;
use clap::Args;
pub use election::ElectionArgs;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Settings of `qlik-operator run`. Each flag can also be given as the environment variable named with it.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Namespaces to work in, separated by commas; all when absent.
    #[arg(long, env = "QLIK_OPERATOR_NAMESPACES", value_delimiter = ',')]
    pub namespaces: Vec<String>,
    /// Default credentials of a region: REGION=DIRECTORY, the directory holding the files clientId and clientSecret (a
    /// mounted Secret). May be repeated. Read again at each use, so that a rotated Secret is picked up.
    #[arg(long, env = "QLIK_OPERATOR_REGIONAL_CREDENTIALS", value_delimiter = ';', value_name = "REGION=DIR")]
    pub regional_credentials: Vec<String>,
    /// Namespaces that may use a region's default credentials: REGION=NAMESPACE[,NAMESPACE…], or REGION=* for all. May
    /// be repeated. Without it the region's default serves no namespace.
    #[arg(long, env = "QLIK_OPERATOR_REGIONAL_NAMESPACES", value_delimiter = ';', value_name = "REGION=NAMESPACES")]
    pub regional_namespaces: Vec<String>,
    /// Directory with the files clientId and clientSecret of an organization OAuth client (read only). With it lost
    /// answers are resolved and purges confirmed.
    #[arg(long, env = "QLIK_OPERATOR_ORGANIZATION_CREDENTIALS", value_name = "DIR")]
    pub organization_credentials: Option<PathBuf>,
    /// Subscription id that the organization API is asked about.
    #[arg(long, env = "QLIK_OPERATOR_ORGANIZATION_SUBSCRIPTION")]
    pub organization_subscription: Option<String>,
    /// This operator alone makes tenants in the subscription, no other operator, cluster or human: then a creation whose
    /// answer was lost is resolved by what the organization API lists. Without it a human decides.
    #[arg(long, env = "QLIK_OPERATOR_ORGANIZATION_IS_OURS", requires = "organization_credentials")]
    pub organization_is_ours: bool,
    /// Namespaces in which `onExisting: Adopt` may take over a tenant with the operator's default credentials, separated by
    /// commas; `*` for all.
    #[arg(long, env = "QLIK_OPERATOR_ADOPTION_NAMESPACES", value_delimiter = ',')]
    pub adoption_namespaces: Vec<String>,
    /// An admission policy of this cluster stamps the annotation `qlik-operator.dev/requested-by`, so that it can be
    /// believed. Without it the record of an off-boarding names the field manager.
    #[arg(long, env = "QLIK_OPERATOR_REQUESTED_BY_IS_STAMPED")]
    pub requested_by_is_stamped: bool,
    /// Domain of Qlik Cloud. Credentials are only ever sent to hosts below it.
    #[arg(long, env = "QLIK_OPERATOR_QLIK_DOMAIN", default_value = "qlikcloud.com")]
    pub qlik_domain: String,
    /// PEM file of the certificate authorities to trust for Qlik Cloud, instead of the system's.
    #[arg(long, env = "QLIK_OPERATOR_QLIK_CA_FILE")]
    pub qlik_ca_file: Option<PathBuf>,
    /// Connect to this address, whatever the host's name (a stand-in, or an outgoing proxy).
    #[arg(long, env = "QLIK_OPERATOR_QLIK_CONNECT_TO")]
    pub qlik_connect_to: Option<SocketAddr>,
    /// Names this cluster in the marks that tie OAuth clients and identity providers in Qlik Cloud to their objects. By
    /// default the uid of namespace kube-system or, where that may not be read, of the namespace of
    /// --leader-election-lease, or of the first of --namespaces. Give a cluster that replaces another one the same name.
    #[arg(long, env = "QLIK_OPERATOR_CLUSTER_ID")]
    pub cluster_id: Option<String>,
    /// Lease that decides which of several operators works, NAMESPACE/NAME. Without it there is no election: then run only
    /// one operator.
    #[arg(long, env = "QLIK_OPERATOR_LEADER_ELECTION_LEASE", value_name = "NAMESPACE/NAME")]
    pub leader_election_lease: Option<String>,
    /// How the election goes by the clock.
    #[command(flatten)]
    pub election: ElectionArgs,
    /// The operator's own namespace, where it counts deactivations. By default that of --leader-election-lease, which goes
    /// before this one, or else the first of --namespaces. Without any no tenant is deactivated.
    #[arg(long, env = "QLIK_OPERATOR_NAMESPACE", value_name = "NAMESPACE")]
    pub operator_namespace: Option<String>,
    /// Tenants that may be deactivated within an hour, for each region; restarted purge windows count, too. What is beyond
    /// waits for its turn. 0 forbids every deactivation.
    #[arg(
        long,
        env = "QLIK_OPERATOR_MAX_DEACTIVATIONS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u16).range(0..=1000)
    )]
    pub max_deactivations: u16,
    /// Passes that may run at the same time, for each kind and namespace.
    #[arg(long, env = "QLIK_OPERATOR_CONCURRENCY", default_value_t = 64)]
    pub concurrency: u16,
    /// How long running passes may take to end after SIGTERM.
    #[arg(long, env = "QLIK_OPERATOR_DRAIN", default_value = "25s", value_parser = parse_duration)]
    pub drain: Duration,
    /// Serve /livez, /readyz and /metrics by HTTP on this address, for instance 0.0.0.0:8080. Without it nothing is
    /// served.
    #[arg(long, env = "QLIK_OPERATOR_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Serve /log on this loopback address, for instance 127.0.0.1:8081: GET shows the log filter, PUT changes it.
    #[arg(long, env = "QLIK_OPERATOR_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: Option<SocketAddr>,
    /// Which gauges there are for single objects: purge (of tenants), secrets (their age and rotation). They carry names
    /// of objects as labels; an empty value turns them off.
    #[arg(
        long,
        env = "QLIK_OPERATOR_METRICS_PER_OBJECT",
        value_delimiter = ',',
        default_value = "purge,secrets",
        value_name = "LIST"
    )]
    pub metrics_per_object: Vec<String>,
    /// Export traces by OTLP/HTTP to this collector, for instance `http://collector:4318`; /v1/traces is appended.
    /// Without it there are no traces.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Log lines as text or json.
    #[arg(long, env = "QLIK_OPERATOR_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
    /// Log filter, for instance info or `qlik_operator=debug`.
    #[arg(long, env = "QLIK_OPERATOR_LOG", default_value = "info")]
    pub log: String,
    /// File with the seconds by which the clock is ahead; for tests with a stand-in whose clock is turned.
    #[cfg(feature = "turnable-clock")]
    #[arg(long, env = "QLIK_OPERATOR_CLOCK_OFFSET_FILE")]
    pub clock_offset_file: Option<PathBuf>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    duration::parse(text).ok_or_else(|| format!("{text:?} is not a duration such as 25s or 1m30s"))
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct Invalid {
    setting: &'static str,
    problem: String,
}

/// The checked settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespaces to work in; all when empty.
    pub namespaces: Vec<String>,
    regions: HashMap<Region, RegionDefault>,
    organization: Option<PathBuf>,
    /// Subscription id that the organization API is asked about.
    pub subscription: Option<String>,
    /// This operator alone makes tenants in the subscription.
    pub organization_is_ours: bool,
    adoption: Vec<String>,
    /// An admission policy stamps who made a change that deactivates a tenant.
    pub requested_by_is_stamped: bool,
    /// Namespace and name of the Lease of the leader election, where there is one.
    pub lease: Option<(String, String)>,
    /// How its election goes by the clock.
    pub pace: Pace,
    /// The operator's own namespace, where it is known.
    pub operator_namespace: Option<String>,
    /// Deactivations within an hour, for each region.
    pub max_deactivations: u16,
    /// Names this cluster, where the settings do.
    pub cluster_id: Option<String>,
    /// Passes at the same time.
    pub concurrency: u16,
    /// Time for running passes after SIGTERM.
    pub drain: Duration,
    /// Which single objects metrics speak of.
    pub per_object: PerObject,
}

/// Which single objects metrics speak of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerObject {
    /// Tenants and their purge.
    pub purge: bool,
    /// What the operator writes Secrets for.
    pub secrets: bool,
}

#[derive(Clone, Debug)]
struct RegionDefault {
    directory: PathBuf,
    namespaces: Vec<String>,
}

/// What the settings say about a region's default credentials for one namespace.
#[derive(Debug, thiserror::Error)]
pub enum NoDefault {
    /// The operator has none for this region.
    #[error("the operator has no default credentials for region {0}: set spec.credentialsRef")]
    None(Region),
    /// It has some, and they are not for this namespace.
    #[error("the operator's default credentials for region {0} are not for this namespace: set spec.credentialsRef")]
    NotAllowed(Region),
    /// They cannot be read.
    #[error("the operator's default credentials for region {region} cannot be used: {problem}")]
    Unreadable {
        /// The region.
        region: Region,
        /// Why not.
        problem: String,
    },
}

impl Settings {
    /// Checks the settings; nothing is connected to yet.
    pub fn read(args: &RunArgs) -> Result<Self, Invalid> {
        let mut regions = HashMap::new();
        for text in args.regional_credentials.iter().filter(|t| !t.is_empty()) {
            let (region, directory) = region_and_rest("--regional-credentials", text)?;
            regions.insert(region, RegionDefault { directory: directory.into(), namespaces: Vec::new() });
        }
        for text in args.regional_namespaces.iter().filter(|t| !t.is_empty()) {
            let (region, names) = region_and_rest("--regional-namespaces", text)?;
            let Some(default) = regions.get_mut(&region) else {
                let problem = format!("region {region} has no --regional-credentials");
                return Err(Invalid { setting: "--regional-namespaces", problem });
            };
            default.namespaces.extend(names.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned));
        }
        if let Some(address) = args.admin_listen.filter(|address| !address.ip().is_loopback()) {
            let problem =
                format!("{address} can be reached from outside: give a loopback address such as 127.0.0.1:8081");
            return Err(Invalid { setting: "--admin-listen", problem });
        }
        let namespaces: Vec<_> = args.namespaces.iter().filter(|n| !n.is_empty()).cloned().collect();
        let lease = args.leader_election_lease.as_deref().filter(|text| !text.is_empty()).map(lease).transpose()?;
        let own = args.operator_namespace.clone().filter(|namespace| !namespace.is_empty());
        let of_lease = lease.as_ref().map(|(namespace, _)| namespace.clone());
        Ok(Self {
            operator_namespace: of_lease.or(own).or_else(|| namespaces.first().cloned()),
            max_deactivations: args.max_deactivations,
            namespaces,
            regions,
            organization: args.organization_credentials.clone(),
            subscription: args.organization_subscription.clone(),
            requested_by_is_stamped: args.requested_by_is_stamped,
            organization_is_ours: args.organization_is_ours,
            adoption: args.adoption_namespaces.iter().map(|name| name.trim().to_owned()).collect(),
            lease,
            pace: args.election.pace()?,
            cluster_id: args.cluster_id.clone().filter(|id| !id.trim().is_empty()),
            concurrency: args.concurrency,
            drain: args.drain,
            per_object: per_object(&args.metrics_per_object)?,
        })
    }

    /// The default credentials of a region, where its settings allow them to this namespace.
    pub fn default_credential(&self, region: Region, namespace: &str) -> Result<Credential, NoDefault> {
        let default = self.regions.get(&region).ok_or(NoDefault::None(region))?;
        if !default.namespaces.iter().any(|n| n == "*" || n == namespace) {
            return Err(NoDefault::NotAllowed(region));
        }
        read_credential(&default.directory).map_err(|problem| NoDefault::Unreadable { region, problem })
    }

    /// Whether objects of this namespace may take over a tenant by its alias with the operator's default credentials.
    pub fn may_adopt(&self, namespace: &str) -> bool {
        self.adoption.iter().any(|name| name == "*" || name == namespace)
    }

    /// The regions whose default credentials cannot be used now, and why.
    pub fn unreadable(&self) -> Vec<String> {
        let read = |(region, default): (&Region, &RegionDefault)| {
            let problem = read_credential(&default.directory).err()?;
            Some(format!("default credentials of region {region}: {problem}"))
        };
        let mut problems: Vec<_> = self.regions.iter().filter_map(read).collect();
        problems.sort();
        problems
    }

    /// The organization credential; `None` when there is none or it cannot be read (which is logged).
    pub fn organization_credential(&self) -> Option<Credential> {
        let directory = self.organization.as_ref()?;
        match read_credential(directory) {
            Ok(credential) => Some(credential),
            Err(problem) => {
                tracing::warn!(problem, "the organization credential cannot be used");
                None
            }
        }
    }
}

impl RunArgs {
    /// Where Qlik Cloud is.
    pub fn endpoints(&self) -> Result<Endpoints, Invalid> {
        let domain: Hostname =
            self.qlik_domain.parse().map_err(|e| Invalid { setting: "--qlik-domain", problem: format!("{e}") })?;
        let ca_pem = match &self.qlik_ca_file {
            None => None,
            Some(path) => Some(
                std::fs::read(path)
                    .map_err(|e| Invalid { setting: "--qlik-ca-file", problem: format!("{}: {e}", path.display()) })?,
            ),
        };
        Ok(Endpoints { domain, ca_pem, connect_to: self.qlik_connect_to })
    }

    /// Where traces go.
    pub fn otlp_endpoint(&self) -> Option<&str> {
        self.otlp_endpoint.as_deref().map(str::trim).filter(|endpoint| !endpoint.is_empty())
    }
}

fn per_object(words: &[String]) -> Result<PerObject, Invalid> {
    let mut on = PerObject::default();
    for word in words.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        match word {
            "purge" => on.purge = true,
            "secrets" => on.secrets = true,
            _ => {
                let problem = format!("{word:?} is neither purge nor secrets");
                return Err(Invalid { setting: "--metrics-per-object", problem });
            }
        }
    }
    Ok(on)
}

fn lease(text: &str) -> Result<(String, String), Invalid> {
    let problem = || format!("{text:?} is not NAMESPACE/NAME, for instance qlik-operator/qlik-operator");
    let parts = text.split_once('/').filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty());
    let (namespace, name) = parts.ok_or_else(|| Invalid { setting: "--leader-election-lease", problem: problem() })?;
    Ok((namespace.to_owned(), name.to_owned()))
}

fn region_and_rest<'a>(setting: &'static str, text: &'a str) -> Result<(Region, &'a str), Invalid> {
    let (code, rest) = text
        .split_once('=')
        .ok_or_else(|| Invalid { setting, problem: format!("{text:?} has no '=': write REGION=VALUE") })?;
    let region = code.trim().parse().map_err(|e| Invalid { setting, problem: format!("{e}") })?;
    Ok((region, rest.trim()))
}

fn read_credential(directory: &Path) -> Result<Credential, String> {
    let file = |name: &str| {
        let path = directory.join(name);
        std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
    };
    let client_id: ClientId = file("clientId")?.trim().parse().map_err(|e| format!("clientId: {e}"))?;
    let client_secret = Secret::new(file("clientSecret")?.trim());
    Ok(Credential { client_id, client_secret })
}

#[cfg(test)]
mod tests;
