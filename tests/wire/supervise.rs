//! A supervisor in a conversation: who hears whom, and what is left when somebody goes.

use trunkline::journal::HangupBy;
use trunkline::records::Disposition;

use super::daemon::{Daemon, wait};
use super::phone::Phone;
use super::queue::conversation;
use super::tone;
use super::transfer::refer;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1_000.0;
const SUPERVISOR_HZ: f64 = 2_500.0;

fn supervisor(daemon: &Daemon) -> Phone {
    let mut phone = Phone::new("1900", daemon.host, daemon.sip, SUPERVISOR_HZ);
    assert!(phone.register("demo", 300).is("200"));
    phone
}

/// The call that is up.
fn call_of(daemon: &Daemon) -> String {
    let calls = daemon.json_until("/api/v1/calls", |calls| !calls["items"].as_array().unwrap().is_empty());
    calls["items"][0]["call_id"].as_str().unwrap().to_owned()
}

/// The answer to the wish; a machine whose disk is busy confirms nothing for a while, and may be asked again.
fn ask(daemon: &Daemon, request: &str, body: &str) -> u16 {
    let mut status = 503;
    let again = || {
        status = daemon.http(request, "", body).0;
        status != 503
    };
    wait(again, || "wishes are refused".to_owned());
    status
}

fn supervise(daemon: &Daemon, call: &str, mode: &str) -> u16 {
    let request = format!("PUT /api/v1/calls/{call}/supervisors/1900");
    ask(daemon, &request, &format!("{{\"mode\": \"{mode}\"}}"))
}

/// Waits until a phone hears these tones and none of the others.
fn until_hears(phone: &Phone, wanted: &[f64], who: &str) {
    let mut shares = Vec::new();
    for _ in 0..12 {
        let heard = phone.ear.hear(50);
        shares = [CALLER_HZ, AGENT_HZ, SUPERVISOR_HZ].map(|hz| (hz, tone::share(&heard, hz))).to_vec();
        let fits = |(hz, share): &(f64, f64)| if wanted.contains(hz) { *share > 0.25 } else { *share < 0.02 };
        if shares.iter().all(fits) {
            return;
        }
    }
    panic!("{who} should hear {wanted:?} and hears {shares:?}");
}

/// A conversation, and a supervisor in it.
fn supervised(daemon: &Daemon, mode: &str) -> (Phone, Phone, Phone, String) {
    let mut third = supervisor(daemon);
    let (caller, agent) = conversation(daemon);
    let call = call_of(daemon);
    assert_eq!(supervise(daemon, &call, mode), 200);
    let invite = third.expect_invite();
    third.ring(&invite);
    third.answer(&invite);
    (caller, agent, third, call)
}

#[test]
fn who_monitors_whispers_and_barges_is_heard_by_nobody_by_the_agent_and_by_both() {
    let mut daemon = Daemon::start();
    let (mut caller, agent, mut third, call) = supervised(&daemon, "monitor");
    until_hears(&third, &[CALLER_HZ, AGENT_HZ], "the supervisor");
    until_hears(&caller, &[AGENT_HZ], "the caller");
    until_hears(&agent, &[CALLER_HZ], "the agent");
    assert_eq!(supervise(&daemon, &call, "whisper"), 200);
    until_hears(&agent, &[CALLER_HZ, SUPERVISOR_HZ], "the agent, whispered to");
    until_hears(&caller, &[AGENT_HZ], "the caller, who is not");
    until_hears(&third, &[CALLER_HZ, AGENT_HZ], "the supervisor, whispering");
    // The agent's keys reach the caller still.
    agent.ear.press('5');
    caller.ear.hear_events(3);
    assert_eq!(supervise(&daemon, &call, "barge"), 200);
    until_hears(&caller, &[AGENT_HZ, SUPERVISOR_HZ], "the caller, of three");
    until_hears(&agent, &[CALLER_HZ, SUPERVISOR_HZ], "the agent, of three");
    until_hears(&third, &[CALLER_HZ, AGENT_HZ], "the supervisor, of three");
    // Nobody who listens hands a call on.
    assert!(refer(&mut third, "sip:1002@anywhere").is("403"));
    third.hang_up();
    until_hears(&caller, &[AGENT_HZ], "the caller, alone with the agent again");
    until_hears(&agent, &[CALLER_HZ], "the agent, alone with the caller again");
    caller.hang_up();
    agent.expect_bye();
    let records = daemon.stop();
    let record = &records[0];
    assert_eq!((record.disposition, record.hangup_by), (Disposition::Answered, HangupBy::Caller));
    assert!(record.quality_agent.as_ref().is_some_and(|quality| quality.loss < 0.02));
    let (left, right) = tone::channels(&daemon.recording(record));
    assert!(tone::share(&left[4_000..], CALLER_HZ) > 0.9 && tone::share(&right[4_000..], AGENT_HZ) > 0.9);
}

