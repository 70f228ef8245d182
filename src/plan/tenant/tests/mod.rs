//! The whole policy against a small model of the world: Qlik Cloud, the object, the records, and operator processes that
//! lose answers and die. What must never happen is checked after each step, whatever the order of events.

mod hands;
mod record;
mod sight;
mod table;
mod world;

use crate::crd::{Lifecycle, OnDelete, ReleasePolicy};
use proptest::prelude::*;
use world::{Fate, Tenant, World};

/// What happens next to the world.
#[derive(Clone, Debug)]
enum Event {
    /// One turn of an operator, and what becomes of the call that it makes.
    Turn(Fate),
    Restart,
    Pass {
        seconds: i64,
    },
    Declare(Lifecycle),
    Delete,
    PortalOff,
    PortalOn,
    WipeStatus,
    RemoveIntent,
    RemoveFinalizer,
    SpoilConfirm,
    MendConfirm,
    /// From now on Qlik Cloud does not say when a tenant's state changed, or does again.
    Says(bool),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Done),
        1 => Just(Fate::DoneAnswerLost),
        1 => Just(Fate::NotDoneAnswerLost),
        1 => Just(Fate::Refused),
        1 => Just(Fate::DoneThenDied),
        1 => Just(Fate::DiedBefore),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        20 => fate().prop_map(Event::Turn),
        2 => Just(Event::Restart),
        4 => (1i64..1200).prop_map(|seconds| Event::Pass { seconds }),
        1 => (1i64..100).prop_map(|days| Event::Pass { seconds: days * 86_400 }),
        3 => prop_oneof![Just(Lifecycle::Active), Just(Lifecycle::Deactivated)].prop_map(Event::Declare),
        1 => Just(Event::Delete),
        1 => Just(Event::PortalOff),
        1 => Just(Event::PortalOn),
        1 => Just(Event::WipeStatus),
        1 => Just(Event::RemoveIntent),
        1 => Just(Event::RemoveFinalizer),
        1 => Just(Event::SpoilConfirm),
        1 => Just(Event::MendConfirm),
        1 => any::<bool>().prop_map(Event::Says),
    ]
}

fn happen(world: &mut World, event: &Event) {
    match event {
        Event::Turn(fate) => world.turn(*fate),
        Event::Restart => world.restart(),
        Event::Pass { seconds } => world.pass(*seconds),
        Event::Declare(lifecycle) => world.declare(*lifecycle),
        Event::Delete => world.delete(),
        Event::PortalOff => world.portal_off(),
        Event::PortalOn => world.portal_on(),
        Event::WipeStatus => world.wipe_status(),
        Event::RemoveIntent => world.remove_intent(),
        Event::RemoveFinalizer => world.remove_finalizer(),
        Event::SpoilConfirm => world.confirm(Some("other.us.qlikcloud.com")),
        Event::MendConfirm => world.confirm(Some(world::HOSTNAME)),
        Event::Says(says) => world.says_when = *says,
    }
}

fn policy() -> impl Strategy<Value = (OnDelete, ReleasePolicy, bool)> {
    (
        prop_oneof![Just(OnDelete::Retain), Just(OnDelete::Deactivate)],
        prop_oneof![Just(ReleasePolicy::Scheduled), Just(ReleasePolicy::Purged)],
        any::<bool>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens, in whatever order: never a second tenant, never a deactivation that nobody decided, never two
    /// for one decision, and no call at all while the outcome of the last one is not known. `World::turn` checks it.
    #[test]
    fn nothing_irreversible_happens_twice_or_unasked(
        (on_delete, release, organization) in policy(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut world = World::new((on_delete, release), organization);
        for event in &events {
            happen(&mut world, event);
        }
    }

    /// Once the faults end and time passes, every story comes to rest.
    #[test]
    fn every_story_comes_to_rest(
        (on_delete, release, organization) in policy(),
        events in prop::collection::vec(event(), 1..40),
    ) {
        let mut world = World::new((on_delete, release), organization);
        for event in &events {
            happen(&mut world, event);
        }
        world.settle();
    }

    /// With lost answers and dying processes alone (nobody meddles), the declared state is reached.
    #[test]
    fn faults_alone_never_keep_a_tenant_from_its_declared_state(
        fates in prop::collection::vec(fate(), 0..25),
        off in any::<bool>(),
    ) {
        let mut world = World::new((OnDelete::Retain, ReleasePolicy::Scheduled), true);
        if off {
            world.settle();
            world.declare(Lifecycle::Deactivated);
        }
        for fate in fates {
            world.turn(fate);
            world.pass(7);
        }
        world.settle();
        prop_assert_eq!(world.created, 1);
        prop_assert_eq!(matches!(world.tenant, Tenant::Active), !off);
        prop_assert_eq!(world.deactivated, usize::from(off));
    }
}
