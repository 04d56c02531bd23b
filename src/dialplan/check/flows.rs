//! Flows that call one another.

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
    let leads = leads(program);
    for (index, step) in program.steps.iter().enumerate() {
        let Action::Call { start, .. } = &step.action else { continue };
        let (Some(called), Some(place)) = (program.steps.get(start.0), places.steps.get(index)) else { continue };
        if reaches(&leads, &called.flow, &step.flow) {
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

fn reaches(leads: &BTreeMap<&str, BTreeSet<&str>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut work = vec![from];
    while let Some(flow) = work.pop() {
        if flow == to {
            return true;
        }
        if seen.insert(flow) {
            work.extend(leads.get(flow).into_iter().flatten());
        }
    }
    false
}
