//! Agents who take several calls at once.

use trunkline::acd::{AgentSettings, Failure, Forced, Input, Output, Preference, Settings, Untaken};
use trunkline::journal::{AgentState, Decision, Event, Seen, SegmentEnd, Strategy};

use super::{Floor, START, agent, agent_settings, call, not_ready, queue, queue_settings};

fn settings(capacities: &[u8]) -> Settings {
    let takes = |(number, capacity): (usize, &u8)| AgentSettings { capacity: *capacity, ..agent_settings(number) };
    let agents: Vec<AgentSettings> = capacities.iter().enumerate().map(takes).collect();
    let queues = vec![queue_settings("support", 0..capacities.len())];
    Settings { agents, queues, ageing: Default::default() }
}

fn floor(capacities: &[u8]) -> Floor {
    let mut floor = Floor::of(settings(capacities));
    (0..capacities.len()).for_each(|number| {
        floor.sign_in(number).pass(1_000);
    });
    floor
}

fn states(floor: &Floor, number: usize) -> Vec<AgentState> {
    floor.acd.view().appearances(&agent(number)).cloned().collect()
}

fn restored(number: usize, states: impl IntoIterator<Item = AgentState>) -> Input {
    let seen = |(appearance, state)| Seen { appearance, state, since_wall_ms: START.wall_ms, wish: None };
    Input::Restored { agent: agent(number), seen: (0..).zip(states).map(seen).collect() }
}

#[test]
fn a_second_call_comes_once_the_first_is_answered_and_nobody_freer_is_there() {
    let mut floor = floor(&[2, 1]);
    floor.enter(1, "support").enter(2, "support").enter(3, "support");
    assert_eq!(floor.presented(), [(call(1), agent(0)), (call(2), agent(1))], "one phone rings for one call");
    floor.ring(0, 1).answer(0, 1);
    assert_eq!(floor.presented(), [(call(3), agent(0))]);
    floor.ring(0, 3).tell(Input::Hold { agent: agent(0), call: call(1) }).answer(0, 3);
    assert_eq!(
        states(&floor, 0),
        [AgentState::Hold { call: call(1) }, AgentState::Talking { call: call(3) }],
        "the phone holds the first by itself"
    );
    assert_eq!(floor.state(0), AgentState::Talking { call: call(3) }, "what goes on most is shown");
    // Now agent 1 is the freer one, though longer idle counts otherwise.
    floor.answer(1, 2).end(1, 2).pass(5_000).end(0, 3).pass(5_000).take();
    floor.enter(4, "support");
    assert_eq!(floor.presented(), [(call(4), agent(1))]);
    floor.enter(5, "support");
    let why = floor.take().into_iter().find_map(|output| match output {
        Output::Present { why, .. } => Some(why),
        _ => None,
    });
    let Some(why @ Decision::Strategy { strategy: Strategy::LongestIdle, calls: 1, .. }) = why else {
        panic!("{why:?}")
    };
    assert_eq!(why.line(&agent(0)), "agent 1001: idle 0 s, calls already 1");
}

#[test]
fn after_call_work_holds_off_calls_on_every_appearance_and_each_call_has_its_own() {
    let mut floor = floor(&[2]);
    floor.enter(1, "support").answer(0, 1).enter(2, "support").answer(0, 2).end(0, 1).enter(3, "support").take();
    let until_ms = floor.now.wall_ms + 5_000;
    assert_eq!(states(&floor, 0), [AgentState::Acw { call: call(1), until_ms }, AgentState::Talking { call: call(2) }]);
    floor.tell(Input::ExtendAcw { agent: agent(0), by_ms: 1_000 });
    assert_eq!(floor.pass(5_999).presented(), []);
    assert_eq!(floor.pass(1).presented(), [(call(3), agent(0))], "and the second call goes on");
    floor.end(0, 2);
    assert!(
        matches!(states(&floor, 0)[1], AgentState::Acw { call: of, until_ms } if of == call(2) && until_ms == floor.now.wall_ms + 5_000)
    );
    floor.answer(0, 3).tell(Input::EndAcw { agent: agent(0) });
    assert_eq!(states(&floor, 0), [AgentState::Talking { call: call(3) }, AgentState::Available]);
}

