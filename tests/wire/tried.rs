//! What `trunkline route` and `trunkline test` say of a call is what the very call does, step by step.

use super::daemon::{Daemon, wait, without_acw};
use super::queue::{agent, caller};
use super::tone;

/// The steps that `route` prints.
fn routed(daemon: &Daemon, arguments: &[&str]) -> Vec<String> {
    let printed = daemon.run_command(&[&["route"], arguments].concat());
    let is_step = |line: &&str| !line.starts_with([' ', '…']) && line.contains('.') && !line.contains(' ');
    printed.lines().filter(is_step).map(str::to_owned).collect()
}

/// What becomes of a case of a floor's plan: its result as JSON.
fn tried(daemon: &Daemon, case: &str) -> serde_json::Value {
    let folder = daemon.plan().with_file_name("tests");
    std::fs::create_dir_all(&folder).expect("a folder");
    let head =
        "version = 1\nplan = \"../plan.toml\"\n[case.c]\ntrunk = \"carrier\"\nat = \"2026-11-27T10:00:00+08:00\"\n";
    std::fs::write(folder.join("case.toml"), format!("{head}{case}")).expect("written");
    // The folder beside the plan is looked into without being named.
    let printed = daemon.run_command(&["test", "--format", "json"]);
    serde_json::from_str(&printed).expect("one object")
}

fn steps(result: &serde_json::Value) -> Vec<String> {
    let steps = result["steps"].as_array().expect("steps").iter();
    steps.map(|step| step["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn the_hotline_with_its_question_goes_as_it_was_tried() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.call("4000");
    // English and support, both before they are asked for.
    caller.ear.press('2');
    caller.ear.press('2');
    let invite = agent.expect_invite();
    agent.answer(&invite);
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 1_000.0) > 0.9, "they talk");
    agent.hang_up();
    wait(|| daemon.journal_has("hotline.survey"), || "the question is not put".to_owned());
    caller.ear.press('4');
    caller.expect_bye();
    let routed = routed(&daemon, &["--to", "4000", "--trunk", "carrier", "--keys", "2,2,4", "--served", "1s"]);
    let case = "number = \"4000\"\nkeys = [\"2\", \"2\", \"4\"]\nagents = { 1001 = { after = \"0s\", talks = \"1s\" } }\n\
                expect = { survey = 4, outcome = \"answered\", hangup_by = \"agent\", language = \"en\" }\n";
    let tried = tried(&daemon, case);
    let records = daemon.stop();
    let record = &records[0];
    assert!(record.path.contains(&"hotline.thanks".to_owned()), "{:?}", record.path);
    assert_eq!(record.path, routed, "what route prints is what the call did");
    assert_eq!(record.path, steps(&tried), "and so is what the test plays");
}

#[test]
fn sales_with_support_besides_goes_as_it_was_tried_to_a_tenth_of_a_second() {
    let sooner = |plan: String| without_acw(plan).replace("after = \"20s\"", "after = \"2s\"");
    let mut daemon = Daemon::start_with(sooner, &[]);
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.call("4005");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    agent.hang_up();
    caller.expect_bye();
    let routed = routed(&daemon, &["--to", "4005", "--trunk", "carrier"]);
    let case = "number = \"4005\"\nagents = { 1001 = { after = \"0s\", talks = \"0s\" } }\n\
                expect = { queue = \"support\", agent = \"1001\", wait = \"2s\" }\n";
    let tried = tried(&daemon, case);
    let records = daemon.stop();
    let record = &records[0];
    assert_eq!(record.path, routed);
    assert_eq!(record.path, steps(&tried));
    assert_eq!(record.queue.as_ref().map(|queue| queue.as_str()), tried["record"]["queue"].as_str());
    let entered = record.queue_entered.expect("it waited");
    let called_ms = record.segments[0].presented.since(entered);
    assert!(called_ms.abs_diff(tried["record"]["wait_ms"].as_u64().expect("a wait")) <= 100, "{called_ms}");
    // The notice is as long on the wire as in the test.
    let begun_ms = entered.since(record.answered.expect("answered"));
    let line = tried["steps"].as_array().expect("steps").last().expect("the queue");
    assert!(begun_ms.abs_diff(line["at_ms"].as_u64().expect("an instant")) <= 200, "{begun_ms} {line}");
}
