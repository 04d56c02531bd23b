//! `extensions.conf` as contexts, extensions and priorities.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::conf::{self, Line, What};
use super::numbers::pattern;
use crate::dialplan::{Place, Report, Source};

/// Keys of `[general]` that say how Asterisk keeps its file, and nothing of any call.
const OF_ASTERISK: [&str; 7] = [
    "static",
    "writeprotect",
    "autofallthrough",
    "extenpatternmatchnew",
    "clearglobalvars",
    "userscontext",
    "priorityjumping",
];

/// Contexts that may stand within one another.
const DEEPEST: usize = 32;

/// A dialplan as written.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    pub(super) all: BTreeMap<String, Context>,
    /// Their names in the order of the file.
    pub(super) order: Vec<String>,
    pub(super) globals: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(super) struct Context {
    pub(super) place: Place,
    pub(super) extens: BTreeMap<String, Exten>,
    /// Their names in the order of the file.
    pub(super) order: Vec<String>,
    pub(super) includes: Vec<String>,
}

/// An extension: what is done at each priority.
#[derive(Debug)]
pub(super) struct Exten {
    pub(super) place: Place,
    pub(super) steps: BTreeMap<u32, Priority>,
}

#[derive(Debug)]
pub(super) struct Priority {
    pub(super) place: Place,
    pub(super) label: Option<String>,
    /// The application in small letters.
    pub(super) app: String,
    pub(super) args: String,
    /// As written.
    pub(super) text: String,
    /// Its file and line, and the text.
    pub(super) came: String,
}

impl Contexts {
    /// Reads the file, with what has no place in the result noted.
    pub(super) fn read(source: &Source, report: &mut Report) -> Self {
        let mut contexts = Self::default();
        let mut current = String::new();
        let mut exten = String::new();
        for Line { place, came, what } in conf::lines(source, report) {
            match what {
                What::Section { name, options } => {
                    if options.contains('!') || options.trim_matches(['(', ')', '+']).len() > 1 {
                        let advice = "templates are not followed: write what it stands for into the file";
                        report.warning(place, format!("[{name}]{options}"), Some(advice.to_owned()));
                    }
                    contexts.add(&name, place);
                    current = name;
                    exten.clear();
                }
                What::Key { key, value } => contexts.take(&current, &mut exten, (&key, &value), (place, &came), report),
            }
        }
        contexts
    }

    fn add(&mut self, name: &str, place: Place) {
        if !matches!(name, "general" | "globals") && !self.all.contains_key(name) {
            self.order.push(name.to_owned());
            let context = Context { place, extens: BTreeMap::new(), order: Vec::new(), includes: Vec::new() };
            self.all.insert(name.to_owned(), context);
        }
    }

    fn take(
        &mut self,
        current: &str,
        exten: &mut String,
        (key, value): (&str, &str),
        (place, came): (Place, &str),
        report: &mut Report,
    ) {
        match (current, key) {
            ("general", key) if OF_ASTERISK.contains(&key) => {}
            ("globals", key) => drop(self.globals.insert(key.to_uppercase(), value.to_owned())),
            (_, "include") if self.all.contains_key(current) => self.include(current, value, place, report),
            (_, "exten" | "same") if self.all.contains_key(current) => {
                let value = if key == "same" { format!("{exten},{value}") } else { value.to_owned() };
                if key == "same" && exten.is_empty() {
                    return untold(place, format!("same => {value}"), "no extension stands before it", report);
                }
                if let Some(name) = self.exten(current, &value, (place, came), report) {
                    *exten = name;
                }
            }
            _ => untold(place, format!("{key} = {value}"), advice_on(key), report),
        }
    }

    fn include(&mut self, current: &str, value: &str, place: Place, report: &mut Report) {
        let mut parts = conf::split(value, ',').into_iter();
        let name = parts.next().unwrap_or_default();
        if parts.next().is_some_and(|times| !times.is_empty()) {
            let advice = "an include by time is left out: branch by an hours step in the flow";
            return untold(place, format!("include => {value}"), advice, report);
        }
        if let Some(context) = self.all.get_mut(current) {
            context.includes.push(name);
        }
    }

