use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::{Severity, Source, Surroundings, load};

/// The messages for a plan with one flow `f` in two languages of which `a` is a prompt.
fn problems(steps: &str) -> Vec<String> {
    let head = "version = 1\nnumber.1.flow = \"f\"\nflow.f.start = \"go\"\nqueue.q.members = \"1001\"\n[flow.f.step]\n";
    let prompts = BTreeSet::from(["en/a.wav".to_owned(), "zh/a.wav".to_owned()]);
    let sources = [Source { file: "p".into(), text: format!("{head}{steps}") }];
    let surroundings = Surroundings {
        prompts: &prompts,
        agents: None,
        trunks: None,
        webhooks: None,
        beside: &BTreeMap::new(),
        year: Some(2026),
    };
    let told = load(&sources, surroundings).err().unwrap_or_default();
    let wrong = told.into_iter().filter(|problem| problem.severity == Severity::Error);
    wrong.map(|problem| format!("{}: {}", problem.line, problem.message)).collect()
}

#[test]
fn one_path_without_the_notice_is_enough_to_refuse() {
    let steps = |skip: &str| {
        format!(
            "go = {{ do = \"answer\", next = \"ask\" }}\n\
             ask = {{ do = \"menu\", prompt = \"a\", keys = {{ 1 = \"notice\" }}, no_input = \"{skip}\" }}\n\
             notice = {{ do = \"play\", prompts = \"a\", notice = true, next = \"q\" }}\n\
             q = {{ do = \"queue\", queue = \"q\", record = true }}\n"
        )
    };
    assert_eq!(problems(&steps("notice")), Vec::<String>::new());
    assert_eq!(problems(&steps("q")), ["9: step \"q\" would record callers who were not told so"]);
}

#[test]
fn a_yes_is_a_key_and_both_answers_lead_to_a_recorded_queue() {
    let steps = |no_input: &str, after_no: &str| {
        format!(
            "go = {{ do = \"answer\", next = \"ask\" }}\n\
             ask = {{ do = \"menu\", prompt = \"a\", keys = {{ 1 = \"yes\" }}, no_input = \"{no_input}\" }}\n\
             yes = {{ do = \"record\", state = \"agreed\", next = \"q\" }}\n\
             no = {{ do = \"record\", state = \"refused\", next = \"{after_no}\" }}\n\
             q = {{ do = \"queue\", queue = \"q\", record = true }}\n"
        )
    };
    assert_eq!(problems(&steps("no", "q")), Vec::<String>::new());
    let unasked = ["8: step \"yes\" takes a yes that the caller has not pressed"];
    assert_eq!(problems(&steps("no", "yes")), unasked);
    assert!(problems(&steps("yes", "q")).contains(&unasked[0].to_owned()));
    let misspelt = steps("no", "q").replace("agreed", "agree");
    assert_eq!(problems(&misspelt)[0], "8: a recording cannot be \"agree\"");
}

#[test]
fn a_park_step_says_where_everybody_goes() {
    let steps = |keys: &str| {
        format!(
            "go = {{ do = \"answer\", next = \"slot\" }}\nslot = {{ do = \"park\", slot = \"{{called}}\", empty = \"bye\", {keys} }}\n\
             bye = {{ do = \"hangup\" }}\n"
        )
    };
    assert_eq!(problems(&steps("timeout = \"bye\", occupied = \"bye\"")), Vec::<String>::new());
    assert_eq!(problems(&steps("for = \"1m\"")), ["7: \"timeout\" is missing"]);
    let long = problems(&steps("for = \"2h\", timeout = \"bye\""));
    assert_eq!(long, ["7: a caller may be parked for 5s to 60m"]);
    assert_eq!(problems(&steps("music = \"jazz\", timeout = \"bye\"")), ["7: the music file \"jazz.wav\" is missing"]);
    let circle = problems(&steps("timeout = \"slot\""));
    assert_eq!(circle, ["7: nothing waits in the loop slot → slot"], "a slot that is taken leads there at once");
}

#[test]
fn nobody_waits_again_once_the_call_is_over() {
    let steps = |after: &str| {
        format!(
            "go = {{ do = \"answer\", next = \"q\" }}\nq = {{ do = \"queue\", queue = \"q\", after = \"ask\" }}\n\
             ask = {{ do = \"survey\", prompt = \"a\", next = \"{after}\" }}\nend = {{ do = \"hangup\" }}\n\
             again = {{ do = \"goto\", next = \"q\" }}\n"
        )
    };
    let unreached = "10: no path leads to step \"again\"";
    assert_eq!(problems(&steps("end")), [unreached]);
    let told = problems(&steps("again"));
    assert_eq!(told[0], "7: step \"q\" can be reached after the agent has hung up, when the call is over");
}

