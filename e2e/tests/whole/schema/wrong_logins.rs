//! Wrong manifests of identity providers: `OpenID Connect`.

use super::table::{Row, rule, structure};

const DISCOVERY: &str = "spec.oidc takes exactly one of the two: discoveryUrl (from which Qlik Cloud reads the endpoints) or \
                         endpoints (each written out)";
const HTTPS: &str = "oidc.discoveryUrl is an https address, for instance \
                     https://login.example.com/.well-known/openid-configuration";
const CLIENT: &str = "people log in through a client of the provider: write oidc.clientId and oidc.clientSecretRef, or \
                      interactive: false for programs that bring tokens";
const MACHINE: &str =
    "a machine provider (interactive: false) only checks tokens: leave clientId, clientSecretRef and scope out";
const MACHINES_ONLY: &str = "oidc.audience and oidc.allowedClientIds are for machine providers: write interactive: false \
                             beside them, or leave them out";
const VERIFIED: &str = "oidc.emailVerifiedAlwaysTrue is for adfs and azureAD only, which do not say whether an address is \
                        verified: map claims.emailVerified instead";
const POINTERS: &str = "claims are JSON pointers, each with a slash in front: write /sub and not sub, /address/country for \
                        one inside another";
const PRODUCTS: &str = r#"supported values: "auth0", "okta", "generic", "salesforce", "keycloak", "adfs", "azureAD""#;
const REALM: &str = "oidc.realm has letters, digits, dots, dashes and underscores and begins with a letter or digit, for \
                     instance example.com";
const SECRET: &str = "this is the name of a Secret in the same namespace: lower-case letters, digits, inner dashes and dots, \
                      for instance acme-login";
const SECRET_KEY: &str = "this is a key of the Secret: letters, digits, dashes, dots and underscores, for instance \
                          clientSecret; the secret itself belongs into the Secret";
const ENDPOINTS: &str =
    "each of oidc.endpoints is an https address, for instance https://login.example.com/oauth2/token";

/// A machine provider, as it is accepted.
pub(crate) const OIDC: &str =
    "tenantRef: {name: acme}\noidc: {provider: okta, interactive: false, discoveryUrl: 'https://a.b/d'}";

