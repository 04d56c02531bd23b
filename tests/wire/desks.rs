//! Agents who sit down at whatever phone is free, and prove who they are by a PIN.

use trunkline::records::Disposition;

use super::daemon::{Daemon, own_address, wait};
use super::phone::Phone;
use super::queue::{AGENT_HZ, agent, caller};
use super::tone;

/// Long enough to be nothing else that is written down.
const PIN: &str = "830417629514";

fn floor() -> Daemon {
    let pins = |settings: String| {
        settings.replace("pin = \"1234\"", &format!("pin = \"{PIN}\""))
            + &format!("\n[agent.\"1010\"]\npin = \"{PIN}\"\n")
    };
    Daemon::start_set(own_address(), pins, |plan| plan, &[])
}

/// Dials the desk code, types number and PIN, and hears it out.
fn sit(phone: &mut Phone, number: &str, pin: &str) {
    phone.invite_as("*70", "demo", "");
    let accepted = phone.expect("200 to INVITE", |text| text.is("200") && text.header("CSeq").ends_with("INVITE"));
    phone.confirm(&accepted);
    // Keys before the questions are kept for them.
    phone.ear.hear(10);
    format!("{number}#{pin}#").chars().for_each(|key| phone.ear.press(key));
    phone.expect_bye();
}

/// Figures follow what happened by a moment.
fn refused(daemon: &Daemon, times: f64) {
    wait(
        || daemon.metric("trunkline_desks_refused_total") == times,
        || format!("not {times} refusals\n{}", daemon.log()),
    );
}

fn line(daemon: &Daemon, wanted: &str) -> serde_json::Value {
    let agents = daemon.json("/api/v1/agents");
    let lines = agents["items"].as_array().expect("items");
    lines.iter().find(|line| line["agent"] == wanted).expect("a line").clone()
}

fn until(daemon: &Daemon, agent: &str, state: &str, phone: Option<&str>) {
    let there = || {
        let line = line(daemon, agent);
        line["state"] == state && line["phone"].as_str() == phone
    };
    wait(there, || format!("{agent} is not {state} at {phone:?}: {}\n{}", line(daemon, agent), daemon.log()));
}

#[test]
fn an_agent_sits_down_by_pin_and_is_called_there_over_a_kill_until_signing_out() {
    let mut daemon = floor();
    // A supervisor's phone stands on the desk; agent 1003 has no phone.
    let mut desk = agent(&daemon, "1900");
    sit(&mut desk, "1003", "4321");
    until(&daemon, "1003", "offline", None);
    refused(&daemon, 1.0);
    sit(&mut desk, "1003", PIN);
    until(&daemon, "1003", "available", Some("1900"));
    let mut one = caller(&daemon);
    one.call("4001");
    let invite = desk.expect_invite();
    desk.answer(&invite);
    wait(|| tone::share(&one.ear.hear(25), AGENT_HZ) > 0.9, || "the agent is not heard".to_owned());
    // The phone's own user is not the agent who talks.
    until(&daemon, "1003", "talking", Some("1900"));
    // Nobody else sits down at a phone that is in use, nor the agent elsewhere.
    let mut second = agent(&daemon, "1900");
    sit(&mut second, "1002", PIN);
    until(&daemon, "1002", "offline", None);
    one.hang_up();
    desk.expect_bye();
    daemon.until_idle();
    assert!(!daemon.journal_has(PIN) && !daemon.log().contains(PIN), "a PIN is written nowhere");
    daemon.kill();
    daemon.run();
    until(&daemon, "1003", "available", Some("1900"));
    // What the phone calls, the agent calls; and its codes are the agent's.
    desk.dial_code("*72", "demo");
    until(&daemon, "1003", "not_ready", Some("1900"));
    // Another one sits down: the first is signed out.
    sit(&mut desk, "1002", PIN);
    until(&daemon, "1002", "available", Some("1900"));
    until(&daemon, "1003", "offline", None);
    desk.dial_code("*74", "demo");
    until(&daemon, "1002", "offline", None);
    let records = daemon.stop();
    let talked: Vec<_> = records.iter().filter(|record| record.disposition == Disposition::Answered).collect();
    assert_eq!(talked[0].segments[0].agent.as_str(), "1003");
}

#[test]
fn the_owner_of_a_phone_is_signed_out_by_who_sits_down_and_the_guest_is_called_by_name() {
    let mut daemon = floor();
    let (mut desk, mut colleague) = (agent(&daemon, "1002"), agent(&daemon, "1001"));
    until(&daemon, "1002", "available", None);
    // An agent who has nothing but a PIN.
    sit(&mut desk, "1010", PIN);
    until(&daemon, "1010", "available", Some("1002"));
    until(&daemon, "1002", "offline", None);
    assert!(desk.register("demo", 300).is("200"));
    colleague.invite_as("1010", "demo", "");
    let invite = desk.expect_invite();
    desk.answer(&invite);
    assert!(colleague.outcome().is("200"));
    until(&daemon, "1010", "not_ready", Some("1002"));
    until(&daemon, "1002", "offline", None);
    colleague.hang_up();
    desk.expect_bye();
    daemon.stop();
}

#[test]
fn five_wrong_pins_in_a_row_close_the_desk_for_the_sixth() {
    let mut daemon = floor();
    let mut desk = agent(&daemon, "1900");
    (0..5).for_each(|_| sit(&mut desk, "1003", "0000"));
    sit(&mut desk, "1003", PIN);
    until(&daemon, "1003", "offline", None);
    refused(&daemon, 6.0);
    sit(&mut desk, "1002", PIN);
    until(&daemon, "1002", "available", Some("1900"));
    daemon.stop();
}
