//! Callers who ask for skills of their own.

use trunkline::acd::{Input, Output, OverflowStep, Relaxation};
use trunkline::journal::{Decision, SkillWish};

use super::{Floor, agent, call, queue, queue_settings};

fn wish(least: u8, for_ms: Option<u64>) -> SkillWish {
    SkillWish { skill: "billing".to_owned(), least, for_ms }
}

fn enter(floor: &mut Floor, number: u64, into: &str, wishes: Vec<SkillWish>) {
    let (call, queue, entered_wall_ms) = (call(number), queue(into), floor.now.wall_ms);
    let (priority, prefer, stays) = (0, None, false);
    floor.tell(Input::CallerEntered { call, queue, priority, entered_wall_ms, wishes, prefer, stays });
}

/// Agents with billing 0, 20, 40, 60, 80, idle in that order.
fn floor(queues: Vec<trunkline::acd::QueueSettings>) -> Floor {
    let mut floor = Floor::new(queues, 5);
    (0..5).for_each(|number| {
        floor.sign_in(number).pass(1_000);
    });
    floor
}

#[test]
fn a_caller_gets_who_has_the_skill_and_others_go_by_the_queue_alone() {
    let mut floor = floor(vec![queue_settings("support", 0..5)]);
    enter(&mut floor, 1, "support", vec![wish(50, None)]);
    let outputs = floor.take();
    let presented = outputs.iter().find_map(|output| match output {
        trunkline::acd::Output::Present { agent, why, .. } => Some((agent.clone(), why.clone())),
        _ => None,
    });
    let Some((chosen, why @ Decision::Strategy { .. })) = presented else { panic!("{outputs:?}") };
    assert_eq!(
        (&chosen, why.line(&chosen)),
        (&agent(3), "agent 1004: idle 2 s, skill billing 60 ≥ 50; next best 1005: idle 1 s".to_owned())
    );
    floor.enter(2, "support");
    assert_eq!(floor.presented(), [(call(2), agent(0))]);
    // The next of that kind gets the last one, and then waits while others are free.
    enter(&mut floor, 3, "support", vec![wish(50, None)]);
    enter(&mut floor, 4, "support", vec![wish(50, None)]);
    assert_eq!(floor.presented(), [(call(3), agent(4))]);
    floor.pass(3_000).answer(3, 1).end(3, 1).take();
    assert_eq!(floor.pass(5_000).presented(), [(call(4), agent(3))], "after-call work is over");
}

#[test]
fn a_wish_holds_for_its_time_also_where_the_queue_relaxes_and_overflows() {
    let mut support = queue_settings("support", [3]);
    support.required = [("billing".to_owned(), 60)].into();
    support.relax = vec![Relaxation { after_ms: 2_000, required: Default::default(), tier: 9 }];
    support.overflow = vec![OverflowStep { after_ms: 4_000, to: queue("all") }];
    let mut floor = floor(vec![support, queue_settings("all", 0..5)]);
    floor.enter(9, "support").take();
    enter(&mut floor, 1, "support", vec![wish(30, Some(10_000))]);
    assert_eq!(floor.pass(3_999).presented(), []);
    assert_eq!(floor.pass(1).presented(), [(call(1), agent(2))], "of all those who have it");
    // Who has waited for so long gets anybody.
    let mut strict = queue_settings("strict", 0..2);
    strict.acw_ms = 0;
    let mut floor = Floor::new(vec![strict], 2);
    floor.sign_in(0);
    enter(&mut floor, 1, "strict", vec![wish(10, Some(7_000))]);
    assert_eq!(floor.pass(6_999).presented(), []);
    assert_eq!(floor.pass(1).presented(), [(call(1), agent(0))]);
    // Of two thresholds the higher one holds, of two times each its own.
    floor.sign_in(1).answer(0, 1).take();
    enter(&mut floor, 2, "strict", vec![wish(15, Some(5_000)), wish(90, Some(1_000))]);
    assert_eq!(floor.pass(999).presented(), []);
    assert_eq!(floor.pass(1).presented(), [(call(2), agent(1))]);
}

#[test]
fn as_many_kinds_of_callers_as_ever_come_wait_on_a_bounded_number_of_ladders() {
    let mut floor = floor(vec![queue_settings("support", 0..5)]);
    for number in 0..5 {
        floor.enter(number, "support").answer(number as usize, number).take();
    }
    let kind = |number: u64| vec![wish(1, Some(number + 1_000))];
    let unheeded = |outputs: Vec<Output>| -> Vec<u64> {
        let calls = outputs.into_iter().filter_map(|output| match output {
            Output::WishesUnheeded { call, .. } => Some(call),
            _ => None,
        });
        calls.map(|of| (0..2_000).find(|number| call(*number) == of).unwrap()).collect()
    };
    // One after the other: each leaves its room to the next one.
    for number in 10..500 {
        enter(&mut floor, number, "support", kind(number));
        floor.tell(Input::CallerLeft { call: call(number) });
    }
    assert_eq!(unheeded(floor.take()), [0; 0]);
    // Together: the last one is of a kind too many, and is served by what the queue asks.
    for number in 1_000..1_200 {
        enter(&mut floor, number, "support", kind(number));
    }
    assert_eq!(unheeded(floor.take()), [1_199]);
    for number in 1_000..1_199 {
        floor.tell(Input::CallerLeft { call: call(number) });
    }
    floor.take();
    assert_eq!(floor.end(0, 0).pass(5_000).presented(), [(call(1_199), agent(0))], "without the skill");
    // There is room again.
    enter(&mut floor, 1_300, "support", kind(7));
    assert_eq!(unheeded(floor.end(1, 1).take()), [0; 0]);
    assert_eq!(floor.pass(5_000).presented(), [(call(1_300), agent(1))]);
}

#[test]
fn other_settings_and_other_skills_count_for_who_waits_with_a_wish() {
    let mut floor = floor(vec![queue_settings("support", 0..3)]);
    enter(&mut floor, 1, "support", vec![wish(60, None)]);
    assert_eq!(floor.presented(), []);
    let settings = super::Settings {
        agents: (0..5).map(super::agent_settings).collect(),
        queues: vec![queue_settings("other", 0..1), queue_settings("support", 0..5)],
        ageing: Default::default(),
    };
    floor.reconfigure(settings);
    assert_eq!(floor.presented(), [(call(1), agent(3))]);
}
