//! Parked calls: who waits in a slot, who fetches whom, and what becomes of who is forgotten there.

use trunkline::journal::{HangupBy, SegmentEnd};
use trunkline::records::{CallRecord, Disposition};

use super::daemon::{Daemon, own_address, wait, without_acw};
use super::phone::Phone;
use super::queue::conversation;
use super::tone;
use super::transfer::{expect_outcome, hears, refer, segments};

const CALLER_HZ: f64 = 440.0;
const SECOND_HZ: f64 = 2_500.0;
const OTHER_HZ: f64 = 1_700.0;

/// 8500 to 8599 park and fetch; who is forgotten goes back to who has parked the call.
const SLOTS: &str = r#"
[number."85xx"]
flow = "park"
[flow.park]
start = "answer"
language = "zh"
[flow.park.step]
answer = { do = "answer", next = "slot" }
slot = { do = "park", slot = "{called}", for = "60s", timeout = "back", empty = "nobody" }
back = { do = "transfer", to = "{transferred_by}", failed = "gone" }
nobody = { do = "hangup", code = 404, cause = "nobody_parked" }
gone = { do = "hangup", cause = "forgotten" }
"#;

fn floor(longest: &str) -> Daemon {
    let slots = SLOTS.replace("60s", longest);
    Daemon::start_with(|plan| without_acw(plan) + &slots, &[])
}

/// The same, where the plan leads whoever calls 4002 to slot 8501.
fn floor_for_strangers() -> Daemon {
    let echo = "\n[flow.echo.step.echo]\ndo = \"echo\"\n";
    let slot = "\n[flow.echo.step.echo]\ndo = \"park\"\nslot = \"8501\"\ntimeout = \"taken\"\nempty = \"taken\"\n\
                [flow.echo.step.taken]\ndo = \"hangup\"\ncause = \"taken\"\n";
    let changes = |plan: String| {
        assert!(plan.contains(echo), "the demo's echo");
        without_acw(plan).replace(echo, slot) + SLOTS
    };
    Daemon::start_with(changes, &[])
}

/// A colleague's phone, registered.
fn colleague(daemon: &Daemon, user: &str) -> Phone {
    let mut phone = Phone::new(user, daemon.host, daemon.sip, SECOND_HZ);
    assert!(phone.register("demo", 300).is("200"));
    phone
}

/// An agent parks the call, and is out of it.
fn park(agent: &mut Phone, slot: &str) {
    assert!(refer(agent, &format!("sip:{slot}@anywhere")).is("202"));
    expect_outcome(agent, "SIP/2.0 200 OK");
    agent.expect_bye();
}

/// A user dials a slot and is answered; whether somebody is there is heard afterwards.
fn dial(phone: &mut Phone, slot: &str) {
    phone.invite_as(slot, "demo", "");
    assert!(phone.outcome().is("200"));
}

fn hears_music(phone: &Phone) {
    let music = || {
        let heard = phone.ear.hear(50);
        heard.iter().any(|sample| sample.unsigned_abs() > 200)
            && [1_000.0, SECOND_HZ].iter().all(|hz| tone::share(&heard, *hz) < 0.5)
    };
    wait(music, || "no music".to_owned());
}

fn until_state(daemon: &Daemon, index: usize, state: &str) {
    daemon.json_until("/api/v1/agents", |agents| agents["items"][index]["state"] == state);
}

fn until_parked(daemon: &Daemon) -> serde_json::Value {
    daemon.json_until("/api/v1/calls", |calls| calls["items"][0]["state"] == "parked")["items"][0].clone()
}

fn transfers(record: &CallRecord) -> Vec<(&str, Option<&str>)> {
    record.transfers.iter().map(|one| (one.from.as_str(), one.to.as_deref())).collect()
}

fn of<'a>(records: &'a [CallRecord], caller: &str) -> &'a CallRecord {
    records.iter().find(|record| record.caller == caller).expect("a record")
}

#[test]
fn a_colleague_fetches_the_call_by_the_number_at_which_it_was_parked() {
    let mut daemon = floor("60s");
    let (mut caller, mut first) = conversation(&daemon);
    let mut second = colleague(&daemon, "1002");
    park(&mut first, "8501");
    until_state(&daemon, 0, "available");
    hears_music(&caller);
    let line = until_parked(&daemon);
    assert_eq!(line["parked"], serde_json::json!({ "slot": "8501", "by": "1001" }), "{line}");
    dial(&mut second, "8501");
    assert!(hears(&caller, SECOND_HZ) && hears(&second, CALLER_HZ), "they speak at once");
    until_state(&daemon, 1, "not_ready");
    let line = daemon.json_until("/api/v1/calls", |calls| calls["items"].as_array().unwrap().len() == 1);
    assert_eq!(
        (&line["items"][0]["state"], &line["items"][0]["parked"]),
        (&"talking".into(), &serde_json::Value::Null)
    );
    caller.hang_up();
    second.expect_bye();
    until_state(&daemon, 1, "available");
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!(records.len(), 2, "{records:?}");
    let (parked, fetched) = (of(&records, "13800138000"), of(&records, "1002"));
    assert_eq!(
        (segments(parked), transfers(parked)),
        (vec![("1001", SegmentEnd::Transferred)], vec![("1001", Some("1002"))])
    );
    assert_eq!((parked.disposition, parked.hangup_by), (Disposition::Answered, HangupBy::Caller));
    assert!(
        parked.hold_ms > 0 && parked.talk_ms > parked.segments[0].talk_ms,
        "parked is held, fetched is talk: {parked:?}"
    );
    assert_eq!((fetched.cause.text.as_str(), fetched.disposition), ("fetched", Disposition::SelfService));
    assert_eq!((fetched.linked_id, fetched.talk_ms), (parked.call_id, 0));
    let recording = parked.recording.as_ref().expect("recorded");
    assert!(recording.written_ms.abs_diff(parked.talk_ms + parked.hold_ms) <= 100, "{parked:?}");
    let (_, agents) = tone::channels(&daemon.recording(parked));
    assert!(tone::share(&agents[agents.len() - 8_000..], SECOND_HZ) > 0.9, "who has fetched is on the agent's side");
}

