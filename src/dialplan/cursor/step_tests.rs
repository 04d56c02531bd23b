//! Steps beyond menus: entries, cases, values, called flows, what is said in numbers, and waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::tests::{Floor, acts, at, heard};
use super::*;
use crate::dialplan::{Source, Surroundings, load};
use crate::journal::LeaveReason;

/// A cursor of flow `f` in English, answered; every prompt is there.
fn begin(text: &str, caller: &str, now: Now) -> Cursor {
    let mut cursor = start("f", &format!("flow.f.start = \"go\"\n{text}"), caller, now);
    cursor.handle(CursorInput::Answered, now, &Floor(1, true));
    acts(&mut cursor);
    cursor
}

pub(super) fn start(flow: &str, text: &str, caller: &str, now: Now) -> Cursor {
    let head = "version = 1\nqueue.q.members = \"1001\"\n\
                hours.h = { zone = \"Asia/Shanghai\", weekly = [{ days = [\"mon-fri\"], from = \"08:00\", to = \"20:00\" }] }\n\
                hours.by_hand = { zone = \"Asia/Shanghai\", weekly = [{ days = [\"mon-sun\"], from = \"00:00\", to = \"24:00\" }] }\n";
    let sources = [Source { file: "p".into(), text: format!("number.1.flow = \"{flow}\"\n{head}{text}") }];
    let words = ["en", "zh"].into_iter().flat_map(|l| {
        crate::dialplan::speech::vocabulary(l)
            .into_iter()
            .chain(["a", "b", "c", "beep"].map(str::to_owned))
            .map(move |n| format!("{l}/{n}.wav"))
    });
    let prompts: BTreeSet<String> = words.collect();
    let surroundings = Surroundings {
        prompts: &prompts,
        agents: None,
        trunks: None,
        webhooks: None,
        beside: &BTreeMap::new(),
        year: None,
    };
    let (program, _) = load(&sources, surroundings).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let facts = CallFacts {
        called: "1".into(),
        caller: caller.into(),
        trunk: None,
        class: String::new(),
        last_agent: "1003".into(),
        transferred_by: "1004".into(),
    };
    Cursor::start(Arc::new(program), facts, now, &Floor(1, true)).expect("a flow")
}

pub(super) fn open() -> Now {
    at("2026-09-30T12:00:00+08:00")
}

pub(super) fn press(cursor: &mut Cursor, keys: &str, now: Now) -> Vec<String> {
    for key in keys.chars() {
        cursor.handle(CursorInput::Digit(key), now, &Floor(1, true));
    }
    acts(cursor)
}

fn pass(cursor: &mut Cursor, ms: u64, now: &mut Now) -> Vec<String> {
    *now = now.plus_ms(ms);
    cursor.handle_timeout(*now, &Floor(1, true));
    acts(cursor)
}

const ENTRY: &str = r#"
variable.order = { type = "digits", secret = true }
variable.amount = { type = "number", initial = "0" }
flow.f.keys = { "*" = "bye" }
[flow.f.step]
go = { do = "answer", next = "ask" }
ask = { do = "gather", prompt = "a", again = [["b"]], invalid = "c", into = "order", least = 3, most = 6, fits = "4*", retries = 1, timeout = "4s", between = "2s", next = "say", no_input = "bye", wrong_input = "wrong" }
say = { do = "play", prompts = ["a", { digits = "{order}" }], next = "bye" }
wrong = { do = "hangup", cause = "wrong" }
bye = { do = "hangup", cause = "bye" }
"#;

