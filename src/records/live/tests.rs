use super::*;
use crate::id::LegId;
use crate::journal::{AgentState, Cause, DialogState, Direction, HangupBy, Personal, SegmentEnd};

fn call() -> CallId {
    CallId::new(1, 1)
}

fn entry(seq: u64, wall_ms: i64, event: Event) -> Entry {
    Entry { seq, wall_ms, event }
}

fn offered() -> Event {
    let (leg, direction, caller) = (LegId(1), Direction::Inbound, Personal::number("<b>555"));
    Event::CallOffered { call: call(), leg, direction, trunk: None, caller, called: "4001".into() }
}

fn queue(name: &str) -> QueueId {
    name.into()
}

fn agent() -> AgentId {
    "1001".into()
}

fn fold(events: Vec<(i64, Event)>) -> LiveFold {
    let mut live = LiveFold::default();
    for (seq, (wall_ms, event)) in (1..).zip(events) {
        live.handle_entry(&entry(seq, wall_ms, event));
    }
    live
}

fn waiting() -> Vec<(i64, Event)> {
    let call = call();
    vec![
        (1_000, offered()),
        (1_000, Event::FlowEntered { call, flow: "support".into(), language: "en".into() }),
        (1_500, Event::StepEntered { call, step: "queue".into() }),
        (2_000, Event::AgentChanged { agent: agent(), appearance: 0, state: AgentState::Available }),
        (2_000, Event::QueueEntered { call, queue: queue("sales"), priority: 0, position: 1, since_ms: None }),
        (4_000, Event::QueueEntered { call, queue: queue("support"), priority: 0, position: 1, since_ms: None }),
        (
            5_000,
            Event::AgentPresented { call, agent: agent(), queue: queue("support"), leg: LegId(2), why: "x".into() },
        ),
        (5_000, Event::AgentChanged { agent: agent(), appearance: 0, state: AgentState::Ringing { call } }),
        (5_100, Event::AgentRinging { call, agent: agent() }),
    ]
}

#[test]
fn a_parked_call_says_where_by_whom_and_since_when() {
    let call = call();
    let parked = vec![
        (1_000, offered()),
        (1_000, Event::FlowEntered { call, flow: "park".into(), language: "en".into() }),
        (2_000, Event::Parked { call, slot: "8501".into(), by: Some(agent()) }),
    ];
    let line = fold(parked.clone()).call(call, Wall(5_000)).expect("it is there");
    let there = ParkedLine { slot: "8501".into(), by: Some(agent()) };
    assert_eq!((line.state, line.since, line.parked), (LiveState::Parked, Wall(2_000), Some(there)));
    let fetched = Event::Unparked { call, slot: "8501".into(), by: Some("1002".into()) };
    let line = fold([parked, vec![(3_000, fetched)]].concat()).call(call, Wall(5_000)).expect("it is there");
    assert_eq!((line.state, line.parked), (LiveState::Ivr, None));
}

#[test]
fn a_caller_waits_in_two_queues_and_is_served_once() {
    let mut events = waiting();
    let live = fold(events.clone());
    let members = [agent(), "1002".into()];
    for name in ["sales", "support"] {
        let line = live.queues(&[(queue(name), members.to_vec())], Wall(6_000), Wall(0)).remove(0);
        assert_eq!((line.waiting, line.presented, line.longest_wait_ms), (1, 1, 4_000), "{name}");
        assert_eq!((line.available, line.signed_in), (0, vec![agent()]));
    }
    let line = &live.calls(Wall(6_000))[0];
    assert_eq!((line.state, line.agent.as_ref(), line.wait_ms), (LiveState::Ringing, Some(&agent()), 4_000));
    let call = call();
    let codec = || "pcma".to_owned();
    let left = |name| Event::QueueLeft { call, queue: queue(name), reason: LeaveReason::Answered, position: 1 };
    events.push((7_000, Event::AgentAnswered { call, agent: agent(), codec_in: codec(), codec_out: codec() }));
    events.extend([(7_000, left("sales")), (7_000, left("support")), (9_000, Event::HoldBegan { call })]);
    let live = fold(events.clone());
    let line = &live.calls(Wall(20_000))[0];
    assert_eq!((line.state, line.since, line.wait_ms), (LiveState::Hold, Wall(9_000), 5_000));
    let served = |live: &LiveFold, name| {
        let line = live.queues(&[(queue(name), Vec::new())], Wall(20_000), Wall(0)).remove(0);
        (line.waiting, line.served_today, line.abandoned_today)
    };
    assert_eq!([served(&live, "sales"), served(&live, "support")], [(0, 0, 0), (0, 1, 0)]);
    events.push((9_500, Event::SegmentEnded { call, agent: agent(), end: SegmentEnd::Agent }));
    assert_eq!(fold(events.clone()).calls(Wall(0))[0].state, LiveState::Ivr);
    let (by, cause) = (HangupBy::Agent, Cause::normal());
    events.push((9_500, Event::CallEnded { call, by, cause, disposition: "answered".into() }));
    assert_eq!(fold(events).calls_in_progress(), 0);
}

#[test]
fn who_leaves_is_counted_in_the_queue_of_the_record_and_only_today() {
    let mut events = waiting();
    let call = call();
    for name in ["sales", "support"] {
        let reason = LeaveReason::Abandoned;
        events.push((6_000, Event::QueueLeft { call, queue: queue(name), reason, position: 1 }));
    }
    let live = fold(events);
    let lost = |name, day| live.queues(&[(queue(name), Vec::new())], Wall(6_000), Wall(day)).remove(0).abandoned_today;
    assert_eq!([lost("sales", 0), lost("support", 0), lost("support", 900_000)], [0, 1, 0]);
    assert_eq!(live.agent(&agent()).shown.call, Some(call));
    let unseen = live.agent(&"7".into()).shown;
    assert_eq!((unseen.state, unseen.since), ("offline", None));
}

#[test]
fn the_public_stream_keeps_dialogs_inside() {
    let told = public(&entry(7, 1_000, offered())).expect("told");
    assert_eq!((&told["type"], &told["seq"], &told["caller"]), (&"call_offered".into(), &7.into(), &"<b>555".into()));
    let secret = || Personal::number("555");
    let dialog = DialogState {
        call_id: "c".into(),
        local_tag: "a".into(),
        remote_tag: "b".into(),
        local_uri: secret(),
        remote_uri: secret(),
        remote_target: secret(),
        route_set: Vec::new(),
        local_cseq: 1,
        remote_cseq: None,
        flow: "udp:127.0.0.1:1".into(),
    };
    assert_eq!(public(&entry(8, 1_000, Event::DialogChanged { call: call(), leg: LegId(1), dialog })), None);
}
