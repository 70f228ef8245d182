//! Decisions where Qlik Cloud does not show everything, and where somebody else writes the same.

use super::table::{ago, carried, check, client, in_use, intent, issued, now, seen, unknown, want, word};
use super::world::{desired, jwk};
use crate::crd::{Drift, whole_seconds};
use crate::plan::Deletion;
use crate::plan::intent::Call;
use crate::plan::oauth_client::{Authentication, Carried, Found, Issued, SecretSeen, Seen, next};
use crate::qlik::{Consent, OauthClient};

/// The client shows neither its scopes nor its description.
fn hide(seen: &mut Seen) {
    in_use(seen, |c| {
        (c.scopes, c.description, c.hidden) = (Vec::new(), None, vec!["allowedScopes", "description"]);
    });
}

fn noted(seen: &mut Seen) {
    hide(seen);
    seen.written.not_compared = vec!["allowedScopes".into(), "description".into()];
}

#[test]
fn what_is_not_shown_is_written_once() {
    check(&[
        ("never written", |_, s| hide(s), "description allowedScopes"),
        ("written", |_, s| noted(s), "settled Settled"),
        (
            "written, and the manifest changed",
            |_, s| (noted(s), s.written.outdated = true).1,
            "description allowedScopes",
        ),
        ("another field is shown", |w, s| (noted(s), w.name = "x".into()).1, "clientName"),
        (
            "nothing is wanted of it",
            |_, s| in_use(s, |c| c.hidden = vec!["logoUri", "redirectUris"]),
            "settled Settled",
        ),
        ("taken away where it is shown", |_, s| (noted(s), in_use(s, |c| c.scopes = Vec::new())).1, "allowedScopes"),
    ]);
}

fn with_keys(hidden: Vec<&'static str>, former_ends: i64) -> String {
    let want = desired(Authentication::GeneratedKey, None);
    let key = |kid: &str, retires_at| Issued { jwk: Some(jwk(kid)), ..issued(kid, retires_at) };
    let issued = vec![key("k2", None), key("k1", Some(ago(former_ends)))];
    let public_keys = if hidden.is_empty() { vec![jwk("k1"), jwk("k2")] } else { Vec::new() };
    let auth_methods = vec!["private_key_jwt".into()];
    let client = OauthClient { public_keys, auth_methods, secrets: Vec::new(), hidden, ..client() };
    let mut seen = seen();
    seen.written.not_compared = vec!["publicKeys".into()];
    (seen.client, seen.secret) = (Found::One(Box::new(client)), SecretSeen::Ours(Carried { issued, ..carried() }));
    word(&next(&want, &seen, now()))
}

#[test]
fn a_key_whose_time_is_over_goes_though_it_is_not_shown() {
    assert_eq!(with_keys(vec!["publicKeys"], -60), "settled Settled");
    assert_eq!(with_keys(vec!["publicKeys"], 0), "publicKeys");
    assert_eq!(with_keys(Vec::new(), -60), "settled Settled");
    assert_eq!(with_keys(Vec::new(), 0), "publicKeys");
}

fn unmarked(seen: &mut Seen, age: i64) {
    unknown(seen, Found::Unmarked(vec!["c9".parse().unwrap()]));
    seen.intent = intent(Call::Unknown, age);
}

#[test]
fn a_lost_creation_is_not_repeated_beside_a_client_whose_mark_is_not_shown() {
    check(&[
        ("may still be under way", |_, s| unmarked(s, 5), "wait CreateOutcomeUnknown"),
        ("old", |_, s| unmarked(s, 600), "human CreateOutcomeUnknown"),
        ("deleted", |_, s| (unmarked(s, 600), s.deletion = Deletion::Requested).1, "release"),
        ("deleted early", |_, s| (unmarked(s, 5), s.deletion = Deletion::Requested).1, "wait CreateOutcomeUnknown"),
    ]);
}

fn fought(seen: &mut Seen, field: &str, times: i32) {
    let fields = vec![field.to_owned()];
    seen.written.drift = Some(Drift { fields, times, corrected_at: whole_seconds(ago(60)) });
}

#[test]
fn what_somebody_else_writes_as_often_is_left_for_a_day() {
    check(&[
        ("twice", |w, s| (fought(s, "clientName", 2), w.name = "x".into()).1, "clientName"),
        ("three times", |w, s| (fought(s, "clientName", 3), w.name = "x".into()).1, "human DriftRepeats"),
        ("another field", |w, s| (fought(s, "logoUri", 3), w.name = "x".into()).1, "clientName"),
        ("nobody any more", |_, s| fought(s, "clientName", 3), "settled Settled"),
        (
            "the consent",
            |_, s| (fought(s, "connectionConfig", 3), in_use(s, |c| c.consent = Some(Consent::Required))).1,
            "human DriftRepeats",
        ),
    ]);
    // What an app holds is looked after all the same.
    let (mut want, mut seen) = (want(), seen());
    fought(&mut seen, "clientName", 3);
    (want.name, seen.secret) = ("x".into(), SecretSeen::Free);
    assert_eq!(word(&next(&want, &seen, now())), "Reserve");
}