#[test]
fn an_entry_ends_by_its_key_its_length_or_a_pause() {
    let now = open();
    let said = ["StopPlay", "say", "play 2 en/a en/say_4 en/say_7 en/say_1"];
    assert_eq!(press(&mut begin(ENTRY, "2", now), "471#", now), said);
    let long = press(&mut begin(ENTRY, "2", now), "4711111", now);
    assert_eq!(long.last().map(String::as_str), Some("hangup bye"), "the seventh key cuts what is said short");
    let (mut cursor, mut later) = (begin(ENTRY, "2", now), now);
    assert_eq!(press(&mut cursor, "471", now), ["StopPlay"]);
    assert_eq!(pass(&mut cursor, 1_999, &mut later), Vec::<String>::new());
    assert_eq!(pass(&mut cursor, 1, &mut later), said[1..]);
}

#[test]
fn an_entry_that_does_not_fit_is_asked_for_again_in_other_words() {
    let (mut now, mut cursor) = (open(), begin(ENTRY, "2", open()));
    assert_eq!(press(&mut cursor, "5555#", now), ["StopPlay", "play 2 en/c en/b"]);
    assert_eq!(press(&mut cursor, "47#", now), ["StopPlay", "wrong", "hangup wrong"], "too short, and the last try");
    let mut silent = begin(ENTRY, "2", now);
    silent.handle(heard(1), now, &Floor(1, true));
    assert_eq!(pass(&mut silent, 4_000, &mut now), ["play 2 en/b"]);
    silent.handle(heard(2), now, &Floor(1, true));
    assert_eq!(pass(&mut silent, 4_000, &mut now), ["bye", "hangup bye"]);
    assert_eq!(press(&mut begin(ENTRY, "2", now), "*", now), ["StopPlay", "bye", "hangup bye"], "the flow's key");
}

const CASES: &str = r#"
variable.tries = { type = "number", initial = "2" }
customer."138" = { name = "Li", class = "vip", tags = ["near"] }
[flow.f.step]
go = { do = "answer", next = "who" }
who = { do = "customer", known = "when", unknown = "when" }
when = { do = "when", else = "other", cases = [{ class = "vip", tag = "near", next = "vip" }, { caller = "13*", not = { hours = "h" }, next = "night" }, { queue = "q", measure = "waiting", at_least = 5, next = "full" }, { queue = "q", measure = "expected_wait", at_least = "90s", variable = "tries", at_most = 2, next = "long" }] }
vip = { do = "hangup", cause = "vip" }
night = { do = "hangup", cause = "night" }
full = { do = "hangup", cause = "full" }
long = { do = "hangup", cause = "long" }
other = { do = "hangup", cause = "other" }
"#;

#[test]
fn the_first_case_that_holds_decides() {
    let ends = |caller: &str, now: Now| {
        let head = CASES.replace("variable = \"tries\", at_most = 2, ", "");
        let mut cursor = begin_open(&head, caller, now);
        acts(&mut cursor).last().cloned().unwrap_or_default()
    };
    assert_eq!(ends("138", open()), "hangup vip");
    assert_eq!(ends("139", at("2026-09-30T21:00:00+08:00")), "hangup night");
    assert_eq!(ends("139", open()), "hangup long", "ninety seconds are expected");
}

/// As `begin`, with what follows the answer not yet taken.
fn begin_open(text: &str, caller: &str, now: Now) -> Cursor {
    let text = text.replace(
        "go = { do = \"answer\", next = \"who\" }",
        "go = { do = \"answer\", next = \"first\" }\nfirst = { do = \"play\", prompts = \"a\", next = \"who\" }",
    );
    let mut cursor = begin(&text, caller, now);
    cursor.handle(heard(1), now, &Floor(1, true));
    cursor
}

