use std::collections::BTreeSet;

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::id::CallId;
use crate::journal::HangupBy;

const CALLER: LegId = LegId(1);

fn drain(call: &mut Call) -> Vec<Output> {
    std::iter::from_fn(|| call.poll_output()).collect()
}

fn waiting(notice: bool) -> Call {
    let mut call = Call::new(CallId::new(1, 1), CALLER);
    call.handle(Input::Answer);
    if notice {
        call.handle(Input::NoticePlayed);
    }
    call.handle(Input::Enqueued { record: true, after: false });
    drain(&mut call);
    call
}

fn present(call: &mut Call, leg: LegId) {
    call.handle(Input::Present { agent: "1001".into(), queue: "support".into(), leg, why: "idle".into() });
}

fn answer(call: &mut Call, leg: LegId) {
    call.handle(Input::AgentAnswered { leg, codec_in: "PCMA".into(), codec_out: "PCMU".into() });
}

fn ended(outputs: &[Output]) -> Vec<(HangupBy, String)> {
    let ends = outputs.iter().filter_map(|o| match o {
        Output::Journal(event) => match &**event {
            Event::CallEnded { by, disposition, .. } => Some((*by, disposition.clone())),
            _ => None,
        },
        _ => None,
    });
    ends.collect()
}

#[test]
fn caller_hangs_up_in_conversation_and_the_agent_gets_a_bye() {
    let mut call = waiting(true);
    present(&mut call, LegId(2));
    answer(&mut call, LegId(2));
    let bridged = drain(&mut call);
    assert!(bridged.contains(&Output::Bridge { caller: CALLER, agent: LegId(2), record: true }));
    call.handle(Input::HungUp { leg: CALLER, cause: Cause::normal() });
    let outputs = drain(&mut call);
    assert!(outputs.contains(&Output::ByeLeg { leg: LegId(2), cause: Cause::normal() }));
    assert!(outputs.contains(&Output::ConversationEnded { agent: "1001".into() }));
    assert_eq!(ended(&outputs), [(HangupBy::Caller, "answered".to_owned())]);
    call.handle(Input::LegGone { leg: CALLER });
    assert!(!drain(&mut call).contains(&Output::Finished), "the agent's leg is still open");
    call.handle(Input::LegGone { leg: LegId(2) });
    assert_eq!(drain(&mut call).last(), Some(&Output::Finished));
}

#[test]
fn no_notice_no_recording() {
    let mut call = waiting(false);
    present(&mut call, LegId(2));
    answer(&mut call, LegId(2));
    assert!(drain(&mut call).contains(&Output::Bridge { caller: CALLER, agent: LegId(2), record: false }));
}

#[test]
fn abandon_while_ringing_cancels_and_a_crossing_200_gets_a_bye() {
    let mut call = waiting(true);
    present(&mut call, LegId(2));
    drain(&mut call);
    call.handle(Input::HungUp { leg: CALLER, cause: Cause::normal() });
    let outputs = drain(&mut call);
    assert!(outputs.contains(&Output::CancelLeg { leg: LegId(2), cause: Cause::normal() }));
    assert_eq!(ended(&outputs), [(HangupBy::Caller, "abandoned".to_owned())]);
    answer(&mut call, LegId(2));
    let crossing = drain(&mut call);
    assert_eq!(crossing, [Output::ByeLeg { leg: LegId(2), cause: Cause::new(26, "lost_race") }]);
}

#[test]
fn a_withdrawn_agent_who_answers_late_is_closed_while_the_next_one_talks() {
    let mut call = waiting(true);
    present(&mut call, LegId(2));
    call.handle(Input::Withdraw { agent: Some("1001".into()), end: SegmentEnd::NoAnswer });
    present(&mut call, LegId(3));
    answer(&mut call, LegId(2));
    answer(&mut call, LegId(3));
    let outputs = drain(&mut call);
    assert!(outputs.contains(&Output::ByeLeg { leg: LegId(2), cause: Cause::new(26, "lost_race") }));
    assert!(outputs.contains(&Output::Bridge { caller: CALLER, agent: LegId(3), record: true }));
    call.handle(Input::LegGone { leg: LegId(2) });
    assert!(matches!(call.state(), CallState::Bridged { leg: LegId(3), .. }), "the loser's end is not the call's");
}

