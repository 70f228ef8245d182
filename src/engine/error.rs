//! What can end a pass early, and what that means for people and for the next attempt.

use crate::crd::{Phase, Reason};
use crate::plan::Finding;
use crate::qlik::{self, Class};
use std::time::Duration;

/// Why a pass ended without a decision, or a step without an effect.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request to the Kubernetes API failed.
    #[error("cannot {what}")]
    Kube {
        /// What was attempted, as a verb phrase.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Box<kube::Error>,
    },
    /// A call to Qlik Cloud failed.
    #[error(transparent)]
    Qlik(#[from] qlik::Error),
    /// Something that the object refers to is not there (yet).
    #[error("{message}")]
    Missing {
        /// Which kind of thing.
        reason: Reason,
        /// What is missing and what to do.
        message: String,
    },
    /// The object asks for something that it cannot have.
    #[error("{message}")]
    Misconfigured {
        /// What kind of thing.
        reason: Reason,
        /// What is wrong and what to do.
        message: String,
    },
    /// A step found that its turn has not come. It comes by itself.
    #[error("{}", .finding.message)]
    Wait {
        /// Why, for people.
        finding: Box<Finding>,
        /// When to look again.
        recheck: Duration,
    },
    /// The crypto library could not make a key.
    #[error("no key pair could be made")]
    Crypto,
    /// The object changed while it was being worked on; look again.
    #[error("the object changed meanwhile")]
    Raced,
    /// The Kubernetes API did not answer in time.
    #[error("the Kubernetes API did not answer in time: cannot {0}")]
    KubeTimeout(&'static str),
    /// The pass took too long.
    #[error("the pass did not end within {} s", .0.as_secs())]
    Deadline(Duration),
    /// The pass did not come to rest.
    #[error("no rest after {0} steps, the last one was {1}")]
    Stuck(usize, String),
}

impl Error {
    /// Wraps a failed request, telling a lost race apart from a failure: the object was changed meanwhile, or is there already.
    pub fn kube(what: &'static str) -> impl Fn(kube::Error) -> Self {
        move |source| match &source {
            kube::Error::Api(status) if status.is_conflict() || status.is_already_exists() => Self::Raced,
            _ => Self::Kube { what, source: Box::new(source) },
        }
    }

    /// The object does not exist (any more).
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Kube { source, .. } if matches!(&**source, kube::Error::Api(s) if s.is_not_found()))
    }

    /// The namespace is being deleted, so that nothing can be created in it any more.
    pub fn is_terminating(&self) -> bool {
        let says = |status: &kube::core::Status| {
            let causes = status.details.iter().flat_map(|details| &details.causes);
            status.is_forbidden() && causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
        };
        matches!(self, Self::Kube { source, .. } if matches!(&**source, kube::Error::Api(status) if says(status)))
    }

    /// The outcome of a call to Qlik Cloud is known: it had no effect.
    pub fn had_no_effect(&self) -> bool {
        matches!(self, Self::Qlik(error)
            if error.effect() == qlik::Effect::None && !matches!(root(error), qlik::Error::NotLeading { .. }))
    }

    fn is_forbidden(&self) -> bool {
        matches!(self, Self::Kube { source, .. } if matches!(&**source, kube::Error::Api(s) if s.is_forbidden()))
    }

    /// RBAC refused it. Quotas and admission rules answer 403 just as well; the API server's wording tells them apart.
    pub fn lacks_a_right(&self) -> bool {
        matches!(self, Self::Kube { source, .. } if matches!(&**source,
            kube::Error::Api(s) if s.is_forbidden() && s.message.contains(" is forbidden: User ")))
    }

    /// Its class, which decides when to try again.
    pub fn class(&self) -> Class {
        match self {
            Self::Qlik(error) => error.class(),
            Self::Kube { .. } | Self::KubeTimeout(_) | Self::Deadline(_) | Self::Missing { .. } | Self::Crypto => {
                Class::Transient
            }
            Self::Misconfigured { .. } | Self::Stuck(..) => Class::Misconfigured,
            Self::Wait { recheck, .. } => Class::Throttled(*recheck),
            Self::Raced => Class::Conflict,
        }
    }

    /// A word for metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Kube { .. } if self.is_forbidden() => "kubernetes_forbidden",
            Self::Kube { .. } | Self::KubeTimeout(_) => "kubernetes",
            Self::Qlik(error) => error.label(),
            Self::Missing { .. } => "missing",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Wait { .. } => "waiting",
            Self::Raced => "raced",
            Self::Crypto => "crypto",
            Self::Deadline(_) => "deadline",
            Self::Stuck(..) => "stuck",
        }
    }

    /// For people. `None` when there is nothing to say: a lost race.
    pub fn finding(&self) -> Option<Finding> {
        let text = self.chain();
        Some(match self {
            Self::Raced => return None,
            Self::Wait { finding, .. } => *finding.clone(),
            Self::Qlik(error) => qlik_finding(error, text),
            Self::Kube { .. } if self.lacks_a_right() => {
                Finding::human(Reason::Forbidden, format!("{text}: give the operator's service account this right"))
            }
            Self::Kube { .. } if self.is_forbidden() => {
                let text = format!("{text}: what refuses it is a quota or an admission rule of this cluster");
                Finding::human(Reason::Forbidden, text)
            }
            Self::Kube { .. } | Self::KubeTimeout(_) | Self::Deadline(_) | Self::Crypto => {
                Finding::passing(Phase::Pending, Reason::KubernetesUnavailable, text)
            }
            Self::Missing { reason, .. } => Finding::passing(Phase::Pending, *reason, text),
            Self::Misconfigured { reason, .. } => Finding::human(*reason, text),
            Self::Stuck(..) => Finding::human(Reason::Stuck, text),
        })
    }

    /// The message with its causes, each once.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error's message with its causes, each once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = words(cause);
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// An error's own words. What kube says of an answer repeats it whole as a debug print; the API server's sentence is enough.
fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let boxed = error.downcast_ref::<Box<kube::Error>>().map(|error| &**error);
    match error.downcast_ref::<kube::Error>().or(boxed) {
        Some(kube::Error::Api(status)) if !status.message.is_empty() => status.message.clone(),
        Some(_) | None => error.to_string(),
    }
}

