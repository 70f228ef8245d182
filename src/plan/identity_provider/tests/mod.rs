//! The whole policy against a small model of the world, and tables of single decisions.

mod effects;
mod hidden;
mod table;
mod world;

use proptest::prelude::*;
use world::{Fate, Kind, World};

/// What happens next to the world.
#[derive(Clone, Debug)]
enum Event {
    Turn(Fate),
    Restart,
    Pass(i64),
    Edit(u8),
    ChangeProduct,
    ChangeSecret,
    AskRotation,
    SetActive(bool),
    Tries(bool),
    Delete,
    Hand(Hand),
}

/// What people do behind the operator's back.
#[derive(Clone, Copy, Debug)]
enum Hand {
    Deactivates,
    Deletes,
    Edits,
    DeletesSecret,
    WipesStatus,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Done),
        1 => Just(Fate::DoneAnswerLost),
        1 => Just(Fate::NotDoneAnswerLost),
        1 => Just(Fate::Refused),
        1 => Just(Fate::DoneThenDied),
        1 => Just(Fate::DiedBefore),
        1 => Just(Fate::DiedMidway),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let hand = prop_oneof![
        Just(Hand::Deactivates),
        Just(Hand::Deletes),
        Just(Hand::Edits),
        Just(Hand::DeletesSecret),
        Just(Hand::WipesStatus),
    ];
    prop_oneof![
        24 => fate().prop_map(Event::Turn),
        2 => Just(Event::Restart),
        4 => (1i64..1200).prop_map(Event::Pass),
        1 => (1i64..100_000).prop_map(Event::Pass),
        3 => (0u8..3).prop_map(Event::Edit),
        1 => Just(Event::ChangeProduct),
        1 => Just(Event::ChangeSecret),
        2 => Just(Event::AskRotation),
        1 => any::<bool>().prop_map(Event::SetActive),
        2 => any::<bool>().prop_map(Event::Tries),
        1 => Just(Event::Delete),
        2 => hand.prop_map(Event::Hand),
    ]
}

fn happen(world: &mut World, event: &Event) {
    match event {
        Event::Turn(fate) => world.turn(*fate),
        Event::Restart => world.restart(),
        Event::Pass(seconds) => world.pass(*seconds),
        Event::Edit(n) => world.edit(*n),
        Event::ChangeProduct => world.change_product(),
        Event::ChangeSecret => world.change_secret(),
        Event::AskRotation => world.ask_rotation(),
        Event::SetActive(active) => world.set_active(*active),
        Event::Tries(works) => world.human_tries(*works),
        Event::Delete => world.deleting = true,
        Event::Hand(Hand::Deactivates) => world.hand_deactivates(),
        Event::Hand(Hand::Deletes) => world.hand_deletes(),
        Event::Hand(Hand::Edits) => world.hand_edits(),
        Event::Hand(Hand::DeletesSecret) => world.hand_deletes_secret(),
        Event::Hand(Hand::WipesStatus) => world.wipe_status(),
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Login), Just(Kind::TriedLogin), Just(Kind::Saml), Just(Kind::Machine), Just(Kind::Generated),]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens, in whatever order: never two logins, never none because of a replacement, no key that stops
    /// before its time, no creation while the outcome of the last one is not known. `World::turn` checks it. And once
    /// the faults end, everything is as declared with nothing left over; after a deletion nothing is left at all.
    #[test]
    fn every_story_ends_as_declared(
        kind in kind(),
        switches in any::<bool>(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut world = World::new(kind, switches);
        for event in &events {
            happen(&mut world, event);
        }
        world.settle();
        if world.deleting {
            prop_assert!(world.released && world.providers.is_empty());
        } else {
            world.check_rest();
        }
    }

    /// A change is carried through whatever is lost on the way, and the login is there all the time.
    #[test]
    fn a_replacement_never_costs_the_login(
        kind in prop_oneof![Just(Kind::Login), Just(Kind::Saml), Just(Kind::TriedLogin)],
        switches in any::<bool>(),
        fates in prop::collection::vec(fate(), 0..25),
    ) {
        let mut world = World::new(kind, switches);
        world.settle();
        world.edit(1);
        world.change_product();
        for fate in fates {
            world.turn(fate);
            world.human_tries(true);
            world.pass(7);
        }
        world.settle();
        world.check_rest();
        prop_assert_eq!(world.providers.len(), 1);
    }

    /// During an overlap both keys work, and afterwards one.
    #[test]
    fn a_rotation_keeps_the_former_key_for_the_overlap(fates in prop::collection::vec(fate(), 0..25)) {
        let mut world = World::new(Kind::Generated, false);
        world.settle();
        let first = world.secret.clone().unwrap().0;
        world.ask_rotation();
        for fate in fates {
            world.turn(fate);
            world.pass(7);
        }
        world.settle();
        prop_assert!(world.secret.clone().unwrap().0 != first);
        world.check_rest();
        world.pass(2 * 3600);
        world.settle();
        prop_assert_eq!(world.providers.len(), 1);
    }
}

#[test]
fn a_good_path_takes_few_steps() {
    for (kind, expected) in [
        (Kind::Login, &["Announce", "Create", "Change"][..]),
        (Kind::Saml, &["Announce", "Create", "Change"]),
        (Kind::Machine, &["Announce", "Create"]),
        (Kind::Generated, &["Announce", "NewKey", "Create"]),
        (Kind::TriedLogin, &["Announce", "Create"]),
    ] {
        let mut world = World::new(kind, false);
        assert_eq!(steps(&mut world), expected, "{kind:?}");
        world.publish();
        match kind {
            Kind::Login | Kind::Machine => {
                world.edit(1);
                assert_eq!(steps(&mut world), ["Change"]);
            }
            Kind::Saml => {
                world.edit(1);
                assert_eq!(steps(&mut world), ["Announce", "Create", "Switch", "Succeed", "Delete"]);
            }
            Kind::Generated => {
                world.ask_rotation();
                assert_eq!(steps(&mut world), ["StageKey", "Announce", "Create", "PromoteKey", "Succeed"]);
                world.pass(3601);
                assert_eq!(steps(&mut world), ["Delete"]);
            }
            Kind::TriedLogin => {
                world.human_tries(true);
                assert_eq!(steps(&mut world), ["Promote", "Change"]);
                world.edit(1);
                assert_eq!(steps(&mut world), ["Change"], "the former options stay in force");
                world.human_tries(true);
                assert_eq!(steps(&mut world), ["Promote"]);
            }
        }
        world.deleting = true;
        assert_eq!(steps(&mut world), ["Delete"]);
    }
}

/// The steps until something is waited for.
fn steps(world: &mut World) -> Vec<String> {
    let mut names = Vec::new();
    while let crate::plan::Next::Do(step) = world.next() {
        let name = format!("{step:?}");
        names.push(name.split(['(', ' ', '{']).next().unwrap_or_default().to_owned());
        world.turn(Fate::Done);
        assert!(names.len() < 20, "{names:?}");
    }
    names
}
