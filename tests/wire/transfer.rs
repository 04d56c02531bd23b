//! An agent hands a call on by REFER: the caller goes on, the agent's phone is told and let go, the record says who had the call.

use trunkline::journal::{RecordingState, SegmentEnd};
use trunkline::records::{CallRecord, Disposition};

use super::daemon::{Daemon, own_address, without_acw};
use super::phone::{Phone, Text};
use super::queue::conversation;
use super::tone;

const CALLER_HZ: f64 = 440.0;
const FIRST_HZ: f64 = 1_000.0;
const SECOND_HZ: f64 = 2_500.0;

/// Another agent's phone, registered.
fn second(daemon: &Daemon, user: &str) -> Phone {
    let mut phone = Phone::new(user, daemon.host, daemon.sip, SECOND_HZ);
    assert!(phone.register("demo", 300).is("200"));
    phone
}

/// A floor that sends numbers beginning with 9 to a phone that is no agent's, where agents may call; the floor and the phone.
fn with_route() -> (Daemon, Phone) {
    let host = own_address();
    let target = Phone::new("9001", host, (host, 5060).into(), SECOND_HZ);
    let route = format!("\n[[route]]\nprefix = \"9\"\ntarget = \"{}\"\nrecord = true\n", target.local());
    (Daemon::start_set(host, |settings| settings + &route, without_acw, &[]), target)
}

/// The dialog of a phone's call as the URI of a Refer-To names it.
pub fn escaped(phone: &Phone) -> String {
    phone.dialog().replace(';', "%3B").replace('=', "%3D")
}

pub fn refer(phone: &mut Phone, to: &str) -> Text {
    phone.within("REFER", &format!("Refer-To: <{to}>\r\nReferred-By: <sip:{}@h>\r\n", phone.user), "")
}

/// What came of a REFER: two NOTIFYs, answered, of which the first one says that it is tried.
pub fn expect_outcome(phone: &Phone, line: &str) {
    let first = phone.expect("NOTIFY", |text| text.is("NOTIFY"));
    phone.reply(&first, "200 OK", "");
    assert_eq!(told(&first).0, "SIP/2.0 100 Trying");
    assert!(told(&first).1.starts_with("active;expires="), "{first:?}");
    let repeats = first.header("CSeq");
    let last = phone.expect("the last NOTIFY", |text| text.is("NOTIFY") && text.header("CSeq") != repeats);
    phone.reply(&last, "200 OK", "");
    assert_eq!(told(&last), (line, "terminated;reason=noresource"));
}

/// A NOTIFY's status line and its Subscription-State.
fn told(notify: &Text) -> (&str, &str) {
    assert!(notify.header("Event").starts_with("refer;id="), "{notify:?}");
    assert!(notify.header("Content-Type").starts_with("message/sipfrag"), "{notify:?}");
    let body = notify.0.split("\r\n\r\n").nth(1).expect("a body").trim();
    (body, notify.header("Subscription-State"))
}

pub fn hears(phone: &Phone, hz: f64) -> bool {
    tone::share(&phone.ear.hear(80)[8_000..], hz) > 0.9
}

pub fn segments(record: &CallRecord) -> Vec<(&str, SegmentEnd)> {
    record.segments.iter().map(|segment| (segment.agent.as_str(), segment.end_reason)).collect()
}

#[test]
fn a_call_goes_on_to_another_queue_in_one_record_and_one_recording() {
    let mut daemon = Daemon::start();
    let (mut caller, mut first) = conversation(&daemon);
    let mut second = second(&daemon, "1005");
    assert!(hears(&caller, FIRST_HZ));
    let accepted = refer(&mut first, "sip:4005@anywhere");
    assert!(accepted.is("202"), "{accepted:?}");
    expect_outcome(&first, "SIP/2.0 200 OK");
    first.expect_bye();
    let invite = second.expect_invite();
    assert!(invite.header("From").contains("13800138000"), "{invite:?}");
    second.ring(&invite);
    second.answer(&invite);
    assert!(hears(&caller, SECOND_HZ) && hears(&second, CALLER_HZ));
    caller.hang_up();
    second.expect_bye();
    daemon.until_idle();

    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(segments(record), [("1001", SegmentEnd::Transferred), ("1005", SegmentEnd::Caller)]);
    let transfers: Vec<_> = record.transfers.iter().map(|one| (one.from.as_str(), one.to.as_deref())).collect();
    assert_eq!(transfers, [("1001", Some("1005"))]);
    assert_eq!((record.disposition, record.flow.as_deref()), (Disposition::Answered, Some("support_direct")));
    let talk: u64 = record.segments.iter().map(|segment| segment.talk_ms).sum();
    assert!(record.talk_ms == talk && record.hold_ms > 0, "the way between counts as hold: {record:?}");
    let recording = record.recording.as_ref().expect("recorded");
    assert_eq!(recording.state, Some(RecordingState::Complete));
    let whole = record.talk_ms + record.hold_ms;
    assert!(recording.written_ms.abs_diff(whole) <= 100, "{recording:?} of {whole} ms");
    let (_, agents) = tone::channels(&daemon.recording(record));
    assert!(tone::share(&agents[2_000..10_000], FIRST_HZ) > 0.9, "the first agent begins");
    let end = agents.len() - 10_000..agents.len() - 2_000;
    assert!(tone::share(&agents[end], SECOND_HZ) > 0.9, "the second one ends it");
}

