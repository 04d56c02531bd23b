//! What comes when nobody talks: the question after the conversation, messages, and customers who are called back.

use std::net::Ipv4Addr;

use trunkline::journal::{Direction, HangupBy, RecordingState};
use trunkline::records::Disposition;

use super::daemon::{Daemon, own_address, wait, without_acw};
use super::orders::order;
use super::phone::Phone;
use super::queue::{CALLER_HZ, agent, caller};
use super::tone;

const AGENT_HZ: f64 = 1_000.0;

/// The demo floor whose customers are called back at a phone of the test's, and again after a second.
fn floor(host: Ipv4Addr, customer: &Phone) -> Daemon {
    let target = format!("sip:{}", customer.local());
    let set = |settings: String| {
        assert!(settings.contains("sip:127.0.0.1:5090"));
        settings.replace("sip:127.0.0.1:5090", &target)
    };
    let plan = |plan: String| without_acw(plan).replace("retry = \"5m\"", "retry = \"1s\"");
    Daemon::start_set(host, set, plan, &[])
}

fn until_step(daemon: &Daemon, step: &str) {
    wait(|| daemon.journal_has(step), || format!("{step} is not reached\n{}", daemon.log()));
}

#[test]
fn the_caller_is_asked_once_the_agent_has_hung_up() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.call("4000");
    // English, and support: both before they are asked for.
    caller.ear.press('2');
    caller.ear.press('2');
    let invite = agent.expect_invite();
    agent.answer(&invite);
    wait(|| tone::share(&caller.ear.hear(50), AGENT_HZ) > 0.9, || "they do not talk".to_owned());
    agent.hang_up();
    until_step(&daemon, "hotline.survey");
    // Whatever was in flight of the agent's tone is over soon; then somebody speaks.
    let speaks = |caller: &Phone| {
        let heard = caller.ear.hear(25);
        heard.iter().any(|sample| sample.unsigned_abs() > 500) && tone::share(&heard, AGENT_HZ) < 0.1
    };
    wait(|| speaks(&caller), || "the question is not heard".to_owned());
    caller.ear.press('4');
    caller.expect_bye();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.disposition, record.hangup_by), (Disposition::Answered, HangupBy::Agent));
    let survey = record.survey.as_ref().expect("an answer");
    assert_eq!((survey.question.as_str(), survey.score), ("satisfaction", 4));
    assert!(record.path.ends_with(&["hotline.survey".to_owned(), "hotline.thanks".into(), "hotline.hangup".into()]));
    let segment = &record.segments[0];
    assert_eq!((record.talk_ms, record.ended), (segment.talk_ms, segment.ended), "the question is no talk");
    let recording = record.recording.as_ref().expect("recorded");
    assert!(recording.written_ms.abs_diff(record.talk_ms) <= 100, "nor is it recorded: {recording:?}");
    assert!(record.is_final && recording.state == Some(RecordingState::Complete));
}

/// A caller who speaks a message that counts already.
fn speaks_a_message(daemon: &Daemon) -> Phone {
    let mut caller = caller(daemon);
    caller.call("4004");
    // Cuts the announcement short, and is kept for the menu.
    caller.ear.press('2');
    until_step(daemon, "message_left");
    caller
}

/// The record of a message, its sound looked at.
fn message(daemon: &mut Daemon) -> trunkline::records::CallRecord {
    daemon.until_idle();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.disposition, record.mailbox.as_deref()), (Disposition::Voicemail, Some("hotline")));
    let recording = record.recording.as_ref().expect("kept");
    assert!(recording.state == Some(RecordingState::Complete) && recording.written_ms >= 900, "{recording:?}");
    let (left, right) = tone::channels(&daemon.recording(record));
    assert!(tone::share(&left[left.len() / 4..left.len() / 2], CALLER_HZ) > 0.9, "the caller speaks");
    assert!(right.iter().all(|sample| sample.unsigned_abs() < 100), "nobody else does");
    record.clone()
}

