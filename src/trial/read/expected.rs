//! What is to come of the call of a case.

use std::collections::BTreeSet;

use super::super::case::{Bounds, Expected, Given};
use super::{Names, known, known_map, one_of};
use crate::dialplan::Report;
use crate::dialplan::table::{At, Mixed, Table, duration_ms};
use crate::journal::HangupBy;
use crate::records::Disposition;

const OUTCOMES: [(&str, Disposition); 9] = [
    ("answered", Disposition::Answered),
    ("self_service", Disposition::SelfService),
    ("abandoned", Disposition::Abandoned),
    ("voicemail", Disposition::Voicemail),
    ("callback", Disposition::Callback),
    ("refused", Disposition::Refused),
    ("failed", Disposition::Failed),
    ("busy", Disposition::Busy),
    ("no_answer", Disposition::NoAnswer),
];

const PARTIES: [(&str, HangupBy); 3] =
    [("caller", HangupBy::Caller), ("agent", HangupBy::Agent), ("switch", HangupBy::Switch)];

pub(super) fn read(mut table: Table<'_>, given: &Given, names: &Names, report: &mut Report) -> Expected {
    let place = table.place;
    let phones: BTreeSet<String> = names.agents.iter().chain(given.phones.keys()).cloned().collect();
    let text = |at: Option<At<String>>| at.map(|at| at.value);
    let (recorded, survey) = (table.has("recorded"), table.has("survey"));
    let expected = Expected {
        steps: list(&mut table, "steps", &names.steps, "step", report),
        through: list(&mut table, "through", &names.steps, "step", report),
        prompts: list(&mut table, "prompts", &names.prompts, "prompt", report),
        hears: list(&mut table, "hears", &names.prompts, "prompt", report),
        queue: one(&mut table, "queue", &names.queues, report),
        wait: bounds(&mut table, "wait", report),
        lasts: bounds(&mut table, "lasts", report),
        agent: one(&mut table, "agent", &names.agents, report),
        called: list(&mut table, "called", &phones, "phone", report),
        outcome: one_of(table.string("outcome", report), &OUTCOMES, "outcome", report),
        cause: text(table.string("cause", report)),
        hangup_by: one_of(table.string("hangup_by", report), &PARTIES, "party", report),
        recorded: recorded.then_some(table.boolean("recorded", false, report)),
        // The range fits.
        survey: survey.then_some(table.integer("survey", 0..11, 0, report) as u8),
        mailbox: text(table.string("mailbox", report)),
        callback: text(table.string("callback", report)),
        variables: known_map(&mut table, "variables", &names.variables, "variable", report)
            .into_iter()
            .map(|(name, at)| (name, at.value))
            .collect(),
        class: text(table.string("class", report)),
        language: text(table.string("language", report)),
    };
    table.finish(report);
    if expected == Expected::default() && report.is_sound() {
        let hint = "name an outcome, a queue, steps, prompts or a wait".to_owned();
        report.problem(place, "nothing is expected", Some(hint));
    }
    expected
}

fn list(
    table: &mut Table<'_>,
    key: &'static str,
    among: &BTreeSet<String>,
    what: &str,
    report: &mut Report,
) -> Option<Vec<String>> {
    let there = table.has(key);
    let names = table.strings(key, report);
    let names: Vec<String> = names.into_iter().map(|name| known(name, among, what, report)).collect();
    there.then_some(names)
}

/// One name, or "none".
fn one(table: &mut Table<'_>, key: &'static str, among: &BTreeSet<String>, report: &mut Report) -> Option<String> {
    let name = table.string(key, report)?;
    Some(if name.value == "none" { name.value } else { known(name, among, key, report) })
}

/// A duration, or a table of the least and the most.
fn bounds(table: &mut Table<'_>, key: &'static str, report: &mut Report) -> Option<Bounds> {
    let place = table.place_of(key);
    let mut said = table.mixed(key, report);
    match (said.pop(), said.is_empty()) {
        (None, _) => None,
        (Some(Mixed::Text(text)), true) => {
            let ms = duration_ms(&text.value);
            if ms.is_none() {
                report.problem(text.place, format!("\"{key}\" is no duration: \"{}\"", text.value), hint());
            }
            ms.map(|ms| Bounds { least_ms: ms, most_ms: Some(ms) })
        }
        (Some(Mixed::Table(mut table)), true) => {
            let (least, most_ms) = (table.duration("at_least", report), table.duration("at_most", report));
            table.finish(report);
            let least_ms = least.unwrap_or(0);
            if most_ms.is_some_and(|most| most < least_ms) {
                report.problem(place, "\"at_least\" is more than \"at_most\"", None);
            }
            Some(Bounds { least_ms, most_ms })
        }
        (Some(_), false) => {
            report.problem(place, format!("\"{key}\" must be one duration"), hint());
            None
        }
    }
}

fn hint() -> Option<String> {
    Some("write for example \"20s\", or { at_least = \"20s\", at_most = \"20100ms\" }".to_owned())
}
