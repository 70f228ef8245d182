//! Decisions about the client itself, one by one.

use super::world::desired;
use crate::crd::{Phase, Reason};
use crate::plan::Deletion;
use crate::plan::child::Place;
use crate::plan::drift::Written;
use crate::plan::intent::{Call, Intent, IntentSeen, IntentStep};
use crate::plan::oauth_client::{
    Authentication, Carried, Content, Desired, Found, Issued, SecretSeen, Seen, Step, next,
};
use crate::plan::{Finding, Next};
use crate::qlik::{Consent, OauthClient, OauthClientChange as Change, SecretHint};
use jiff::{SignedDuration, Timestamp};

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

pub(super) fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

pub(super) fn hint(hint: &str, by: &str) -> SecretHint {
    SecretHint { hint: hint.into(), created_at: Some(ago(1000)), created_by: Some(by.into()) }
}

pub(super) fn issued(id: &str, retires_at: Option<Timestamp>) -> Issued {
    let (by, fingerprint) = (Some("bot".to_owned()), Some("f".to_owned()));
    Issued { id: id.into(), created_at: ago(1000), retires_at, by, fingerprint, jwk: None }
}

pub(super) fn want() -> Desired {
    desired(Authentication::Secret, None)
}

pub(super) fn client() -> OauthClient {
    let want = want();
    OauthClient {
        id: "c1".parse().unwrap(),
        app_type: "web".into(),
        name: want.name,
        description: Some(want.description),
        client_uri: None,
        logo_uri: None,
        redirect_uris: Vec::new(),
        allowed_origins: Vec::new(),
        scopes: want.scopes,
        grant_types: want.grant_types,
        auth_methods: vec!["client_secret".into()],
        public_keys: Vec::new(),
        jwks_uri: None,
        consent: Some(Consent::Trusted),
        published_at: None,
        hidden: Vec::new(),
        secrets: vec![hint("s1", "bot")],
    }
}

pub(super) fn carried() -> Carried {
    let content = Content::AsDeclared;
    Carried { client_id: Some("c1".into()), issued: vec![issued("s1", None)], minting: None, content }
}

/// A client that stands as it should.
pub(super) fn seen() -> Seen {
    Seen {
        deletion: Deletion::None,
        held: true,
        place: Place::Usable { id: "t1".parse().unwrap(), moved: false },
        intent: IntentSeen::None,
        id: "c1".parse().ok(),
        client: Found::One(Box::new(client())),
        foreign_mark: false,
        missing_since: None,
        written: Written::default(),
        secret: SecretSeen::Ours(carried()),
        known: Vec::new(),
        me: Some("bot".into()),
        rotate: None,
    }
}

/// What a decision comes to, in a word.
pub(super) fn word(next: &Next<Step>) -> String {
    match next {
        Next::Do(Step::Change(changes)) => changes.iter().map(Change::field).collect::<Vec<_>>().join(" "),
        Next::Do(step) => format!("{step:?}").split([' ', '(']).next().unwrap().to_owned(),
        Next::Wait { finding, .. } if finding.needs_human => format!("human {:?}", finding.reason),
        Next::Wait { finding, .. } => format!("wait {:?}", finding.reason),
        Next::Settled { finding, .. } => format!("settled {:?}", finding.reason),
        Next::Release => "release".to_owned(),
    }
}

/// A case, what is different in it, and what it comes to.
pub(super) type Row<'a> = (&'a str, fn(&mut Desired, &mut Seen), &'a str);

