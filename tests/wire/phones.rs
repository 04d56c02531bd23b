//! What the ACD knows of agents' phones: busy with a call of their own, gone, or not there at all.

use super::daemon::{Daemon, PATIENCE, without_acw};
use super::queue::{agent, caller};

fn state(agents: &serde_json::Value, agent: &str) -> String {
    let items = agents["items"].as_array().expect("a list");
    let one = items.iter().find(|item| item["agent"] == agent).expect("known");
    format!("{} {}", one["state"].as_str().unwrap_or_default(), one["reason"].as_str().unwrap_or_default())
}

#[test]
fn an_agent_who_calls_the_queue_is_not_offered_the_own_call() {
    let mut daemon = Daemon::start();
    let (mut first, mut second) = (agent(&daemon, "1001"), agent(&daemon, "1002"));
    // The longest idle of both, on the way of a phone that the trunk's addresses hold too.
    first.call("4001");
    daemon.json_until("/api/v1/agents", |agents| state(agents, "1001") == "not_ready own_call");
    let invite = second.expect_invite();
    second.answer(&invite);
    second.ear.hear(10);
    first.hang_up();
    second.expect_bye();
    daemon.json_until("/api/v1/agents", |agents| state(agents, "1001") == "available ");
    // And now it is the other one who has talked last.
    let mut caller = caller(&daemon);
    caller.call("4001");
    let since = std::time::Instant::now();
    let invite = loop {
        let call = [&first, &second].into_iter().find_map(|phone| phone.try_receive().filter(|text| text.is("INVITE")));
        if let Some(invite) = call {
            break invite;
        }
        assert!(since.elapsed() < PATIENCE, "no phone rings");
    };
    assert!(invite.header("From").contains("13800138000"), "{invite:?}");
    let records = daemon.stop();
    let own = records.iter().find(|record| record.caller == "1001").expect("the agent's own call");
    assert_eq!(own.segments.iter().map(|segment| segment.agent.as_str()).collect::<Vec<_>>(), ["1002"]);
}

#[test]
fn a_phone_that_is_gone_takes_its_agent_out_until_it_registers_again() {
    let mut daemon = Daemon::start_with(without_acw, &[("TRUNKLINE__SIP__QUALIFY", "200ms")]);
    let phone = agent(&daemon, "1001");
    daemon.json_until("/api/v1/agents", |agents| state(agents, "1001") == "available ");
    // The socket is closed: the system refuses what is sent there.
    drop(phone);
    daemon.json_until("/api/v1/agents", |agents| state(agents, "1001") == "not_ready unreachable");
    let mut caller = caller(&daemon);
    caller.call("4001");
    daemon.json_until("/api/v1/queues", |queues| queues.to_string().contains("\"waiting\":1"));
    let mut phone = agent(&daemon, "1001");
    let invite = phone.expect_invite();
    phone.answer(&invite);
    caller.hang_up();
    phone.expect_bye();
    let records = daemon.stop();
    assert_eq!(records[0].segments.len(), 1, "no call was sent to the phone that was gone: {:?}", records[0]);
}

#[test]
fn an_agent_without_a_phone_cannot_be_made_available() {
    let mut daemon = Daemon::start();
    let json = "Content-Type: application/json\r\n";
    let (status, _, body) = daemon.http("PUT /api/v1/agents/1003/state", json, "{\"state\":\"available\"}");
    assert_eq!(status, 409);
    assert!(String::from_utf8_lossy(&body).contains("no phone"), "{}", String::from_utf8_lossy(&body));
    assert_eq!(state(&daemon.json("/api/v1/agents"), "1003"), "offline ");
    daemon.stop();
}
