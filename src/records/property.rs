//! Random streams of events: one record per call, and its times add up.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::id::{AgentId, CallId, LegId, QueueId};
use crate::journal::{
    AgentState, Cause, Consent, Direction, Entry, Event, HangupBy, LeaveReason, PausedBy, Personal, SegmentEnd,
};

fn call(number: u8) -> CallId {
    CallId::new(1_000 + i64::from(number), u128::from(number))
}

fn offered(call: CallId) -> Event {
    let (leg, caller) = (LegId(1), Personal::number("555"));
    Event::CallOffered { call, leg, direction: Direction::Inbound, trunk: None, caller, called: "4001".into() }
}

fn ended_leg(call: CallId) -> Event {
    Event::LegEnded { call, leg: LegId(1), cause: Cause::normal() }
}

fn step(call: CallId, agent: u8, kind: u8) -> Event {
    let queue = QueueId::from("support");
    let agent = AgentId::from(["1001", "1002"][usize::from(agent % 2)]);
    match kind {
        0 => Event::CallAnswered { call },
        1 => Event::QueueEntered { call, queue, priority: 0, position: 1, since_ms: None },
        2 => Event::QueueLeft { call, queue, reason: LeaveReason::Overflow, position: 1 },
        3 => Event::QueueLeft { call, queue, reason: LeaveReason::Timeout, position: 1 },
        4 | 5 => Event::AgentPresented { call, agent, queue, leg: LegId(2), why: "idle".into() },
        6 | 7 => Event::AgentRinging { call, agent },
        8 | 9 => Event::AgentAnswered { call, agent, codec_in: "pcma".into(), codec_out: "pcma".into() },
        10 => Event::HoldBegan { call },
        11 => Event::HoldEnded { call },
        12 => Event::SegmentEnded { call, agent, end: SegmentEnd::Transferred },
        13 => Event::SegmentEnded { call, agent, end: SegmentEnd::Agent },
        14 => Event::AgentChanged { agent, appearance: 0, state: AgentState::Acw { call, until_ms: 0 } },
        17 => Event::PeerAnswered {
            call,
            codec_in: "pcmu".into(),
            codec_out: "pcma".into(),
            number: None,
            consulted: false,
        },
        18 => ended_leg(call),
        19 => Event::RecordingPaused { call, by: PausedBy::Agent, from_ms: 9_000 },
        20 => Event::RecordingResumed { call, by: PausedBy::Operator },
        21 => Event::ConsentSaid { call, consent: Consent::Refused },
        15 => Event::RecordingStarted { call, recording: "r".into(), consent: Consent::Announced },
        _ => Event::CallEnded { call, by: HangupBy::Caller, cause: Cause::normal(), disposition: "failed".into() },
    }
}

proptest! {
    #[test]
    fn one_consistent_record_per_call(
        // Each step: which call, which agent, which event, and how far the wall clock moves (it may jump back).
        steps in proptest::collection::vec((0u8..4, 0u8..2, 0u8..22, -300i64..2_000), 0..120),
    ) {
        let mut folder = Folder::default();
        let (mut wall_ms, mut seq) = (10_000, 0);
        let mut fold = |folder: &mut Folder, event: Event, wall_ms: i64| {
            seq += 1;
            // The journal's own form must carry every event.
            let text = serde_json::to_string(&Entry { seq, wall_ms, event }).unwrap();
            folder.handle_entry(&serde_json::from_str(&text).unwrap());
        };
        for number in 0..4 {
            fold(&mut folder, offered(call(number)), wall_ms);
        }
        for (number, agent, kind, ms) in steps {
            wall_ms += ms;
            fold(&mut folder, step(call(number), agent, kind), wall_ms);
        }
        // A crash here: the snapshot comes back, and the start closes what is open.
        folder = serde_json::from_str(&serde_json::to_string(&folder).unwrap()).unwrap();
        for event in folder.cut_by_restart() {
            fold(&mut folder, event, wall_ms + 5_000);
        }
        prop_assert_eq!(folder.open_calls().count(), 0);
        for agent in ["1001", "1002"] {
            fold(&mut folder, Event::AgentChanged { agent: agent.into(), appearance: 0, state: AgentState::Offline }, wall_ms + 6_000);
        }
        for number in 0..4 {
            let state = crate::journal::RecordingState::Complete;
            let (recording, sha256) = ("r".into(), None);
            let closed = Event::RecordingClosed {
                call: call(number), recording, state, expected_ms: 1, written_ms: 1, sha256,
            };
            fold(&mut folder, closed, wall_ms + 6_000);
            fold(&mut folder, ended_leg(call(number)), wall_ms + 6_000);
        }
        let mut told: BTreeMap<CallId, Vec<CallRecord>> = BTreeMap::new();
        while let Some(record) = folder.poll_record() {
            prop_assert_eq!(check(&record), vec![]);
            told.entry(record.call_id).or_default().push(record);
        }
        prop_assert_eq!(folder.unfinished().count(), 0);
        prop_assert_eq!(told.len(), 4);
        for records in told.values() {
            prop_assert!(records.len() <= 2);
            prop_assert!(records.iter().zip(1..).all(|(record, revision)| record.revision == revision));
            prop_assert!(records.iter().rev().skip(1).all(|record| !record.is_final));
            prop_assert!(records.last().is_some_and(|record| record.is_final));
        }
    }
}