#[test]
fn a_colleague_who_is_busy_gives_the_call_back_and_the_next_one_takes_it() {
    let mut daemon = Daemon::start();
    let (caller, mut first) = conversation(&daemon);
    let (mut busy, mut taker) = (second(&daemon, "1002"), second(&daemon, "1003"));
    assert!(refer(&mut first, "sip:1002@anywhere").is("202"));
    let invite = busy.expect_invite();
    busy.reply_tagged(&invite, "486 Busy Here", "");
    expect_outcome(&first, "SIP/2.0 486 Busy Here");
    caller.ear.until(30, FIRST_HZ);
    assert!(hears(&first, CALLER_HZ), "they speak on");
    assert!(refer(&mut first, "sip:1003@anywhere").is("202"));
    let invite = taker.expect_invite();
    taker.ring(&invite);
    let waiting = caller.ear.hear(60);
    assert!(tone::share(&waiting[4_800..], FIRST_HZ) < 0.5, "music while the phone rings");
    daemon.json_until("/api/v1/agents", |agents| agents["items"][2]["state"] == "ringing");
    taker.answer(&invite);
    expect_outcome(&first, "SIP/2.0 200 OK");
    first.expect_bye();
    assert!(hears(&caller, SECOND_HZ) && hears(&taker, CALLER_HZ));
    taker.hang_up();
    caller.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let ends = [("1001", SegmentEnd::Transferred), ("1002", SegmentEnd::Busy), ("1003", SegmentEnd::Agent)];
    assert_eq!(segments(&records[0]), ends);
    assert_eq!(records[0].transfers.len(), 1);
    let recording = records[0].recording.as_ref().expect("recorded");
    assert!(recording.written_ms.abs_diff(records[0].talk_ms + records[0].hold_ms) <= 100, "{:?}", records[0]);
}

#[test]
fn an_outside_phone_takes_the_call_though_the_agent_has_hung_up_at_once() {
    let (mut daemon, mut target) = with_route();
    let (mut caller, mut first) = conversation(&daemon);
    assert!(refer(&mut first, "tel:9001").is("202"));
    first.hang_up();
    let invite = target.expect_invite();
    target.answer(&invite);
    assert!(hears(&caller, SECOND_HZ) && hears(&target, CALLER_HZ));
    caller.hang_up();
    target.expect_bye();
    // And where that one will not have it, the call is over: nobody is left to give it back to.
    let mut next = super::queue::caller(&daemon);
    next.call("4001");
    let invite = first.expect_invite();
    first.answer(&invite);
    assert!(refer(&mut first, "sip:9001@anywhere").is("202"));
    first.hang_up();
    let invite = target.expect_again(&invite);
    target.reply_tagged(&invite, "486 Busy Here", "");
    next.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!(records.len(), 2);
    for record in &records {
        assert_eq!(segments(record), [("1001", SegmentEnd::Transferred)]);
        assert_eq!((record.disposition, record.transfers.len()), (Disposition::Answered, 1));
    }
}

