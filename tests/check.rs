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
    let named = texts.lines().filter_map(|line| line.strip_prefix("[prompt.")?.strip_suffix(']'));
    for name in named {
        for language in ["zh", "en"] {
            let file = folder.path().join(format!("dialplans/prompts/{language}/{name}.wav"));
            fs::write(file, silence()).expect("a file");
        }
    }
    folder
}

/// A WAV file of a tenth of a second.
fn silence() -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut wav = hound::WavWriter::new(&mut file, spec).expect("a writer");
    (0..800).for_each(|_| wav.write_sample(0i16).expect("written"));
    wav.finalize().expect("finished");
    file.into_inner()
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
        "demo.toml:47:1: unknown key \"langauge\"\n    langauge = \"zh\"\n    ^\n    hint: did you mean \"language\"?",
        "demo.toml:56:8: there is no step \"wellcome\" in this flow",
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

/// The TOML examples of a page of the docs.
fn examples(page: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect("the page is shipped");
    text.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

#[test]
fn every_example_of_the_trunk_cookbook_is_right() {
    let examples = examples("docs/trunks.md");
    assert!(examples.len() >= 7, "{examples:?}");
    for example in examples {
        let folder = floor();
        fs::create_dir(folder.path().join("config/trunks.d")).expect("a folder");
        let file = if example.starts_with("# settings") { "config/demo.toml" } else { "config/trunks.d/one.toml" };
        let before = fs::read_to_string(folder.path().join(file)).unwrap_or_default();
        fs::write(folder.path().join(file), format!("{before}\n{example}")).expect("written");
        edit(folder.path(), "config/demo.toml", "demo = true", "demo = false");
        let output = Command::new(env!("CARGO_BIN_EXE_trunkline"))
            .current_dir(folder.path())
            .args(["check", "--config", "config/demo.toml"])
            .env_clear()
            .envs([("FS_PASSWORD", "x"), ("CARRIER_PASSWORD", "x"), ("TRUNKLINE_ADMIN_TOKEN", "x")])
            .output()
            .expect("the binary runs");
        assert_eq!(output.status.code(), Some(0), "{example}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn every_example_about_recordings_is_right() {
    let examples = examples("docs/recordings.md");
    assert!(examples.len() >= 2, "{examples:?}");
    for example in examples {
        let folder = floor();
        let plan = example.starts_with("# dialplan");
        let file = if plan { "dialplans/demo.toml" } else { "config/demo.toml" };
        let before = fs::read_to_string(folder.path().join(file)).unwrap_or_default();
        // A flow that nobody calls is checked as one that everybody may.
        fs::write(folder.path().join(file), format!("{before}\n{example}")).expect("written");
        let output = Command::new(env!("CARGO_BIN_EXE_trunkline"))
            .current_dir(folder.path())
            .args(["check", "--config", "config/demo.toml"])
            .env_clear()
            .envs([(
                "TRUNKLINE_RECORDING_KEYS",
                "2026-11:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            )])
            .output()
            .expect("the binary runs");
        assert_eq!(output.status.code(), Some(0), "{example}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn what_is_wrong_with_trunks_is_told_with_their_files() {
    let folder = floor();
    fs::create_dir(folder.path().join("config/trunks.d")).expect("a folder");
    let first = "[trunk.carrier]\n[trunk.a]\ntargets = [\"http://x\"]\nidentity = \"P-Asserted-Identitty\"\nmax_cals = 3\n\
                 dialling = { country = \"+86\" }\n[trunk.a.register]\n";
    let second = "[trunk.b]\ncodecs = [\"G729\"]\n[trunk.b.account]\nuser = \"u\"\n";
    fs::write(folder.path().join("config/trunks.d/a.toml"), first).expect("written");
    fs::write(folder.path().join("config/trunks.d/b.toml"), second).expect("written");
    let route = "\n[[route]]\nprefix = \"9\"\ntrunks = [\"carier\"]\n";
    let settings = fs::read_to_string(folder.path().join("config/demo.toml")).expect("there");
    fs::write(folder.path().join("config/demo.toml"), settings + route).expect("written");
    let output = run(folder.path(), &["check", "--config", "config/demo.toml"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    for expected in [
        "there is no trunk \"carier\"",
        "did you mean \"carrier\"?",
        "config/trunks.d/a.toml:1:8: trunk \"carrier\" is there twice",
        "config/trunks.d/a.toml:3:12: \"http://x\" is reached by no transport that is opened here",
        "config/trunks.d/a.toml:4:12: \"P-Asserted-Identitty\" is not one of",
        "config/trunks.d/a.toml:5:1: unknown key \"max_cals\"",
        "did you mean \"max_calls\"?",
        "config/trunks.d/a.toml:6:24: \"country\" holds digits only",
        "config/trunks.d/a.toml:7:1: a registration needs an account",
        "config/trunks.d/b.toml:2:11: \"G729\" is not a codec that is known here",
        "config/trunks.d/b.toml:3:1: the password is missing",
    ] {
        assert!(told.contains(expected), "{expected}\n---\n{told}");
    }
}

#[test]
fn warnings_do_not_keep_a_plan_from_loading() {
    let folder = floor();
    let plan = "dialplans/demo.toml";
    edit(
        folder.path(),
        plan,
        "[flow.echo]",
        "[hours.spare]\nzone = \"Europe/Berlin\"\nweekly = [{ days = [\"sun\"], from = \"02:30\", to = \"12:00\" }]\n\n[flow.echo]",
    );
    let emergency = "[[route]]\nprefix = \"4002\"\nemergency = true\ntarget = \"sip:127.0.0.9\"\n\n[sip]";
    edit(folder.path(), "config/demo.toml", "[sip]", emergency);
    let output = run(folder.path(), &["check", "--config", "config/demo.toml"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(
        told.contains("warning: \"4002\" is a number of the dialplan and the emergency number of a route"),
        "{told}"
    );
    assert!(told.contains("warning: hours \"spare\" is unused: no step asks for them"), "{told}");
    assert!(told.contains("warning: 02:30 does not exist on ") && told.contains("when the clock changes"), "{told}");
    let json = run(folder.path(), &["check", "--config", "config/demo.toml", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["problems"][0]["severity"], "warning");
}

#[test]
fn files_include_others_and_a_name_that_is_there_twice_is_told() {
    let folder = floor();
    fs::create_dir(folder.path().join("sites")).expect("a folder");
    let more = "version = 1\n[number.\"4100\"]\nflow = \"echo\"\n";
    fs::write(folder.path().join("sites/a.toml"), more).expect("written");
    edit(folder.path(), "dialplans/demo.toml", "version = 1\n", "version = 1\ninclude = [\"../sites\"]\n");
    let route = |folder: &Path| run(folder, &["route", "--config", "config/demo.toml", "--to", "4100"]);
    let told = String::from_utf8_lossy(&route(folder.path()).stdout).into_owned();
    assert!(told.starts_with("flow echo in zh\necho.answer\n"), "{told}");
    fs::write(folder.path().join("sites/b.toml"), more).expect("written");
    let told = String::from_utf8_lossy(&route(folder.path()).stderr).into_owned();
    assert!(told.contains("sites/b.toml:2:") && told.contains("number \"4100\" is there twice"), "{told}");
}

#[test]
fn route_pretends_queues_and_hours_and_tells_why() {
    let folder = floor();
    let arguments = ["route", "--config", "config/demo.toml", "--to", "4000", "--at", "2026-11-27T12:00:00+08:00"];
    let route = |more: &[&str]| run(folder.path(), &[&arguments[..], more].concat());
    let told = String::from_utf8_lossy(&route(&["--keys", "2,1", "--give-up", "30s"]).stdout).into_owned();
    for expected in [
        "  because hours hotline are open, by the week's hours of fri",
        "  queue sales, priority 0, recorded\n  nobody answers for 30000 ms\nhotline.busy",
        "  hang up: 16 normal_clearing",
    ] {
        assert!(told.contains(expected), "{expected} in {told}");
    }
    let closed = String::from_utf8_lossy(&route(&["--closed", "hotline"]).stdout).into_owned();
    assert!(closed.contains("closed by hand") && closed.contains("hotline.closed"), "{closed}");
    let wrong = route(&["--queue", "sails:waiting=3"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", String::from_utf8_lossy(&wrong.stderr));
}

#[test]
fn prompts_that_cannot_be_played_are_told_all_at_once() {
    let folder = floor();
    fs::write(folder.path().join("dialplans/prompts/en/welcome.wav"), b"no sound").expect("written");
    fs::write(folder.path().join("dialplans/prompts/zh/closed.wav"), b"").expect("written");
    let output = run(folder.path(), &["check", "--config", "config/demo.toml"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    for file in ["en/welcome.wav", "zh/closed.wav"] {
        assert!(told.contains(&format!("dialplans/prompts/{file}: cannot be played: ")), "{file} in {told}");
    }
}

#[test]
fn a_flow_is_drawn() {
    let folder = floor();
    let graph =
        |arguments: &[&str]| run(folder.path(), &[&["graph", "--config", "config/demo.toml"], arguments].concat());
    let svg = String::from_utf8_lossy(&graph(&["hotline", "--svg"]).stdout).into_owned();
    assert!(svg.starts_with("<svg ") && svg.contains(">queue sales<") && svg.ends_with("</svg>\n"), "{svg}");
    assert!(String::from_utf8_lossy(&graph(&["hotline"]).stdout).starts_with("flowchart TD\n"));
    assert_eq!(graph(&["hotlnie"]).status.code(), Some(1));
}

#[test]
fn tests_beside_a_folder_of_dialplans_are_no_dialplans_and_are_checked() {
    let folder = floor();
    edit(folder.path(), "config/demo.toml", "\"dialplans/demo.toml\"", "\"dialplans\"");
    fs::remove_file(folder.path().join("dialplans/bench.toml")).expect("removed");
    fs::create_dir(folder.path().join("dialplans/tests")).expect("a folder");
    let case = "version = 1\n[case.c]\nnumber = \"4003\"\nat = \"2026-11-27T10:00:00Z\"\nexpect.queue = \"none\"\n";
    let file = folder.path().join("dialplans/tests/case.toml");
    fs::write(&file, case).expect("written");
    let output = run(folder.path(), &["check", "--config", "config/demo.toml"]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains(", 1 tests)"),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::write(&file, case.replace("none", "sails")).expect("written");
    let output = run(folder.path(), &["check", "--config", "config/demo.toml"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("dialplans/tests/case.toml:5:16: there is no queue \"sails\""), "{told}");
    assert!(told.contains("did you mean \"sales\"?"), "{told}");
}

#[test]
fn an_included_file_that_is_not_there_is_told_at_its_place_and_hides_nothing() {
    let folder = floor();
    edit(folder.path(), "dialplans/demo.toml", "version = 1\n", "version = 1\ninclude = [\"bnech.toml\"]\n");
    edit(folder.path(), "dialplans/demo.toml", "flow = \"echo\"", "flow = \"ecko\"");
    let output = run(folder.path(), &["check", "--config", "config/demo.toml"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("dialplans/demo.toml:") && told.contains(":12: \"bnech.toml\" cannot be included"), "{told}");
    assert!(told.contains("did you mean \"bench.toml\"?") && told.contains("there is no flow \"ecko\""), "{told}");
}

#[test]
fn whoever_a_step_calls_or_is_sent_on_to_has_to_be_there() {
    let folder = floor();
    let echo = "[flow.echo.step.echo]\ndo = \"echo\"\n";
    let steps = "[flow.echo.step.echo]\ndo = \"dial\"\nusers = [\"1001\", [\"1002\", \"9999\"]]\nnext = \"on\"\n\
                 [flow.echo.step.on]\ndo = \"transfer\"\nto = \"4020\"\nfailed = \"end\"\n\
                 [flow.echo.step.end]\ndo = \"hangup\"\n";
    edit(folder.path(), "dialplans/demo.toml", echo, steps);
    let output = run(folder.path(), &["check", "--config", "config/demo.toml"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("step \"echo\" calls \"9999\""), "{told}");
    assert!(told.contains("leads to \"4020\", which is neither"), "{told}");
    edit(folder.path(), "dialplans/demo.toml", "\"9999\"", "\"1003\"");
    edit(folder.path(), "dialplans/demo.toml", "to = \"4020\"", "to = \"4003\"");
    let output = run(folder.path(), &["check", "--config", "config/demo.toml"]);
    assert!(output.status.success(), "{output:?}");
}

/// What the tour of the reference has people write, step by step: tables and keys in backticks.
#[test]
fn the_tour_in_ten_steps_makes_a_hotline() {
    let page = include_str!("../docs/dialplan.md");
    let tour = page.split("## A hotline in ten steps").nth(1).expect("a tour").split("\n## ").next().expect("its end");
    let snippets = tour.split('`').skip(1).step_by(2).map(|snippet| snippet.replace('\n', " "));
    let written: Vec<String> = snippets.filter(|text| text.starts_with('[') || text.contains(" = ")).collect();
    let folder = floor();
    // The reader's own floor has one plan, and the demo's agents.
    fs::write(folder.path().join("dialplans/shop.toml"), written.join("\n")).expect("written");
    let settings = fs::read_to_string(folder.path().join("config/demo.toml")).expect("settings");
    let named = settings.lines().find(|line| line.starts_with("dialplans = ")).expect("plans").to_owned();
    edit(folder.path(), "config/demo.toml", &named, "dialplans = [\"dialplans/shop.toml\"]");
    let checked = run(folder.path(), &["check", "--config", "config/demo.toml"]);
    assert!(checked.status.success(), "{}\n{}", written.join("\n"), String::from_utf8_lossy(&checked.stderr));
    let route = ["route", "--config", "config/demo.toml", "--to", "4008001234", "--keys", "1"];
    let routed = run(folder.path(), &[&route[..], &["--at", "2026-11-27T10:00:00+08:00"]].concat());
    let told = String::from_utf8_lossy(&routed.stdout).into_owned();
    assert!(told.contains("shop.sales") && told.contains("queue sales, priority 0, recorded"), "{told}");
}
