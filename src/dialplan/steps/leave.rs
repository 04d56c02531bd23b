//! Steps by which callers leave something: an answer about the service, a message.

use super::super::action::Action;
use super::super::report::Report;
use super::super::table::Table;
use super::super::talk::Item;
use super::ask::read_ask;
use super::say::read_items;
use super::{Names, optional, step};

/// The longest message unless the step says otherwise, ms.
const MESSAGE_MS: u64 = 180_000;
/// The longest that may be asked for: an hour, ms.
const LONGEST_MS: u64 = 3_600_000;
/// The prompt that is the tone before a message.
const TONE: &str = "beep";

pub(super) fn read_survey(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let ask = read_ask(table, names, report);
    let question = table.string("question", report).map_or("satisfaction".to_owned(), |name| name.value);
    // The range fits eight bits.
    let scale = table.integer("scale", 2..11, 5, report) as u8;
    let next = step(table, "next", names, report);
    let no_input = optional(table, "no_input", names, report);
    let next = next?;
    Some(Action::Survey { ask, question, scale, next, no_input: no_input.unwrap_or(next) })
}

pub(super) fn read_voicemail(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let mut greeting = read_items(table, "prompts", names, report);
    if greeting.is_empty() {
        let hint = Some("callers have to hear that they are recorded: prompts = [\"leave_message\"]".to_owned());
        report.problem(table.place_of("prompts"), "a voicemail step needs \"prompts\"", hint);
    }
    greeting.push(Item::prompt(TONE));
    let mailbox = table.required("mailbox", report);
    let longest_ms = table.duration("longest", report).unwrap_or(MESSAGE_MS);
    if !(5_000..=LONGEST_MS).contains(&longest_ms) {
        report.problem(table.place_of("longest"), "a message may be 5s to 60m long", None);
    }
    let next = step(table, "next", names, report);
    let failed = step(table, "failed", names, report);
    Some(Action::Voicemail { greeting, mailbox: mailbox?.value, longest_ms, next: next?, failed: failed? })
}