#[test]
fn an_agent_who_has_asked_a_colleague_joins_caller_and_colleague() {
    // A number that the trunk does not have: who dials it proves to be the agent.
    let inside = |plan| without_acw(plan) + "\n[number.\"5005\"]\nflow = \"sales_direct\"\n";
    let mut daemon = Daemon::start_with(inside, &[]);
    let (mut caller, mut first) = conversation(&daemon);
    assert!(first.modify("a=sendonly\r\n").is("200"), "the caller is put on hold");
    let mut colleague = second(&daemon, "1005");
    let mut line = Phone::new("1001", daemon.host, daemon.sip, FIRST_HZ);
    line.invite_as("5005", "demo", "");
    let answer = line.expect("200", |text| text.is("200") && text.header("CSeq").ends_with("INVITE"));
    line.confirm(&answer);
    let to = format!("sip:5005@anywhere?Replaces={}", escaped(&line));
    assert!(refer(&mut first, &to).is("480"), "the queue has nobody to join");
    let invite = colleague.expect_invite();
    colleague.answer(&invite);
    assert!(hears(&line, SECOND_HZ) && hears(&colleague, FIRST_HZ), "they consult");
    daemon.json_until("/api/v1/agents", |agents| {
        agents["items"][0]["state"] == "consult" && agents["items"][4]["state"] == "talking"
    });
    assert!(refer(&mut first, &to).is("202"));
    expect_outcome(&first, "SIP/2.0 200 OK");
    first.expect_bye();
    line.expect_bye();
    assert!(hears(&caller, SECOND_HZ) && hears(&colleague, CALLER_HZ), "both far ends are joined");
    caller.hang_up();
    colleague.expect_bye();
    daemon.until_idle();

    let records = daemon.stop();
    let of = |caller: &str| records.iter().find(|record| record.caller == caller).expect("a record");
    let (record, consulted) = (of("13800138000"), of("1001"));
    assert_eq!(segments(record), [("1001", SegmentEnd::Transferred), ("1005", SegmentEnd::Caller)]);
    assert_eq!(record.transfers[0].to.as_deref(), Some("1005"));
    assert_eq!(segments(consulted), [("1005", SegmentEnd::Caller)]);
    assert_eq!((consulted.cause.text.as_str(), consulted.disposition), ("transferred", Disposition::Answered));
    assert_eq!((consulted.linked_id, record.linked_id), (record.call_id, record.call_id), "asked about that call");
    let talk: u64 = record.segments.iter().map(|segment| segment.talk_ms).sum();
    assert!(record.talk_ms == talk && record.hold_ms >= 1_000 && consulted.talk_ms >= 1_000, "{records:?}");
    for record in [record, consulted] {
        let recording = record.recording.as_ref().expect("recorded");
        let whole = record.talk_ms + record.hold_ms;
        assert!(recording.written_ms.abs_diff(whole) <= 100, "{recording:?} of {whole} ms");
    }
}

#[test]
fn nobody_else_hands_a_call_on_and_nowhere_else() {
    let (mut daemon, _target) = with_route();
    let (mut caller, mut first) = conversation(&daemon);
    let refused = refer(&mut caller, "sip:9001@anywhere");
    assert!(refused.is("403"), "a caller: {refused:?}");
    let nowhere = ["sip:00900123@anywhere", "sip:1001@anywhere", "sip:*72@anywhere", "sip:anywhere"];
    for to in nowhere {
        let refused = refer(&mut first, to);
        assert!(refused.is("404"), "{to}: {refused:?}");
    }
    assert!(refer(&mut first, "sip:1002@anywhere").is("480"), "nobody is there");
    let to = escaped(&caller);
    for (dialog, code) in [("c%40h%3Bto-tag%3Da%3Bfrom-tag%3Db", "404"), (to.as_str(), "403")] {
        let refused = refer(&mut first, &format!("sip:9001@anywhere?Replaces={dialog}"));
        assert!(refused.is(code), "{dialog}: {refused:?}");
    }
    assert!(first.within("REFER", "", "").is("400"));
    let unknown = first.within("MESSAGE", "Content-Type: text/plain\r\n", "hello");
    assert!(unknown.is("405") && unknown.header("Allow").contains("REFER"), "{unknown:?}");
    assert!(hears(&caller, FIRST_HZ) && hears(&first, CALLER_HZ), "they speak on");
    caller.hang_up();
    first.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!((records.len(), records[0].transfers.len()), (1, 0));
}

#[test]
fn an_agent_takes_a_conversation_over_to_another_phone_and_nobody_else_does() {
    let mut daemon = Daemon::start();
    let (mut caller, first) = conversation(&daemon);
    let dialog = first.dialog();
    let mut stranger = Phone::new("1002", daemon.host, daemon.sip, SECOND_HZ);
    for (wanted, code) in [
        (format!("Replaces: {dialog}\r\n"), "603"),
        (format!("Replaces: {}\r\n", caller.dialog()), "603"),
        ("Replaces: c@h;to-tag=a;from-tag=b\r\n".to_owned(), "481"),
        (format!("Replaces: {dialog};early-only\r\n"), "486"),
        (format!("Replaces: {dialog}\r\nReplaces: {dialog}\r\n"), "400"),
    ] {
        stranger.invite_as("1001", "demo", &wanted);
        let refused = stranger.outcome();
        assert!(refused.is(code), "{wanted}: {refused:?}");
    }
    let mut softphone = Phone::new("1001", daemon.host, daemon.sip, SECOND_HZ);
    softphone.invite_as("1001", "demo", &format!("Replaces: {dialog}\r\nRequire: replaces\r\n"));
    assert!(softphone.outcome().is("200"));
    first.expect_bye();
    assert!(hears(&caller, SECOND_HZ) && hears(&softphone, CALLER_HZ));
    caller.hang_up();
    softphone.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((segments(record), record.transfers.len()), (vec![("1001", SegmentEnd::Caller)], 0));
    let recording = record.recording.as_ref().expect("recorded");
    assert!(recording.written_ms.abs_diff(record.talk_ms + record.hold_ms) <= 100, "{record:?}");
    let (_, agents) = tone::channels(&daemon.recording(record));
    let end = agents.len() - 10_000..agents.len() - 2_000;
    assert!(tone::share(&agents[end], SECOND_HZ) > 0.9, "one recording, both phones");
}
