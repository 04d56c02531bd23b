//! The floors that ship with the project load as they stand, with the prompts that ship with them.

use std::process::{Command, Output};

fn trunkline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trunkline"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the binary runs")
}

#[test]
fn the_demo_and_bench_floors_are_fine() {
    for floor in ["config/demo.toml", "config/bench.toml"] {
        let output = trunkline(&["check", "--config", floor]);
        assert!(output.status.success(), "{floor}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn two_on_the_hotline_leads_to_support_behind_the_recording_notice() {
    let at = "2026-10-01T21:30:00+08:00";
    let output = trunkline(&[
        "route",
        "--config",
        "config/demo.toml",
        "--to",
        "4000",
        "--from",
        "13800138000",
        "--at",
        at,
        "--keys",
        "1,2",
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let steps = String::from_utf8_lossy(&output.stdout).into_owned();
    let notice = steps.find("play zh/recording_notice.wav").expect("the notice is played");
    let queue = steps.find("queue support, priority 0, recorded").expect("the caller reaches support");
    assert!(notice < queue, "{steps}");
}