pub(super) fn check(table: &[Row<'_>]) {
    for (case, change, expected) in table {
        let (mut want, mut seen) = (want(), seen());
        change(&mut want, &mut seen);
        assert_eq!(word(&next(&want, &seen, now())), *expected, "{case}");
    }
}

fn waiting(reason: Reason) -> Finding {
    Finding::passing(Phase::Pending, reason, "waiting")
}

fn moved(seen: &mut Seen) {
    seen.place = Place::Usable { id: "t2".parse().unwrap(), moved: true };
}

pub(super) fn intent(call: Call, age: i64) -> IntentSeen {
    let intent = Intent::new(IntentStep::Create, "n".into(), "me".into(), ago(age));
    IntentSeen::Found { intent, call }
}

pub(super) fn in_use(seen: &mut Seen, change: impl FnOnce(&mut OauthClient)) {
    let mut client = client();
    change(&mut client);
    seen.client = Found::One(Box::new(client));
}

pub(super) fn unknown(seen: &mut Seen, found: Found) {
    (seen.id, seen.client, seen.secret) = (None, found, SecretSeen::Free);
}

fn two() -> Found {
    Found::Many(vec!["c1".parse().unwrap(), "c2".parse().unwrap()])
}

#[test]
fn the_tenant_comes_first() {
    check(&[
        ("at rest", |_, _| {}, "settled Settled"),
        ("waiting", |_, s| s.place = Place::Waiting(waiting(Reason::TenantNotReady)), "wait TenantNotReady"),
        (
            "covered",
            |_, s| s.place = Place::Covered(waiting(Reason::CoveredByTenantPurged)),
            "settled CoveredByTenantPurged",
        ),
        ("another tenant", |_, s| moved(s), "Forget"),
        ("another tenant, nothing made in the old one", |_, s| (moved(s), unknown(s, Found::None)).1, "Announce"),
        ("Secret of somebody else", |_, s| s.secret = SecretSeen::Foreign("Pod x".into()), "human SecretConflict"),
        ("Secret of a former object", |_, s| s.secret = SecretSeen::Former, "wait SecretPending"),
        ("Secret going", |_, s| s.secret = SecretSeen::Terminating, "wait SecretPending"),
    ]);
}

#[test]
fn a_client_is_made_once() {
    check(&[
        ("not looked yet", |_, s| unknown(s, Found::NotAsked), "wait Creating"),
        ("none", |_, s| unknown(s, Found::None), "Announce"),
        ("one with the mark", |_, s| unknown(s, Found::One(Box::new(client()))), "Bind"),
        ("two with the mark", |_, s| unknown(s, two()), "human CounterpartAmbiguous"),
    ]);
    for (call, age, held, expected) in [
        (Call::NotSent, 0, true, "Create"),
        (Call::NotSent, 60, true, "Create"),
        (Call::NotSent, 60, false, "Announce"),
        (Call::NotSent, 61, true, "Announce"),
        (Call::NoEffect, 5, true, "Create"),
        (Call::NoEffect, 61, true, "Announce"),
        (Call::Closed, 5, true, "Announce"),
        (Call::Unknown, 5, true, "wait CreateOutcomeUnknown"),
        (Call::Unknown, 599, true, "wait CreateOutcomeUnknown"),
        (Call::Unknown, 600, true, "Announce"),
    ] {
        let mut seen = seen();
        unknown(&mut seen, Found::None);
        (seen.intent, seen.held) = (intent(call, age), held);
        assert_eq!(word(&next(&want(), &seen, now())), expected, "{call:?} after {age} s, held {held}");
    }
    check(&[(
        "unreadable intent",
        |_, s| (unknown(s, Found::None), s.intent = IntentSeen::Unreadable).1,
        "human SpecInvalid",
    )]);
}

#[test]
fn a_client_that_is_gone_is_believed_at_the_second_look() {
    check(&[
        ("id not looked at", |_, s| s.client = Found::NotAsked, "wait Creating"),
        ("first look", |_, s| s.client = Found::None, "wait CounterpartGone"),
        ("too soon", |_, s| (s.client, s.missing_since) = (Found::None, Some(ago(14))), "wait CounterpartGone"),
        ("second look", |_, s| (s.client, s.missing_since) = (Found::None, Some(ago(15))), "Forget"),
    ]);
}

#[test]
fn drift_is_put_right_field_by_field() {
    check(&[
        ("name", |_, s| in_use(s, |c| c.name = "x".into()), "clientName"),
        ("mark", |_, s| in_use(s, |c| c.description = None), "description"),
        ("page", |_, s| in_use(s, |c| c.client_uri = Some("https://x".into())), "clientUri"),
        ("no page and an empty one", |_, s| in_use(s, |c| c.client_uri = Some(String::new())), "settled Settled"),
        ("picture", |w, _| w.logo_uri = Some("https://x".into()), "logoUri"),
        ("redirects", |w, _| w.redirect_uris = vec!["https://x".into()], "redirectUris"),
        ("origins", |_, s| in_use(s, |c| c.allowed_origins = vec!["https://x".into()]), "allowedOrigins"),
        ("scopes", |_, s| in_use(s, |c| c.scopes.push("admin_classic".into())), "allowedScopes"),
        ("grants", |_, s| in_use(s, |c| c.grant_types.clear()), "allowedGrantTypes"),
        ("methods", |_, s| in_use(s, |c| c.auth_methods.push("private_key_jwt".into())), "allowedAuthMethods"),
        ("no methods at all", |_, s| in_use(s, |c| c.auth_methods.clear()), "settled Settled"),
        ("two at once", |w, s| (w.name = "y".into(), in_use(s, |c| c.scopes.clear())).1, "clientName allowedScopes"),
        ("order says nothing", |w, s| (w.scopes = list(), in_use(s, |c| c.scopes = reversed())).1, "settled Settled"),
        ("consent", |_, s| in_use(s, |c| c.consent = Some(Consent::Required)), "SetConsent"),
        ("no consent on record", |_, s| in_use(s, |c| c.consent = None), "SetConsent"),
        ("publish", |w, _| w.publish = true, "Publish"),
        ("published", |w, s| (w.publish = true, in_use(s, |c| c.published_at = Some(now()))).1, "settled Settled"),
        ("published and not wanted", |_, s| in_use(s, |c| c.published_at = Some(now())), "human NotReversible"),
        ("finalizer torn off", |_, s| s.held = false, "Hold"),
        ("mark of another object", |_, s| s.foreign_mark = true, "human Conflict"),
    ]);
}

fn list() -> Vec<String> {
    vec!["a".into(), "b".into()]
}

fn reversed() -> Vec<String> {
    vec!["b".into(), "a".into()]
}

#[test]
fn a_deletion_takes_the_client_and_is_never_stuck_without_reason() {
    let deleting = |case: &str, change: fn(&mut Desired, &mut Seen), expected: &str| {
        let (mut want, mut seen) = (want(), seen());
        (seen.deletion, seen.secret) = (Deletion::Requested, SecretSeen::NotWanted);
        change(&mut want, &mut seen);
        assert_eq!(word(&next(&want, &seen, now())), expected, "{case}");
    };
    deleting("ordinary", |_, _| {}, "Delete");
    deleting("gone", |_, s| s.client = Found::None, "release");
    deleting("not looked at", |_, s| s.client = Found::NotAsked, "wait Deleting");
    deleting("orphan", |w, _| w.orphan = true, "release");
    deleting("with its namespace", |_, s| s.deletion = Deletion::Sweeping, "release");
    deleting("nobody holds it", |_, s| s.held = false, "release");
    deleting("covered", |_, s| s.place = Place::Covered(waiting(Reason::CoveredByTenantPurged)), "release");
    deleting("another tenant", |_, s| moved(s), "release");
    deleting("waiting", |_, s| s.place = Place::Waiting(waiting(Reason::TenantMissing)), "wait TenantMissing");
    let nothing = |s: &mut Seen| {
        unknown(s, Found::NotAsked);
        s.place = Place::Waiting(waiting(Reason::TenantMissing));
    };
    let mut seen = seen();
    (seen.deletion, seen.intent) = (Deletion::Requested, intent(Call::NotSent, 5));
    nothing(&mut seen);
    assert_eq!(word(&next(&want(), &seen, now())), "release", "announced and never made");
    seen.intent = intent(Call::Unknown, 5);
    assert_eq!(word(&next(&want(), &seen, now())), "wait TenantMissing", "may have been made");
    deleting("mark of another object", |_, s| s.foreign_mark = true, "human Conflict");
    deleting("two with the mark", |_, s| s.client = two(), "human CounterpartAmbiguous");
    deleting("found by the mark", |_, s| s.id = "former".parse().ok(), "Delete");
    deleting("nothing made", |_, s| unknown(s, Found::None), "release");
    deleting("made and gone", |_, s| (unknown(s, Found::None), s.intent = intent(Call::Closed, 5)).1, "release");
    let lost = |_: &mut Desired, s: &mut Seen| (unknown(s, Found::None), s.intent = intent(Call::Unknown, 599)).1;
    deleting("may still be made", lost, "wait CreateOutcomeUnknown");
    let old = |_: &mut Desired, s: &mut Seen| (unknown(s, Found::None), s.intent = intent(Call::Unknown, 600)).1;
    deleting("was not made", old, "release");
}
