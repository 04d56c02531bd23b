//! The tests of the dialplans that ship with the project, and what `trunkline test` says, as a person or a build server runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn trunkline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trunkline"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the binary runs")
}

fn told(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

/// A file of tests of the demo's plan with these cases.
fn file(folder: &Path, cases: &str) -> String {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/demo.toml");
    let path = folder.join("case.toml");
    let head = format!("version = 1\nplan = \"{}\"\n[given]\nat = \"2026-11-27T10:00:00+08:00\"\n", plan.display());
    fs::write(&path, format!("{head}{cases}")).expect("written");
    path.display().to_string()
}

#[test]
fn the_tests_of_the_demo_floor_pass() {
    let output = trunkline(&["test", "--config", "config/demo.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", told(&output.stdout), told(&output.stderr));
    assert!(told(&output.stdout).ends_with(" tests, 0 failed\n"));
    // The plan of the bench lies in the same folder; the demo's tests are not its.
    let output = trunkline(&["test", "--config", "config/bench.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output.stderr).contains("no test to run"), "{}", told(&output.stderr));
}

#[test]
fn what_fails_is_a_difference_an_exit_code_and_a_junit_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = "[case.\"goes <wrong>\"]\nnumber = \"4003\"\nexpect.steps = [\"short_prompt.answer\", \"echo.echo\"]\n\
                 [case.right]\nnumber = \"4003\"\nexpect.outcome = \"self_service\"\n";
    let (path, xml) = (file(folder.path(), cases), folder.path().join("junit.xml").display().to_string());
    let output = trunkline(&["test", "--config", "config/demo.toml", &path, "--junit", &xml]);
    let text = told(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for line in ["FAIL  goes <wrong>", "      - echo.echo", "      + short_prompt.line_works  0.000 s", "pass  right"] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
    assert!(text.ends_with("2 tests, 1 failed\n") && text.contains("case.toml:5:7\n"), "{text}");
    let junit = fs::read_to_string(&xml).expect("a report");
    assert!(junit.contains("<testsuites name=\"trunkline\" tests=\"2\" failures=\"1\">"), "{junit}");
    assert!(junit.contains("name=\"goes &lt;wrong&gt;\"") && junit.contains("- echo.echo"), "{junit}");

    let output = trunkline(&["test", "--config", "config/demo.toml", &path, "--filter", "RIGHT", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output.stderr));
    let lines: Vec<serde_json::Value> =
        told(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert_eq!((lines.len(), &lines[0]["passed"], &lines[0]["name"]), (1, &true.into(), &"right".into()));
    let none = trunkline(&["test", "--config", "config/demo.toml", &path, "--filter", "nowhere"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(told(&none.stderr).contains("none of 2 has \"nowhere\" in its name"), "{}", told(&none.stderr));
    assert_eq!(lines[0]["record"]["disposition"], "self_service");
    assert_eq!(lines[0]["steps"][1]["name"], "short_prompt.line_works");
}

#[test]
fn a_wrong_file_is_told_with_line_and_column_and_nothing_is_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(folder.path(), "[case.c]\nnumber = \"4003\"\nexpect = { steps = [\"short_prompt.anwser\"] }\n");
    let output = trunkline(&["test", "--config", "config/demo.toml", &path]);
    assert_eq!((output.status.code(), told(&output.stdout)), (Some(1), String::new()));
    let text = told(&output.stderr);
    assert!(text.contains("case.toml:7:21: there is no step \"short_prompt.anwser\""), "{text}");
    assert!(text.contains("did you mean \"short_prompt.answer\"?"), "{text}");
    let output = trunkline(&["test", "--config", "config/demo.toml", "no/such/file.toml"]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output.stderr));
    assert_eq!(trunkline(&["test", "--confg", "config/demo.toml"]).status.code(), Some(2));
}
