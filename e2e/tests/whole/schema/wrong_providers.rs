//! Wrong manifests of identity providers: what all protocols share, SAML and signed tokens.

use super::kubectl::provider;
use super::table::{By, Row, Wrong, rule, structure};
use super::wrong_logins::{LOGINS, OIDC};

const ONE_PROTOCOL: &str = "write exactly one of the three: spec.oidc (OpenID Connect), spec.saml, or spec.jwt (signed \
                            tokens, for embedding)";
const SAML_EITHER: &str =
    "spec.saml takes either metadata (the provider's XML) or entityId, signOnUrl and certificates, not both";
const SAML_ALL: &str = "spec.saml without metadata needs all three: entityId, signOnUrl and one to five certificates";
const METADATA: &str =
    "saml.metadata is the provider's XML itself, with an EntityDescriptor: not an address and not base64";
const CERTIFICATE: &str = "this is one certificate as PEM, with its -----BEGIN CERTIFICATE----- and -----END \
                           CERTIFICATE----- lines; each further one is an item of its own";
const ISSUER: &str =
    "jwt.issuer is what the app writes into the claim iss, without blanks, for instance https://app.example.com";
const ONE_KEY: &str = "jwt.key takes exactly one of the two: publicKeyRef (a public key of your own, with kid) or generate \
                       (a key pair made here)";
const KID: &str = "jwt.key.kid names a key of your own: write it beside publicKeyRef, and leave it out beside generate, \
                   where the Secret says it";
const KEY_NAMES: &str = "secret.template knows ${tenantUrl}, ${hostname}, ${issuer}, ${keyId}, ${audience}, ${algorithm}, \
                         ${privateKey} and ${publicKey}; a dollar sign of your own is written $$";
const ACTIVE: &str = "Qlik Cloud cannot deactivate a JWT provider: delete this object instead of writing active: false";
const NO_TRIAL: &str = "a JWT provider logs nobody in through a browser: leave verification out";
const NO_LOGIN: &str = "createNewUsersOnLogin and postLogoutRedirectUri are for logins in a browser: leave them out beside \
                        spec.jwt";
const DURATION: &str = "spec.interval is a duration made of hours, minutes and seconds, for instance 30m or 1h30m";

const HEAD: &str = "tenantRef: {name: acme}";
/// Signed tokens, as they are accepted.
pub(crate) const JWT: &str = "tenantRef: {name: acme}\njwt: {issuer: acme, key: {generate: {secret: {name: app}}}}";

