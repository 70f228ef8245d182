//! Wrong manifests of tenants.

use super::kubectl::tenant;
use super::table::{By, Row, Wrong, rule, structure};

const HOSTNAME: &str = "is a bare hostname, for instance acme.eu.qlikcloud.com, without https:// and without a path";
const TENANT_ID: &str = "spec.adopt.tenantId is the tenant's id, letters, digits, dashes and underscores as GET \
                         /api/v1/tenants/me shows it, not a hostname";
const CONFIRM: &str =
    "offboarding.confirmHostname is a bare hostname of the tenant, for instance acme.eu.qlikcloud.com";
pub(crate) const DEACTIVATED: &str = "lifecycle: Deactivated needs offboarding.confirmHostname: write the hostname of the tenant \
                           that is to be deactivated (see status.hostname)";
pub(crate) const ON_DELETE: &str = "offboarding.onDelete: Deactivate needs offboarding.confirmHostname: write the hostname of the \
                         tenant that a deletion may deactivate (see status.hostname), or use onDelete: Retain";
pub(crate) const LICENSE: &str = "spec.license is missing: write license.keyRef (a Secret with the signed license key) or \
                       license.fromTenant (a tenant whose license to use), or adopt an existing tenant with spec.adopt";
pub(crate) const ONE_LICENSE: &str = "spec.license takes exactly one of the two: keyRef (a Secret with the signed license key) or \
                           fromTenant (the hostname of a tenant whose license to use)";
const ALIAS: &str = "spec.alias is the first label of the hostname only: lower-case letters, digits and inner dashes, \
                     for instance acme and not acme.eu.qlikcloud.com";
const SECRET: &str = "this is the name of a Secret in the same namespace: lower-case letters, digits, inner dashes and \
                      dots, for instance qlik-credentials";
const KEY: &str = "this is a key of the Secret: letters, digits, dashes, dots and underscores, for instance licenseKey";
const ERASE: &str = "offboarding.eraseSecrets.names takes names of Secrets in the same namespace: lower-case letters, \
                     digits, inner dashes and dots, no namespace and no wildcard";
const DURATION: &str = "spec.interval is a duration made of hours, minutes and seconds, for instance 30m or 1h30m";
const RANGE: &str = "spec.interval must be between 1m and 24h";
const REGIONS: &str =
    r#"supported values: "us", "eu", "de", "uk", "se", "jp", "ap", "sg", "in", "ae", "br", "fr", "il""#;

/// What the rows of `ADDED` stand on: a manifest that is accepted.
pub(crate) const BASE: &str = "region: us\nlicense: {keyRef: {name: l}}";

/// Whole specs; every row is wrong in one way.
const WHOLE: &[Row] = &[
    structure("region-unknown", "region: xx\nlicense: {keyRef: {name: l}}", REGIONS),
    structure("region-upper-case", "region: EU\nlicense: {keyRef: {name: l}}", REGIONS),
    structure("region-missing", "license: {keyRef: {name: l}}", "spec.region: Required value"),
    rule("license-missing", "region: us", LICENSE),
    rule("license-empty", "region: us\nlicense: {}", ONE_LICENSE),
    rule("license-twice", "region: us\nlicense: {keyRef: {name: l}, fromTenant: a.us.qlikcloud.com}", ONE_LICENSE),
    structure("license-as-text", "region: us\nlicense: eyJhbGciOiJ", "spec.license in body must be of type object"),
    rule("license-secret-empty", "region: us\nlicense: {keyRef: {name: ''}}", SECRET),
    rule("license-secret-upper-case", "region: us\nlicense: {keyRef: {name: License}}", SECRET),
    rule("license-key-with-space", "region: us\nlicense: {keyRef: {name: l, key: 'a b'}}", KEY),
    rule("license-key-empty", "region: us\nlicense: {keyRef: {name: l, key: ''}}", KEY),
    rule("license-from-url", "region: us\nlicense: {fromTenant: 'https://a.us.qlikcloud.com'}", HOSTNAME),
    rule("license-from-alias", "region: us\nlicense: {fromTenant: acme}", HOSTNAME),
    rule("license-from-nothing", "region: us\nlicense: {fromTenant: ''}", HOSTNAME),
    structure("adopt-without-hostname", "region: us\nadopt: {tenantId: abc}", "spec.adopt.hostname: Required value"),
    structure(
        "adopt-without-id",
        "region: us\nadopt: {hostname: a.us.qlikcloud.com}",
        "spec.adopt.tenantId: Required value",
    ),
    rule("adopt-url", "region: us\nadopt: {tenantId: abc, hostname: 'https://a.us.qlikcloud.com/console'}", HOSTNAME),
    rule("adopt-hostname-empty", "region: us\nadopt: {tenantId: abc, hostname: ''}", HOSTNAME),
    rule(
        "adopt-hostname-as-id",
        "region: us\nadopt: {tenantId: a.us.qlikcloud.com, hostname: a.us.qlikcloud.com}",
        TENANT_ID,
    ),
    rule("adopt-id-empty", "region: us\nadopt: {tenantId: '', hostname: a.us.qlikcloud.com}", TENANT_ID),
    rule("adopt-id-with-slash", "region: us\nadopt: {tenantId: 'a/../b', hostname: a.us.qlikcloud.com}", TENANT_ID),
];