#[test]
fn the_first_of_several_phones_has_the_call_and_the_others_hear_that_it_was_answered() {
    let mut call = waiting(true);
    for (agent, leg) in [("1001", 2), ("1002", 3), ("1003", 4), ("1004", 5)] {
        call.handle(Input::Present { agent: agent.into(), queue: "support".into(), leg: LegId(leg), why: "x".into() });
    }
    let busy = Input::AgentFailed { leg: LegId(3), end: SegmentEnd::Busy, cause: Cause::new(486, "busy") };
    call.handle(busy);
    call.handle(Input::Withdraw { agent: Some("1004".into()), end: SegmentEnd::NoAnswer });
    assert!(matches!(call.state(), CallState::Presented { ringing, .. } if ringing.len() == 2));
    drain(&mut call);
    answer(&mut call, LegId(4));
    let outputs = drain(&mut call);
    let lost = Event::SegmentEnded { call: call.id(), agent: "1001".into(), end: SegmentEnd::Elsewhere };
    assert!(outputs.contains(&Output::Journal(Box::new(lost))), "{outputs:?}");
    let cause = Cause::new(200, "answered_elsewhere");
    assert!(outputs.contains(&Output::CancelLeg { leg: LegId(2), cause }), "{outputs:?}");
    assert!(outputs.contains(&Output::Bridge { caller: CALLER, agent: LegId(4), record: true }));
    answer(&mut call, LegId(2));
    assert_eq!(drain(&mut call), [Output::ByeLeg { leg: LegId(2), cause: Cause::new(26, "lost_race") }]);
}

/// A recorded conversation with 1001 on leg 2 that is handed to 1002 on leg 3, who has not answered.
fn handed_over() -> Call {
    let mut call = waiting(true);
    present(&mut call, LegId(2));
    answer(&mut call, LegId(2));
    drain(&mut call);
    call.handle(Input::Present { agent: "1002".into(), queue: "support".into(), leg: LegId(3), why: "idle".into() });
    let outputs = drain(&mut call);
    assert!(outputs.contains(&Output::Suspend { caller: CALLER, agent: LegId(2) }));
    assert!(outputs.contains(&Output::DialAgent { leg: LegId(3), agent: "1002".into() }));
    call
}

#[test]
fn an_agent_who_hands_a_call_on_leaves_when_the_next_one_answers() {
    let mut call = handed_over();
    answer(&mut call, LegId(3));
    let outputs = drain(&mut call);
    let (told, bye) = (Output::TransferEnded { leg: LegId(2), code: 200 }, Cause::normal());
    let at = |wanted: &Output| outputs.iter().position(|output| output == wanted);
    assert!(at(&told).is_some() && at(&told) < at(&Output::ByeLeg { leg: LegId(2), cause: bye }));
    let ended = Event::SegmentEnded { call: call.id(), agent: "1001".into(), end: SegmentEnd::Transferred };
    assert!(at(&Output::Journal(Box::new(ended))).is_some());
    assert!(at(&Output::Bridge { caller: CALLER, agent: LegId(3), record: true }).is_some(), "{outputs:?}");
}

