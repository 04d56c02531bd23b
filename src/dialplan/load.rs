//! Texts to a checked program. Names are gathered first, so that files may refer to one another in any order.

use std::collections::{BTreeMap, BTreeSet};

use super::customers::{self, is_directory};
use super::hours::{Beside, Hours, is_calendar};
use super::program::{Flow, Program, Step, StepRef};
use super::queues::read_queues;
use super::report::{Place, Problem, Report, Severity, Source, suggest};
use super::steps::{Names, read_keys, read_step};
use super::table::{At, Table, parse};
use super::{Action, check, numbers, values};
use crate::journal::Cause;

/// What the checker must know of the world outside the files.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The prompt files that exist, as `<language>/<name>.wav` under the folder of prompts.
    pub prompts: &'a BTreeSet<String>,
    /// The agents that the settings name; `None` leaves members unchecked.
    pub agents: Option<&'a Agents>,
    /// The trunks that the settings name; `None` leaves them unchecked.
    pub trunks: Option<&'a BTreeSet<String>>,
    /// The webhooks that the settings name; `None` leaves them unchecked.
    pub webhooks: Option<&'a BTreeSet<String>>,
    /// Calendars (`.ics`) and directories (`.csv`) by their path under the folder of the dialplans.
    pub beside: &'a BTreeMap<String, String>,
    /// The present year, from which on clock changes are looked at; none are where absent.
    pub year: Option<i16>,
}

/// The level of every skill of agents, by their numbers.
pub type Agents = BTreeMap<String, BTreeMap<String, u8>>;

/// Where everything that the checker speaks of was written.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) steps: Vec<Place>,
    pub(super) flows: BTreeMap<String, Place>,
    pub(super) queues: BTreeMap<String, Place>,
    pub(super) hours: BTreeMap<String, Place>,
    pub(super) variables: BTreeMap<String, Place>,
    /// Flows with a step that could not be read: what follows from its lack is not worth telling.
    pub(super) broken: BTreeSet<String>,
}

struct DraftFlow<'a> {
    name: String,
    table: Table<'a>,
    steps: Vec<(String, Table<'a>)>,
    names: BTreeMap<String, StepRef>,
}

/// Whether a file beside the dialplans is one that they can name.
pub fn is_beside(name: &str) -> bool {
    is_calendar(name) || is_directory(name)
}

/// The folders and files that a text includes, as written; none where it is not TOML, which [`load`] tells.
pub fn includes(text: &str) -> Vec<String> {
    let mut unheard = Report::default();
    let file = unheard.add_source(Source { file: String::new(), text: text.to_owned() });
    let document = parse(text, file, &mut unheard);
    let mut root = Table::new(document.get_ref(), 0..0, file);
    root.strings("include", &mut unheard).into_iter().map(|at| at.value).collect()
}

/// Reads and checks all texts as one plan; gives what is seldom meant besides.
///
/// # Errors
/// Every problem of every text, in the order of the files.
pub fn load(sources: &[Source], surroundings: Surroundings<'_>) -> Result<(Program, Vec<Problem>), Vec<Problem>> {
    let mut report = Report::default();
    let files: Vec<_> = sources.iter().map(|source| report.add_source(source.clone())).collect();
    let documents: Vec<_> = sources.iter().zip(&files).map(|(s, file)| parse(&s.text, *file, &mut report)).collect();
    // A text that is not TOML yields chance remnants; speaking of those would bury the real problem.
    if !report.is_sound() {
        return Err(report.into_problems());
    }
    let mut program = Program::default();
    let mut gathered = Gathered::default();
    for (document, file) in documents.iter().zip(files) {
        gathered.take(Table::new(document.get_ref(), 0..0, file), &mut program, surroundings, &mut report);
    }
    let Gathered { numbers, rewrites, drafts, queues, directories, mut places } = gathered;
    customers::read_files(directories, surroundings.beside, &mut program.customers, &mut report);
    read_queues(queues, &mut program, surroundings, &mut report);
    read_flows(drafts, &mut program, &mut places, surroundings, &mut report);
    let mut draft = numbers::Draft::default();
    for (number, table) in numbers {
        draft.read_number(&number, table, &program.flows, &mut report);
    }
    rewrites.into_iter().for_each(|rule| draft.read_rewrite(rule, &mut report));
    program.numbers = draft.finish();
    program.find_places();
    check::check(&program, &places, surroundings, &mut report);
    if report.is_sound() {
        return Ok((program, report.into_problems()));
    }
    // What seems unused may only be misspelt where it is used.
    let wrong = report.into_problems().into_iter().filter(|problem| problem.severity == Severity::Error);
    Err(wrong.collect())
}

