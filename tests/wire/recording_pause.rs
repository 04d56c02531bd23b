//! Pause and resume of a recording: by the agent's phone, by its keys, by the API and by the dialplan. What is said meanwhile is in
//! no file, and silence of the right length stands for it.

use serde_json::Value;
use trunkline::journal::{PausedBy, RecordingState};
use trunkline::records::CallRecord;

use super::daemon::{Daemon, wait, without_acw};
use super::phone::Phone;
use super::queue::conversation;
use super::tone;
use super::transfer::{expect_outcome, refer};

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1_000.0;
/// What must be in no recording.
const SECRET_HZ: f64 = 1_477.0;

/// The recording's own record.
pub fn manifest(daemon: &Daemon, record: &CallRecord) -> Value {
    let id = &record.recording.as_ref().expect("recorded").id;
    let path = daemon.data_dir().join("recordings").join(format!("{id}.json"));
    serde_json::from_slice(&std::fs::read(path).expect("a manifest")).expect("JSON")
}

/// The names of a recording's cues, in order.
pub fn cues(manifest: &Value) -> Vec<String> {
    let cues = manifest["cues"].as_array().expect("a list");
    cues.iter().map(|cue| cue["cue"].as_str().expect("a name").to_owned()).collect()
}

/// Reads a secret to the other party once it is sure to be kept out, and waits until it was heard there.
fn read_out(from: &Phone, to: &Phone, own_hz: f64) {
    from.ear.sing(SECRET_HZ);
    to.ear.until(5, SECRET_HZ);
    to.ear.hear(30);
    from.ear.sing(own_hz);
    to.ear.until(5, own_hz);
}

/// What is in the one pause of the one record, and around it.
fn check(daemon: &Daemon, records: &[CallRecord], by: PausedBy) {
    let [record] = records else { panic!("{records:?}") };
    let recording = record.recording.as_ref().expect("recorded");
    assert_eq!(recording.state, Some(RecordingState::Complete));
    assert!(recording.written_ms.abs_diff(record.talk_ms) <= 100, "the pause is in it: {recording:?}");
    let [kept_out] = recording.pauses.as_slice() else { panic!("{recording:?}") };
    assert!(kept_out.by == by && kept_out.to.is_some(), "{kept_out:?}");
    let manifest = manifest(daemon, record);
    let [pause] = manifest["pauses"].as_array().expect("a list").as_slice() else { panic!("{manifest}") };
    assert_eq!(pause["late_ms"], 0, "{manifest}");
    assert_eq!(cues(&manifest), ["agent", "paused", "resumed"], "{manifest}");
    let place = |name: &str| pause[name].as_u64().expect("a place") as usize * 8;
    // A pause begins within its first millisecond.
    let (from, to) = (place("from_ms") + 8, place("to_ms"));
    let wall_ms = kept_out.to.expect("ended").0 - kept_out.from.0;
    assert!((to - from).abs_diff(wall_ms as usize * 8) <= 160, "{manifest} of {wall_ms} ms");
    let (left, right) = tone::channels(&daemon.recording(record));
    for (sound, hz) in [(left, CALLER_HZ), (right, AGENT_HZ)] {
        assert!(sound[from..to].iter().all(|sample| sample.unsigned_abs() <= 8), "silence stands for it");
        assert!(tone::share(&sound[from - 4_000..from - 8], hz) > 0.9, "sound before it");
        assert!(tone::share(&sound[to + 2_000..to + 6_000], hz) > 0.9, "sound after it");
        assert!(tone::share(&sound, SECRET_HZ) < 0.01, "the secret is nowhere");
    }
}

fn until_recording(daemon: &Daemon, state: &str) {
    daemon.json_until("/api/v1/calls", |calls| calls["items"][0]["recording"] == state);
}

