//! Single decisions: how a manifest is read, what counts as drift, what people are told.

use super::world::{Kind, World};
use crate::crd::{QlikIdentityProviderSpec, Reason};
use crate::plan::Deletion;
use crate::plan::child::Place;
use crate::plan::identity_provider::{Desired, KeySource, Occupant, SecretSeen, Step, differing, next};
use crate::plan::marker::Marker;
use crate::plan::{Finding, Next};
use crate::qlik::Protocol;
use serde_json::{Value, json};

fn read(spec: Value) -> Desired {
    let spec: QlikIdentityProviderSpec = serde_json::from_value(spec).unwrap();
    Desired::read(&spec, &Marker::new("c", "k", "ns", "n", "u"), None)
}

fn login(options: &Value) -> Desired {
    let mut oidc =
        json!({ "provider": "okta", "discoveryUrl": "https://d", "clientId": "a", "clientSecretRef": { "name": "s" } });
    oidc.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    read(json!({ "tenantRef": { "name": "acme" }, "oidc": oidc }))
}

#[test]
fn manifests_become_what_qlik_takes() {
    let want = login(&json!({ "realm": "r", "claims": { "groups": ["/roles"] }, "provider": "azureAD" }));
    assert!(want.reigns() && !want.tried && want.protocol == Protocol::Oidc && want.product == "azureAD");
    assert_eq!(want.options["claimsMapping"]["groups"], json!(["/roles"]));
    assert_eq!(want.options["claimsMapping"]["email"][0], "/email");
    assert_eq!((want.options.get("scope"), &want.options["realm"]), (None, &json!("r")));
    assert!(want.description.starts_with("[qo:"));

    let machine = read(json!({ "tenantRef": { "name": "acme" }, "verification": "Skip",
        "oidc": { "provider": "okta", "interactive": false, "discoveryUrl": "https://d", "audience": "q" } }));
    assert!(!machine.interactive && !machine.reigns());
    assert_eq!(machine.options["claimsMapping"], json!({ "sub": ["/sub"], "client_id": ["/cid", "/client_id"] }));

    let pem = "-----BEGIN CERTIFICATE-----\nAAA\r\n BBB\n-----END CERTIFICATE-----\n";
    let saml = read(json!({ "tenantRef": { "name": "acme" }, "verification": "Browser", "saml": { "provider": "adfs",
        "entityId": "e", "signOnUrl": "https://s", "certificates": [{ "certificate": pem }], "nameIdFormat": "Persistent" } }));
    assert!(saml.tried && saml.interactive);
    let line = "-----BEGIN CERTIFICATE-----AAABBB-----END CERTIFICATE-----";
    assert_eq!(saml.options["certificates"][0]["certificate"], line);
    assert_eq!(saml.options["nameIdFormat"], "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent");

    let jwt = read(
        json!({ "tenantRef": { "name": "acme" }, "jwt": { "issuer": "i", "key": { "generate": { "secret": { "name": "s" },
        "rotation": { "every": "48h", "overlap": "90m" } } } } }),
    );
    assert!(matches!(jwt.key, KeySource::Generated(_)) && jwt.turnover.overlap.as_secs() == 5_400);
    assert_eq!((jwt.options, jwt.turnover.every.unwrap().as_secs()), (json!({ "issuer": "i" }), 172_800));
}

