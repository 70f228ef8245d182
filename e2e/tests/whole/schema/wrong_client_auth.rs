//! Wrong manifests of OAuth clients: how they authenticate.

use super::table::{Row, rule, structure};

const WEB_AUTH: &str = "a web client authenticates: write auth.clientSecret (a generated secret, written to a Secret) or \
                        auth.privateKeyJwt (a key pair)";
const ONE_AUTH: &str = "spec.auth takes exactly one of the three: clientSecret (a generated secret), privateKeyJwt (a key \
                        pair), or none (a public client)";
const WEB_NONE: &str = "auth.none is for public clients (spa, native, anonymous-embed): a web client writes \
                        auth.clientSecret or auth.privateKeyJwt";
const TARGET: &str = "secret.name is the name of the Secret to write, in the same namespace: lower-case letters, digits, \
                      inner dashes and dots, for instance acme-app";
const NAMES: &str = "secret.template knows ${tenantUrl}, ${hostname}, ${clientId}, ${clientSecret}, \
                     ${previousClientSecret}, ${tokenUrl} and ${scopes}; a dollar sign of your own is written $$";
const WHOLE_SECRET: &str = "secret.template needs one key whose whole text is ${clientSecret}, for instance clientSecret: \
                            ${clientSecret}";
const TEMPLATE_KEY: &str = "a key of secret.template is a key of the Secret: letters, digits, dashes, dots and \
                            underscores, for instance clientId";
const LABELS: &str = "secret.labels takes labels of your own, with values of at most 63 characters; names under \
                      qlik-operator.dev/ are the operator's";
const ANNOTATIONS: &str =
    "secret.annotations takes annotations of your own; names under qlik-operator.dev/ are the operator's";
const EVERY: &str = "rotation.every is a duration made of hours, minutes and seconds, for instance 2160h for 90 days";
const LONGER: &str = "rotation.every must be longer than rotation.overlap, in which the former secret still works: write \
                      for instance every: 2160h, overlap: 24h";
const ONE_KEY: &str = "auth.privateKeyJwt takes exactly one of the two: publicKeyRef (a public key of your own) or \
                       generate (a key pair made here)";
const KEY_SECRET: &str = "this is the name of a Secret in the same namespace: lower-case letters, digits, inner dashes and \
                          dots, for instance acme-public-key";
const KEY_KEY: &str = "this is a key of the Secret: letters, digits, dashes, dots and underscores, for instance publicKey; \
                       the PEM itself belongs into the Secret";
const ALGORITHMS: &str = r#"supported values: "RS256", "RS512", "ES384""#;

