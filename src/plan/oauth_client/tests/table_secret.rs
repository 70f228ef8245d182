//! Decisions about a client secret, one by one.

use super::table::{ago, carried, client, hint, issued, now, seen, want, word};
use super::world::OVERLAP;
use crate::plan::Next;
use crate::plan::intent::Call;
use crate::plan::oauth_client::{
    Authentication, Carried, Content, Desired, Found, Issued, Minting, SecretSeen, Seen, Step, next,
};
use crate::qlik::{OauthClient, SecretHint};
use std::time::Duration;

/// The decision when the client has these secrets and the Secret carries that.
fn decide(secrets: Vec<SecretHint>, carried: Carried, change: impl FnOnce(&mut Desired, &mut Seen)) -> Next<Step> {
    let (mut want, mut seen) = (want(), seen());
    seen.client = Found::One(Box::new(OauthClient { secrets, ..client() }));
    seen.secret = SecretSeen::Ours(carried);
    change(&mut want, &mut seen);
    next(&want, &seen, now())
}

fn mine(hints: &[&str]) -> Vec<SecretHint> {
    hints.iter().map(|name| hint(name, "bot")).collect()
}

fn with(issued: Vec<Issued>) -> Carried {
    Carried { issued, ..carried() }
}

fn minting(call: Call, age: i64) -> Carried {
    let minting = Minting { nonce: "n".into(), at: ago(age), before: vec!["s1".into()] };
    Carried { minting: Some((minting, call)), ..carried() }
}

fn ids(issued: &[Issued]) -> Vec<(&str, bool)> {
    issued.iter().map(|issued| (issued.id.as_str(), issued.retires_at.is_some())).collect()
}

fn reserved(next: &Next<Step>) -> (Vec<(&str, bool)>, &[String]) {
    match next {
        Next::Do(Step::Reserve { issued, before }) => (ids(issued), before),
        other => panic!("{other:?}"),
    }
}

fn no_change(_: &mut Desired, _: &mut Seen) {}

#[test]
fn an_announced_secret_is_made_or_its_outcome_awaited() {
    for (call, age, hints, expected) in [
        (Call::NotSent, 0, 1, "Mint"),
        (Call::NotSent, 60, 4, "Mint"),
        (Call::NotSent, 61, 1, "Reserve"),
        (Call::NoEffect, 5, 1, "Mint"),
        (Call::NoEffect, 61, 1, "Reserve"),
        (Call::NotSent, 5, 5, "human SecretSlotsFull"),
        (Call::Closed, 5, 1, "Reserve"),
        (Call::Unknown, 89, 1, "settled SecretPending"),
        (Call::Unknown, 90, 1, "Reserve"),
    ] {
        let mut secrets = mine(&["s1"]);
        secrets.extend((1..hints).map(|n| hint(&format!("h{n}"), "human")));
        let found = decide(secrets, minting(call, age), no_change);
        assert_eq!(word(&found), expected, "{call:?} after {age} s with {hints} secrets");
    }
    let lost = Carried { content: Content::Lost, ..minting(Call::Unknown, 5) };
    assert_eq!(word(&decide(mine(&["s1"]), lost, no_change)), "wait SecretPending", "the app has none that works");
}