#[test]
fn a_called_flow_comes_back_and_leaves_the_values_of_its_caller() {
    let text = r#"
variable.word = { type = "text", initial = "outer" }
variable.kept = { type = "text" }
[flow.f.step]
go = { do = "answer", next = "call" }
call = { do = "call", flow = "sub", with = { word = "inner {caller}" }, next = "after" }
after = { do = "when", else = "wrong", cases = [{ variable = "word", is = "outer", next = "kept" }] }
kept = { do = "when", else = "wrong", cases = [{ variable = "kept", is = "inner 7", next = "right" }] }
right = { do = "hangup", cause = "right" }
wrong = { do = "hangup", cause = "wrong" }
[flow.sub]
start = "note"
[flow.sub.step]
note = { do = "set", variables = { kept = "{word}" }, next = "say" }
say = { do = "play", prompts = "a", next = "back" }
back = { do = "return" }
"#;
    let now = open();
    let mut cursor = begin(text, "7", now);
    cursor.handle(heard(1), now, &Floor(1, true));
    let told = acts(&mut cursor);
    assert_eq!(told.last().map(String::as_str), Some("hangup right"), "{told:?}");
}

#[test]
fn places_amounts_and_times_are_said() {
    let text = r#"
variable.balance = { type = "text", initial = "12.50" }
[flow.f.step]
go = { do = "answer", next = "say" }
say = { do = "play", prompts = ["a", { position = true }, { money = "{balance}", currency = "CNY" }, { time = "" }, { number = "{caller}" }], next = "bye" }
bye = { do = "hangup" }
"#;
    let head = text.replace("go = { do = \"answer\", next = \"say\" }", "go = { do = \"answer\", next = \"zh\" }\nzh = { do = \"set\", language = \"zh\", next = \"wait\" }\nwait = { do = \"play\", prompts = \"b\", next = \"say\" }");
    let now = open();
    let mut cursor = begin(&head, "23", now);
    cursor.handle(heard(1), now, &Floor(1, true));
    let play = &acts(&mut cursor)[1];
    let words: Vec<&str> = play.split(' ').skip(2).map(|name| name.trim_start_matches("zh/say_")).collect();
    assert_eq!(words.join(" "), "zh/a 4 10 2 yuan 5 jiao 10 2 dian 2 10 3");
}

const QUEUE: &str = r#"
[flow.f.step]
go = { do = "answer", next = "queue" }
queue = { do = "queue", queue = "q", keys = { 1 = "left" }, hours = "h", closing = "closed", next = "full", messages = [{ prompts = ["a", { position = true }], after = "10s", every = "30s" }, { prompts = "b", after = "20s" }] }
left = { do = "hangup", cause = "left" }
closed = { do = "hangup", cause = "closed" }
full = { do = "hangup", cause = "full" }
"#;

#[test]
fn those_who_wait_are_told_things_in_time_and_one_after_another() {
    let (mut now, mut cursor) = (open(), begin(QUEUE, "2", open()));
    assert_eq!(pass(&mut cursor, 9_999, &mut now), Vec::<String>::new());
    assert!(pass(&mut cursor, 1, &mut now)[0].contains("say_4"));
    assert_eq!(pass(&mut cursor, 11_000, &mut now), Vec::<String>::new(), "the first one is still being said");
    cursor.handle(heard(1), now, &Floor(1, true));
    assert_eq!(acts(&mut cursor), ["PlayMusic"]);
    assert!(pass(&mut cursor, 0, &mut now)[0].contains("\"b\""), "due a second ago");
    cursor.handle(heard(2), now, &Floor(1, true));
    acts(&mut cursor);
    assert_eq!(pass(&mut cursor, 18_999, &mut now), Vec::<String>::new());
    assert!(pass(&mut cursor, 1, &mut now)[0].contains("say_4"), "every thirty seconds from the tenth on");
    assert_eq!(press(&mut cursor, "5", now), Vec::<String>::new());
    assert_eq!(press(&mut cursor, "1", now), ["LeaveQueue { key: Some('1') }", "left", "hangup left"]);
    cursor.handle(CursorInput::QueueLeft { reason: LeaveReason::Exit }, now, &Floor(1, true));
    assert_eq!(acts(&mut cursor), Vec::<String>::new());
}

