//! The ways through a plan: what is known at each step over every path that leads there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::action::Action;
use super::super::change::RecordChange;
use super::super::load::Places;
use super::super::program::{Program, StepRef};
use super::super::report::Report;

/// Steps of a loop that are named where it is reported.
const LOOP_TOLD: usize = 8;

/// What holds whenever a step is entered, over every path that leads there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Answered on every path.
    pub(super) answered: bool,
    /// Answered on some path.
    pub(super) maybe_answered: bool,
    pub(super) noticed: bool,
    /// The agent has hung up already, on some path.
    pub(super) afterwards: bool,
    pub(super) languages: BTreeSet<String>,
}

/// A plan's graph.
pub(super) struct Paths<'a> {
    program: &'a Program,
    /// Where a called flow may come back to, by its name.
    returns: BTreeMap<&'a str, Vec<StepRef>>,
    known: BTreeMap<StepRef, Facts>,
}

impl<'a> Paths<'a> {
    pub(super) fn of(program: &'a Program) -> Self {
        let mut returns: BTreeMap<&str, Vec<StepRef>> = BTreeMap::new();
        for step in &program.steps {
            if let Action::Call { start, next, .. } = &step.action
                && let Some(called) = program.steps.get(start.0)
            {
                returns.entry(&called.flow).or_default().push(*next);
            }
        }
        let mut paths = Self { program, returns, known: BTreeMap::new() };
        paths.walk();
        paths
    }

    /// What is known at a step; `None` where no path leads there.
    pub(super) fn facts(&self, step: StepRef) -> Option<&Facts> {
        self.known.get(&step)
    }

    /// Whether some step calls the flow.
    pub(super) fn is_called(&self, flow: &str) -> bool {
        self.returns.contains_key(flow)
    }

    /// Every step that may come after one.
    pub(super) fn exits(&self, step: StepRef) -> Vec<StepRef> {
        let Some(step) = self.program.steps.get(step.0) else { return Vec::new() };
        let of_flow = || self.program.flows.get(&step.flow).into_iter().flat_map(|flow| flow.keys.values().copied());
        match &step.action {
            // It goes on behind the call once the flow has come back.
            Action::Call { start, .. } => vec![*start],
            Action::Return => self.returns.get(step.flow.as_str()).cloned().unwrap_or_default(),
            asking if asking.ask().is_some() => asking.exits().into_iter().chain(of_flow()).collect(),
            other => other.exits(),
        }
    }

    /// Entry facts of every reachable step, as the fixpoint of joining all paths.
    fn walk(&mut self) {
        let program = self.program;
        let mut work = VecDeque::new();
        // A flow that only a goto or a call leads to begins with what its callers know, not anew.
        let from_elsewhere: BTreeSet<StepRef> = program.steps.iter().filter_map(|step| target(&step.action)).collect();
        for (name, flow) in &program.flows {
            let named: Vec<Option<&str>> =
                program.numbers.flows().filter(|(flow, _)| flow == name).map(|(_, language)| language).collect();
            let begins_calls = !named.is_empty() || !from_elsewhere.contains(&flow.start);
            if begins_calls && flow.start.0 < program.steps.len() {
                let own = || flow.language.clone();
                let mut languages: BTreeSet<String> =
                    named.iter().map(|language| language.map_or_else(own, str::to_owned)).collect();
                if languages.is_empty() {
                    languages.insert(own());
                }
                let entry =
                    Facts { answered: false, maybe_answered: false, noticed: false, afterwards: false, languages };
                self.join(&mut work, flow.start, entry);
            }
        }
        while let Some(at) = work.pop_front() {
            let (Some(step), Some(entry)) = (program.steps.get(at.0), self.known.get(&at)) else { continue };
            let after = after(&step.action, entry.clone());
            let behind = match &step.action {
                Action::Queue { after, .. } => *after,
                _ => None,
            };
            for next in self.exits(at) {
                let afterwards = after.afterwards || behind == Some(next);
                self.join(&mut work, next, Facts { afterwards, ..after.clone() });
            }
        }
    }

    fn join(&mut self, work: &mut VecDeque<StepRef>, at: StepRef, new: Facts) {
        let Some(old) = self.known.get_mut(&at) else {
            self.known.insert(at, new);
            work.push_back(at);
            return;
        };
        let joined = Facts {
            answered: old.answered && new.answered,
            maybe_answered: old.maybe_answered || new.maybe_answered,
            noticed: old.noticed && new.noticed,
            afterwards: old.afterwards || new.afterwards,
            languages: old.languages.union(&new.languages).cloned().collect(),
        };
        if *old != joined {
            *old = joined;
            work.push_back(at);
        }
    }

