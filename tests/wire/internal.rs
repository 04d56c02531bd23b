//! Agents dial one another by name: nobody else reaches a phone that way, and no queue calls who is in such a call.

use trunkline::journal::{Direction, HangupBy};
use trunkline::records::Disposition;

use super::daemon::{Daemon, own_address, without_acw};
use super::phone::Phone;
use super::queue::{agent, caller};
use super::tone;
use super::transfer::{expect_outcome, hears, refer};

const FIRST_HZ: f64 = 440.0;
const SECOND_HZ: f64 = 1_000.0;
const THIRD_HZ: f64 = 2_500.0;

/// A user's phone with a tone of its own, registered.
fn phone(daemon: &Daemon, user: &str, hz: f64) -> Phone {
    let mut phone = Phone::new(user, daemon.host, daemon.sip, hz);
    assert!(phone.register("demo", 300).is("200"));
    phone
}

/// 1001 in conversation with 1002, whom it has called.
fn conversation(daemon: &Daemon) -> (Phone, Phone) {
    let (mut first, mut second) = (phone(daemon, "1001", FIRST_HZ), phone(daemon, "1002", SECOND_HZ));
    first.invite_as("1002", "demo", "");
    let invite = second.expect_invite();
    assert!(invite.header("From").contains("sip:1001@"), "{invite:?}");
    second.ring(&invite);
    first.expect("ringing", |text| text.is("180"));
    second.answer(&invite);
    assert!(first.outcome().is("200"));
    assert!(hears(&first, SECOND_HZ) && hears(&second, FIRST_HZ));
    (first, second)
}

/// Waits until agent 1001 + `index` is that, for that reason.
fn until_state(daemon: &Daemon, index: usize, state: &str) {
    daemon.json_until("/api/v1/agents", |agents| agents["items"][index]["state"] == state);
}

#[test]
fn they_speak_hold_and_hang_up_and_no_queue_calls_them() {
    let mut daemon = Daemon::start();
    let (first, mut second) = conversation(&daemon);
    until_state(&daemon, 0, "not_ready");
    until_state(&daemon, 1, "not_ready");
    assert!(second.modify("a=sendonly\r\n").is("200"));
    let waiting = first.ear.hear(60);
    assert!(tone::share(&waiting[4_800..], SECOND_HZ) < 0.5 && waiting[4_800..].iter().any(|s| *s != 0), "music");
    assert!(second.modify("a=sendrecv\r\n").is("200"));
    first.ear.until(30, SECOND_HZ);
    // Whoever comes now is for a third agent.
    let (mut third, mut outside) = (agent(&daemon, "1003"), caller(&daemon));
    outside.call("4001");
    let invite = third.expect_invite();
    third.answer(&invite);
    outside.hang_up();
    third.expect_bye();
    second.hang_up();
    first.expect_bye();
    until_state(&daemon, 0, "available");
    until_state(&daemon, 1, "available");
    daemon.until_idle();
    let records = daemon.stop();
    let record = records.iter().find(|record| record.called == "1002").expect("a record");
    assert_eq!((record.direction, record.caller.as_str()), (Direction::Internal, "1001"));
    assert_eq!((record.disposition, record.hangup_by), (Disposition::Answered, HangupBy::Agent));
    assert!(record.hold_ms > 0 && record.recording.is_none() && record.trunk.is_none(), "{record:?}");
}

