//! Texts of a dialplan that a machine speaks: once, at the start and at a reload.

use super::daemon::{Daemon, wait, without_acw};
use super::queue::caller;

fn says(plan: String, text: &str) -> String {
    let works = "prompts = [\"line_works\"]";
    assert!(plan.contains(works));
    without_acw(plan).replace(works, &format!("prompts = [{{ say = {{ zh = \"{text}\" }} }}]"))
}

fn spoken(daemon: &Daemon) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(daemon.data_dir().join("spoken/zh")).expect("spoken");
    files.flatten().map(|file| file.path()).collect()
}

#[test]
fn a_text_is_spoken_once_and_heard_and_a_new_one_after_a_reload() {
    let mut daemon = Daemon::start_with(|plan| says(plan, "今天休息，请明天再来电。"), &[]);
    let mut caller = caller(&daemon);
    caller.call("4003");
    let loud = || caller.ear.hear(25).iter().any(|sample| sample.unsigned_abs() > 1_000);
    wait(loud, || "nothing is said".to_owned());
    caller.expect_bye();
    assert_eq!(spoken(&daemon).len(), 1);
    let plan = std::fs::read_to_string(daemon.plan()).expect("the plan");
    let changed = plan.replace("请明天再来电", "祝您愉快");
    assert_ne!(plan, changed);
    std::fs::write(daemon.plan(), changed).expect("written");
    daemon.run_command(&["reload"]);
    assert_eq!(spoken(&daemon).len(), 2);
    caller.call("4003");
    let loud = || caller.ear.hear(25).iter().any(|sample| sample.unsigned_abs() > 1_000);
    wait(loud, || "nothing is said".to_owned());
    caller.expect_bye();
    daemon.stop();
    // At a start with the same texts nobody has to speak.
    daemon.set("TRUNKLINE__SPEECH__COMMAND", "no-such-program {file} {text}");
    daemon.run();
    daemon.stop();
}
