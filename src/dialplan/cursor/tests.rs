use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::dialplan::{Source, Surroundings, Unseated, load};
use crate::id::QueueId;

const PLAN: &str = r#"
version = 1
number."1" = { flow = "f" }
hours.h = { zone = "Asia/Shanghai", weekly = [{ days = ["mon-fri"], from = "08:00", to = "20:00" }] }
queue.q = { members = ["1001"] }
flow.f.start = "answer"
flow.f.language = "zh"
[flow.f.step]
answer = { do = "answer", next = "hours" }
hours = { do = "hours", hours = "h", open = "language", closed = "bye" }
language = { do = "language", prompt = "which", keys = { 1 = "zh", 2 = "en" }, retries = 0, default = "zh", next = "notice" }
notice = { do = "play", prompts = "notice", notice = true, next = "menu" }
menu = { do = "menu", prompt = "menu", invalid = "wrong", silent = "silent", keys = { 1 = "queue", 2 = "bye" }, timeout = "3s", retries = 2, no_input = "bye" }
queue = { do = "queue", queue = "q", record = true, next = "menu", unstaffed = "bye" }
bye = { do = "hangup" }
"#;

/// The same plan with a queue that takes nobody who is not recorded.
fn strict() -> String {
    PLAN.replace("members = [\"1001\"] }", "members = [\"1001\"], recording = \"required\" }")
}

/// How many are signed in, and whether recordings can be written.
pub(super) struct Floor(pub(super) usize, pub(super) bool);

impl FloorView for Floor {
    fn signed_in(&self, _: &QueueId) -> usize {
        self.0
    }

    fn can_record(&self) -> bool {
        self.1
    }

    fn may_sit(&self, agent: &str, pin: &str) -> Result<(), Unseated> {
        if (agent, pin) == ("1003", "4711") { Ok(()) } else { Err(Unseated::WrongPin) }
    }

    fn waiting(&self, _: &QueueId) -> usize {
        3
    }

    fn available(&self, _: &QueueId) -> usize {
        self.0
    }

    fn expected_wait_ms(&self, _: &QueueId) -> Option<u64> {
        Some(90_000)
    }

    fn position(&self) -> Option<u32> {
        Some(4)
    }

    fn own_expected_wait_ms(&self) -> Option<u64> {
        Some(90_000)
    }

    fn closed_until(&self, hours: &str) -> Option<i64> {
        (hours == "by_hand").then_some(i64::MAX)
    }

    fn announcement(&self, flow: &str) -> Option<String> {
        (flow == "announced").then(|| "outage".to_owned())
    }
}

pub(super) fn at(text: &str) -> Now {
    Now { mono_ns: 0, wall_ms: text.parse::<jiff::Timestamp>().expect("a timestamp").as_millisecond() }
}

fn open() -> Now {
    at("2026-09-30T12:00:00+08:00")
}

fn begin(now: Now) -> Cursor {
    begin_with(PLAN, now)
}

fn begin_with(plan: &str, now: Now) -> Cursor {
    let names = ["which", "notice", "menu", "wrong", "silent"];
    let prompts: BTreeSet<_> = ["zh", "en"].iter().flat_map(|l| names.map(|n| format!("{l}/{n}.wav"))).collect();
    let source = Source { file: "p".into(), text: plan.into() };
    let surroundings = Surroundings {
        prompts: &prompts,
        agents: None,
        trunks: None,
        webhooks: None,
        beside: &BTreeMap::new(),
        year: None,
    };
    let (program, _) = load(&[source], surroundings).expect("a good plan");
    let facts = CallFacts {
        called: "1".into(),
        caller: "2".into(),
        trunk: None,
        class: String::new(),
        last_agent: "1003".into(),
        transferred_by: "1004".into(),
    };
    Cursor::start(Arc::new(program), facts, now, &Floor(1, true)).expect("a flow")
}

fn feed(cursor: &mut Cursor, input: CursorInput, now: Now) -> Vec<String> {
    cursor.handle(input, now, &Floor(1, true));
    acts(cursor)
}

/// The acts in short, in order.
pub(super) fn acts(cursor: &mut Cursor) -> Vec<String> {
    let short = |act| match act {
        Act::EnterStep { step, .. } => step,
        Act::Play { prompts, id, .. } => {
            let names: Vec<_> = prompts.iter().map(|p| format!("{}/{}", p.language, p.name)).collect();
            format!("play {id} {}", names.join(" "))
        }
        Act::Enqueue { record, .. } => format!("enqueue record={record}"),
        Act::Hangup { cause } => format!("hangup {}", cause.text),
        other => format!("{other:?}"),
    };
    let acts = std::iter::from_fn(|| cursor.poll_act()).filter(|act| !matches!(act, Act::Decided(_)));
    acts.map(short).collect()
}

pub(super) fn heard(id: u32) -> CursorInput {
    CursorInput::PlayFinished { id, completed: true }
}

fn to_menu(now: Now) -> Cursor {
    let mut cursor = begin(now);
    feed(&mut cursor, CursorInput::Answered, now);
    feed(&mut cursor, CursorInput::Digit('2'), now);
    assert_eq!(feed(&mut cursor, heard(2), now), ["menu", "play 3 en/menu"]);
    cursor
}

#[test]
fn a_key_during_the_question_barges_in_and_the_language_holds() {
    let now = open();
    let mut cursor = begin(now);
    assert_eq!(acts(&mut cursor), ["answer", "Answer"]);
    assert_eq!(feed(&mut cursor, CursorInput::Answered, now), ["hours", "language", "play 1 zh/which en/which"]);
    let chosen = feed(&mut cursor, CursorInput::Digit('2'), now);
    assert_eq!(chosen, ["StopPlay", "ChooseLanguage(\"en\")", "notice", "play 2 en/notice"]);
    assert_eq!(cursor.language(), "en");
}

