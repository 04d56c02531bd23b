//! `trunkline import`, as a person calls it: over the samples here and over those of Debian's Asterisk, which `tests/install.sh` fetches.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trunkline"))
        .current_dir(folder)
        .args(arguments)
        .env_clear()
        .output()
        .expect("the binary runs")
}

fn sample(file: &str) -> String {
    home().join("tests/samples").join(file).display().to_string()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// A floor of an imported plan, with every prompt and agent that the list asks for.
fn floor(folder: &Path, list: &str) {
    let mut agents = String::new();
    for line in list.lines() {
        let item: serde_json::Value = serde_json::from_str(line).expect("a JSON object a line");
        let found = item["message"].as_str().expect("what was found");
        if let Some(prompt) = found.strip_prefix("the prompt \"").and_then(|rest| rest.strip_suffix('"')) {
            for language in ["en", "fr"] {
                fs::copy(
                    home().join("dialplans/prompts/en/done.wav"),
                    folder.join(format!("prompts/{language}/{prompt}.wav")),
                )
                .expect("a prompt");
            }
        } else if let Some(agent) = found.strip_prefix("agent ").filter(|agent| !agent.contains(':')) {
            agents += &format!("[agent.\"{agent}\"]\npassword = \"demo\"\n");
        }
    }
    let settings = "data_dir = \"var\"\ndialplans = [\"plans\"]\nprompts = \"prompts\"\n[sip]\nudp = \"127.0.0.1:5060\"\n[http]\nlisten = \
                    \"127.0.0.1:8080\"\n[rtp]\naddress = \"127.0.0.1\"\nports = \"20000-20999\"\n";
    fs::write(folder.join("settings.toml"), format!("{settings}{agents}")).expect("settings");
}

/// A folder with the words by which numbers are said.
fn prompts() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for language in ["en", "fr"] {
        let to = folder.path().join("prompts").join(language);
        fs::create_dir_all(&to).expect("a folder");
        for word in fs::read_dir(home().join("dialplans/prompts/en")).expect("prompts") {
            let word = word.expect("a file");
            if word.file_name().to_string_lossy().starts_with("say_") {
                fs::copy(word.path(), to.join(word.file_name())).expect("a prompt");
            }
        }
    }
    folder
}

/// Imports into a floor of its own and has it checked; gives the list.
fn imported_and_checked(arguments: &[&str]) -> String {
    let folder = prompts();
    let output = run(folder.path(), &[arguments, &["--into", "plans", "--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let list = text(&output.stderr).to_owned();
    floor(folder.path(), &list);
    let output = run(folder.path(), &["check", "--config", "settings.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    list
}

#[test]
fn a_plan_out_of_asterisk_passes_the_check() {
    let (extensions, queues) = (sample("asterisk/extensions.conf"), sample("asterisk/queues.conf"));
    let list = imported_and_checked(&["import", "asterisk", &extensions, &queues]);
    assert!(list.contains(r#""line":18"#) && list.contains("Dial(PJSIP/${EXTEN:1}@carrier)"), "{list}");
}

#[test]
fn a_plan_out_of_freeswitch_passes_the_check() {
    let files =
        ["callcenter.conf.xml", "dialplan.xml", "ivr.conf.xml"].map(|file| sample(&format!("freeswitch/{file}")));
    let list = imported_and_checked(&["import", "freeswitch", &files[0], &files[1], &files[2]]);
    assert!(list.contains("bridge sofia/gateway/carrier/$1"), "{list}");
}

#[test]
fn the_samples_of_debians_asterisk_pass_the_check() {
    let folder = home().join("target/asterisk-config");
    assert!(folder.is_dir(), "tests/install.sh puts the files of Debian's asterisk-config into {}", folder.display());
    let basic = folder.join("usr/share/doc/asterisk-config/examples/configs/basic-pbx");
    for folder in [folder.join("etc/asterisk"), basic] {
        let file = |name: &str| folder.join(name).display().to_string();
        let (extensions, queues) = (file("extensions.conf"), file("queues.conf"));
        let list = imported_and_checked(&["import", "asterisk", &extensions, &queues]);
        assert!(list.lines().count() > 10, "{list}");
    }
    let (extensions, queues) = (basic_file(&home(), "extensions.conf"), basic_file(&home(), "queues.conf"));
    let wanted = ["import", "asterisk", &extensions, &queues, "--context", "DCS-Incoming"];
    let folder = prompts();
    let plan = run(folder.path(), &wanted).stdout;
    for part in [
        "[number.\"2565551200\"]",
        "queue = \"customer_advocate\"",
        "strategy = \"ring-all\"",
        "prompt = [\"basic-pbx-ivr-main\"]",
    ] {
        assert!(text(&plan).contains(part), "{part}\n{}", text(&plan));
    }
    imported_and_checked(&wanted);
}

fn basic_file(home: &Path, name: &str) -> String {
    let folder = home.join("target/asterisk-config/usr/share/doc/asterisk-config/examples/configs/basic-pbx");
    folder.join(name).display().to_string()
}

#[test]
fn a_file_that_is_there_is_overwritten_on_demand_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let extensions = sample("asterisk/extensions.conf");
    let import =
        |more: &[&str]| run(folder.path(), &[&["import", "asterisk", &extensions, "--into", "."], more].concat());
    fs::write(folder.path().join("asterisk.toml"), "mine").expect("a file");
    let refused = import(&[]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(text(&refused.stderr).contains("--force overwrites it"), "{}", text(&refused.stderr));
    assert_eq!(fs::read_to_string(folder.path().join("asterisk.toml")).expect("a file"), "mine");
    assert_eq!(import(&["--force"]).status.code(), Some(0));
    assert!(fs::read_to_string(folder.path().join("asterisk.toml")).expect("a file").contains("version = 1"));
}

#[test]
fn exit_codes_say_what_became_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("whole.conf"), "[in]\nexten => 4000,1,Answer()\nsame => n,Echo()\n").expect("a file");
    fs::write(folder.path().join("part.conf"), "[in]\nexten => 4000,1,Answer()\nsame => n,Page(a)\n").expect("a file");
    let code = |arguments: &[&str]| run(folder.path(), &[&["import", "asterisk"], arguments].concat()).status.code();
    assert_eq!(code(&["whole.conf", "--strict"]), Some(0));
    assert_eq!(code(&["part.conf"]), Some(0));
    assert_eq!(code(&["part.conf", "--strict"]), Some(1));
    assert_eq!(code(&["whole.conf", "--zone", "Nowhere"]), Some(2));
    assert_eq!(code(&["whole.conf", "--force"]), Some(2));
    assert_eq!(code(&["none.conf"]), Some(3));
    let output = run(folder.path(), &["import", "asterisk", "part.conf"]);
    assert!(text(&output.stderr).starts_with("part.conf:3"), "{}", text(&output.stderr));
    let output = run(folder.path(), &["import", "asterisk", "part.conf", "--format", "csv"]);
    assert!(text(&output.stderr).starts_with("file,line,found,do\npart.conf,3,Page(a),"), "{}", text(&output.stderr));
}
