//! What can go wrong with a call, and what that means for the caller.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::ids::{ForeignHost, Hostname};

/// What kind of trouble it is, that is: who can end it, and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Passes by itself; try again with backoff.
    Transient,
    /// Passes by itself after this time.
    Throttled(Duration),
    /// Qlik Cloud understood and said no; the same call will be refused again.
    Refused,
    /// A person must put something right: a credential, a setting, a licence.
    Misconfigured,
    /// The state in Qlik Cloud is not what the call assumed; look again.
    Conflict,
}

impl Class {
    /// A word for metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled(_) => "throttled",
            Self::Refused => "refused",
            Self::Misconfigured => "misconfigured",
            Self::Conflict => "conflict",
        }
    }
}

/// May the call have taken effect in Qlik Cloud although there is no good answer?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Certainly not.
    None,
    /// Cannot be told from here. For a call that only reads it makes no difference.
    Unknown,
}

/// An error answer of Qlik Cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The host that answered.
    pub host: Hostname,
    /// The HTTP status.
    pub status: u16,
    /// Qlik's code, such as `TENANTS-22`.
    pub code: Option<String>,
    /// Qlik's short text.
    pub title: Option<String>,
    /// Qlik's longer text.
    pub detail: Option<String>,
    /// Names the request for Qlik's support.
    pub trace_id: Option<String>,
}

// Without the trace id: the text goes into a status, which is written again whenever it changes.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered {}", self.host, self.status)?;
        for part in [&self.code, &self.title, &self.detail].into_iter().flatten() {
            write!(f, ", {part}")?;
        }
        Ok(())
    }
}

