//! Keys that a party of a conversation presses, for the other one's ears: each in the way that the other one understands.

use super::daemon::{Daemon, wait};
use super::phone::Phone;
use super::queue::{agent, caller, conversation};
use super::rtp::Ear;
use super::tone;

const RELAY: &str = "Content-Type: application/dtmf-relay\r\n";

/// Waits until a key's two tones (Hz) are heard, beside the tone that the other party may go on with.
pub fn hear_key(ear: &Ear, low: f64, high: f64) {
    wait(
        || {
            let heard = ear.hear(10);
            let share = |hz| heard.chunks(400).map(|piece| tone::share(piece, hz)).fold(0.0, f64::max);
            share(low) > 0.15 && share(high) > 0.15
        },
        || format!("no key of {low} and {high} Hz was heard"),
    );
}

/// The same with a caller who has no telephone-events.
fn conversation_without_events(daemon: &Daemon) -> (Phone, Phone) {
    let (mut agent, mut caller) = (agent(daemon, "1001"), caller(daemon));
    let answer = caller.call_as_offered("4001", "8");
    assert!(answer.0.contains(" RTP/AVP 8\r\n"), "{answer:?}");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 1_000.0) > 0.9, "both are connected");
    (caller, agent)
}

fn press_both_ways(daemon: &mut Daemon, mut caller: Phone, mut agent: Phone) {
    agent.ear.hear(30);
    assert!(caller.within("INFO", RELAY, "Signal=5\r\nDuration=160\r\n").is("200"));
    // 160 ms, and its end three times.
    agent.ear.hear_events(10);
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

#[test]
fn a_key_by_info_is_heard_by_who_takes_no_telephone_events() {
    let mut daemon = Daemon::start();
    let (mut caller, mut agent) = conversation_without_events(&daemon);
    for (key, low, high) in [("#", 941.0, 1_477.0), ("5", 770.0, 1_336.0)] {
        assert!(agent.within("INFO", RELAY, &format!("Signal={key}\r\nDuration=160\r\n")).is("200"));
        hear_key(&caller.ear, low, high);
    }
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 1_000.0) > 0.9, "the sound goes on");
    caller.hang_up();
    agent.expect_bye();
    daemon.until_idle();
    daemon.stop();
}

#[test]
fn a_key_in_the_sound_is_a_telephone_event_for_who_takes_them() {
    let mut daemon = Daemon::start();
    let (mut caller, agent) = conversation_without_events(&daemon);
    caller.ear.press_aloud('7');
    hear_key(&agent.ear, 852.0, 1_209.0);
    // A packet each 20 ms of 160 ms, the last one three times.
    agent.ear.hear_events(10);
    caller.hang_up();
    agent.expect_bye();
    daemon.until_idle();
    daemon.stop();
}