/// On a web client: how it authenticates.
pub(crate) const AUTH: &[Row] = &[
    rule("auth-missing", "", WEB_AUTH),
    rule("auth-empty", "auth: {}", ONE_AUTH),
    rule(
        "auth-twice",
        "auth: {clientSecret: {secret: {name: app}}, privateKeyJwt: {generate: {secret: {name: app}}}}",
        ONE_AUTH,
    ),
    rule("auth-none", "auth: {none: {secret: {name: app}}}", WEB_NONE),
    structure("auth-as-text", "auth: client_secret", "spec.auth in body must be of type object"),
    structure(
        "secret-inline",
        "auth: {clientSecret: 3f9a0b7c}",
        "spec.auth.clientSecret in body must be of type object",
    ),
    structure(
        "secret-value",
        "auth: {clientSecret: {secret: {name: app}, value: 3f9a0b7c}}",
        r#"unknown field "spec.auth.clientSecret.value""#,
    ),
    structure("secret-nowhere", "auth: {clientSecret: {}}", "spec.auth.clientSecret.secret: Required value"),
    structure(
        "secret-as-text",
        "auth: {clientSecret: {secret: app}}",
        "spec.auth.clientSecret.secret in body must be of type object",
    ),
    structure(
        "secret-name-otherwise",
        "auth: {clientSecret: {secret: {secretName: app}}}",
        r#"unknown field "spec.auth.clientSecret.secret.secretName""#,
    ),
    rule("secret-upper-case", "auth: {clientSecret: {secret: {name: App_Secret}}}", TARGET),
    rule("secret-elsewhere", "auth: {clientSecret: {secret: {name: other/app}}}", TARGET),
    rule(
        "template-wrong-case",
        "auth: {clientSecret: {secret: {name: app, template: {i: '${ClientId}', s: '${clientSecret}'}}}}",
        NAMES,
    ),
    rule(
        "template-of-keys",
        "auth: {clientSecret: {secret: {name: app, template: {k: '${privateKey}', s: '${clientSecret}'}}}}",
        NAMES,
    ),
    rule(
        "template-lone-dollar",
        "auth: {clientSecret: {secret: {name: app, template: {p: 'pa$$word$', s: '${clientSecret}'}}}}",
        NAMES,
    ),
    rule(
        "template-of-helm",
        "auth: {clientSecret: {secret: {name: app, template: {s: '{{ .clientSecret }}'}}}}",
        WHOLE_SECRET,
    ),
    rule(
        "template-without-secret",
        "auth: {clientSecret: {secret: {name: app, template: {id: '${clientId}'}}}}",
        WHOLE_SECRET,
    ),
    rule(
        "template-secret-in-text",
        "auth: {clientSecret: {secret: {name: app, template: {env: 'SECRET=${clientSecret}'}}}}",
        WHOLE_SECRET,
    ),
    rule(
        "template-key-with-blank",
        "auth: {clientSecret: {secret: {name: app, template: {'client secret': '${clientSecret}'}}}}",
        TEMPLATE_KEY,
    ),
    structure(
        "template-as-list",
        "auth: {clientSecret: {secret: {name: app, template: ['clientId=${clientId}']}}}",
        "spec.auth.clientSecret.secret.template in body must be of type object",
    ),
    rule(
        "label-of-the-operator",
        "auth: {clientSecret: {secret: {name: app, labels: {qlik-operator.dev/team: a}}}}",
        LABELS,
    ),
    rule(
        "label-too-long",
        "auth: {clientSecret: {secret: {name: app, labels: {team: \
         aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}}}",
        LABELS,
    ),
    structure(
        "label-a-number",
        "auth: {clientSecret: {secret: {name: app, labels: {team: 7}}}}",
        "spec.auth.clientSecret.secret.labels.team in body must be of type string",
    ),
    rule(
        "annotation-of-the-operator",
        "auth: {clientSecret: {secret: {name: app, annotations: {qlik-operator.dev/minting: a}}}}",
        ANNOTATIONS,
    ),
    rule("rotation-in-days", "auth: {clientSecret: {secret: {name: app}, rotation: {every: 90d}}}", EVERY),
    rule("rotation-without-unit", "auth: {clientSecret: {secret: {name: app}, rotation: {every: '90'}}}", EVERY),
    structure(
        "rotation-a-number",
        "auth: {clientSecret: {secret: {name: app}, rotation: {every: 2160}}}",
        "spec.auth.clientSecret.rotation.every in body must be of type string",
    ),
    structure(
        "rotation-as-text",
        "auth: {clientSecret: {secret: {name: app}, rotation: 2160h}}",
        "spec.auth.clientSecret.rotation in body must be of type object",
    ),
    structure(
        "rotation-overlap-alone",
        "auth: {clientSecret: {secret: {name: app}, rotation: {overlap: 1h}}}",
        "spec.auth.clientSecret.rotation.every: Required value",
    ),
    rule(
        "rotation-too-often",
        "auth: {clientSecret: {secret: {name: app}, rotation: {every: 30m, overlap: 5m}}}",
        "rotation.every must be at least 1h",
    ),
    rule(
        "rotation-shorter-than-its-overlap",
        "auth: {clientSecret: {secret: {name: app}, rotation: {every: 12h}}}",
        LONGER,
    ),
    rule(
        "rotation-overlap-too-short",
        "auth: {clientSecret: {secret: {name: app}, rotation: {every: 720h, overlap: 30s}}}",
        "rotation.overlap must be at least 1m: apps need time to read the new secret",
    ),
    rule("key-neither", "auth: {privateKeyJwt: {}}", ONE_KEY),
    rule("key-twice", "auth: {privateKeyJwt: {publicKeyRef: {name: k}, generate: {secret: {name: app}}}}", ONE_KEY),
    structure(
        "key-pem-inline",
        "auth: {privateKeyJwt: {publicKeyRef: '-----BEGIN PUBLIC KEY-----'}}",
        "spec.auth.privateKeyJwt.publicKeyRef in body must be of type object",
    ),
    rule(
        "key-pem-for-its-name",
        "auth: {privateKeyJwt: {publicKeyRef: {name: '-----BEGIN PRIVATE KEY-----'}}}",
        KEY_SECRET,
    ),
    rule(
        "key-pem-for-its-key",
        "auth: {privateKeyJwt: {publicKeyRef: {name: k, key: '-----BEGIN PUBLIC KEY-----MII'}}}",
        KEY_KEY,
    ),
    structure(
        "key-made-nowhere",
        "auth: {privateKeyJwt: {generate: {algorithm: ES384}}}",
        "spec.auth.privateKeyJwt.generate.secret: Required value",
    ),
    structure(
        "key-algorithm-lower-case",
        "auth: {privateKeyJwt: {generate: {algorithm: rs256, secret: {name: app}}}}",
        ALGORITHMS,
    ),
    structure(
        "key-algorithm-unknown",
        "auth: {privateKeyJwt: {generate: {algorithm: ES256, secret: {name: app}}}}",
        ALGORITHMS,
    ),
    rule(
        "key-template-without-it",
        "auth: {privateKeyJwt: {generate: {secret: {name: app, template: {id: '${keyId}'}}}}}",
        "secret.template needs one key whose whole text is ${privateKey}, for instance privateKey: ${privateKey}",
    ),
];
