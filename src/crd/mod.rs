//! What users write and read: one file per kind, and the closed sets that all kinds share.
//!
//! The schema is generated from these types (`qlik-operator crds`); the same limits stand here once, as `OpenAPI`
//! bounds or CEL rules, so that a wrong manifest is refused at apply time with a message that says how to mend it.

#![expect(clippy::duplicated_attributes, reason = "printed columns have the same type more than once")]
#![expect(unreachable_pub, reason = "the KubeSchema derive copies each struct, `pub` included, into a function body")]

mod child;
mod conditions;
mod drift;
mod identity_protocols;
mod identity_provider;
mod names;
mod oauth_client;
mod offboarding;
mod offboarding_history;
mod rules;
mod tenant;

pub use child::{
    ChildTenant, DeletionPolicy, IssuedSecret, KeyAlgorithm, PublicKeyRef, Rotation, SecretTarget, TenantRef,
};
pub use conditions::{ConditionType, Phase, Reason, known};
pub use drift::Drift;
pub use identity_protocols::{
    ClientSecretRef, IdTokenAlgorithm, JwtKey, JwtKeyPair, JwtProvider, NameIdFormat, OidcClaims, OidcEndpoints,
    OidcProduct, OidcProvider, SamlCertificate, SamlClaims, SamlProduct, SamlProvider,
};
pub use identity_provider::{
    QlikIdentityProvider, QlikIdentityProviderSpec, QlikIdentityProviderStatus, RetiringProvider, SuccessorProvider,
    Verification, VerificationState, VerificationStatus,
};
pub use names::{ExactTime, LocalSecretRef, SecretKeyRef, whole_seconds};
pub use oauth_client::{
    AppType, ClientAuth, ClientSecretAuth, Consent, GeneratedKey, GrantType, PrivateKeyJwtAuth, PublicClient,
    QlikOAuthClient, QlikOAuthClientSpec, QlikOAuthClientStatus,
};
pub use offboarding::{
    Evidence, OffboardedSecret, OffboardedTenant, OffboardingPhase, PurgeConfirmation, PurgeWindow, QlikOffboarding,
    QlikOffboardingSpec, QlikOffboardingStatus, SecretOutcome, Trigger,
};
pub use offboarding_history::{OffboardingEntry, OffboardingEvent};
pub use rules::Rules;
pub use tenant::{
    Adopt, Deactivator, EraseSecrets, License, Lifecycle, OnDelete, OnExisting, Origin, Purge, QlikTenant,
    QlikTenantSpec, QlikTenantStatus, RegionCode, ReleasePolicy, TenantOffboarding, TenantSettings,
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// API group of every kind.
pub const GROUP: &str = "qlik-operator.dev";
/// The finalizer that keeps a `QlikTenant` until its off-boarding is decided and recorded.
pub const FINALIZER: &str = "qlik-operator.dev/offboarding";
/// Ask for a pass now: any new value; acknowledged in `status.lastHandledReconcileAt`.
pub const REQUESTED_AT: &str = "qlik-operator.dev/requested-at";
/// Undo a deactivation that was not made by this operator; the value is the tenant's hostname.
pub const REACTIVATE: &str = "qlik-operator.dev/reactivate";
/// Create a new tenant although an earlier one is recorded; the value names what is given up.
pub const START_ANEW: &str = "qlik-operator.dev/start-anew";
/// Restart Qlik's purge countdown once; the value is the purge date that it replaces.
pub const RESTART_PURGE_WINDOW: &str = "qlik-operator.dev/restart-purge-window";
/// Accept that nobody can confirm the purge of a tenant; the value is its id. On the `QlikTenant` or on its record.
pub const WAIVE_PURGE_CONFIRMATION: &str = "qlik-operator.dev/waive-purge-confirmation";
/// Who made a change that deactivates the tenant; stamped by an admission policy of this cluster, where it is installed.
pub const REQUESTED_BY: &str = "qlik-operator.dev/requested-by";
/// Who approved the deactivation; see the four-eyes policy.
pub const APPROVED_BY: &str = "qlik-operator.dev/approved-by";
/// The revision in Git that a manifest came from, for the record of an off-boarding.
pub const REVISION: &str = "qlik-operator.dev/revision";
/// The operator's own trace of a call that must not be made twice; never written by people.
pub const INTENT: &str = "qlik-operator.dev/intent";

/// The finalizer that keeps a child of a tenant until its counterpart in Qlik Cloud is gone or left on purpose.
pub const CHILD_FINALIZER: &str = "qlik-operator.dev/counterpart";
/// Replace a generated secret or key once, before its schedule: any new value; acknowledged in `status.lastHandledRotateAt`.
pub const ROTATE_AT: &str = "qlik-operator.dev/rotate-at";

/// The definitions to install, in the order in which to apply them.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![QlikTenant::crd(), QlikIdentityProvider::crd(), QlikOAuthClient::crd(), QlikOffboarding::crd()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// A status is written as a merge patch: what it leaves out stays as it was.
    #[test]
    fn an_empty_status_names_every_field() {
        let fields = |value: &Value| value.as_object().map(|o| o.keys().cloned().collect::<BTreeSet<_>>()).unwrap();
        let rows = [
            (QlikTenant::crd(), serde_json::to_value(QlikTenantStatus::default()).unwrap()),
            (QlikIdentityProvider::crd(), serde_json::to_value(QlikIdentityProviderStatus::default()).unwrap()),
            (QlikOAuthClient::crd(), serde_json::to_value(QlikOAuthClientStatus::default()).unwrap()),
            (QlikOffboarding::crd(), serde_json::to_value(QlikOffboardingStatus::default()).unwrap()),
        ];
        for (definition, empty) in rows {
            let schema = serde_json::to_value(&definition.spec.versions[0].schema).unwrap();
            let declared = fields(&schema["openAPIV3Schema"]["properties"]["status"]["properties"]);
            assert_eq!(fields(&empty), declared, "{}", definition.spec.names.kind);
        }
    }
}