fn fold_all(events: Vec<(i64, Event)>) -> (Folder, Vec<CallRecord>) {
    let (mut folder, mut records) = (Folder::default(), Vec::new());
    for (seq, (wall_ms, event)) in (1..).zip(events) {
        folder.handle_entry(&Entry { seq, wall_ms, event });
        records.extend(std::iter::from_fn(|| folder.poll_record()));
    }
    (folder, records)
}

fn answered_call(id: CallId) -> Vec<(i64, Event)> {
    vec![
        (1_000, offered(id)),
        (1_100, step(id, 0, 0)),
        (2_000, step(id, 0, 1)),
        (2_500, step(id, 0, 4)),
        (3_000, step(id, 0, 6)),
        (5_000, step(id, 0, 8)),
        (7_000, step(id, 0, 10)),
        (8_000, step(id, 0, 11)),
    ]
}

#[test]
fn what_an_agent_does_in_another_call_at_once_ends_no_after_call_work() {
    let (id, other, agent) = (call(1), call(2), AgentId::from("1001"));
    let changed = |appearance, state| Event::AgentChanged { agent: agent.clone(), appearance, state };
    let mut events = answered_call(id);
    events.insert(5, (4_900, changed(0, AgentState::Talking { call: id })));
    let disposition = "answered".to_owned();
    events.push((9_000, Event::CallEnded { call: id, by: HangupBy::Caller, cause: Cause::normal(), disposition }));
    events.push((9_000, changed(0, AgentState::Acw { call: id, until_ms: 14_000 })));
    events.push((9_100, ended_leg(id)));
    for (at_ms, state) in [(10_000, AgentState::Talking { call: other }), (11_000, AgentState::Available)] {
        events.push((at_ms, changed(1, state)));
    }
    events.push((14_000, changed(0, AgentState::Available)));
    let (_, records) = fold_all(events);
    let told: Vec<_> = records.iter().map(|r| (r.revision, r.is_final, r.acw_ms)).collect();
    assert_eq!(told, [(1, false, 0), (2, true, 5_000)]);
}

#[test]
fn an_answered_call_is_told_twice_with_its_times() {
    let id = call(1);
    let agent = AgentId::from("1001");
    let mut events = answered_call(id);
    let ended =
        Event::CallEnded { call: id, by: HangupBy::Caller, cause: Cause::normal(), disposition: "answered".into() };
    events.push((9_000, ended));
    let acw = AgentState::Acw { call: id, until_ms: 14_000 };
    events.push((9_000, Event::AgentChanged { agent: agent.clone(), appearance: 0, state: acw }));
    events.push((14_000, Event::AcwEnded { call: id, agent: agent.clone() }));
    events.push((14_100, ended_leg(id)));
    let (_, records) = fold_all(events);
    let told: Vec<_> = records.iter().map(|r| (r.revision, r.is_final, r.acw_ms)).collect();
    assert_eq!(told, [(1, false, 0), (2, true, 5_000)]);
    let record = &records[1];
    assert_eq!((record.wait_ms, record.ring_ms, record.talk_ms, record.hold_ms), (3_000, 2_000, 3_000, 1_000));
    let segment = &record.segments[0];
    assert_eq!((segment.ring_ms, segment.talk_ms, segment.hold_ms), (2_000, 3_000, 1_000));
    assert_eq!((segment.answered, segment.end_reason), (Some(Wall(5_000)), SegmentEnd::Caller));
    assert_eq!(check(record), vec![]);
    let json = serde_json::to_value(record).unwrap();
    assert_eq!(json["final"], true);
    assert_eq!(json["disposition"], "answered");
    assert_eq!(json["agent_answered"], "1970-01-01T00:00:05.000+00:00");
}

