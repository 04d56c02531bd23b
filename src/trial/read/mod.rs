//! Test files to cases. Every name is looked up in the plan and the settings, so that a misspelt one is a problem and no failure.

mod expected;
mod given;

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, Given};
use super::play::Floor;
use crate::dialplan::table::{At, Table, parse};
use crate::dialplan::{Action, Place, Problem, Report, Source, Step, suggest};

/// What test files may name besides the plan and the ACD's agents.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What the cases are played on.
    pub floor: &'a Floor,
    /// The trunks of the settings.
    pub trunks: &'a BTreeSet<String>,
}

/// One file of tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suite {
    /// The file as named by the caller.
    pub file: String,
    /// Its cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// The dialplan that a text says it tests, from where the text's file lies; none where it says none, or is not TOML, which [`read`]
/// tells.
pub fn plan_of(text: &str) -> Option<String> {
    let mut unheard = Report::default();
    let file = unheard.add_source(Source { file: String::new(), text: text.to_owned() });
    let document = parse(text, file, &mut unheard);
    Table::new(document.get_ref(), 0..0, file).string("plan", &mut unheard).map(|at| at.value)
}

/// Reads a text as a file of tests.
///
/// # Errors
/// Every problem of the text.
pub fn read(source: &Source, known: Known<'_>) -> Result<Suite, Vec<Problem>> {
    let mut report = Report::default();
    let file = report.add_source(source.clone());
    let document = parse(&source.text, file, &mut report);
    // A text that is not TOML yields chance remnants; speaking of those would bury the real problem.
    if !report.is_sound() {
        return Err(report.into_problems());
    }
    let names = Names::of(known);
    let mut root = Table::new(document.get_ref(), 0..0, file);
    root.integer("version", 1..2, 1, &mut report);
    if !root.has("version") {
        report.problem(root.place, "\"version\" is missing", Some("begin the file with: version = 1".into()));
    }
    // Whoever gave us the text has looked at it.
    root.string("plan", &mut report);
    let common = root.table("given", &mut report).map_or_else(Given::default, |mut table| {
        let given = given::read(&mut table, Given::default(), &names, &mut report);
        table.finish(&mut report);
        given
    });
    let mut cases: Vec<Case> = Vec::new();
    for (name, mut table) in root.named("case", &mut report) {
        let place = table.place;
        let given = given::read(&mut table, common.clone(), &names, &mut report);
        complete(&given, place, &mut report);
        let expected = match table.table("expect", &mut report) {
            Some(expect) => expected::read(expect, &given, &names, &mut report),
            None => {
                let hint = Some("add expect = { outcome = \"answered\" }, or steps, queue, wait …".to_owned());
                report.problem(place, format!("case \"{name}\" expects nothing"), hint);
                continue;
            }
        };
        table.finish(&mut report);
        let Problem { line, column, .. } = report.at(place, String::new(), None);
        cases.push(Case { name, line, column, given, expected });
    }
    root.finish(&mut report);
    cases.sort_by_key(|case| (case.line, case.column));
    let problems = report.into_problems();
    if problems.is_empty() { Ok(Suite { file: source.file.clone(), cases }) } else { Err(problems) }
}

/// What no case can do without.
fn complete(given: &Given, place: Place, report: &mut Report) {
    if given.number.is_empty() {
        report.problem(place, "\"number\" is missing", Some("say which number is called: number = \"4000\"".into()));
    }
    if given.at_wall_ms.is_none() {
        let hint = "say when the call comes, here or in [given]: at = \"2026-11-27T10:00:00+08:00\"";
        report.problem(place, "\"at\" is missing", Some(hint.to_owned()));
    }
}

/// All that tests can name.
struct Names {
    steps: BTreeSet<String>,
    /// Those that ask a webhook.
    webhooks: BTreeSet<String>,
    /// By name, `language/name` and text.
    prompts: BTreeSet<String>,
    /// By name.
    prompt_names: BTreeSet<String>,
    flows: BTreeSet<String>,
    hours: BTreeSet<String>,
    queues: BTreeSet<String>,
    variables: BTreeSet<String>,
    agents: BTreeSet<String>,
    trunks: BTreeSet<String>,
}

impl Names {
    fn of(known: Known<'_>) -> Self {
        let Floor { program, acd, prompts, catalogue } = known.floor;
        let prompt_names: BTreeSet<String> = prompts.keys().map(|prompt| prompt.name.clone()).collect();
        let full = prompts.keys().map(|prompt| format!("{}/{}", prompt.language, prompt.name));
        let texts = prompts.keys().filter_map(|prompt| catalogue.text(&prompt.language, &prompt.name));
        let asks = |step: &Step| matches!(step.action, Action::Webhook { .. });
        let webhooks = program.steps().filter(|(_, step)| asks(step));
        Self {
            webhooks: webhooks.map(|(_, step)| format!("{}.{}", step.flow, step.name)).collect(),
            steps: program.steps().map(|(_, step)| format!("{}.{}", step.flow, step.name)).collect(),
            prompts: prompt_names.iter().cloned().chain(full).chain(texts.map(str::to_owned)).collect(),
            prompt_names,
            flows: program.flows().keys().cloned().collect(),
            hours: program.hours().keys().cloned().collect(),
            queues: program.queues().keys().cloned().collect(),
            variables: program.variables().keys().cloned().collect(),
            agents: acd.agents.iter().map(|agent| agent.id.to_string()).collect(),
            trunks: known.trunks.clone(),
        }
    }
}

/// A name that must be among the known ones; it stays what it is where it is not, as the problem is told.
fn known(name: At<String>, among: &BTreeSet<String>, what: &str, report: &mut Report) -> String {
    look_up(&name.value, name.place, among, what, report);
    name.value
}

fn look_up(name: &str, place: Place, among: &BTreeSet<String>, what: &str, report: &mut Report) {
    if !among.contains(name) {
        report.problem(
            place,
            format!("there is no {what} \"{name}\""),
            suggest(name, among.iter().map(String::as_str)),
        );
    }
}

/// One of the names that stand for something.
fn one_of<T: Copy>(name: Option<At<String>>, choices: &[(&str, T)], what: &str, report: &mut Report) -> Option<T> {
    let name = name?;
    let found = choices.iter().find(|(choice, _)| *choice == name.value);
    if found.is_none() {
        let hint = suggest(&name.value, choices.iter().map(|(choice, _)| *choice));
        report.problem(name.place, format!("there is no {what} \"{}\"", name.value), hint);
    }
    found.map(|(_, value)| *value)
}

/// A table of strings whose names must be known.
fn known_map(
    table: &mut Table<'_>,
    key: &'static str,
    among: &BTreeSet<String>,
    what: &str,
    report: &mut Report,
) -> BTreeMap<String, At<String>> {
    let map = table.string_map(key, report);
    for (name, value) in &map {
        look_up(name, value.place, among, what, report);
    }
    map
}
