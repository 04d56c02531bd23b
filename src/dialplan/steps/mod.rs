//! One step's table to its action: each kind has its own keys.

mod ask;
mod branch;
mod leave;
mod place;
mod queue;
mod say;

use std::collections::{BTreeMap, BTreeSet};

use super::action::Action;
use super::change::{AgentChange, RecordChange};
use super::condition::Known;
use super::hours::Hours;
use super::load::find_step;
use super::program::{Customer, Queue, StepRef};
use super::report::{Report, suggest};
use super::table::Table;
use super::values::{Template, Variable};

pub(super) use ask::read_keys;

/// Every kind of step.
pub(super) const KINDS: [&str; 28] = [
    "answer",
    "ring",
    "play",
    "menu",
    "gather",
    "language",
    "queue",
    "consent",
    "survey",
    "voicemail",
    "callback",
    "dial",
    "transfer",
    "conference",
    "park",
    "when",
    "set",
    "customer",
    "webhook",
    "call",
    "return",
    "echo",
    "hangup",
    "hours",
    "agent",
    "sit",
    "record",
    "goto",
];

const CHANGES: [(&str, AgentChange); 5] = [
    ("available", AgentChange::Available),
    ("not_ready", AgentChange::NotReady),
    ("end_acw", AgentChange::EndAcw),
    ("extend_acw", AgentChange::ExtendAcw { by_ms: 60_000 }),
    ("sign_out", AgentChange::SignOut),
];

const RECORDINGS: [(&str, RecordChange); 4] = [
    ("paused", RecordChange::Paused),
    ("running", RecordChange::Running),
    ("agreed", RecordChange::Agreed),
    ("refused", RecordChange::Refused),
];

/// What a step may refer to.
pub(super) struct Names<'a> {
    pub(super) steps: &'a BTreeMap<String, StepRef>,
    pub(super) flows: &'a BTreeMap<String, Option<StepRef>>,
    pub(super) hours: &'a BTreeMap<String, Hours>,
    pub(super) queues: &'a BTreeMap<String, Queue>,
    pub(super) variables: &'a BTreeMap<String, Variable>,
    pub(super) customers: &'a BTreeMap<String, Customer>,
    /// The files of prompts and music that exist.
    pub(super) prompts: &'a BTreeSet<String>,
    /// The trunks that the settings name; `None` leaves them unchecked.
    pub(super) trunks: Option<&'a BTreeSet<String>>,
    /// The webhooks that the settings name; `None` leaves them unchecked.
    pub(super) webhooks: Option<&'a BTreeSet<String>>,
}

impl Names<'_> {
    fn known(&self) -> Known<'_> {
        Known { hours: self.hours, queues: self.queues, variables: self.variables }
    }
}

/// Reads a step; `None` where its problems are in the report.
pub(super) fn read_step(mut table: Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let kind = table.required("do", report)?;
    let action = match kind.value.as_str() {
        "answer" => step(&mut table, "next", names, report).map(|next| Action::Answer { next }),
        "ring" => say::read_ring(&mut table, names, report),
        "play" => say::read_play(&mut table, names, report),
        "menu" => ask::read_menu(&mut table, names, report),
        "gather" => ask::read_gather(&mut table, names, report),
        "language" => ask::read_language(&mut table, names, report),
        "queue" => queue::read_queue(&mut table, names, report),
        "consent" => ask::read_consent(&mut table, names, report),
        "survey" => leave::read_survey(&mut table, names, report),
        "voicemail" => leave::read_voicemail(&mut table, names, report),
        "callback" => place::read_callback(&mut table, names, report),
        "dial" => place::read_dial(&mut table, names, report),
        "transfer" => place::read_transfer(&mut table, names, report),
        "conference" => place::read_conference(&mut table, names, report),
        "park" => place::read_park(&mut table, names, report),
        "when" => branch::read_when(&mut table, names, report),
        "set" => branch::read_set(&mut table, names, report),
        "customer" => branch::read_customer(&mut table, names, report),
        "webhook" => branch::read_webhook(&mut table, names, report),
        "call" => branch::read_call(&mut table, names, report),
        "return" => Some(Action::Return),
        "echo" => Some(Action::Echo),
        "hangup" => Some(leave::read_hangup(&mut table, report)),
        "hours" => branch::read_hours(&mut table, names, report),
        "agent" => read_agent(&mut table, names, report),
        "sit" => read_sit(&mut table, names, report),
        "record" => read_record(&mut table, names, report),
        "goto" => branch::read_goto(&mut table, names, report),
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

fn optional(table: &mut Table<'_>, key: &'static str, names: &Names<'_>, report: &mut Report) -> Option<StepRef> {
    let name = table.string(key, report)?;
    find_step(names.steps, &name.value, name.place, report)
}

fn read_agent(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let state = table.required("state", report);
    let by = table.place_of("by");
    let by_ms = table.duration("by", report);
    let next = step(table, "next", names, report);
    let state = state?;
    let Some((_, change)) = CHANGES.iter().find(|(name, _)| *name == state.value) else {
        let hint = suggest(&state.value, CHANGES.iter().map(|(name, _)| *name));
        report.problem(state.place, format!("an agent cannot become \"{}\"", state.value), hint);
        return None;
    };
    let change = match (*change, by_ms) {
        (AgentChange::ExtendAcw { .. }, Some(by_ms)) => AgentChange::ExtendAcw { by_ms },
        (_, Some(_)) => {
            let hint = Some("write state = \"extend_acw\", or leave it out".to_owned());
            report.problem(by, "\"by\" is for after-call work that is extended", hint);
            return None;
        }
        (change, None) => change,
    };
    Some(Action::Agent { change, next: next? })
}

fn read_sit(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let mut template = |key, report: &mut Report| {
        table.required(key, report).map(|text| Template::read(&text, names.variables, report))
    };
    let (agent, pin) = (template("agent", report), template("pin", report));
    let (next, refused) = (step(table, "next", names, report), step(table, "refused", names, report));
    Some(Action::Sit { agent: agent?, pin: pin?, next: next?, refused: refused? })
}

fn read_record(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let state = table.required("state", report);
    let next = step(table, "next", names, report);
    let state = state?;
    let Some((_, change)) = RECORDINGS.iter().find(|(name, _)| *name == state.value) else {
        let hint = suggest(&state.value, RECORDINGS.iter().map(|(name, _)| *name));
        report.problem(state.place, format!("a recording cannot be \"{}\"", state.value), hint);
        return None;
    };
    Some(Action::Record { change: *change, next: next? })
}
