//! `[number."…"]` and `[[rewrite]]`: which number leads into which flow.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::pattern::Pattern;
use super::program::Flow;
use super::report::{Place, Report, suggest};
use super::table::Table;
use crate::id::TrunkId;

/// Where a number leads.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    flow: String,
    /// Another flow for calls by some trunks.
    by_trunk: BTreeMap<String, String>,
    /// The language that the number stands for, in place of the flow's own.
    language: Option<String>,
}

/// What is done to a called number before it is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rewrite {
    fits: Pattern,
    trunk: Option<String>,
    strip: usize,
    prepend: String,
}

/// All numbers of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Numbers {
    exact: BTreeMap<String, Entry>,
    /// By what their numbers begin with; the narrowest first of those that begin alike.
    patterns: BTreeMap<String, Vec<(Pattern, Entry)>>,
    rewrites: Vec<Rewrite>,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination<'a> {
    /// The number after rewriting.
    pub called: String,
    /// The number or pattern that fits, as written.
    pub by: &'a str,
    /// The flow.
    pub flow: &'a str,
    /// The language that the number stands for.
    pub language: Option<&'a str>,
}

impl Numbers {
    /// Where a call to `called` goes; `None` where nothing serves it.
    pub fn destination(&self, called: &str, trunk: Option<&TrunkId>) -> Option<Destination<'_>> {
        let called = self.rewritten(called, trunk);
        let exact = self.exact.get_key_value(&called).map(|(number, entry)| (number.as_str(), entry));
        let (by, entry) = exact.or_else(|| self.narrowest(&called))?;
        let other = trunk.and_then(|trunk| entry.by_trunk.get(trunk.as_str()));
        Some(Destination { called, by, flow: other.unwrap_or(&entry.flow), language: entry.language.as_deref() })
    }

    /// The narrowest pattern that a number fits: only those are looked at whose numbers begin as it does.
    fn narrowest(&self, called: &str) -> Option<(&str, &Entry)> {
        let begins = (0..=called.len()).filter_map(|end| self.patterns.get(called.get(..end)?));
        let fits = begins.filter_map(|alike| alike.iter().find(|(pattern, _)| pattern.fits(called)));
        let narrowest = fits.min_by(|(one, _), (other, _)| one.narrowness(other));
        narrowest.map(|(pattern, entry)| (pattern.text(), entry))
    }

    /// The numbers and then the patterns that lead into the plan, as written, the narrowest first.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        let mut patterns: Vec<&Pattern> = self.patterns.values().flatten().map(|(pattern, _)| pattern).collect();
        patterns.sort_by(|one, other| one.narrowness(other));
        self.exact.keys().map(String::as_str).chain(patterns.into_iter().map(Pattern::text))
    }

    /// Every flow that some number leads to.
    pub(super) fn flows(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let entries = self.exact.values().chain(self.patterns.values().flatten().map(|(_, entry)| entry));
        entries.flat_map(|entry| {
            let flows = [&entry.flow].into_iter().chain(entry.by_trunk.values());
            flows.map(|flow| (flow.as_str(), entry.language.as_deref()))
        })
    }

    /// The first rule that fits, and no other, so that rules cannot chase one another.
    fn rewritten(&self, called: &str, trunk: Option<&TrunkId>) -> String {
        let by_trunk =
            |rule: &&Rewrite| rule.trunk.as_ref().is_none_or(|name| trunk.is_some_and(|trunk| trunk.as_str() == name));
        let Some(rule) = self.rewrites.iter().filter(by_trunk).find(|rule| rule.fits.fits(called)) else {
            return called.to_owned();
        };
        let kept: String = called.chars().skip(rule.strip).collect();
        format!("{}{kept}", rule.prepend)
    }
}

/// What the numbers of all files say.
#[derive(Default)]
pub(super) struct Draft {
    numbers: Numbers,
    /// Numbers that stand alone, in whatever way they are written, and how.
    alone: BTreeMap<String, String>,
}

