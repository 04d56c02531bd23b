//! Both importers over samples: what comes out passes the checker.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{Imported, Wishes, asterisk, freeswitch};
use crate::dialplan::{Program, Source, Surroundings, load};

fn wishes() -> Wishes {
    Wishes {
        prompts: BTreeSet::new(),
        agents: BTreeSet::new(),
        language: "en".to_owned(),
        zone: "Asia/Shanghai".to_owned(),
        contexts: Vec::new(),
    }
}

fn source(file: &str, text: &str) -> Source {
    Source { file: file.to_owned(), text: text.to_owned() }
}

fn sample(file: &str) -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(file);
    source(file, &fs::read_to_string(path).expect("the sample is there"))
}

/// The plan as the checker reads it, where every prompt that it names is there.
fn checked(imported: &Imported) -> Program {
    let words = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/prompts/en");
    let words = fs::read_dir(words).expect("prompts").map(|file| file.expect("a file").file_name());
    let mut names: BTreeSet<String> = words.filter_map(|name| name.into_string().ok()).collect();
    names.extend(imported.prompts.iter().map(|name| format!("{name}.wav")));
    let prompts =
        ["en", "zh", "fr"].into_iter().flat_map(|language| names.iter().map(move |name| format!("{language}/{name}")));
    let prompts = prompts.collect();
    let surroundings = Surroundings {
        prompts: &prompts,
        agents: None,
        trunks: None,
        webhooks: None,
        beside: &BTreeMap::new(),
        year: None,
    };
    match load(&[source("plan.toml", &imported.plan)], surroundings) {
        Ok((program, _)) => program,
        Err(problems) => panic!("{problems:#?}\n{}", imported.plan),
    }
}

/// Each thing that is left, as "line found".
fn left(imported: &Imported) -> Vec<String> {
    imported.left.iter().map(|problem| format!("{} {}", problem.line, problem.message)).collect()
}

fn extensions(text: &str) -> Imported {
    asterisk(&source("extensions.conf", text), None, &wishes())
}

#[test]
fn the_sample_hotline_of_asterisk_is_translated() {
    let imported = asterisk(&sample("asterisk/extensions.conf"), Some(&sample("asterisk/queues.conf")), &wishes());
    let program = checked(&imported);
    assert_eq!(program.numbers().written().collect::<Vec<_>>(), ["4008001234", "700", "40080099xx", "9xx*"]);
    for part in [
        "cases = [{ caller = \"13800138000\", next = \"to_sales_line\" }]\nelse = \"hours\"",
        "weekly = [{ days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"], from = \"09:00\", to = \"18:00\" }]",
        "prompt = [\"welcome\", \"main-menu\"]\ntimeout = \"7000ms\"\nretries = 0\nkeys = { \"0\" = \"to_main_0\", \"1\" = \"to_main_1\", \"2\" = ",
        "into = \"order\"\nleast = 1\nmost = 8\nend = \"#\"",
        "prompts = [{ digits = \"{order}\" }]",
        "mailbox = \"100@default\"",
        "code = 17\ncause = \"user_busy\"",
        "members = [\"1001\", \"1002\", \"1003\"]\nstrategy = \"round-robin\"\nring = \"20s\"\nacw = \"10s\"\nmax_wait = \"300s\"\ncapacity = 30\n\
         busy = \"3s\"\nrejected = \"3s\"\njoin_needs = \"ready\"\nwait_needs = \"signed-in\"\ntiers = { \"1002\" = 1, \"1003\" = 2 }",
        "{ position = true }, \"queue-callswaiting\", \"queue-holdtime\", { expected_wait = true }], after = \"90s\", every = \"90s\" }",
        "users = [\"1001\"]\nring = \"20s\"",
        "unstaffed = \"play_2\"",
    ] {
        assert!(imported.plan.contains(part), "{part}\n{}", imported.plan);
    }
    let left = left(&imported);
    for found in [
        "18 Dial(PJSIP/${EXTEN:1}@carrier)",
        "22 a pause: Wait(1)",
        "45 Park()",
        "16 weight = 5",
        "17 agent 1001",
        "24 member => DAHDI/g1",
        "26 queue \"empty\" without members",
        "15 the prompt \"vm-intro\"",
    ] {
        assert!(left.contains(&found.to_owned()), "{found} not in {left:#?}");
    }
    // What is there already needs nobody.
    let there = Wishes {
        prompts: imported.prompts.iter().map(|name| format!("en/{name}.wav")).collect(),
        agents: ["1001", "1002", "1003", "1005", "1006"].map(str::to_owned).into(),
        ..wishes()
    };
    let again = asterisk(&sample("asterisk/extensions.conf"), Some(&sample("asterisk/queues.conf")), &there);
    assert_eq!(again.plan, imported.plan);
    assert!(
        again.left.iter().all(|problem| !problem.message.contains("prompt") && !problem.message.contains("agent 1"))
    );
}

