//! A caller gets whom they have spoken with last, over a restart too.

use trunkline::id::AgentId;

use super::daemon::{Daemon, without_acw};
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
