//! `trunkline report queue-log`: what a queue's calls look like to those who read Asterisk's.

use super::daemon::{Daemon, own_address, wait, without_acw};
use super::queue::{agent, caller};

#[test]
fn an_abandoned_call_and_a_conversation_are_lines_of_queue_log() {
    let mut daemon = Daemon::start();
    let (mut agent, mut first) = (agent(&daemon, "1001"), caller(&daemon));
    first.call("4001");
    let invite = agent.expect_invite();
    agent.ring(&invite);
    first.hang_up();
    let cancel = agent.expect("CANCEL", |text| text.is("CANCEL"));
    agent.reply(&cancel, "200 OK", "");
    agent.reply_tagged(&invite, "487 Request Terminated", "");
    agent.expect("ACK", |text| text.is("ACK"));
    let mut second = caller(&daemon);
    second.call("4001");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    second.hang_up();
    agent.expect_bye();
    let records = daemon.stop();
    let number = |call: &str| records.iter().position(|record| record.call_id.to_string() == call);
    let days = ["report", "queue-log", "--from", "2000-01-01", "--to", "2099-12-31"];
    let told = daemon.run_command(&days);
    let mut calls: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for line in told.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let [epoch, call, rest @ ..] = &fields[..] else { panic!("{line}") };
        assert!(epoch.parse::<i64>().is_ok_and(|seconds| seconds > 1_700_000_000), "{line}");
        if *call != "NONE" && !calls.contains(call) {
            assert!(number(call).is_some(), "a call of the records: {line}");
            calls.push(call);
        }
        let call = calls.iter().position(|known| known == call).map_or("NONE".to_owned(), |at| format!("call {at}"));
        lines.push(format!("{call}|{}", rest.join("|")));
    }
    // How long it all took is the machine's affair; where a figure stands is the format's.
    let figures = |line: &String, event: &str| -> Vec<String> {
        let (_, data) = line.split_once(&format!("|{event}|")).unwrap_or_else(|| panic!("{event} in {line}"));
        data.split('|').map(str::to_owned).collect()
    };
    let is_number = |text: &String| text.parse::<u64>().is_ok();
    let expected = [
        "NONE|NONE|NONE|QUEUESTART",
        "NONE|NONE|1001|AGENTLOGIN|1001",
        "call 0|support|NONE|DID|4001",
        "call 0|support|NONE|ENTERQUEUE||13800138000|1",
        "call 0|support|1001|RINGCANCELED|",
        "call 0|support|NONE|ABANDON|1|1|",
        "call 1|support|NONE|DID|4001",
        "call 1|support|NONE|ENTERQUEUE||13800138000|1",
        "call 1|support|1001|CONNECT|",
        "call 1|support|1001|COMPLETECALLER|",
    ];
    let of_calls: Vec<&String> = lines.iter().filter(|line| !line.contains("|AGENTLOGOFF|")).collect();
    assert_eq!(of_calls.len(), expected.len(), "{told}");
    for (line, expected) in of_calls.iter().zip(expected) {
        assert!(if expected.ends_with('|') { line.starts_with(expected) } else { *line == expected }, "{line}\n{told}");
    }
    assert!(is_number(&figures(of_calls[4], "RINGCANCELED")[0]), "{told}");
    assert!(is_number(&figures(of_calls[5], "ABANDON")[2]), "{told}");
    let connect = figures(of_calls[8], "CONNECT");
    assert!(connect.len() == 3 && is_number(&connect[0]) && is_number(&connect[2]), "{told}");
    let complete = figures(of_calls[9], "COMPLETECALLER");
    assert!(complete.len() == 3 && complete.iter().all(is_number) && complete[2] == "1", "{told}");
    // What lies outside the days is not told.
    assert_eq!(daemon.run_command(&["report", "queue-log", "--from", "2000-01-01", "--to", "2000-01-02"]), "");
}

#[test]
fn the_file_grows_by_every_line_once_over_a_kill_and_a_rotation() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, old) = (folder.path().join("queue_log"), folder.path().join("queue_log.1"));
    let set = |settings: String| format!("queue_log = \"{}\"\n{settings}", file.display());
    let mut daemon = Daemon::start_set(own_address(), set, without_acw, &[]);
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default();
    let abandon = |daemon: &Daemon, path: &std::path::Path, times: usize| {
        let mut caller = caller(daemon);
        caller.call("4001");
        wait(|| read(path).contains("|ENTERQUEUE|"), || "nobody entered".to_owned());
        caller.hang_up();
        wait(|| read(path).matches("|ABANDON|").count() == times, || read(path));
    };
    abandon(&daemon, &file, 1);
    let mut waiting = caller(&daemon);
    waiting.call("4001");
    wait(|| read(&file).matches("|ENTERQUEUE|").count() == 2, || read(&file));
    daemon.kill();
    // As if the lines had come further than what is known of them.
    let mut torn = read(&file);
    torn.push_str("17000");
    std::fs::write(&file, torn).expect("written");
    daemon.run();
    wait(|| read(&file).matches("|QUEUESTART").count() == 2, || read(&file));
    std::fs::rename(&file, &old).expect("rotated");
    abandon(&daemon, &file, 1);
    daemon.stop();
    let told = daemon.run_command(&["report", "queue-log", "--from", "2000-01-01", "--to", "2099-12-31"]);
    assert_eq!(read(&old) + &read(&file), told);
}