#[test]
fn the_sample_hotline_of_freeswitch_is_translated() {
    let files = ["callcenter.conf.xml", "dialplan.xml", "ivr.conf.xml"];
    let files: Vec<Source> = files.iter().map(|file| sample(&format!("freeswitch/{file}"))).collect();
    let imported = freeswitch(&files, &wishes());
    let program = checked(&imported);
    assert_eq!(program.numbers().written().collect::<Vec<_>>(), ["4001", "4002", "4008001234", "9x*", "x*"]);
    for part in [
        "hours = \"hours_1\"\nopen = \"answer\"\nclosed = \"answer_2\"",
        "variables = { topic = \"hotline of {caller}\" }",
        "prompt = [\"main-menu\"]\nagain = [[\"main-menu-short\"]]\ninvalid = [\"invalid\"]\ntimeout = \"8000ms\"\nretries = 2",
        "keys = { \"*\" = \"hangup\", \"1\" = \"to_support\", \"2\" = \"queue\", \"3\" = \"to_ivr_more\" }",
        "into = \"order\"\nleast = 4\nmost = 8\nend = \"#\"",
        "tiers = { \"1002\" = 1 }\ntier = 0\nrelax = [{ after = \"20s\", tier = 1 }]",
        "max_no_answer = 3\nno_answer = \"20s\"\nrejected = \"60s\"\nresume = \"60s\"\ntiers",
        "members = [\"1005\"]\nstrategy = \"ring-all\"\nacw = \"5s\"",
    ] {
        assert!(imported.plan.contains(part), "{part}\n{}", imported.plan);
    }
    let left = left(&imported);
    for found in [
        "5 a condition of extension unloop",
        "28 bridge sofia/gateway/carrier/$1",
        "36 \"4099\" comes after \"x*\", which takes its calls",
        "33 transfer $1 XML features",
        "33 tier of 1009@default in night@default",
        "7 moh-sound $${hold_music}",
        "8 entry /^(10[01][0-9])$/ menu-exec-app transfer $1 XML features",
        "3 exit-sound=\"goodbye.wav\" of menu main",
    ] {
        assert!(left.contains(&found.to_owned()), "{found} not in {left:#?}");
    }
}

#[test]
fn a_plan_of_which_all_was_taken_over_leaves_nothing() {
    let text = "[in]\nexten => 4000,1,Answer()\n same => n,Echo()\n";
    let imported = extensions(text);
    assert_eq!(imported.left, []);
    checked(&imported);
}

