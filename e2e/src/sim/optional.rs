//! The table of the fields that may be missing in an answer, according to Qlik's schemas.

/// Stands for all of them in [`super::Options::omit`].
pub(super) const ALL: &str = "*";

/// Whose fields a group of [`FIELDS`] are: method and path of the endpoint, and the field of its answer that holds the
/// objects, empty where the answer is the object.
pub(super) type Place = (&'static str, &'static str, &'static str);

/// The groups of [`FIELDS`] and where each of them applies.
pub(super) static GROUPS: &[(&str, &[Place])] = &[
    (
        "tenants",
        // of the same form on the register host and on the tenant's own
        &[("POST", "/api/v1/tenants", ""), ("GET", "/api/v1/tenants/{id}", "")],
    ),
    ("deactivate", &[("POST", "/api/v1/tenants/{id}/actions/deactivate", "")]),
    ("reactivate", &[("POST", "/api/v1/tenants/{id}/actions/reactivate", "")]),
    (
        "organization",
        &[
            ("GET", "/api/core/tenants", "data"),
            ("POST", "/api/core/tenants/actions/filter", "data"),
            ("GET", "/api/core/tenants/{tenantId}", "data"),
        ],
    ),
    (
        "organizationList",
        &[
            ("GET", "/api/core/tenants", ""),
            ("POST", "/api/core/tenants/actions/filter", ""),
            ("GET", "/api/core/tenants/{tenantId}", ""),
        ],
    ),
    ("token", &[("POST", "/oauth/token", "")]),
    (
        "oauthClients",
        &[
            ("POST", "/api/v1/oauth-clients", ""),
            ("GET", "/api/v1/oauth-clients/{id}", ""),
            ("GET", "/api/v1/oauth-clients", "data"),
        ],
    ),
    ("oauthClient", &[("POST", "/api/v1/oauth-clients", ""), ("GET", "/api/v1/oauth-clients/{id}", "")]),
    ("oauthClientsList", &[("GET", "/api/v1/oauth-clients", "")]),
    ("clientSecrets", &[("POST", "/api/v1/oauth-clients/{id}/client-secrets", "")]),
    ("connectionConfig", &[("GET", "/api/v1/oauth-clients/{id}/connection-configs/me", "")]),
    ("oauthTokens", &[("GET", "/api/v1/oauth-tokens", "data")]),
    ("oauthTokensList", &[("GET", "/api/v1/oauth-tokens", "")]),
    (
        "identityProviders",
        &[
            ("POST", "/api/v1/identity-providers", ""),
            ("GET", "/api/v1/identity-providers/{id}", ""),
            ("GET", "/api/v1/identity-providers", "data"),
        ],
    ),
    ("identityProvidersList", &[("GET", "/api/v1/identity-providers", "")]),
    ("identityProvidersStatus", &[("GET", "/api/v1/identity-providers/status", "")]),
    ("identityProvidersMeta", &[("GET", "/api/v1/identity-providers/me/meta", "")]),
    (
        "users",
        &[
            ("POST", "/api/v1/users", ""),
            // where GET /api/v1/users/me leads
            ("GET", "/api/v1/users/{userId}", ""),
            ("GET", "/api/v1/users", "data"),
        ],
    ),
    ("usersList", &[("GET", "/api/v1/users", "")]),
    ("licenses", &[("GET", "/api/v1/licenses/overview", "")]),
];

/// Every field of the simulator's answers that Qlik's schema does not mark as required, by group and path; a path leads
/// through lists into their items. Fields that the simulator never sends are not here: they are missing anyhow. The
/// parts of a public key, of a `decryptingKey` and of a `claimsMapping`, which is a client's own, go with the whole.
///
/// Left out, although no schema marks them as required, is what an answer says nothing without:
/// - `id` of an identity provider and of a tenant in the organization API (no schema of the latter is known): nothing
///   else tells one from the other. The `id` in the answers to deactivate and reactivate is in the table: it repeats
///   what the request named.
/// - `data` of a list and `total` of a count, which are what was asked for.
/// - `links.next` that leads to a further page, and `links` around it: without it a list would claim to be whole.
/// - `clientSecret`, `access_token` and `token_type` are required; the secret would be lost for good.
pub(super) static FIELDS: &[&str] = &[
    "tenants.autoAssignCreateSharedSpacesRoleToProfessionals",
    "tenants.autoAssignDataServicesContributorRoleToProfessionals",
    "tenants.autoAssignPrivateAnalyticsContentCreatorRoleToProfessionals",
    "tenants.created",
    "tenants.createdByUser",
    "tenants.datacenter",
    "tenants.enableAnalyticCreation",
    "tenants.enableAppOpeningFeedback",
    "tenants.hostnames",
    "tenants.lastUpdated",
    "tenants.links",
    "tenants.region",
    "tenants.status",
    "tenants.statusLastUpdatedAt",
    "deactivate.estimatedPurgeDate",
    "deactivate.id",
    "deactivate.status",
    "reactivate.id",
    "reactivate.status",
    "organization.countryCode",
    "organization.createdAt",
    "organization.createdBy",
    "organization.deletionStartsAt",
    "organization.hostnames",
    "organization.licenseNumber",
    "organization.links",
    "organization.name",
    "organization.originalId",
    "organization.regionCode",
    "organization.status",
    "organization.subscriptionId",
    "organization.updatedAt",
    "organizationList.links",
    "organizationList.links.prev",
    "organizationList.links.self",
    "organizationList.totalResults",
    "token.expires_at",
    "token.expires_in",
    "token.scope",
    "oauthClients.allowedAuthMethods",
    "oauthClients.allowedGrantTypes",
    "oauthClients.allowedOrigins",
    "oauthClients.allowedScopes",
    "oauthClients.clientSecrets",
    "oauthClients.clientSecrets.createdAt",
    "oauthClients.clientSecrets.createdBy",
    "oauthClients.clientUri",
    "oauthClients.connectionConfig",
    "oauthClients.createdByType",
    "oauthClients.description",
    "oauthClients.jwksUri",
    "oauthClients.logoUri",
    "oauthClients.publicKeys",
    "oauthClients.publishedAt",
    "oauthClients.redirectUris",
    "oauthClients.updatedAt",
    // in Qlik's examples, in no schema
    "oauthClient.clientSecretHint",
    // required in the items of a list
    "oauthClient.connectionConfig.consentMethod",
    "oauthClientsList.data.connectionConfig.deletedByOwner",
    "oauthClientsList.data.connectionConfig.status",
    "oauthClientsList.links.prev",
    "oauthClientsList.links.self",
    "oauthClientsList.totalResults",
    "clientSecrets.createdAt",
    "clientSecrets.createdBy",
    "connectionConfig.deletedByOwner",
    "connectionConfig.status",
    "oauthTokens.description",
    "oauthTokens.deviceType",
    "oauthTokens.lastUsed",
    "oauthTokensList.links.prev",
    "identityProviders.active",
    "identityProviders.clockToleranceSec",
    "identityProviders.createNewUsersOnLogin",
    "identityProviders.created",
    "identityProviders.description",
    "identityProviders.interactive",
    "identityProviders.lastUpdated",
    "identityProviders.meta",
    "identityProviders.options",
    "identityProviders.options.allowIdpInitiatedLogin",
    "identityProviders.options.allowedClientIds",
    "identityProviders.options.audience",
    "identityProviders.options.blockOfflineAccessScope",
    "identityProviders.options.certificates",
    "identityProviders.options.certificates.encryption",
    "identityProviders.options.certificates.name",
    "identityProviders.options.certificates.signature",
    "identityProviders.options.claimsMapping",
    "identityProviders.options.clientId",
    "identityProviders.options.decryptingKey",
    "identityProviders.options.discoveryUrl",
    "identityProviders.options.emailVerifiedAlwaysTrue",
    "identityProviders.options.entityId",
    "identityProviders.options.idTokenSignatureAlg",
    "identityProviders.options.issuer",
    "identityProviders.options.nameIdFormat",
    "identityProviders.options.openid_configuration",
    "identityProviders.options.openid_configuration.end_session_endpoint",
    "identityProviders.options.openid_configuration.introspection_endpoint",
    "identityProviders.options.openid_configuration.userinfo_endpoint",
    "identityProviders.options.realm",
    "identityProviders.options.scope",
    "identityProviders.options.signOnUrl",
    "identityProviders.options.staticKeys",
    "identityProviders.options.staticKeys.kid",
    "identityProviders.options.staticKeys.pem",
    "identityProviders.options.useClaimsFromIdToken",
    "identityProviders.pendingOptions",
    "identityProviders.pendingOptions.allowIdpInitiatedLogin",
    "identityProviders.pendingOptions.allowedClientIds",
    "identityProviders.pendingOptions.audience",
    "identityProviders.pendingOptions.blockOfflineAccessScope",
    "identityProviders.pendingOptions.certificates",
    "identityProviders.pendingOptions.certificates.encryption",
    "identityProviders.pendingOptions.certificates.name",
    "identityProviders.pendingOptions.certificates.signature",
    "identityProviders.pendingOptions.claimsMapping",
    "identityProviders.pendingOptions.clientId",
    "identityProviders.pendingOptions.decryptingKey",
    "identityProviders.pendingOptions.discoveryUrl",
    "identityProviders.pendingOptions.emailVerifiedAlwaysTrue",
    "identityProviders.pendingOptions.entityId",
    "identityProviders.pendingOptions.idTokenSignatureAlg",
    "identityProviders.pendingOptions.nameIdFormat",
    "identityProviders.pendingOptions.openid_configuration",
    "identityProviders.pendingOptions.openid_configuration.end_session_endpoint",
    "identityProviders.pendingOptions.openid_configuration.introspection_endpoint",
    "identityProviders.pendingOptions.openid_configuration.userinfo_endpoint",
    "identityProviders.pendingOptions.realm",
    "identityProviders.pendingOptions.scope",
    "identityProviders.pendingOptions.signOnUrl",
    "identityProviders.pendingOptions.useClaimsFromIdToken",
    "identityProviders.pendingResult",
    "identityProviders.pendingResult.error",
    "identityProviders.pendingResult.protocol",
    "identityProviders.pendingResult.started",
    "identityProviders.pendingState",
    "identityProviders.postLogoutRedirectUri",
    "identityProviders.protocol",
    "identityProviders.provider",
    "identityProviders.tenantIds",
    "identityProvidersList.links",
    "identityProvidersList.links.prev",
    "identityProvidersList.links.self",
    "identityProvidersStatus.active_interactive_idps_count",
    "identityProvidersStatus.idps_metadata",
    "identityProvidersStatus.idps_metadata.active",
    "identityProvidersStatus.idps_metadata.interactive",
    "identityProvidersStatus.idps_metadata.provider",
    "identityProvidersMeta.upgradeSubscriptionLink",
    "identityProvidersMeta.userPortalLink",
    "users.assignedGroups",
    "users.assignedRoles",
    // in Qlik's examples, in no schema
    "users.clientId",
    "users.createdAt",
    "users.email",
    "users.lastUpdatedAt",
    "users.links",
    "users.status",
    "usersList.links",
    "usersList.links.prev",
    "usersList.totalResults",
    "licenses.allotments.overage",
];

/// Every name that [`super::Options::omit`] takes besides `*`: fields that Qlik's schemas allow to be missing, for instance
/// `tenants.hostnames`.
pub fn optional_fields() -> &'static [&'static str] {
    FIELDS
}