#[test]
fn those_who_wait_when_the_hours_end_are_taken_elsewhere() {
    let mut now = at("2026-09-30T19:59:55+08:00");
    let mut cursor = begin(QUEUE, "2", now);
    assert_eq!(pass(&mut cursor, 4_999, &mut now), Vec::<String>::new());
    let closed = pass(&mut cursor, 1, &mut now);
    assert_eq!(closed, ["LeaveQueue { key: None }", "closed", "hangup closed"]);
    let late = begin(QUEUE, "2", at("2026-09-30T20:00:00+08:00"));
    assert!(late.is_ended(), "who comes when it is closed does not wait");
    let by_hand = QUEUE.replace("hours = \"h\"", "hours = \"by_hand\"");
    assert!(begin(&by_hand, "2", open()).is_ended(), "closed by hand");
}

#[test]
fn an_announcement_of_ops_comes_first() {
    let text = "[flow.announced]\nstart = \"go\"\n[flow.announced.step]\ngo = { do = \"answer\", next = \"say\" }\n\
                say = { do = \"play\", prompts = \"a\", next = \"bye\" }\nbye = { do = \"hangup\" }\n";
    let (now, floor) = (open(), Floor(1, true));
    let mut cursor = start("announced", text, "2", now);
    acts(&mut cursor);
    cursor.handle(CursorInput::Answered, now, &floor);
    assert_eq!(acts(&mut cursor), ["play 1 en/outage"]);
    cursor.handle(CursorInput::Digit('1'), now, &floor);
    cursor.handle(heard(1), now, &floor);
    assert_eq!(acts(&mut cursor), ["say", "play 2 en/a"], "no key cuts it short");
}

const LEAVING: &str = r#"
[flow.f.step]
go = { do = "answer", next = "ask" }
ask = { do = "menu", prompt = "a", keys = { 1 = "wait", 2 = "message", 3 = "back" }, no_input = "bye" }
wait = { do = "queue", queue = "q", keys = { 9 = "bye" }, after = "survey", prefer = ["{own_agent}", "{last_agent}"] }
survey = { do = "survey", prompt = "b", scale = 10, timeout = "3s", retries = 0, next = "thanks", no_input = "bye" }
thanks = { do = "play", prompts = ["c"], next = "bye" }
message = { do = "voicemail", prompts = ["a"], mailbox = "m", longest = "10s", next = "thanks", failed = "bye" }
back = { do = "callback", queue = "q", trunk = "t", allow = "1*", next = "thanks", failed = "bye" }
bye = { do = "hangup", cause = "bye" }
"#;

#[test]
fn the_question_comes_after_the_conversation_and_keys_before_it_are_no_answer() {
    let now = open();
    let mut cursor = begin(LEAVING, "2", now);
    cursor.handle(CursorInput::Digit('1'), now, &Floor(1, true));
    let prefer = std::iter::from_fn(|| cursor.poll_act()).find_map(|act| match act {
        Act::Enqueue { prefer, .. } => prefer,
        _ => None,
    });
    assert_eq!(prefer, Some(("1003".into(), 20_000)), "the first who is named");
    cursor.handle(CursorInput::Connected, now, &Floor(1, true));
    assert_eq!(
        press(&mut cursor, "9", now),
        Vec::<String>::new(),
        "a key in a conversation is no wish to leave the queue"
    );
    assert_eq!(cursor.poll_timeout(), None);
    cursor.handle(CursorInput::AgentLeft, now, &Floor(1, true));
    assert_eq!(acts(&mut cursor), ["survey", "play 2 en/b"]);
    let said = press(&mut cursor, "0", now);
    assert_eq!(said[1], "Survey { question: \"satisfaction\", score: 10 }");
    // Nobody answered: nobody is asked.
    let mut cursor = begin(LEAVING, "2", now);
    press(&mut cursor, "1", now);
    cursor.handle(CursorInput::AgentLeft, now, &Floor(1, true));
    assert_eq!(acts(&mut cursor), Vec::<String>::new());
}