/// The failure itself, where it was met while asking for an access token.
pub fn root(error: &qlik::Error) -> &qlik::Error {
    match error {
        qlik::Error::NoToken { source } => root(source),
        other => other,
    }
}

fn qlik_finding(error: &qlik::Error, text: String) -> Finding {
    use qlik::Error as E;
    match root(error) {
        // Without the seconds: a message that changes at each attempt would be written at each attempt.
        E::Throttled { .. } => Finding::passing(
            Phase::Pending,
            Reason::Throttled,
            "Qlik Cloud allows no further call for now; the next attempt comes by itself",
        ),
        E::BadCredentials(_) | E::Unauthorized(_) => Finding::human(
            Reason::CredentialsInvalid,
            format!("{text}: check client id and secret, and that the OAuth client belongs to this region and license"),
        ),
        E::BotDisabled(_) => {
            Finding::human(Reason::BotDisabled, format!("{text}: enable the OAuth client's bot user in the tenant"))
        }
        E::Refused(_) => Finding::human(
            Reason::QlikRefused,
            format!(
                "{text}: correct what Qlik Cloud names; it is tried again at once when spec changes, else every ten minutes"
            ),
        ),
        E::Forbidden(_) | E::PreconditionFailed(_) | E::NotFound(_) | E::Setting { .. } => {
            Finding::human(Reason::QlikRefused, text)
        }
        E::QuotaReached(_) => Finding::human(
            Reason::QuotaReached,
            format!("{text}: the subscription allows no further tenant; purge one or extend the entitlement"),
        ),
        E::LicenseInvalid(_) => {
            Finding::human(Reason::LicenseInvalid, format!("{text}: check the license key of spec.license"))
        }
        E::ForeignHost(_) => Finding::human(Reason::ForeignHost, text),
        E::Unreachable { .. }
        | E::NoAnswer { .. }
        | E::Deadline { .. }
        | E::NoToken { .. }
        | E::NotLeading { .. }
        | E::TenantDisabled(_)
        | E::Server(_)
        | E::Redirected { .. }
        | E::Malformed { .. }
        | E::TooLarge { .. } => Finding::passing(Phase::Pending, Reason::QlikUnavailable, text),
    }
}