#[test]
fn one_that_was_made_and_not_delivered_goes_once_nobody_can_deliver_it() {
    for call in [Call::NotSent, Call::NoEffect, Call::Unknown, Call::Closed] {
        let found = decide(mine(&["s1", "s2"]), minting(call, 5), no_change);
        let (issued, before) = reserved(&found);
        assert_eq!((issued, before.len()), (vec![("s1", false), ("s2", true)], 2), "{call:?}");
        let Next::Do(Step::Reserve { issued, .. }) = &found else { unreachable!() };
        assert!(issued[1].is_lost() && !issued[0].is_lost());
        // Then it is discarded, before anything else.
        let fenced = Carried { issued: issued.clone(), ..minting(Call::NotSent, 0) };
        let discarded = Next::Do(Step::Discard { hint: "s2".into(), lost: true });
        assert_eq!(decide(mine(&["s1", "s2"]), fenced.clone(), no_change), discarded);
        let Next::Do(Step::Mint { former }) = decide(mine(&["s1"]), fenced, no_change) else { panic!("{call:?}") };
        assert_eq!(ids(&former), [("s1", true)], "and nothing remembers it");
    }
    let full = mine(&["s1", "s2", "s3", "s4", "s5"]);
    assert_eq!(word(&decide(full, minting(Call::Closed, 5), no_change)), "Reserve", "lost ones make room");
    let theirs = vec![hint("s1", "bot"), hint("h", "human")];
    assert_eq!(word(&decide(theirs, minting(Call::NotSent, 5), no_change)), "Mint", "a human's is not ours");
    let anonymous = vec![hint("s1", "bot"), SecretHint { created_by: None, ..hint("x", "") }];
    assert_eq!(word(&decide(anonymous, minting(Call::NotSent, 5), |_, s| s.me = None)), "Mint", "nor nobody's");
}

#[test]
fn a_secret_that_does_not_work_is_replaced() {
    let lost = Carried { content: Content::Lost, ..carried() };
    assert_eq!(reserved(&decide(mine(&["s1"]), lost, no_change)).0, [("s1", false)]);
    let found = decide(Vec::new(), carried(), no_change);
    assert_eq!(
        reserved(&found).0,
        [("s1", false)],
        "deleted in Qlik Cloud, and not forgotten before the next is there"
    );
    let former = Carried { client_id: Some("c0".into()), ..carried() };
    let found = decide(mine(&["s9"]), former, no_change);
    assert_eq!(reserved(&found), (vec![("s9", true)], ["s9".to_owned()].as_slice()), "of a former client");
    let free = |known: Vec<Issued>| {
        decide(mine(&["s1", "s9"]), carried(), |_, s| (s.secret, s.known) = (SecretSeen::Free, known))
    };
    assert_eq!(reserved(&free(Vec::new())).0, [("s1", true), ("s9", true)], "what was in use may still be");
    let known = vec![issued("s1", None), issued("gone", None)];
    assert_eq!(reserved(&free(known)).0, [("s1", false), ("s9", true)], "as far as the status knows it");
    let full = mine(&["s2", "s3", "s4", "s5", "s6"]);
    assert_eq!(word(&decide(full, carried(), no_change)), "human SecretSlotsFull");
}

#[test]
fn where_the_secret_does_not_tell_what_it_carries_the_overlap_begins_with_the_new_one() {
    let doubtful = vec![issued("s1", Some(ago(5)))];
    let carried = Carried { content: Content::Lost, issued: doubtful, ..minting(Call::NotSent, 5) };
    let Next::Do(Step::Mint { former }) = decide(mine(&["s1"]), carried, no_change) else { panic!() };
    assert_eq!(former[0].retires_at, Some(now() + OVERLAP));
}

#[test]
fn what_was_replaced_goes_when_its_time_has_come() {
    let both = |at| with(vec![issued("s2", None), issued("s1", Some(at))]);
    let found = decide(mine(&["s1", "s2"]), both(ago(0)), no_change);
    assert_eq!(found, Next::Do(Step::Discard { hint: "s1".into(), lost: false }));
    let Next::Do(Step::Deliver { issued: left }) = decide(mine(&["s2"]), both(ago(-50)), no_change) else { panic!() };
    assert_eq!(ids(&left), [("s2", false)], "deleted by others");
    let Next::Settled { finding, recheck } = decide(mine(&["s1", "s2"]), both(ago(-50)), no_change) else { panic!() };
    assert!(finding.message.contains("its former secret works until"), "{}", finding.message);
    assert_eq!(recheck, Duration::from_secs(50));
    let found = decide(mine(&["s1"]), both(ago(5)), no_change);
    assert_eq!(word(&found), "Reserve", "not before the one in use works");
}

