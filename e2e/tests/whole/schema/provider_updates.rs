//! Identity providers that get in, and what may not be changed afterwards.

use super::kubectl::{provider, read, stage, try_out};
use super::server::{create, judge, not_refused};
use super::wrong_logins::OIDC;
use super::wrong_providers::JWT;
use qlik_operator::crd::{DeletionPolicy, QlikIdentityProvider, Verification};

const TENANT: &str = "spec.tenantRef cannot be changed, a provider belongs to one tenant: create another \
                      QlikIdentityProvider for the other tenant";
const PROTOCOL: &str = "the protocol cannot be changed, it is another way to log in: create another QlikIdentityProvider, \
                        then delete this one";
const KEY: &str = "a generated key pair cannot be exchanged for a given one, apps would be locked out: create another \
                   QlikIdentityProvider, switch the app over, then delete this one";
const NAME: &str = "secret.name cannot be changed, apps would be left with the former Secret: create another object for \
                    another Secret";

const LOGIN: &str = "tenantRef: {name: acme}
description: 'Acme: log in'
clockToleranceSec: 0
createNewUsersOnLogin: false
postLogoutRedirectUri: https://www.example.com/bye?from=qlik
verification: Browser
deletionPolicy: Orphan
suspend: true
interval: 1h30m
oidc:
  provider: azureAD
  clientId: 0f8fad5b-d9cb-469f-a165-70867728950e
  clientSecretRef: {name: acme-oidc, key: client-secret.v1}
  discoveryUrl: https://login.microsoftonline.com/x/v2.0/.well-known/openid-configuration
  realm: example.com
  scope: openid profile email
  idTokenSignatureAlg: RS512
  useClaimsFromIdToken: true
  blockOfflineAccessScope: true
  emailVerifiedAlwaysTrue: true
  claims: {sub: [/oid, /sub], groups: [], name: [/address/country]}";

const MACHINE: &str = "tenantRef: {name: acme}
oidc:
  provider: keycloak
  interactive: false
  audience: qlik.api
  allowedClientIds: [a, b]
  endpoints:
    issuer: https://a.b
    jwksUri: https://a.b/k
    tokenEndpoint: https://a.b/t
    authorizationEndpoint: https://a.b/a
    userinfoEndpoint: https://a.b/u";

const SAML: &str = "tenantRef: {name: acme}
active: false
saml:
  provider: adfs
  entityId: http://adfs.example.com/adfs/services/trust
  signOnUrl: https://adfs.example.com/adfs/ls
  nameIdFormat: Persistent
  allowIdpInitiatedLogin: true
  certificates:
    - name: this year's
      encryption: true
      certificate: |
        -----BEGIN CERTIFICATE-----
        MIIC8DCCAdigAwIBAgIQ
        -----END CERTIFICATE-----
    - certificate: -----BEGIN CERTIFICATE-----MIIC8DCCAdigAwIBAgIQ-----END CERTIFICATE-----";

const METADATA: &str = "tenantRef: {name: acme}
saml:
  provider: generic
  metadata: |
    <?xml version=\"1.0\"?>
    <md:EntityDescriptor entityID=\"https://a.b\"/>";

const GIVEN: &str =
    "tenantRef: {name: acme}\njwt: {issuer: 'https://a.b', key: {kid: 'v1:a', publicKeyRef: {name: k}}}";

#[tokio::test]
async fn good_providers_are_accepted_as_the_types_read_them() {
    let stage = stage("accepted").await;
    for (name, spec) in [
        ("login", LOGIN),
        ("machine", MACHINE),
        ("saml", SAML),
        ("metadata", METADATA),
        ("given", GIVEN),
        ("made", JWT),
    ] {
        let manifest = provider(name, spec);
        let answer = try_out(&stage, &manifest).await;
        assert_eq!((answer.success(), answer.stderr.as_str()), (true, ""), "{name}");
        let local: QlikIdentityProvider = read(&manifest).unwrap();
        assert_eq!(read::<QlikIdentityProvider>(&answer.stdout).unwrap().spec, local.spec, "{name}");
        local.validate_cel().unwrap();
    }
    let answer = try_out(&stage, &provider("defaults", JWT)).await;
    assert!(answer.stdout.contains("algorithm: RS256"), "{}", answer.stdout);
    let spec = read::<QlikIdentityProvider>(&answer.stdout).unwrap().spec;
    assert_eq!((spec.active, spec.verification, spec.suspend), (true, Verification::Skip, false));
    assert_eq!((spec.deletion_policy, spec.interval.as_str()), (DeletionPolicy::Delete, "30m"));
}

#[tokio::test]
async fn what_is_another_way_to_log_in_is_another_object() {
    let stage = stage("updates").await;
    let renamed = JWT.replace("name: app", "name: other");
    let changes = [
        ("tenant", JWT, JWT.replace("{name: acme}", "{name: globex}"), TENANT),
        ("oidc-to-saml", MACHINE, METADATA.to_owned(), PROTOCOL),
        ("saml-to-tokens", SAML, JWT.to_owned(), PROTOCOL),
        ("tokens-to-oidc", JWT, OIDC.to_owned(), PROTOCOL),
        ("made-to-given", JWT, GIVEN.to_owned(), KEY),
        ("given-to-made", GIVEN, JWT.to_owned(), KEY),
        ("secret-renamed", JWT, renamed, NAME),
    ];
    for (name, before, after, says) in changes {
        let (before, after) = (provider(name, before), provider(name, &after));
        create(&stage, &before).await;
        assert_eq!(not_refused(&stage, &after, says).await, None, "{name}");
        let (old, new) =
            (read::<QlikIdentityProvider>(&before).unwrap(), read::<QlikIdentityProvider>(&after).unwrap());
        let found = new.validate_cel_update(&old).unwrap_err().to_string();
        assert!(found.contains(says), "{name}: {found}");
    }
}

#[tokio::test]
async fn the_rest_of_a_provider_can_be_changed() {
    let stage = stage("changes").await;
    let changes = [
        ("issuer", JWT, JWT.replace("issuer: acme", "issuer: other")),
        ("key", GIVEN, GIVEN.replace("v1:a", "v2").replace("name: k", "name: other")),
        ("algorithm", JWT, JWT.replace("generate: {", "generate: {algorithm: ES384, ")),
        ("product", MACHINE, MACHINE.replace("keycloak", "okta")),
        ("people", MACHINE, LOGIN.to_owned()),
        ("metadata", SAML, METADATA.to_owned()),
        ("active", SAML, SAML.replace("active: false", "active: true")),
        ("untried", LOGIN, LOGIN.replace("verification: Browser", "verification: Skip")),
    ];
    for (name, before, after) in changes {
        let (before, after) = (provider(name, before), provider(name, &after));
        assert_ne!(before, after);
        create(&stage, &before).await;
        assert_eq!(judge(&stage, &after).await.err(), None, "{name}");
        read::<QlikIdentityProvider>(&after).unwrap().validate_cel_update(&read(&before).unwrap()).unwrap();
    }
}