#[test]
fn after_a_message_nobody_is_put_through_who_must_be_recorded() {
    let plan = |plan: String| {
        without_acw(plan).replacen("[queue.sales]\n", "[queue.sales]\nrecording = \"required\"\n", 1).replacen(
            "prompts = [\"message_kept\"]\nnext = \"goodbye\"\n",
            "prompts = [\"message_kept\"]\nnext = \"told\"\n",
            1,
        ) + "\n[flow.hotline_at_night.step.told]\ndo = \"play\"\nprompts = [\"recording_notice\"]\nnotice = true\nnext = \"sales\"\n"
            + "\n[flow.hotline_at_night.step.sales]\ndo = \"queue\"\nqueue = \"sales\"\nrecord = true\n"
    };
    let mut daemon = Daemon::start_with(plan, &[]);
    let agent = agent(&daemon, "1005");
    let caller = speaks_a_message(&daemon);
    caller.ear.press('#');
    let bye = caller.expect_bye();
    assert!(bye.header("Reason").contains("503"), "{bye:?}");
    let refused = || daemon.metric("trunkline_recording_refused_calls_total");
    wait(|| refused() == 1.0, || format!("{} calls were refused", refused()));
    assert!(agent.try_receive().is_none_or(|text| !text.is("INVITE")), "no agent is called");
    daemon.until_idle();
    daemon.stop();
}

#[test]
fn a_message_is_kept_before_its_caller_hears_so() {
    let mut daemon = Daemon::start();
    let caller = speaks_a_message(&daemon);
    // Who hears nothing at all is cut off by what watches for packets in between.
    assert!(caller.ear.hear(50)[4_000..].iter().all(|sample| sample.unsigned_abs() <= 8), "silence, in packets");
    caller.ear.press('#');
    caller.expect_bye();
    let record = message(&mut daemon);
    assert!(record.path.contains(&"hotline_at_night.message_kept".to_owned()), "{:?}", record.path);
    assert_eq!(record.hangup_by, HangupBy::Switch);
}

#[test]
fn a_message_is_kept_when_its_caller_hangs_up() {
    let mut daemon = Daemon::start();
    speaks_a_message(&daemon).hang_up();
    assert_eq!(message(&mut daemon).hangup_by, HangupBy::Caller);
}

/// A caller asks at night to be called back at the number that is shown.
fn ask(daemon: &Daemon) {
    let mut caller = caller(daemon);
    caller.call("4004");
    caller.ear.press('1');
    caller.ear.press('1');
    until_step(daemon, "hotline_at_night.requested");
    caller.expect_bye();
    until_step(daemon, "callback_placed");
}

#[test]
fn a_customer_is_called_back_after_a_crash_and_a_busy_line_and_then_no_more() {
    let host = own_address();
    let mut customer = Phone::new("13800138000", own_address(), (host, 5060).into(), CALLER_HZ);
    let mut daemon = floor(host, &customer);
    ask(&daemon);
    daemon.kill();
    daemon.run();
    let mut agent = agent(&daemon, "1001");
    let invite = agent.expect_invite();
    assert!(invite.header("From").contains("13800138000"), "the agent sees whom to call: {invite:?}");
    agent.answer(&invite);
    let invite = customer.expect_invite();
    assert!(invite.first().contains("13800138000@") && invite.header("From").contains("4004"), "{invite:?}");
    customer.refuse(&invite, "486 Busy Here", "");
    customer.expect("ACK", |text| text.is("ACK"));
    agent.expect_bye();
    // A second later it is the customer's turn again.
    let invite = agent.expect_invite();
    agent.answer(&invite);
    let invite = customer.expect_invite();
    customer.ring(&invite);
    customer.answer(&invite);
    wait(|| tone::share(&agent.ear.hear(50), CALLER_HZ) > 0.9, || "the agent does not hear the customer".to_owned());
    wait(|| tone::share(&customer.ear.hear(50), AGENT_HZ) > 0.9, || "the customer does not hear the agent".to_owned());
    customer.hang_up();
    agent.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let told: Vec<_> = records.iter().map(|record| (record.direction, record.disposition)).collect();
    let (came, left) = (Direction::Inbound, Direction::Outbound);
    let cut = (left, Disposition::Failed);
    let wanted = [(came, Disposition::Callback), (left, Disposition::Busy), (left, Disposition::Answered)];
    assert_eq!(told.iter().filter(|told| **told != cut).copied().collect::<Vec<_>>(), wanted, "{records:#?}");
    let reached = records.last().expect("one");
    assert_eq!(reached.linked_id, records[0].call_id);
    assert_eq!((reached.called.as_str(), reached.caller.as_str()), ("13800138000", "4004"));
    assert_eq!(reached.trunk.as_ref().map(|trunk| trunk.as_str()), Some("carrier"));
    assert_eq!(reached.hangup_by, HangupBy::Caller);
    // It is done with: nobody is called after another start.
    daemon.run();
    daemon.until_idle();
    assert_eq!(daemon.stop().len(), records.len());
}