#[test]
fn a_message_counts_after_a_second_and_the_plan_goes_on_once_it_is_kept() {
    let (now, mut later) = (open(), open());
    let mut cursor = begin(LEAVING, "2", now);
    press(&mut cursor, "2", now);
    assert_eq!(feed_heard(&mut cursor, 2, now), ["BeginMessage"]);
    assert_eq!(pass(&mut cursor, 1_000, &mut later), ["KeepMessage { mailbox: \"m\" }"]);
    assert_eq!(pass(&mut cursor, 8_999, &mut later), Vec::<String>::new());
    assert_eq!(pass(&mut cursor, 1, &mut later), ["EndMessage"]);
    cursor.handle(CursorInput::Stored { safe: true }, later, &Floor(1, true));
    assert_eq!(acts(&mut cursor)[0], "thanks");
    // Too short to be one, and what cannot be kept.
    let mut cursor = begin(LEAVING, "2", now);
    press(&mut cursor, "2", now);
    feed_heard(&mut cursor, 2, now);
    assert_eq!(press(&mut cursor, "#", now), ["EndMessage"]);
    cursor.handle(CursorInput::Stored { safe: true }, now, &Floor(1, true));
    assert_eq!(acts(&mut cursor), ["bye", "hangup bye"]);
    let mut cursor = begin(LEAVING, "2", now);
    press(&mut cursor, "2", now);
    feed_heard(&mut cursor, 2, now);
    cursor.handle(CursorInput::Stored { safe: false }, now, &Floor(1, true));
    assert_eq!(acts(&mut cursor), ["bye", "hangup bye"]);
    // A full disk: nobody is asked to speak.
    let mut cursor = begin(LEAVING, "2", now);
    cursor.handle(CursorInput::Digit('2'), now, &Floor(1, false));
    assert_eq!(acts(&mut cursor), ["StopPlay", "message", "bye", "hangup bye"]);
}

#[test]
fn only_numbers_that_the_plan_allows_are_called_back() {
    let now = open();
    for (caller, wished) in [("13800138000", true), ("2", false), ("anonymous", false), ("", false), ("1e5", false)] {
        let told = press(&mut begin(LEAVING, caller, now), "3", now);
        assert_eq!(told.iter().any(|act| act.starts_with("RequestCallback")), wished, "{caller}: {told:?}");
        assert_eq!(told.last().is_some_and(|act| act == "hangup bye"), !wished, "{caller}");
    }
    let (mut cursor, mut later) = (begin(LEAVING, "138", now), now);
    press(&mut cursor, "3", now);
    assert_eq!(
        pass(&mut cursor, 10_000, &mut later),
        ["bye", "hangup bye"],
        "a disk that keeps nothing is told to nobody as done"
    );
}

fn feed_heard(cursor: &mut Cursor, id: u32, now: Now) -> Vec<String> {
    cursor.handle(heard(id), now, &Floor(1, true));
    acts(cursor)
}

const ASKING: &str = r#"
variable.balance = { type = "number", initial = "0" }
[flow.f.step]
go = { do = "answer", next = "ask" }
ask = { do = "webhook", hook = "crm", send = { who = "{caller}" }, into = { sum = "balance" }, timeout = "2s", retries = 1, next = "say", failed = "bye" }
say = { do = "play", prompts = [{ number = "{balance}" }], next = "bye" }
bye = { do = "hangup", cause = "bye" }
"#;

fn reply(cursor: &mut Cursor, id: u32, reply: Result<&str, &str>, now: Now) -> Vec<String> {
    let fields = |sum: &str| BTreeMap::from([("sum".to_owned(), sum.to_owned())]);
    let reply = reply.map(fields).map_err(str::to_owned);
    cursor.handle(CursorInput::Replied { id, reply }, now, &Floor(1, true));
    acts(cursor)
}