/// On the tenant alone: which protocol.
const WHOLE: &[Row] = &[
    rule("protocol-missing", "", ONE_PROTOCOL),
    rule(
        "protocol-twice",
        "oidc: {provider: okta, interactive: false, discoveryUrl: 'https://a.b/d'}\njwt: {issuer: acme, key: {generate: \
         {secret: {name: app}}}}",
        ONE_PROTOCOL,
    ),
    structure("protocol-as-text", "oidc: okta", "spec.oidc in body must be of type object"),
    structure(
        "protocol-upper-case",
        "OIDC: {provider: okta}\njwt: {issuer: acme, key: {generate: {secret: {name: app}}}}",
        r#"unknown field "spec.OIDC""#,
    ),
    structure(
        "protocol-as-in-qlik",
        "protocol: jwtAuth\njwt: {issuer: acme, key: {generate: {secret: {name: app}}}}",
        r#"unknown field "spec.protocol""#,
    ),
    rule("saml-empty", "saml: {provider: okta}", SAML_EITHER),
    rule("saml-half", "saml: {provider: okta, entityId: acme}", SAML_ALL),
    rule(
        "saml-twice",
        "saml: {provider: okta, entityId: acme, metadata: '<EntityDescriptor entityID=\"a\"/>'}",
        SAML_EITHER,
    ),
    structure(
        "saml-of-nobody",
        "saml: {metadata: '<EntityDescriptor entityID=\"a\"/>'}",
        "spec.saml.provider: Required value",
    ),
    structure(
        "saml-of-others",
        "saml: {provider: keycloak, metadata: '<EntityDescriptor entityID=\"a\"/>'}",
        r#"supported values: "okta", "generic", "adfs", "azureAD""#,
    ),
    rule(
        "metadata-by-address",
        "saml: {provider: okta, metadata: 'https://acme.okta.com/app/sso/saml/metadata'}",
        METADATA,
    ),
    rule("metadata-in-base64", "saml: {provider: okta, metadata: PEVudGl0eURlc2NyaXB0b3I+}", METADATA),
    structure(
        "metadata-as-object",
        "saml: {provider: okta, metadata: {url: 'https://acme.okta.com/metadata'}}",
        r#"unknown field "spec.saml.metadata.url""#,
    ),
    rule(
        "sign-on-over-http",
        "saml: {provider: okta, entityId: a, signOnUrl: 'http://a.b/sso', certificates: [{certificate: '-----BEGIN \
         CERTIFICATE-----MII-----END CERTIFICATE-----'}]}",
        "saml.signOnUrl is an https address, for instance https://login.example.com/saml/sso",
    ),
    structure(
        "certificate-as-text",
        "saml: {provider: okta, entityId: a, signOnUrl: 'https://a.b/sso', certificates: ['-----BEGIN CERTIFICATE-----']}",
        "spec.saml.certificates[0] in body must be of type object",
    ),
    rule(
        "certificate-without-lines",
        "saml: {provider: okta, entityId: a, signOnUrl: 'https://a.b/sso', certificates: [{certificate: MIIC8DCCAdig}]}",
        CERTIFICATE,
    ),
    rule(
        "certificates-in-one",
        "saml: {provider: okta, entityId: a, signOnUrl: 'https://a.b/sso', certificates: [{certificate: '-----BEGIN \
         CERTIFICATE-----MII-----END CERTIFICATE----- -----BEGIN CERTIFICATE-----MII-----END CERTIFICATE-----'}]}",
        CERTIFICATE,
    ),
    rule(
        "certificate-with-its-key",
        "saml: {provider: okta, entityId: a, signOnUrl: 'https://a.b/sso', certificates: [{certificate: '-----BEGIN PRIVATE \
         KEY-----MII-----END PRIVATE KEY----- -----BEGIN CERTIFICATE-----MII-----END CERTIFICATE-----'}]}",
        "this holds a private key: give the certificate alone, and replace that key, since it was shown",
    ),
    structure(
        "name-id-as-in-saml",
        "saml: {provider: okta, metadata: '<EntityDescriptor entityID=\"a\"/>', nameIdFormat: \
         'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress'}",
        r#"supported values: "EmailAddress", "Persistent", "Unspecified""#,
    ),
    structure("issuer-missing", "jwt: {key: {generate: {secret: {name: app}}}}", "spec.jwt.issuer: Required value"),
    structure(
        "issuer-empty",
        "jwt: {issuer: '', key: {generate: {secret: {name: app}}}}",
        "spec.jwt.issuer in body should be at least 1 chars long",
    ),
    rule("issuer-with-blank", "jwt: {issuer: 'Acme Portal', key: {generate: {secret: {name: app}}}}", ISSUER),
    structure("key-missing", "jwt: {issuer: acme}", "spec.jwt.key: Required value"),
    rule("key-neither", "jwt: {issuer: acme, key: {}}", ONE_KEY),
    rule(
        "key-twice",
        "jwt: {issuer: acme, key: {publicKeyRef: {name: k}, kid: a, generate: {secret: {name: app}}}}",
        ONE_KEY,
    ),
    structure(
        "key-as-pem",
        "jwt: {issuer: acme, key: '-----BEGIN PUBLIC KEY-----'}",
        "spec.jwt.key in body must be of type object",
    ),
    rule(
        "key-private-for-public",
        "jwt: {issuer: acme, key: {kid: a, publicKeyRef: {name: k, key: '-----BEGIN PRIVATE KEY-----'}}}",
        "this is a key of the Secret: letters, digits, dashes, dots and underscores, for instance publicKey; the PEM itself \
         belongs into the Secret",
    ),
    rule("key-without-kid", "jwt: {issuer: acme, key: {publicKeyRef: {name: k}}}", KID),
    rule("key-made-with-kid", "jwt: {issuer: acme, key: {kid: a, generate: {secret: {name: app}}}}", KID),
    structure(
        "key-algorithm-unknown",
        "jwt: {issuer: acme, key: {generate: {algorithm: HS256, secret: {name: app}}}}",
        r#"supported values: "RS256", "RS512", "ES384""#,
    ),
    rule(
        "key-template-of-clients",
        "jwt: {issuer: acme, key: {generate: {secret: {name: app, template: {i: '${clientId}', k: '${privateKey}'}}}}}",
        KEY_NAMES,
    ),
    rule(
        "key-template-without-it",
        "jwt: {issuer: acme, key: {generate: {secret: {name: app, template: {k: '${publicKey}'}}}}}",
        "secret.template needs one key whose whole text is ${privateKey}, for instance privateKey: ${privateKey}",
    ),
    rule(
        "key-template-in-the-way",
        "jwt: {issuer: acme, key: {generate: {secret: {name: app, template: {next.privateKey: '${privateKey}'}}}}}",
        "next.privateKey is where the operator keeps the private key that takes over next: choose another key of the Secret",
    ),
    rule(
        "key-rotation-in-days",
        "jwt: {issuer: acme, key: {generate: {secret: {name: app}, rotation: {every: 90d}}}}",
        "rotation.every is a duration made of hours, minutes and seconds, for instance 2160h for 90 days",
    ),
];

