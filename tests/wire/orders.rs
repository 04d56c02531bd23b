//! Hours closed by hand and announcements of ops: who waits, who comes, and what a restart keeps.

use trunkline::records::Disposition;

use super::daemon::{Daemon, wait, without_acw};
use super::queue::caller;

/// The demo's plan in which callers of 4001 are sent away when the hotline's hours end, and hear so.
fn closing(plan: String) -> String {
    let plan = without_acw(plan);
    let queue = "[flow.support_direct.step.queue]\ndo = \"queue\"\n";
    assert!(plan.contains(queue));
    let plan = plan
        .replace(queue, &format!("{queue}hours = \"hotline\"\nclosing = \"closed\"\nkeys = {{ 9 = \"hangup\" }}\n"));
    format!("{plan}\n[flow.support_direct.step.closed]\ndo = \"play\"\nprompts = [\"closed\"]\nnext = \"hangup\"\n")
}

/// What an order says; a machine whose disk is busy confirms nothing for a while, and may be asked again.
pub fn order(daemon: &Daemon, arguments: &[&str]) -> String {
    let mut said = String::new();
    let again = || {
        let output = daemon.try_command(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() || told.contains("the disk is stalled"), "{told}");
        output.status.success()
    };
    wait(again, || format!("{arguments:?} is not confirmed"));
    said
}

const LATER: &str = "2099-01-01T00:00:00Z";

#[test]
fn callers_who_wait_are_told_when_the_hours_are_closed_by_hand() {
    let mut daemon = Daemon::start_with(closing, &[]);
    let mut caller = caller(&daemon);
    caller.call("4001");
    let waits = |calls: &serde_json::Value| calls["items"][0]["state"] == "waiting";
    daemon.json_until("/api/v1/calls", waits);
    let said = order(&daemon, &["hours", "close", "hotline", "--until", LATER]);
    assert!(said.contains("hotline are closed until 2099"), "{said}");
    caller.expect_bye();
    // Who comes now does not wait, also after a restart.
    daemon.stop();
    daemon.run();
    let hours = daemon.json("/api/v1/hours");
    assert_eq!(
        (&hours["items"][0]["open"], &hours["items"][0]["because"]),
        (&false.into(), &format!("closed by hand until {LATER}").into())
    );
    caller.call("4001");
    caller.expect_bye();
    order(&daemon, &["hours", "open", "hotline"]);
    let again = daemon.try_command(&["hours", "open", "hotline"]);
    assert_eq!(again.status.code(), Some(1), "they are open already");
    let unknown = daemon.try_command(&["hours", "close", "hotlnie", "--until", LATER]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no hours \"hotlnie\""));
    caller.call("4001");
    daemon.json_until("/api/v1/calls", waits);
    caller.ear.press('9');
    caller.expect_bye();
    let records = daemon.stop();
    let paths: Vec<_> = records.iter().map(|record| record.path.join(" ")).collect();
    assert!(paths[0].ends_with("support_direct.queue support_direct.closed support_direct.hangup"), "{paths:?}");
    assert!(paths[1].ends_with("support_direct.queue support_direct.closed support_direct.hangup"), "{paths:?}");
    assert!(paths[2].ends_with("support_direct.queue support_direct.hangup"), "{paths:?}");
    assert!(records.iter().all(|record| record.disposition == Disposition::SelfService), "{records:?}");
}

#[test]
fn an_announcement_comes_before_everything_else() {
    let mut daemon = Daemon::start();
    let mut caller = caller(&daemon);
    order(&daemon, &["announce", "echo", "line_works", "--until", LATER]);
    let wrong = daemon.try_command(&["announce", "echo", "line_wroks", "--until", LATER]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("the prompt \"line_wroks\" is not there in zh"));
    daemon.json_until("/api/v1/hours", |hours| hours["announcements"][0]["flow"] == "echo");
    assert!(daemon.run_command(&["hours", "list"]).contains("flow echo begins with line_works"));
    caller.call("4002");
    let heard = caller.ear.hear(80);
    assert!(super::tone::share(&heard[4_800..], 440.0) < 0.3, "a prompt, not the echo");
    order(&daemon, &["announce", "echo", "--end"]);
    caller.hang_up();
    caller.call("4002");
    assert!(super::tone::share(&caller.ear.hear(60)[4_800..], 440.0) > 0.9);
    caller.hang_up();
    daemon.stop();
}
