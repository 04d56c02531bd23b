//! Ends that cross: whatever the order, no leg is left behind (the daemon's records say that every dialog is closed).

use trunkline::journal::HangupBy;
use trunkline::records::Disposition;

use super::daemon::Daemon;
use super::phone::Phone;
use super::queue::{agent, caller, conversation};

#[test]
fn an_agents_answer_that_crosses_the_callers_end_is_hung_up() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.ring(&invite);
    caller.hang_up();
    // The CANCEL is on its way, and this phone has just been picked up.
    agent.answer_unheard(&invite);
    agent.expect("ACK", |text| text.is("ACK"));
    agent.expect_bye();
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::Abandoned);
}

#[test]
fn a_cancel_that_crosses_our_answer_leaves_a_call_that_a_bye_ends() {
    let mut daemon = Daemon::start();
    let mut caller = caller(&daemon);
    let invite = caller.invite("4002");
    caller.cancel(&invite);
    let answer = caller.expect("200 to INVITE", |t| t.is("200") && t.header("CSeq").ends_with("INVITE"));
    caller.confirm(&answer);
    caller.hang_up();
    let records = daemon.stop();
    assert_eq!(records.len(), 1);
}

#[test]
fn a_200_is_repeated_until_its_ack_and_an_invite_seen_twice_is_one_call() {
    let mut daemon = Daemon::start();
    let mut caller = caller(&daemon);
    let invite = caller.invite("4002");
    let first = caller.expect("200", |t| t.is("200"));
    caller.send(&invite);
    let second = caller.expect("200 again", |t| t.is("200"));
    assert_eq!(first.0, second.0);
    caller.confirm(&second);
    caller.hang_up();
    assert_eq!(daemon.stop().len(), 1);
}

#[test]
fn both_hang_up_at_once() {
    let mut daemon = Daemon::start();
    let (mut caller, mut agent) = conversation(&daemon);
    caller.ear.hear(10);
    std::thread::scope(|scope| {
        scope.spawn(|| caller.hang_up());
        scope.spawn(|| agent.hang_up());
    });
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::Answered);
    assert_ne!(records[0].hangup_by, HangupBy::Switch);
}

#[test]
fn requests_within_a_dialog_go_by_the_route_that_its_invite_recorded() {
    let mut daemon = Daemon::start();
    let proxy = Phone::new("proxy", daemon.host, daemon.sip, 0.0);
    let mut caller = caller(&daemon);
    caller.invite_with("4003", &format!("Record-Route: <sip:{};lr>\r\n", proxy.local()));
    let answer = caller.expect("200", |t| t.is("200"));
    assert!(answer.header("Record-Route").contains(&proxy.local().to_string()), "{answer:?}");
    caller.confirm(&answer);
    let bye = proxy.expect("BYE by the route", |text| text.is("BYE"));
    assert!(bye.header("Route").contains(&proxy.local().to_string()), "{bye:?}");
    assert!(bye.first().contains("sip:13800138000@"), "the target stays in the Request-URI: {bye:?}");
    proxy.reply(&bye, "200 OK", "");
    assert_eq!(daemon.stop().len(), 1);
}
