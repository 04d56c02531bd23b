//! Queues that take nobody, or send on who waits, while nobody is there.

use trunkline::acd::{Failure, Forced, Input, Needs, Output, OverflowStep};
use trunkline::id::CallId;
use trunkline::journal::{Event, LeaveReason};

use super::{Floor, agent, call, queue, queue_settings};

/// Who went on by the plan since the last time.
fn sent_on(floor: &mut Floor) -> Vec<CallId> {
    let out = |output| match output {
        Output::CallerOut { call, reason: LeaveReason::Refused } => Some(call),
        _ => None,
    };
    floor.take().into_iter().filter_map(out).collect()
}

fn not_ready(number: usize) -> Input {
    Input::SetNotReady { agent: agent(number), reason: "lunch".into() }
}

#[test]
fn a_caller_joins_only_while_who_is_needed_is_there() {
    for (needs, joins) in
        [(Needs::Nobody, [true, true]), (Needs::SignedIn, [false, true]), (Needs::Ready, [false, false])]
    {
        let mut support = queue_settings("support", 0..1);
        support.join_needs = needs;
        let mut floor = Floor::new(vec![support], 2);
        // No member.
        floor.sign_in(1).enter(1, "support");
        assert_eq!(sent_on(&mut floor).is_empty(), joins[0], "{needs:?}, nobody signed in");
        floor.tell(Input::CallerLeft { call: call(1) }).sign_in(0).tell(not_ready(0)).take();
        floor.enter(2, "support");
        assert_eq!(sent_on(&mut floor).is_empty(), joins[1], "{needs:?}, everybody not ready");
        floor.tell(Input::CallerLeft { call: call(2) }).tell(Input::SetAvailable { agent: agent(0) }).take();
        // Who is busy is ready, and a rule for joining sends nobody on.
        floor.enter(3, "support").answer(0, 3).enter(4, "support").tell(not_ready(0)).end(0, 3).pass(5_000);
        assert_eq!(sent_on(&mut floor), []);
    }
}

#[test]
fn nobody_joins_who_would_wait_too_long() {
    let mut support = queue_settings("support", 0..1);
    support.max_expected_ms = Some(60_000);
    let mut floor = Floor::new(vec![support], 1);
    // What nothing is known of yet is no reason to refuse.
    floor.sign_in(0).enter(1, "support").answer(0, 1).enter(2, "support");
    floor.pass(55_000).end(0, 1).pass(5_000).answer(0, 2).enter(3, "support").enter(4, "support");
    assert_eq!(sent_on(&mut floor), [call(4)], "two conversations of a minute each");
}

#[test]
fn who_still_has_too_long_to_wait_goes_on() {
    let mut support = queue_settings("support", 0..1);
    support.leave_expected_ms = Some(90_000);
    let mut floor = Floor::new(vec![support, queue_settings("vip", 0..1)], 1);
    floor
        .sign_in(0)
        .enter(1, "support")
        .answer(0, 1)
        .pass(60_000)
        .enter(2, "support")
        .end(0, 1)
        .pass(5_000)
        .answer(0, 2);
    // Two conversations of 65 s each are before the second one who waits.
    floor.enter(3, "support").enter(4, "support").pass(9_999);
    assert_eq!(sent_on(&mut floor), []);
    floor.pass(1);
    assert_eq!(sent_on(&mut floor), [call(4)]);
    floor.pass(30_000);
    assert_eq!(sent_on(&mut floor), [], "one conversation is short enough");
    // Others who are more urgent come before.
    let (entered_wall_ms, prefer) = (floor.now.wall_ms, None);
    floor.tell(Input::CallerEntered {
        call: call(5),
        queue: queue("support"),
        priority: 1,
        entered_wall_ms,
        wishes: Vec::new(),
        prefer,
        stays: true,
    });
    floor.pass(10_000);
    assert_eq!(sent_on(&mut floor), [call(3)]);
}

#[test]
fn who_calls_again_stands_where_he_or_she_stood() {
    let mut support = queue_settings("support", 0..1);
    support.max_wait_ms = Some(20_000);
    let mut floor = Floor::new(vec![support], 1);
    floor.enter(1, "support").pass(10_000).enter(2, "support").pass(5_000).take();
    floor.tell(Input::CallerLeft { call: call(1) });
    let (since_ms, queue, prefer) = (floor.now.wall_ms - 15_000, queue("support"), None);
    floor.tell(Input::CallerEntered {
        call: call(3),
        queue,
        priority: 0,
        entered_wall_ms: since_ms,
        wishes: Vec::new(),
        prefer,
        stays: false,
    });
    let entered = floor.take().into_iter().find_map(|output| match output {
        Output::Journal(Event::QueueEntered { position, since_ms, .. }) => Some((position, since_ms)),
        _ => None,
    });
    assert_eq!(entered, Some((1, Some(since_ms))), "before who came meanwhile");
    // The longest wait is that of this call.
    floor.pass(19_999);
    let timed_out =
        |floor: &mut Floor| floor.take().contains(&Output::CallerOut { call: call(3), reason: LeaveReason::Timeout });
    assert!(!timed_out(&mut floor));
    floor.pass(1);
    assert!(timed_out(&mut floor));
}

#[test]
fn who_waits_goes_on_when_the_last_one_leaves() {
    let mut support = queue_settings("support", 0..2);
    support.wait_needs = Needs::Ready;
    let mut floor = Floor::new(vec![support, queue_settings("vip", 0..1)], 2);
    floor.sign_in(0).sign_in(1).enter(1, "support").enter(2, "support").enter(3, "support").enter(4, "vip").take();
    floor.tell(not_ready(1));
    assert_eq!(sent_on(&mut floor), []);
    // The phone that rang is cancelled, and its caller has nobody to wait for either.
    floor.tell(not_ready(0));
    assert_eq!(sent_on(&mut floor), [call(1), call(2), call(3)]);
    floor.tell(Input::SetAvailable { agent: agent(0) }).tell(Input::CallerLeft { call: call(4) }).take();
    floor.enter(5, "support").tell(Input::AgentFailed { agent: agent(0), call: call(5), why: Failure::Busy });
    assert_eq!(sent_on(&mut floor), [call(5)]);
    floor.tell(Input::Forced { agent: agent(0), to: Forced::Available });
    let (entered_wall_ms, queue) = (floor.now.wall_ms, queue("support"));
    floor.tell(Input::CallerEntered {
        call: call(6),
        queue,
        priority: 0,
        entered_wall_ms,
        wishes: Vec::new(),
        prefer: None,
        stays: true,
    });
    floor.tell(not_ready(0));
    assert_eq!(sent_on(&mut floor), [], "a customer who is to be called back waits on");
}

#[test]
fn a_caller_who_overflowed_waits_while_somebody_is_there() {
    let mut support = queue_settings("support", 0..1);
    support.wait_needs = Needs::SignedIn;
    support.overflow = vec![OverflowStep { after_ms: 1_000, to: queue("sales") }];
    let mut floor = Floor::new(vec![support, queue_settings("sales", 1..2)], 2);
    floor.sign_in(0).sign_in(1).tell(not_ready(0)).tell(not_ready(1)).enter(1, "support").pass(1_000);
    floor.tell(Input::AgentSignedOut { agent: agent(0) });
    assert_eq!(sent_on(&mut floor), []);
    floor.tell(Input::AgentSignedOut { agent: agent(1) });
    assert_eq!(sent_on(&mut floor), [call(1)]);
}
