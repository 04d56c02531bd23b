//! Whole cases over a plan of the test's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::acd::{self, AgentSettings};
use crate::config::acd_queues;
use crate::dialplan::{Catalogue, Problem, Prompt, Source, Surroundings, load};

const PLAN: &str = r#"
version = 1
[number."400"]
flow = "shop"
[number."401"]
flow = "friend"
[number."402"]
flow = "round"
[number."85xx"]
flow = "slot"
[flow.slot]
start = "answer"
language = "zh"
[flow.slot.step]
answer = { do = "answer", next = "slot" }
slot = { do = "park", slot = "{called}", for = "30s", timeout = "back", empty = "nobody" }
back = { do = "transfer", to = "{transferred_by}", failed = "nobody" }
nobody = { do = "hangup", cause = "nobody" }
[flow.round]
start = "answer"
language = "zh"
[flow.round.step]
answer = { do = "answer", next = "again" }
again = { do = "play", prompts = ["closed"], next = "again" }
[flow.friend]
start = "answer"
language = "zh"
[flow.friend.step]
answer = { do = "answer", next = "notice" }
notice = { do = "play", prompts = ["notice"], notice = true, next = "dial" }
dial = { do = "dial", users = ["5"], number = "13900000000", trunk = "carrier", allow = ["139*"], ring = "10s", record = true, next = "line" }
line = { do = "queue", queue = "line", prefer = ["{last_agent}"], prefer_for = "30s", next = "end" }
end = { do = "hangup" }
[hours.shop]
zone = "Asia/Shanghai"
weekly = [{ days = ["mon-fri"], from = "08:00", to = "20:00" }]
holidays = [{ dates = ["2026-10-01"], name = "National Day" }]
[variable.order]
type = "digits"
[variable.state]
type = "text"
[variable.pin]
type = "digits"
secret = true
[flow.shop]
start = "answer"
language = "zh"
[flow.shop.step]
answer = { do = "answer", next = "open" }
open = { do = "hours", hours = "shop", open = "notice", closed = "closed" }
notice = { do = "play", prompts = ["notice"], notice = true, next = "ask" }
ask = { do = "gather", prompt = "ask", into = "order", most = 4, retries = 0, next = "orders", no_input = "line" }
orders = { do = "webhook", hook = "crm", send = { order = "{order}" }, into = { state = "state" }, timeout = "2s", retries = 1, next = "line", failed = "line" }
line = { do = "queue", queue = "line", record = true, next = "closed", hours = "shop", closing = "closed", keys = { 9 = "closed" } }
closed = { do = "play", prompts = ["closed"], next = "end" }
end = { do = "hangup" }
[queue.line]
members = ["1-4"]
ring = "10s"
acw = "5s"
max_wait = "5m"
overflow = [{ after = "20s", to = "more" }]
[queue.more]
members = ["5"]
strategy = "random"
"#;

/// The floor of [`PLAN`]: agents 1 to 5, each prompt takes as many seconds as its name has letters.
fn floor() -> Floor {
    let agents: BTreeMap<String, _> = (1..6).map(|agent| (agent.to_string(), BTreeMap::new())).collect();
    let names = ["notice", "ask", "closed"];
    let files: BTreeSet<String> = names.iter().map(|name| format!("zh/{name}.wav")).collect();
    let (prompts, beside) = (&files, &BTreeMap::new());
    let surroundings =
        Surroundings { prompts, agents: Some(&agents), trunks: None, webhooks: None, beside, year: None };
    let source = Source { file: "shop.toml".into(), text: PLAN.into() };
    let (program, _) = load(&[source], surroundings).expect("a sound plan");
    let agent = |id: &String| AgentSettings::named(id.as_str().into());
    let agents = agents.keys().map(agent).collect();
    let acd = acd::Settings { agents, queues: acd_queues(&program), ageing: acd::Ageing::default() };
    let length = |name: &str| (Prompt::new("zh", name), name.len() as u64 * 1_000);
    let texts = "[prompt.notice]\nzh = \"本次通话将被录音\"";
    let catalogue = Catalogue::read(&Source { file: "c".into(), text: texts.into() }).expect("a catalogue");
    Floor { program: Arc::new(program), acd, prompts: names.into_iter().map(length).collect(), catalogue }
}

fn suite(floor: &Floor, text: &str) -> Result<Suite, Vec<Problem>> {
    let source = Source { file: "t.toml".into(), text: format!("version = 1\n{text}") };
    read(&source, Known { floor, trunks: &BTreeSet::from(["carrier".to_owned()]) })
}