    /// Reads `number,priority(label),application(arguments)`; gives the number.
    fn exten(
        &mut self,
        current: &str,
        value: &str,
        (place, came): (Place, &str),
        report: &mut Report,
    ) -> Option<String> {
        let whole = format!("exten => {value}");
        let mut parts = value.splitn(3, ',').map(str::trim);
        let (name, priority, call) = (parts.next()?.to_owned(), parts.next().unwrap_or_default(), parts.next());
        if name.contains('/') {
            let advice = "left out: branch by a when step with caller = [\"…\"] in the flow of the number";
            untold(place, whole, advice, report);
            return None;
        }
        let Some(call) = call else {
            untold(place, whole, "a priority and an application are missing", report);
            return None;
        };
        if priority == "hint" {
            let advice = "nothing to be done: phones subscribe to dialog of a user (README, Watching)";
            untold(place, whole, advice, report);
            return None;
        }
        let (priority, label) = match priority.split_once('(') {
            Some((priority, label)) => (priority.trim(), Some(label.trim_end_matches(')').trim().to_owned())),
            None => (priority, None),
        };
        let context = self.all.get_mut(current)?;
        let last = context.extens.get(&name).and_then(|exten| exten.steps.keys().next_back().copied());
        let number = match (priority, last) {
            ("n", Some(last)) => last.checked_add(1),
            _ => priority.parse().ok(),
        };
        let Some(number) = number else {
            untold(place, whole, "give it a priority: a number, or n behind another one", report);
            return None;
        };
        let (app, args) = match call.split_once('(') {
            Some((app, args)) => (app, args.trim_end().strip_suffix(')').unwrap_or(args)),
            None => (call, ""),
        };
        let step = Priority {
            place,
            label,
            app: app.trim().to_lowercase(),
            args: args.trim().to_owned(),
            text: call.to_owned(),
            came: format!("{came}: {call}"),
        };
        let exten = context.extens.entry(name.clone()).or_insert_with(|| {
            context.order.push(name.clone());
            Exten { place, steps: BTreeMap::new() }
        });
        match exten.steps.entry(number) {
            Entry::Vacant(free) => {
                free.insert(step);
            }
            Entry::Occupied(_) => untold(place, whole, "the priority is there twice; the first one was taken", report),
        }
        Some(name)
    }

    /// The context and extension that serve what was dialled in a context, those that it includes after its own: the very name, or the
    /// narrowest pattern that fits.
    pub(super) fn find(&self, context: &str, dialled: &str) -> Option<(String, String)> {
        let within = self.within(context);
        within.into_iter().find_map(|name| {
            let extens = &self.all.get(name)?;
            let exact = extens.extens.contains_key(dialled).then(|| dialled.to_owned());
            let patterns = extens.order.iter().filter(|exten| exten.starts_with('_'));
            let fitting = patterns.filter_map(|exten| Some((exten, pattern(exten).ok()?)));
            let narrowest =
                fitting.filter(|(_, one)| one.fits(dialled)).min_by(|(_, one), (_, two)| one.narrowness(two));
            let exten = exact.or_else(|| narrowest.map(|(exten, _)| exten.clone()))?;
            Some((name.to_owned(), exten))
        })
    }

    /// A context and those that it includes, as Asterisk looks through them.
    pub(super) fn within<'a>(&'a self, context: &str) -> Vec<&'a str> {
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        let mut work: Vec<(&str, usize)> =
            self.all.get_key_value(context).map(|(name, _)| (&**name, 0)).into_iter().collect();
        while let Some((name, depth)) = work.pop() {
            let Some((name, context)) = self.all.get_key_value(name) else { continue };
            if depth <= DEEPEST && seen.insert(name) {
                found.push(name.as_str());
                work.extend(context.includes.iter().rev().map(|inner| (&**inner, depth + 1)));
            }
        }
        found
    }

    pub(super) fn exten_of(&self, context: &str, exten: &str) -> Option<&Exten> {
        self.all.get(context)?.extens.get(exten)
    }

    /// The variables that any line sets, and what to where the line says it.
    pub(super) fn set(&self) -> impl Iterator<Item = (&str, &str)> {
        let extens = self.all.values().flat_map(|context| context.extens.values());
        extens.flat_map(|exten| exten.steps.values()).filter_map(|step| match step.app.as_str() {
            "set" => step.args.split_once('=').map(|(name, value)| (name.trim(), value.trim())),
            "read" => step.args.split(',').next().map(|name| (name.trim(), "")),
            _ => None,
        })
    }

    /// Whether numbers can be said in every language that calls have.
    pub(super) fn speaks(&self, language: &str) -> bool {
        let set = self.set().filter(|(name, _)| *name == "CHANNEL(language)").map(|(_, value)| value);
        [language].into_iter().chain(set).all(|language| ["en", "zh"].contains(&language))
    }

    /// The priority that a label or number names.
    pub(super) fn priority_of(&self, context: &str, exten: &str, priority: &str) -> Option<u32> {
        let steps = &self.exten_of(context, exten)?.steps;
        let labelled =
            steps.iter().find(|(_, step)| step.label.as_deref() == Some(priority)).map(|(number, _)| *number);
        labelled.or_else(|| priority.parse().ok().filter(|number| steps.contains_key(number)))
    }
}

fn advice_on(key: &str) -> &'static str {
    match key {
        "switch" | "eswitch" | "lswitch" => "calls are placed on by a [[route]] of the settings to a trunk",
        "ignorepat" => "nothing to be done: dial tone is the phone's own",
        _ => "there is nothing like it: see docs/dialplan.md",
    }
}

fn untold(place: Place, found: String, advice: &str, report: &mut Report) {
    report.warning(place, found, Some(advice.to_owned()));
}
