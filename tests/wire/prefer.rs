//! A caller gets whom they have spoken with last, over a restart too.

use trunkline::id::AgentId;

use super::daemon::{Daemon, own_address, without_acw};
use super::phone::Phone;
use super::queue::{agent, caller};

/// The demo's plan in which callers of 4001 wait for the last agent.
fn last_agent(plan: String) -> String {
    let queue = "[flow.support_direct.step.queue]\ndo = \"queue\"\n";
    assert!(plan.contains(queue));
    without_acw(plan).replace(queue, &format!("{queue}prefer = [\"{{own_agent}}\", \"{{last_agent}}\"]\n"))
}

#[test]
fn who_calls_again_gets_the_agent_of_the_last_time() {
    let mut daemon = Daemon::start_with(last_agent, &[]);
    let (mut second, mut caller) = (agent(&daemon, "1002"), caller(&daemon));
    caller.call("4001");
    let invite = second.expect_invite();
    second.answer(&invite);
    second.hang_up();
    caller.expect_bye();
    daemon.until_idle();
    daemon.stop();
    daemon.run();
    // Somebody else has been idle for longer.
    let _first = agent(&daemon, "1001");
    for state in ["not_ready", "available"] {
        let mut status = 503;
        super::daemon::wait(
            || {
                let body = format!("{{\"state\": \"{state}\", \"reason\": \"break\"}}");
                status = daemon.http("PUT /api/v1/agents/1002/state", "", &body).0;
                status != 503
            },
            || "the state is not changed".to_owned(),
        );
        assert!(status < 300, "{state}: {status}");
    }
    caller.call("4001");
    let invite = second.expect_invite();
    second.answer(&invite);
    caller.hang_up();
    second.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let answered: Vec<_> = records.iter().map(|record| record.segments[0].agent.clone()).collect();
    assert_eq!(answered, [AgentId::from("1002"), AgentId::from("1002")]);
    assert_eq!(records[1].segments.len(), 1, "nobody else was asked: {:?}", records[1].segments);
}

/// Who calls from this number wants billing, for two seconds.
fn with_rules(plan: String) -> String {
    let support = "[queue.support]\n";
    assert!(plan.contains(support));
    let rules = "rules = [{ caller = \"13800138000\", skills = { billing = 60 }, for = \"2s\", priority = 3 }]\n";
    without_acw(plan).replace(support, &format!("{support}{rules}"))
}

#[test]
fn a_caller_whom_a_rule_fits_gets_who_has_the_skill_and_after_a_while_anybody() {
    let skilled = |settings: String| {
        let agents = "[agent.\"1001-1004\"]\npassword = \"demo\"\nskills = [\"support\"]\n";
        assert!(settings.contains(agents));
        let one = "[agent.\"1002\"]\npassword = \"demo\"\nskills = { support = 100, billing = 80 }\n";
        let others = "[agent.\"1003-1004\"]\npassword = \"demo\"\nskills = [\"support\"]\n";
        settings.replace(agents, &format!("{one}\n{others}\n{}", agents.replace("1001-1004", "1001")))
    };
    let mut daemon = Daemon::start_set(own_address(), skilled, with_rules, &[]);
    let (mut first, mut second) = (agent(&daemon, "1001"), agent(&daemon, "1002"));
    let (mut one, mut other) = (caller(&daemon), caller(&daemon));
    one.call("4001");
    let invite = second.expect_invite();
    second.answer(&invite);
    let calls = daemon.json_until("/api/v1/calls", |calls| calls["items"][0]["state"] == "talking");
    let why = calls["items"][0]["presented"][0]["why"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("skill billing 80 ≥ 60"), "{why}");
    other.call("4001");
    let invite = first.expect_invite();
    first.answer(&invite);
    [one, other].iter_mut().for_each(Phone::hang_up);
    first.expect_bye();
    second.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let waited: Vec<_> =
        records.iter().map(|record| (record.segments[0].agent.as_str(), record.wait_ms >= 2_000)).collect();
    assert_eq!(waited, [("1002", false), ("1001", true)]);
}