/// One case of these lines, played: the call comes on a Friday at ten where they say nothing else, and what fails of them is told.
fn played(lines: &str) -> (Course, Vec<Failure>) {
    let floor = floor();
    let given = "[given]\nnumber = \"400\"\nat = \"2026-11-27T10:00:00+08:00\"";
    let suite = suite(&floor, &format!("{given}\n[case.c]\n{lines}\n")).unwrap_or_else(|wrong| panic!("{wrong:#?}"));
    let case = &suite.cases[0];
    let course = play(&floor, &case.given, [0; 32]).expect("sound settings");
    let failures = judge(case, &course, &floor.program, &floor.catalogue);
    let xml = junit(&[("t.toml", vec![(case, failures.as_slice(), 1.0)])]);
    assert_eq!(xml.matches("<failure message=").count(), failures.len(), "{xml}");
    (course, failures)
}

/// The same where only its course matters.
fn course(lines: &str) -> Course {
    played(&format!("{lines}\nexpect.outcome = \"answered\"")).0
}

fn told(course: &Course) -> Vec<String> {
    course.steps.iter().map(|step| format!("{} {}", step.name, step.at_ms)).collect()
}

#[test]
fn prompts_take_their_time_and_keys_come_when_the_question_was_put() {
    let answers = "answers = [{ step = \"shop.orders\", after = \"500ms\", values = { state = \"sent\" } }]";
    let course = course(&format!("keys = [\"4711\"]\n{answers}\nagents.1 = {{ after = \"2s\", talks = \"30s\" }}"));
    assert_eq!(
        told(&course),
        ["shop.answer 0", "shop.open 0", "shop.notice 0", "shop.ask 6000", "shop.orders 9000", "shop.line 9500"]
    );
    let record = course.record.expect("it ends");
    assert_eq!((record.wait_ms, record.ring_ms, record.talk_ms, record.acw_ms), (2_000, 2_000, 30_000, 5_000));
    assert!(record.is_final && course.recorded);
    assert_eq!((course.variables["order"].as_str(), course.variables["state"].as_str()), ("4711", "sent"));
}

#[test]
fn a_webhook_that_fails_and_then_is_silent_costs_its_time() {
    let course = course("keys = [\"4711\"]\nanswers = [{ step = \"shop.orders\", fails = \"it answers 500\" }]");
    let line = course.steps.iter().find(|step| step.name == "shop.line").expect("the plan goes on");
    assert_eq!(line.at_ms, 11_000);
    let why = ["webhook crm has not answered: it answers 500", "webhook crm has not answered: no answer in time"];
    assert_eq!(line.why, why);
}

#[test]
fn the_hours_are_those_of_the_instant_and_say_why() {
    let at = "at = \"2026-10-01T10:00:00+08:00\"";
    let (course, failures) = played(&format!("{at}\nexpect = {{ prompts = [\"closed\"], queue = \"none\" }}"));
    assert_eq!(failures, []);
    assert_eq!(course.steps[2].why, ["hours shop are closed, holiday: National Day"]);
}

#[test]
fn the_hours_end_the_wait_by_the_clock_and_by_hand() {
    let by_hand = course("closed = [{ hours = \"shop\", at = \"70s\" }]");
    assert_eq!(told(&by_hand).last().map(String::as_str), Some("shop.end 76000"));
    let (by_clock, failures) = played("at = \"2026-11-27T19:59:00+08:00\"\nexpect.lasts = \"66s\"");
    assert_eq!(failures, [], "{:?}", told(&by_clock));
}

#[test]
fn a_key_leads_out_of_the_queue_and_the_phone_stops() {
    let course = course("agents.1 = { phone = \"rings\" }\npress = [{ queued = \"3s\", key = \"9\" }]");
    let record = course.record.expect("it ends");
    assert_eq!((record.wait_ms, record.segments.len()), (3_000, 1));
    let closed = course.steps.iter().find(|step| step.name == "shop.closed").expect("the key leads there");
    assert_eq!(closed.why.last().map(String::as_str), Some("key 9"));
}

#[test]
fn a_phone_that_nobody_answers_rings_as_long_as_the_queue_says() {
    let course = course("agents.1 = { phone = \"rings\" }\nagents.2 = { from = \"1s\", after = \"1s\" }");
    let record = course.record.expect("it ends");
    assert_eq!(course.called, ["1", "2"]);
    assert_eq!(record.wait_ms, 11_000);
}

