//! Decisions where Qlik Cloud does not show everything, and where somebody else writes the same.

use super::world::{Kind, World};
use crate::crd::{Drift, Reason, whole_seconds};
use crate::plan::Next;
use crate::plan::identity_provider::{Change, Occupant, Print, Seen, Step, differing, next};
use crate::plan::intent::{Call, Intent, IntentSeen, IntentStep};
use crate::qlik::{IdentityProvider, Protocol};
use jiff::SignedDuration;
use serde_json::Value;

const KINDS: [Kind; 4] = [Kind::Login, Kind::Saml, Kind::Machine, Kind::Generated];

/// What an answer comes to that does not show a field.
fn hide(provider: &mut IdentityProvider, field: &'static str) {
    provider.hidden.push(field);
    match field {
        "active" => provider.active = false,
        "description" => provider.description = String::new(),
        "interactive" => provider.interactive = matches!(provider.protocol, Protocol::Oidc | Protocol::Saml),
        "protocol" => provider.protocol = Protocol::Other,
        "provider" => provider.provider = String::new(),
        "options" => provider.options = None,
        other => panic!("{other}"),
    }
}

/// A provider as declared, and what is seen of it without a field.
fn seen_without(kind: Kind, field: &'static str) -> (World, Seen) {
    let mut world = World::new(kind, false);
    world.settle();
    let mut seen = world.see();
    seen.record.active = seen.current().map(|current| current.active);
    seen.mine.iter_mut().for_each(|provider| hide(provider, field));
    (world, seen)
}

fn word(next: &Next<Step>) -> String {
    match next {
        Next::Do(Step::Change(_, changes)) => changes.iter().map(|change| change.field()).collect::<Vec<_>>().join(" "),
        Next::Do(step) => format!("{step:?}"),
        Next::Wait { finding, .. } => format!("wait {:?}", finding.reason),
        Next::Settled { .. } => "settled".to_owned(),
        Next::Release => "release".to_owned(),
    }
}

#[test]
fn what_is_not_shown_leads_to_nothing() {
    for kind in KINDS {
        for field in ["active", "interactive", "protocol", "provider", "options"] {
            let (world, mut seen) = seen_without(kind, field);
            if field == "options" {
                seen.written.not_compared = vec!["options".into()];
            }
            assert_eq!(word(&next(&world.want, &seen, world.now)), "settled", "{kind:?} without {field}");
        }
    }
}

#[test]
fn a_description_that_is_not_shown_is_written_once() {
    for kind in KINDS {
        let (world, mut seen) = seen_without(kind, "description");
        assert_eq!(word(&next(&world.want, &seen, world.now)), "description", "{kind:?}");
        seen.written.not_compared = vec!["description".into()];
        assert_eq!(word(&next(&world.want, &seen, world.now)), "settled", "{kind:?}");
        seen.written.outdated = true;
        assert_eq!(word(&next(&world.want, &seen, world.now)), "description", "{kind:?}, another manifest");
    }
}

#[test]
fn an_option_that_is_not_shown_is_not_compared() {
    for kind in KINDS {
        let (world, seen) = seen_without(kind, "provider");
        let shown = seen.current().unwrap().options.clone().unwrap();
        for name in shown.as_object().unwrap().keys() {
            let mut less = shown.clone();
            less.as_object_mut().unwrap().remove(name);
            assert!(differing(&world.want, &less).is_empty(), "{kind:?} without {name}");
        }
        assert!(differing(&world.want, &Value::Null).is_empty(), "{kind:?} without any");
    }
}

/// What is in force is known by its fingerprint where it is not shown; a trial that is not shown is not over.
#[test]
fn options_that_are_not_shown_are_believed_by_their_fingerprint() {
    let (world, mut seen) = seen_without(Kind::Login, "options");
    seen.written.not_compared = vec!["options".into()];
    seen.record.print = Print::Differs;
    assert_eq!(word(&next(&world.want, &seen, world.now)), "options");
    let (mut world, mut seen) = seen_without(Kind::Login, "options");
    world.want.tried = true;
    seen.record.print = Print::Unknown;
    assert_eq!(word(&next(&world.want, &seen, world.now)), "pendingOptions", "nobody knows that they were tried");
}