#[test]
fn an_agents_phone_pauses_by_info_and_a_caller_may_not() {
    let mut daemon = Daemon::start();
    let (mut caller, mut agent) = conversation(&daemon);
    agent.ear.hear(50);
    until_recording(&daemon, "running");
    assert!(caller.within("INFO", "Record: off\r\n", "").is("403"), "it is the agent's to say");
    assert!(agent.within("INFO", "Record: perhaps\r\n", "").is("400"));
    let paused = agent.within("INFO", "Record: off\r\n", "");
    assert!(paused.is("200"), "{paused:?}");
    until_recording(&daemon, "paused");
    // A card number: said by the caller, typed by the agent, as events and as tones.
    read_out(&caller, &agent, CALLER_HZ);
    agent.ear.press('7');
    caller.ear.hear_events(3);
    read_out(&agent, &caller, AGENT_HZ);
    assert!(agent.within("INFO", "Record: off\r\n", "").is("200"), "again changes nothing");
    assert!(agent.within("INFO", "Record: on\r\n", "").is("200"));
    until_recording(&daemon, "running");
    agent.ear.hear(60);
    caller.hang_up();
    agent.expect_bye();
    let records = daemon.stop();
    check(&daemon, &records, PausedBy::Agent);
}

/// Presses keys one after the other; the other party has heard `before` keys by then.
fn dial(from: &Phone, to: &Phone, before: u64, keys: &str) {
    for (number, key) in (before + 1..).zip(keys.chars()) {
        from.ear.press(key);
        to.ear.hear_events(6 * number);
    }
}

#[test]
fn an_agents_keys_pause_from_the_first_of_them() {
    let mut daemon = Daemon::start();
    let (mut caller, agent) = conversation(&daemon);
    agent.ear.hear(50);
    // A caller's keys do nothing.
    dial(&caller, &agent, 0, "*1");
    until_recording(&daemon, "running");
    dial(&agent, &caller, 0, "*1");
    until_recording(&daemon, "paused");
    read_out(&caller, &agent, CALLER_HZ);
    dial(&agent, &caller, 2, "*2");
    until_recording(&daemon, "running");
    agent.ear.hear(60);
    caller.hang_up();
    agent.expect_bye();
    let records = daemon.stop();
    check(&daemon, &records, PausedBy::Agent);
}

/// Asks the API; gives the status and what it says.
fn post(daemon: &Daemon, path: &str, body: &str) -> (u16, Value) {
    let (status, _, answer) = daemon.http(&format!("POST {path}"), "Content-Type: application/json\r\n", body);
    (status, serde_json::from_slice(&answer).expect("JSON"))
}

