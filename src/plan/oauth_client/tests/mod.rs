//! The whole policy against a small model of the world: Qlik Cloud, the object, the app's Secret, and two operator
//! processes that take turns request by request, lose answers and die. What must never happen is checked whenever
//! something takes effect, whatever the order of events.

mod hands;
mod look;
mod process;
mod story;
mod world;

use process::Fate;
use proptest::prelude::*;
use std::time::Duration;
use story::{Edit, Event, Story};

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        14 => Just(Fate::Done),
        1 => Just(Fate::Refused),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::Late),
        1 => Just(Fate::DiedBefore),
        1 => Just(Fate::DiedAfter),
    ]
}

fn turn() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => fate().prop_map(|fate| Event::Step(0, fate)),
        3 => fate().prop_map(|fate| Event::Step(1, fate)),
        6 => (0usize..2, 1usize..14).prop_map(|(who, steps)| Event::Run(who, steps)),
    ]
}

fn time() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1i64..120).prop_map(Event::Pass),
        2 => (120i64..1200).prop_map(Event::Pass),
        2 => (1i64..40).prop_map(|days| Event::Pass(days * 86_400)),
        1 => Just(Event::Land),
    ]
}

fn by_hand() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::AskForRotation),
        1 => Just(Event::WipeStatus),
        1 => Just(Event::RemoveIntent),
        2 => prop_oneof![Just(Edit::Value), Just(Edit::Previous), Just(Edit::Issued), Just(Edit::Client), Just(Edit::Minting)]
            .prop_map(Event::EditSecret),
        1 => Just(Event::DeleteSecret),
        2 => Just(Event::PortalAddsSecret),
        2 => (0usize..5).prop_map(Event::PortalTakesSecret),
        1 => Just(Event::PortalDeletesClient),
        1 => Just(Event::Restart(0)),
    ]
}

/// Faults, time, and what people ask for: nobody breaks anything.
fn faults() -> impl Strategy<Value = Vec<Event>> {
    let asked = prop_oneof![3 => Just(Event::AskForRotation), 1 => Just(Event::PortalAddsSecret)];
    prop::collection::vec(prop_oneof![16 => turn(), 5 => time(), 2 => asked], 1..90)
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(prop_oneof![16 => turn(), 5 => time(), 3 => by_hand()], 1..90)
}

fn every() -> impl Strategy<Value = Option<Duration>> {
    prop_oneof![Just(None), Just(Some(Duration::from_secs(30 * 86_400)))]
}

/// A thousand cases, or as many as `PROPTEST_CASES` asks for if that is more.
fn config() -> ProptestConfig {
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    ProptestConfig { cases: default.cases.max(1_000), ..default }
}

proptest! {
    #![proptest_config(config())]

    /// What was promised holds through everything, and the end is always the same.
    #[test]
    fn a_secret_that_works_is_never_taken_from_the_app(events in events(), every in every(), keys in any::<bool>()) {
        let mut story = Story::new(keys, every);
        story.tell(&events);
        story.settle();
    }

    /// The same where nobody meddles, so that the faults are more.
    #[test]
    fn faults_alone_take_nothing(events in faults(), every in every(), keys in any::<bool>()) {
        let mut story = Story::new(keys, every);
        story.settle();
        story.tell(&events);
        story.settle();
    }

    /// After a deletion nothing of ours is left.
    #[test]
    fn a_deletion_leaves_no_client(before in events(), after in events(), keys in any::<bool>()) {
        let mut story = Story::new(keys, None);
        story.tell(&before);
        story.delete();
        story.tell(&after);
        story.settle();
    }
}
