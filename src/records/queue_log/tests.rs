//! Each event as Asterisk's readers know it.

use super::*;
use crate::id::LegId;
use crate::journal::{Cause, Direction, HangupBy, LeaveReason, Personal, SegmentEnd};

fn this() -> CallId {
    CallId::new(1, 1)
}

fn told(events: Vec<(i64, Event)>) -> Vec<String> {
    let mut log = QueueLog::default();
    let call = this().to_string();
    let entries = events.into_iter().zip(1..).map(|((wall_ms, event), seq)| Entry { seq, wall_ms, event });
    let lines: Vec<_> = entries.flat_map(|entry| log.handle_entry(&entry)).collect();
    lines.into_iter().map(|line| line.to_string().replace(&call, "CALL")).collect()
}

fn offered(caller: &str) -> Event {
    let (leg, direction, called) = (LegId(1), Direction::Inbound, "4001".to_owned());
    Event::CallOffered { call: this(), leg, direction, trunk: None, caller: Personal::number(caller), called }
}

fn entered(queue: &str, position: u32) -> Event {
    Event::QueueEntered { call: this(), queue: queue.into(), priority: 0, position, since_ms: None }
}

fn left(queue: &str, reason: LeaveReason, position: u32) -> Event {
    Event::QueueLeft { call: this(), queue: queue.into(), reason, position }
}

fn presented(agent: &str) -> Event {
    let (queue, why) = ("support".into(), "idle".into());
    Event::AgentPresented { call: this(), agent: agent.into(), queue, leg: LegId(7), why }
}

fn answered(agent: &str) -> Event {
    let codec = || "pcma".to_owned();
    Event::AgentAnswered { call: this(), agent: agent.into(), codec_in: codec(), codec_out: codec() }
}

fn ended(agent: &str, end: SegmentEnd) -> Event {
    Event::SegmentEnded { call: this(), agent: agent.into(), end }
}

fn over() -> Event {
    Event::CallEnded { call: this(), by: HangupBy::Caller, cause: Cause::normal(), disposition: "answered".into() }
}

fn is(agent: &str, state: AgentState) -> Event {
    Event::AgentChanged { agent: agent.into(), appearance: 0, state }
}

/// A conversation of 30 s after a wait of 12 s, 5 s of it ringing, that ends as given.
fn conversation(end: SegmentEnd, then: Vec<(i64, Event)>) -> Vec<String> {
    let mut events = vec![
        (1_000_000, offered("13800138000")),
        (1_000_900, entered("support", 2)),
        (1_007_950, presented("1001")),
        (1_012_950, answered("1001")),
        (1_012_951, left("support", LeaveReason::Answered, 1)),
        (1_042_960, ended("1001", end)),
    ];
    events.extend(then);
    told(events)
}

#[test]
fn a_conversation_is_entered_connected_and_completed() {
    let beginning = [
        "1000|CALL|support|NONE|DID|4001",
        "1000|CALL|support|NONE|ENTERQUEUE||13800138000|2",
        "1012|CALL|support|1001|CONNECT|12|",
    ];
    let lines = conversation(SegmentEnd::Agent, vec![(1_042_970, over())]);
    for (line, expected) in lines.iter().zip(beginning) {
        assert!(line.starts_with(expected), "{lines:#?}");
    }
    assert!(lines[2].ends_with("|5") && lines[2].contains(&LegId(7).to_string()), "{}", lines[2]);
    assert_eq!(lines[3..], ["1042|CALL|support|1001|COMPLETEAGENT|12|30|2"]);
    let lines = conversation(SegmentEnd::Caller, vec![(1_042_970, over())]);
    assert_eq!(lines[3..], ["1042|CALL|support|1001|COMPLETECALLER|12|30|2"]);
    let lines = conversation(SegmentEnd::Switch, Vec::new());
    assert_eq!(lines[3..], ["1042|CALL|support|1001|COMPLETECALLER|12|30|2"]);
}

#[test]
fn a_transfer_names_where_to() {
    let after = |then: Vec<(i64, Event)>| conversation(SegmentEnd::Transferred, then)[3..].to_vec();
    let number = || Some(Personal::number("13900139000"));
    let peer = |consulted| Event::PeerAnswered {
        call: this(),
        codec_in: "pcma".into(),
        codec_out: "pcma".into(),
        number: number(),
        consulted,
    };
    let blind = ["1042|CALL|support|1001|BLINDTRANSFER|13900139000||12|30|2"];
    assert_eq!(after(vec![(1_042_961, peer(false))]), blind);
    let attended = ["1042|CALL|support|1001|ATTENDEDTRANSFER|BRIDGE|13900139000|12|30|2"];
    assert_eq!(after(vec![(1_042_961, peer(true))]), attended);
    let flow = Event::FlowEntered { call: this(), flow: "hotline".into(), language: "en".into() };
    assert_eq!(after(vec![(1_042_961, flow)]), ["1042|CALL|support|1001|BLINDTRANSFER|hotline||12|30|2"]);
    // Spoken with before: nobody's phone rang for this call.
    let joined = vec![(1_042_961, answered("1002")), (1_050_000, ended("1002", SegmentEnd::Caller))];
    assert_eq!(after(joined), ["1042|CALL|support|1001|ATTENDEDTRANSFER|BRIDGE|1002|12|30|2"]);
    assert_eq!(after(vec![(1_043_000, over())]), ["1043|CALL|support|1001|BLINDTRANSFER|||12|30|2"]);
    // Rung before the first agent's part is over.
    let lines = told(vec![
        (1_000, offered("5")),
        (1_000, entered("support", 1)),
        (2_000, presented("1001")),
        (3_000, answered("1001")),
        (3_000, left("support", LeaveReason::Answered, 1)),
        (9_000, presented("1002")),
        (11_000, ended("1001", SegmentEnd::Transferred)),
        (11_000, answered("1002")),
        (19_000, ended("1002", SegmentEnd::Caller)),
    ]);
    assert_eq!(lines[3..], ["11|CALL|support|1001|BLINDTRANSFER|1002||2|8|1"]);
}

