//! Questions that keys answer.

use std::collections::BTreeMap;

use super::super::action::Action;
use super::super::condition::patterns;
use super::super::load::find_step;
use super::super::program::StepRef;
use super::super::report::Report;
use super::super::table::{At, Table};
use super::super::talk::{Ask, Entry};
use super::super::values;
use super::say::{read_items, read_lists};
use super::{Names, optional, step};

/// Keys that one entry may have at most.
const MOST_KEYS: i64 = 64;

pub(super) fn read_ask(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Ask {
    let prompts = read_items(table, "prompt", names, report);
    if prompts.is_empty() {
        report.problem(table.place_of("prompt"), "a question needs a \"prompt\"", None);
    }
    Ask {
        prompts,
        again: read_lists(table, "again", names, report),
        invalid: read_items(table, "invalid", names, report),
        silent: read_items(table, "silent", names, report),
        timeout_ms: table.duration("timeout", report).unwrap_or(5_000),
        // The range fits.
        retries: table.integer("retries", 0..11, 2, report) as u32,
        barge_in: table.boolean("barge_in", true, report),
    }
}

/// The keys of a table and what each stands for.
pub(in super::super) fn read_keys(table: &mut Table<'_>, report: &mut Report) -> BTreeMap<char, At<String>> {
    let mut keys = BTreeMap::new();
    for (key, target) in table.string_map("keys", report) {
        match as_key(&key) {
            Some(key) => {
                keys.insert(key, target);
            }
            None => report.problem(target.place, format!("\"{key}\" is no key: use 0-9, *, # or A-D"), None),
        }
    }
    keys
}

fn as_key(text: &str) -> Option<char> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(key), None) if "0123456789*#ABCD".contains(key) => Some(key),
        _ => None,
    }
}

fn some_keys(table: &mut Table<'_>, report: &mut Report) -> BTreeMap<char, At<String>> {
    let place = table.place_of("keys");
    if !table.has("keys") {
        report.problem(place, "a question needs \"keys\"", Some("for example keys = { \"1\" = \"sales\" }".into()));
    }
    read_keys(table, report)
}

/// Steps by key.
pub(super) fn steps_of(
    keys: BTreeMap<char, At<String>>,
    names: &Names<'_>,
    report: &mut Report,
) -> BTreeMap<char, StepRef> {
    let step =
        |(key, target): (char, At<String>)| Some((key, find_step(names.steps, &target.value, target.place, report)?));
    keys.into_iter().filter_map(step).collect()
}

pub(super) fn read_menu(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let ask = read_ask(table, names, report);
    let keys = some_keys(table, report);
    let keys = steps_of(keys, names, report);
    let no_input = step(table, "no_input", names, report);
    let wrong_input = optional(table, "wrong_input", names, report);
    let no_input = no_input?;
    Some(Action::Menu { ask, keys, no_input, wrong_input: wrong_input.unwrap_or(no_input) })
}

pub(super) fn read_gather(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let ask = read_ask(table, names, report);
    let into = values::target(table, "into", names.variables, report);
    // The ranges fit.
    let least = table.integer("least", 0..MOST_KEYS + 1, 1, report) as usize;
    let most = table.integer("most", 1..MOST_KEYS + 1, 20, report) as usize;
    if least > most {
        report.problem(table.place_of("least"), "\"least\" is more than \"most\"", None);
    }
    let end = match table.string("end", report) {
        None => Some('#'),
        Some(text) if text.value == "none" => None,
        Some(text) => {
            let key = as_key(&text.value);
            if key.is_none() {
                let hint = Some("write \"#\", \"*\" or \"none\"".to_owned());
                report.problem(text.place, format!("\"{}\" is no key", text.value), hint);
            }
            key
        }
    };
    let between_ms = table.duration("between", report).unwrap_or(3_000);
    let fits = patterns(table, "fits", report);
    let next = step(table, "next", names, report);
    let no_input = step(table, "no_input", names, report);
    let wrong_input = optional(table, "wrong_input", names, report);
    let (entry, no_input) = (Entry { into: into?, least, most, end, between_ms, fits }, no_input?);
    Some(Action::Gather { ask, entry, next: next?, no_input, wrong_input: wrong_input.unwrap_or(no_input) })
}

pub(super) fn read_language(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let ask = read_ask(table, names, report);
    let keys = some_keys(table, report).into_iter().map(|(key, at)| (key, at.value)).collect();
    let default = table.required("default", report);
    let next = step(table, "next", names, report);
    Some(Action::Language { ask, keys, default: default?.value, next: next? })
}

pub(super) fn read_consent(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let ask = read_ask(table, names, report);
    let (yes, no) = (read_key(table, "yes", '1', report), read_key(table, "no", '2', report));
    if yes == no {
        report.problem(table.place_of("no"), "yes and no need different keys", None);
    }
    let next = step(table, "next", names, report);
    let refused = optional(table, "refused", names, report);
    let next = next?;
    Some(Action::Consent { ask, yes, no, next, refused: refused.unwrap_or(next) })
}

fn read_key(table: &mut Table<'_>, name: &'static str, usual: char, report: &mut Report) -> char {
    let Some(text) = table.string(name, report) else { return usual };
    as_key(&text.value).unwrap_or_else(|| {
        report.problem(text.place, format!("\"{}\" is no key: use 0-9, *, # or A-D", text.value), None);
        usual
    })
}