#[test]
fn who_fetches_may_park_again_and_whom_the_caller_leaves_hangs_up() {
    let mut daemon = floor("60s");
    let (caller, mut first) = conversation(&daemon);
    let mut second = colleague(&daemon, "1002");
    park(&mut first, "8501");
    until_parked(&daemon);
    dial(&mut second, "8501");
    assert!(hears(&second, CALLER_HZ));
    park(&mut second, "8502");
    let line = until_parked(&daemon);
    assert_eq!(line["parked"], serde_json::json!({ "slot": "8502", "by": "1002" }), "{line}");
    until_state(&daemon, 1, "available");
    dial(&mut first, "8502");
    assert!(hears(&caller, 1_000.0) && hears(&first, CALLER_HZ));
    first.hang_up();
    caller.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let parked = of(&records, "13800138000");
    assert_eq!(transfers(parked), [("1001", Some("1002")), ("1002", Some("1001"))]);
    assert_eq!((records.len(), parked.hangup_by), (3, HangupBy::Agent));
    let recording = parked.recording.as_ref().expect("recorded");
    assert!(recording.written_ms.abs_diff(parked.talk_ms + parked.hold_ms) <= 100, "{parked:?}");
}

#[test]
fn nobody_gets_a_call_that_is_not_theirs_and_nobody_is_lost() {
    let mut daemon = floor_for_strangers();
    let (mut caller, mut first) = conversation(&daemon);
    let mut second = colleague(&daemon, "1002");
    // Nobody is parked there yet.
    dial(&mut second, "8501");
    second.expect_bye();
    park(&mut first, "8501");
    until_parked(&daemon);
    // A stranger whom the plan leads there gets nobody, and no password no call.
    let mut stranger = Phone::new("13700137000", own_address(), daemon.sip, OTHER_HZ);
    stranger.call("4002");
    stranger.expect_bye();
    stranger.invite("8501");
    let refused = stranger.outcome();
    assert!(refused.is("4"), "{refused:?}");
    // Another call that is parked there does not replace the first one: it comes back to who has handed it on.
    let mut other = Phone::new("13900139000", own_address(), daemon.sip, OTHER_HZ);
    other.call("4001");
    let invite = first.expect_invite();
    first.answer(&invite);
    assert!(refer(&mut first, "sip:8501@anywhere").is("202"));
    expect_outcome(&first, "SIP/2.0 200 OK");
    first.expect_bye();
    let invite = first.expect_again(&invite);
    first.answer(&invite);
    assert!(hears(&other, 1_000.0) && hears(&first, OTHER_HZ), "the second caller is back");
    hears_music(&caller);
    other.hang_up();
    first.expect_bye();
    // Who is parked hangs up: the slot is free, and the next one waits there.
    caller.hang_up();
    daemon.json_until("/api/v1/calls", |calls| calls["items"].as_array().unwrap().is_empty());
    dial(&mut second, "8501");
    second.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!(of(&records, "13700137000").cause.text, "taken");
    let parked = of(&records, "13800138000");
    assert_eq!((parked.disposition, transfers(parked)), (Disposition::Answered, vec![("1001", None)]));
    assert_eq!(transfers(of(&records, "13900139000")), [("1001", Some("1001"))]);
    let in_vain = records.iter().filter(|record| record.caller == "1002");
    assert!(in_vain.map(|record| record.cause.text.as_str()).eq(["nobody_parked"; 2]), "{records:?}");
}

#[test]
fn a_call_that_is_forgotten_goes_back_to_who_has_parked_it() {
    let mut daemon = floor("5s");
    let (mut caller, mut first) = conversation(&daemon);
    park(&mut first, "8501");
    until_parked(&daemon);
    let invite = first.expect_invite();
    assert!(invite.header("From").contains("13800138000"), "{invite:?}");
    first.answer(&invite);
    assert!(hears(&caller, 1_000.0) && hears(&first, CALLER_HZ));
    until_state(&daemon, 0, "not_ready");
    caller.hang_up();
    first.expect_bye();
    until_state(&daemon, 0, "available");
    daemon.until_idle();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(transfers(record), [("1001", Some("1001"))]);
    let recording = record.recording.as_ref().expect("recorded");
    assert!(recording.written_ms.abs_diff(record.talk_ms + record.hold_ms) <= 100, "{record:?}");
    assert!(record.path.ends_with(&["park.slot".to_owned(), "park.back".to_owned()]), "{:?}", record.path);
}
