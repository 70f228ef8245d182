//! Regions of Qlik Cloud and the data centres behind them.

/// One region: its code in host names and the names other APIs use for it.
#[derive(Debug)]
pub(crate) struct Region {
    /// The label in host names.
    pub(crate) code: &'static str,
    /// The cloud provider's name, which the organization API calls `regionCode`.
    pub(crate) datacenter: &'static str,
    /// The organization API's `countryCode`.
    pub(crate) country: &'static str,
    /// Whether `POST /tenants` documents the data centre as a value it takes.
    pub(crate) creatable: bool,
}

const fn region(code: &'static str, datacenter: &'static str, country: &'static str, creatable: bool) -> Region {
    Region { code, datacenter, country, creatable }
}

/// Every region. `ap` and `sg` follow Qlik's page, which looks swapped against the provider's naming.
pub(crate) const REGIONS: [Region; 13] = [
    region("us", "us-east-1", "US", true),
    region("eu", "eu-west-1", "IE", true),
    region("de", "eu-central-1", "DE", true),
    region("uk", "eu-west-2", "GB", true),
    region("se", "eu-north-1", "SE", false),
    region("jp", "ap-northeast-1", "JP", true),
    region("ap", "ap-southeast-1", "AU", true),
    region("sg", "ap-southeast-2", "SG", true),
    region("in", "ap-south-1", "IN", false),
    region("ae", "me-central-1", "AE", false),
    region("br", "sa-east-1", "BR", false),
    region("fr", "eu-west-3", "FR", false),
    region("il", "il-central-1", "IL", false),
];

/// The region with this code.
pub(crate) fn by_code(code: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.code == code)
}
