//! Flows that call one another.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::super::action::Action;
use super::super::load::Places;
use super::super::program::Program;
use super::super::report::Report;
use super::paths::Paths;

pub(super) fn check(program: &Program, paths: &Paths<'_>, places: &Places, report: &mut Report) {
    let begins: BTreeSet<&str> = program.numbers.flows().map(|(flow, _)| flow).collect();
    for (index, step) in program.steps.iter().enumerate() {
        let (true, Some(place)) = (step.action == Action::Return, places.steps.get(index)) else { continue };
        if !paths.is_called(&step.flow) || begins.contains(step.flow.as_str()) {
            let hint = Some("end it by do = \"hangup\", or let only do = \"call\" lead into the flow".to_owned());
            report.problem(*place, format!("step \"{}\" has nowhere to return to", step.name), hint);
        }
    }
    let round = rounds(&leads(program));
    for (index, step) in program.steps.iter().enumerate() {
        let Action::Call { start, .. } = &step.action else { continue };
        let (Some(called), Some(place)) = (program.steps.get(start.0), places.steps.get(index)) else { continue };
        // The call itself is the way there; whoever stands in the same round has one back.
        if round.get(called.flow.as_str()) == round.get(step.flow.as_str()) {
            let hint = Some("a flow that is called cannot lead back into its caller; use goto".to_owned());
            report.problem(*place, format!("flow \"{}\" calls itself through \"{}\"", step.flow, called.flow), hint);
        }
    }
}

/// Which flows each flow leads into, by goto or by call.
fn leads(program: &Program) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut leads: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for step in &program.steps {
        let to = match &step.action {
            Action::Goto { next } => next,
            Action::Call { start, .. } => start,
            _ => continue,
        };
        if let Some(to) =
            program.steps.get(to.0).filter(|to| to.flow != step.flow || matches!(step.action, Action::Call { .. }))
        {
            leads.entry(&step.flow).or_default().insert(&to.flow);
        }
    }
    leads
}

/// A number for each flow, the same for those that lead to one another and back: strongly connected components, after Kosaraju. Once
/// for all flows, as each of thousands may call the next.
fn rounds<'a>(leads: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeMap<&'a str, usize> {
    let mut before: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, tos) in leads {
        tos.iter().for_each(|to| before.entry(to).or_default().push(from));
    }
    let flows: BTreeSet<&str> = leads.keys().copied().chain(before.keys().copied()).collect();
    // Those that are done with first lie deepest.
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    for flow in &flows {
        let mut work = vec![(*flow, false)];
        while let Some((at, done)) = work.pop() {
            if done {
                order.push(at);
            } else if seen.insert(at) {
                work.push((at, true));
                work.extend(leads.get(at).into_iter().flatten().map(|to| (*to, false)));
            }
        }
    }
    let mut round = BTreeMap::new();
    for (number, flow) in order.into_iter().rev().enumerate() {
        let mut work = vec![flow];
        while let Some(at) = work.pop() {
            if let Entry::Vacant(place) = round.entry(at) {
                place.insert(number);
                work.extend(before.get(at).into_iter().flatten());
            }
        }
    }
    round
}