#[test]
fn two_calls_become_one_and_the_second_one_ends() {
    let mut call = waiting(true);
    present(&mut call, LegId(2));
    answer(&mut call, LegId(2));
    let mut second = Call::new(CallId::new(2, 2), LegId(4));
    second.handle(Input::Route { legs: vec![LegId(5)], record: false });
    second.handle(Input::TargetAnswered {
        leg: LegId(5),
        codec_in: String::new(),
        codec_out: String::new(),
        number: None,
    });
    let _ = (drain(&mut call), drain(&mut second));
    let (codec_in, codec_out) = (String::new(), String::new());
    call.handle(Input::ToParty { leg: LegId(5), agent: None, codec_in, codec_out, number: None });
    second.handle(Input::PartyGone { leg: LegId(5) });
    let outputs = drain(&mut call);
    assert!(outputs.contains(&Output::Bridge { caller: CALLER, agent: LegId(5), record: true }));
    assert!(outputs.contains(&Output::ByeLeg { leg: LegId(2), cause: Cause::normal() }));
    let outputs = drain(&mut second);
    assert_eq!(ended(&outputs), [(HangupBy::Caller, "answered".to_owned())]);
    assert!(outputs.iter().any(|output| matches!(output, Output::ByeLeg { leg: LegId(4), .. })));
    assert_eq!((call.open_legs().count(), second.open_legs().count()), (3, 1));
}

#[test]
fn a_parked_caller_goes_on_with_who_has_fetched_and_that_ones_own_call_ends() {
    let number = || Some(crate::journal::Personal::number("1002"));
    let fetched =
        |leg| Input::ToParty { leg, agent: None, number: number(), codec_in: "PCMA".into(), codec_out: "PCMU".into() };
    let mut parked = Call::new(CallId::new(1, 1), CALLER);
    parked.handle(Input::Answer);
    parked.handle(fetched(LegId(7)));
    let outputs = drain(&mut parked);
    assert!(outputs.contains(&Output::Bridge { caller: CALLER, agent: LegId(7), record: false }), "{outputs:?}");
    parked.handle(Input::HungUp { leg: LegId(7), cause: Cause::normal() });
    let outputs = drain(&mut parked);
    assert_eq!(ended(&outputs), [(HangupBy::Agent, "answered".to_owned())]);
    assert!(outputs.contains(&Output::ByeLeg { leg: CALLER, cause: Cause::normal() }));
    let mut own = Call::new(CallId::new(1, 2), LegId(7));
    own.handle(Input::Answer);
    own.handle(Input::PartyGone { leg: LegId(7) });
    let outputs = drain(&mut own);
    assert_eq!(ended(&outputs), [(HangupBy::Caller, "self_service".to_owned())]);
    assert!(!outputs.iter().any(|output| matches!(output, Output::ByeLeg { .. })), "the phone speaks on: {outputs:?}");
    assert_eq!(outputs.last(), Some(&Output::Finished));
}

#[test]
fn an_agent_who_changes_phones_stays_in_the_call() {
    let mut call = waiting(true);
    present(&mut call, LegId(2));
    answer(&mut call, LegId(2));
    drain(&mut call);
    call.handle(Input::Moved { from: LegId(2), to: LegId(3) });
    let bye = Output::ByeLeg { leg: LegId(2), cause: Cause::normal() };
    assert_eq!(drain(&mut call), [Output::Rejoin, bye]);
    call.handle(Input::LegGone { leg: LegId(2) });
    assert!(matches!(call.state(), CallState::Bridged { leg: LegId(3), .. }));
    call.handle(Input::Moved { from: LegId(2), to: LegId(4) });
    assert!(matches!(drain(&mut call).last(), Some(Output::ByeLeg { leg: LegId(4), .. })), "what it named is gone");
}

