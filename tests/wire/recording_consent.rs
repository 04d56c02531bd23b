//! A plan that asks whether the call may be recorded: a yes is a key, everything else is a no, and a no means no recording.

use trunkline::journal::Consent;
use trunkline::records::CallRecord;

use super::daemon::{Daemon, without_acw};
use super::queue::{agent, caller};
use super::tone;

/// The plan whose number 4001 asks before the queue: 1 is yes, 2 is no.
fn asking(plan: String) -> String {
    without_acw(plan).replacen(
        "[flow.support_direct.step.notice]\ndo = \"play\"\nprompts = [\"recording_notice\"]\nnotice = true\nnext = \"queue\"\n",
        "[flow.support_direct.step.notice]\ndo = \"menu\"\nprompt = \"main_menu\"\nkeys = { 1 = \"yes\", 2 = \"no\" }\n\
         timeout = \"1s\"\nretries = 0\nno_input = \"no\"\n\
         [flow.support_direct.step.yes]\ndo = \"record\"\nstate = \"agreed\"\nnext = \"queue\"\n\
         [flow.support_direct.step.no]\ndo = \"record\"\nstate = \"refused\"\nnext = \"queue\"\n",
        1,
    )
}

/// A call whose caller presses these keys and then speaks with an agent.
fn ask(key: Option<char>) -> (Daemon, CallRecord) {
    let mut daemon = Daemon::start_with(asking, &[]);
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.call("4001");
    if let Some(key) = key {
        caller.ear.hear(5);
        caller.ear.press(key);
    }
    let invite = agent.expect_invite();
    agent.answer(&invite);
    assert!(tone::share(&agent.ear.hear(60)[4_800..], 440.0) > 0.9, "they speak in any case");
    // Recording what was refused is nobody's to ask for.
    let wish = agent.within("INFO", "Record: on\r\n", "");
    assert!(wish.is(if key == Some('1') { "200" } else { "403" }), "{wish:?}");
    caller.hang_up();
    agent.expect_bye();
    let mut records = daemon.stop();
    assert_eq!(records.len(), 1, "{records:?}");
    let record = records.remove(0);
    (daemon, record)
}

#[test]
fn a_yes_is_recorded_and_stands_in_the_record() {
    let (daemon, record) = ask(Some('1'));
    assert_eq!(record.consent, Some(Consent::Given));
    assert_eq!(record.recording.as_ref().map(|recording| recording.consent), Some(Consent::Given));
    assert_eq!(super::recording_pause::manifest(&daemon, &record)["consent"], "given");
    assert!(tone::share(&tone::channels(&daemon.recording(&record)).0[4_000..8_000], 440.0) > 0.9);
}

#[test]
fn a_no_and_a_silence_leave_no_recording() {
    for key in [Some('2'), None] {
        let (daemon, record) = ask(key);
        assert_eq!((record.consent, record.recording.is_some()), (Some(Consent::Refused), false), "{record:?}");
        assert_eq!(daemon.recorded_bytes(), 0);
    }
}
