//! Steps by which callers leave: something, as an answer about the service or a message, or for good.

use super::super::action::Action;
use super::super::change::Tone;
use super::super::report::{Report, suggest};
use super::super::table::Table;
use super::super::talk::Item;
use super::ask::read_ask;
use super::say::read_items;
use super::{Names, optional, step};
use crate::journal::Cause;

/// The longest message unless the step says otherwise, ms.
const MESSAGE_MS: u64 = 180_000;
/// The longest that may be asked for: an hour, ms.
const LONGEST_MS: u64 = 3_600_000;
/// How long a tone is heard before a call ends, unless the step says otherwise, and what it may say, ms.
const LAST_TONE_MS: u64 = 10_000;
const LAST_TONES_MS: std::ops::RangeInclusive<u64> = 1_000..=60_000;
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

pub(super) fn read_hangup(table: &mut Table<'_>, report: &mut Report) -> Action {
    let code = table.integer("code", 1..700, 16, report);
    let text = table.string("cause", report).map_or("normal_clearing".to_owned(), |cause| cause.value);
    let place = table.place_of("for");
    let for_ms = table.duration("for", report);
    let name = table.string("tone", report);
    if for_ms.is_some_and(|ms| !LAST_TONES_MS.contains(&ms)) {
        report.problem(place, "a tone may last 1s to 60s", None);
    }
    if for_ms.is_some() && name.is_none() {
        let hint = Some("write tone = \"busy\", or leave it out".to_owned());
        report.problem(place, "\"for\" says how long a tone lasts, and there is none", hint);
    }
    let tone = name.and_then(|name| {
        let known = Tone::ALL.iter().find(|(known, _)| *known == name.value);
        if known.is_none() {
            let names = Tone::ALL.map(|(known, _)| known);
            let hint = suggest(&name.value, names).or(Some(names.join(" or ")));
            report.problem(name.place, format!("no call ends with the tone \"{}\"", name.value), hint);
        }
        known.map(|(_, tone)| *tone)
    });
    // The range above fits sixteen bits.
    Action::Hangup {
        cause: Cause::new(code as u16, &text),
        tone: tone.map(|tone| (tone, for_ms.unwrap_or(LAST_TONE_MS))),
    }
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