/// What is added to the accepted manifest; every row is wrong in one way.
const ADDED: &[Row] = &[
    structure("credentials-without-name", "credentialsRef: {}", "spec.credentialsRef.name: Required value"),
    rule("credentials-empty", "credentialsRef: {name: ''}", SECRET),
    rule("credentials-with-slash", "credentialsRef: {name: other/secret}", SECRET),
    structure(
        "credentials-elsewhere",
        "credentialsRef: {name: c, namespace: other}",
        r#"unknown field "spec.credentialsRef.namespace""#,
    ),
    structure("credentials-as-text", "credentialsRef: c", "spec.credentialsRef in body must be of type object"),
    structure("name-empty", "displayName: ''", "spec.displayName in body should be at least 1 chars long"),
    structure("name-a-number", "displayName: 12", "spec.displayName in body must be of type string"),
    rule("alias-with-dots", "alias: acme.us.qlikcloud.com", ALIAS),
    rule("alias-upper-case", "alias: Acme", ALIAS),
    rule("alias-leading-dash", "alias: '-acme'", ALIAS),
    rule("alias-trailing-dash", "alias: acme-", ALIAS),
    rule("alias-empty", "alias: ''", ALIAS),
    structure(
        "setting-as-text",
        "settings: {enableAppOpeningFeedback: 'yes'}",
        "spec.settings.enableAppOpeningFeedback in body must be of type boolean",
    ),
    structure("setting-unknown", "settings: {enableFeedback: true}", r#"unknown field "spec.settings.enableFeedback""#),
    structure("lifecycle-typo", "lifecycle: Deactivate", r#"supported values: "Active", "Deactivated""#),
    structure("lifecycle-lower-case", "lifecycle: active", r#"supported values: "Active", "Deactivated""#),
    rule("deactivated-unconfirmed", "lifecycle: Deactivated", DEACTIVATED),
    rule("deactivated-half-confirmed", "lifecycle: Deactivated\noffboarding: {purgeAfterDays: 10}", DEACTIVATED),
    structure("purge-too-soon", "offboarding: {purgeAfterDays: 9}", "should be greater than or equal to 10"),
    structure("purge-too-late", "offboarding: {purgeAfterDays: 91}", "should be less than or equal to 90"),
    structure(
        "purge-as-text",
        "offboarding: {purgeAfterDays: '30'}",
        "spec.offboarding.purgeAfterDays in body must be of type integer",
    ),
    structure(
        "purge-as-fraction",
        "offboarding: {purgeAfterDays: 30.5}",
        "spec.offboarding.purgeAfterDays in body must be of type int",
    ),
    structure("on-delete-typo", "offboarding: {onDelete: Delete}", r#"supported values: "Retain", "Deactivate""#),
    rule("on-delete-unconfirmed", "offboarding: {onDelete: Deactivate}", ON_DELETE),
    structure("release-typo", "offboarding: {release: Now}", r#"supported values: "Scheduled", "Purged""#),
    rule("confirm-url", "offboarding: {confirmHostname: 'https://a.us.qlikcloud.com'}", CONFIRM),
    rule("confirm-empty", "lifecycle: Deactivated\noffboarding: {confirmHostname: ''}", CONFIRM),
    rule("confirm-wildcard", "offboarding: {confirmHostname: '*.us.qlikcloud.com'}", CONFIRM),
    rule(
        "erase-twice",
        "offboarding: {eraseSecrets: {names: [a, b, a]}}",
        "offboarding.eraseSecrets.names has the same name twice: remove one",
    ),
    rule("erase-wildcard", "offboarding: {eraseSecrets: {names: ['*']}}", ERASE),
    rule("erase-elsewhere", "offboarding: {eraseSecrets: {names: [other/secret]}}", ERASE),
    rule("erase-nothing", "offboarding: {eraseSecrets: {names: ['']}}", ERASE),
    structure(
        "erase-as-text",
        "offboarding: {eraseSecrets: {names: a}}",
        "spec.offboarding.eraseSecrets.names in body must be of type array",
    ),
    structure(
        "erase-referenced-as-text",
        "offboarding: {eraseSecrets: {referenced: 'true'}}",
        "spec.offboarding.eraseSecrets.referenced in body must be of type boolean",
    ),
    structure("suspend-as-text", "suspend: 'true'", "spec.suspend in body must be of type boolean"),
    rule("interval-too-short", "interval: 59s", RANGE),
    rule("interval-too-long", "interval: 24h1s", RANGE),
    rule("interval-far-too-long", "interval: 99999h99999h", RANGE),
    rule("interval-in-days", "interval: 1d", DURATION),
    rule("interval-without-unit", "interval: '30'", DURATION),
    rule("interval-overflow", "interval: 999999999999999h", DURATION),
    structure("interval-a-number", "interval: 30", "spec.interval in body must be of type string"),
    structure("field-unknown", "onDelete: Deactivate", r#"unknown field "spec.onDelete""#),
];

/// The whole table.
pub(crate) fn wrong() -> Vec<Wrong> {
    let whole = WHOLE.iter().map(|row| row.on(tenant, ""));
    let added = ADDED.iter().map(|row| row.on(tenant, BASE));
    whole.chain(added).chain(too_long()).collect()
}

/// Rows that are too long to be written out.
fn too_long() -> [Wrong; 4] {
    let names: Vec<_> = (0..51).map(|number| format!("s{number}")).collect();
    [
        ("alias-too-long", format!("alias: {}", "a".repeat(64)), "may not be more than 63"),
        ("name-too-long", format!("displayName: {}", "a".repeat(257)), "may not be more than 256"),
        ("secret-name-too-long", format!("credentialsRef: {{name: {}}}", "a".repeat(254)), "may not be more than 253"),
        (
            "erase-too-many",
            format!("offboarding: {{eraseSecrets: {{names: [{}]}}}}", names.join(", ")),
            "must have at most 50 items",
        ),
    ]
    .map(|(name, spec, says)| {
        let manifest = tenant(name, &format!("{BASE}\n{spec}"));
        Wrong { name, manifest, by: By::Structure, says }
    })
}