/// As many mistakes as lines: each is looked at by itself, or this would take minutes.
#[test]
fn ten_thousand_mistakes_are_told_one_by_one() {
    let mut steps = "go = { do = \"goto\", next = \"s0\" }\n".to_owned();
    for index in 0..10_000 {
        steps += &format!("s{index} = {{ do = \"goto\", next = \"gone{index}\" }}\n");
    }
    let told = problems(&steps);
    assert_eq!((told.len(), told[9_999].as_str()), (10_000, "10006: there is no step \"gone9999\" in this flow"));
}

#[test]
fn ten_thousand_numbers_are_not_compared_with_one_another() {
    let mut steps = "go = { do = \"hangup\" }\n".to_owned();
    for index in 0..10_000 {
        steps += &format!("[number.4{index:05}]\nflow = \"f\"\n");
    }
    assert_eq!(problems(&steps), [""; 0]);
}

#[test]
fn a_text_is_there_in_every_language_that_a_call_may_speak() {
    let steps = |says: &str| {
        format!(
            "go = {{ do = \"answer\", next = \"ask\" }}\n\
             ask = {{ do = \"language\", prompt = \"a\", keys = {{ 1 = \"en\", 2 = \"zh\" }}, default = \"en\", next = \"say\" }}\n\
             say = {{ do = \"play\", prompts = [{{ say = {{ {says} }} }}], next = \"end\" }}\nend = {{ do = \"hangup\" }}\n"
        )
    };
    assert_eq!(problems(&steps("en = \"closed\", zh = \"休息\"")), Vec::<String>::new());
    let told = problems(&steps("en = \"closed\""));
    assert_eq!(told, ["8: a text is not there in \"zh\", which a call may speak here"]);
    let told = problems(&steps("en = \"you owe {sum}\", zh = \"\""));
    assert!(
        told.contains(&"8: a text that is spoken is spoken beforehand and holds no variables".to_owned()),
        "{told:?}"
    );
    assert!(told.contains(&"8: there is nothing to say".to_owned()), "{told:?}");
}

#[test]
fn loops_may_wait_but_not_spin() {
    let waiting = "go = { do = \"answer\", next = \"p\" }\np = { do = \"play\", prompts = \"a\", next = \"p\" }";
    assert_eq!(problems(waiting), Vec::<String>::new());
    let spinning = "go = { do = \"goto\", next = \"on\" }\non = { do = \"goto\", next = \"go\" }";
    let told = problems(spinning);
    assert_eq!(told, ["6: nothing waits in the loop go → on → go"]);
    let refused = "go = { do = \"answer\", next = \"q\" }\nq = { do = \"queue\", queue = \"q\", next = \"q\" }";
    assert_eq!(problems(refused).len(), 1, "a queue that refuses at once would be asked for ever");
}

#[test]
fn calls_are_answered_before_anything_is_heard() {
    let steps = "go = { do = \"echo\" }\nlost = { do = \"hangup\" }";
    let expected = ["6: step \"go\" can be reached before the call is answered", "7: no path leads to step \"lost\""];
    assert_eq!(problems(steps), expected);
}

#[test]
fn prompts_are_needed_in_every_language_that_gets_there() {
    let steps = "go = { do = \"answer\", next = \"l\" }\n\
        l = { do = \"language\", prompt = \"a\", keys = { 1 = \"zh\" }, default = \"fr\", next = \"p\" }\n\
        p = { do = \"play\", prompts = \"a\", next = \"h\" }\nh = { do = \"hangup\" }";
    assert_eq!(problems(steps), ["8: step \"p\" needs the prompt file \"fr/a.wav\""]);
}

#[test]
fn a_volume_has_bounds_and_is_of_something_that_is_said() {
    let steps = |item: &str| {
        format!(
            "go = {{ do = \"answer\", next = \"p\" }}\np = {{ do = \"play\", prompts = [{item}], next = \"h\" }}\nh = {{ do = \"hangup\" }}"
        )
    };
    assert_eq!(problems(&steps("{ prompt = \"a\", volume = -30 }")), Vec::<String>::new());
    let told = problems(&steps("{ prompt = \"a\", volume = 13 }"));
    assert_eq!(told, ["7: \"volume\" must be a whole number from -30 to 12"]);
    let told = problems(&steps("{ volume = 3 }"));
    assert!(told[1].contains("stands for one thing that is said"), "{told:?}");
}