/// What stands in the files, before anything is looked up in anything else.
#[derive(Default)]
struct Gathered<'a> {
    numbers: Vec<(String, Table<'a>)>,
    rewrites: Vec<Table<'a>>,
    drafts: Vec<DraftFlow<'a>>,
    queues: Vec<(String, Table<'a>)>,
    directories: Vec<At<String>>,
    places: Places,
}

impl<'a> Gathered<'a> {
    fn take(&mut self, mut root: Table<'a>, program: &mut Program, around: Surroundings<'_>, report: &mut Report) {
        root.integer("version", 1..2, 1, report);
        if !root.has("version") {
            report.problem(root.place, "\"version\" is missing", Some("begin the file with: version = 1".into()));
        }
        // Whoever gave us the texts has followed them.
        root.strings("include", report);
        self.directories.extend(root.strings("directory", report));
        self.numbers.extend(root.named("number", report));
        self.rewrites.extend(root.tables("rewrite", report));
        let beside = Beside { calendars: around.beside, year: around.year };
        for (name, table) in root.named("hours", report) {
            let place = table.place;
            if self.places.hours.insert(name.clone(), place).is_some() {
                report.problem(place, format!("hours \"{name}\" are there twice"), None);
            }
            program.hours.extend(Hours::read(table, beside, report).map(|hours| (name, hours)));
        }
        for (name, table) in root.named("variable", report) {
            let place = table.place;
            if self.places.variables.insert(name.clone(), place).is_some() {
                report.problem(place, format!("variable \"{name}\" is there twice"), None);
            }
            program.variables.extend(values::read_variable(&name, table, report).map(|variable| (name, variable)));
        }
        for (number, table) in root.named("customer", report) {
            let place = table.place;
            let customer = customers::read_customer(table, report);
            if program.customers.insert(number.clone(), customer).is_some() {
                report.problem(place, format!("customer \"{number}\" is there twice"), None);
            }
        }
        for (name, mut table) in root.named("flow", report) {
            let steps = table.named("step", report);
            self.drafts.push(DraftFlow { name, table, steps, names: BTreeMap::new() });
        }
        for (name, table) in root.named("queue", report) {
            self.places.queues.insert(name.clone(), table.place);
            self.queues.push((name, table));
        }
        root.finish(report);
    }
}

fn read_flows(
    mut drafts: Vec<DraftFlow<'_>>,
    program: &mut Program,
    places: &mut Places,
    surroundings: Surroundings<'_>,
    report: &mut Report,
) {
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
        let keys = read_keys(&mut draft.table, report).into_iter();
        let keys = keys.filter_map(|(key, at)| Some((key, find_step(&draft.names, &at.value, at.place, report)?)));
        let keys: BTreeMap<char, StepRef> = keys.collect();
        draft.table.finish(report);
        for (name, table) in draft.steps {
            places.steps.push(table.place);
            let names = Names {
                steps: &draft.names,
                flows: &starts,
                hours: &program.hours,
                queues: &program.queues,
                variables: &program.variables,
                customers: &program.customers,
                prompts: surroundings.prompts,
                trunks: surroundings.trunks,
                webhooks: surroundings.webhooks,
            };
            let action = read_step(table, &names, report);
            // What could not be read is reported; the stand-in only keeps the count of the steps.
            let action = action.unwrap_or_else(|| {
                places.broken.insert(draft.name.clone());
                Action::Hangup { cause: Cause::normal(), tone: None }
            });
            program.steps.push(Step { flow: draft.name.clone(), name, action });
        }
        if let Some(Some(start)) = starts.get(&draft.name) {
            program.flows.insert(draft.name.clone(), Flow { start: *start, language, keys });
        } else {
            places.broken.insert(draft.name.clone());
            program.flows.insert(draft.name.clone(), Flow { start: StepRef(usize::MAX), language, keys });
        }
    }
}

pub(super) fn find_step(
    names: &BTreeMap<String, StepRef>,
    name: &str,
    place: Place,
    report: &mut Report,
) -> Option<StepRef> {
    let found = names.get(name).copied();
    if found.is_none() {
        let hint = report.wants_hints().then(|| suggest(name, names.keys().map(String::as_str))).flatten();
        report.problem(place, format!("there is no step \"{name}\" in this flow"), hint);
    }
    found
}
