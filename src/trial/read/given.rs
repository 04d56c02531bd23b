//! The floor and the call of a case.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::case::{Answer, Closure, Given, Other, Person, Phone, Press, When};
use super::{Names, known, known_map, look_up, one_of};
use crate::dialplan::table::{At, Mixed, Table};
use crate::dialplan::{Place, Report, expand_range};
use crate::id::{AgentId, QueueId, TrunkId};

/// The longest line of callers that one table makes.
const MOST_OTHERS: i64 = 10_000;

/// Reads what a table says, and leaves the rest as it is in `given`.
pub(super) fn read(table: &mut Table<'_>, mut given: Given, names: &Names, report: &mut Report) -> Given {
    set(&mut given.number, table.string("number", report).map(|number| number.value));
    set(&mut given.caller, table.string("caller", report).map(|caller| caller.value));
    set(&mut given.class, table.string("class", report).map(|class| class.value));
    let trunk = table.string("trunk", report).map(|trunk| known(trunk, &names.trunks, "trunk", report));
    given.trunk = trunk.map(|trunk| TrunkId::from(trunk.as_str())).or(given.trunk);
    given.at_wall_ms = table.string("at", report).map(|at| instant(&at, report)).or(given.at_wall_ms);
    set(&mut given.comes_ms, table.duration("comes", report));
    set(&mut given.hangs_up_ms, table.duration("hangs_up", report));
    given.patience_ms = table.duration("patience", report).or(given.patience_ms);
    given.can_record = table.boolean("can_record", given.can_record, report);
    // An empty list is one, too: a case may have nobody where the others have somebody.
    set_list(&mut given.keys, "keys", table, report, read_keys);
    set_list(&mut given.presses, "press", table, report, |table, report| {
        table.tables("press", report).into_iter().filter_map(|press| read_press(press, report)).collect()
    });
    set_list(&mut given.closures, "closed", table, report, |table, report| {
        let closures = table.mixed("closed", report).into_iter();
        closures.filter_map(|closure| read_closure(closure, names, report)).collect()
    });
    set_list(&mut given.announcements, "announcements", table, report, |table, report| {
        let announcements = known_map(table, "announcements", &names.flows, "flow", report);
        announcements.values().for_each(|at| look_up(&at.value, at.place, &names.prompt_names, "prompt", report));
        announcements.into_iter().map(|(flow, prompt)| (flow, prompt.value)).collect()
    });
    set_list(&mut given.agents, "agents", table, report, |table, report| read_agents(table, names, report));
    set_list(&mut given.phones, "phones", table, report, |table, report| {
        let phones = table.named("phones", report).into_iter();
        phones.map(|(number, table)| (number, read_phone(table, report))).collect()
    });
    let last_agent = table.string("last_agent", report).map(|agent| known(agent, &names.agents, "agent", report));
    set(&mut given.last_agent, last_agent);
    let giver = table.string("transferred_by", report).map(|agent| known(agent, &names.agents, "agent", report));
    set(&mut given.transferred_by, giver);
    set_list(&mut given.others, "others", table, report, |table, report| {
        table.tables("others", report).into_iter().filter_map(|other| read_other(other, names, report)).collect()
    });
    set_list(&mut given.answers, "answers", table, report, |table, report| {
        table.tables("answers", report).into_iter().filter_map(|answer| read_answer(answer, names, report)).collect()
    });
    given
}

fn set<T>(slot: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *slot = said;
    }
}

fn set_list<'a, T>(
    slot: &mut T,
    key: &'static str,
    table: &mut Table<'a>,
    report: &mut Report,
    read: impl FnOnce(&mut Table<'a>, &mut Report) -> T,
) {
    let there = table.has(key);
    // Asked for in any case, so that the key is a known one.
    let said = read(table, report);
    set(slot, there.then_some(said));
}

fn instant(at: &At<String>, report: &mut Report) -> i64 {
    match at.value.parse::<Timestamp>() {
        Ok(instant) => instant.as_millisecond(),
        Err(_) => {
            let hint = "write for example \"2026-11-27T10:00:00+08:00\"";
            report.problem(at.place, format!("\"{}\" is no instant with a zone", at.value), Some(hint.to_owned()));
            0
        }
    }
}

fn is_key(key: char) -> bool {
    "0123456789*#ABCD".contains(key)
}

fn no_key(text: &str, place: Place, report: &mut Report) {
    report.problem(place, format!("\"{text}\" is no key: use 0-9, *, # or A-D"), None);
}

fn read_keys(table: &mut Table<'_>, report: &mut Report) -> Vec<String> {
    let keys = table.strings("keys", report);
    for keys in keys.iter().filter(|keys| keys.value != "-") {
        if keys.value.is_empty() || !keys.value.chars().all(is_key) {
            let hint = "a string for each question, \"-\" for silence: keys = [\"2\", \"-\", \"4711#\"]".to_owned();
            let message = format!("\"{}\" are no keys: use 0-9, *, # or A-D", keys.value);
            report.problem(keys.place, message, Some(hint));
        }
    }
    keys.into_iter().map(|keys| keys.value).collect()
}

