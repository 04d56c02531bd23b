//! Texts to a checked program. Names are gathered first, so that files may refer to one another in any order.

use std::collections::{BTreeMap, BTreeSet};

use super::hours::Hours;
use super::program::{Flow, Overflow, Program, Queue, Step, StepRef};
use super::report::{Place, Problem, Report, Source, suggest};
use super::steps::{Names, read_step};
use super::table::{Table, parse};
use super::{Action, check};
use crate::id::QueueId;
use crate::journal::Cause;

/// What the checker must know of the world outside the files.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The prompt files that exist, as `<language>/<name>.wav` under the folder of prompts.
    pub prompts: &'a BTreeSet<String>,
    /// The agents that the settings name; `None` leaves members unchecked.
    pub agents: Option<&'a BTreeSet<String>>,
}

/// Where everything that the checker speaks of was written.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) steps: Vec<Place>,
    pub(super) flows: BTreeMap<String, Place>,
    /// Flows with a step that could not be read: what follows from its lack is not worth telling.
    pub(super) broken: BTreeSet<String>,
}

struct DraftFlow<'a> {
    name: String,
    table: Table<'a>,
    steps: Vec<(String, Table<'a>)>,
    names: BTreeMap<String, StepRef>,
}

/// Reads and checks all texts as one plan.
///
/// # Errors
/// Every problem of every text, in the order of the files.
pub fn load(sources: &[Source], surroundings: Surroundings<'_>) -> Result<Program, Vec<Problem>> {
    let mut report = Report::default();
    let files: Vec<_> = sources.iter().map(|source| report.add_source(source.clone())).collect();
    let documents: Vec<_> = sources.iter().zip(&files).map(|(s, file)| parse(&s.text, *file, &mut report)).collect();
    // A text that is not TOML yields chance remnants; speaking of those would bury the real problem.
    if !report.is_empty() {
        return Err(report.into_problems());
    }
    let mut program = Program::default();
    let mut numbers = Vec::new();
    let mut drafts = Vec::new();
    let mut queues = Vec::new();
    for (document, file) in documents.iter().zip(files) {
        let mut root = Table::new(document.get_ref(), 0..0, file);
        root.integer("version", 1..2, 1, &mut report);
        if !root.has("version") {
            report.problem(root.place, "\"version\" is missing", Some("begin the file with: version = 1".into()));
        }
        numbers.extend(root.named("number", &mut report));
        for (name, table) in root.named("hours", &mut report) {
            let place = table.place;
            if let Some(hours) = Hours::read(table, &mut report)
                && program.hours.insert(name.clone(), hours).is_some()
            {
                report.problem(place, format!("hours \"{name}\" are there twice"), None);
            }
        }
        for (name, mut table) in root.named("flow", &mut report) {
            let steps = table.named("step", &mut report);
            drafts.push(DraftFlow { name, table, steps, names: BTreeMap::new() });
        }
        queues.extend(root.named("queue", &mut report));
        root.finish(&mut report);
    }
    read_queues(queues, &mut program, surroundings, &mut report);
    let places = read_flows(drafts, &mut program, &mut report);
    read_numbers(numbers, &mut program, &mut report);
    check::check(&program, &places, surroundings, &mut report);
    let problems = report.into_problems();
    if problems.is_empty() { Ok(program) } else { Err(problems) }
}

