//! Calls that an agent's phone has placed: handed on by REFER, joined with one another, taken over to another phone.

use trunkline::journal::{HangupBy, SegmentEnd};
use trunkline::records::{CallRecord, Disposition};

use super::daemon::{Daemon, own_address, without_acw};
use super::phone::Phone;
use super::queue::agent;
use super::transfer::{escaped, expect_outcome, hears, refer, segments};

const AGENT_HZ: f64 = 1_000.0;
const FIRST_HZ: f64 = 440.0;
const SECOND_HZ: f64 = 2_500.0;

/// A floor whose agents reach one phone outside by numbers that begin with 9, recorded, and another one by 8.
fn floor() -> (Daemon, Phone, Phone) {
    let host = own_address();
    let phone = |number: &str, hz| Phone::new(number, host, (host, 5060).into(), hz);
    let (first, second) = (phone("9001", FIRST_HZ), phone("8001", SECOND_HZ));
    let route = |prefix: &str, phone: &Phone, record: bool| {
        format!("\n[[route]]\nprefix = \"{prefix}\"\ntarget = \"{}\"\nrecord = {record}\n", phone.local())
    };
    let routes = route("9", &first, true) + &route("8", &second, false);
    (Daemon::start_set(host, |settings| settings + &routes, without_acw, &[]), first, second)
}

/// Agent 1001 in a call that the agent has placed.
fn placed(daemon: &Daemon, outside: &mut Phone) -> Phone {
    let mut phone = agent(daemon, "1001");
    call(&mut phone, outside);
    phone
}

fn call(phone: &mut Phone, outside: &mut Phone) {
    phone.invite_as(&outside.user.clone(), "demo", "");
    let invite = outside.expect_invite();
    outside.answer(&invite);
    assert!(phone.outcome().is("200"));
}

/// The state of agent 1001 + `index`, once it is that.
fn until_state(daemon: &Daemon, index: usize, state: &str) {
    daemon.json_until("/api/v1/agents", |agents| agents["items"][index]["state"] == state);
}

fn transfers(record: &CallRecord) -> Vec<(&str, Option<&str>)> {
    record.transfers.iter().map(|one| (one.from.as_str(), one.to.as_deref())).collect()
}

#[test]
fn it_goes_on_by_a_route_and_the_agent_is_free() {
    let (mut daemon, mut first, mut second) = floor();
    let mut phone = placed(&daemon, &mut first);
    until_state(&daemon, 0, "not_ready");
    assert!(hears(&first, AGENT_HZ));
    assert!(refer(&mut phone, "sip:8001@anywhere").is("202"));
    let invite = second.expect_invite();
    assert!(invite.header("From").contains("sip:9001@"), "who is handed on is shown: {invite:?}");
    first.ear.hear(10);
    second.answer(&invite);
    expect_outcome(&phone, "SIP/2.0 200 OK");
    phone.expect_bye();
    until_state(&daemon, 0, "available");
    assert!(hears(&first, SECOND_HZ) && hears(&second, FIRST_HZ));
    first.hang_up();
    second.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(transfers(record), [("1001", Some("8001"))]);
    assert_eq!((record.disposition, record.hangup_by), (Disposition::Answered, HangupBy::Caller));
    assert!(record.segments.is_empty() && record.hold_ms > 0, "{record:?}");
    let recording = record.recording.as_ref().expect("recorded until it went where nothing is");
    assert!(recording.written_ms < record.talk_ms + record.hold_ms, "{record:?}");
}

#[test]
fn it_goes_on_to_a_queue_whose_agent_has_the_segment() {
    let (mut daemon, mut first, _second) = floor();
    let mut phone = placed(&daemon, &mut first);
    let mut taker = Phone::new("1002", daemon.host, daemon.sip, SECOND_HZ);
    assert!(taker.register("demo", 300).is("200"));
    assert!(refer(&mut phone, "sip:*72@anywhere").is("404"), "a code is nothing for the outside");
    assert!(refer(&mut phone, "sip:4001@anywhere").is("202"));
    expect_outcome(&phone, "SIP/2.0 200 OK");
    phone.expect_bye();
    let invite = taker.expect_invite();
    taker.answer(&invite);
    assert!(hears(&first, SECOND_HZ) && hears(&taker, FIRST_HZ));
    taker.hang_up();
    first.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(
        (segments(record), transfers(record)),
        (vec![("1002", SegmentEnd::Agent)], vec![("1001", Some("1002"))])
    );
}

