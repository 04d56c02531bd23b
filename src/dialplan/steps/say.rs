//! What is said: prompts by name, and numbers, dates, times and money.

use super::super::action::Action;
use super::super::report::{Report, suggest};
use super::super::speech::CURRENCIES;
use super::super::table::{At, Mixed, Table};
use super::super::talk::{Item, Said};
use super::super::values::Template;
use super::super::volume::read_volume;
use super::{Names, step};

/// The keys of a table that stands for something said.
const SAID: [&str; 9] = ["prompt", "say", "number", "digits", "money", "date", "time", "position", "expected_wait"];

pub(super) fn read_play(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let prompts = read_items(table, "prompts", names, report);
    if prompts.is_empty() {
        report.problem(table.place_of("prompts"), "a play step needs \"prompts\"", None);
    }
    let notice = table.boolean("notice", false, report);
    let asked = table.boolean("barge_in", !notice, report);
    if notice && asked {
        let hint = Some("take barge_in away: a recording notice plays to its end".to_owned());
        report.problem(table.place_of("barge_in"), "a notice cannot be cut short by a key", hint);
    }
    let next = step(table, "next", names, report)?;
    Some(Action::Play { prompts, notice, barge_in: asked && !notice, next })
}

pub(super) fn read_ring(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let for_ms = table.duration("for", report);
    let prompts = read_items(table, "prompts", names, report);
    if for_ms.is_some() && !prompts.is_empty() {
        let hint = Some("take \"for\" away: the prompts are heard once, to their end".to_owned());
        report.problem(table.place_of("for"), "ringing by prompts lasts as long as they do", hint);
    }
    let next = step(table, "next", names, report)?;
    Some(Action::Ring { for_ms: for_ms.unwrap_or(4_000), prompts, next })
}

/// One name, or a list of names and of tables such as `{ number = "{amount}" }`.
pub(super) fn read_items(
    table: &mut Table<'_>,
    key: &'static str,
    names: &Names<'_>,
    report: &mut Report,
) -> Vec<Item> {
    let mixed = table.mixed(key, report);
    mixed.into_iter().filter_map(|one| read_item(one, names, report)).collect()
}

/// A list of lists, such as a question for each time that it is put again.
pub(super) fn read_lists(
    table: &mut Table<'_>,
    key: &'static str,
    names: &Names<'_>,
    report: &mut Report,
) -> Vec<Vec<Item>> {
    let lists = table.mixed_lists(key, report);
    lists.into_iter().map(|list| list.into_iter().filter_map(|one| read_item(one, names, report)).collect()).collect()
}

fn read_item(mixed: Mixed<'_>, names: &Names<'_>, report: &mut Report) -> Option<Item> {
    match mixed {
        Mixed::Text(name) => read_name(name, report),
        Mixed::Table(mut table) => {
            let item = read_said(&mut table, names, report);
            table.finish(report);
            item
        }
    }
}

fn read_name(At { value, place }: At<String>, report: &mut Report) -> Option<Item> {
    let plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if plain {
        return Some(Item::prompt(&value));
    }
    let hint = Some("letters, digits, _ and -, without folder and ending".to_owned());
    report.problem(place, format!("\"{value}\" is no name of a prompt"), hint);
    None
}

fn read_said(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Item> {
    let template = |table: &mut Table<'_>, key: &'static str, report: &mut Report| {
        let text = table.string(key, report)?;
        Some(Template::read(&text, names.variables, report))
    };
    // Asked in any case, so that a second one in the same table is an unknown key.
    let stands: Vec<&str> = SAID.into_iter().filter(|key| table.has(key)).collect();
    let volume_db = read_volume(table, "volume", report);
    let [one] = stands[..] else {
        let hint = Some(format!("write one of {}", SAID.join(", ")));
        report.problem(table.place, "a table in a list of prompts stands for one thing that is said", hint);
        return None;
    };
    let what = match one {
        "prompt" => table.string("prompt", report).and_then(|name| read_name(name, report)).map(|item| item.what),
        "say" => read_text(table, report),
        "number" => template(table, "number", report).map(Said::Number),
        "digits" => template(table, "digits", report).map(Said::Digits),
        "date" => template(table, "date", report).map(Said::Date),
        "time" => template(table, "time", report).map(Said::Time),
        "money" => {
            let amount = template(table, "money", report);
            let currency = table.required("currency", report)?;
            let Some((_, known)) = CURRENCIES.iter().find(|(name, _)| *name == currency.value) else {
                let hint = suggest(&currency.value, CURRENCIES.map(|(name, _)| name));
                report.problem(currency.place, format!("\"{}\" cannot be said", currency.value), hint);
                return None;
            };
            amount.map(|amount| Said::Money(amount, *known))
        }
        "position" => table.boolean("position", true, report).then_some(Said::Position),
        _ => table.boolean("expected_wait", true, report).then_some(Said::ExpectedWait),
    };
    what.map(|what| Item { what, volume_db })
}

/// `{ say = { en = "…", zh = "…" } }`
fn read_text(table: &mut Table<'_>, report: &mut Report) -> Option<Said> {
    let texts = table.string_map("say", report);
    for text in texts.values() {
        if text.value.trim().is_empty() {
            report.problem(text.place, "there is nothing to say", None);
        } else if text.value.contains(['{', '}']) {
            let hint = Some("break it up: [{ say = … }, { number = \"{amount}\" }, { say = … }]".to_owned());
            report.problem(text.place, "a text that is spoken is spoken beforehand and holds no variables", hint);
        }
    }
    (!texts.is_empty()).then(|| Said::Text(texts.into_iter().map(|(language, text)| (language, text.value)).collect()))
}
