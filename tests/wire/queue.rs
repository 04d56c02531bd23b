//! From the queue to an agent and back: both hear each other, the record and the recording say so.

use trunkline::id::AgentId;
use trunkline::journal::{Consent, HangupBy, RecordingState, SegmentEnd};
use trunkline::records::Disposition;

use super::daemon::{Daemon, without_acw};
use super::phone::Phone;
use super::tone;

pub const CALLER_HZ: f64 = 440.0;
pub const AGENT_HZ: f64 = 1_000.0;

/// An agent's phone, registered.
pub fn agent(daemon: &Daemon, user: &str) -> Phone {
    let mut phone = Phone::new(user, daemon.host, daemon.sip, AGENT_HZ);
    let answer = phone.register("demo", 300);
    assert!(answer.is("200"), "{answer:?}");
    phone
}

pub fn caller(daemon: &Daemon) -> Phone {
    Phone::new("13800138000", daemon.host, daemon.sip, CALLER_HZ)
}

/// A caller in conversation with an agent out of queue support.
pub fn conversation(daemon: &Daemon) -> (Phone, Phone) {
    let (mut agent, mut caller) = (agent(daemon, "1001"), caller(daemon));
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.ring(&invite);
    agent.answer(&invite);
    (caller, agent)
}

#[test]
fn both_hear_each_other_and_leave_a_record_and_a_recording() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    let answer = caller.call("4001");
    assert!(caller.ear.hear(25).iter().any(|s| s.unsigned_abs() > 500), "the notice is heard");
    let invite = agent.expect_invite();
    assert!(invite.header("From").contains("13800138000") && invite.header("From").contains("support"), "{invite:?}");
    assert_ne!(invite.rtp(), answer.rtp(), "each leg has ports of its own");
    agent.ring(&invite);
    agent.answer(&invite);
    let (by_caller, by_agent) = (caller.ear.hear(100), agent.ear.hear(100));
    assert!(tone::share(&by_agent[8_000..], CALLER_HZ) > 0.9, "the agent hears the caller");
    assert!(tone::share(&by_caller[8_000..], AGENT_HZ) > 0.9, "the caller hears the agent");
    caller.ear.press('5');
    agent.ear.hear_events(3);
    caller.hang_up();
    agent.expect_bye();

    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.disposition, record.hangup_by), (Disposition::Answered, HangupBy::Caller));
    assert_eq!(record.trunk.as_ref().map(|trunk| trunk.as_str()), Some("carrier"));
    assert_eq!((record.caller.as_str(), record.called.as_str()), ("13800138000", "4001"));
    assert_eq!(record.queue.as_ref().map(|queue| queue.as_str()), Some("support"));
    assert!(record.talk_ms >= 1_900 && record.ring_ms <= record.wait_ms && record.is_final, "{record:?}");
    assert_eq!(record.segments[0].agent, AgentId::from("1001"));
    assert_eq!(record.segments[0].end_reason, SegmentEnd::Caller);
    let quality = record.quality.as_ref().expect("measured");
    assert!(quality.mos.is_some_and(|mos| mos > 4.0), "{quality:?}");
    let recording = record.recording.as_ref().expect("recorded");
    assert_eq!((recording.state, recording.consent), (Some(RecordingState::Complete), Consent::Announced));
    assert!(recording.written_ms.abs_diff(record.talk_ms) <= 100, "{recording:?} of {} ms", record.talk_ms);
    let wav = daemon.recording(record);
    let (left, right) = tone::channels(&wav);
    let middle = left.len() / 4..left.len() * 3 / 4;
    assert!(tone::share(&left[middle.clone()], CALLER_HZ) > 0.9, "the caller is on the left");
    assert!(tone::share(&right[middle], AGENT_HZ) > 0.9, "the agent is on the right");
    assert_eq!(recording.sha256.as_deref(), Some(sha256(&wav).as_str()));
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_agent_who_does_not_answer_is_taken_out_and_the_next_one_rings() {
    let mut daemon = Daemon::start_with(|plan| without_acw(plan).replacen("ring = \"15s\"", "ring = \"1s\"", 1), &[]);
    let mut first = agent(&daemon, "1001");
    let mut second = agent(&daemon, "1002");
    let mut caller = caller(&daemon);
    caller.call("4001");
    let invite = first.expect_invite();
    first.ring(&invite);
    let cancel = first.expect("CANCEL", |text| text.is("CANCEL"));
    first.reply(&cancel, "200 OK", "");
    first.reply_tagged(&invite, "487 Request Terminated", "");
    let invite = second.expect_invite();
    second.ring(&invite);
    second.answer(&invite);
    assert!(tone::share(&caller.ear.hear(60)[4_800..], AGENT_HZ) > 0.9);
    second.hang_up();
    caller.expect_bye();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let ends: Vec<_> = record.segments.iter().map(|s| (s.agent.as_str(), s.end_reason)).collect();
    assert_eq!(ends, [("1001", SegmentEnd::NoAnswer), ("1002", SegmentEnd::Agent)]);
    assert_eq!(record.hangup_by, HangupBy::Agent);
    assert!(record.segments[0].ring_ms >= 900, "{record:?}");
}

