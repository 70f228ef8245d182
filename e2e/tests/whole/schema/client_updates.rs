//! OAuth clients that get in, and what may not be changed afterwards.

use super::kubectl::{client, read, stage, try_out};
use super::server::{create, judge, not_refused};
use super::wrong_clients::MACHINE;
use qlik_operator::crd::{AppType, Consent, DeletionPolicy, QlikOAuthClient};

const TENANT: &str = "spec.tenantRef cannot be changed, a client belongs to one tenant: create another QlikOAuthClient for \
                      the other tenant";
const TYPE: &str = "spec.appType cannot be changed in Qlik Cloud: create another QlikOAuthClient";
const AUTH: &str = "how a client authenticates cannot be changed, apps would be locked out: create another \
                    QlikOAuthClient, switch the app over, then delete this one";
const KEY: &str = "a generated key pair cannot be exchanged for a given one: create another QlikOAuthClient, switch the \
                   app over, then delete this one";
const NAME: &str = "secret.name cannot be changed, apps would be left with the former Secret: create another object for \
                    another Secret";
const PUBLISH: &str =
    "spec.publish cannot be taken back in Qlik Cloud: create another QlikOAuthClient and delete this one";

const SPA: &str = "tenantRef: {name: acme}\nclientName: App\nappType: spa\nredirectUris: ['https://a.b/c']\n\
                   allowedOrigins: ['https://a.b']";
const WEB: &str = "tenantRef: {name: acme}\nclientName: App\nappType: web\nredirectUris: ['https://a.b/c']";
const GIVEN: &str = "auth: {privateKeyJwt: {publicKeyRef: {name: k}}}";
const MADE: &str = "auth: {privateKeyJwt: {generate: {secret: {name: app}}}}";
const SECRET: &str = "auth: {clientSecret: {secret: {name: app}}}";

const FULL: &str = "tenantRef: {name: acme.prod-1}
clientName: Äcme & Söhne
description: 'Back end: orders [eu]'
appType: web
clientUri: http://intranet.example.com
logoUri: https://app.example.com/logo.png
scopes: [user_default, 'apps:read', offline_access, 'automl-experiments:read']
redirectUris:
  - https://app.example.com/callback?from=qlik
  - http://localhost:8765/callback
  - http://127.0.0.1/cb
  - http://[::1]:8765/cb
  - com.example.app:/callback
allowedOrigins: ['https://app.example.com', 'https://app.example.com:8443', 'http://localhost:3000']
consent: Trusted
publish: true
deletionPolicy: Orphan
suspend: true
interval: 1h30m
auth:
  clientSecret:
    secret:
      name: app.secret-1
      labels: {team: orders, empty: ''}
      annotations: {reloader.stakater.com/match: 'true'}
      template:
        QLIK_HOST: ${hostname}
        QLIK_CLIENT_ID: ${clientId}
        QLIK_CLIENT_SECRET: ${clientSecret}
        tls.crt: 'nothing: $${x}'
    rotation: {every: 2160h, overlap: 24h}";

/// What every kind of app needs at least.
const GOOD: &[(&str, &str)] = &[
    ("full", FULL),
    ("machine", MACHINE),
    ("page", SPA),
    ("device", "tenantRef: {name: a}\nclientName: A\nappType: native\nredirectUris: ['myapp://callback']"),
    ("embed", "tenantRef: {name: a}\nclientName: A\nappType: anonymous-embed\nallowedOrigins: ['https://a.b']"),
];

#[tokio::test]
async fn good_clients_are_accepted_as_the_types_read_them() {
    let stage = stage("accepted").await;
    for (name, spec) in GOOD {
        let manifest = client(name, spec);
        let answer = try_out(&stage, &manifest).await;
        assert_eq!((answer.success(), answer.stderr.as_str()), (true, ""), "{name}");
        let local: QlikOAuthClient = read(&manifest).unwrap();
        assert_eq!(read::<QlikOAuthClient>(&answer.stdout).unwrap().spec, local.spec, "{name}");
        local.validate_cel().unwrap();
    }
}

