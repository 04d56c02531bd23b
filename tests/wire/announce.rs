//! What an agent hears before the caller.

use trunkline::records::Disposition;

use super::daemon::{Daemon, wait, without_acw};
use super::long_prompt::{prompts, tones};
use super::queue::{AGENT_HZ, CALLER_HZ, agent, caller};
use super::tone;

const BEEP_HZ: f64 = 1_900.0;

/// The demo's floor whose agents hear a tone of so many seconds before a caller of 4001.
fn floor(seconds: usize) -> (Daemon, tempfile::TempDir) {
    let folder = prompts(&[("zh/line_works", tones(&[(seconds, BEEP_HZ)]))]);
    let plan = |plan: String| {
        let queue = "[flow.support_direct.step.queue]\n";
        without_acw(plan).replace(queue, &format!("{queue}announce = [\"line_works\"]\n"))
    };
    let path = folder.path().display().to_string();
    (Daemon::start_with(plan, &[("TRUNKLINE__PROMPTS", &path)]), folder)
}

#[test]
fn an_agent_hears_the_announcement_while_the_caller_waits_and_neither_hears_the_other_before() {
    let (mut daemon, _prompts) = floor(3);
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    let announced = agent.ear.hear(80);
    let meanwhile = caller.ear.hear(40);
    assert!(tone::share(&announced[1_600..], BEEP_HZ) > 0.9, "the announcement");
    assert!(tone::share(&announced, CALLER_HZ) < 0.01, "without the caller");
    assert!(tone::share(&meanwhile, AGENT_HZ) < 0.3, "the caller hears no agent yet");
    wait(|| tone::share(&agent.ear.hear(10), CALLER_HZ) > 0.9, || "the agent does not hear the caller".to_owned());
    wait(|| tone::share(&caller.ear.hear(10), AGENT_HZ) > 0.9, || "the caller does not hear the agent".to_owned());
    agent.ear.hear(50);
    caller.hang_up();
    agent.expect_bye();
    let records = daemon.stop();
    let record = &records[0];
    assert_eq!(record.disposition, Disposition::Answered);
    let recording = record.recording.as_ref().expect("recorded");
    let shorter = record.talk_ms.saturating_sub(recording.written_ms);
    assert!((2_900..3_200).contains(&shorter), "the recording begins after it: {shorter} ms");
    let (left, right) = tone::channels(&daemon.recording(record));
    assert!(tone::share(&left[1_600..], CALLER_HZ) > 0.9 && tone::share(&right[1_600..], AGENT_HZ) > 0.9);
}

#[test]
fn holding_cuts_the_announcement_short_and_hanging_up_ends_the_call() {
    let (mut daemon, _prompts) = floor(20);
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    assert!(tone::share(&agent.ear.hear(40)[1_600..], BEEP_HZ) > 0.9);
    // A phone that settles its session anew goes on listening.
    assert!(agent.modify("a=sendrecv\r\n").is("200"));
    assert!(tone::share(&agent.ear.hear(40)[1_600..], BEEP_HZ) > 0.9);
    assert!(agent.modify("a=sendonly\r\n").is("200"));
    assert!(agent.modify("a=sendrecv\r\n").is("200"));
    wait(|| tone::share(&agent.ear.hear(10), CALLER_HZ) > 0.9, || "the agent does not hear the caller".to_owned());
    wait(|| tone::share(&caller.ear.hear(10), AGENT_HZ) > 0.9, || "the caller does not hear the agent".to_owned());
    caller.hang_up();
    agent.expect_bye();
    // The next one is hung up while the announcement runs.
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    assert!(tone::share(&agent.ear.hear(40)[1_600..], BEEP_HZ) > 0.9);
    agent.hang_up();
    caller.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!(records.len(), 2);
    assert!(records[0].recording.is_some() && records[1].recording.is_none(), "{records:?}");
}
