//! Wrong manifests of OAuth clients.

use super::kubectl::client;
use super::table::{By, Row, Wrong, rule, structure};
use super::wrong_client_addresses::ADDRESSES;
use super::wrong_client_auth::AUTH;

const TENANT: &str = "tenantRef.name is the name of a QlikTenant in the same namespace, for instance acme, not a hostname \
                      with capitals or a path";
const TYPES: &str = r#"supported values: "web", "native", "spa", "anonymous-embed""#;
const PUBLIC_AUTH: &str = "spa, native and anonymous-embed clients are public and keep no secret: leave spec.auth out, or \
                           write auth.none.secret to get the client id in a Secret; a server-side app uses appType: web";
const WAY_IN: &str = "a web client needs a way in: redirectUris for users who log in, or grantTypes: [client_credentials] \
                      for machine-to-machine use";
const SCOPE: &str = "a scope is one of Qlik's scope names, for instance user_default or apps:read: no blanks, and each \
                     scope is an item of its own";
const WIDER: &str = "tenants:… and cloud-console.… are scopes of regional and organization clients, no client of a tenant \
                     can have them: remove them";
const TRUSTED: &str = "a machine-to-machine client has nobody to ask for consent, Qlik refuses it tokens otherwise: write \
                       consent: Trusted";
const NO_ADMIN: &str = "an impersonation client never gets admin scopes (it acts as any user): keep user_default here and \
                        make a second client for administration";
const WITH_SECRET: &str = "user impersonation authenticates with a client secret: write auth.clientSecret";
const MACHINES: &str =
    "grantTypes are for appType: web only: leave them out, or make a web client for machine-to-machine use";
const DEVICE: &str = "a native client needs redirectUris, for instance http://localhost:8765/callback or \
                      com.example.app:/callback";
const DEVICE_ORIGINS: &str = "allowedOrigins are for pages in a browser: leave them out of a native client";
const EMBED: &str = "an anonymous-embed client needs allowedOrigins: the origins of the pages that embed Qlik, for \
                     instance https://www.example.com";
const EMBED_LOGIN: &str = "an anonymous-embed client logs nobody in: leave redirectUris out, and write allowedOrigins";
const DURATION: &str = "spec.interval is a duration made of hours, minutes and seconds, for instance 30m or 1h30m";

const HEAD: &str = "tenantRef: {name: acme}\nclientName: App";
/// A web client of users, without its authentication.
const WEB: &str =
    "tenantRef: {name: acme}\nclientName: App\nappType: web\nredirectUris: ['https://app.example.com/callback']";
/// A machine, as it is accepted.
pub(crate) const MACHINE: &str = "tenantRef: {name: acme}\nclientName: App\nappType: web\nconsent: Trusted\ngrantTypes: \
                                  [client_credentials]\nauth: {clientSecret: {secret: {name: app}}}";
/// A page, without its addresses.
const SPA: &str = "tenantRef: {name: acme}\nclientName: App\nappType: spa";

/// Whole specs.
const WHOLE: &[Row] = &[
    structure("tenant-missing", "clientName: App\nappType: native", "spec.tenantRef: Required value"),
    structure(
        "tenant-as-text",
        "tenantRef: acme\nclientName: App\nappType: native",
        "spec.tenantRef in body must be of type object",
    ),
    structure(
        "tenant-elsewhere",
        "tenantRef: {name: acme, namespace: other}\nclientName: App\nappType: native\nredirectUris: ['a.b:/c']",
        r#"unknown field "spec.tenantRef.namespace""#,
    ),
    rule(
        "tenant-by-url",
        "tenantRef: {name: 'https://acme.us.qlikcloud.com'}\nclientName: App\nappType: native\nredirectUris: ['a.b:/c']",
        TENANT,
    ),
    rule(
        "tenant-upper-case",
        "tenantRef: {name: Acme}\nclientName: App\nappType: native\nredirectUris: ['a.b:/c']",
        TENANT,
    ),
    structure("name-missing", "tenantRef: {name: acme}\nappType: native", "spec.clientName: Required value"),
    structure(
        "name-empty",
        "tenantRef: {name: acme}\nclientName: ''\nappType: native\nredirectUris: ['a.b:/c']",
        "spec.clientName in body should be at least 1 chars long",
    ),
    structure("tab", "tenantRef:\n\tname: acme", "found character that cannot start any token"),
];