#[test]
fn the_next_queue_comes_to_the_millisecond() {
    let course = course("agents.5 = { after = \"0s\" }");
    let record = course.record.expect("it ends");
    assert_eq!((record.wait_ms, record.queue.as_ref().map(|queue| queue.as_str())), (20_000, Some("more")));
}

#[test]
fn whom_the_plan_dials_rings_and_then_the_next_one() {
    let friend = "number = \"401\"\nagents = { 5 = { phone = \"rings\" }, 3 = { from = \"10s\" } }";
    let dialled = course(&format!("{friend}\nphones.13900000000 = {{ after = \"4s\", talks = \"9s\" }}"));
    assert_eq!(dialled.called, ["5", "13900000000"]);
    let record = dialled.record.expect("it ends");
    assert_eq!((record.talk_ms, record.ended.since(record.started)), (9_000, 29_000), "notice 6 s, rings 10 s and 4 s");
    assert!(dialled.recorded && record.disposition == crate::records::Disposition::Answered);
    // Nobody answers there: whom the caller has spoken with last is waited for alone.
    let last = "last_agent = \"4\"\nagents = { 4 = { from = \"1s\" }, 3 = {} }";
    let known = "phones.13900000000 = { phone = \"unreachable\" }";
    let expect = "expect.called = [\"5\", \"13900000000\", \"4\"]";
    let (waited, failures) = played(&format!("number = \"401\"\n{last}\n{known}\n{expect}"));
    assert_eq!(failures, []);
    let line = waited.steps.iter().find(|step| step.name == "friend.line").expect("the plan goes on");
    assert_eq!(line.why, ["nobody has answered: 480 no_contact"]);
}

#[test]
fn a_parked_caller_goes_back_to_who_parked_the_call_and_who_fetches_finds_nobody() {
    let (parked, failures) = played(
        "number = \"8501\"\ntransferred_by = \"3\"\nagents = { 3 = { after = \"2s\", talks = \"9s\" } }\n\
         expect = { steps = [\"slot.answer\", \"slot.slot\", \"slot.back\"], called = [\"3\"], lasts = \"41s\" }",
    );
    assert_eq!(failures, [], "{parked:#?}");
    let (_, failures) = played("number = \"8502\"\ncaller = \"3\"\nexpect = { cause = \"nobody\", lasts = \"0s\" }");
    assert_eq!(failures, []);
}

#[test]
fn a_call_that_goes_round_in_no_time_is_given_up_and_fails() {
    let mut floor = floor();
    floor.prompts.values_mut().for_each(|ms| *ms = 0);
    let text = "[case.c]\nnumber = \"402\"\nat = \"2026-11-27T10:00:00Z\"\nexpect.language = \"zh\"";
    let suite = suite(&floor, text).expect("sound");
    let course = play(&floor, &suite.cases[0].given, [0; 32]).expect("sound settings");
    let failures = judge(&suite.cases[0], &course, &floor.program, &floor.catalogue);
    assert_eq!((&course.record, failures.len(), failures[0].key), (&None, 1, "outcome"));
    assert!(course.told().last().is_some_and(|line| line.contains("given up")));
}

/// Every key of `expect` with what does not come, on a call that an agent answers.
const WRONG: [&str; 19] = [
    "steps = [\"shop.answer\"]",
    "through = [\"shop.closed\"]",
    "prompts = [\"ask\", \"notice\"]",
    "hears = [\"closed\"]",
    "queue = \"more\"",
    "wait = \"1s\"",
    "lasts = { at_most = \"1s\" }",
    "agent = \"2\"",
    "called = [\"2\", \"1\"]",
    "outcome = \"abandoned\"",
    "cause = \"other\"",
    "hangup_by = \"switch\"",
    "recorded = false",
    "survey = 4",
    "mailbox = \"box\"",
    "callback = \"1\"",
    "variables = { order = \"12\" }",
    "class = \"vip\"",
    "language = \"en\"",
];

#[test]
fn whatever_comes_otherwise_is_told_with_both_sides() {
    for wrong in WRONG {
        let key = wrong.split(' ').next().expect("a key");
        let (_, failures) = played(&format!("agents.1 = {{}}\n[case.c.expect]\n{wrong}"));
        assert_eq!(failures.iter().map(|failure| failure.key).collect::<Vec<_>>(), [key]);
        let lines: Vec<String> = failures[0].diff.iter().map(ToString::to_string).collect();
        assert!(lines.iter().any(|line| line.starts_with("- ") || line.starts_with("+ ")), "{key}: {lines:?}");
    }
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../docs/dialplan-test.schema.json")).expect("JSON");
    let keys = &schema["properties"]["case"]["additionalProperties"]["properties"]["expect"]["properties"];
    assert_eq!(keys.as_object().expect("keys").len(), WRONG.len(), "a kind of failure is not shown");
}

