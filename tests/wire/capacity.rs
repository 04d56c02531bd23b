//! An agent who takes two calls at once, on one phone with call waiting.

use std::time::Instant;

use serde_json::Value;
use trunkline::journal::SegmentEnd;
use trunkline::records::CallRecord;

use super::baresip::Baresip;
use super::daemon::{Daemon, PATIENCE, own_address, without_acw};
use super::phone::Phone;
use super::queue::conversation;
use super::tone;
use super::transfer::{escaped, expect_outcome, hears, refer, segments};

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

fn with_two_calls(settings: String) -> String {
    let agents = "[agent.\"1001-1004\"]\n";
    assert!(settings.contains(agents));
    settings.replace(agents, &format!("{agents}capacity = 2\n"))
}

#[test]
fn a_consultation_is_about_the_call_that_was_held_for_it_and_its_caller_is_handed_on() {
    // A number that the trunk does not have: who dials it proves to be the agent.
    let plan = |plan| without_acw(plan) + "\n[number.\"5005\"]\nflow = \"sales_direct\"\n";
    let mut daemon = Daemon::start_set(own_address(), with_two_calls, plan, &[]);
    let (mut first, mut desk) = conversation(&daemon);
    assert!(desk.modify("a=sendonly\r\n").is("200"), "the first caller is put on hold");
    // The second one comes to another socket of the same agent.
    let mut beside = Phone::new("1001", daemon.host, daemon.sip, AGENT_HZ);
    let without_the_first = format!("Contact: <sip:1001@{}>;expires=0\r\n", desk.local());
    assert!(beside.register_with("demo", &without_the_first).is("200"));
    let mut second = Phone::new("second", daemon.host, daemon.sip, 700.0);
    second.call("4001");
    let invite = beside.expect_invite();
    beside.answer(&invite);
    until_appearances(&daemon, &["hold", "talking"]);
    assert!(beside.modify("a=sendonly\r\n").is("200"), "and so is the second");
    let mut colleague = Phone::new("1005", daemon.host, daemon.sip, 2_500.0);
    assert!(colleague.register("demo", 300).is("200"));
    let mut line = Phone::new("1001", daemon.host, daemon.sip, AGENT_HZ);
    line.invite_as("5005", "demo", "");
    let answer = line.expect("200", |text| text.is("200") && text.header("CSeq").ends_with("INVITE"));
    line.confirm(&answer);
    let invite = colleague.expect_invite();
    colleague.answer(&invite);
    assert!(hears(&line, 2_500.0), "they consult");
    let to = format!("sip:5005@anywhere?Replaces={}", escaped(&line));
    assert!(refer(&mut beside, &to).is("202"));
    expect_outcome(&beside, "SIP/2.0 200 OK");
    beside.expect_bye();
    line.expect_bye();
    assert!(hears(&second, 2_500.0) && hears(&colleague, 700.0), "both far ends are joined");
    let resumed = desk.modify("a=sendrecv\r\n");
    assert!(resumed.is("200"), "the first call is as it was: {resumed:?}");
    assert!(hears(&first, 1_000.0));
    second.hang_up();
    colleague.expect_bye();
    first.hang_up();
    desk.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let of = |caller: &str| records.iter().find(|record| record.caller == caller).expect("a record");
    let (consulted, about) = (of("1001"), of("second"));
    assert_eq!(consulted.linked_id, about.call_id, "asked about the second call: {records:?}");
    assert_eq!(segments(about), [("1001", SegmentEnd::Transferred), ("1005", SegmentEnd::Caller)]);
}

#[test]
fn a_phone_with_call_waiting_takes_two_callers_of_a_queue_and_each_has_a_record() {
    let host = own_address();
    let mut daemon = Daemon::start_set(host, with_two_calls, without_acw, &[]);
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
    // The phone resumes the first call by itself.
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
