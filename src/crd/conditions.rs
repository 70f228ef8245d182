//! Condition types, reasons and phases: closed sets, so that people and alerts can rely on the words.

use schemars::JsonSchema;
use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The conditions that a status carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum ConditionType {
    /// The declared state is reached (also for a tenant declared `Deactivated` that is).
    Ready,
    /// The operator is working or will try again by itself (kstatus).
    Reconciling,
    /// Nothing more will happen until a human acts (kstatus).
    Stalled,
    /// Qlik Cloud was last seen to agree with the spec.
    Synced,
    /// Qlik Cloud accepted the credentials when they were last used.
    CredentialsValid,
    /// Qlik Cloud will purge this tenant on the date in the message.
    PurgeScheduled,
    /// The object is being deleted and the operator holds it, for the reason given.
    DeletionHeld,
    /// The Secret that the operator writes says what works in Qlik Cloud.
    SecretInSync,
    /// What the manifest says of the tenant's end could be done: `confirmHostname` is a hostname of the tenant.
    OffboardingReady,
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why a condition has its value. One closed set for every kind and condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum Reason {
    /// Declared and observed state are equal.
    Settled,
    /// A tenant is being created.
    Creating,
    /// The tenant exists; name, alias or settings are being written.
    Configuring,
    /// The tenant was created and its host does not answer yet.
    HostNotReady,
    /// The tenant is being deactivated.
    Deactivating,
    /// The tenant is deactivated and its purge date is known.
    PurgePending,
    /// The tenant is deactivated and nobody can tell when it will be purged.
    PurgeDateUnknown,
    /// The tenant is being reactivated.
    Reactivating,
    /// The tenant has been purged.
    Purged,
    /// The object asks for a deactivated tenant and there is none to deactivate.
    NothingToDeactivate,
    /// `spec.suspend` is set.
    Suspended,
    /// Another object holds this tenant.
    Conflict,
    /// The credentials' Secret or one of its keys is missing.
    CredentialsMissing,
    /// Qlik Cloud refused the credentials.
    CredentialsInvalid,
    /// The operator's default credentials may not serve this namespace.
    CredentialsNotAllowed,
    /// The credentials' bot user is disabled in this tenant.
    BotDisabled,
    /// The license key's Secret or key is missing, or the source tenant gives none.
    LicenseMissing,
    /// Qlik Cloud refused the license key.
    LicenseInvalid,
    /// The subscription allows no further tenant.
    QuotaReached,
    /// Qlik Cloud asked to slow down.
    Throttled,
    /// Qlik Cloud could not be reached or failed.
    QlikUnavailable,
    /// Qlik Cloud refused the request.
    QlikRefused,
    /// A host name does not belong to the region's Qlik domain.
    ForeignHost,
    /// `spec.adopt` does not match what Qlik Cloud says.
    AdoptMismatch,
    /// `spec.alias` is in use already: by a tenant of these credentials, by another object, or by somebody else.
    AliasInUse,
    /// The tenant exists and Qlik Cloud did not say under which hostname.
    HostnameUnknown,
    /// Whether a tenant was created cannot be known.
    CreateOutcomeUnknown,
    /// Whether the deactivation took effect is not known yet.
    DeactivationOutcomeUnknown,
    /// As many tenants as the operator's setting allows were deactivated within the hour; this one waits for its turn.
    DeactivationLimitReached,
    /// An earlier tenant of this name waits for its purge.
    PreviousTenantScheduled,
    /// An earlier object of this name held a tenant that was not deactivated.
    PreviousTenantReleased,
    /// The purge date has passed, and nobody can tell whether the tenant was purged.
    PurgeUnconfirmed,
    /// `confirmHostname` is not a hostname of the tenant.
    ConfirmHostnameMismatch,
    /// The tenant was deactivated by somebody else.
    DeactivatedOutOfBand,
    /// The tenant was reactivated by somebody else.
    ReactivatedOutOfBand,
    /// The tenant does not exist any more although it is declared `Active`.
    TenantGone,
    /// The same is changed outside again and again, and is not written back each time any more.
    DriftRepeats,
    /// As declared, except for fields that Qlik Cloud does not show, or shows otherwise than they were written.
    NotCompared,
    /// The clocks disagree, so nothing irreversible is done.
    ClockDoubt,
    /// Secrets that have to go are not gone yet.
    ErasePending,
    /// The `QlikTenant` that `tenantRef` names does not exist.
    TenantMissing,
    /// The `QlikTenant` that `tenantRef` names is not ready yet.
    TenantNotReady,
    /// The `QlikTenant` holds another tenant than the one that this object's counterpart was made in.
    TenantReplaced,
    /// The tenant is deactivated: nothing is done inside it, and nothing inside it works.
    CoveredByTenantDeactivated,
    /// The tenant is purged, and this object's counterpart with it.
    CoveredByTenantPurged,
    /// The counterpart in Qlik Cloud is being deleted.
    Deleting,
    /// The counterpart in Qlik Cloud does not exist any more; it is made again after a second look.
    CounterpartGone,
    /// More than one counterpart in Qlik Cloud carries this object's marker.
    CounterpartAmbiguous,
    /// A Secret that the object refers to, or one of its keys, is missing.
    SecretMissing,
    /// A Secret that the object refers to holds something that cannot be used.
    SecretInvalid,
    /// The name of the Secret to write belongs to somebody else.
    SecretConflict,
    /// The Secret is being written, or a secret is being made for it.
    SecretPending,
    /// A secret or key is being replaced; the former one still works.
    Rotating,
    /// Qlik Cloud keeps as many secrets of this client as it allows.
    SecretSlotsFull,
    /// A human has to try the login in a browser before Qlik Cloud uses it.
    VerificationPending,
    /// Qlik Cloud reports that the tried login failed.
    VerificationFailed,
    /// What the manifest asks for cannot be taken back in Qlik Cloud.
    NotReversible,
    /// The object cannot be understood.
    SpecInvalid,
    /// The Kubernetes API refused a request of the operator.
    Forbidden,
    /// The Kubernetes API could not be reached or failed.
    KubernetesUnavailable,
    /// The operator did not come to rest; a defect.
    Stuck,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The member of a closed set that this word names, if it is one.
pub fn known<'a, T: Deserialize<'a>>(word: &'a str) -> Option<T> {
    let word: serde::de::value::StrDeserializer<'a, serde::de::value::Error> = word.into_deserializer();
    T::deserialize(word).ok()
}

/// Where a tenant stands, for people. Derived from what was observed; never read back as state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Phase {
    /// Nothing done yet, or waiting for something that is missing.
    #[default]
    Pending,
    /// A tenant is being created or adopted.
    Creating,
    /// Name, alias and settings are being written.
    Configuring,
    /// The tenant is as declared.
    Ready,
    /// The tenant is being deactivated.
    Deactivating,
    /// The tenant is deactivated and waits for its purge.
    Deactivated,
    /// The tenant is being brought back.
    Reactivating,
    /// The tenant was purged.
    Purged,
    /// The object is being deleted and the tenant is kept.
    Retained,
    /// A human has to act.
    Stalled,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_explained_in_the_readme() {
        let word: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = "none of them".into_deserializer();
        // The error names them all.
        let error = Reason::deserialize(word).unwrap_err().to_string();
        let names: Vec<_> = error.split('`').skip(3).step_by(2).collect();
        assert!(names.len() > 50 && names.contains(&"Stuck"), "{error}");
        let readme = include_str!("../../README.md");
        let missing: Vec<_> = names.into_iter().filter(|name| !readme.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
