//! The whole policy against a small model of the world: Qlik Cloud, the object, the app's Secret, and two operator
//! processes that take turns request by request, lose answers and die. What must never happen is checked whenever
//! something takes effect, whatever the order of events.

mod hands;
mod look;
mod process;
mod story;
mod table;
mod table_keys;
mod table_known;
mod table_secret;
mod world;

use process::Fate;
use proptest::prelude::*;
use std::time::Duration;
use story::{Edit, Event, Story};

/// One of a hundred things, with a number for what has one. Flat, since nested choices cost more than the model itself.
fn pick((which, number): (u8, u16)) -> Event {
    let who = usize::from(number % 4 == 0);
    let seconds = i64::from(number);
    match which {
        0..24 => Event::Run(who, 1 + usize::from(number / 4 % 13)),
        24..54 => Event::Step(who, Fate::Done),
        54..57 => Event::Step(who, Fate::Refused),
        57..60 => Event::Step(who, Fate::AnswerLost),
        60..63 => Event::Step(who, Fate::Late),
        63..66 => Event::Step(who, Fate::DiedBefore),
        66..69 => Event::Step(who, Fate::DiedAfter),
        69..77 => Event::Pass(1 + seconds % 120),
        77..81 => Event::Pass(120 + seconds),
        81..84 => Event::Pass(86_400 * (1 + seconds % 40)),
        84..86 => Event::Land,
        86..90 => Event::AskForRotation,
        90..92 => Event::PortalAddsSecret,
        MEDDLING..94 => Event::PortalTakesSecret(usize::from(number % 5)),
        94 => Event::PortalDeletesClient,
        95 => Event::WipeStatus,
        96 => Event::RemoveIntent,
        97 => Event::DeleteSecret,
        98 => Event::Restart(who),
        _ => Event::EditSecret(match number % 5 {
            0 => Edit::Value,
            1 => Edit::Previous,
            2 => Edit::Issued,
            3 => Edit::Client,
            _ => Edit::Minting,
        }),
    }
}

/// From here on somebody breaks something by hand.
const MEDDLING: u8 = 92;

fn events_of(kinds: u8) -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((0..kinds, 0u16..1080).prop_map(pick), 1..90)
}

/// Faults, time, and what people ask for.
fn faults() -> impl Strategy<Value = Vec<Event>> {
    events_of(MEDDLING)
}

/// And what they break.
fn events() -> impl Strategy<Value = Vec<Event>> {
    events_of(102)
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