#[test]
fn a_notice_plays_to_its_end_and_keeps_the_keys_for_the_menu() {
    let now = open();
    let mut cursor = begin(now);
    feed(&mut cursor, CursorInput::Answered, now);
    feed(&mut cursor, CursorInput::Digit('2'), now);
    assert_eq!(feed(&mut cursor, CursorInput::Digit('1'), now), Vec::<String>::new());
    assert_eq!(feed(&mut cursor, heard(1), now), Vec::<String>::new(), "the stopped play is over");
    assert_eq!(feed(&mut cursor, heard(2), now), ["menu", "queue", "enqueue record=true"]);
}

#[test]
fn an_unheard_notice_means_no_recording() {
    let now = open();
    let mut cursor = begin(now);
    feed(&mut cursor, CursorInput::Answered, now);
    feed(&mut cursor, CursorInput::Digit('1'), now);
    feed(&mut cursor, CursorInput::PlayFinished { id: 2, completed: false }, now);
    assert_eq!(feed(&mut cursor, CursorInput::Digit('1'), now), ["StopPlay", "queue", "enqueue record=false"]);
}

#[test]
fn silence_and_wrong_keys_share_the_retries() {
    let mut now = open();
    let mut cursor = to_menu(now);
    assert_eq!(cursor.poll_timeout(), None, "the timeout runs from the end of the question");
    feed(&mut cursor, heard(3), now);
    assert_eq!(cursor.poll_timeout(), Some(now.in_ms(3_000)));
    now = now.plus_ms(2_999);
    cursor.handle_timeout(now, &Floor(1, true));
    assert_eq!(acts(&mut cursor), Vec::<String>::new());
    now = now.plus_ms(1);
    cursor.handle_timeout(now, &Floor(1, true));
    assert_eq!(acts(&mut cursor), ["play 4 en/silent en/menu"]);
    assert_eq!(feed(&mut cursor, CursorInput::Digit('9'), now), ["StopPlay", "play 5 en/wrong en/menu"]);
    feed(&mut cursor, heard(5), now);
    cursor.handle_timeout(now.plus_ms(3_000), &Floor(1, true));
    assert_eq!(acts(&mut cursor), ["bye", "hangup normal_clearing"]);
    assert!(cursor.is_ended() && cursor.poll_timeout().is_none());
}

#[test]
fn a_refused_caller_goes_on_and_an_empty_queue_is_passed_by() {
    let now = open();
    let mut cursor = to_menu(now);
    feed(&mut cursor, CursorInput::Digit('1'), now);
    let refused = CursorInput::QueueLeft { reason: LeaveReason::Refused };
    assert_eq!(feed(&mut cursor, refused, now), ["menu", "play 4 en/menu"]);
    cursor.handle(CursorInput::Digit('1'), now, &Floor(0, true));
    assert_eq!(acts(&mut cursor), ["StopPlay", "queue", "bye", "hangup normal_clearing"]);
}

#[test]
fn the_hours_are_those_of_the_moment() {
    for (instant, step) in [("2026-09-30T19:59:59+08:00", "language"), ("2026-09-30T20:00:00+08:00", "bye")] {
        let mut cursor = begin(at(instant));
        acts(&mut cursor);
        assert_eq!(feed(&mut cursor, CursorInput::Answered, at(instant))[1], step);
    }
}

#[test]
fn nothing_follows_a_hang_up() {
    let now = open();
    let mut cursor = to_menu(now);
    feed(&mut cursor, CursorInput::HungUp, now);
    assert_eq!(feed(&mut cursor, CursorInput::Digit('1'), now), Vec::<String>::new());
    assert_eq!(feed(&mut cursor, heard(3), now), Vec::<String>::new());
    assert_eq!(cursor.poll_timeout(), None);
}

#[test]
fn no_recording_no_call_where_the_queue_must_record() {
    let keys = |cursor: &mut Cursor, floor: &Floor| {
        cursor.handle(CursorInput::Answered, open(), floor);
        cursor.handle(CursorInput::PlayFinished { id: 1, completed: true }, open(), floor);
        cursor.handle(CursorInput::Digit('1'), open(), floor);
        cursor.handle(CursorInput::PlayFinished { id: 2, completed: true }, open(), floor);
        acts(cursor);
        cursor.handle(CursorInput::Digit('1'), open(), floor);
        std::iter::from_fn(|| cursor.poll_act()).collect::<Vec<_>>()
    };
    let enqueued = |acts: &[Act]| acts.iter().any(|act| matches!(act, Act::Enqueue { record: true, .. }));
    let turned_away = |acts: &[Act]| acts.iter().any(|act| matches!(act, Act::Unrecordable { .. }));
    let mut cursor = begin_with(&strict(), open());
    assert!(enqueued(&keys(&mut cursor, &Floor(1, true))));
    // While it waits: where nothing else is said, it goes on as one whom the queue refuses.
    cursor.handle(CursorInput::Unrecordable, open(), &Floor(1, false));
    assert_eq!(acts(&mut cursor)[0], "menu");
    let told = keys(&mut begin_with(&strict(), open()), &Floor(1, false));
    assert!(turned_away(&told) && !enqueued(&told), "{told:?}");
    let plain = strict().replace(", next = \"menu\", unstaffed", ", unstaffed");
    let told = keys(&mut begin_with(&plain, open()), &Floor(1, false));
    let cause = Cause::new(503, "recording_unavailable");
    assert_eq!(told.last(), Some(&Act::Hangup { cause }), "{told:?}");
    assert!(enqueued(&keys(&mut begin(open()), &Floor(1, false))), "other queues do not ask");
}
