//! What the IVR does: echo, prompt, keys, languages.

use trunkline::records::Disposition;

use super::daemon::Daemon;
use super::queue::{agent, caller};
use super::tone;

#[test]
fn echo_sends_the_caller_back_to_himself() {
    let mut daemon = Daemon::start();
    let mut caller = caller(&daemon);
    caller.call("4002");
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 440.0) > 0.9);
    caller.hang_up();
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::SelfService);
}

#[test]
fn a_prompt_plays_and_the_switch_hangs_up() {
    let mut daemon = Daemon::start();
    let mut caller = caller(&daemon);
    caller.call("4003");
    let bye = caller.expect_bye();
    assert!(bye.header("Reason").contains("cause=16"), "{bye:?}");
    let packets = caller.ear.packets();
    assert!((100..250).contains(&packets), "about three seconds of prompt: {packets} packets");
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::SelfService);
}

#[test]
fn two_twice_on_the_hotline_reaches_support_in_english() {
    let mut daemon = Daemon::start();
    let mut agent = agent(&daemon, "1001");
    let mut caller = caller(&daemon);
    caller.call("4000");
    caller.ear.hear(10);
    // Cuts the welcome short and is kept for the question that follows.
    caller.ear.press('2');
    // The notice plays to its end; this key waits for the menu.
    caller.ear.hear(40);
    caller.ear.press('2');
    let invite = agent.expect_invite();
    agent.answer(&invite);
    assert!(tone::share(&agent.ear.hear(60)[4_800..], 440.0) > 0.9);
    agent.hang_up();
    caller.expect_bye();
    let records = daemon.stop();
    let record = &records[0];
    assert_eq!((record.language.as_deref(), record.disposition), (Some("en"), Disposition::Answered));
    assert!(record.path.contains(&"hotline.support".to_owned()), "{:?}", record.path);
    assert!(record.recording.is_some());
}
