//! Other settings while the floor works: what becomes of agents, queues and waits that there were.

use trunkline::acd::{Ageing, Failure, Input, Output, OverflowStep, Settings};
use trunkline::journal::{AgentState, Event, LeaveReason, SegmentEnd};

use super::{Floor, agent, agent_settings, call, changed, queue, queue_settings};

/// The queues `support` of agents 0 and 1, and `sales` of agent 2.
fn two_queues() -> Settings {
    let queues = vec![queue_settings("support", 0..2), queue_settings("sales", 2..3)];
    Settings { agents: (0..3).map(agent_settings).collect(), queues, ageing: Ageing::default() }
}

#[test]
fn new_members_and_new_agents_serve_who_waits_already() {
    let mut floor = Floor::of(two_queues());
    floor.sign_in(2).enter(1, "support").enter(2, "support").pass(1_000).take();
    let mut settings = two_queues();
    settings.agents.push(agent_settings(3));
    settings.queues[0].members = vec![agent(2).into(), agent(3).into()];
    floor.reconfigure(settings);
    assert_eq!(floor.presented(), [(call(1), agent(2))]);
    assert_eq!(floor.sign_in(3).presented(), [(call(2), agent(3))]);
    // Who is a member no longer is called no more.
    assert_eq!(floor.sign_in(0).enter(3, "support").presented(), []);
}

#[test]
fn an_agent_who_is_taken_out_of_the_settings_ends_the_call_and_is_gone() {
    let mut floor = Floor::of(two_queues());
    floor.sign_in(0).enter(1, "support").answer(0, 1).sign_in(1).enter(2, "support").ring(1, 2).sign_in(2).take();
    let mut settings = two_queues();
    settings.agents.truncate(0);
    settings.agents.push(agent_settings(2));
    settings.queues[0].members = vec![agent(2).into()];
    floor.reconfigure(settings.clone());
    assert_eq!(floor.state(0), AgentState::Talking { call: call(1) });
    assert_eq!(floor.acd.view().agent(&agent(1)), None);
    let reason = SegmentEnd::Switch;
    assert_eq!(
        floor.take()[..2],
        [Output::CancelPresentation { call: call(2), agent: agent(1), reason }, changed(1, AgentState::Offline)]
    );
    assert_eq!(floor.state(2), AgentState::Reserved { call: call(2) });
    // No wish keeps the agent, and there is no after-call work.
    floor.tell(Input::SetAvailable { agent: agent(0) }).end(0, 1);
    let ended = Output::Journal(Event::AcwEnded { call: call(1), agent: agent(0) });
    assert_eq!(floor.take(), [ended, changed(0, AgentState::Offline)]);
    assert_eq!(floor.sign_in(0).sign_in(1).take(), []);
    // Both are welcome again once they are named.
    settings.agents.push(agent_settings(0));
    floor.reconfigure(settings);
    floor.sign_in(0);
    assert_eq!(floor.state(0), AgentState::Available);
}

#[test]
fn a_queue_that_is_taken_out_of_the_settings_is_served_until_it_is_empty() {
    let mut floor = Floor::of(two_queues());
    floor.enter(1, "support").enter(2, "support").take();
    let mut settings = two_queues();
    settings.queues.remove(0);
    floor.reconfigure(settings.clone());
    floor.enter(3, "support");
    assert_eq!(floor.take().last(), Some(&Output::CallerOut { call: call(3), reason: LeaveReason::Refused }));
    assert_eq!(floor.acd.view().queues().map(|queue| queue.id.as_str()).collect::<Vec<_>>(), ["sales", "support"]);
    assert_eq!(floor.sign_in(1).presented(), [(call(1), agent(1))]);
    floor.reconfigure(settings.clone());
    floor.answer(1, 1).tell(Input::CallerLeft { call: call(2) }).end(1, 1);
    // Its rules hold for who still works for it: five seconds of after-call work.
    assert!(matches!(floor.state(1), AgentState::Acw { .. }));
    floor.pass(5_000);
    assert_eq!(floor.state(1), AgentState::Available);
    floor.reconfigure(settings);
    assert_eq!(floor.acd.view().queue(&queue("support")), None);
}

#[test]
fn waits_count_from_the_entry_when_the_rules_of_waiting_change() {
    let mut floor = Floor::of(two_queues());
    floor.sign_in(2).enter(1, "support").pass(30_000).take();
    let mut settings = two_queues();
    settings.queues[0].max_wait_ms = Some(45_000);
    settings.queues[0].overflow = vec![OverflowStep { after_ms: 40_000, to: queue("sales") }];
    floor.reconfigure(settings.clone());
    assert_eq!(floor.pass(9_999).presented(), []);
    assert_eq!(floor.pass(1).presented(), [(call(1), agent(2))]);
    floor.tell(Input::AgentFailed { agent: agent(2), call: call(1), why: Failure::Busy }).take();
    // A wait that is over already ends at once.
    settings.queues[0].max_wait_ms = Some(20_000);
    floor.reconfigure(settings);
    floor.pass(0);
    assert_eq!(floor.take().last(), Some(&Output::CallerOut { call: call(1), reason: LeaveReason::Timeout }));
}

#[test]
fn settings_that_contradict_themselves_change_nothing() {
    let mut floor = Floor::of(two_queues());
    let mut settings = two_queues();
    settings.queues[0].members.push(agent(9).into());
    let before = format!("{:?}", floor.acd);
    let told = floor.acd.reconfigure(settings, floor.now).unwrap_err().to_string();
    assert_eq!(
        told,
        "queue \"support\" has the member \"1010\", who is no agent: define the agent or remove the member"
    );
    assert_eq!(format!("{:?}", floor.acd), before);
}