#[test]
fn a_busy_or_refusing_agent_passes_the_call_on() {
    let mut daemon = Daemon::start();
    let mut first = agent(&daemon, "1001");
    let mut second = agent(&daemon, "1002");
    let mut caller = caller(&daemon);
    caller.call("4001");
    let invite = first.expect_invite();
    first.reply_tagged(&invite, "486 Busy Here", "");
    let invite = second.expect_invite();
    second.answer(&invite);
    caller.ear.hear(10);
    caller.hang_up();
    second.expect_bye();
    let records = daemon.stop();
    assert_eq!(records[0].segments[0].end_reason, SegmentEnd::Busy, "{:?}", records[0]);
}

#[test]
fn hold_plays_music_and_is_counted_while_the_recording_runs_on() {
    let mut daemon = Daemon::start();
    let (caller, mut agent) = conversation(&daemon);
    caller.ear.hear(30);
    let held = agent.modify("a=sendonly\r\n");
    assert!(held.is("200") && held.0.contains("a=recvonly"), "{held:?}");
    let music = caller.ear.hear(60);
    assert!(tone::share(&music[4_800..], AGENT_HZ) < 0.5, "the caller hears no agent");
    assert!(music[4_800..].iter().any(|sample| sample.unsigned_abs() > 200), "but music");
    let resumed = agent.modify("a=sendrecv\r\n");
    assert!(resumed.is("200"), "{resumed:?}");
    assert!(tone::share(&caller.ear.hear(60)[4_800..], AGENT_HZ) > 0.9, "and the agent again");
    agent.hang_up();
    caller.expect_bye();
    let records = daemon.stop();
    let record = &records[0];
    assert!(record.hold_ms >= 1_000 && record.talk_ms >= 1_000, "{record:?}");
    let recording = record.recording.as_ref().expect("recorded");
    assert!(recording.written_ms.abs_diff(record.talk_ms + record.hold_ms) <= 100, "{recording:?}");
}

#[test]
fn after_call_work_keeps_the_next_call_away_until_it_ends() {
    let mut daemon = Daemon::start_with(|plan| plan.replacen("acw = \"5s\"", "acw = \"2s\"", 1), &[]);
    let (mut caller, mut agent) = conversation(&daemon);
    caller.ear.hear(10);
    caller.hang_up();
    agent.expect_bye();
    let mut next = self::caller(&daemon);
    next.call("4001");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    next.hang_up();
    agent.expect_bye();
    agent.register("demo", 0);
    let records = daemon.stop();
    let acw = records.iter().map(|record| record.acw_ms).max();
    assert!(acw.is_some_and(|acw| (1_950..3_000).contains(&acw)), "{records:?}");
}

#[test]
fn strangers_packets_reach_nobody_while_the_parties_speak() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    let answer = caller.call("4001");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    caller.ear.hear(30);
    let stranger = super::rtp::Ear::open(super::daemon::own_address(), 2_500.0);
    for target in [answer.rtp(), invite.rtp()] {
        stranger.speak_to(target);
        let (by_agent, by_caller) = (agent.ear.hear(60), caller.ear.hear(60));
        assert!(tone::share(&by_agent, 2_500.0) < 0.01 && tone::share(&by_agent[1_600..], CALLER_HZ) > 0.9);
        assert!(tone::share(&by_caller, 2_500.0) < 0.01 && tone::share(&by_caller[1_600..], AGENT_HZ) > 0.9);
    }
    caller.hang_up();
    agent.expect_bye();
    daemon.stop();
}