/// Says what is wrong with a choice of fields to leave out.
pub(crate) fn check(omit: &[String]) -> Result<(), String> {
    match omit.iter().find(|name| *name != ALL && !FIELDS.contains(&name.as_str())) {
        Some(name) => Err(format!("omit has no field {name}; there are {ALL} and {}", FIELDS.join(", "))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sim::api::endpoints;

    #[test]
    fn every_field_has_a_group_and_every_place_is_an_endpoint() {
        let places: Vec<&Place> = GROUPS.iter().flat_map(|(_, places)| places.iter()).collect();
        for (method, path, _) in &places {
            assert!(endpoints().any(|one| one.method == *method && one.path == *path), "{method} {path}");
        }
        let groups: BTreeSet<&str> = FIELDS.iter().map(|field| field.split('.').next().unwrap()).collect();
        assert_eq!(groups, GROUPS.iter().map(|(name, _)| *name).collect());
        assert_eq!(FIELDS.iter().collect::<BTreeSet<_>>().len(), FIELDS.len());
    }

    #[test]
    fn an_unknown_field_is_refused_with_those_there_are() {
        let refused = check(&["tenants.hostname".to_owned()]).unwrap_err();
        assert!(refused.contains("tenants.hostname;") && FIELDS.iter().all(|field| refused.contains(field)));
        assert!(check(&[ALL.to_owned(), "tenants.hostnames".to_owned()]).is_ok());
    }
}