#[test]
fn who_may_be_in_use_is_not_put_out_of_it() {
    let mut world = World::new(Kind::Login, false);
    world.settle();
    let mut seen = world.see();
    let occupant = |object: Option<&str>| {
        Some(Occupant { id: "theirs".parse().unwrap(), object: object.map(str::to_owned), shown: false })
    };
    seen.occupant = occupant(None);
    let Next::Wait { finding, .. } = next(&world.want, &seen, world.now) else { panic!("of nobody") };
    assert!(finding.reason == Reason::Conflict && finding.message.contains("does not show"), "{finding:?}");
    seen.occupant = occupant(Some("ns/second"));
    seen.mine.iter_mut().for_each(|provider| hide(provider, "active"));
    assert!(matches!(next(&world.want, &seen, world.now), Next::Do(Step::Switch { .. })), "the older object's turn");
    seen.record.active = Some(true);
    assert_eq!(word(&next(&world.want, &seen, world.now)), "settled", "once");
}

#[test]
fn a_lost_creation_is_not_repeated_beside_a_provider_whose_mark_is_not_shown() {
    for (age, expected) in [(5, "wait CreateOutcomeUnknown"), (600, "wait CreateOutcomeUnknown")] {
        for unmarked in [true, false] {
            let world = World::new(Kind::Saml, false);
            let mut seen = world.see();
            let at = world.now - SignedDuration::from_secs(age);
            let intent = Intent::new(IntentStep::Create, "n".into(), "me".into(), at);
            (seen.intent, seen.held) = (IntentSeen::Found { intent, call: Call::Unknown }, true);
            seen.unmarked = if unmarked { vec!["theirs".parse().unwrap()] } else { Vec::new() };
            let found = next(&world.want, &seen, world.now);
            let expected = if age == 600 && !unmarked { "Announce" } else { expected };
            assert_eq!(word(&found), expected, "{age} s, unmarked {unmarked}");
            if let (600, true, Next::Wait { finding, .. }) = (age, unmarked, &found) {
                assert!(finding.needs_human && finding.message.contains("theirs"), "{finding:?}");
            }
        }
    }
}

#[test]
fn what_somebody_else_writes_as_often_is_left_for_a_day() {
    let mut world = World::new(Kind::Login, false);
    world.settle();
    let mut seen = world.see();
    seen.mine.iter_mut().for_each(|provider| provider.description = "theirs".into());
    let corrected_at = whole_seconds(world.now - SignedDuration::from_secs(60));
    let mut decide = |times| {
        seen.written.drift =
            Some(Drift { fields: vec![Change::Description.field().into()], times, corrected_at: corrected_at.clone() });
        word(&next(&world.want, &seen, world.now))
    };
    assert_eq!((decide(2), decide(3)), ("description".to_owned(), "wait DriftRepeats".to_owned()));
}

/// The same options differ again and again: by somebody else's hand, or because the secret is exchanged.
#[test]
fn a_secret_that_is_exchanged_is_written_each_time() {
    let mut world = World::new(Kind::Login, false);
    world.settle();
    let mut seen = world.see();
    let corrected_at = whole_seconds(world.now - SignedDuration::from_secs(60));
    let fields = vec![Change::Options.field().to_owned()];
    seen.written.drift = Some(Drift { fields, times: 3, corrected_at });
    seen.record.print = Print::Differs;
    assert_eq!(word(&next(&world.want, &seen, world.now)), "options");
    seen.record.print = Print::Same;
    seen.mine.iter_mut().filter_map(|provider| provider.options.as_mut()).for_each(|options| {
        options["realm"] = Value::from("theirs");
    });
    let found = word(&next(&world.want, &seen, world.now));
    assert_eq!(found, "wait DriftRepeats");
}