#[test]
fn the_api_pauses_from_an_instant_that_has_passed() {
    let mut daemon = Daemon::start();
    let (mut caller, agent) = conversation(&daemon);
    agent.ear.hear(50);
    let calls = daemon.json("/api/v1/calls");
    let path = format!("/api/v1/calls/{}/recording", calls["items"][0]["call_id"].as_str().expect("a call"));
    assert_eq!(post(&daemon, &format!("{path}/pause"), r#"{"at": "noon"}"#).0, 400);
    // The form that asks for the card opens; the caller speaks at once, and the word to pause comes late.
    let opened = jiff::Timestamp::now();
    caller.ear.sing(SECRET_HZ);
    agent.ear.until(2, SECRET_HZ);
    let (status, call) = post(&daemon, &format!("{path}/pause"), &format!(r#"{{"at": "{opened}"}}"#));
    assert_eq!((status, &call["recording"]), (200, &Value::from("paused")), "{call}");
    agent.ear.hear(30);
    caller.ear.sing(CALLER_HZ);
    agent.ear.until(5, CALLER_HZ);
    let (status, call) = post(&daemon, &format!("{path}/resume"), "");
    assert_eq!((status, &call["recording"]), (200, &Value::from("running")), "{call}");
    agent.ear.hear(60);
    caller.hang_up();
    agent.expect_bye();
    daemon.until_idle();
    assert_eq!(post(&daemon, &format!("{path}/pause"), "").0, 404, "the call has ended");
    let told = format!("GET {}/manifest", path.replace("/calls/", "/records/"));
    wait(|| daemon.http(&told, "", "").0 == 200, || "no manifest".to_owned());
    let told: Value = serde_json::from_slice(&daemon.http(&told, "", "").2).expect("JSON");
    assert_eq!(cues(&told), ["agent", "paused", "resumed"], "{told}");
    let records = daemon.stop();
    check(&daemon, &records, PausedBy::Operator);
}

#[test]
fn a_call_that_is_not_recorded_has_nothing_to_pause() {
    let mut daemon = Daemon::start();
    let mut caller = super::queue::caller(&daemon);
    caller.call("4002");
    let calls = daemon.json_until("/api/v1/calls", |calls| calls["items"][0]["call_id"].is_string());
    assert_eq!(calls["items"][0]["recording"], Value::Null);
    let path = format!("/api/v1/calls/{}/recording/pause", calls["items"][0]["call_id"].as_str().expect("a call"));
    let (status, problem) = post(&daemon, &path, "");
    assert_eq!(status, 409, "{problem}");
    assert_eq!(post(&daemon, "/api/v1/calls/00000000000000000000000000/recording/resume", "").0, 404);
    caller.hang_up();
    daemon.stop();
}

/// The plan with a number for payment: what is said and pressed there is kept out, then the call goes back to agents.
fn with_payment(plan: String) -> String {
    without_acw(plan)
        + r#"
[number."4100"]
flow = "payment"

[flow.payment]
start = "answer"
language = "en"

[flow.payment.step.answer]
do = "answer"
next = "hush"

[flow.payment.step.hush]
do = "record"
state = "paused"
next = "card"

[flow.payment.step.card]
do = "menu"
prompt = "main_menu"
keys = { "7" = "paid" }
timeout = "30s"
no_input = "hangup"

[flow.payment.step.paid]
do = "play"
prompts = ["recording_notice"]
notice = true
next = "speak"

[flow.payment.step.speak]
do = "record"
state = "running"
next = "back"

[flow.payment.step.back]
do = "queue"
queue = "sales"
record = true

[flow.payment.step.hangup]
do = "hangup"
"#
}

#[test]
fn a_plan_keeps_a_payment_out_and_the_recording_goes_on_with_the_next_agent() {
    let mut daemon = Daemon::start_with(with_payment, &[]);
    let (mut caller, mut first) = conversation(&daemon);
    let mut second = super::queue::agent(&daemon, "1005");
    first.ear.hear(60);
    assert!(refer(&mut first, "sip:4100@anywhere").is("202"));
    expect_outcome(&first, "SIP/2.0 200 OK");
    first.expect_bye();
    until_recording(&daemon, "paused");
    caller.ear.sing(SECRET_HZ);
    caller.ear.hear(30);
    caller.ear.sing(CALLER_HZ);
    caller.ear.press('7');
    let invite = second.expect_invite();
    second.answer(&invite);
    second.ear.until(5, CALLER_HZ);
    until_recording(&daemon, "running");
    second.ear.hear(60);
    caller.hang_up();
    second.expect_bye();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let recording = record.recording.as_ref().expect("recorded");
    assert_eq!(recording.pauses.iter().map(|pause| pause.by).collect::<Vec<_>>(), [PausedBy::Transfer]);
    let manifest = manifest(&daemon, record);
    assert_eq!(cues(&manifest), ["agent", "paused", "handed_on", "agent", "resumed"], "{manifest}");
    assert_eq!(manifest["cues"][3]["agent"], "1005");
    let (left, right) = tone::channels(&daemon.recording(record));
    assert!(tone::share(&left, SECRET_HZ) < 0.01, "the secret is nowhere");
    let place = |cue: usize| manifest["cues"][cue]["at_ms"].as_u64().expect("a place") as usize * 8;
    assert!(left[place(1) + 8..place(4)].iter().all(|sample| sample.unsigned_abs() <= 8), "silence stands for it");
    assert!(tone::share(&right[place(4) + 2_000..place(4) + 6_000], AGENT_HZ) > 0.9, "the second agent");
}