#[test]
fn another_system_is_asked_again_and_not_waited_for_without_end() {
    let (now, mut later) = (open(), open());
    let start = || {
        let mut cursor = start("f", &format!("flow.f.start = \"go\"\n{ASKING}"), "138", now);
        acts(&mut cursor);
        cursor.handle(CursorInput::Answered, now, &Floor(1, true));
        let told = acts(&mut cursor);
        assert!(told[1].contains("id: 1, about: 1, hook: \"crm\"") && told[1].contains("\"who\": \"138\""), "{told:?}");
        cursor
    };
    assert_eq!(reply(&mut start(), 1, Ok("12"), now), ["say", "play 1 en/say_12"]);
    assert_eq!(
        reply(&mut start(), 1, Ok("much"), now),
        ["say", "play 1 en/say_0"],
        "what does not fit changes nothing"
    );
    // Asked again after a failure or silence, about the same; then it is over.
    let mut cursor = start();
    assert_eq!(pass(&mut cursor, 1_999, &mut later), Vec::<String>::new());
    let again = pass(&mut cursor, 1, &mut later);
    assert!(again[0].contains("id: 2, about: 1"), "{again:?}");
    assert_eq!(reply(&mut cursor, 1, Ok("12"), later), Vec::<String>::new(), "too late");
    assert_eq!(reply(&mut cursor, 2, Err("it answers 500"), later), ["bye", "hangup bye"]);
}

#[test]
fn silence_is_no_consent() {
    let text = "[flow.f.step]\ngo = { do = \"answer\", next = \"ask\" }\n\
                ask = { do = \"consent\", prompt = \"a\", timeout = \"2s\", retries = 0, next = \"q\" }\n\
                q = { do = \"queue\", queue = \"q\", record = true }\n";
    let recorded = |told: &[String]| told.iter().any(|act| act == "enqueue record=true");
    let now = open();
    let told = press(&mut begin(text, "2", now), "1", now);
    assert!(recorded(&told) && told.contains(&"Record(Agreed)".to_owned()), "{told:?}");
    let told = press(&mut begin(text, "2", now), "2", now);
    assert!(!recorded(&told) && told.contains(&"Record(Refused)".to_owned()), "{told:?}");
    let (mut cursor, mut later) = (begin(text, "2", now), now);
    feed_heard(&mut cursor, 1, now);
    let told = pass(&mut cursor, 2_000, &mut later);
    assert!(!recorded(&told) && told.contains(&"Record(Refused)".to_owned()), "{told:?}");
}

const RULES: &str = r#"
queue.q.rules = [
  { caller = "13x*", priority = 2 },
  { language = "en", skills = { english = 60 } },
  { language = "zh", skills = ["chinese"] },
  { class = "urgent", priority = 1, skills = { sos = 1 }, for = "20s" },
]
[flow.f.step]
go = { do = "answer", next = "who" }
who = { do = "when", cases = [{ caller = "9", next = "urgent" }], else = "wait" }
urgent = { do = "set", class = "urgent", next = "wait" }
wait = { do = "queue", queue = "q", priority = 5, next = "bye" }
bye = { do = "hangup", cause = "bye" }
"#;

#[test]
fn all_rules_that_fit_the_caller_hold() {
    let enqueued = |caller| {
        let mut cursor = start("f", &format!("flow.f.start = \"go\"\n{RULES}"), caller, open());
        cursor.handle(CursorInput::Answered, open(), &Floor(1, true));
        let told = std::iter::from_fn(|| cursor.poll_act()).find(|act| matches!(act, Act::Enqueue { .. }));
        told.map(|act| act.told(&Default::default()).join("")).unwrap_or_default()
    };
    assert_eq!(enqueued("139"), "queue q, priority 7, english ≥ 60, not recorded");
    assert_eq!(enqueued("9"), "queue q, priority 6, english ≥ 60, sos ≥ 1 for 20000 ms, not recorded");
}