#[test]
fn steps_are_told_with_their_instants_and_reasons_and_secrets_are_not() {
    let (_, failures) = played(
        "at = \"2026-10-01T10:00:00+08:00\"\n[case.c.expect]\n\
         steps = [\"shop.answer\", \"shop.open\", \"shop.notice\"]\nvariables.pin = \"1234\"",
    );
    let lines: Vec<String> = failures[0].diff.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "  shop.answer  0.000 s",
            "  shop.open  0.000 s",
            "- shop.notice",
            "+ shop.closed  0.000 s  because hours shop are closed, holiday: National Day",
            "+ shop.end  6.000 s",
        ]
    );
    assert!(!format!("{:?}", failures[1]).contains("1234"));
}

#[test]
fn a_thousand_cases_go_the_same_way_twice() {
    let floor = floor();
    let keys = ["[]", "[\"4711\"]", "[\"-\"]", "[\"1#\"]"];
    let phones = ["answers", "rings", "rejects", "busy", "unreachable"];
    let mut text = String::from("[given]\nnumber = \"400\"\nat = \"2026-11-27T10:00:00+08:00\"\n");
    for n in 0..1_000 {
        let (keys, phone, other) = (keys[n % 4], phones[n % 5], phones[n / 5 % 5]);
        let (from, after, count, patience) = (n % 40, n % 13, n % 7 + 1, 5 + n % 90);
        text += &format!(
            "[case.\"{n}\"]\nkeys = {keys}\npatience = \"{patience}s\"\nexpect.queue = \"line\"\n\
             agents = {{ 1 = {{ phone = \"{phone}\", after = \"{after}s\" }}, 2 = {{ from = \"{from}s\", phone = \"{other}\" }}, \
             5 = {{}} }}\nothers = [{{ queue = \"line\", count = {count}, at = \"{from}s\", talks = \"20s\" }}]\n"
        );
    }
    let suite = suite(&floor, &text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(suite.cases.len(), 1_000);
    let mut outcomes = BTreeMap::new();
    for case in &suite.cases {
        let run = || play(&floor, &case.given, [7; 32]).expect("sound settings");
        let course = run();
        assert_eq!(course, run(), "{}", case.name);
        let record = course.record.as_ref().expect("it ends");
        assert_eq!(record.path, course.steps.iter().map(|step| step.name.clone()).collect::<Vec<_>>());
        assert_eq!(crate::records::check(record), Vec::new(), "{}", case.name);
        *outcomes.entry(format!("{:?}", record.disposition)).or_insert(0) += 1;
    }
    assert!(outcomes.len() > 1 && outcomes.values().sum::<i32>() == 1_000, "{outcomes:?}");
}

#[test]
fn every_problem_of_a_file_is_told_at_once_with_what_was_meant() {
    let floor = floor();
    let text = "[given]\nagents = { 9 = {} }\nclosed = [\"shpo\"]\nkeys = [\"x\"]\n[case.a]\nnumber = \"400\"\nnmuber = \"4\"\n\
                at = \"tomorrow\"\n[case.a.expect]\nsteps = [\"shop.anwser\"]\nqueue = \"lien\"\nwait = \"soon\"\n\
                outcome = \"answred\"\n[case.b]\npress = [{ key = \"1\" }]\n";
    let problems = suite(&floor, text).expect_err("wrong");
    let told: Vec<String> = problems.iter().map(|p| format!("{}: {} {:?}", p.line, p.message, p.hint)).collect();
    for wanted in [
        "3: there is no agent \"9\"",
        "4: there is no hours \"shpo\" Some(\"did you mean \\\"shop\\\"?\")",
        "5: \"x\" are no keys",
        "8: unknown key \"nmuber\" Some(\"did you mean \\\"number\\\"?\")",
        "9: \"tomorrow\" is no instant",
        "11: there is no step \"shop.anwser\" Some(\"did you mean \\\"shop.answer\\\"?\")",
        "12: there is no queue \"lien\"",
        "13: \"wait\" is no duration",
        "14: there is no outcome \"answred\" Some(\"did you mean \\\"answered\\\"?\")",
        "15: \"number\" is missing",
        "15: \"at\" is missing",
        "15: case \"b\" expects nothing",
        "16: a key is pressed either",
    ] {
        assert!(told.iter().any(|line| line.starts_with(wanted)), "{wanted}\n{told:#?}");
    }
}