#[test]
fn it_goes_on_to_a_colleague_or_comes_back() {
    let (mut daemon, mut first, mut second) = floor();
    let mut phone = placed(&daemon, &mut first);
    let mut colleague = Phone::new("1002", daemon.host, daemon.sip, SECOND_HZ);
    assert!(refer(&mut phone, "sip:1002@anywhere").is("480"), "nobody is there");
    assert!(refer(&mut phone, "sip:1001@anywhere").is("404"), "the agent's own name");
    assert!(refer(&mut first, "sip:8001@anywhere").is("403"), "nobody from outside hands a call on");
    assert!(colleague.register("demo", 300).is("200"));
    assert!(refer(&mut phone, "sip:1002@anywhere").is("202"));
    let invite = colleague.expect_invite();
    colleague.reply_tagged(&invite, "603 Decline", "");
    expect_outcome(&phone, "SIP/2.0 603 Decline");
    first.ear.until(30, AGENT_HZ);
    assert!(hears(&phone, FIRST_HZ), "they speak on");
    // Nor does whoever was handed on in vain.
    assert!(refer(&mut first, "sip:8001@anywhere").is("403"));
    call(&mut colleague, &mut second);
    assert!(refer(&mut phone, "sip:1002@anywhere").is("486"), "the colleague is in a call");
    colleague.hang_up();
    second.expect_bye();
    until_state(&daemon, 1, "available");
    assert!(refer(&mut phone, "sip:1002@anywhere").is("202"));
    let invite = colleague.expect_again(&invite);
    colleague.ring(&invite);
    until_state(&daemon, 1, "not_ready");
    colleague.answer(&invite);
    expect_outcome(&phone, "SIP/2.0 200 OK");
    phone.expect_bye();
    assert!(hears(&first, SECOND_HZ) && hears(&colleague, FIRST_HZ));
    colleague.hang_up();
    first.expect_bye();
    daemon.until_idle();
    until_state(&daemon, 1, "available");
    let records = daemon.stop();
    let record = records.iter().find(|record| record.caller == "1001").expect("a record");
    assert_eq!((transfers(record), record.hangup_by), (vec![("1001", Some("1002"))], HangupBy::Agent));
    let recording = record.recording.as_ref().expect("recorded");
    assert!(recording.written_ms.abs_diff(record.talk_ms + record.hold_ms) <= 100, "{record:?}");
}

#[test]
fn two_of_them_are_joined_and_belong_together() {
    let (mut daemon, mut first, mut second) = floor();
    let mut phone = placed(&daemon, &mut first);
    assert!(phone.modify("a=sendonly\r\n").is("200"));
    let mut line = Phone::new("1001", daemon.host, daemon.sip, AGENT_HZ);
    call(&mut line, &mut second);
    assert!(hears(&second, AGENT_HZ), "they consult");
    let to = format!("sip:8001@anywhere?Replaces={}", escaped(&line));
    assert!(refer(&mut phone, &to).is("202"));
    expect_outcome(&phone, "SIP/2.0 200 OK");
    phone.expect_bye();
    line.expect_bye();
    assert!(hears(&first, SECOND_HZ) && hears(&second, FIRST_HZ));
    until_state(&daemon, 0, "available");
    second.hang_up();
    first.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let of = |called: &str| records.iter().find(|record| record.called == called).expect("a record");
    let (record, consulted) = (of("9001"), of("8001"));
    assert_eq!(transfers(record), [("1001", Some("8001"))]);
    assert_eq!((record.linked_id, consulted.linked_id), (record.call_id, record.call_id));
    assert_eq!(consulted.cause.text, "transferred");
}

#[test]
fn it_moves_to_another_phone_of_the_same_account_and_to_no_other() {
    let (mut daemon, mut first, mut second) = floor();
    let phone = placed(&daemon, &mut first);
    let wanted = format!("Replaces: {}\r\n", phone.dialog());
    let mut stranger = Phone::new("1002", daemon.host, daemon.sip, SECOND_HZ);
    for dialog in [phone.dialog(), first.dialog()] {
        stranger.invite_as("1001", "demo", &format!("Replaces: {dialog}\r\n"));
        assert!(stranger.outcome().is("603"), "{dialog}");
    }
    let mut softphone = Phone::new("1001", daemon.host, daemon.sip, SECOND_HZ);
    softphone.invite_as("1001", "demo", &wanted);
    assert!(softphone.outcome().is("200"));
    phone.expect_bye();
    assert!(hears(&first, SECOND_HZ) && hears(&softphone, FIRST_HZ));
    until_state(&daemon, 0, "not_ready");
    assert!(softphone.modify("a=sendonly\r\n").is("200"), "it holds as the phone before did");
    assert!(refer(&mut softphone, "sip:8001@anywhere").is("202"), "and hands the call on");
    let invite = second.expect_invite();
    second.answer(&invite);
    softphone.expect("BYE", |text| {
        if text.is("NOTIFY") || text.is("BYE") {
            softphone.reply(text, "200 OK", "");
        }
        text.is("BYE")
    });
    assert!(hears(&first, SECOND_HZ));
    until_state(&daemon, 0, "available");
    first.hang_up();
    second.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.caller.as_str(), transfers(record)), ("1001", vec![("1001", Some("8001"))]));
}

#[test]
fn a_colleague_who_was_asked_by_name_has_the_call_and_is_free_after_it() {
    let mut daemon = Daemon::start();
    let (mut caller, mut first) = super::queue::conversation(&daemon);
    let mut colleague = Phone::new("1002", daemon.host, daemon.sip, SECOND_HZ);
    assert!(colleague.register("demo", 300).is("200"));
    assert!(first.modify("a=sendonly\r\n").is("200"));
    let mut line = Phone::new("1001", daemon.host, daemon.sip, AGENT_HZ);
    call(&mut line, &mut colleague);
    let to = format!("sip:1002@anywhere?Replaces={}", escaped(&line));
    assert!(refer(&mut first, &to).is("202"));
    expect_outcome(&first, "SIP/2.0 200 OK");
    first.expect_bye();
    line.expect_bye();
    assert!(hears(&caller, SECOND_HZ) && hears(&colleague, super::queue::CALLER_HZ));
    until_state(&daemon, 1, "not_ready");
    caller.hang_up();
    colleague.expect_bye();
    until_state(&daemon, 1, "available");
    daemon.until_idle();
    let records = daemon.stop();
    let record = records.iter().find(|record| record.caller == "13800138000").expect("a record");
    assert_eq!(transfers(record), [("1001", Some("1002"))]);
}
