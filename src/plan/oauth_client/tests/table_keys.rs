//! Decisions about keys, one by one.

use super::table::{ago, carried, client, issued, now, seen, word};
use super::world::{OVERLAP, desired, jwk};
use crate::plan::Next;
use crate::plan::intent::Call;
use crate::plan::oauth_client::{Authentication, Carried, Content, Found, Issued, Minting, SecretSeen, Step, next};
use crate::qlik::{OauthClient, OauthClientChange};
use std::time::Duration;

fn key(kid: &str, retires_at: Option<jiff::Timestamp>) -> Issued {
    Issued { jwk: Some(jwk(kid)), ..issued(kid, retires_at) }
}

/// The decision when the client has these keys and the Secret is this, for a client that rotates after `every` seconds.
fn decide(keys: &[&str], secret: SecretSeen, every: u64) -> Next<Step> {
    let want = desired(Authentication::GeneratedKey, Some(Duration::from_secs(every)));
    let mut seen = seen();
    let public_keys = keys.iter().map(|kid| jwk(kid)).collect();
    let auth_methods = vec!["private_key_jwt".into()];
    let client = OauthClient { public_keys, auth_methods, secrets: Vec::new(), ..client() };
    (seen.client, seen.secret) = (Found::One(Box::new(client)), secret);
    next(&want, &seen, now())
}

fn ours(issued: Vec<Issued>) -> Carried {
    Carried { issued, ..carried() }
}

fn announced(call: Call, age: i64) -> Carried {
    let minting = Minting { nonce: "n".into(), at: ago(age), before: vec!["k1".into()] };
    Carried { minting: Some((minting, call)), ..ours(vec![key("k1", None)]) }
}

const NEVER: u64 = 1_000_000;

#[test]
fn keys_are_announced_made_and_retired_like_secrets() {
    let one = || ours(vec![key("k1", None)]);
    assert_eq!(word(&decide(&["k1"], SecretSeen::Ours(one()), NEVER)), "settled Settled");
    assert_eq!(word(&decide(&["k1"], SecretSeen::Ours(one()), 1000)), "Reserve");
    for (call, age, expected) in [
        (Call::NotSent, 60, "NewKey"),
        (Call::NotSent, 61, "Reserve"),
        (Call::NoEffect, 5, "NewKey"),
        (Call::Unknown, 89, "settled SecretPending"),
        (Call::Unknown, 90, "Reserve"),
        (Call::Closed, 5, "Reserve"),
    ] {
        let found = decide(&["k1"], SecretSeen::Ours(announced(call, age)), NEVER);
        assert_eq!(word(&found), expected, "{call:?} after {age} s");
    }
    let Next::Do(Step::NewKey { former }) = decide(&["k1"], SecretSeen::Ours(announced(Call::NotSent, 5)), NEVER)
    else {
        panic!()
    };
    assert_eq!((former.len(), former[0].retires_at), (1, Some(now() + OVERLAP)));
    let over = ours(vec![key("k2", None), key("k1", Some(ago(0)))]);
    let found = decide(&["k1", "k2"], SecretSeen::Ours(over.clone()), NEVER);
    assert_eq!(found, Next::Do(Step::Change(vec![OauthClientChange::PublicKeys(vec![jwk("k2")])])));
    let found = decide(&["k2"], SecretSeen::Ours(over), NEVER);
    assert_eq!(found, Next::Do(Step::Deliver { issued: vec![key("k2", None)] }));
}

#[test]
fn a_key_that_is_being_made_is_no_drift() {
    for call in [Call::NotSent, Call::Unknown, Call::Closed] {
        let found = decide(&["k1", "k2"], SecretSeen::Ours(announced(call, 5)), NEVER);
        assert!(!matches!(found, Next::Do(Step::Change(_))), "{call:?}: {found:?}");
    }
    // It was made and not delivered: nobody has it, and the next key list is without it.
    let Next::Do(Step::Reserve { issued, before }) =
        decide(&["k1", "k2"], SecretSeen::Ours(announced(Call::Closed, 5)), NEVER)
    else {
        panic!()
    };
    assert_eq!((issued, before), (vec![key("k1", None)], vec!["k1".to_owned()]));
}

#[test]
fn a_key_of_which_the_secret_does_not_tell_may_still_be_in_use() {
    let kept = |found: &Next<Step>| match found {
        Next::Do(Step::Reserve { issued, before }) => {
            assert_eq!(before.as_slice(), ["k1"]);
            assert_eq!(issued[0].retires_at, Some(now() + OVERLAP));
            assert_eq!(issued[0].jwk, Some(jwk("k1")));
        }
        other => panic!("{other:?}"),
    };
    kept(&decide(&["k1"], SecretSeen::Free, NEVER));
    kept(&decide(&["k1"], SecretSeen::Ours(Carried { content: Content::Lost, ..ours(Vec::new()) }), NEVER));
    let forgotten = Carried { content: Content::Lost, issued: Vec::new(), ..announced(Call::NotSent, 5) };
    let Next::Do(Step::NewKey { former }) = decide(&["k1", "k2"], SecretSeen::Ours(forgotten), NEVER) else { panic!() };
    assert_eq!(former.iter().map(|issued| issued.id.as_str()).collect::<Vec<_>>(), ["k1"]);
}

#[test]
fn a_key_serves_the_next_client_too() {
    let other = Carried { client_id: Some("c0".into()), ..ours(vec![key("k1", None)]) };
    assert_eq!(word(&decide(&[], SecretSeen::Ours(other.clone()), NEVER)), "publicKeys");
    assert_eq!(word(&decide(&["k1"], SecretSeen::Ours(other), NEVER)), "Deliver");
}

#[test]
fn a_given_key_is_the_only_one() {
    let mut seen = seen();
    let auth_methods = vec!["private_key_jwt".into()];
    let client = OauthClient { auth_methods, secrets: Vec::new(), ..client() };
    (seen.client, seen.secret) = (Found::One(Box::new(client.clone())), SecretSeen::NotWanted);
    let want = desired(Authentication::GivenKey(Box::new(jwk("given"))), None);
    assert_eq!(word(&next(&want, &seen, now())), "publicKeys");
    seen.client = Found::One(Box::new(OauthClient { public_keys: vec![jwk("given")], ..client }));
    assert_eq!(word(&next(&want, &seen, now())), "settled Settled");
}

#[test]
fn a_key_of_another_algorithm_is_rotated_in_once_nothing_else_is_under_way() {
    let rs256 = crate::qlik::Jwk { alg: "RS256".into(), ..jwk("k1") };
    for (wanted, retiring, expected) in
        [("RS256", false, "settled Settled"), ("ES384", false, "Reserve"), ("ES384", true, "settled Settled")]
    {
        let mut want = desired(Authentication::GeneratedKey, None);
        want.key_algorithm = Some(wanted);
        let mut issued = vec![Issued { jwk: Some(rs256.clone()), ..key("k1", None) }];
        issued.extend(retiring.then(|| key("k0", Some(now() + OVERLAP))));
        let public_keys = issued.iter().filter_map(|issued| issued.jwk.clone()).collect();
        let auth_methods = vec!["private_key_jwt".into()];
        let client = OauthClient { public_keys, auth_methods, secrets: Vec::new(), ..client() };
        let mut seen = seen();
        (seen.client, seen.secret) = (Found::One(Box::new(client)), SecretSeen::Ours(ours(issued)));
        assert_eq!(word(&next(&want, &seen, now())), expected, "{wanted} {retiring}");
    }
}
