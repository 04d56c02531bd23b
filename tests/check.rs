//! `trunkline check` on good and on broken files, as a person or a build server runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trunkline"))
        .current_dir(folder)
        .args(arguments)
        .env_clear()
        .output()
        .expect("the binary runs")
}

/// The shipped floors with an empty file for every prompt of the catalogue.
fn floor() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copied = ["config/demo.toml", "config/bench.toml", "dialplans/demo.toml", "dialplans/bench.toml"];
    let catalogue = "dialplans/prompts/catalogue.toml";
    for language in ["zh", "en"] {
        fs::create_dir_all(folder.path().join("dialplans/prompts").join(language)).expect("a folder");
    }
    fs::create_dir(folder.path().join("config")).expect("a folder");
    for file in copied.into_iter().chain([catalogue]) {
        fs::copy(home.join(file), folder.path().join(file)).expect("the file is shipped");
    }
    let texts = fs::read_to_string(home.join(catalogue)).expect("the catalogue is shipped");
    for name in texts.lines().filter_map(|line| line.strip_prefix("[prompt.")?.strip_suffix(']')) {
        for language in ["zh", "en"] {
            let file = folder.path().join(format!("dialplans/prompts/{language}/{name}.wav"));
            fs::write(file, b"").expect("a file");
        }
    }
    folder
}

fn edit(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).expect("the file is there");
    assert!(text.contains(from), "{file} has \"{from}\"");
    fs::write(path, text.replacen(from, to, 1)).expect("written");
}

#[test]
fn the_shipped_floors_are_fine() {
    let folder = floor();
    for config in ["config/demo.toml", "config/bench.toml"] {
        let output = run(folder.path(), &["check", "--config", config]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn every_problem_of_a_plan_is_told_at_once() {
    let folder = floor();
    let plan = "dialplans/demo.toml";
    edit(folder.path(), plan, "language = \"zh\"", "langauge = \"zh\"");
    edit(folder.path(), plan, "open = \"welcome\"", "open = \"wellcome\"");
    edit(folder.path(), plan, "queue = \"sales\"\nrecord", "queue = \"sails\"\nrecord");
    edit(folder.path(), plan, "do = \"echo\"", "do = \"ehco\"");
    edit(folder.path(), "config/demo.toml", "log =", "lgo =");
    let output = run(folder.path(), &["check", "--config", "config/demo.toml"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    for expected in [
        "demo.toml:40:1: unknown key \"langauge\"\n    langauge = \"zh\"\n    ^\n    hint: did you mean \"language\"?",
        "demo.toml:49:8: there is no step \"wellcome\" in this flow",
        "there is no queue \"sails\"",
        "there is no step that does \"ehco\"",
        "config/demo.toml:7:1: unknown key \"lgo\"",
        "\n5 problems in the files\n",
    ] {
        assert!(told.contains(expected), "missing: {expected}\nin: {told}");
    }
}

#[test]
fn a_recording_that_nobody_announced_is_refused() {
    let folder = floor();
    edit(folder.path(), "dialplans/demo.toml", "notice = true\nnext = \"menu\"", "next = \"menu\"");
    fs::remove_file(folder.path().join("dialplans/prompts/en/goodbye.wav")).expect("removed");
    let output = run(folder.path(), &["check", "--config", "config/demo.toml", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("would record callers who were not told so"), "{told}");
    assert!(told.contains("needs the prompt file \\\"en/goodbye.wav\\\""), "{told}");
    let lines = told.matches("\"line\":").count();
    assert_eq!(lines, 5, "four queue steps, and the one play of the prompt that callers in English reach: {told}");
}

#[test]
fn exit_codes_tell_what_kind_of_trouble_it_is() {
    let folder = floor();
    assert_eq!(run(folder.path(), &["check"]).status.code(), Some(2));
    let missing = run(folder.path(), &["check", "--config", "nowhere.toml"]);
    assert_eq!(missing.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot read nowhere.toml"));
    let help = run(folder.path(), &["check", "--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("Example:"));
}

#[test]
fn route_prints_the_steps_of_a_call() {
    let folder = floor();
    let call = ["route", "--config", "config/demo.toml", "--to", "4000", "--keys", "2,3"];
    let output = run(folder.path(), &call);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("language en"), "{told}");
    assert!(told.ends_with("hotline.complaint\n  queue support, priority 10, recorded\n"), "{told}");
    let stranger = run(folder.path(), &["route", "--config", "config/demo.toml", "--to", "999"]);
    assert_eq!(stranger.status.code(), Some(1));
}

#[test]
fn certificates_that_cannot_be_used_are_told_where_they_are_named() {
    let folder = floor();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    let pair = || rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let (ours, other) = (pair(), pair());
    write("server.pem", &ours.cert.pem());
    write("server.key", &ours.signing_key.serialize_pem());
    write("other.key", &other.signing_key.serialize_pem());
    write("empty.pem", "");
    let told = |tls: &str| {
        let config =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo.toml")).expect("shipped");
        write("config/demo.toml", &config.replacen("self_signed = true", tls, 1));
        let output = run(folder.path(), &["check", "--config", "config/demo.toml"]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) = told("certificate = \"server.pem\"\nkey = \"server.key\"");
    assert_eq!(code, Some(0), "{text}");
    let line =
        |text: &str, what: &str| text.lines().any(|line| line.starts_with("config/demo.toml:") && line.contains(what));
    let (code, text) = told("certificate = \"server.pem\"\nkey = \"other.key\"");
    assert_eq!(code, Some(1), "{text}");
    assert!(line(&text, "does not go with the key other.key"), "{text}");
    assert!(text.contains("key = \"other.key\""), "the line is shown: {text}");
    let (code, text) = told("certificate = \"missing.pem\"\nkey = \"empty.pem\"\ntrust = \"empty.pem\"");
    assert_eq!(code, Some(1), "{text}");
    for what in ["tls.certificate", "tls.key", "tls.trust"] {
        assert!(line(&text, what), "{what} is told: {text}");
    }
}
