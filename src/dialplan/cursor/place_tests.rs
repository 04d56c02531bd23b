//! Where a plan sends its caller: to phones at once, to another number, into a room; and whom another system knows.

use super::step_tests::{open, press, start};
use super::tests::{Floor, acts, heard};
use super::*;
use crate::dialplan::DialPlace;

fn answered(text: &str) -> Cursor {
    let mut cursor = start("f", text, "138", open());
    acts(&mut cursor);
    cursor.handle(CursorInput::Answered, open(), &Floor(1, true));
    cursor
}

fn feed(cursor: &mut Cursor, input: CursorInput) -> Vec<String> {
    cursor.handle(input, open(), &Floor(1, true));
    acts(cursor)
}

const PLACES: &str = r#"
number.2.flow = "g"
number.2.language = "zh"
number."*9".flow = "f"
variable.wish = { type = "digits", initial = "2" }
[flow.g]
start = "go"
[flow.g.step]
go = { do = "answer", next = "ask" }
ask = { do = "gather", prompt = "a", into = "wish", next = "on", no_input = "bye" }
on = { do = "transfer", to = "{wish}", failed = "bye" }
bye = { do = "hangup", cause = "bye" }
[flow.f]
start = "ring"
[flow.f.step]
ring = { do = "ring", prompts = ["a", "b"], next = "go" }
go = { do = "answer", next = "on" }
on = { do = "transfer", to = "{wish}", failed = "bye" }
bye = { do = "hangup", cause = "bye" }
"#;

#[test]
fn a_transfer_leads_where_its_number_would_and_calls_a_user_where_it_is_none() {
    let mut cursor = start("f", PLACES, "138", open());
    assert_eq!(acts(&mut cursor)[0], "ring");
    assert_eq!(feed(&mut cursor, heard(1)), ["go", "Answer"], "heard early, once");
    let told = feed(&mut cursor, CursorInput::Answered);
    assert_eq!(told[..2], ["on", "EnterFlow { flow: \"g\", language: \"zh\" }"]);
    assert_eq!(told[2..], ["go", "ask", "play 2 zh/a"], "what is answered is not answered again");
    assert_eq!((cursor.flow(), cursor.language(), cursor.facts().called.as_str()), ("g", "zh", "2"));
    let told = press(&mut cursor, "1003#", open());
    let dials = told.iter().any(|act| act.starts_with("Dial { places: [[User(") && act.contains("1003"));
    assert!(dials, "{told:?}");
    let cause = Cause::new(404, "unknown_user");
    assert_eq!(feed(&mut cursor, CursorInput::NotReached { cause }), ["bye", "hangup bye"]);
}

#[test]
fn a_call_that_is_sent_in_a_circle_gets_out_of_it() {
    let circle = PLACES.replace("initial = \"2\"", "initial = \"1\"");
    let mut cursor = start("f", &circle, "138", open());
    acts(&mut cursor);
    feed(&mut cursor, heard(1));
    let told = feed(&mut cursor, CursorInput::Answered);
    assert_eq!(told.iter().filter(|act| act.starts_with("EnterFlow")).count(), 16);
    assert_eq!(told[told.len() - 2..], ["bye", "hangup bye"]);
}

#[test]
fn users_of_one_list_are_called_at_once_and_empty_names_are_nobody() {
    let text = "variable.nobody = { type = \"text\" }\n[flow.f]\nstart = \"go\"\n[flow.f.step]\n\
                go = { do = \"answer\", next = \"on\" }\n\
                on = { do = \"dial\", users = [\"{nobody}\", [\"1001\", \"{nobody}\", \"1002\"], \"1003\"], next = \"bye\" }\n\
                bye = { do = \"hangup\" }\n";
    let mut cursor = answered(text);
    let Some(Act::Dial { places, .. }) = std::iter::from_fn(|| cursor.poll_act()).last() else { panic!("no dial") };
    let names: Vec<Vec<String>> = places
        .iter()
        .map(|together| {
            let name = |place: &DialPlace| match place {
                DialPlace::User(user) => user.to_string(),
                DialPlace::Number { number, .. } => number.clone(),
            };
            together.iter().map(name).collect()
        })
        .collect();
    assert_eq!(names, [vec!["1001", "1002"], vec!["1003"]]);
}

#[test]
fn a_key_leads_out_of_a_room_and_one_that_is_full_is_not_entered() {
    let text = "[flow.f]\nstart = \"go\"\n[flow.f.step]\ngo = { do = \"answer\", next = \"room\" }\n\
                room = { do = \"conference\", room = \"of {caller}\", most = 3, keys = { \"*\" = \"bye\" }, failed = \"full\" }\n\
                full = { do = \"hangup\", cause = \"full\" }\nbye = { do = \"hangup\", cause = \"bye\" }\n";
    let mut cursor = answered(text);
    assert_eq!(acts(&mut cursor), ["room", "Confer { room: \"of 138\", most: 3 }"]);
    assert!(cursor.takes_keys() && cursor.program.confers("f"));
    assert_eq!(press(&mut cursor, "5", open()), Vec::<String>::new());
    assert_eq!(press(&mut cursor, "*", open()), ["LeaveRoom", "bye", "hangup bye"]);
    let mut cursor = answered(text);
    acts(&mut cursor);
    let why = "the room is full".to_owned();
    assert_eq!(feed(&mut cursor, CursorInput::NotAdmitted { why }), ["full", "hangup full"]);
}

