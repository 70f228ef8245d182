//! What the simulator is started with, what can be switched while it runs, and the line it prints when ready.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::journal::Entry;
use super::optional;

/// How to start a simulator. The default listens with TLS and for administration on random loopback ports.
#[derive(Clone)]
pub struct Config {
    /// Address of the TLS listener; `None` leaves it off.
    pub listen: Option<String>,
    /// Address of the plain HTTP listener; `None` leaves it off.
    pub listen_plain: Option<String>,
    /// Address of the admin listener; `None` leaves it off.
    pub listen_admin: Option<String>,
    /// Domain under which the virtual hosts live.
    pub domain: String,
    /// Where `ca.pem` is written; a temporary directory that goes with the simulator when absent.
    pub tls_dir: Option<PathBuf>,
    /// Seed of all identifiers; unpredictable when absent.
    pub seed: Option<u64>,
    /// Stands in every secret, licence key and access token, so that a test can look for where one shows up. Secrets of
    /// tenants' OAuth clients have it after the characters that Qlik shows as their hint.
    pub secret_prefix: String,
    /// How many tenants a licence allows at one time.
    pub tenant_quota: usize,
    /// Choices the documentation leaves open; they can be changed while running.
    pub options: Options,
    /// Called for every request after its effect is committed and journalled, before the answer is sent.
    pub after_request: Option<AfterRequest>,
}

/// The hook type of [`Config::after_request`].
pub type AfterRequest = Arc<dyn Fn(&Entry) -> After + Send + Sync>;

/// What a hook wants done with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Send it.
    Answer,
    /// Close the connection without an answer.
    Drop,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Some("127.0.0.1:0".to_owned()),
            listen_plain: None,
            listen_admin: Some("127.0.0.1:0".to_owned()),
            domain: "qlikcloud.com".to_owned(),
            tls_dir: None,
            seed: None,
            secret_prefix: String::new(),
            tenant_quota: 10_000,
            options: Options::default(),
            after_request: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("listen_plain", &self.listen_plain)
            .field("listen_admin", &self.listen_admin)
            .field("domain", &self.domain)
            .field("tls_dir", &self.tls_dir)
            .field("seed", &self.seed)
            .field("secret_prefix", &self.secret_prefix)
            .field("tenant_quota", &self.tenant_quota)
            .field("options", &self.options)
            .field("after_request", &self.after_request.is_some())
            .finish()
    }
}

/// Behaviour that Qlik's documentation leaves open or contradicts itself about. Defaults are the least forgiving
/// reading, so that a client that works here does not lean on luck.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "every one of them is a question of its own")]
pub struct Options {
    /// Error code of a disabled tenant's 401 (two pages of Qlik disagree).
    pub disabled_code: DisabledCode,
    /// Status of reactivating a tenant that is active: 200, or a 4xx.
    pub reactivate_active: u16,
    /// Status when `qlik-confirm-hostname` is missing altogether: 400 or 412.
    pub missing_confirm_header: u16,
    /// Whether `GET /api/v1/tenants/{id}` answers on the register host.
    pub register_get_tenant: bool,
    /// What the host of a purged tenant does: the generated one, since its alias is nobody's any more.
    pub purged_host: PurgedHost,
    /// What a host does that no tenant has.
    pub unknown_host: UnknownHost,
    /// Real milliseconds between committing a create and answering it.
    pub create_delay_ms: u64,
    /// A spell in which the host of a new tenant is not there yet.
    pub new_host: Option<NewHost>,
    /// How the last page of a list says that there is no next one.
    pub next_link: NextLink,
    /// Upper bound on page sizes, below what the client asks for.
    pub max_page: Option<usize>,
    /// Whether a filter of the organization API must name `subscriptionId`, as its page states.
    pub filter_needs_subscription: bool,
    /// Factor on all rate limits; 0.01 makes ten reads a minute of a thousand.
    pub rate_scale: f64,
    /// What reading an identity provider shows of its client secret.
    pub idp_secrets: SecretsInGet,
    /// What happens when a second interactive identity provider is to become active.
    pub second_interactive: SecondInteractive,
    /// Whether an identity provider made with `skipVerify` is active at once.
    pub skip_verify_activates: bool,
    /// Whether the login with a Qlik Account is in the list of identity providers.
    pub list_qlik_account: bool,
    /// Whether a second JWT provider with the same issuer and key id is refused.
    pub unique_jwt_issuer: bool,
    /// Fields that are missing in answers, out of those that Qlik's schemas do not require: names from
    /// [`super::optional_fields`], or `*` for all of them.
    pub omit: Vec<String>,
    /// How the dates in answers are written.
    pub dates: Dates,
    /// How far the organization API lags behind; it does not when absent.
    pub late_list: Option<LateList>,
    /// Whether lists of OAuth clients and of identity providers come in another order at each call that asks for none.
    /// The pages of one list keep its order. The orders follow from [`Config::seed`].
    pub shuffle_lists: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            disabled_code: DisabledCode::TenantDisabled,
            reactivate_active: 200,
            missing_confirm_header: 400,
            register_get_tenant: false,
            purged_host: PurgedHost::NotFound,
            unknown_host: UnknownHost::NotFound,
            create_delay_ms: 0,
            new_host: None,
            next_link: NextLink::Absent,
            max_page: None,
            filter_needs_subscription: true,
            rate_scale: 1.0,
            idp_secrets: SecretsInGet::Omit,
            second_interactive: SecondInteractive::Refuse,
            skip_verify_activates: false,
            list_qlik_account: false,
            unique_jwt_issuer: false,
            omit: Vec::new(),
            dates: Dates::Instant,
            late_list: None,
            shuffle_lists: false,
        }
    }
}