/// On signed tokens that are accepted.
const ADDED: &[Row] = &[
    rule("tokens-deactivated", "active: false", ACTIVE),
    rule("tokens-tried", "verification: Browser", NO_TRIAL),
    rule("tokens-with-users", "createNewUsersOnLogin: true", NO_LOGIN),
    rule("tokens-with-logout", "postLogoutRedirectUri: 'https://a.b/bye'", NO_LOGIN),
    structure("active-as-text", "active: 'yes'", "spec.active in body must be of type boolean"),
    structure("verification-lower-case", "verification: browser", r#"supported values: "Skip", "Browser""#),
    structure("verification-as-in-qlik", "skipVerify: true", r#"unknown field "spec.skipVerify""#),
    structure("tolerance-as-text", "clockToleranceSec: '5'", "spec.clockToleranceSec in body must be of type integer"),
    structure("tolerance-negative", "clockToleranceSec: -1", "should be greater than or equal to 0"),
    structure("tolerance-too-wide", "clockToleranceSec: 7201", "should be less than or equal to 7200"),
    rule(
        "description-with-a-mark",
        "description: 'Copied [qo:abc'",
        "spec.description must not contain [qo:, which begins the operator's own mark",
    ),
    structure("deletion-as-of-tenants", "deletionPolicy: Retain", r#"supported values: "Delete", "Orphan""#),
    rule("interval-without-unit", "interval: '30'", DURATION),
    rule("interval-too-short", "interval: 10s", "spec.interval must be between 1m and 24h"),
];

/// The whole table.
pub(crate) fn wrong() -> Vec<Wrong> {
    let on = |base: &'static str| move |row: &Row| row.on(provider, base);
    let logins = LOGINS.iter().map(on(HEAD)).chain([rule(
        "machine-tried",
        "verification: Browser",
        "a machine provider (oidc.interactive: false) has no login that a human could try: leave verification out",
    )
    .on(provider, OIDC)]);
    let added = ADDED.iter().map(on(JWT)).chain([too_long()]);
    WHOLE.iter().map(on(HEAD)).chain(logins).chain(added).collect()
}

fn too_long() -> Wrong {
    let manifest = provider("description-too-long", &format!("{JWT}\ndescription: {}", "a".repeat(97)));
    Wrong { name: "description-too-long", manifest, by: By::Structure, says: "may not be more than 96" }
}