impl Draft {
    pub(super) fn read_number(
        &mut self,
        text: &str,
        mut table: Table<'_>,
        flows: &BTreeMap<String, Flow>,
        report: &mut Report,
    ) {
        let place = table.place;
        let pattern = Pattern::parse(text);
        if pattern.is_none() {
            let hint =
                "write \"4000\", \"40xx\", \"400[0-4]\", \"4000-4099\" or \"400*\"; * before digits is a feature code";
            report.problem(place, format!("\"{text}\" is no number"), Some(hint.to_owned()));
        }
        let flow = flow_of(&mut table, "flow", flows, report);
        let trunks = table.string_map("trunks", report);
        let by_trunk = trunks
            .into_iter()
            .filter_map(|(trunk, flow)| {
                known_flow(&flow.value, flow.place, flows, report).then_some((trunk, flow.value))
            })
            .collect();
        let language = table.string("language", report).map(|language| language.value);
        table.finish(report);
        let (Some(pattern), Some(flow)) = (pattern, flow) else { return };
        let entry = Entry { flow, by_trunk, language };
        if let Some(other) = self.clash(&pattern) {
            let message = if other == text {
                format!("number \"{text}\" is there twice")
            } else {
                format!("\"{text}\" and \"{other}\" mean some number alike, and neither is narrower")
            };
            let hint = Some("make one of them narrower: the narrower one decides".to_owned());
            report.problem(place, message, hint);
            return;
        }
        if let Some(number) = pattern.only() {
            self.alone.insert(number, text.to_owned());
        }
        if pattern.exact().is_some() {
            self.numbers.exact.insert(text.to_owned(), entry);
        } else {
            let alike = self.numbers.patterns.entry(pattern.prefix()).or_default();
            let at = alike.partition_point(|(other, _)| other.narrowness(&pattern) != Ordering::Greater);
            alike.insert(at, (pattern, entry));
        }
    }

    /// The pattern, as written, that means some number alike without being narrower. Only those are compared of whose numbers one
    /// may begin as the other's do.
    fn clash(&self, pattern: &Pattern) -> Option<&str> {
        if let Some(number) = pattern.only() {
            return self.alone.get(&number).map(String::as_str);
        }
        let prefix = pattern.prefix();
        let patterns = &self.numbers.patterns;
        let shorter = (0..prefix.len()).filter_map(|end| patterns.get(prefix.get(..end)?));
        let longer = patterns.range(prefix.clone()..).take_while(|(begin, _)| begin.starts_with(&prefix));
        let alike = |other: &&Pattern| {
            other.text() == pattern.text() || (other.narrowness(pattern) == Ordering::Equal && other.overlaps(pattern))
        };
        let near = shorter.chain(longer.map(|(_, alike)| alike)).flatten().map(|(other, _)| other);
        near.filter(|other| alike(other)).map(Pattern::text).next()
    }

    pub(super) fn read_rewrite(&mut self, mut table: Table<'_>, report: &mut Report) {
        let fits = table.required("match", report).and_then(|text| {
            let pattern = Pattern::parse(&text.value);
            if pattern.is_none() {
                report.problem(text.place, format!("\"{}\" is no pattern of numbers", text.value), None);
            }
            pattern
        });
        // The range fits.
        let strip = table.integer("strip", 0..65, 0, report) as usize;
        let prepend = table.string("prepend", report);
        if let Some(prepend) = prepend
            .as_ref()
            .filter(|prepend| !prepend.value.bytes().all(|b| b.is_ascii_digit() || b == b'+' || b == b'*'))
        {
            report.problem(prepend.place, format!("\"{}\" cannot begin a number", prepend.value), None);
        }
        let trunk = table.string("trunk", report).map(|trunk| trunk.value);
        table.finish(report);
        let prepend = prepend.map_or(String::new(), |prepend| prepend.value);
        self.numbers.rewrites.extend(fits.map(|fits| Rewrite { fits, trunk, strip, prepend }));
    }

    pub(super) fn finish(self) -> Numbers {
        self.numbers
    }
}

/// The flow that a key names, reported where there is none.
pub(super) fn flow_of(
    table: &mut Table<'_>,
    key: &'static str,
    flows: &BTreeMap<String, Flow>,
    report: &mut Report,
) -> Option<String> {
    let flow = table.required(key, report)?;
    known_flow(&flow.value, flow.place, flows, report).then_some(flow.value)
}

fn known_flow(name: &str, place: Place, flows: &BTreeMap<String, Flow>, report: &mut Report) -> bool {
    let known = flows.contains_key(name);
    if !known {
        let hint = report.wants_hints().then(|| suggest(name, flows.keys().map(String::as_str))).flatten();
        report.problem(place, format!("there is no flow \"{name}\""), hint);
    }
    known
}