fn read_numbers(numbers: Vec<(String, Table<'_>)>, program: &mut Program, report: &mut Report) {
    for (number, mut table) in numbers {
        let dialled = number.strip_suffix('*').unwrap_or(&number);
        let digits = dialled.strip_prefix('*').unwrap_or(dialled);
        if digits.is_empty() || digits.len() > 64 || !digits.chars().all(|c| c.is_ascii_digit() || c == '+') {
            let hint = Some(
                "digits, with * before them for a feature code, or behind them for every number that begins so"
                    .to_owned(),
            );
            report.problem(table.place, format!("\"{number}\" is no number"), hint);
        }
        if let Some(flow) = table.required("flow", report) {
            if !program.flows.contains_key(&flow.value) {
                let hint = suggest(&flow.value, program.flows.keys().map(String::as_str));
                report.problem(flow.place, format!("there is no flow \"{}\"", flow.value), hint);
            }
            if program.numbers.insert(number.clone(), flow.value).is_some() {
                report.problem(table.place, format!("number \"{number}\" is there twice"), None);
            }
        }
        table.finish(report);
    }
}

fn read_flows(mut drafts: Vec<DraftFlow<'_>>, program: &mut Program, report: &mut Report) -> Places {
    let mut places = Places::default();
    let mut starts = BTreeMap::new();
    let mut next = 0;
    for draft in &mut drafts {
        for (name, _) in &draft.steps {
            draft.names.insert(name.clone(), StepRef(next));
            next += 1;
        }
        let start = draft.table.required("start", report);
        let start = start.and_then(|start| find_step(&draft.names, &start.value, start.place, report));
        if places.flows.insert(draft.name.clone(), draft.table.place).is_some() {
            report.problem(draft.table.place, format!("flow \"{}\" is there twice", draft.name), None);
        }
        starts.insert(draft.name.clone(), start);
    }
    for mut draft in drafts {
        let language = draft.table.string("language", report).map_or("en".to_owned(), |language| language.value);
        draft.table.finish(report);
        for (name, table) in draft.steps {
            places.steps.push(table.place);
            let names = Names { steps: &draft.names, flows: &starts, hours: &program.hours, queues: &program.queues };
            let action = read_step(table, &names, report);
            // What could not be read is reported; the stand-in only keeps the count of the steps.
            let action = action.unwrap_or_else(|| {
                places.broken.insert(draft.name.clone());
                Action::Hangup { cause: Cause::normal() }
            });
            program.steps.push(Step { flow: draft.name.clone(), name, action });
        }
        if let Some(Some(start)) = starts.get(&draft.name) {
            program.flows.insert(draft.name.clone(), Flow { start: *start, language });
        } else {
            places.broken.insert(draft.name.clone());
            program.flows.insert(draft.name.clone(), Flow { start: StepRef(usize::MAX), language });
        }
    }
    places
}

pub(super) fn find_step(
    names: &BTreeMap<String, StepRef>,
    name: &str,
    place: Place,
    report: &mut Report,
) -> Option<StepRef> {
    let found = names.get(name).copied();
    if found.is_none() {
        let hint = suggest(name, names.keys().map(String::as_str));
        report.problem(place, format!("there is no step \"{name}\" in this flow"), hint);
    }
    found
}

fn read_queues(
    tables: Vec<(String, Table<'_>)>,
    program: &mut Program,
    surroundings: Surroundings<'_>,
    report: &mut Report,
) {
    let mut references = Vec::new();
    for (name, mut table) in tables {
        let mut members = Vec::new();
        for member in table.strings("members", report) {
            let Some(numbers) = expand_range(&member.value) else {
                let hint = Some("write \"1001\" or a range \"1001-1004\" of at most 10000".to_owned());
                report.problem(member.place, format!("\"{}\" names no agents", member.value), hint);
                continue;
            };
            for number in numbers {
                if surroundings.agents.is_some_and(|agents| !agents.contains(&number)) {
                    report.problem(member.place, format!("the settings have no [agent.\"{number}\"]"), None);
                }
                members.push(number);
            }
        }
        if members.is_empty() {
            report.problem(table.place, format!("nobody can serve queue \"{name}\""), Some("add members".into()));
        }
        let ring_ms = table.duration("ring", report).unwrap_or(15_000);
        let acw_ms = table.duration("acw", report).unwrap_or(5_000);
        let max_wait_ms = table.duration("max_wait", report);
        let mut overflow = Vec::new();
        for mut rule in table.tables("overflow", report) {
            if !rule.has("after") {
                report.problem(rule.place, "\"after\" is missing", None);
            }
            let (after_ms, to) = (rule.duration("after", report), rule.required("to", report));
            if let (Some(after_ms), Some(to)) = (after_ms, to) {
                overflow.push(Overflow { after_ms, to: QueueId::from(to.value.as_str()) });
                references.push(to);
            }
            rule.finish(report);
        }
        overflow.sort_by_key(|rule| rule.after_ms);
        let skills = table.strings("skills", report).into_iter().map(|skill| skill.value).collect();
        let music = table.string("music", report).map(|music| {
            if !surroundings.prompts.contains(&format!("{}.wav", music.value)) {
                report.problem(music.place, format!("the music file \"{}.wav\" is missing", music.value), None);
            }
            music.value
        });
        let place = table.place;
        table.finish(report);
        let queue = Queue { members, ring_ms, acw_ms, max_wait_ms, overflow, skills, music };
        if program.queues.insert(name.clone(), queue).is_some() {
            report.problem(place, format!("queue \"{name}\" is there twice"), None);
        }
    }
    for to in references {
        if !program.queues.contains_key(&to.value) {
            let hint = suggest(&to.value, program.queues.keys().map(String::as_str));
            report.problem(to.place, format!("there is no queue \"{}\"", to.value), hint);
        }
    }
}

/// "1001" or "1001-1004" as single numbers; `None` where it is neither or names more than 10000.
pub(crate) fn expand_range(text: &str) -> Option<Vec<String>> {
    let digits = |t: &str| !t.is_empty() && t.len() <= 15 && t.bytes().all(|b| b.is_ascii_digit());
    let Some((first, last)) = text.split_once('-') else {
        return digits(text).then(|| vec![text.to_owned()]);
    };
    if !digits(first) || !digits(last) || first.len() != last.len() {
        return None;
    }
    let (from, to): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let width = first.len();
    (from <= to && to - from < 10_000).then(|| (from..=to).map(|n| format!("{n:0width$}")).collect())
}
