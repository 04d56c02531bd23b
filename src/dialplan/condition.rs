//! What a `when` step asks: tables whose keys must all hold.

use std::collections::BTreeMap;

use super::hours::Hours;
use super::pattern::Pattern;
use super::program::Queue;
use super::report::{Report, suggest};
use super::table::{Table, duration_ms};
use super::values::{Kind, Variable};
use crate::id::QueueId;

/// How deep conditions may stand within one another.
const DEEPEST: usize = 8;

/// Something that holds or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// All of them.
    All(Vec<Condition>),
    /// One of them.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// The caller's number fits one of these.
    Caller(Vec<Pattern>),
    /// The called number does.
    Called(Vec<Pattern>),
    /// The call came by one of these trunks.
    Trunk(Vec<String>),
    /// The caller is of one of these classes.
    Class(Vec<String>),
    /// The call carries one of these tags.
    Tag(Vec<String>),
    /// The language is one of these.
    Language(Vec<String>),
    /// These hours are open, or are not.
    Hours(String, bool),
    /// A variable compares so.
    Variable(String, Test),
    /// A figure of a queue compares so.
    Queue(QueueId, Measure, Test),
}

/// A figure of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Callers who wait.
    Waiting,
    /// Agents who could take a call now.
    Available,
    /// Agents who are signed in.
    SignedIn,
    /// How long a caller who joins now is expected to wait, milliseconds.
    ExpectedWait,
}

/// The measures by the names that files use.
pub(super) const MEASURES: [(&str, Measure); 4] = [
    ("waiting", Measure::Waiting),
    ("available", Measure::Available),
    ("signed_in", Measure::SignedIn),
    ("expected_wait", Measure::ExpectedWait),
];

/// A comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// One of these texts.
    Is(Vec<String>),
    /// One of these patterns.
    Fits(Vec<Pattern>),
    /// Within these bounds, both included.
    Between(i64, i64),
}

impl Test {
    /// Whether a text passes. What is no number is within no bounds.
    pub fn passes(&self, text: &str) -> bool {
        match self {
            Self::Is(texts) => texts.iter().any(|one| one == text),
            Self::Fits(patterns) => patterns.iter().any(|pattern| pattern.fits(text)),
            Self::Between(least, most) => text.parse().is_ok_and(|number: i64| (*least..=*most).contains(&number)),
        }
    }
}

/// What conditions may name.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) hours: &'a BTreeMap<String, Hours>,
    pub(super) queues: &'a BTreeMap<String, Queue>,
    pub(super) variables: &'a BTreeMap<String, Variable>,
}

impl Condition {
    /// Reads the conditions of `table`, whose other keys stay for whoever asked; all must hold.
    pub(super) fn read(table: &mut Table<'_>, known: Known<'_>, report: &mut Report) -> Self {
        Self::All(read(table, known, 0, report))
    }

    /// The hours, queues and variables that it looks at.
    pub(super) fn visit(&self, see: &mut impl FnMut(&Condition)) {
        see(self);
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().for_each(|one| one.visit(see)),
            Self::Not(inner) => inner.visit(see),
            _ => {}
        }
    }
}

fn read(table: &mut Table<'_>, known: Known<'_>, depth: usize, report: &mut Report) -> Vec<Condition> {
    let mut all = Vec::new();
    if depth > DEEPEST {
        report.problem(table.place, format!("conditions stand more than {DEEPEST} deep"), None);
        return all;
    }
    for (key, make) in [("caller", Condition::Caller as fn(_) -> _), ("called", Condition::Called as fn(_) -> _)] {
        let patterns = patterns(table, key, report);
        all.extend((!patterns.is_empty()).then(|| make(patterns)));
    }
    let lists = [
        ("trunk", Condition::Trunk as fn(_) -> _),
        ("class", Condition::Class as fn(_) -> _),
        ("tag", Condition::Tag as fn(_) -> _),
        ("language", Condition::Language as fn(_) -> _),
    ];
    for (key, make) in lists {
        let names: Vec<String> = table.strings(key, report).into_iter().map(|name| name.value).collect();
        all.extend((!names.is_empty()).then(|| make(names)));
    }
    if let Some(hours) = table.string("hours", report) {
        if !known.hours.contains_key(&hours.value) {
            let hint = suggest(&hours.value, known.hours.keys().map(String::as_str));
            report.problem(hours.place, format!("there are no hours \"{}\"", hours.value), hint);
        }
        all.push(Condition::Hours(hours.value, table.boolean("open", true, report)));
    }
    all.extend(read_variable(table, known, report));
    all.extend(read_queue(table, known, report));
    let any: Vec<Condition> = table
        .tables("any", report)
        .into_iter()
        .map(|mut inner| {
            let all = Condition::All(read(&mut inner, known, depth + 1, report));
            inner.finish(report);
            all
        })
        .collect();
    all.extend((!any.is_empty()).then_some(Condition::Any(any)));
    if let Some(mut inner) = table.table("not", report) {
        let inner_all = Condition::All(read(&mut inner, known, depth + 1, report));
        inner.finish(report);
        all.push(Condition::Not(Box::new(inner_all)));
    }
    if all.is_empty() {
        let hint = "name one of: caller, called, trunk, class, tag, language, hours, variable, queue, any, not";
        report.problem(table.place, "a condition that asks nothing", Some(hint.to_owned()));
    }
    all
}