#[test]
fn a_call_that_nobody_takes_comes_back_to_its_agent_while_there_is_one() {
    let mut call = handed_over();
    let busy = Input::AgentFailed { leg: LegId(3), end: SegmentEnd::Busy, cause: Cause::new(486, "busy") };
    call.handle(busy.clone());
    let outputs = drain(&mut call);
    assert!(outputs.contains(&Output::TransferEnded { leg: LegId(2), code: 486 }));
    assert!(outputs.contains(&Output::Rejoin));
    assert!(outputs.contains(&Output::PresentationFailed { agent: "1002".into(), end: SegmentEnd::Busy }));
    assert!(matches!(call.state(), CallState::Bridged { leg: LegId(2), .. }));
    let mut call = handed_over();
    call.handle(Input::HungUp { leg: LegId(2), cause: Cause::normal() });
    assert!(drain(&mut call).contains(&Output::ConversationEnded { agent: "1001".into() }));
    call.handle(busy);
    let outputs = drain(&mut call);
    assert_eq!(ended(&outputs), [(HangupBy::Switch, "answered".to_owned())]);
    assert!(outputs.contains(&Output::ByeLeg { leg: CALLER, cause: Cause::new(486, "busy") }));
}

#[test]
fn cancel_before_the_answer_is_refused_with_its_cause() {
    let mut call = Call::new(CallId::new(1, 1), CALLER);
    let cause = Cause::new(487, "cancelled");
    call.handle(Input::HungUp { leg: CALLER, cause: cause.clone() });
    let outputs = drain(&mut call);
    assert!(outputs.contains(&Output::RefuseCaller { cause }));
    assert_eq!(ended(&outputs), [(HangupBy::Caller, "abandoned".to_owned())]);
    call.handle(Input::LegGone { leg: CALLER });
    assert_eq!(drain(&mut call).last(), Some(&Output::Finished));
}

/// What the scripted parties of the random walk hold open.

#[test]
fn the_plan_goes_on_with_the_caller_once_the_agent_has_hung_up() {
    let mut call = Call::new(CallId::new(1, 1), CALLER);
    call.handle(Input::Answer);
    call.handle(Input::Enqueued { record: false, after: true });
    present(&mut call, LegId(2));
    answer(&mut call, LegId(2));
    drain(&mut call);
    call.handle(Input::HungUp { leg: LegId(2), cause: Cause::normal() });
    let outputs = drain(&mut call);
    assert_eq!(ended(&outputs), [(HangupBy::Agent, "answered".to_owned())]);
    assert!(
        outputs.contains(&Output::PlanGoesOn) && outputs.contains(&Output::ConversationEnded { agent: "1001".into() })
    );
    assert!(!outputs.iter().any(|output| matches!(output, Output::ByeLeg { .. })), "{outputs:?}");
    call.handle(Input::LegGone { leg: LegId(2) });
    call.handle(Input::Hangup { cause: Cause::normal(), as_designed: true });
    let outputs = drain(&mut call);
    assert_eq!(ended(&outputs), [], "it has ended once");
    assert!(outputs.contains(&Output::ByeLeg { leg: CALLER, cause: Cause::normal() }));
    call.handle(Input::LegGone { leg: CALLER });
    assert!(drain(&mut call).contains(&Output::Finished));
}

#[test]
fn a_plan_that_calls_for_its_caller_goes_on_where_nobody_answers() {
    let mut call = Call::new(CallId::new(1, 1), CALLER);
    call.handle(Input::Answer);
    call.handle(Input::Route { legs: vec![LegId(2)], record: false });
    drain(&mut call);
    let cause = Cause::new(19, "no_answer");
    call.handle(Input::Withdraw { agent: None, end: SegmentEnd::NoAnswer });
    let outputs = drain(&mut call);
    assert_eq!(outputs, [Output::CancelLeg { leg: LegId(2), cause: cause.clone() }, Output::NotReached { cause }]);
    assert_eq!(*call.state(), CallState::InFlow);
    call.handle(Input::TargetFailed { leg: LegId(2), cause: Cause::new(487, "cancelled") });
    assert!(!drain(&mut call).iter().any(|output| matches!(output, Output::NotReached { .. })), "told once");
}

