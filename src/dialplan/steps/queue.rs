//! The step that waits for an agent, and what happens meanwhile.

use super::super::action::Action;
use super::super::report::{Report, suggest};
use super::super::table::{At, Table};
use super::super::talk::{Message, Prefer, Waiting};
use super::super::values::Template;
use super::ask::{read_keys, steps_of};
use super::branch::check_hours;
use super::say::read_items;
use super::{Names, optional};
use crate::id::QueueId;

/// The shortest pause between two messages, ms: below it nobody hears the music.
const SHORTEST_PAUSE_MS: u64 = 5_000;

pub(super) fn read_queue(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let queue = table.required("queue", report);
    let id = queue.as_ref().map(|queue| known_queue(queue, names, report));
    // The range fits thirty-two bits.
    let priority = table.integer("priority", -1_000..1_001, 0, report) as i32;
    let record = table.boolean("record", false, report);
    let next = optional(table, "next", names, report);
    let unstaffed = optional(table, "unstaffed", names, report);
    let unrecorded = optional(table, "unrecorded", names, report);
    let waiting = read_waiting(table, names, report);
    let after = optional(table, "after", names, report);
    let prefer = read_prefer(table, names, report);
    let announce = read_items(table, "announce", names, report);
    let must_record =
        queue.as_ref().and_then(|queue| names.queues.get(&queue.value)).is_some_and(|queue| queue.must_record);
    if must_record && !record {
        let hint = Some("write record = true, or take recording = \"required\" from the queue".to_owned());
        report.problem(table.place_of("queue"), "this queue takes nobody who is not recorded", hint);
    }
    Some(Action::Queue { queue: id?, priority, record, next, unstaffed, unrecorded, waiting, after, prefer, announce })
}

fn read_prefer(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Prefer {
    let agents = table.strings("prefer", report);
    let agents = agents.into_iter().map(|text| Template::read(&text, names.variables, report)).collect();
    if table.has("prefer_for") && !table.has("prefer") {
        let hint = Some("prefer = [\"{own_agent}\", \"{last_agent}\"]".to_owned());
        report.problem(table.place_of("prefer_for"), "\"prefer_for\" without \"prefer\"", hint);
    }
    Prefer { agents, for_ms: table.duration("prefer_for", report).unwrap_or(20_000) }
}

fn read_waiting(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Waiting {
    let keys = read_keys(table, report);
    let keys = steps_of(keys, names, report);
    let mut messages = Vec::new();
    for mut rule in table.tables("messages", report) {
        let items = read_items(&mut rule, "prompts", names, report);
        if items.is_empty() {
            report.problem(rule.place, "a message needs \"prompts\"", None);
        }
        let after_ms = rule.duration("after", report).unwrap_or(0);
        let every_ms = rule.duration("every", report);
        if every_ms.is_some_and(|every| every < SHORTEST_PAUSE_MS) {
            report.problem(rule.place_of("every"), "messages come five seconds apart at least", None);
        }
        rule.finish(report);
        messages.push(Message { items, after_ms, every_ms });
    }
    let hours = table.string("hours", report);
    if let Some(hours) = &hours {
        check_hours(hours, names, report);
    }
    let step = optional(table, "closing", names, report);
    if hours.is_some() != table.has("closing") {
        let hint = Some("write both, or neither".to_owned());
        report.problem(table.place, "\"hours\" and \"closing\" of a queue step need each other", hint);
    }
    let closing = hours.zip(step).map(|(hours, step)| (hours.value, step));
    Waiting { keys, messages, closing }
}

/// A queue of the plan, reported where there is none of the name.
pub(super) fn known_queue(queue: &At<String>, names: &Names<'_>, report: &mut Report) -> QueueId {
    if !names.queues.contains_key(&queue.value) {
        let hint = suggest(&queue.value, names.queues.keys().map(String::as_str));
        report.problem(queue.place, format!("there is no queue \"{}\"", queue.value), hint);
    }
    QueueId::from(queue.value.as_str())
}