#[test]
fn circles_in_which_nothing_waits_are_cut_and_told() {
    for text in [
        "[in]\nexten => 1,1,Goto(1)\n",
        "[in]\nexten => 1,1,Goto(2,1)\nexten => 2,1,GotoIf($[\"${CALLERID(num)}\" = \"5\"]?1,1:3,1)\nexten => 3,1,Goto(2,1)\n",
        "[in]\nexten => 1,1,Answer()\nsame => n(a),Wait(1)\nsame => n,Goto(a)\n",
        // Where no message can be kept, the call goes on at once.
        "[in]\nexten => 1,1,Answer()\nsame => n(a),VoiceMail(100)\nsame => n,Goto(a)\n",
    ] {
        let imported = extensions(text);
        checked(&imported);
        assert!(
            left(&imported).iter().any(|found| found.ends_with("runs in a circle in which nothing waits")),
            "{text}"
        );
    }
}

#[test]
fn a_pause_after_the_answer_is_left_out_where_only_lost_steps_lead_to_its_flow() {
    let text = "[]\nexten=0,1,WaitExten\nsame=n,GotoIfTime(9:0-1:5?main,s,1\n[main]\nexten=s,1,Wait(1\nsame=n,Answer\n\
                same=n,GotoIfTime(*?1";
    checked(&extensions(text));
}

#[test]
fn several_keys_are_gathered_and_looked_up() {
    let text = "[in]\nexten => 4000,1,Answer()\nsame => n,Goto(ivr,s,1)\n[ivr]\nexten => s,1,Background(who)\nsame => n,WaitExten(4)\n\
                exten => 1,1,Echo()\nexten => _20XX,1,Echo()\nexten => t,1,Hangup()\n";
    let imported = extensions(text);
    checked(&imported);
    assert!(imported.plan.contains("into = \"dialled\"\nleast = 1\nmost = 4\nend = \"#\""), "{}", imported.plan);
    let cases = "cases = [{ variable = \"dialled\", is = \"1\", next = \"to_ivr_1\" }, { variable = \"dialled\", fits = \"20xx\", next = \"to_ivr_20XX\" }]";
    assert!(imported.plan.contains(cases), "{}", imported.plan);
}

#[test]
fn nothing_disappears() {
    let text = "[in]\nexten => 4000,1,Frobnicate(x)\nsame => n,Set(CALLERID(name)=a)\nsame => n,Hangup()\nsame => n,Playback(never)\n\
                include => other,9:00-17:00,*,*,*\nswitch => DUNDi/e164\n#include more.conf\nnonsense\nexten => 4000/12,1,Echo()\n\
                exten => _X*X,1,Echo()\nexten => h,1,NoOp()\n[other]\nexten => 5,1,Echo()\n[tpl](!)\nexten => 6,1,Echo()\n";
    let imported = extensions(text);
    checked(&imported);
    let left = left(&imported);
    let told = |line: usize| left.iter().any(|found| found.starts_with(&format!("{line} ")));
    for line in [2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 15] {
        assert!(told(line), "line {line} is not in {left:#?}");
    }
    assert!(imported.plan.contains("[number.\"5\"]"), "{}", imported.plan);
}

#[test]
fn a_variable_that_is_read_is_declared_wherever_it_is_set() {
    let text =
        "[in]\nexten => 1,1,SayDigits(${order})\n[lost]\nexten => s,1,Set(order=5)\nexten => s,2,Goto(lost,s,1)\n";
    let imported = extensions(text);
    checked(&imported);
    assert!(imported.plan.contains("[variable.order]"), "{}", imported.plan);
}

#[test]
fn what_is_no_xml_is_told_with_its_line() {
    let imported = freeswitch(&[source("a.xml", "<include>\n  <context name=\"public\">\n</include>")], &wishes());
    let told = left(&imported);
    assert!(told.iter().any(|found| found.starts_with("3 the file is not XML")), "{told:?}");
    let deep = format!("{}{}", "<a>".repeat(20_000), "</a>".repeat(20_000));
    checked(&freeswitch(&[source("a.xml", &deep)], &wishes()));
    let deep = format!("<context name=\"x\"><extension name=\"{}\"/></context>", "(".repeat(20_000));
    checked(&freeswitch(&[source("a.xml", &deep)], &wishes()));
}
