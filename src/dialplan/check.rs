//! What a plan that reads well can still get wrong: steps that nobody reaches, loops that spin, prompts without a file,
//! and recordings that nobody announced.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::load::{Places, Surroundings};
use super::program::{Action, Program, Prompt, StepRef};
use super::report::{Place, Report};

/// What holds whenever a step is entered, over every path that leads there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    answered: bool,
    noticed: bool,
    languages: BTreeSet<String>,
}

pub(super) fn check(program: &Program, places: &Places, surroundings: Surroundings<'_>, report: &mut Report) {
    let facts = facts(program);
    for (index, step) in program.steps.iter().enumerate() {
        let place = places.steps.get(index).copied().unwrap_or(Place { file: 0, offset: 0 });
        let Some(known) = facts.get(&StepRef(index)) else {
            if places.broken.contains(&step.flow) {
                continue;
            }
            report.problem(place, format!("no path leads to step \"{}\"", step.name), None);
            continue;
        };
        check_step(&step.name, &step.action, known, place, report);
        for prompt in prompts_of(&step.action, known) {
            if !surroundings.prompts.contains(&prompt.path()) {
                let message = format!("step \"{}\" needs the prompt file \"{}\"", step.name, prompt.path());
                let hint =
                    format!("add [prompt.{}] {} = \"…\" to the catalogue and render it", prompt.name, prompt.language);
                report.problem(place, message, Some(hint));
            }
        }
    }
    spinning_loops(program, places, report);
}

fn check_step(name: &str, action: &Action, known: &Facts, place: Place, report: &mut Report) {
    let needs_answer =
        !matches!(action, Action::Answer { .. } | Action::Hangup { .. } | Action::Hours { .. } | Action::Goto { .. });
    if needs_answer && !known.answered {
        let hint = Some("put a step with do = \"answer\" on every path before it".to_owned());
        report.problem(place, format!("step \"{name}\" can be reached before the call is answered"), hint);
    }
    if matches!(action, Action::Queue { record: true, .. }) && !known.noticed {
        let hint = Some("put a play step with notice = true on every path before it".to_owned());
        report.problem(place, format!("step \"{name}\" would record callers who were not told so"), hint);
    }
}

/// Entry facts of every reachable step, as the fixpoint of joining all paths.
fn facts(program: &Program) -> BTreeMap<StepRef, Facts> {
    let mut known: BTreeMap<StepRef, Facts> = BTreeMap::new();
    let mut work = VecDeque::new();
    // A flow that only a goto leads to begins with what its callers know, not anew.
    let from_elsewhere: BTreeSet<StepRef> = program.steps.iter().filter_map(|step| goto_target(&step.action)).collect();
    let named: BTreeSet<&String> = program.numbers.values().collect();
    for (name, flow) in &program.flows {
        let begins_calls = named.contains(name) || !from_elsewhere.contains(&flow.start);
        if begins_calls && flow.start.0 < program.steps.len() {
            let entry = Facts { answered: false, noticed: false, languages: BTreeSet::from([flow.language.clone()]) };
            join(&mut known, &mut work, flow.start, entry);
        }
    }
    while let Some(at) = work.pop_front() {
        let (Some(step), Some(entry)) = (program.steps.get(at.0), known.get(&at)) else { continue };
        let mut after = entry.clone();
        match &step.action {
            Action::Answer { .. } => after.answered = true,
            Action::Play { notice: true, .. } => after.noticed = true,
            Action::Language { keys, default, .. } => {
                after.languages = keys.values().chain([default]).cloned().collect();
            }
            _ => {}
        }
        for next in step.action.exits() {
            join(&mut known, &mut work, next, after.clone());
        }
    }
    known
}

fn goto_target(action: &Action) -> Option<StepRef> {
    match action {
        Action::Goto { next } => Some(*next),
        _ => None,
    }
}

fn join(known: &mut BTreeMap<StepRef, Facts>, work: &mut VecDeque<StepRef>, at: StepRef, new: Facts) {
    let Some(old) = known.get_mut(&at) else {
        known.insert(at, new);
        work.push_back(at);
        return;
    };
    let joined = Facts {
        answered: old.answered && new.answered,
        noticed: old.noticed && new.noticed,
        languages: old.languages.union(&new.languages).cloned().collect(),
    };
    if *old != joined {
        *old = joined;
        work.push_back(at);
    }
}

fn prompts_of(action: &Action, known: &Facts) -> Vec<Prompt> {
    let (names, languages): (Vec<&String>, BTreeSet<String>) = match action {
        Action::Play { prompts, .. } => (prompts.iter().collect(), known.languages.clone()),
        Action::Menu { ask, .. } => {
            (ask.prompts.iter().chain(&ask.invalid).chain(&ask.silent).collect(), known.languages.clone())
        }
        Action::Language { ask, keys, .. } => {
            (ask.prompts.iter().chain(&ask.invalid).chain(&ask.silent).collect(), keys.values().cloned().collect())
        }
        _ => return Vec::new(),
    };
    let prompt = |language: &String, name: &String| Prompt { language: language.clone(), name: name.clone() };
    languages.iter().flat_map(|language| names.iter().map(move |name| prompt(language, name))).collect()
}

/// Reports every step that can come back to itself without any step on the way taking time.
fn spinning_loops(program: &Program, places: &Places, report: &mut Report) {
    // Take away, again and again, what leads only to waiting steps; what stays runs in circles or into one.
    let spins = |step: &StepRef| program.steps.get(step.0).is_some_and(|step| !step.action.waits());
    let mut left: BTreeMap<StepRef, usize> = BTreeMap::new();
    let mut before: BTreeMap<StepRef, Vec<StepRef>> = BTreeMap::new();
    let mut done = Vec::new();
    for index in (0..program.steps.len()).map(StepRef).filter(spins) {
        let exits: Vec<_> = program.steps[index.0].action.exits().into_iter().filter(spins).collect();
        if exits.is_empty() {
            done.push(index);
        }
        left.insert(index, exits.len());
        for exit in exits {
            before.entry(exit).or_default().push(index);
        }
    }
    while let Some(step) = done.pop() {
        left.remove(&step);
        for earlier in before.get(&step).into_iter().flatten() {
            if let Some(count) = left.get_mut(earlier) {
                *count -= 1;
                if *count == 0 {
                    done.push(*earlier);
                }
            }
        }
    }
    for step in left.keys() {
        if let (Some(place), Some(named)) = (places.steps.get(step.0), program.steps.get(step.0)) {
            let hint = Some("put a play or menu step into the loop".to_owned());
            report.problem(*place, format!("step \"{}\" runs into a loop in which nothing waits", named.name), hint);
        }
    }
}

#[cfg(test)]
mod tests;