#[test]
fn of_phones_that_ring_at_once_the_first_that_answers_has_the_call() {
    let begin = || {
        let mut call = Call::new(CallId::new(1, 1), CALLER);
        call.handle(Input::Answer);
        call.handle(Input::Route { legs: vec![LegId(2), LegId(3), LegId(4)], record: false });
        let dialled = |output: &Output| matches!(output, Output::DialTarget { .. });
        assert_eq!(drain(&mut call).into_iter().filter(dialled).count(), 3);
        call
    };
    let none = String::new;
    let answers = |leg| Input::TargetAnswered { leg, codec_in: none(), codec_out: none(), number: None };
    let mut call = begin();
    call.handle(Input::TargetFailed { leg: LegId(2), cause: Cause::new(486, "busy") });
    assert!(!drain(&mut call).iter().any(|output| matches!(output, Output::NotReached { .. })), "others ring");
    call.handle(answers(LegId(4)));
    let outputs = drain(&mut call);
    let elsewhere = Cause::new(200, "answered_elsewhere");
    assert!(outputs.contains(&Output::CancelLeg { leg: LegId(3), cause: elsewhere }), "{outputs:?}");
    assert!(outputs.contains(&Output::Bridge { caller: CALLER, agent: LegId(4), record: false }));
    // Its 200 crosses the CANCEL.
    call.handle(answers(LegId(3)));
    let lost = Cause::new(26, "lost_race");
    assert!(drain(&mut call).contains(&Output::ByeLeg { leg: LegId(3), cause: lost }));
    // The last one that fails leads on.
    let mut call = begin();
    for leg in [2, 3, 4] {
        call.handle(Input::TargetFailed { leg: LegId(leg), cause: Cause::new(486, "busy") });
    }
    let outputs = drain(&mut call);
    assert_eq!(outputs.iter().filter(|output| matches!(output, Output::NotReached { .. })).count(), 1);
}

#[test]
fn a_customer_is_called_once_an_agent_is_there() {
    let begin = || {
        let mut call = Call::calling_back(CallId::new(1, 1), CALLER, true);
        present(&mut call, LegId(2));
        drain(&mut call);
        answer(&mut call, LegId(2));
        assert!(drain(&mut call).contains(&Output::DialTarget { leg: CALLER }));
        call
    };
    let mut call = begin();
    let none = String::new;
    call.handle(Input::TargetAnswered { leg: CALLER, codec_in: none(), codec_out: none(), number: None });
    assert!(drain(&mut call).contains(&Output::Bridge { caller: CALLER, agent: LegId(2), record: true }));
    // Busy: the agent is free again.
    let mut call = begin();
    call.handle(Input::TargetFailed { leg: CALLER, cause: Cause::new(486, "busy") });
    let outputs = drain(&mut call);
    assert_eq!(ended(&outputs), [(HangupBy::Switch, "busy".to_owned())]);
    assert!(outputs.contains(&Output::ByeLeg { leg: LegId(2), cause: Cause::new(486, "busy") }));
    // The agent gives up: the customer's phone stops ringing.
    let mut call = begin();
    call.handle(Input::HungUp { leg: LegId(2), cause: Cause::normal() });
    let outputs = drain(&mut call);
    assert_eq!(ended(&outputs), [(HangupBy::Agent, "no_answer".to_owned())]);
    assert!(outputs.contains(&Output::CancelLeg { leg: CALLER, cause: Cause::normal() }));
}

#[derive(Default)]
struct World {
    cancelled: BTreeSet<LegId>,
    closed: BTreeSet<LegId>,
    ends: usize,
    finished: usize,
    talking: i32,
    calls_back: bool,
}