impl Options {
    /// Says what is wrong with a choice that is none.
    pub(crate) fn check(&self) -> Result<(), String> {
        let wrong = |why: &str| Err(why.to_owned());
        if !matches!(self.reactivate_active, 200 | 400..=499) {
            return wrong("reactivateActive is 200 or a 4xx");
        }
        if !matches!(self.missing_confirm_header, 400 | 412) {
            return wrong("missingConfirmHeader is 400 or 412");
        }
        if self.new_host.is_some_and(|spell| !matches!(spell.status, 401 | 404)) {
            return wrong("newHost.status is 401 or 404");
        }
        if self.max_page == Some(0) || !self.rate_scale.is_finite() || self.rate_scale < 0.0 {
            return wrong("maxPage is at least 1, rateScale at least 0");
        }
        optional::check(&self.omit)
    }
}

/// The two documented codes of a disabled tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DisabledCode {
    /// As the page on deleting tenants has it.
    TenantDisabled,
    /// As the tutorial has it.
    TenantDeactivated,
}

/// Ways in which a purged tenant's host may be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PurgedHost {
    /// 404 with `TENANTS-8`.
    NotFound,
    /// The connection is closed without an answer.
    Drop,
    /// 401 as while the tenant was disabled: see [`Options::disabled_code`].
    StillDisabled,
    /// 404 with a page in HTML and no code, as a proxy in front of Qlik would answer.
    BareNotFound,
}

/// What a host may do that no tenant has: an alias that was never used or is free again, and every other name that is
/// none of the cloud's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnknownHost {
    /// 404 with `TENANTS-8`.
    NotFound,
    /// The connection is closed without an answer.
    Drop,
    /// 404 with a page in HTML and no code, as a proxy in front of Qlik would answer.
    BareNotFound,
}

/// How dates are written, such as `created` and `estimatedPurgeDate`. When a token expires is always an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Dates {
    /// `2026-12-27T10:00:00.000Z`
    Instant,
    /// `2026-12-27`: several dates of Qlik's schemas are of the format `date`.
    Day,
}

/// For how long the organization API does not know of something yet, in its list, its count and its single tenants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct LateList {
    /// Virtual seconds from a tenant's creation until it is shown.
    pub new_seconds: u32,
    /// Virtual seconds for which a tenant is shown as it was before its status changed.
    pub status_seconds: u32,
}

/// What a read shows of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretsInGet {
    /// The secret itself.
    Echo,
    /// Asterisks.
    Mask,
    /// Nothing: the field is absent.
    Omit,
}

/// What becomes of a second active interactive identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecondInteractive {
    /// 400.
    Refuse,
    /// It becomes active, and the first one no longer is.
    Deactivate,
}

/// For how long a new host answers with an error instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewHost {
    /// 401 or 404.
    pub status: u16,
    /// Virtual seconds after the creation; they pass in real time too.
    pub seconds: u32,
}

/// Styles of ending a paged list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NextLink {
    /// `links` has no `next`.
    Absent,
    /// `links.next.href` is `null`.
    Null,
}

/// An OAuth client's id and secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// Client id.
    pub client_id: String,
    /// Client secret.
    pub client_secret: String,
}

/// The line that the program prints when all its listeners accept connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// Address of the TLS listener.
    pub tls: Option<String>,
    /// Address of the plain HTTP listener.
    pub plain: Option<String>,
    /// Address of the admin listener.
    pub admin: Option<String>,
    /// The CA certificate that clients must trust.
    pub ca_file: Option<PathBuf>,
    /// Domain of the virtual hosts.
    pub domain: String,
    /// Signed key of the first licence.
    pub license_key: String,
    /// The regional OAuth clients of the first licence.
    pub regional: BTreeMap<String, Credentials>,
    /// The organization's OAuth client.
    pub organization: Credentials,
}
