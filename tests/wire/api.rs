//! What the API shows of a real call, while it goes on and afterwards.

use super::daemon::Daemon;
use super::queue::{agent, caller};
use super::tone;

#[test]
fn a_call_is_seen_live_then_as_a_record_with_its_recording() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    daemon.json_until("/api/v1/agents", |agents| agents["items"][0]["state"] == "available");
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.ring(&invite);
    let queues = daemon.json_until("/api/v1/queues", |queues| queues.to_string().contains("\"waiting\":1"));
    assert!(queues.to_string().contains("support"), "{queues}");
    agent.answer(&invite);
    let calls = daemon.json_until("/api/v1/calls", |calls| calls["items"][0]["agent"] == "1001");
    assert_eq!(calls["items"][0]["caller"], "13800138000");
    daemon.json_until("/api/v1/agents", |agents| agents["items"][0]["state"] == "talking");
    caller.ear.hear(60);
    caller.hang_up();
    agent.expect_bye();

    let records = daemon.json_until("/api/v1/records", |records| records["items"][0]["final"] == true);
    let record = &records["items"][0];
    assert_eq!((&record["disposition"], &record["agent_answered"].is_string()), (&"answered".into(), &true));
    let id = record["call_id"].as_str().expect("an id");
    assert_eq!(&daemon.json(&format!("/api/v1/records/{id}")), record);
    let (status, head, wav) = daemon.http(&format!("GET /api/v1/records/{id}/recording"), "", "");
    assert_eq!(status, 200);
    assert!(head.to_ascii_lowercase().contains("content-type: audio/wav"), "{head}");
    let (left, right) = tone::channels(&wav);
    assert!(tone::share(&left, 440.0) > 0.9 && tone::share(&right, 1_000.0) > 0.9);
    let range = daemon.http(&format!("GET /api/v1/records/{id}/recording"), "Range: bytes=0-3\r\n", "");
    assert_eq!((range.0, range.2.as_slice()), (206, &b"RIFF"[..]));

    // A supervisor sets the agent; what the API shows afterwards holds it.
    let body = "{\"state\":\"not_ready\",\"reason\":\"break\"}";
    let (status, ..) = daemon.http("PUT /api/v1/agents/1001/state", "Content-Type: application/json\r\n", body);
    assert!((200..300).contains(&status), "{status}");
    let agents = daemon.json("/api/v1/agents");
    assert_eq!((&agents["items"][0]["state"], &agents["items"][0]["reason"]), (&"not_ready".into(), &"break".into()));

    let metrics = String::from_utf8(daemon.http("GET /metrics", "", "").2).expect("text");
    assert!(metrics.contains("trunkline_calls_bridged_total"), "{metrics}");
    let mut names: Vec<&str> =
        metrics.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.rsplit_once(' ')).map(|l| l.0).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "every figure is told once: {metrics}");
    assert_eq!(daemon.http("GET /healthz", "", "").0, 200);
    assert_eq!(daemon.http("GET /readyz", "", "").0, 200);
    // The database is there at the next start too.
    daemon.stop();
    daemon.run();
    assert_eq!(&daemon.json(&format!("/api/v1/records/{id}")), record);
    daemon.stop();
}