impl World {
    fn take(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::CancelLeg { leg, .. } => assert!(self.cancelled.insert(leg), "leg {leg} cancelled twice"),
                Output::ByeLeg { leg, .. } => assert!(self.closed.insert(leg), "leg {leg} closed twice"),
                // Who calls back is in conversation from before the customer is.
                Output::CallBack { .. } => (self.talking, self.calls_back) = (self.talking + 1, true),
                Output::Bridge { .. } if std::mem::take(&mut self.calls_back) => {}
                Output::Bridge { .. } => self.talking += 1,
                Output::ConversationEnded { .. } => self.talking -= 1,
                Output::Journal(event) => match *event {
                    Event::CallEnded { .. } => self.ends += 1,
                    // A routed conversation has no agent whose own would end.
                    Event::PeerAnswered { .. } => self.talking -= 1,
                    _ => {}
                },
                Output::Finished => self.finished += 1,
                _ => {}
            }
        }
    }
}

#[test]
fn whatever_crosses_a_call_ends_once_and_leaves_no_leg() {
    for seed in 0..5_000u64 {
        let mut random = ChaCha12Rng::seed_from_u64(seed);
        let id = CallId::new(1, u128::from(seed));
        let mut call = if seed % 4 == 0 { Call::calling_back(id, CALLER, true) } else { Call::new(id, CALLER) };
        let mut world = World::default();
        let mut next_leg = 2;
        for _ in 0..random.next_u32() % 24 {
            let some_leg = LegId(1 + u64::from(random.next_u32()) % next_leg);
            let input = match random.next_u32() % 20 {
                0 | 1 => Input::Answer,
                2 | 3 => Input::Enqueued { record: true, after: seed % 3 == 0 },
                4 | 5 => {
                    let leg = LegId(next_leg);
                    next_leg += 1;
                    let agent = ["1001", "1002", "1003"][(random.next_u32() % 3) as usize];
                    Input::Present { agent: agent.into(), queue: "q".into(), leg, why: "idle".into() }
                }
                6 => Input::AgentAnswered { leg: some_leg, codec_in: String::new(), codec_out: String::new() },
                7 => Input::AgentFailed { leg: some_leg, end: SegmentEnd::Busy, cause: Cause::new(486, "busy") },
                8 => {
                    let agent = [Some("1001"), Some("1002"), None][(random.next_u32() % 3) as usize];
                    Input::Withdraw { agent: agent.map(Into::into), end: SegmentEnd::NoAnswer }
                }
                9 => Input::Held { on: random.next_u32() % 2 == 0 },
                10 => Input::Dequeued,
                11 => {
                    next_leg += 2;
                    Input::Route { legs: vec![LegId(next_leg - 2), LegId(next_leg - 1)], record: false }
                }
                12 => Input::TargetHeard { leg: some_leg },
                13 => Input::TargetAnswered {
                    leg: some_leg,
                    codec_in: String::new(),
                    codec_out: String::new(),
                    number: None,
                },
                14 => Input::ToFlow,
                18 => Input::GivenBy { agent: "1001".into(), leg: some_leg },
                17 => {
                    next_leg += 1;
                    Input::Moved { from: some_leg, to: LegId(next_leg - 1) }
                }
                15 | 16 => {
                    next_leg += 1;
                    Input::ToTarget { leg: LegId(next_leg - 1), record: true }
                }
                _ => Input::HungUp { leg: some_leg, cause: Cause::normal() },
            };
            let has_agent = |call: &Call| matches!(call.state(), CallState::Bridged { agent: Some(_), .. });
            let (given, before) = (matches!(input, Input::GivenBy { .. }), has_agent(&call));
            call.handle(input);
            // From now on it is somebody's conversation.
            world.talking += i32::from(given && !before && has_agent(&call));
            world.take(drain(&mut call));
        }
        call.handle(Input::Hangup { cause: Cause::normal(), as_designed: true });
        for leg in call.open_legs().collect::<Vec<_>>() {
            call.handle(Input::LegGone { leg });
        }
        world.take(drain(&mut call));
        assert_eq!((world.ends, world.finished, world.talking), (1, 1, 0), "seed {seed}");
        assert_eq!(call.open_legs().count(), 0, "seed {seed}");
    }
}