#[test]
fn a_large_plan_is_checked_at_once() {
    let mut steps = "go = { do = \"answer\", next = \"s0\" }\n".to_owned();
    for index in 0..10_000 {
        steps += &format!("s{index} = {{ do = \"goto\", next = \"s{}\" }}\n", index + 1);
    }
    steps += "s10000 = { do = \"hangup\" }";
    assert_eq!(problems(&steps), Vec::<String>::new());
}

proptest! {
    #[test]
    fn a_damaged_plan_is_told_and_never_panics(at in 0usize..4_000, cut in 0usize..60, junk in "[\\PC\n]{0,12}") {
        let text: Vec<char> = include_str!("../../../dialplans/demo.toml").chars().collect();
        let (before, after) = text.split_at(at.min(text.len()));
        let damaged: String = before.iter().chain(&junk.chars().collect::<Vec<_>>()).chain(after.iter().skip(cut)).collect();
        let lines = damaged.lines().count().max(1) + 1;
        let prompts = BTreeSet::new();
        let sources = [Source { file: "p".into(), text: damaged }];
        let told = load(&sources, Surroundings { prompts: &prompts, agents: None, trunks: None, webhooks: None, beside: &BTreeMap::new(), year: None }).expect_err("no prompt is there");
        prop_assert!(told.iter().all(|problem| (1..=lines).contains(&problem.line) && problem.column >= 1));
    }
}

#[test]
fn a_loop_is_told_once_with_its_way_and_a_missing_answer_where_it_is_missing() {
    let steps = "go = { do = \"goto\", next = \"b\" }\nb = { do = \"goto\", next = \"c\" }\nc = { do = \"goto\", next = \"b\" }\n";
    assert_eq!(problems(steps), ["7: nothing waits in the loop b → c → b"]);
    let mut steps = "go = { do = \"play\", prompts = \"a\", next = \"s0\" }\n".to_owned();
    for step in 0..50 {
        steps += &format!("s{step} = {{ do = \"play\", prompts = \"a\", next = \"s{}\" }}\n", step + 1);
    }
    steps += "s50 = { do = \"hangup\" }\n";
    assert_eq!(problems(&steps), ["6: step \"go\" can be reached before the call is answered"]);
}

/// As many patterns as an exchange has: only those are compared that may mean a number alike.
#[test]
fn ten_thousand_patterns_are_not_compared_with_one_another() {
    let mut steps = "go = { do = \"hangup\" }\n".to_owned();
    for index in 0..10_000 {
        steps += &format!("[number.\"7{index:05}[0-4]\"]\nflow = \"f\"\n");
    }
    assert_eq!(problems(&steps), [""; 0]);
    steps += "[number.\"700007[3-7]\"]\nflow = \"f\"\n";
    let told = problems(&steps);
    assert!(told.len() == 1 && told[0].contains("mean some number alike, and neither is narrower"), "{told:?}");
}

/// Each flow calls the next one; the last one leads nowhere, or back.
#[test]
fn thousands_of_flows_within_one_another_are_looked_at_once() {
    let nested = |last: &str| {
        let mut steps =
            "go = { do = \"answer\", next = \"call\" }\ncall = { do = \"call\", flow = \"f0\", next = \"end\" }\n\
                         end = { do = \"hangup\" }\n"
                .to_owned();
        for flow in 0..3_000 {
            let next = if flow == 2_999 { last.to_owned() } else { format!("f{}", flow + 1) };
            let leads = if next.is_empty() {
                "s = { do = \"return\" }\n".to_owned()
            } else {
                format!("s = {{ do = \"call\", flow = \"{next}\", next = \"back\" }}\nback = {{ do = \"return\" }}\n")
            };
            steps += &format!("[flow.f{flow}]\nstart = \"s\"\n[flow.f{flow}.step]\n{leads}");
        }
        problems(&steps)
    };
    assert_eq!(nested(""), [""; 0]);
    let told = nested("f2990");
    assert_eq!(told.iter().filter(|told| told.contains("calls itself through")).count(), 10, "{told:?}");
}
