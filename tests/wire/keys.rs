//! Keys that a party of a conversation presses by signalling, for the other one's ears.

use super::daemon::Daemon;
use super::phone::Phone;
use super::queue::{agent, caller, conversation};
use super::tone;

const RELAY: &str = "Content-Type: application/dtmf-relay\r\n";

fn press_both_ways(daemon: &mut Daemon, mut caller: Phone, mut agent: Phone) {
    agent.ear.hear(30);
    assert!(caller.within("INFO", RELAY, "Signal=5\r\nDuration=160\r\n").is("200"));
    // Its end comes three times.
    agent.ear.hear_events(3);
    assert!(agent.within("INFO", RELAY, "Signal=#\r\nDuration=160\r\n").is("200"));
    caller.ear.hear_events(3);
    assert!(tone::share(&agent.ear.hear(60)[4_800..], 440.0) > 0.9, "the sound goes on");
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 1_000.0) > 0.9, "the sound goes on");
    caller.hang_up();
    agent.expect_bye();
    daemon.until_idle();
    assert_eq!(daemon.stop()[0].quality.as_ref().map(|quality| quality.loss), Some(0.0));
}

#[test]
fn a_key_by_info_is_a_telephone_event_for_who_is_passed_the_packets_of_the_other() {
    let mut daemon = Daemon::start();
    let (caller, agent) = conversation(&daemon);
    press_both_ways(&mut daemon, caller, agent);
}

#[test]
fn and_for_who_hears_the_other_decoded() {
    let mut daemon = Daemon::start();
    let (mut caller, mut agent) = (caller(&daemon), agent(&daemon, "1001").wideband());
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    press_both_ways(&mut daemon, caller, agent);
}