#[test]
fn what_an_agent_wishes_concerns_every_call() {
    let mut floor = floor(&[3]);
    floor.enter(1, "support").answer(0, 1).tell(Input::SetNotReady { agent: agent(0), reason: "lunch".into() });
    assert_eq!(states(&floor, 0)[1..], [not_ready("lunch"), not_ready("lunch")]);
    floor.enter(2, "support").end(0, 1).pass(5_000);
    assert_eq!(states(&floor, 0), vec![not_ready("lunch"); 3]);
    floor.take();
    floor.tell(Input::SetAvailable { agent: agent(0) });
    assert_eq!(floor.presented(), [(call(2), agent(0))]);
    // Whoever is asked and signs out is not asked again on the way.
    floor.ring(0, 2).take();
    floor.tell(Input::AgentSignedOut { agent: agent(0) });
    assert_eq!(states(&floor, 0), vec![AgentState::Offline; 3]);
    assert_eq!(floor.presented(), []);
    assert_eq!(floor.acd.view().queue(&queue("support")).unwrap().signed_in, 0);
}

#[test]
fn what_is_wished_for_the_end_of_a_call_is_written_down_and_taken_back() {
    let mut floor = floor(&[2]);
    floor.enter(1, "support").answer(0, 1).take();
    let wishes = |floor: &mut Floor| -> Vec<(u8, AgentState)> {
        let told = floor.take().into_iter().filter_map(|output| match output {
            Output::Journal(Event::AgentWished { appearance, state, .. }) => Some((appearance, state)),
            _ => None,
        });
        told.collect()
    };
    floor.tell(Input::SetNotReady { agent: agent(0), reason: "lunch".into() });
    floor.tell(Input::SetNotReady { agent: agent(0), reason: "lunch".into() });
    assert_eq!(wishes(&mut floor), [(0, not_ready("lunch"))], "the other one is at lunch already");
    floor.tell(Input::AgentSignedOut { agent: agent(0) });
    assert_eq!(wishes(&mut floor), [(0, AgentState::Offline)]);
    floor.sign_in(0);
    assert_eq!(wishes(&mut floor), [(0, AgentState::Available)]);
}

#[test]
fn the_consultation_is_about_the_call_that_was_held_last() {
    let mut floor = floor(&[2]);
    floor.enter(1, "support").answer(0, 1).enter(2, "support").answer(0, 2).pass(1_000);
    floor.tell(Input::Hold { agent: agent(0), call: call(2) }).pass(1_000);
    floor.tell(Input::Hold { agent: agent(0), call: call(1) }).pass(1_000);
    floor.tell(Input::PhoneTaken { agent: agent(0), call: call(90) });
    assert_eq!(states(&floor, 0), [AgentState::Consult { call: call(1) }, AgentState::Hold { call: call(2) }]);
    floor.tell(Input::PhoneFree { agent: agent(0), call: call(90) });
    assert_eq!(states(&floor, 0), [AgentState::Hold { call: call(1) }, AgentState::Hold { call: call(2) }]);
}

#[test]
fn a_call_that_was_answered_counts_for_who_is_called_next_at_once() {
    let mut settings = settings(&[2, 2]);
    (settings.queues[0].strategy, settings.queues[0].acw_ms) = (Strategy::FewestCalls, 0);
    let mut floor = Floor::of(settings);
    floor.sign_in(0).enter(1, "support").answer(0, 1).end(0, 1).sign_in(1);
    // One call each, or two: the second agent has had none.
    floor.enter(2, "support").answer(1, 2).enter(3, "support").answer(0, 3).take();
    floor.enter(4, "support");
    assert_eq!(floor.presented(), [(call(4), agent(1))], "one call against two");
}

#[test]
fn a_supervisor_cuts_every_call() {
    let mut floor = floor(&[2]);
    floor.enter(1, "support").answer(0, 1).enter(2, "support").answer(0, 2).take();
    floor.tell(Input::Forced { agent: agent(0), to: Forced::Available });
    let cut = |output: &Output| matches!(output, Output::CancelPresentation { reason: SegmentEnd::Switch, .. });
    assert_eq!(floor.take().iter().filter(|output| cut(output)).count(), 2);
    assert_eq!(states(&floor, 0), vec![AgentState::Available; 2]);
}

#[test]
fn a_call_not_taken_takes_the_agent_out_and_a_busy_phone_is_asked_again_after_the_call() {
    let mut settings = settings(&[2]);
    settings.queues[0].acw_ms = 0;
    let mut floor = Floor::of(settings);
    floor.sign_in(0).enter(1, "support").ring(0, 1).pass(15_000);
    assert_eq!(states(&floor, 0), vec![not_ready("no_answer"); 2], "nobody is there");
    floor.tell(Input::SetAvailable { agent: agent(0) }).answer(0, 1).enter(2, "support").take();
    floor.tell(Input::AgentFailed { agent: agent(0), call: call(2), why: Failure::Busy });
    assert_eq!(states(&floor, 0), [AgentState::Talking { call: call(1) }, not_ready("busy")]);
    assert_eq!(floor.presented(), []);
    floor.end(0, 1);
    assert_eq!(floor.presented(), [(call(2), agent(0))]);
    assert_eq!(states(&floor, 0), [AgentState::Reserved { call: call(2) }, AgentState::Available]);
}

