//! Single decisions whose words people read.

use super::world::{HOSTNAME, World};
use crate::crd::{Lifecycle, OnDelete, Reason, ReleasePolicy};
use crate::plan::tenant::tests::world::Fate;

#[test]
fn the_ordinary_course_makes_each_call_once() {
    let mut world = World::new(OnDelete::Deactivate, ReleasePolicy::Scheduled, false);
    world.settle();
    assert_eq!((world.created, world.deactivated), (1, 0));
    world.declare(Lifecycle::Deactivated);
    world.turn(Fate::Done); // announced
    world.turn(Fate::Done); // recorded
    assert_eq!(world.deactivated, 0, "announced and recorded before it is made");
    world.turn(Fate::Done);
    assert_eq!(world.deactivated, 1);
    world.declare(Lifecycle::Active);
    world.settle();
    world.declare(Lifecycle::Deactivated);
    world.settle();
    assert_eq!((world.created, world.deactivated), (1, 2), "each decision once");
}

#[test]
fn a_wrong_hostname_stops_a_deactivation_and_says_the_right_one() {
    let mut world = World::new(OnDelete::Retain, ReleasePolicy::Scheduled, false);
    world.settle();
    world.confirm(Some("other.us.qlikcloud.com"));
    world.declare(Lifecycle::Deactivated);
    let finding = world.finding();
    assert_eq!(finding.reason, Reason::ConfirmHostnameMismatch);
    assert!(finding.needs_human && finding.message.contains(HOSTNAME), "{}", finding.message);
}

#[test]
fn a_lost_creation_is_never_answered_by_a_second_one() {
    let mut world = World::new(OnDelete::Retain, ReleasePolicy::Scheduled, false);
    world.turn(Fate::Done);
    world.turn(Fate::DoneAnswerLost);
    world.pass(601);
    let finding = world.finding();
    assert_eq!(finding.reason, Reason::CreateOutcomeUnknown);
    assert!(finding.message.contains("spec.adopt") && finding.message.contains("start-anew="), "{}", finding.message);
    assert_eq!(world.created, 1);
}