fn read_press(mut table: Table<'_>, report: &mut Report) -> Option<Press> {
    let place = table.place;
    let (at, queued) = (table.duration("at", report), table.duration("queued", report));
    let key = table.required("key", report);
    table.finish(report);
    let when = match (at, queued) {
        (Some(ms), None) => When::Called(ms),
        (None, Some(ms)) => When::Queued(ms),
        _ => {
            let hint = "\"at\" counts from when the call comes, \"queued\" from when the caller is in a queue";
            report.problem(place, "a key is pressed either \"at\" or \"queued\" for so long", Some(hint.to_owned()));
            return None;
        }
    };
    let key = key?;
    let mut keys = key.value.chars();
    match (keys.next().filter(|key| is_key(*key)), keys.next()) {
        (Some(key), None) => Some(Press { when, key }),
        _ => {
            no_key(&key.value, key.place, report);
            None
        }
    }
}

fn read_closure(closure: Mixed<'_>, names: &Names, report: &mut Report) -> Option<Closure> {
    match closure {
        Mixed::Text(hours) => Some(Closure { hours: known(hours, &names.hours, "hours", report), after_ms: 0 }),
        Mixed::Table(mut table) => {
            let hours = table.required("hours", report);
            let after_ms = table.duration("at", report).unwrap_or(0);
            table.finish(report);
            Some(Closure { hours: known(hours?, &names.hours, "hours", report), after_ms })
        }
    }
}

fn read_agents(table: &mut Table<'_>, names: &Names, report: &mut Report) -> BTreeMap<AgentId, Person> {
    let mut agents = BTreeMap::new();
    for (name, table) in table.named("agents", report) {
        let place = table.place;
        let person = read_person(table, report);
        for agent in expand_range(&name).unwrap_or_else(|| vec![name.clone()]) {
            look_up(&agent, place, &names.agents, "agent", report);
            if agents.insert(AgentId::from(agent.as_str()), person.clone()).is_some() {
                report.problem(place, format!("agent \"{agent}\" is there twice"), None);
            }
        }
    }
    agents
}

fn read_person(mut table: Table<'_>, report: &mut Report) -> Person {
    let mut person = Person::default();
    set(&mut person.from_ms, table.duration("from", report));
    person.until_ms = table.duration("until", report);
    person.ready = table.boolean("ready", true, report);
    read_behaviour(&mut person, &mut table, report);
    person.acw_ms = table.duration("acw", report);
    table.finish(report);
    person
}

/// Somebody outside.
fn read_phone(mut table: Table<'_>, report: &mut Report) -> Person {
    let mut person = Person::default();
    read_behaviour(&mut person, &mut table, report);
    table.finish(report);
    person
}

/// What a phone does, be it an agent's or not.
fn read_behaviour(person: &mut Person, table: &mut Table<'_>, report: &mut Report) {
    set(&mut person.phone, one_of(table.string("phone", report), &Phone::NAMES, "phone that", report));
    set(&mut person.after_ms, table.duration("after", report));
    set(&mut person.talks_ms, table.duration("talks", report));
}

fn read_other(mut table: Table<'_>, names: &Names, report: &mut Report) -> Option<Other> {
    let queue = table.required("queue", report).map(|queue| known(queue, &names.queues, "queue", report));
    let other = Other {
        queue: QueueId::from(queue.as_deref().unwrap_or_default()),
        // The ranges fit.
        count: table.integer("count", 1..MOST_OTHERS + 1, 1, report) as u32,
        at_ms: table.duration("at", report).unwrap_or(0),
        priority: table.integer("priority", -1_000..1_001, 0, report) as i32,
        talks_ms: table.duration("talks", report).unwrap_or(60_000),
        patience_ms: table.duration("patience", report),
    };
    table.finish(report);
    queue.map(|_| other)
}

fn read_answer(mut table: Table<'_>, names: &Names, report: &mut Report) -> Option<Answer> {
    let place = table.place;
    let step =
        table.required("step", report).map(|step| known(step, &names.webhooks, "step that asks a webhook", report));
    let after_ms = table.duration("after", report).unwrap_or(0);
    let fails = table.string("fails", report);
    let values = table.has("values");
    let said = table.string_map("values", report).into_iter().map(|(name, at)| (name, at.value)).collect();
    table.finish(report);
    let reply = match fails {
        Some(_) if values => {
            report.problem(place, "a webhook either answers with \"values\" or \"fails\"", None);
            return None;
        }
        Some(why) => Err(why.value),
        None => Ok(said),
    };
    Some(Answer { step: step?, after_ms, reply })
}
