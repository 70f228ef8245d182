//! Names and ids, valid by construction, and the hosts that may be called.

use std::fmt;
use std::str::FromStr;

/// A text that is not what it should be. It does not repeat the text, which may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct Invalid {
    what: &'static str,
    rule: &'static str,
}

/// Qlik's own ids are opaque. Every one seen has this alphabet, which is also safe in a path and in a filter.
pub(super) fn is_opaque(text: &str, longest: usize) -> bool {
    let fits = (1..=longest).contains(&text.len());
    fits && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn opaque(text: &str, what: &'static str) -> Result<String, Invalid> {
    let invalid = Invalid { what, rule: "1 to 64 letters, digits, '_' or '-'" };
    is_opaque(text, 64).then(|| text.to_owned()).ok_or(invalid)
}

/// Qlik's schema allows longer ids for OAuth clients, though none has been seen.
fn long_opaque(text: &str, what: &'static str) -> Result<String, Invalid> {
    let invalid = Invalid { what, rule: "1 to 512 letters, digits, '_' or '-'" };
    is_opaque(text, 512).then(|| text.to_owned()).ok_or(invalid)
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $parse:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize, serde::Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl From<$name> for String {
            fn from($name(text): $name) -> Self {
                text
            }
        }

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                $parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_type!(
    /// The id of a tenant.
    TenantId,
    |text| opaque(text, "a tenant id")
);
text_type!(
    /// The id of an OAuth client in a tenant.
    OauthClientId,
    |text| long_opaque(text, "an OAuth client's id")
);
text_type!(
    /// The id of an identity provider in a tenant.
    ProviderId,
    |text| opaque(text, "an identity provider's id")
);
text_type!(
    /// The id of the OAuth client that this program uses itself.
    ClientId,
    |text| opaque(text, "a client id")
);
text_type!(
    /// One DNS name, lower-cased (Qlik's hostnames are case-insensitive).
    Hostname,
    dns_name
);

fn dns_name(text: &str) -> Result<String, Invalid> {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    if text.len() <= 253 && text.split('.').all(label) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Invalid { what: "a hostname", rule: "one DNS name of letters, digits, '-' and '.'" })
}

macro_rules! regions {
    ($($name:ident $code:literal $place:literal),+) => {
        /// A region of Qlik Cloud.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Region {
            $(#[doc = $place] $name),+
        }

        impl Region {
            /// Every region.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The code that stands in hostnames.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code),+
                }
            }
        }
    };
}

// The places of `ap` and `sg` are given as Qlik's pages give them; they contradict the data-centre names, which is why
// nothing here maps a region to a data centre.
regions!(
    Us "us" "United States.", Eu "eu" "Ireland.", De "de" "Germany.", Uk "uk" "United Kingdom.", Se "se" "Sweden.",
    Jp "jp" "Japan.", Ap "ap" "Australia.", Sg "sg" "Singapore.", In "in" "India.", Ae "ae" "United Arab Emirates.",
    Br "br" "Brazil.", Fr "fr" "France.", Il "il" "Israel."
);

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Region {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let rule = "one of us eu de uk se jp ap sg in ae br fr il";
        Self::ALL.iter().copied().find(|r| r.code() == text).ok_or(Invalid { what: "a region", rule })
    }
}

/// Days from deactivation to purge, 10 to 90.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PurgeDays(u8);

impl PurgeDays {
    /// The number of days.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<i32> for PurgeDays {
    type Error = Invalid;
    fn try_from(days: i32) -> Result<Self, Invalid> {
        let invalid = Invalid { what: "the days until the purge", rule: "10 to 90" };
        let days = u8::try_from(days).map_err(|_| invalid)?;
        if (10..=90).contains(&days) { Ok(Self(days)) } else { Err(invalid) }
    }
}

impl fmt::Display for PurgeDays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A host that is not a tenant of Qlik Cloud in that region: no credential goes there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{hostname} is not a tenant hostname of the form <name>.{suffix}")]
pub struct ForeignHost {
    hostname: Hostname,
    suffix: String,
}

/// The host of one tenant. Only [`Hosts::tenant`] makes it, so holding one means that the host was checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TenantHost(Hostname);

impl TenantHost {
    /// The hostname.
    pub fn hostname(&self) -> &Hostname {
        &self.0
    }
}

/// The three kinds of hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostClass {
    /// Where tenants are created, deactivated and reactivated.
    Register,
    /// A tenant's own.
    Tenant,
    /// The organization API's.
    Organization,
}

impl HostClass {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Register, Self::Tenant, Self::Organization];

    /// A word for metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Tenant => "tenant",
            Self::Organization => "organization",
        }
    }
}