    /// Reports every loop in which no step takes time, once.
    pub(super) fn spinning_loops(&self, places: &Places, report: &mut Report) {
        // Take away, again and again, what leads only to waiting steps; what stays runs in circles or into one.
        let spins = |step: &StepRef| self.program.steps.get(step.0).is_some_and(|step| !step.action.waits());
        let every = (0..self.program.steps.len()).map(StepRef).filter(spins);
        let exits = |step: StepRef| self.exits(step).into_iter().filter(spins).collect();
        let mut left = Peeled::of(every, exits);
        while let Some(round) = left.cycle(|step| self.exits(step)) {
            let name = |step: &StepRef| self.program.steps.get(step.0).map_or("", |step| step.name.as_str());
            let first = round.iter().min().copied().unwrap_or(StepRef(0));
            if let Some(place) = places.steps.get(first.0) {
                let at = round.iter().position(|step| *step == first).unwrap_or(0);
                let (behind, ahead) = round.split_at(at);
                let names: Vec<&str> = ahead.iter().chain(behind).take(LOOP_TOLD).map(name).collect();
                let more = if round.len() > LOOP_TOLD { " → …" } else { "" };
                let hint = Some("put a play or menu step into the loop".to_owned());
                let message = format!("nothing waits in the loop {}{more} → {}", names.join(" → "), name(&first));
                report.problem(*place, message, hint);
            }
            left.take_away(round);
        }
    }

    /// Warns, once a flow, of steps from which no path ends the call or reaches a person.
    pub(super) fn endless_loops(&self, places: &Places, report: &mut Report) {
        let ends = |step: &StepRef| {
            let action = self.program.steps.get(step.0).map(|step| &step.action);
            matches!(
                action,
                Some(
                    Action::Hangup { .. }
                        | Action::Queue { .. }
                        | Action::Transfer { .. }
                        | Action::Conference { .. }
                        | Action::Park { .. }
                        | Action::Echo
                        | Action::Return
                )
            )
        };
        let mut before: BTreeMap<StepRef, Vec<StepRef>> = BTreeMap::new();
        for step in self.known.keys() {
            for exit in self.exits(*step) {
                before.entry(exit).or_default().push(*step);
            }
        }
        let mut fine: BTreeSet<StepRef> = self.known.keys().copied().filter(ends).collect();
        let mut work: Vec<StepRef> = fine.iter().copied().collect();
        while let Some(step) = work.pop() {
            for earlier in before.get(&step).into_iter().flatten() {
                if fine.insert(*earlier) {
                    work.push(*earlier);
                }
            }
        }
        let mut told = BTreeSet::new();
        for step in self.known.keys().filter(|step| !fine.contains(step)) {
            let (Some(place), Some(named)) = (places.steps.get(step.0), self.program.steps.get(step.0)) else {
                continue;
            };
            if !places.broken.contains(&named.flow) && told.insert(&named.flow) {
                let hint = Some("lead some path to a hangup or queue step".to_owned());
                report.warning(
                    *place,
                    format!("from step \"{}\" on only the caller's hanging up ends the call", named.name),
                    hint,
                );
            }
        }
    }
}

/// What is left of a graph when nodes without exits are taken away again and again: loops, and what leads into them.
struct Peeled {
    /// Each node that is left, and how many of its exits are.
    left: BTreeMap<StepRef, usize>,
    before: BTreeMap<StepRef, Vec<StepRef>>,
}

impl Peeled {
    fn of(every: impl Iterator<Item = StepRef>, exits: impl Fn(StepRef) -> Vec<StepRef>) -> Self {
        let mut peeled = Self { left: BTreeMap::new(), before: BTreeMap::new() };
        let mut done = Vec::new();
        for step in every {
            let exits = exits(step);
            if exits.is_empty() {
                done.push(step);
            }
            peeled.left.insert(step, exits.len());
            for exit in exits {
                peeled.before.entry(exit).or_default().push(step);
            }
        }
        peeled.take_away(done);
        peeled
    }

    /// Takes nodes away, and then those that have no exits without them.
    fn take_away(&mut self, mut done: Vec<StepRef>) {
        while let Some(step) = done.pop() {
            if self.left.remove(&step).is_none() {
                continue;
            }
            for earlier in self.before.get(&step).into_iter().flatten() {
                if let Some(count) = self.left.get_mut(earlier) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        done.push(*earlier);
                    }
                }
            }
        }
    }

    /// Some loop of what is left, in its order.
    fn cycle(&self, exits: impl Fn(StepRef) -> Vec<StepRef>) -> Option<Vec<StepRef>> {
        let (mut way, mut seen) = (Vec::new(), BTreeMap::new());
        let mut at = *self.left.keys().next()?;
        loop {
            if let Some(begin) = seen.insert(at, way.len()) {
                return way.get(begin..).map(<[StepRef]>::to_vec);
            }
            way.push(at);
            // Everything that is left has an exit that is.
            at = exits(at).into_iter().find(|exit| self.left.contains_key(exit))?;
        }
    }
}

fn target(action: &Action) -> Option<StepRef> {
    match action {
        Action::Goto { next } => Some(*next),
        Action::Call { start, .. } => Some(*start),
        _ => None,
    }
}

fn after(action: &Action, mut facts: Facts) -> Facts {
    // Where it is not answered that is reported, and not again at every step behind.
    facts.answered |= super::needs_answer(action);
    match action {
        Action::Answer { .. } => (facts.answered, facts.maybe_answered) = (true, true),
        Action::Play { notice: true, .. } | Action::Consent { .. } => facts.noticed = true,
        Action::Record { change: RecordChange::Agreed | RecordChange::Refused, .. } => facts.noticed = true,
        Action::Language { keys, default, .. } => {
            facts.languages = keys.values().chain([default]).cloned().collect();
        }
        Action::Set { language: Some(language), .. } => facts.languages = BTreeSet::from([language.clone()]),
        _ => {}
    }
    facts
}
