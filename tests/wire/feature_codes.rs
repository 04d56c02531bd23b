//! Agents say by their phone's keys whether they take calls; a password is asked for it.

use trunkline::records::Disposition;

use super::daemon::{Daemon, own_address};
use super::queue::{agent, caller};

#[test]
fn who_is_not_ready_gets_no_call_until_available_again() {
    let mut daemon = Daemon::start();
    let (mut first, mut second) = (agent(&daemon, "1001"), agent(&daemon, "1002"));
    // Signed in before the other, so the next call would be the first one's.
    first.dial_code("*72", "demo");
    let mut one = caller(&daemon);
    one.call("4001");
    let invite = second.expect_invite();
    second.answer(&invite);
    one.hang_up();
    second.expect_bye();
    second.dial_code("*72", "demo");
    first.dial_code("*71", "demo");
    let mut two = caller(&daemon);
    two.call("4001");
    let invite = first.expect_invite();
    first.answer(&invite);
    two.hang_up();
    first.expect_bye();

    let records = daemon.stop();
    let takers: Vec<_> = records.iter().flat_map(|record| &record.segments).map(|s| s.agent.as_str()).collect();
    assert_eq!(takers, ["1002", "1001"]);
    let codes: Vec<_> = records.iter().filter(|record| record.called.starts_with('*')).collect();
    assert_eq!(codes.len(), 3);
    for record in codes {
        assert_eq!(record.disposition, Disposition::SelfService, "{record:?}");
        assert_eq!(record.trunk, None, "an agent's call comes by no trunk");
    }
}

#[test]
fn a_waiting_caller_rings_at_the_agent_who_comes_back() {
    let mut daemon = Daemon::start();
    let mut agent = agent(&daemon, "1001");
    agent.dial_code("*72", "demo");
    let mut caller = caller(&daemon);
    caller.call("4001");
    caller.ear.hear(25);
    agent.dial_code("*71", "demo");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    caller.hang_up();
    agent.expect_bye();
    daemon.stop();
}

#[test]
fn a_stranger_is_asked_for_a_password() {
    let daemon = Daemon::start();
    let mut caller = caller(&daemon);
    caller.invite("*71");
    let refusal = caller.expect("challenge", |text| text.is("401"));
    caller.ack_refusal(&refusal);
}

#[test]
fn a_supervisor_gives_a_reason_that_the_settings_know() {
    let reasons = |settings| format!("{settings}\n[reason.lunch]\npaid = false\n[reason.training]\n");
    let mut daemon = Daemon::start_set(own_address(), reasons, |plan| plan, &[]);
    let _phone = agent(&daemon, "1001");
    let ask = |reason: &str| {
        let body = format!("{{\"state\": \"not_ready\", \"reason\": \"{reason}\"}}");
        let (status, _, body) = daemon.http("PUT /api/v1/agents/1001/state", "", &body);
        (status, String::from_utf8(body).expect("JSON"))
    };
    let (status, problem) = ask("dinner");
    assert_eq!(status, 400);
    assert!(problem.contains("there are lunch, training, supervisor"), "{problem}");
    let (status, line) = ask("lunch");
    assert!(status == 200 && line.contains("\"paid\":false"), "{status} {line}");
    assert_eq!(ask("training").0, 200);
    daemon.json_until("/api/v1/agents", |agents| agents["items"][0]["paid"] == true);
    daemon.stop();
}

#[test]
fn after_call_work_is_the_agents_own_and_longer_by_a_code() {
    let acw = |settings: String| format!("{settings}\n[agent.\"1500\"]\npassword = \"demo\"\nacw = \"1h\"\n");
    let plan = |plan: String| {
        let plan = plan.replace("[\"1001-1004\"]", "[\"1500\"]");
        assert!(plan.contains("state = \"end_acw\""));
        plan.replace("state = \"end_acw\"", "state = \"extend_acw\"\nby = \"2h\"")
    };
    let mut daemon = Daemon::start_set(own_address(), acw, plan, &[]);
    let (mut agent, mut caller) = (agent(&daemon, "1500"), caller(&daemon));
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    caller.hang_up();
    agent.expect_bye();
    let ends = |hours: i64| {
        daemon.json_until("/api/v1/agents", |agents| {
            let lines = agents["items"].as_array().expect("agents");
            let line = lines.iter().find(|line| line["agent"] == "1500").expect("the agent");
            let until = line["until"].as_str().and_then(|until| until.parse::<jiff::Timestamp>().ok());
            let left = until.map_or(0, |until| until.as_second() - jiff::Timestamp::now().as_second());
            line["state"] == "acw" && (hours * 3_600 - 60..=hours * 3_600).contains(&left)
        })
    };
    ends(1);
    agent.dial_code("*73", "demo");
    ends(3);
    daemon.stop();
}