#[test]
fn unexplained_secrets_go_after_the_overlap_and_those_of_others_never() {
    let found = decide(mine(&["s1", "s2"]), carried(), no_change);
    let Next::Do(Step::Deliver { issued }) = &found else { panic!("{found:?}") };
    assert_eq!(ids(issued), [("s1", false), ("s2", true)]);
    assert_eq!(issued[1].retires_at, Some(now() + OVERLAP));
    let theirs = vec![hint("s1", "bot"), hint("h", "human")];
    assert_eq!(word(&decide(theirs, carried(), no_change)), "settled Settled");
    assert_eq!(word(&decide(mine(&["s1", "s2"]), carried(), |_, s| s.me = None)), "settled Settled");
}

#[test]
fn a_secret_is_repaired_or_rotated() {
    let repairable = Carried { content: Content::Repairable, ..carried() };
    assert_eq!(word(&decide(mine(&["s1"]), repairable, no_change)), "Deliver");
    let every = |seconds| move |w: &mut Desired, _: &mut Seen| w.turnover.every = Some(Duration::from_secs(seconds));
    assert_eq!(word(&decide(mine(&["s1"]), carried(), every(1000))), "Reserve");
    let Next::Settled { recheck, .. } = decide(mine(&["s1"]), carried(), every(1100)) else { panic!() };
    assert_eq!(recheck, Duration::from_secs(100));
    let asked = |_: &mut Desired, s: &mut Seen| s.rotate = Some("now".into());
    assert_eq!(word(&decide(mine(&["s1"]), carried(), asked)), "Reserve");
    let both = with(vec![issued("s2", None), issued("s1", Some(ago(-50)))]);
    assert_eq!(word(&decide(mine(&["s1", "s2"]), both, asked)), "settled Settled", "one at a time");
    let full = ["h1", "h2", "h3", "h4"].map(|name| hint(name, "human")).into_iter().chain(mine(&["s1"]));
    assert_eq!(word(&decide(full.collect(), carried(), asked)), "human SecretSlotsFull");
}

#[test]
fn a_list_will_do_where_it_says_what_the_secret_says() {
    let agrees = |carried, secrets| {
        let listed = OauthClient { secrets, ..client() };
        Seen { secret: SecretSeen::Ours(carried), ..seen() }.agrees_with(&listed)
    };
    assert!(agrees(carried(), mine(&["s1", "s2"])));
    assert!(!agrees(carried(), mine(&["s2"])), "it may be older than what another process made");
    assert!(!agrees(minting(Call::NotSent, 5), mine(&["s1"])));
    assert!(!agrees(Carried { content: Content::Lost, ..carried() }, mine(&["s1"])));
    let no_secret = |secret| Seen { secret, ..seen() }.agrees_with(&client());
    assert!(no_secret(SecretSeen::NotWanted) && !no_secret(SecretSeen::Free));
}

#[test]
fn a_public_client_has_a_secret_without_secrets() {
    let public = |carried: Option<Carried>| {
        decide(Vec::new(), super::table::carried(), |w, s| {
            w.authentication = Authentication::Public;
            s.secret = carried.map_or(SecretSeen::Free, SecretSeen::Ours);
            let Found::One(client) = &mut s.client else { unreachable!() };
            client.auth_methods.clear();
        })
    };
    assert_eq!(public(None), Next::Do(Step::Deliver { issued: Vec::new() }));
    assert_eq!(word(&public(Some(carried()))), "settled Settled");
    assert_eq!(word(&public(Some(Carried { content: Content::Repairable, ..carried() }))), "Deliver");
    assert_eq!(word(&public(Some(Carried { client_id: None, ..carried() }))), "Deliver");
    let unwanted = decide(mine(&["s1"]), carried(), |_, s| s.secret = SecretSeen::NotWanted);
    assert_eq!(word(&unwanted), "settled Settled");
}