/// Builds hosts under the domain of Qlik Cloud. No host that is called comes from anywhere else.
#[derive(Clone, Debug)]
pub struct Hosts {
    domain: Hostname,
}

impl Hosts {
    /// Hosts under `domain`.
    pub fn new(domain: Hostname) -> Self {
        Self { domain }
    }

    /// The domain.
    pub fn domain(&self) -> &Hostname {
        &self.domain
    }

    /// Where tenants of a region are created, deactivated and reactivated.
    pub fn register(&self, region: Region) -> Hostname {
        Hostname(format!("register.{region}.{}", self.domain))
    }

    /// The organization API.
    pub fn console(&self) -> Hostname {
        Hostname(format!("console.{}", self.domain))
    }

    /// What kind of host it is, as far as its name tells.
    pub fn class(&self, hostname: &Hostname) -> HostClass {
        let under = hostname.as_str().strip_suffix(self.domain.as_str()).and_then(|rest| rest.strip_suffix('.'));
        match under {
            Some("console") => HostClass::Organization,
            Some(rest) if rest.starts_with("register.") => HostClass::Register,
            Some(_) | None => HostClass::Tenant,
        }
    }

    /// Admits `hostname` if it is exactly one label under the region's domain, and not the register host.
    pub fn tenant(&self, hostname: &Hostname, region: Region) -> Result<TenantHost, ForeignHost> {
        let suffix = format!("{region}.{}", self.domain);
        let label = hostname.as_str().strip_suffix(suffix.as_str()).and_then(|rest| rest.strip_suffix('.'));
        match label {
            Some(label) if !label.contains('.') && label != "register" => Ok(TenantHost(hostname.clone())),
            Some(_) | None => Err(ForeignHost { hostname: hostname.clone(), suffix }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Hostname {
        text.parse().unwrap()
    }

    #[test]
    fn ids() {
        for good in ["TiQ8GPVr8qI714Lp5ChAAFFaU24MJy69", "a", "_-"] {
            assert_eq!(good.parse::<TenantId>().unwrap().as_str(), good);
        }
        for bad in ["", "a/b", "a b", "ä", "a\"b", &"x".repeat(65)] {
            assert!(bad.parse::<TenantId>().is_err() && bad.parse::<ClientId>().is_err(), "{bad}");
        }
        assert!("x".repeat(512).parse::<OauthClientId>().is_ok());
        for bad in ["", ".", "a/b", &"x".repeat(513)] {
            assert!(bad.parse::<OauthClientId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn hostnames() {
        assert_eq!(host("Acme.US.qlikcloud.com").as_str(), "acme.us.qlikcloud.com");
        for bad in ["", ".", "a..b", "a.", "-a.b", "a-.b", "a_b.c", "a.b/c", "a.b:443", "a@b", &"x".repeat(64)] {
            assert!(bad.parse::<Hostname>().is_err(), "{bad}");
        }
    }

    #[test]
    fn regions_round_trip() {
        assert_eq!(Region::ALL.len(), 13);
        for region in Region::ALL {
            assert_eq!(region.code().parse(), Ok(*region));
        }
        assert!("US".parse::<Region>().is_err() && "".parse::<Region>().is_err());
    }

    #[test]
    fn purge_days() {
        for good in [10, 30, 90] {
            assert_eq!(i32::from(PurgeDays::try_from(good).unwrap().get()), good);
        }
        for bad in [i32::MIN, -10, 0, 9, 91, 256 + 30, i32::MAX] {
            assert!(PurgeDays::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_tenants_of_the_region_are_called() {
        let hosts = Hosts::new(host("qlikcloud.com"));
        for (name, class) in [
            ("register.us.qlikcloud.com", HostClass::Register),
            ("console.qlikcloud.com", HostClass::Organization),
            ("acme.us.qlikcloud.com", HostClass::Tenant),
            ("console.us.qlikcloud.com", HostClass::Tenant),
        ] {
            assert_eq!(hosts.class(&host(name)), class, "{name}");
        }
        assert_eq!(hosts.register(Region::De).as_str(), "register.de.qlikcloud.com");
        assert_eq!(hosts.console().as_str(), "console.qlikcloud.com");
        assert!(hosts.tenant(&host("acme.de.qlikcloud.com"), Region::De).is_ok());
        for foreign in [
            "register.de.qlikcloud.com",
            "de.qlikcloud.com",
            "a.b.de.qlikcloud.com",
            "acme.us.qlikcloud.com",
            "acmede.qlikcloud.com",
            "acme.de.qlikcloud.com.evil.example",
            "acme.de.evilqlikcloud.com",
            "evil.example",
        ] {
            assert!(hosts.tenant(&host(foreign), Region::De).is_err(), "{foreign}");
        }
    }
}
