//! Pauses that a phone sends as comfort noise (RFC 3389).

use trunkline::records::Disposition;

use super::daemon::Daemon;
use super::queue::{agent, caller};
use super::tone;

#[test]
fn a_callers_pauses_reach_an_agent_who_takes_comfort_noise() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    let answer = caller.call_as_offered("4001", "8 13 101");
    assert!(answer.0.contains(" RTP/AVP 8 13 101\r\n"), "{answer:?}");
    let invite = agent.expect_invite();
    assert!(invite.0.contains(" RTP/AVP 8 0 9 111 13 101 110\r\n"), "{invite:?}");
    agent.reply_tagged(&invite, "200 OK", &agent.sdp_of("8 13 101"));
    agent.ear.speak_to(invite.rtp());
    agent.expect("ACK", |text| text.is("ACK"));
    assert!(tone::share(&agent.ear.hear(60)[4_800..], 440.0) > 0.9);
    caller.ear.pause();
    agent.ear.hear_noise(3);
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 1_000.0) > 0.9, "the other way goes on");
    caller.hang_up();
    agent.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::Answered);
    assert_eq!(records[0].quality.as_ref().map(|quality| quality.loss), Some(0.0), "a pause is no loss");
}

#[test]
fn who_takes_none_hears_a_pause_and_no_loss() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.call_as_offered("4001", "8 13 101");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    assert!(tone::share(&agent.ear.hear(60)[4_800..], 440.0) > 0.9);
    caller.ear.pause();
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 1_000.0) > 0.9);
    assert_eq!(daemon.metric("trunkline_rtp_unusable_packets_total"), 0.0);
    caller.hang_up();
    agent.expect_bye();
    daemon.until_idle();
    assert_eq!(daemon.stop()[0].quality.as_ref().map(|quality| quality.loss), Some(0.0));
}