fn read_variable(table: &mut Table<'_>, known: Known<'_>, report: &mut Report) -> Option<Condition> {
    let name = table.string("variable", report)?;
    let Some(variable) = known.variables.get(&name.value) else {
        let hint = suggest(&name.value, known.variables.keys().map(String::as_str));
        report.problem(name.place, format!("there is no variable \"{}\"", name.value), hint);
        return None;
    };
    let texts = table.strings("is", report);
    for text in texts.iter().filter(|text| !variable.kind.holds(&text.value)) {
        report.problem(text.place, format!("\"{}\" is no value of \"{}\"", text.value, name.value), None);
    }
    let fits = patterns(table, "fits", report);
    let bounds = bounds(table, report);
    if bounds.is_some() && variable.kind != Kind::Number {
        report.problem(name.place, format!("\"{}\" is no number, so it has no bounds", name.value), None);
    }
    let test = match (texts.is_empty(), fits.is_empty(), bounds) {
        (false, true, None) => Test::Is(texts.into_iter().map(|text| text.value).collect()),
        (true, false, None) => Test::Fits(fits),
        (true, true, Some((least, most))) => Test::Between(least, most),
        _ => {
            let hint = "is = \"text\", fits = \"40xx\", at_least = 1, at_most = 5".to_owned();
            report.problem(name.place, "a variable is compared by one of these", Some(hint));
            return None;
        }
    };
    Some(Condition::Variable(name.value, test))
}

fn read_queue(table: &mut Table<'_>, known: Known<'_>, report: &mut Report) -> Option<Condition> {
    let queue = table.string("queue", report)?;
    if !known.queues.contains_key(&queue.value) {
        let hint = suggest(&queue.value, known.queues.keys().map(String::as_str));
        report.problem(queue.place, format!("there is no queue \"{}\"", queue.value), hint);
    }
    let measure = table.required("measure", report)?;
    let Some((_, found)) = MEASURES.iter().find(|(name, _)| *name == measure.value) else {
        let hint = suggest(&measure.value, MEASURES.map(|(name, _)| name));
        report.problem(measure.place, format!("a queue has no figure \"{}\"", measure.value), hint);
        // Its bounds are none of a figure that there is not.
        ["at_least", "at_most"].into_iter().for_each(|key| table.ignore(key));
        return None;
    };
    let bounds = if *found == Measure::ExpectedWait { waits(table, report) } else { bounds(table, report) };
    let Some((least, most)) = bounds else {
        let hint = "at_least = 5, at_most = 10; for expected_wait durations such as \"3m\"".to_owned();
        report.problem(measure.place, "a figure needs bounds", Some(hint));
        return None;
    };
    Some(Condition::Queue(QueueId::from(queue.value.as_str()), *found, Test::Between(least, most)))
}

fn bounds(table: &mut Table<'_>, report: &mut Report) -> Option<(i64, i64)> {
    let stands = table.has("at_least") || table.has("at_most");
    let least = table.integer("at_least", i64::MIN + 1..i64::MAX, i64::MIN, report);
    let most = table.integer("at_most", i64::MIN + 1..i64::MAX, i64::MAX, report);
    stands.then_some((least, most))
}

fn waits(table: &mut Table<'_>, report: &mut Report) -> Option<(i64, i64)> {
    let mut bound = |key: &'static str, none: i64| {
        let Some(text) = table.string(key, report) else { return Some((none, false)) };
        let ms = duration_ms(&text.value);
        if ms.is_none() {
            report.problem(text.place, format!("\"{}\" is no duration", text.value), Some("write \"3m\"".to_owned()));
        }
        // A duration is a year at most.
        Some((ms? as i64, true))
    };
    let (least, most) = (bound("at_least", i64::MIN)?, bound("at_most", i64::MAX)?);
    (least.1 || most.1).then_some((least.0, most.0))
}

/// One pattern of numbers or a list; empty where absent.
pub(super) fn patterns(table: &mut Table<'_>, key: &'static str, report: &mut Report) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for text in table.strings(key, report) {
        match Pattern::parse(&text.value) {
            Some(pattern) => patterns.push(pattern),
            None => {
                let hint = Some("write \"138*\", \"40xx\", \"400[0-4]\" or \"4000-4099\"".to_owned());
                report.problem(text.place, format!("\"{}\" is no pattern of numbers", text.value), hint);
            }
        }
    }
    patterns
}
