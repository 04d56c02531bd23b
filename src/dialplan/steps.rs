//! One step's table to its action: each kind has its own keys.

use std::collections::BTreeMap;

use super::hours::Hours;
use super::load::find_step;
use super::program::{Action, AgentChange, Ask, Queue, StepRef};
use super::report::{Report, suggest};
use super::table::{At, Table};
use crate::id::QueueId;
use crate::journal::Cause;

const KINDS: [&str; 10] = ["answer", "play", "menu", "language", "queue", "echo", "hangup", "hours", "agent", "goto"];

const CHANGES: [(&str, AgentChange); 4] = [
    ("available", AgentChange::Available),
    ("not_ready", AgentChange::NotReady),
    ("end_acw", AgentChange::EndAcw),
    ("sign_out", AgentChange::SignOut),
];

/// What a step may refer to.
pub(super) struct Names<'a> {
    pub(super) steps: &'a BTreeMap<String, StepRef>,
    pub(super) flows: &'a BTreeMap<String, Option<StepRef>>,
    pub(super) hours: &'a BTreeMap<String, Hours>,
    pub(super) queues: &'a BTreeMap<String, Queue>,
}

/// Reads a step; `None` where its problems are in the report.
pub(super) fn read_step(mut table: Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let kind = table.required("do", report)?;
    let action = match kind.value.as_str() {
        "answer" => step(&mut table, "next", names, report).map(|next| Action::Answer { next }),
        "play" => read_play(&mut table, names, report),
        "menu" => read_menu(&mut table, names, report),
        "language" => read_language(&mut table, names, report),
        "queue" => read_queue(&mut table, names, report),
        "echo" => Some(Action::Echo),
        "hangup" => {
            let code = table.integer("code", 1..700, 16, report);
            let text = table.string("cause", report).map_or("normal_clearing".to_owned(), |cause| cause.value);
            // The range above fits sixteen bits.
            Some(Action::Hangup { cause: Cause::new(code as u16, &text) })
        }
        "hours" => read_hours(&mut table, names, report),
        "agent" => read_agent(&mut table, names, report),
        "goto" => read_goto(&mut table, names, report),
        other => {
            report.problem(kind.place, format!("there is no step that does \"{other}\""), suggest(other, KINDS));
            return None;
        }
    };
    table.finish(report);
    action
}

fn step(table: &mut Table<'_>, key: &'static str, names: &Names<'_>, report: &mut Report) -> Option<StepRef> {
    let name = table.required(key, report)?;
    find_step(names.steps, &name.value, name.place, report)
}

fn read_play(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let prompts = prompts(table, "prompts", report);
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

fn prompts(table: &mut Table<'_>, key: &'static str, report: &mut Report) -> Vec<String> {
    let mut names = Vec::new();
    for At { value, place } in table.strings(key, report) {
        let plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if plain {
            names.push(value);
        } else {
            let hint = Some("letters, digits, _ and -, without folder and ending".to_owned());
            report.problem(place, format!("\"{value}\" is no name of a prompt"), hint);
        }
    }
    names
}

fn read_ask(table: &mut Table<'_>, report: &mut Report) -> Ask {
    let question = prompts(table, "prompt", report);
    if question.is_empty() {
        report.problem(table.place_of("prompt"), "a question needs a \"prompt\"", None);
    }
    Ask {
        prompts: question,
        invalid: prompts(table, "invalid", report),
        silent: prompts(table, "silent", report),
        timeout_ms: table.duration("timeout", report).unwrap_or(5_000),
        // The range fits.
        retries: table.integer("retries", 0..11, 2, report) as u32,
        barge_in: table.boolean("barge_in", true, report),
    }
}

fn keys(table: &mut Table<'_>, report: &mut Report) -> BTreeMap<char, At<String>> {
    let place = table.place_of("keys");
    let written = table.string_map("keys", report);
    if written.is_empty() {
        report.problem(place, "a question needs \"keys\"", Some("for example keys = { \"1\" = \"sales\" }".into()));
    }
    let mut keys = BTreeMap::new();
    for (key, target) in written {
        let mut characters = key.chars();
        match (characters.next(), characters.next()) {
            (Some(key), None) if "0123456789*#ABCD".contains(key) => {
                keys.insert(key, target);
            }
            _ => report.problem(target.place, format!("\"{key}\" is no key: use 0-9, *, # or A-D"), None),
        }
    }
    keys
}

fn read_menu(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let ask = read_ask(table, report);
    let mut found = BTreeMap::new();
    for (key, target) in keys(table, report) {
        if let Some(target) = find_step(names.steps, &target.value, target.place, report) {
            found.insert(key, target);
        }
    }
    let no_input = step(table, "no_input", names, report)?;
    Some(Action::Menu { ask, keys: found, no_input })
}

fn read_language(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let ask = read_ask(table, report);
    let keys: BTreeMap<char, String> = keys(table, report).into_iter().map(|(key, at)| (key, at.value)).collect();
    let default = table.required("default", report);
    let next = step(table, "next", names, report);
    Some(Action::Language { ask, keys, default: default?.value, next: next? })
}

fn optional(table: &mut Table<'_>, key: &'static str, names: &Names<'_>, report: &mut Report) -> Option<StepRef> {
    let name = table.string(key, report)?;
    find_step(names.steps, &name.value, name.place, report)
}

fn read_queue(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let queue = table.required("queue", report);
    if let Some(queue) = &queue
        && !names.queues.contains_key(&queue.value)
    {
        let hint = suggest(&queue.value, names.queues.keys().map(String::as_str));
        report.problem(queue.place, format!("there is no queue \"{}\"", queue.value), hint);
    }
    // The range fits thirty-two bits.
    let priority = table.integer("priority", -1_000..1_001, 0, report) as i32;
    let record = table.boolean("record", false, report);
    let next = optional(table, "next", names, report);
    let unstaffed = optional(table, "unstaffed", names, report);
    let queue = QueueId::from(queue?.value.as_str());
    Some(Action::Queue { queue, priority, record, next, unstaffed })
}

fn read_hours(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let hours = table.required("hours", report);
    if let Some(hours) = &hours
        && !names.hours.contains_key(&hours.value)
    {
        let hint = suggest(&hours.value, names.hours.keys().map(String::as_str));
        report.problem(hours.place, format!("there are no hours \"{}\"", hours.value), hint);
    }
    let open = step(table, "open", names, report);
    let closed = step(table, "closed", names, report);
    Some(Action::Hours { hours: hours?.value, open: open?, closed: closed? })
}

fn read_agent(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let state = table.required("state", report);
    let next = step(table, "next", names, report);
    let state = state?;
    let Some((_, change)) = CHANGES.iter().find(|(name, _)| *name == state.value) else {
        let hint = suggest(&state.value, CHANGES.iter().map(|(name, _)| *name));
        report.problem(state.place, format!("an agent cannot become \"{}\"", state.value), hint);
        return None;
    };
    Some(Action::Agent { change: *change, next: next? })
}

fn read_goto(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    if let Some(name) = table.string("flow", report) {
        return match names.flows.get(&name.value) {
            Some(start) => start.map(|next| Action::Goto { next }),
            None => {
                let hint = suggest(&name.value, names.flows.keys().map(String::as_str));
                report.problem(name.place, format!("there is no flow \"{}\"", name.value), hint);
                None
            }
        };
    }
    step(table, "next", names, report).map(|next| Action::Goto { next })
}