#[test]
fn a_wait_ends_for_its_reason() {
    let after = |reason| {
        let lines = told(vec![
            (1_000_000, offered("5")),
            (1_000_000, entered("support", 3)),
            (1_020_500, left("support", reason, 1)),
        ]);
        lines[2..].to_vec()
    };
    assert_eq!(after(LeaveReason::Abandoned), ["1020|CALL|support|NONE|ABANDON|1|3|20"]);
    // The call is over before the queue knows that its caller is gone.
    let lines = told(vec![
        (1_000_000, offered("5")),
        (1_000_000, entered("support", 3)),
        (1_020_500, over()),
        (1_020_500, left("support", LeaveReason::Abandoned, 1)),
    ]);
    assert_eq!(lines[2..], ["1020|CALL|support|NONE|ABANDON|1|3|20"]);
    assert_eq!(after(LeaveReason::Timeout), ["1020|CALL|support|NONE|EXITWITHTIMEOUT|1|3|20"]);
    assert_eq!(after(LeaveReason::Exit), ["1020|CALL|support|NONE|EXITWITHKEY||1|3|20"]);
    let lines = told(vec![
        (1_000_000, offered("5")),
        (1_000_000, entered("support", 3)),
        (1_020_500, Event::QueueKeyPressed { call: this(), key: '9' }),
        (1_020_500, left("support", LeaveReason::Exit, 1)),
    ]);
    assert_eq!(lines[2..], ["1020|CALL|support|NONE|EXITWITHKEY|9|1|3|20"]);
    assert_eq!(after(LeaveReason::Refused), ["1020|CALL|support|NONE|EXITEMPTY|1|3|20"]);
    assert_eq!(after(LeaveReason::Ended), ["1020|CALL|support|NONE|EXITEMPTY|1|3|20"]);
}

#[test]
fn a_phone_that_is_not_answered_rang_so_many_milliseconds() {
    let after = |end| {
        let lines = told(vec![
            (1_000_000, offered("5")),
            (1_000_000, entered("support", 1)),
            (1_001_000, presented("1001")),
            (1_016_250, ended("1001", end)),
        ]);
        lines[2..].to_vec()
    };
    for end in [SegmentEnd::NoAnswer, SegmentEnd::Rejected, SegmentEnd::Busy, SegmentEnd::Unreachable] {
        assert_eq!(after(end), ["1016|CALL|support|1001|RINGNOANSWER|15250"]);
    }
    for end in [SegmentEnd::CallerLeft, SegmentEnd::Elsewhere, SegmentEnd::Switch] {
        assert_eq!(after(end), ["1016|CALL|support|1001|RINGCANCELED|15250"]);
    }
}

#[test]
fn overflow_is_a_second_wait_that_ends_by_itself() {
    let lines = told(vec![
        (0, offered("5")),
        (0, entered("sales", 1)),
        (20_000, entered("support", 4)),
        (25_000, presented("1001")),
        (30_000, answered("1001")),
        (30_000, left("sales", LeaveReason::Overflow, 1)),
        (30_000, left("support", LeaveReason::Answered, 1)),
    ]);
    assert_eq!(lines[2], "20|CALL|support|NONE|ENTERQUEUE||5|4");
    assert!(lines[3].starts_with("30|CALL|support|1001|CONNECT|10|"), "{}", lines[3]);
    assert_eq!(lines[4..], ["30|CALL|sales|NONE|EXITWITHTIMEOUT|1|1|30"]);
}

#[test]
fn agents_log_in_pause_and_log_off() {
    let not_ready = |reason: &str| AgentState::NotReady { reason: reason.to_owned(), until_ms: None };
    let lines = told(vec![
        (1_000, is("1001", AgentState::Available)),
        (2_000, is("1001", AgentState::Ringing { call: this() })),
        (3_000, is("1001", not_ready("lunch"))),
        (4_000, is("1001", not_ready("lunch"))),
        (5_000, is("1001", not_ready("training"))),
        (6_000, is("1001", AgentState::Available)),
        (61_500, is("1001", AgentState::Offline)),
        (62_000, is("1001", AgentState::Offline)),
    ]);
    let expected = [
        "1|NONE|NONE|1001|AGENTLOGIN|1001",
        "3|NONE|NONE|1001|PAUSEALL|lunch",
        "5|NONE|NONE|1001|PAUSEALL|training",
        "6|NONE|NONE|1001|UNPAUSEALL|training",
        "61|NONE|NONE|1001|AGENTLOGOFF|1001|60",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn starts_and_reloads_are_told_and_callers_cannot_forge_lines() {
    let started = Event::Started { node: "a".into(), boot: 1, version: "0".into() };
    let reloaded = Event::Reloaded { changes: Vec::new() };
    let forged = offered("5|x\n9|CALL|q|NONE|ABANDON");
    let lines = told(vec![(1_000, started), (2_000, reloaded), (3_000, forged), (3_000, entered("support", 1))]);
    assert_eq!(lines[..2], ["1|NONE|NONE|NONE|QUEUESTART", "2|NONE|NONE|NONE|CONFIGRELOAD"]);
    assert_eq!(lines[3], "3|CALL|support|NONE|ENTERQUEUE||5_x_9_CALL_q_NONE_ABANDON|1");
}