/// Why a call to Qlik Cloud failed. Cloning is cheap, so that all who wait for one access token share one failure.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No connection, so nothing was sent.
    #[error("could not connect to {host}")]
    Unreachable {
        /// The host.
        host: Hostname,
        /// Why.
        source: Arc<reqwest::Error>,
    },
    /// The request was sent, or partly; the connection broke before a whole answer.
    #[error("the connection to {host} broke before a whole answer came")]
    NoAnswer {
        /// The host.
        host: Hostname,
        /// Why.
        source: Arc<reqwest::Error>,
    },
    /// The request was sent; no whole answer came in time.
    #[error("{host} gave no whole answer within {} s", after.as_secs())]
    Deadline {
        /// The host.
        host: Hostname,
        /// How long was waited.
        after: Duration,
    },
    /// No access token could be had, and so the call itself was not made.
    #[error("no access token could be had, the call was not made")]
    NoToken {
        /// Why.
        source: Box<Error>,
    },
    /// Too many calls, by Qlik's word (429) or by our own budget.
    #[error("too many calls to {host}, next one in {} s", retry_after.as_secs())]
    Throttled {
        /// The host.
        host: Hostname,
        /// When to try again.
        retry_after: Duration,
    },
    /// The client id or secret is not accepted.
    #[error("the OAuth client's id or secret is not accepted: {0}")]
    BadCredentials(Box<Reply>),
    /// The tenant is deactivated: it answers 401 to everything.
    #[error("the tenant is deactivated: {0}")]
    TenantDisabled(Box<Reply>),
    /// No token for this client: its bot user is disabled, or it holds the maximum number of tokens (Qlik's page gives
    /// one status for both).
    #[error("the OAuth client's bot user is disabled or has too many tokens: {0}")]
    BotDisabled(Box<Reply>),
    /// The access token is not accepted, not even a fresh one.
    #[error("the access token is not accepted: {0}")]
    Unauthorized(Box<Reply>),
    /// The client may not do this.
    #[error("not allowed: {0}")]
    Forbidden(Box<Reply>),
    /// No more tenants in this licence.
    #[error("the licence allows no further tenant: {0}")]
    QuotaReached(Box<Reply>),
    /// The licence key is not accepted.
    #[error("the licence key is not accepted: {0}")]
    LicenseInvalid(Box<Reply>),
    /// No such thing, said by the API itself: an accepted token came first.
    #[error("not found: {0}")]
    NotFound(Box<Reply>),
    /// The confirming header did not match.
    #[error("the confirmation does not match: {0}")]
    PreconditionFailed(Box<Reply>),
    /// Any other 4xx.
    #[error("refused: {0}")]
    Refused(Box<Reply>),
    /// A 5xx, or a gateway that gave up waiting (408).
    #[error("trouble at Qlik Cloud: {0}")]
    Server(Box<Reply>),
    /// A redirect; none is followed.
    #[error("{host} answered {status}, a redirect that is not followed")]
    Redirected {
        /// The host that answered.
        host: Hostname,
        /// The HTTP status.
        status: u16,
    },
    /// A good status with an answer that cannot be right.
    #[error("the answer of {host} cannot be used: {reason}")]
    Malformed {
        /// The host.
        host: Hostname,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A good status with more than one MiB of answer.
    #[error("the answer of {host} is too large")]
    TooLarge {
        /// The host.
        host: Hostname,
    },
    /// This process does not lead any more; nothing was sent.
    #[error("another operator leads, so {host} was not called")]
    NotLeading {
        /// The host.
        host: Hostname,
    },
    /// The host is not one of Qlik Cloud in this region; nothing was sent.
    #[error(transparent)]
    ForeignHost(#[from] ForeignHost),
    /// A setting of ours cannot be used; nothing was sent.
    #[error("{what} cannot be used")]
    Setting {
        /// What is wrong.
        what: &'static str,
        /// Why.
        source: Option<Arc<reqwest::Error>>,
    },
}

impl Error {
    /// What kind of trouble it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Deadline { .. }
            | Self::Server(_)
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::NotLeading { .. } => Class::Transient,
            // A host made a moment ago may not know its token endpoint yet; that says nothing of the tenant.
            Self::NoToken { source } if matches!(**source, Self::NotFound(_)) => Class::Transient,
            Self::NoToken { source } => source.class(),
            Self::Throttled { retry_after, .. } => Class::Throttled(*retry_after),
            Self::BadCredentials(_)
            | Self::BotDisabled(_)
            | Self::Unauthorized(_)
            | Self::LicenseInvalid(_)
            | Self::Redirected { .. }
            | Self::ForeignHost(_)
            | Self::Setting { .. } => Class::Misconfigured,
            Self::PreconditionFailed(_) => Class::Conflict,
            Self::Refused(reply) if reply.status == 409 => Class::Conflict,
            Self::TenantDisabled(_)
            | Self::Forbidden(_)
            | Self::QuotaReached(_)
            | Self::NotFound(_)
            | Self::Refused(_) => Class::Refused,
        }
    }

    /// May the call have taken effect in Qlik Cloud?
    pub fn effect(&self) -> Effect {
        match self {
            Self::NoAnswer { .. }
            | Self::Deadline { .. }
            | Self::Server(_)
            | Self::Malformed { .. }
            | Self::TooLarge { .. } => Effect::Unknown,
            Self::Unreachable { .. }
            | Self::NoToken { .. }
            | Self::Throttled { .. }
            | Self::BadCredentials(_)
            | Self::TenantDisabled(_)
            | Self::BotDisabled(_)
            | Self::Unauthorized(_)
            | Self::Forbidden(_)
            | Self::QuotaReached(_)
            | Self::LicenseInvalid(_)
            | Self::NotFound(_)
            | Self::PreconditionFailed(_)
            | Self::Refused(_)
            | Self::Redirected { .. }
            | Self::NotLeading { .. }
            | Self::ForeignHost(_)
            | Self::Setting { .. } => Effect::None,
        }
    }

    /// A short name for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::NoAnswer { .. } => "no_answer",
            Self::Deadline { .. } => "deadline",
            Self::NoToken { .. } => "no_token",
            Self::Throttled { .. } => "throttled",
            Self::BadCredentials(_) => "bad_credentials",
            Self::TenantDisabled(_) => "tenant_disabled",
            Self::BotDisabled(_) => "bot_disabled",
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::QuotaReached(_) => "quota_reached",
            Self::LicenseInvalid(_) => "license_invalid",
            Self::NotFound(_) => "not_found",
            Self::PreconditionFailed(_) => "precondition_failed",
            Self::Refused(_) => "refused",
            Self::Server(_) => "server",
            Self::Redirected { .. } => "redirected",
            Self::Malformed { .. } => "malformed",
            Self::TooLarge { .. } => "too_large",
            Self::NotLeading { .. } => "not_leading",
            Self::ForeignHost(_) => "foreign_host",
            Self::Setting { .. } => "setting",
        }
    }

    /// Qlik's error answer, where there is one.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::BadCredentials(reply)
            | Self::TenantDisabled(reply)
            | Self::BotDisabled(reply)
            | Self::Unauthorized(reply)
            | Self::Forbidden(reply)
            | Self::QuotaReached(reply)
            | Self::LicenseInvalid(reply)
            | Self::NotFound(reply)
            | Self::PreconditionFailed(reply)
            | Self::Refused(reply)
            | Self::Server(reply) => Some(reply),
            Self::NoToken { source } => source.reply(),
            Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Deadline { .. }
            | Self::Throttled { .. }
            | Self::Redirected { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::NotLeading { .. }
            | Self::ForeignHost(_)
            | Self::Setting { .. } => None,
        }
    }

    /// The same error, said of a token request: whatever became of that one, the call it was for was not made. What
    /// would mean something else as the outcome of the call (above all `NotFound`) is wrapped.
    pub(super) fn before_the_call(self) -> Self {
        match &self {
            Self::Unreachable { .. }
            | Self::NoToken { .. }
            | Self::Throttled { .. }
            | Self::BadCredentials(_)
            | Self::TenantDisabled(_)
            | Self::BotDisabled(_)
            | Self::Redirected { .. }
            | Self::NotLeading { .. }
            | Self::ForeignHost(_)
            | Self::Setting { .. } => self,
            Self::NoAnswer { .. }
            | Self::Deadline { .. }
            | Self::Unauthorized(_)
            | Self::Forbidden(_)
            | Self::QuotaReached(_)
            | Self::LicenseInvalid(_)
            | Self::NotFound(_)
            | Self::PreconditionFailed(_)
            | Self::Refused(_)
            | Self::Server(_)
            | Self::Malformed { .. }
            | Self::TooLarge { .. } => Self::NoToken { source: Box::new(self) },
        }
    }
}