pub(crate) const LOGINS: &[Row] = &[
    structure(
        "product-missing",
        "oidc: {interactive: false, discoveryUrl: 'https://a.b/d'}",
        "spec.oidc.provider: Required value",
    ),
    structure(
        "product-unknown",
        "oidc: {provider: entra, interactive: false, discoveryUrl: 'https://a.b/d'}",
        PRODUCTS,
    ),
    structure(
        "product-lower-case",
        "oidc: {provider: azuread, interactive: false, discoveryUrl: 'https://a.b/d'}",
        PRODUCTS,
    ),
    rule("discovery-missing", "oidc: {provider: okta, clientId: q, clientSecretRef: {name: s}}", DISCOVERY),
    rule(
        "discovery-twice",
        "oidc: {provider: okta, interactive: false, discoveryUrl: 'https://a.b/d', endpoints: {issuer: 'https://a.b', \
         jwksUri: 'https://a.b/k', tokenEndpoint: 'https://a.b/t', authorizationEndpoint: 'https://a.b/a'}}",
        DISCOVERY,
    ),
    rule("discovery-http", "oidc: {provider: okta, interactive: false, discoveryUrl: 'http://a.b/d'}", HTTPS),
    rule("discovery-without-scheme", "oidc: {provider: okta, interactive: false, discoveryUrl: a.b/d}", HTTPS),
    rule(
        "discovery-line-break",
        "oidc: {provider: okta, interactive: false, discoveryUrl: \"https://a.b/d\\n\"}",
        HTTPS,
    ),
    structure(
        "endpoint-missing",
        "oidc: {provider: okta, interactive: false, endpoints: {issuer: 'https://a.b', jwksUri: 'https://a.b/k', \
         tokenEndpoint: 'https://a.b/t'}}",
        "spec.oidc.endpoints.authorizationEndpoint: Required value",
    ),
    structure(
        "endpoint-as-in-discovery",
        "oidc: {provider: okta, interactive: false, endpoints: {issuer: 'https://a.b', jwksUri: 'https://a.b/k', jwks_uri: \
         'https://a.b/k', tokenEndpoint: 'https://a.b/t', authorizationEndpoint: 'https://a.b/a'}}",
        r#"unknown field "spec.oidc.endpoints.jwks_uri""#,
    ),
    rule(
        "endpoint-http",
        "oidc: {provider: okta, interactive: false, endpoints: {issuer: 'https://a.b', jwksUri: 'http://a.b/k', \
         tokenEndpoint: 'https://a.b/t', authorizationEndpoint: 'https://a.b/a'}}",
        ENDPOINTS,
    ),
    rule("client-missing", "oidc: {provider: okta, discoveryUrl: 'https://a.b/d'}", CLIENT),
    rule("client-without-secret", "oidc: {provider: okta, discoveryUrl: 'https://a.b/d', clientId: q}", CLIENT),
    structure(
        "client-secret-inline",
        "oidc: {provider: okta, discoveryUrl: 'https://a.b/d', clientId: q, clientSecret: 3f9a0b7c, clientSecretRef: {name: \
         s}}",
        r#"unknown field "spec.oidc.clientSecret""#,
    ),
    structure(
        "client-secret-ref-as-text",
        "oidc: {provider: okta, discoveryUrl: 'https://a.b/d', clientId: q, clientSecretRef: s}",
        "spec.oidc.clientSecretRef in body must be of type object",
    ),
    rule(
        "client-secret-upper-case",
        "oidc: {provider: okta, discoveryUrl: 'https://a.b/d', clientId: q, clientSecretRef: {name: Acme_Login}}",
        SECRET,
    ),
    rule(
        "client-secret-for-its-key",
        "oidc: {provider: okta, discoveryUrl: 'https://a.b/d', clientId: q, clientSecretRef: {name: s, key: 'p@ss word'}}",
        SECRET_KEY,
    ),
    structure(
        "client-secret-elsewhere",
        "oidc: {provider: okta, discoveryUrl: 'https://a.b/d', clientId: q, clientSecretRef: {name: s, namespace: other}}",
        r#"unknown field "spec.oidc.clientSecretRef.namespace""#,
    ),
    structure(
        "client-id-a-number",
        "oidc: {provider: okta, discoveryUrl: 'https://a.b/d', clientId: 12, clientSecretRef: {name: s}}",
        "spec.oidc.clientId in body must be of type string",
    ),
    structure(
        "interactive-as-text",
        "oidc: {provider: okta, interactive: 'false', discoveryUrl: 'https://a.b/d'}",
        "spec.oidc.interactive in body must be of type boolean",
    ),
    rule(
        "machine-with-client",
        "oidc: {provider: okta, interactive: false, discoveryUrl: 'https://a.b/d', clientId: q}",
        MACHINE,
    ),
    rule(
        "audience-of-people",
        "oidc: {provider: okta, discoveryUrl: 'https://a.b/d', clientId: q, clientSecretRef: {name: s}, audience: qlik.api}",
        MACHINES_ONLY,
    ),
    rule(
        "claim-without-slash",
        "oidc: {provider: okta, interactive: false, discoveryUrl: 'https://a.b/d', claims: {sub: [sub]}}",
        POINTERS,
    ),
    structure(
        "claim-as-text",
        "oidc: {provider: okta, interactive: false, discoveryUrl: 'https://a.b/d', claims: {sub: /sub}}",
        "spec.oidc.claims.sub in body must be of type array",
    ),
    structure(
        "claim-without-pointer",
        "oidc: {provider: okta, interactive: false, discoveryUrl: 'https://a.b/d', claims: {sub: []}}",
        "spec.oidc.claims.sub in body should have at least 1 items",
    ),
    structure(
        "claim-as-in-tokens",
        "oidc: {provider: okta, interactive: false, discoveryUrl: 'https://a.b/d', claims: {client_id: [/azp]}}",
        r#"unknown field "spec.oidc.claims.client_id""#,
    ),
    rule(
        "realm-with-slash",
        "oidc: {provider: okta, interactive: false, discoveryUrl: 'https://a.b/d', realm: 'corp\\users'}",
        REALM,
    ),
    structure(
        "scope-as-list",
        "oidc: {provider: okta, discoveryUrl: 'https://a.b/d', clientId: q, clientSecretRef: {name: s}, scope: [openid]}",
        "spec.oidc.scope in body must be of type string",
    ),
    rule(
        "scope-with-comma",
        "oidc: {provider: okta, discoveryUrl: 'https://a.b/d', clientId: q, clientSecretRef: {name: s}, scope: \
         'openid,email'}",
        "oidc.scope is one text with a single blank between scopes, for instance openid profile email",
    ),
    rule(
        "scope-without-openid",
        "oidc: {provider: okta, discoveryUrl: 'https://a.b/d', clientId: q, clientSecretRef: {name: s}, scope: profile}",
        "oidc.scope must have openid among its scopes, for instance openid profile email",
    ),
    structure(
        "algorithm-unknown",
        "oidc: {provider: okta, interactive: false, discoveryUrl: 'https://a.b/d', idTokenSignatureAlg: ES256}",
        r#"supported values: "RS256", "RS512""#,
    ),
    rule(
        "verified-addresses-of-okta",
        "oidc: {provider: okta, discoveryUrl: 'https://a.b/d', clientId: q, clientSecretRef: {name: s}, \
         emailVerifiedAlwaysTrue: true}",
        VERIFIED,
    ),
    rule(
        "logout-over-http",
        "oidc: {provider: okta, interactive: false, discoveryUrl: 'https://a.b/d'}\npostLogoutRedirectUri: 'http://a.b/bye'",
        "postLogoutRedirectUri is an https address, for instance https://www.example.com/bye",
    ),
];
