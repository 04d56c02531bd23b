//! The weekly sample and the list of records, drawn by the binary from what real calls left.

use std::process::Output;

use super::daemon::{Daemon, without_acw};
use super::queue::{agent, caller};

fn ask(daemon: &Daemon, arguments: &[&str]) -> Output {
    let words = arguments.iter().copied().chain(["--config", "config/demo.toml", "--zone", "UTC"]);
    daemon.command().args(words).output().expect("the binary runs")
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_same_seed_draws_the_same_calls_while_the_daemon_runs() {
    let plan = |plan| without_acw(plan).replace("\"recording_notice\"", "\"goodbye\"");
    let mut daemon = Daemon::start_with(plan, &[]);
    let mut agent = agent(&daemon, "1001");
    for _ in 0..12 {
        let mut caller = caller(&daemon);
        caller.call("4001");
        let invite = agent.expect_invite();
        agent.answer(&invite);
        caller.ear.hear(5);
        caller.hang_up();
        agent.expect_bye();
    }
    daemon.json_until("/api/v1/records?limit=50", |records| {
        records["items"].as_array().is_some_and(|all| all.iter().filter(|one| one["final"] == true).count() == 12)
    });
    let today = "2000-01-01";
    let days = ["--from", today, "--to", "2100-01-01"];
    let draw = |seed: &str| {
        text(&ask(&daemon, &[&["quality", "draw", "--format", "json", "--seed", seed], &days[..]].concat()))
    };
    let (first, again, other) = (draw(&"07".repeat(32)), draw(&"07".repeat(32)), draw(&"08".repeat(32)));
    assert_eq!(first, again);
    let drawn: serde_json::Value = serde_json::from_str(first.trim()).expect("one agent's line");
    assert_eq!((&drawn["agent"], &drawn["of"]), (&"1001".into(), &12.into()));
    assert_eq!(drawn["sample"].as_array().map(Vec::len), Some(2), "ten per cent, rounded up");
    assert_ne!(first, other);
    let table = text(&ask(&daemon, &[&["quality", "draw", "--seed", &"07".repeat(32)], &days[..]].concat()));
    assert!(table.contains(drawn["sample"][0].as_str().expect("a call")), "{table}");
    // Without a seed one is drawn and told.
    let unseeded = ask(&daemon, &[&["quality", "draw"], &days[..]].concat());
    assert!(String::from_utf8_lossy(&unseeded.stderr).contains("repeat the draw with --seed "));

    let lines = text(&ask(&daemon, &[&["report", "records", "--format", "json"], &days[..]].concat()));
    assert_eq!(lines.lines().count(), 12);
    let csv = text(&ask(&daemon, &[&["report", "records", "--format", "csv"], &days[..]].concat()));
    assert!(csv.lines().next().is_some_and(|head| head.contains("call_id") && head.contains("talk_ms")), "{csv}");
    let reversed = ask(&daemon, &["quality", "draw", "--from", "2026-01-02", "--to", "2026-01-01"]);
    assert_eq!(reversed.status.code(), Some(2));
    daemon.stop();
    std::fs::remove_file(daemon.data_dir().join("trunkline.db")).expect("removed");
    let none = ask(&daemon, &[&["report", "records"], &days[..]].concat());
    assert_eq!(none.status.code(), Some(3), "{}", String::from_utf8_lossy(&none.stderr));
}
