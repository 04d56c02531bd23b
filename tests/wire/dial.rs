//! A plan that calls somebody for its caller: users one after the other, then a number outside, and nobody else.

use trunkline::journal::HangupBy;
use trunkline::records::Disposition;

use super::daemon::{Daemon, own_address, wait, without_acw};
use super::phone::Phone;
use super::queue::{CALLER_HZ, agent, caller};
use super::tone;

const OUTSIDE_HZ: f64 = 1_900.0;

/// Calls 1001, 1002 and a number outside; says goodbye where nobody answers.
fn plan(plan: String, number: &str) -> String {
    let answer = "[flow.echo.step.answer]\ndo = \"answer\"\nnext = \"echo\"";
    assert!(plan.contains(answer));
    let dial = format!(
        "{}\n[flow.echo.step.dial]\ndo = \"dial\"\nusers = [\"1001\", \"1002\"]\nnumber = \"{number}\"\ntrunk = \"carrier\"\n\
         allow = \"1[3-9]xxxxxxxxx\"\nring = \"1s\"\nnext = \"bye\"\n[flow.echo.step.bye]\ndo = \"hangup\"\ncause = \"nobody\"\n",
        answer.replace("\"echo\"", "\"dial\"")
    );
    let echo = "\n[flow.echo.step.echo]\ndo = \"echo\"\n";
    assert!(plan.contains(echo));
    without_acw(plan).replace(echo, "\n").replace(answer, &dial)
}

fn floor(number: &str) -> (Daemon, Phone) {
    let host = own_address();
    let outside = Phone::new("outside", own_address(), (host, 5060).into(), OUTSIDE_HZ);
    let target = format!("sip:{}", outside.local());
    let set = |settings: String| settings.replace("sip:127.0.0.1:5090", &target);
    let number = number.to_owned();
    (Daemon::start_set(host, set, |text| plan(text, &number), &[]), outside)
}

#[test]
fn the_busy_and_the_silent_are_passed_by_and_the_last_one_talks() {
    let (mut daemon, mut outside) = floor("13900139000");
    let (mut first, mut second) = (agent(&daemon, "1001"), agent(&daemon, "1002"));
    let mut caller = caller(&daemon);
    caller.call("4002");
    let invite = first.expect_invite();
    first.refuse(&invite, "486 Busy Here", "");
    first.expect("ACK", |text| text.is("ACK"));
    let invite = second.expect_invite();
    second.ring(&invite);
    let cancel = second.expect("CANCEL", |text| text.is("CANCEL"));
    second.reply(&cancel, "200 OK", "");
    second.refuse(&invite, "487 Request Terminated", "");
    let invite = outside.expect_invite();
    assert!(invite.first().contains("13900139000@"), "{invite:?}");
    outside.answer(&invite);
    wait(|| tone::share(&outside.ear.hear(50), CALLER_HZ) > 0.9, || "the caller is not heard".to_owned());
    wait(|| tone::share(&caller.ear.hear(50), OUTSIDE_HZ) > 0.9, || "the caller does not hear".to_owned());
    outside.hang_up();
    caller.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.disposition, record.hangup_by), (Disposition::Answered, HangupBy::Agent));
    assert!(record.agent_answered.is_some() && record.talk_ms > 0 && record.segments.is_empty(), "{record:?}");
}

#[test]
fn phones_that_ring_at_once_are_told_that_another_one_was_answered() {
    let at_once = |text: String| plan(text, "1").replace("[\"1001\", \"1002\"]", "[[\"1001\", \"1002\", \"1003\"]]");
    let mut daemon = Daemon::start_with(at_once, &[]);
    let mut agents = ["1001", "1002", "1003"].map(|user| agent(&daemon, user));
    let mut caller = caller(&daemon);
    caller.call("4002");
    let invites = agents.each_mut().map(Phone::expect_invite);
    agents[0].ring(&invites[0]);
    agents[1].refuse(&invites[1], "603 Decline", "");
    agents[1].expect("ACK", |text| text.is("ACK"));
    agents[2].answer(&invites[2]);
    let cancel = agents[0].expect("CANCEL", |text| text.is("CANCEL"));
    assert!(cancel.header("Reason").contains("cause=200"), "{cancel:?}");
    agents[0].reply(&cancel, "200 OK", "");
    agents[0].refuse(&invites[0], "487 Request Terminated", "");
    wait(|| tone::share(&agents[2].ear.hear(50), CALLER_HZ) > 0.9, || "the caller is not heard".to_owned());
    caller.hang_up();
    agents[2].expect_bye();
    daemon.until_idle();
    // All ring out, or will not have it: the plan goes on once.
    caller.call("4002");
    let invites = agents.each_mut().map(Phone::expect_invite);
    for (agent, invite) in agents.iter_mut().zip(&invites) {
        agent.ring(invite);
    }
    for (agent, invite) in agents.iter_mut().zip(&invites) {
        let cancel = agent.expect("CANCEL", |text| text.is("CANCEL"));
        agent.reply(&cancel, "200 OK", "");
        agent.refuse(invite, "487 Request Terminated", "");
    }
    caller.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!(
        records.iter().map(|record| record.cause.text.as_str()).collect::<Vec<_>>(),
        ["normal_clearing", "nobody"]
    );
}

#[test]
fn a_plan_goes_on_where_nobody_is_there_and_a_dear_number_is_not_called() {
    let (mut daemon, outside) = floor("19001234567890");
    let mut caller = caller(&daemon);
    caller.call("4002");
    caller.expect_bye();
    assert!(outside.try_receive().is_none(), "nobody is called outside");
    daemon.until_idle();
    assert_eq!(daemon.stop()[0].cause.text, "nobody");
}