#[test]
fn calls_that_rang_out_are_counted_for_the_agent_and_not_for_each_appearance() {
    let mut settings = settings(&[2]);
    settings.queues[0].acw_ms = 0;
    settings.queues[0].untaken = Untaken { no_answer_ms: Some(1_000), most: Some(2), ..Untaken::default() };
    let mut floor = Floor::of(settings);
    floor.sign_in(0).enter(1, "support").answer(0, 1).enter(2, "support").ring(0, 2).pass(15_000);
    let until_ms = Some(floor.now.wall_ms + 1_000);
    let back = AgentState::NotReady { reason: "no_answer".to_owned(), until_ms };
    assert_eq!(states(&floor, 0), [AgentState::Talking { call: call(1) }, back]);
    // The phone is there after the conversation, and is not answered again: now the agent has to say so.
    assert_eq!(states(floor.end(0, 1), 0)[0], AgentState::Reserved { call: call(2) });
    assert_eq!(states(floor.ring(0, 2).pass(15_000), 0), vec![not_ready("no_answer"); 2]);
    assert_eq!(floor.pass(60_000).state(0), not_ready("no_answer"));
}

#[test]
fn the_least_occupied_is_who_has_had_more_time_of_the_own_and_not_who_could_take_more_calls() {
    let mut settings = settings(&[2, 1]);
    (settings.queues[0].acw_ms, settings.queues[0].strategy) = (0, Strategy::LeastOccupied);
    let mut floor = Floor::of(settings);
    floor.sign_in(0).sign_in(1).enter(1, "support").answer(0, 1).enter(2, "support").answer(1, 2);
    // One is in a conversation for 60 s of 70, the other one for 40 s.
    floor.pass(40_000).end(1, 2).pass(20_000).end(0, 1).pass(10_000).take();
    floor.enter(3, "support");
    assert_eq!(floor.presented(), [(call(3), agent(1))]);
    // Two conversations at once take no longer than one.
    let mut settings = settings_by_talk();
    settings.queues[0].acw_ms = 0;
    let mut floor = Floor::of(settings);
    floor.sign_in(0).enter(1, "support").answer(0, 1).enter(2, "support").answer(0, 2);
    floor.pass(30_000).end(0, 1).end(0, 2).sign_in(1).enter(3, "support").take();
    floor.answer(1, 3).pass(31_000).end(1, 3).enter(4, "support");
    assert_eq!(floor.presented(), [(call(4), agent(0))], "30 s of talk against 31");
}

fn settings_by_talk() -> Settings {
    let mut settings = settings(&[2, 1]);
    settings.queues[0].strategy = Strategy::LeastTalkTime;
    settings
}

#[test]
fn ring_all_rings_each_phone_once_and_those_in_calls_last() {
    let mut settings = settings(&[2, 2, 1]);
    settings.queues[0].strategy = Strategy::RingAll;
    let mut floor = Floor::of(settings);
    floor.sign_in(0).sign_in(1).sign_in(2).enter(1, "support");
    assert_eq!(floor.presented(), [(call(1), agent(0)), (call(1), agent(1)), (call(1), agent(2))]);
    floor.answer(0, 1).enter(2, "support");
    assert_eq!(floor.presented(), [(call(2), agent(1)), (call(2), agent(2))]);
    floor.answer(1, 2).enter(3, "support").answer(2, 3).take();
    floor.enter(4, "support");
    assert_eq!(floor.presented(), [(call(4), agent(0)), (call(4), agent(1))]);
}

#[test]
fn the_phone_and_the_caller_who_wants_one_agent_know_all_appearances() {
    let mut floor = floor(&[2]);
    floor.enter(1, "support").answer(0, 1).tell(Input::PhoneTaken { agent: agent(0), call: call(90) });
    assert_eq!(states(&floor, 0), [AgentState::Talking { call: call(1) }, not_ready("own_call")]);
    floor.tell(Input::Hold { agent: agent(0), call: call(1) });
    assert_eq!(states(&floor, 0)[0], AgentState::Consult { call: call(1) });
    floor.tell(Input::CallerEntered {
        call: call(2),
        queue: queue("support"),
        priority: 0,
        entered_wall_ms: floor.now.wall_ms,
        wishes: Vec::new(),
        prefer: Some(Preference { agent: agent(0), wait_ms: 60_000 }),
        stays: false,
    });
    floor.take();
    floor.tell(Input::PhoneFree { agent: agent(0), call: call(90) });
    assert_eq!(floor.presented(), [(call(2), agent(0))]);
    floor.tell(Input::PhoneReach { agent: agent(0), reachable: false });
    floor.tell(Input::AgentSignedOut { agent: agent(0) }).end(0, 1);
    assert_eq!(states(&floor, 0), vec![AgentState::Offline; 2]);
}