#[test]
fn a_supervisor_takes_over_and_the_agent_is_out() {
    let mut daemon = Daemon::start();
    let (caller, agent, mut third, call) = supervised(&daemon, "whisper");
    until_hears(&agent, &[CALLER_HZ, SUPERVISOR_HZ], "the agent");
    let path = format!("POST /api/v1/calls/{call}/supervisors/1900/take_over");
    // Where it was done and not confirmed, it cannot be done again.
    assert!(matches!(ask(&daemon, &path, ""), 204 | 404));
    agent.expect_bye();
    until_hears(&caller, &[SUPERVISOR_HZ], "the caller");
    until_hears(&third, &[CALLER_HZ], "the supervisor");
    third.hang_up();
    caller.expect_bye();
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::Answered);
    assert_eq!(records[0].segments.len(), 1);
    let (_, right) = tone::channels(&daemon.recording(&records[0]));
    assert!(tone::share(&right[right.len() - 8_000..], SUPERVISOR_HZ) > 0.9, "the supervisor is on the agent's side");
}

#[test]
fn supervision_ends_with_the_conversation_and_is_refused_where_there_is_none() {
    let mut daemon = Daemon::start();
    let (mut caller, agent, third, call) = supervised(&daemon, "barge");
    until_hears(&third, &[CALLER_HZ, AGENT_HZ], "the supervisor");
    assert_eq!(supervise(&daemon, &call, "shout"), 400);
    caller.hang_up();
    third.expect_bye();
    agent.expect_bye();
    daemon.json_until("/api/v1/calls", |calls| calls["items"].as_array().unwrap().is_empty());
    assert_eq!(supervise(&daemon, &call, "monitor"), 404);
    assert_eq!(ask(&daemon, &format!("DELETE /api/v1/calls/{call}/supervisors/1900"), ""), 404);
    // A phone that will not have it leaves the conversation as it was.
    let mut caller = super::queue::caller(&daemon);
    caller.call("4002");
    let call = call_of(&daemon);
    assert_eq!(supervise(&daemon, &call, "monitor"), 409, "an echo is no conversation");
    caller.hang_up();
    assert_eq!(daemon.stop().len(), 2);
}

#[test]
fn a_supervisor_who_does_not_want_to_or_leaves_by_command_changes_nothing_for_the_others() {
    let mut daemon = Daemon::start();
    let mut third = supervisor(&daemon);
    let (caller, mut agent) = conversation(&daemon);
    let call = call_of(&daemon);
    assert_eq!(supervise(&daemon, &call, "barge"), 200);
    let invite = third.expect_invite();
    third.refuse(&invite, "486 Busy Here", "");
    third.expect("ACK", |text| text.is("ACK"));
    until_hears(&caller, &[AGENT_HZ], "the caller");
    assert_eq!(supervise(&daemon, &call, "barge"), 200);
    let invite = third.expect_invite();
    third.answer(&invite);
    until_hears(&caller, &[AGENT_HZ, SUPERVISOR_HZ], "the caller, of three");
    assert!(matches!(ask(&daemon, &format!("DELETE /api/v1/calls/{call}/supervisors/1900"), ""), 204 | 404));
    third.expect_bye();
    until_hears(&caller, &[AGENT_HZ], "the caller, after");
    agent.hang_up();
    caller.expect_bye();
    assert_eq!(daemon.stop().len(), 1);
}

#[test]
fn an_agent_who_is_freed_is_in_the_state_that_was_asked_for_and_the_call_is_over() {
    // With after-call work, which is not begun.
    let mut daemon = Daemon::start_with(|plan| plan, &[]);
    let (caller, agent) = conversation(&daemon);
    daemon.json_until("/api/v1/agents", |agents| agents["items"][0]["state"] == "talking");
    let state = "PUT /api/v1/agents/1001/state";
    assert_eq!(ask(&daemon, state, "{\"state\": \"not_ready\"}"), 200);
    assert!(super::transfer::hears(&caller, AGENT_HZ), "a wish waits for the end of the call");
    assert_eq!(ask(&daemon, state, "{\"state\": \"not_ready\", \"now\": true}"), 200);
    agent.expect_bye();
    caller.expect_bye();
    let line = daemon.json_until("/api/v1/agents", |agents| agents["items"][0]["state"] == "not_ready");
    assert_eq!(line["items"][0]["reason"], "supervisor");
    daemon.until_idle();
    assert!(!daemon.journal_has("\"state\":\"acw\""), "no after-call work");
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.disposition, record.hangup_by), (Disposition::Answered, HangupBy::Switch));
    assert_eq!((record.cause.text.as_str(), record.acw_ms, record.is_final), ("agent_freed", 0, true));
    assert_eq!(record.segments[0].end_reason, trunkline::journal::SegmentEnd::Switch);
}