#[test]
fn only_what_is_shown_and_different_is_drift() {
    let want = login(&json!({ "realm": "r", "scope": "openid" }));
    let shown = |change: &Value| {
        let mut shown = want.options.clone();
        shown.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        differing(&want, &shown)
    };
    let none: [&str; 0] = [];
    assert_eq!(shown(&json!({})), none);
    assert_eq!(differing(&want, &json!({})), none, "what Qlik does not show is not compared");
    assert_eq!(shown(&json!({ "discoveryUrl": "https://d/", "extra": 1 })), none, "a slash makes no difference");
    assert_eq!(shown(&json!({ "realm": "x" })), ["realm"]);
    assert_eq!(
        shown(&json!({ "audience": "x", "allowedClientIds": [], "blockOfflineAccessScope": false })),
        ["audience"]
    );
    assert_eq!(shown(&json!({ "claimsMapping": { "sub": ["/x"] } })), ["claimsMapping"]);
    let mut mapping = want.options["claimsMapping"].clone();
    mapping["other"] = json!(["/other"]);
    assert_eq!(shown(&json!({ "claimsMapping": mapping })), none);

    let xml = "<EntityDescriptor entityID = 'https://e'>";
    let want = read(json!({ "tenantRef": { "name": "acme" }, "saml": { "provider": "okta", "metadata": xml } }));
    for (entity, expected) in [("https://e", &[][..]), ("https://f", &["metadata"])] {
        assert_eq!(differing(&want, &json!({ "entityId": entity, "signOnUrl": "https://whatever" })), expected);
    }
}

fn told(next: Next<Step>) -> Finding {
    match next {
        Next::Wait { finding, .. } | Next::Settled { finding, .. } => finding,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_may_have_the_login() {
    let world = World::new(Kind::Login, false);
    let decide = |change: &dyn Fn(&mut crate::plan::identity_provider::Seen)| {
        let mut seen = world.see();
        change(&mut seen);
        next(&world.want, &seen, world.now)
    };
    let rival = decide(&|seen| seen.rival = Some("QlikIdentityProvider ns/first".into()));
    let rival = told(rival);
    assert!(rival.reason == Reason::Conflict && rival.needs_human && rival.message.contains("ns/first"));
    let foreign =
        decide(&|seen| seen.occupant = Some(Occupant { id: "theirs".parse().unwrap(), object: None, shown: true }));
    assert!(told(foreign).message.contains("theirs"));
    let younger = Some(Occupant { id: "theirs".parse().unwrap(), object: Some("ns/second".into()), shown: true });
    assert_eq!(decide(&|seen| seen.occupant.clone_from(&younger)), Next::Do(Step::Announce));

    let mut world = World::new(Kind::Login, false);
    for _ in 0..2 {
        world.turn(super::world::Fate::Done);
    }
    let mut seen = world.see();
    seen.occupant = younger;
    let (from, to) = ("theirs".parse().unwrap(), seen.current().unwrap().id.clone());
    assert_eq!(next(&world.want, &seen, world.now), Next::Do(Step::Switch { from, to }));
    seen.rival = Some("ns/first".into());
    world.want.active = false;
    assert!(!matches!(next(&world.want, &seen, world.now), Next::Wait { .. }), "who does not ask has no rival");
}

#[test]
fn a_deletion_is_never_held_up_by_what_is_gone() {
    let finding = Finding::passing(crate::crd::Phase::Pending, Reason::TenantMissing, "gone");
    let mut world = World::new(Kind::Saml, false);
    world.settle();
    for (place, deletion, orphan, held, released) in [
        (Place::Covered(finding.clone()), Deletion::Requested, false, true, true),
        (Place::Waiting(finding.clone()), Deletion::Requested, false, true, false),
        (Place::Waiting(finding.clone()), Deletion::Sweeping, false, true, true),
        (Place::Waiting(finding.clone()), Deletion::Requested, true, true, true),
        (Place::Waiting(finding.clone()), Deletion::Requested, false, false, true),
    ] {
        let mut seen = world.see();
        (seen.place, seen.deletion, seen.held) = (place, deletion, held);
        world.want.orphan = orphan;
        assert_eq!(next(&world.want, &seen, world.now) == Next::Release, released, "{seen:?}");
    }
}

#[test]
fn a_secret_of_somebody_else_stops_everything_before_anything_is_made() {
    let world = World::new(Kind::Generated, false);
    for (secret, reason) in [
        (SecretSeen::Foreign("Deployment app".into()), Reason::SecretConflict),
        (SecretSeen::Former, Reason::SecretPending),
        (SecretSeen::Terminating, Reason::SecretPending),
    ] {
        let mut seen = world.see();
        seen.secret = secret;
        assert_eq!(told(next(&world.want, &seen, world.now)).reason, reason);
    }
}