#[test]
fn a_capacity_changes_while_the_agent_works() {
    let mut floor = floor(&[1]);
    floor.enter(1, "support").answer(0, 1).enter(2, "support").take();
    floor.reconfigure(settings(&[3]));
    assert_eq!(floor.presented(), [(call(2), agent(0))]);
    floor.answer(0, 2).enter(3, "support").answer(0, 3).end(0, 2).take();
    // The third call goes on, and is the last one there.
    floor.reconfigure(settings(&[1]));
    let works = AgentState::Acw { call: call(2), until_ms: floor.now.wall_ms + 5_000 };
    assert_eq!(states(&floor, 0)[1..], [works, AgentState::Talking { call: call(3) }]);
    floor.end(0, 1).pass(5_000).enter(4, "support").take();
    assert_eq!(states(&floor, 0)[0], AgentState::Available, "in as many calls as may be");
    floor.end(0, 3);
    let until_ms = floor.now.wall_ms + 5_000;
    assert_eq!(states(&floor, 0)[2], AgentState::Acw { call: call(3), until_ms }, "with its work, which goes on");
    floor.reconfigure(settings(&[1]));
    assert_eq!(floor.pass(4_999).presented(), []);
    assert_eq!(floor.pass(1).presented(), [(call(4), agent(0))]);
}

#[test]
fn what_a_restart_finds_of_an_appearance_is_kept_or_closed() {
    let mut floor = Floor::of(settings(&[2]));
    let until_ms = START.wall_ms + 9_000;
    let acw = |of| AgentState::Acw { call: call(of), until_ms };
    floor.tell(restored(0, [AgentState::Available, acw(2), acw(3)]));
    assert_eq!(states(&floor, 0), [AgentState::Available, acw(2)]);
    let closed = [
        Output::Journal(Event::AcwEnded { call: call(3), agent: agent(0) }),
        Output::Journal(Event::AgentChanged { agent: agent(0), appearance: 2, state: AgentState::Offline }),
    ];
    assert_eq!(floor.take(), closed);
    floor.enter(1, "support");
    assert_eq!(floor.pass(9_000).presented(), [(call(1), agent(0))]);
}

#[test]
fn after_a_restart_all_appearances_are_as_the_first_one_and_nobody_is_owed_anything() {
    // The call of the second was cut, and the agent is at lunch.
    let mut floor = Floor::of(settings(&[2]));
    floor.tell(restored(0, [not_ready("lunch"), AgentState::Talking { call: call(9) }]));
    assert_eq!(states(&floor, 0), vec![not_ready("lunch"); 2]);
    // The settings let the agent take more calls now: all of them wait for the end of lunch, whoever signs in meanwhile.
    let mut floor = Floor::of(settings(&[3]));
    floor.tell(restored(0, [not_ready("lunch")]));
    assert_eq!(states(&floor, 0), vec![not_ready("lunch"); 3]);
    floor.sign_in(0);
    assert_eq!(states(&floor, 0), vec![not_ready("lunch"); 3]);
    floor.enter(1, "support").take();
    floor.tell(Input::SetAvailable { agent: agent(0) });
    assert_eq!(floor.presented(), [(call(1), agent(0))]);
    // Who wanted to go to lunch, or home, after the call that was cut is there now, and not rung for the next one.
    for (wish, is) in [(not_ready("lunch"), not_ready("lunch")), (AgentState::Offline, AgentState::Offline)] {
        let mut floor = Floor::of(settings(&[2]));
        let seen = |appearance, state, wish| Seen { appearance, state, since_wall_ms: START.wall_ms, wish };
        let cut = seen(0, AgentState::Talking { call: call(9) }, Some(wish.clone()));
        floor.tell(Input::Restored { agent: agent(0), seen: vec![cut, seen(1, wish, None)] });
        assert_eq!(states(&floor, 0), vec![is.clone(); 2]);
        let told = Output::Journal(Event::AgentChanged { agent: agent(0), appearance: 0, state: is });
        assert_eq!(floor.take(), [Output::Journal(Event::AcwEnded { call: call(9), agent: agent(0) }), told]);
    }
    // Who is no agent any more owes nothing.
    let mut floor = Floor::of(settings(&[1]));
    floor.tell(restored(7, [AgentState::Talking { call: call(3) }]));
    let closed = [
        Output::Journal(Event::AcwEnded { call: call(3), agent: agent(7) }),
        Output::Journal(Event::AgentChanged { agent: agent(7), appearance: 0, state: AgentState::Offline }),
    ];
    assert_eq!(floor.take(), closed);
}
