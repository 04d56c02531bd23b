//! Calls that are placed on: where they may go, where not, and what the other side is told of their end.

use trunkline::journal::SegmentEnd;
use trunkline::records::Disposition;

use super::daemon::Daemon;
use super::early_media::routed;
use super::phone::Phone;
use super::queue::{agent, caller};

#[test]
fn a_redirected_call_goes_on_within_the_targets_own_host() {
    let (mut daemon, mut target) = routed();
    let mut other = Phone::new("9009", daemon.host, daemon.sip, 1_000.0);
    let mut caller = caller(&daemon);
    caller.invite("9001");
    let invite = target.expect_invite();
    let contacts = format!(
        "302 Moved Temporarily\r\nContact: <sip:9001@127.0.0.1:9>;q=0.9, <sip:9001@{}>;q=0.8, <sip:9009@{}>;q=0.1",
        daemon.sip,
        other.local()
    );
    target.reply_tagged(&invite, &contacts, "");
    let again = other.expect_invite();
    assert!(again.first().contains("sip:9009@"), "{again:?}");
    assert_eq!((again.header("CSeq"), again.header("Call-ID")), ("2 INVITE", invite.header("Call-ID")));
    other.answer(&again);
    let answer = caller.expect("200 to INVITE", |text| text.is("200"));
    caller.confirm(&answer);
    caller.hang_up();
    other.expect_bye();
    assert_eq!(daemon.stop()[0].disposition, Disposition::Answered);
    assert!(daemon.log().contains("not followed"), "{}", daemon.log());
}

#[test]
fn a_caller_learns_of_no_redirection_that_was_not_followed() {
    let (mut daemon, mut target) = routed();
    let mut caller = caller(&daemon);
    caller.invite("9001");
    let invite = target.expect_invite();
    target.reply_tagged(&invite, "302 Moved Temporarily\r\nContact: <sip:0900@192.0.2.1>", "");
    let refused = caller.expect("a final answer", |text| !text.is("1"));
    assert!(refused.is("480") && !refused.0.contains("0900"), "{refused:?}");
    caller.ack_refusal(&refused);
    assert_eq!(daemon.stop()[0].disposition, Disposition::Failed);
}

#[test]
fn an_agents_phone_cannot_send_its_calls_elsewhere() {
    let mut daemon = Daemon::start();
    let (mut first, mut second, mut caller) = (agent(&daemon, "1001"), agent(&daemon, "1002"), caller(&daemon));
    let elsewhere = Phone::new("0900", daemon.host, daemon.sip, 1_000.0);
    caller.call("4001");
    let invite = first.expect_invite();
    let moved = format!("302 Moved Temporarily\r\nContact: <sip:0900@{}>", elsewhere.local());
    first.reply_tagged(&invite, &moved, "");
    let invite = second.expect_invite();
    second.answer(&invite);
    assert!(elsewhere.try_receive().is_none());
    caller.hang_up();
    second.expect_bye();
    assert_eq!(daemon.stop()[0].segments[0].end_reason, SegmentEnd::Rejected);
}

#[test]
fn a_caller_who_cancels_gets_487_and_its_reason_goes_on() {
    let (mut daemon, mut target) = routed();
    let mut caller = caller(&daemon);
    let sent = caller.invite("9001");
    let invite = target.expect_invite();
    target.ring(&invite);
    caller.expect("180", |text| text.is("180"));
    caller.cancel_with(&sent, "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n");
    let refused = caller.expect("487", |text| text.is("487"));
    caller.ack_refusal(&refused);
    let cancel = target.expect("CANCEL", |text| text.is("CANCEL"));
    assert_eq!(cancel.header("Reason"), "SIP;cause=200;text=\"Call completed elsewhere\"");
    target.reply(&cancel, "200 OK", "");
    target.reply_tagged(&invite, "487 Request Terminated", "");
    let records = daemon.stop();
    assert_eq!((records[0].disposition, records[0].cause.code), (Disposition::Abandoned, 200));
}

#[test]
fn an_abandoned_queue_tells_the_ringing_agent_why() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.ring(&invite);
    daemon.json_until("/api/v1/agents", |agents| agents["items"][0]["state"] == "ringing");
    caller.hang_up();
    let cancel = agent.expect("CANCEL", |text| text.is("CANCEL"));
    assert_eq!(cancel.header("Reason"), "Q.850;cause=16;text=\"normal_clearing\"");
    agent.reply(&cancel, "200 OK", "");
    agent.reply_tagged(&invite, "487 Request Terminated", "");
    daemon.stop();
}

#[test]
fn a_call_that_comes_back_is_refused_as_a_loop_at_its_first_return() {
    let (mut daemon, target) = routed();
    let mut caller = caller(&daemon);
    caller.invite("9001");
    // The route's target sends the call to where it came from, as a proxy that takes the number for ours does.
    let invite = target.expect("INVITE", |text| text.is("INVITE"));
    let via = format!("Via: SIP/2.0/UDP {};branch=z9hG4bKmirror\r\n", target.local());
    let (start, rest) = invite.0.split_once("\r\n").expect("a first line");
    target.send(&format!("{start}\r\n{via}{rest}"));
    let refused = target.expect("482", |text| text.is("482"));
    let back: Vec<&str> = refused.0.split_inclusive("\r\n").filter(|line| !line.contains("z9hG4bKmirror")).collect();
    target.send(&back.concat());
    let refused = caller.expect("a final answer", |text| !text.is("1"));
    assert!(refused.is("482"), "{refused:?}");
    caller.ack_refusal(&refused);
    assert_eq!(daemon.stop().len(), 1, "one call, not seventy");
}

#[test]
fn a_call_by_sips_is_not_placed_on_by_a_way_that_can_be_overheard() {
    let (mut daemon, target) = routed();
    let _agent = agent(&daemon, "1001");
    let mut caller = caller(&daemon);
    caller.scheme = "sips";
    caller.invite("9001");
    let refused = caller.expect("a final answer", |text| !text.is("1"));
    assert!(refused.is("480"), "{refused:?}");
    caller.ack_refusal(&refused);
    assert!(target.try_receive().is_none());
    // Nor from a queue, and the agent is not to blame.
    caller.call("4001");
    let bye = caller.expect_bye();
    assert!(bye.header("Reason").starts_with("SIP;cause=480"), "{bye:?}");
    daemon.json_until("/api/v1/agents", |agents| agents["items"][0]["state"] == "available");
    assert_eq!(daemon.stop().len(), 2);
    assert!(daemon.log().contains("not placed on by a way that can be overheard"), "{}", daemon.log());
}

#[test]
fn a_prack_for_nothing_and_an_unknown_extension_get_their_statuses() {
    let mut daemon = Daemon::start();
    let mut caller = caller(&daemon);
    caller.invite_with("4002", "Require: 100rel, precondition\r\n");
    let refused = caller.expect("a final answer", |text| !text.is("1"));
    assert_eq!((refused.is("420"), refused.header("Unsupported")), (true, "precondition"));
    caller.ack_refusal(&refused);
    caller.invite_with("4002", "Require: 100rel\r\n");
    let answer = caller.expect("200", |text| text.is("200"));
    assert!(answer.header("Allow").contains("PRACK"), "{answer:?}");
    caller.confirm(&answer);
    assert!(caller.within("PRACK", "RAck: 1 1 INVITE\r\n", "").is("481"));
    caller.hang_up();
    assert_eq!(daemon.stop().len(), 1);
}
