//! `trunkline report queue-log`: what a queue's calls look like to those who read Asterisk's.

use super::daemon::Daemon;
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
