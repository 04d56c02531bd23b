//! An agent who takes two calls at once, on one phone with call waiting.

use std::time::Instant;

use serde_json::Value;
use trunkline::journal::SegmentEnd;
use trunkline::records::CallRecord;

use super::baresip::Baresip;
use super::daemon::{Daemon, PATIENCE, own_address, without_acw};
use super::phone::Phone;
use super::tone;
use super::transfer::segments;

const AGENT_HZ: f64 = 1_000.0;

fn until_appearances(daemon: &Daemon, wanted: &[&str]) {
    let shown = |agent: &Value| -> Vec<String> {
        let all = agent["appearances"].as_array();
        all.into_iter().flatten().filter_map(|one| one["state"].as_str().map(str::to_owned)).collect()
    };
    daemon.json_until("/api/v1/agents", |agents| shown(&agents["items"][0]) == wanted);
}

fn until_hears_agent(caller: &Phone, agent: &Baresip) {
    let since = Instant::now();
    while tone::share(&caller.ear.hear(50)[4_000..], AGENT_HZ) < 0.9 {
        assert!(since.elapsed() < PATIENCE, "the agent is not heard\n{}", agent.log());
    }
}

#[test]
fn a_phone_with_call_waiting_takes_two_callers_of_a_queue_and_each_has_a_record() {
    let two = |settings: String| {
        let agents = "[agent.\"1001-1004\"]\n";
        settings.replace(agents, &format!("{agents}capacity = 2\n"))
    };
    let host = own_address();
    let mut daemon = Daemon::start_set(host, two, without_acw, &[]);
    let account =
        format!("<sip:1001@{host}>;auth_user=1001;auth_pass=demo;answermode=manual;regint=300;audio_codecs=pcma");
    let agent = Baresip::registered(|| Baresip::start(&account, 1_000));
    until_appearances(&daemon, &["available", "available"]);
    let mut first = Phone::new("first", host, daemon.sip, 440.0);
    first.call("4001");
    until_appearances(&daemon, &["ringing", "available"]);
    agent.type_in("/accept\n");
    until_appearances(&daemon, &["talking", "available"]);
    until_hears_agent(&first, &agent);
    let mut second = Phone::new("second", host, daemon.sip, 700.0);
    second.call("4001");
    until_appearances(&daemon, &["talking", "ringing"]);
    let why = daemon.json_until("/api/v1/calls", |calls| calls["items"].as_array().is_some_and(|all| all.len() == 2));
    let why = why["items"][1]["presented"][0]["why"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("calls already 1"), "{why}");
    // The phone holds the first call by itself.
    agent.type_in("/accept\n");
    until_appearances(&daemon, &["hold", "talking"]);
    until_hears_agent(&second, &agent);
    assert!(tone::share(&first.ear.hear(50)[4_000..], AGENT_HZ) < 0.5, "music");
    let listed = daemon.run_command(&["agent", "list"]);
    let lines: Vec<&str> = listed.lines().filter(|line| line.contains(" call ")).collect();
    assert!(
        lines.len() == 2 && lines[0].contains("1001") && lines[0].contains("hold") && lines[1].contains("talking"),
        "{listed}"
    );
    second.hang_up();
    until_appearances(&daemon, &["hold", "available"]);
    agent.type_in("/resume\n");
    until_appearances(&daemon, &["talking", "available"]);
    until_hears_agent(&first, &agent);
    agent.type_in("/hangup\n");
    first.expect_bye();
    until_appearances(&daemon, &["available", "available"]);
    let records = daemon.stop();
    // In the order in which they ended.
    let [two, one] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((segments(one), segments(two)), (vec![("1001", SegmentEnd::Agent)], vec![("1001", SegmentEnd::Caller)]));
    assert!(one.hold_ms > 0 && two.hold_ms == 0, "{records:?}");
    assert!(one.is_final && two.is_final && one.acw_ms == 0 && two.acw_ms == 0, "{records:?}");
    let speaks = |record: &CallRecord| {
        let recording: Vec<u8> = daemon.recording(record);
        let (left, right) = tone::channels(&recording);
        let end = left.len() - 4_000..left.len() - 800;
        (
            tone::share(&left[end.clone()], if record.caller == "first" { 440.0 } else { 700.0 }),
            tone::share(&right[end], AGENT_HZ),
        )
    };
    for record in [one, two] {
        let (caller, agent) = speaks(record);
        assert!(caller > 0.9 && agent > 0.9, "{caller} {agent}: {record:?}");
    }
}