#[tokio::test]
async fn what_a_client_leaves_out_is_the_cautious_choice() {
    let stage = stage("defaults").await;
    let answer = try_out(&stage, &client("defaults", SPA)).await;
    let spec = read::<QlikOAuthClient>(&answer.stdout).unwrap().spec;
    assert_eq!((spec.app_type, spec.consent, spec.publish), (AppType::Spa, Consent::Required, false));
    assert_eq!((spec.deletion_policy, spec.suspend, spec.scopes), (DeletionPolicy::Delete, false, Vec::new()));
    for (name, auth, lines) in [
        ("made", MADE, ["algorithm: RS256", "name: app"].as_slice()),
        ("given", GIVEN, &["key: publicKey"]),
        ("rotated", "auth: {clientSecret: {secret: {name: app}, rotation: {every: 48h}}}", &["overlap: 24h"]),
    ] {
        let answer = try_out(&stage, &client(name, &format!("{WEB}\n{auth}"))).await;
        assert!(lines.iter().all(|line| answer.stdout.contains(line)), "{name}: {}{}", answer.stdout, answer.stderr);
    }
}

#[tokio::test]
async fn what_qlik_cannot_change_is_refused_with_the_way_round() {
    let stage = stage("updates").await;
    let web = |more: &str| format!("{WEB}\n{more}");
    let changes = [
        ("tenant", SPA.to_owned(), SPA.replace("acme", "globex"), TENANT),
        ("type", SPA.to_owned(), SPA.replace("spa", "native").replace("\nallowedOrigins: ['https://a.b']", ""), TYPE),
        ("secret-to-key", web(SECRET), web(MADE), AUTH),
        ("key-to-secret", web(GIVEN), web(SECRET), AUTH),
        ("made-to-given", web(MADE), web(GIVEN), KEY),
        ("given-to-made", web(GIVEN), web(MADE), KEY),
        ("secret-renamed", web(SECRET), web(&SECRET.replace("app", "other")), NAME),
        ("key-renamed", web(MADE), web(&MADE.replace("app", "other")), NAME),
        ("public-without-secret", format!("{SPA}\nauth: {{none: {{secret: {{name: app}}}}}}"), SPA.to_owned(), AUTH),
        ("published", format!("{SPA}\npublish: true"), format!("{SPA}\npublish: false"), PUBLISH),
        ("published-left-out", format!("{SPA}\npublish: true"), SPA.to_owned(), PUBLISH),
    ];
    for (name, before, after, says) in changes {
        let (before, after) = (client(name, &before), client(name, &after));
        create(&stage, &before).await;
        assert_eq!(not_refused(&stage, &after, says).await, None, "{name}");
        let (old, new) = (read::<QlikOAuthClient>(&before).unwrap(), read::<QlikOAuthClient>(&after).unwrap());
        let found = new.validate_cel_update(&old).unwrap_err().to_string();
        assert!(found.contains(says), "{name}: {found}");
    }
}

#[tokio::test]
async fn everything_else_can_be_changed() {
    let stage = stage("changes").await;
    let web = |more: &str| format!("{WEB}\n{more}");
    let changes = [
        ("name", SPA.to_owned(), SPA.replace("App", "Other")),
        ("scopes", web(SECRET), format!("{}\nscopes: [user_default]", web(SECRET))),
        ("consent", web(SECRET), format!("{}\nconsent: Trusted", web(SECRET))),
        ("consent-back", format!("{}\nconsent: Trusted", web(SECRET)), web(SECRET)),
        ("publish", SPA.to_owned(), format!("{SPA}\npublish: true")),
        ("addresses", SPA.to_owned(), SPA.replace("https://a.b", "https://c.d")),
        ("template", web(SECRET), web("auth: {clientSecret: {secret: {name: app, template: {s: '${clientSecret}'}}}}")),
        (
            "rotation",
            web(MADE),
            web("auth: {privateKeyJwt: {generate: {secret: {name: app}, rotation: {every: 48h}}}}"),
        ),
        ("other-key", web(GIVEN), web(&GIVEN.replace("name: k", "name: other, key: tls.crt"))),
        // A Secret with the id, for a client that had none.
        ("public-with-secret", SPA.to_owned(), format!("{SPA}\nauth: {{none: {{secret: {{name: app}}}}}}")),
        ("suspend", SPA.to_owned(), format!("{SPA}\nsuspend: true\ndeletionPolicy: Orphan")),
    ];
    for (name, before, after) in changes {
        let (before, after) = (client(name, &before), client(name, &after));
        create(&stage, &before).await;
        assert_eq!(judge(&stage, &after).await.err(), None, "{name}");
        read::<QlikOAuthClient>(&after).unwrap().validate_cel_update(&read(&before).unwrap()).unwrap();
    }
}