#[test]
fn a_restart_closes_what_was_open() {
    let id = call(1);
    let (mut folder, records) = fold_all(answered_call(id));
    assert!(records.is_empty());
    assert_eq!(folder.open_calls().count(), 1);
    for event in folder.cut_by_restart() {
        folder.handle_entry(&Entry { seq: 99, wall_ms: 20_000, event });
    }
    let record = folder.poll_record().unwrap();
    assert_eq!((record.cause.text.as_str(), record.disposition), ("switch_restart", Disposition::Answered));
    assert_eq!((record.is_final, record.hangup_by, check(&record)), (true, HangupBy::Switch, vec![]));
}

#[test]
fn an_abandoned_call_is_final_with_its_leg() {
    let id = call(1);
    let mut events: Vec<_> = answered_call(id).into_iter().take(5).collect();
    let ended =
        Event::CallEnded { call: id, by: HangupBy::Caller, cause: Cause::normal(), disposition: "abandoned".into() };
    events.extend([(4_000, ended), (4_010, ended_leg(id))]);
    let (folder, records) = fold_all(events);
    assert_eq!(folder.unfinished().count(), 0);
    let [_, record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.is_final, record.wait_ms, record.ring_ms), (true, 2_000, 1_000));
    assert_eq!(record.segments[0].end_reason, SegmentEnd::CallerLeft);
}

#[test]
fn a_routed_call_speaks_without_a_segment_and_holds() {
    let id = call(1);
    let ended =
        Event::CallEnded { call: id, by: HangupBy::Caller, cause: Cause::normal(), disposition: "answered".into() };
    let events = vec![
        (1_000, offered(id)),
        (
            3_000,
            Event::PeerAnswered {
                call: id,
                codec_in: "pcmu".into(),
                codec_out: "pcma".into(),
                number: None,
                consulted: false,
            },
        ),
        (3_000, step(id, 0, 0)),
        (5_000, step(id, 0, 10)),
        (6_000, step(id, 0, 11)),
        (9_000, ended),
        (9_020, ended_leg(id)),
    ];
    let (folder, records) = fold_all(events);
    assert_eq!(folder.unfinished().count(), 0);
    let record = records.last().unwrap();
    assert_eq!((record.agent_answered, record.talk_ms, record.hold_ms), (Some(Wall(3_000)), 5_000, 1_000));
    assert_eq!((record.codec_in.as_deref(), record.codec_out.as_deref()), (Some("pcmu"), Some("pcma")));
    assert_eq!((record.segments.len(), record.wait_ms, check(record)), (0, 0, vec![]));
}

#[test]
fn the_final_revision_of_an_answered_call_holds_what_was_measured() {
    let id = call(1);
    let ended =
        Event::CallEnded { call: id, by: HangupBy::Caller, cause: Cause::normal(), disposition: "self_service".into() };
    let measured = Event::QualityMeasured {
        call: id,
        leg: LegId(1),
        mos: Some(4.2),
        loss: 0.0,
        jitter_ms: 1.0,
        round_trip_ms: Some(40.0),
        sent_loss: None,
        sent_jitter_ms: None,
    };
    let mut events = vec![(1_000, offered(id)), (1_100, step(id, 0, 0)), (2_000, ended.clone()), (2_010, measured)];
    let (mut folder, records) = fold_all(events.clone());
    assert_eq!(records.iter().map(|r| (r.revision, r.is_final)).collect::<Vec<_>>(), [(1, false)]);
    // A start in between: nothing more will be told of the leg.
    let started = Event::Started { node: "n".into(), boot: 2, version: "0".into() };
    folder.handle_entry(&Entry { seq: 9, wall_ms: 9_000, event: started });
    assert!(folder.poll_record().is_some_and(|record| record.is_final && record.quality.is_some()));
    events.push((2_020, ended_leg(id)));
    let (_, records) = fold_all(events);
    let last = records.last().unwrap();
    assert_eq!((last.revision, last.is_final, last.quality.as_ref().and_then(|q| q.mos)), (2, true, Some(4.2)));
    // A refused call has no leg to wait for.
    let (_, records) = fold_all(vec![(1_000, offered(id)), (1_001, ended)]);
    assert_eq!(records.iter().map(|r| (r.revision, r.is_final)).collect::<Vec<_>>(), [(1, true)]);
}