#[test]
fn a_parked_caller_is_fetched_or_forgotten_and_who_comes_in_vain_goes_elsewhere() {
    let text = "[flow.f]\nstart = \"go\"\n[flow.f.step]\ngo = { do = \"answer\", next = \"slot\" }\n\
                slot = { do = \"park\", slot = \"at {called}\", for = \"10s\", timeout = \"back\", empty = \"none\" }\n\
                back = { do = \"transfer\", to = \"{transferred_by}\", failed = \"sorry\" }\n\
                none = { do = \"hangup\", cause = \"none\" }\nsorry = { do = \"hangup\", cause = \"sorry\" }\n";
    let parked = || {
        let mut cursor = answered(text);
        assert_eq!(
            acts(&mut cursor),
            ["slot", "Park { slot: \"at 1\", music: Music { name: None, volume_db: None } }"]
        );
        cursor
    };
    let mut cursor = parked();
    assert!(cursor.program.parks("f") && !cursor.takes_keys());
    let deadline = cursor.poll_timeout().expect("not for ever");
    cursor.handle_timeout(Now { mono_ns: deadline, ..open() }, &Floor(1, true));
    let told = acts(&mut cursor);
    assert_eq!(told[..2], ["Unpark", "back"]);
    assert!(told[2].starts_with("Dial { places: [[User(") && told[2].contains("1004"), "{told:?}");
    let mut cursor = parked();
    assert_eq!(feed(&mut cursor, CursorInput::Connected), Vec::<String>::new());
    assert_eq!(cursor.poll_timeout(), None, "who speaks is not given back");
    let why = || "so".to_owned();
    assert_eq!(feed(&mut parked(), CursorInput::NotFetched { why: why() }), ["none", "hangup none"]);
    let told = feed(&mut parked(), CursorInput::NotAdmitted { why: why() });
    assert_eq!(told[0], "back", "as after the longest wait where nothing else is said");
    let cursor = parked();
    let (program, facts) = (Arc::clone(&cursor.program), cursor.facts.clone());
    let ahead = Cursor::slot_ahead(program, facts, open(), &Floor(1, true));
    assert_eq!(ahead.as_deref(), Some("at 1"), "known before the call is answered");
}

const CRM: &str = r#"
[flow.f]
start = "go"
[flow.f.step]
go = { do = "answer", next = "who" }
who = { do = "customer", hook = "crm", send = { of = "{called}" }, retries = 0, known = "known", unknown = "unknown", failed = "failed" }
known = { do = "when", cases = [{ class = "vip", tag = "late", next = "vip" }], else = "unknown" }
vip = { do = "queue", queue = "q", prefer = "{own_agent}" }
unknown = { do = "hangup", cause = "unknown" }
failed = { do = "hangup", cause = "failed" }
"#;

#[test]
fn another_system_says_who_the_caller_is() {
    let reply = |fields: &[(&str, &str)]| {
        let mut cursor = answered(CRM);
        let told = acts(&mut cursor);
        assert!(told[1].contains("\"number\": \"138\"") && told[1].contains("\"of\": \"1\""), "{told:?}");
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        cursor.handle(CursorInput::Replied { id: 1, reply: Ok(fields.collect()) }, open(), &Floor(1, true));
        let told: Vec<Act> = std::iter::from_fn(|| cursor.poll_act()).collect();
        (told, cursor)
    };
    let vip = [("name", "Li"), ("class", "vip"), ("agent", "1001"), ("tags", "late rich"), ("known", "true")];
    let (told, cursor) = reply(&vip);
    let prefers =
        told.iter().any(|act| matches!(act, Act::Enqueue { prefer: Some((agent, _)), .. } if agent.as_str() == "1001"));
    assert!(prefers && cursor.class() == "vip", "{told:?}");
    for nobody in [&[][..], &[("name", "Li"), ("known", "false")], &[("since", "2019")]] {
        let (told, _) = reply(nobody);
        assert!(matches!(told.last(), Some(Act::Hangup { cause }) if cause.text == "unknown"), "{told:?}");
    }
    let mut cursor = answered(CRM);
    acts(&mut cursor);
    let reply = Err("it answers 500".to_owned());
    assert_eq!(feed(&mut cursor, CursorInput::Replied { id: 1, reply }), ["failed", "hangup failed"]);
}
