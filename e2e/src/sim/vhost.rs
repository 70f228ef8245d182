//! Virtual hosts: which part of Qlik Cloud a request's authority names.

use super::region::{Region, by_code};
use super::world::World;

/// The kinds of host that fault plans and endpoint tables speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostKind {
    /// `register.<region>.<domain>`
    Register,
    /// `<tenant>.<region>.<domain>`
    Tenant,
    /// `console.<domain>`
    Console,
    /// Anything else.
    Unknown,
}

impl HostKind {
    /// The name used in fault plans.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Tenant => "tenant",
            Self::Console => "console",
            Self::Unknown => "unknown",
        }
    }
}

/// A resolved host.
#[derive(Debug, Clone)]
pub(crate) enum VirtualHost {
    Register(&'static Region),
    /// The id of the tenant, live or purged, that owns the host name.
    Tenant(String),
    Console,
    /// A name in a region that no tenant has, or no name of the cloud at all.
    Unknown,
}

impl VirtualHost {
    /// Looks a host name up.
    pub(crate) fn resolve(world: &World, host: &str) -> Self {
        if let Some(id) = world.hosts.get(host) {
            return Self::Tenant(id.clone());
        }
        let Some(labels) = host.strip_suffix(world.domain.as_str()).and_then(|rest| rest.strip_suffix('.')) else {
            return Self::Unknown;
        };
        if labels == "console" {
            return Self::Console;
        }
        match labels.split_once('.').map(|(name, region)| (name, by_code(region))) {
            Some(("register", Some(region))) => Self::Register(region),
            _ => Self::Unknown,
        }
    }

    /// What kind it is.
    pub(crate) fn kind(&self) -> HostKind {
        match self {
            Self::Register(_) => HostKind::Register,
            Self::Tenant(_) => HostKind::Tenant,
            Self::Console => HostKind::Console,
            Self::Unknown => HostKind::Unknown,
        }
    }
}

/// The host part of an authority, lower case and without port.
pub(crate) fn host_of(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => authority,
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn ports_dots_and_case_do_not_matter() {
        assert_eq!(host_of("Register.US.qlikcloud.com:8443"), "register.us.qlikcloud.com");
        assert_eq!(host_of("a.us.qlikcloud.com."), "a.us.qlikcloud.com");
    }
}