#[test]
fn who_is_busy_or_away_or_declines_is_said_and_the_plan_comes_first() {
    let plan = |plan| without_acw(plan) + "\n[number.\"1004\"]\nflow = \"echo\"\n";
    let route = "\n[[route]]\nprefix = \"1\"\ntarget = \"127.0.0.1:9\"\n";
    let mut daemon = Daemon::start_set(own_address(), |settings| settings + route, plan, &[]);
    let (mut first, mut second) = conversation(&daemon);
    let mut third = phone(&daemon, "1003", THIRD_HZ);
    for (name, code) in [("1001", "486"), ("1002", "486"), ("1005", "480"), ("1003", "486"), ("1004", "200")] {
        third.invite_as(name, "demo", "");
        let answer = third.outcome();
        assert!(answer.is(code), "{name}: {answer:?}");
    }
    third.hang_up();
    second.hang_up();
    first.expect_bye();
    third.invite_as("1002", "demo", "");
    let invite = second.expect_invite();
    second.reply_tagged(&invite, "603 Decline", "");
    assert!(third.outcome().is("603"));
    // One who gives up takes the ringing back.
    third.invite_as("1001", "demo", "");
    let invite = first.expect_invite();
    first.ring(&invite);
    until_state(&daemon, 0, "not_ready");
    daemon.hurry();
    let cancel = first.expect("CANCEL", |text| text.is("CANCEL"));
    first.reply(&cancel, "200 OK", "");
    first.reply_tagged(&invite, "487 Request Terminated", "");
    assert!(third.outcome().is("503"));
    let records = daemon.stop();
    let said = |code: u16| records.iter().filter(|record| record.cause.code == code).count();
    assert_eq!((said(486), said(480), said(603)), (3, 1, 1), "{records:?}");
    assert!(records.iter().filter(|record| record.called != "1004").all(|r| r.direction == Direction::Internal));
}

#[test]
fn strangers_and_trunks_reach_no_phone_by_its_name() {
    let all = |settings: String| settings.replacen("numbers = [", "numbers = [\"10*\", ", 1);
    let mut daemon = Daemon::start_set(own_address(), all, without_acw, &[]);
    let second = phone(&daemon, "1002", SECOND_HZ);
    let mut carrier = caller(&daemon);
    carrier.invite("1002");
    assert!(carrier.outcome().is("404"), "a trunk");
    carrier.invite("1902");
    assert!(carrier.outcome().is("401"), "a stranger");
    daemon.until_idle();
    daemon.stop();
    for left in std::iter::from_fn(|| second.try_receive()) {
        assert!(!left.is("INVITE"), "{left:?}");
    }
}

#[test]
fn the_one_who_was_called_hands_the_call_on_and_it_is_recorded_where_that_is_set() {
    let recorded = |settings: String| settings.replacen("[sip]\n", "[sip]\nrecord_internal = true\n", 1);
    let mut daemon = Daemon::start_set(own_address(), recorded, without_acw, &[]);
    let (first, second) = conversation(&daemon);
    // To another phone of the one who was called, and from there to a third user, who is no agent.
    let mut softphone = Phone::new("1002", daemon.host, daemon.sip, SECOND_HZ);
    softphone.invite_as("1002", "demo", &format!("Replaces: {}\r\n", second.dialog()));
    assert!(softphone.outcome().is("200"));
    second.expect_bye();
    assert!(hears(&first, SECOND_HZ) && hears(&softphone, FIRST_HZ));
    let mut third = phone(&daemon, "1900", THIRD_HZ);
    assert!(refer(&mut softphone, "sip:1900@anywhere").is("202"));
    let invite = third.expect_invite();
    assert!(invite.header("From").contains("sip:1001@"), "{invite:?}");
    third.answer(&invite);
    expect_outcome(&softphone, "SIP/2.0 200 OK");
    softphone.expect_bye();
    until_state(&daemon, 1, "available");
    assert!(hears(&first, THIRD_HZ) && hears(&third, FIRST_HZ));
    third.hang_up();
    first.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let told: Vec<_> = record.transfers.iter().map(|one| (one.from.as_str(), one.to.as_deref())).collect();
    assert_eq!((told, record.direction), (vec![("1002", Some("1900"))], Direction::Internal));
    let recording = record.recording.as_ref().expect("recorded");
    assert!(recording.written_ms.abs_diff(record.talk_ms + record.hold_ms) <= 100, "{record:?}");
    let (callers, others) = tone::channels(&daemon.recording(record));
    assert!(tone::share(&callers[4_000..12_000], FIRST_HZ) > 0.9);
    let end = others.len() - 10_000..others.len() - 2_000;
    assert!(tone::share(&others[end], THIRD_HZ) > 0.9, "the third user ends it");
}