#[test]
fn customers_are_called_back_within_hours_only() {
    let host = own_address();
    let mut customer = Phone::new("13800138000", own_address(), (host, 5060).into(), CALLER_HZ);
    let target = format!("sip:{}", customer.local());
    let set = |settings: String| settings.replace("sip:127.0.0.1:5090", &target);
    let office = "[hours.office]\nzone = \"Asia/Shanghai\"\nweekly = [{ days = [\"mon-sun\"], from = \"00:00\", to = \"24:00\" }]\n";
    let plan = |plan: String| {
        let retry = "retry = \"5m\"";
        assert!(plan.contains(retry));
        format!("{}\n{office}", without_acw(plan).replace(retry, &format!("{retry}\nhours = \"office\"")))
    };
    let mut daemon = Daemon::start_set(host, set, plan, &[]);
    let close = |daemon: &Daemon| order(daemon, &["hours", "close", "office", "--until", "2099-01-01T00:00:00Z"]);
    close(&daemon);
    let mut caller = caller(&daemon);
    caller.call("4004");
    caller.ear.press('1');
    caller.ear.press('1');
    until_step(&daemon, "hotline_at_night.requested");
    caller.expect_bye();
    daemon.until_idle();
    // They are looked at again after a start, and are closed still.
    daemon.stop();
    daemon.run();
    daemon.until_idle();
    assert!(!daemon.journal_has("callback_placed"), "nobody is called while they are closed");
    // Somebody waits, and nobody is there before they close again: that was no try.
    order(&daemon, &["hours", "open", "office"]);
    until_step(&daemon, "callback_placed");
    close(&daemon);
    until_step(&daemon, "callback_hours_over");
    let listed = daemon.json_until("/api/v1/callbacks", |list| list["items"][0]["attempt"].is_null());
    assert_eq!(listed["items"][0]["tries"], 0, "{listed}");
    let mut agent = agent(&daemon, "1001");
    order(&daemon, &["hours", "open", "office"]);
    let invite = agent.expect_invite();
    agent.answer(&invite);
    let invite = customer.expect_invite();
    customer.answer(&invite);
    wait(|| tone::share(&agent.ear.hear(50), CALLER_HZ) > 0.9, || "the agent does not hear the customer".to_owned());
    customer.hang_up();
    agent.expect_bye();
    daemon.until_idle();
    assert_eq!(daemon.stop().last().map(|record| record.disposition), Some(Disposition::Answered));
}

#[test]
fn a_number_that_is_dear_is_not_called_back() {
    let host = own_address();
    let customer = Phone::new("13800138000", own_address(), (host, 5060).into(), CALLER_HZ);
    let mut daemon = floor(host, &customer);
    let mut caller = caller(&daemon);
    caller.call("4004");
    for key in "12001900123456#".chars() {
        caller.ear.press(key);
    }
    let again = || daemon.journal_count("hotline_at_night.confirm") == 2;
    wait(again, || format!("the number is not read back\n{}", daemon.log()));
    caller.ear.press('1');
    until_step(&daemon, "hotline_at_night.not_requested");
    caller.hang_up();
    daemon.until_idle();
    assert!(!daemon.journal_has("callback_requested"));
    assert_eq!(daemon.stop()[0].disposition, Disposition::Abandoned);
}

#[test]
fn an_operator_sees_who_is_to_be_called_back_and_takes_it_back() {
    let host = own_address();
    let customer = Phone::new("13800138000", own_address(), (host, 5060).into(), CALLER_HZ);
    let mut daemon = floor(host, &customer);
    ask(&daemon);
    // Who asks twice is called once.
    ask(&daemon);
    let listed = daemon.json_until("/api/v1/callbacks", |list| list["items"][0]["attempt"].is_string());
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    let call = listed["items"][0]["call_id"].as_str().expect("a call").to_owned();
    let told = daemon.run_command(&["callback", "list"]);
    assert!(told.contains("13800138000") && told.contains("0 of 3 calls in vain, in the line"), "{told}");
    let cancel = || daemon.try_command(&["callback", "cancel", &call]);
    // A machine whose disk is busy does it and does not confirm it.
    let none = || daemon.json("/api/v1/callbacks")["items"].as_array().is_some_and(Vec::is_empty);
    cancel();
    wait(none, || "it is not cancelled".to_owned());
    assert_eq!(cancel().status.code(), Some(1), "once");
    daemon.until_idle();
    assert!(daemon.run_command(&["callback", "list"]).contains("nobody is to be called back"));
    let records = daemon.stop();
    let told: Vec<_> = records.iter().map(|record| record.disposition).collect();
    assert_eq!(told, [Disposition::Callback, Disposition::Callback, Disposition::Failed], "{records:#?}");
}