/// On name and tenant alone: the kind of app, and what belongs to it.
const TYPED: &[Row] = &[
    structure("type-missing", "", "spec.appType: Required value"),
    structure("type-unknown", "appType: m2m", TYPES),
    structure("type-capital", "appType: Web", TYPES),
    structure("type-underscore", "appType: anonymous_embed", TYPES),
    structure("type-wrong-case", "AppType: web", r#"unknown field "spec.AppType""#),
    rule("web-without-way-in", "appType: web\nauth: {clientSecret: {secret: {name: app}}}", WAY_IN),
    rule("native-without-redirect", "appType: native", DEVICE),
    rule(
        "native-with-origin",
        "appType: native\nredirectUris: ['a.b:/c']\nallowedOrigins: ['https://a.b']",
        DEVICE_ORIGINS,
    ),
    rule("embed-without-origin", "appType: anonymous-embed", EMBED),
    rule(
        "embed-with-redirect",
        "appType: anonymous-embed\nallowedOrigins: ['https://a.b']\nredirectUris: ['https://a.b/c']",
        EMBED_LOGIN,
    ),
    rule(
        "native-with-grants",
        "appType: native\nredirectUris: ['a.b:/c']\nconsent: Trusted\ngrantTypes: [client_credentials]",
        MACHINES,
    ),
    rule(
        "native-with-secret",
        "appType: native\nredirectUris: ['a.b:/c']\nauth: {clientSecret: {secret: {name: app}}}",
        PUBLIC_AUTH,
    ),
    structure(
        "grant-unknown",
        "appType: web\nconsent: Trusted\ngrantTypes: [authorization_code]",
        r#"supported values: "client_credentials", "urn:qlik:oauth:user-impersonation""#,
    ),
    structure(
        "grants-as-text",
        "appType: web\nconsent: Trusted\ngrantTypes: client_credentials",
        "spec.grantTypes in body must be of type array",
    ),
    rule(
        "grant-twice",
        "appType: web\nconsent: Trusted\ngrantTypes: [client_credentials, client_credentials]\nauth: {clientSecret: \
         {secret: {name: app}}}",
        "spec.grantTypes has the same grant twice: remove one",
    ),
    rule(
        "machine-that-asks-for-consent",
        "appType: web\ngrantTypes: [client_credentials]\nauth: {clientSecret: {secret: {name: app}}}",
        TRUSTED,
    ),
    rule(
        "impersonation-as-admin",
        "appType: web\nconsent: Trusted\ngrantTypes: ['urn:qlik:oauth:user-impersonation']\nscopes: [user_default, \
         admin_classic]\nauth: {clientSecret: {secret: {name: app}}}",
        NO_ADMIN,
    ),
    rule(
        "impersonation-with-key",
        "appType: web\nconsent: Trusted\ngrantTypes: ['urn:qlik:oauth:user-impersonation']\nauth: {privateKeyJwt: \
         {generate: {secret: {name: app}}}}",
        WITH_SECRET,
    ),
];

/// On a machine that is accepted: everything else.
const ADDED: &[Row] = &[
    structure("scopes-as-text", "scopes: user_default apps:read", "spec.scopes in body must be of type array"),
    rule("scopes-in-one-item", "scopes: ['user_default apps:read']", SCOPE),
    rule("scopes-with-comma", "scopes: ['user_default,apps:read']", SCOPE),
    rule("scope-upper-case", "scopes: ['Apps:Read']", SCOPE),
    rule("scope-empty", "scopes: ['']", SCOPE),
    rule("scope-twice", "scopes: [user_default, user_default]", "spec.scopes has the same scope twice: remove one"),
    rule("scope-of-a-region", "scopes: ['tenants:deactivate']", WIDER),
    rule("scope-of-the-organization", "scopes: ['cloud-console.tenants:read']", WIDER),
    structure("scope-a-number", "scopes: [1]", "spec.scopes[0] in body must be of type string"),
    structure("scopes-as-in-qlik", "allowedScopes: [user_default]", r#"unknown field "spec.allowedScopes""#),
    structure("client-id", "clientId: 0123456789abcdef", r#"unknown field "spec.clientId""#),
    rule("page-without-scheme", "clientUri: app.example.com", "clientUri is the address of a page"),
    rule(
        "picture-over-http",
        "logoUri: 'http://app.example.com/logo.png'",
        "logoUri is the https address of a picture",
    ),
    rule("picture-inline", "logoUri: 'data:image/png;base64,iVBOR'", "logoUri is the https address of a picture"),
    rule(
        "description-with-a-mark",
        "description: 'Copied [qo:abc'",
        "spec.description must not contain [qo:, which begins the operator's own mark",
    ),
    structure("publish-as-text", "publish: 'yes'", "spec.publish in body must be of type boolean"),
    structure("deletion-as-of-tenants", "deletionPolicy: Retain", r#"supported values: "Delete", "Orphan""#),
    structure("deletion-lower-case", "deletionPolicy: delete", r#"supported values: "Delete", "Orphan""#),
    structure("suspend-as-text", "suspend: 'true'", "spec.suspend in body must be of type boolean"),
    rule("interval-without-unit", "interval: '30'", DURATION),
    rule("interval-in-days", "interval: 1d", DURATION),
    rule("interval-too-short", "interval: 30s", "spec.interval must be between 1m and 24h"),
    rule("interval-too-long", "interval: 25h", "spec.interval must be between 1m and 24h"),
    structure("interval-a-number", "interval: 30", "spec.interval in body must be of type string"),
];

/// The whole table.
pub(crate) fn wrong() -> Vec<Wrong> {
    let on = |base: &'static str| move |row: &Row| row.on(client, base);
    let named = WHOLE.iter().map(on("")).chain(TYPED.iter().map(on(HEAD))).chain(AUTH.iter().map(on(WEB)));
    let placed = ADDRESSES.iter().map(on(SPA)).chain(ADDED.iter().map(on(MACHINE)));
    named.chain(placed).chain(too_long()).collect()
}

/// Rows that are too long to be written out.
fn too_long() -> [Wrong; 3] {
    let keys: Vec<_> = (0..33).map(|number| format!("k{number}: a")).collect();
    let template = format!("template: {{s: '${{clientSecret}}', {}}}", keys.join(", "));
    [
        ("name-too-long", MACHINE.replace("App", &"a".repeat(513)), "may not be more than 512"),
        ("description-too-long", format!("{MACHINE}\ndescription: {}", "a".repeat(4001)), "may not be more than 4000"),
        (
            "template-too-long",
            format!("{WEB}\nauth: {{clientSecret: {{secret: {{name: app, {template}}}}}}}"),
            "must have at most 32 items",
        ),
    ]
    .map(|(name, spec, says)| Wrong { name, manifest: client(name, &spec), by: By::Structure, says })
}
