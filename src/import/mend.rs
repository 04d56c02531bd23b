//! What other switches do by themselves or let pass, and our checker does not: answering before something is heard, ringing after the
//! answer, circles in which nothing waits.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Do, Plan, Step, free_name};
use crate::dialplan::Report;

/// A flow and a step of it.
type At = (usize, usize);

pub(super) fn mend(plan: &mut Plan, report: &mut Report) {
    // Each round takes pauses away that stood where nothing rings any more, so there is a last one.
    loop {
        break_circles(plan, report);
        // Before anything is asked of flows: a step that no path leads to leads nobody to a flow.
        plan.flows.iter_mut().for_each(|flow| drop_unreached(&mut flow.steps));
        drop_unreached_flows(plan);
        if !answer_before_sound(plan, report) {
            break;
        }
    }
    for flow in &mut plan.flows {
        drop_unreached(&mut flow.steps);
    }
    name_steps(plan);
}

fn exits(plan: &Plan, (flow, step): At) -> Vec<At> {
    match &plan.flows[flow].steps[step].action {
        Do::Goto { flow } => vec![(*flow, 0)],
        other => other.exits().into_iter().map(|exit| (flow, exit)).collect(),
    }
}

/// Ends the call where it would run in a circle for ever without anything that takes time.
fn break_circles(plan: &mut Plan, report: &mut Report) {
    let every: Vec<At> = (0..plan.flows.len())
        .flat_map(|flow| (0..plan.flows[flow].steps.len()).map(move |step| (flow, step)))
        .collect();
    let spins = |plan: &Plan, (flow, step): At| !plan.flows[flow].steps[step].action.waits();
    let (mut done, mut open) = (BTreeSet::new(), BTreeSet::new());
    let mut back = Vec::new();
    for start in every {
        // Depth first, by a list of our own: a plan may be deeper than a stack.
        let mut path: Vec<(At, Vec<At>)> = Vec::new();
        if spins(plan, start) && !done.contains(&start) {
            open.insert(start);
            path.push((start, exits(plan, start)));
        }
        while let Some((at, left)) = path.last_mut() {
            let at = *at;
            let Some(next) = left.pop() else {
                open.remove(&at);
                done.insert(at);
                path.pop();
                continue;
            };
            if open.contains(&next) {
                back.push((at, next));
            } else if spins(plan, next) && !done.contains(&next) {
                open.insert(next);
                path.push((next, exits(plan, next)));
            }
        }
    }
    for ((flow, step), (_, into)) in back {
        let steps = &mut plan.flows[flow].steps;
        let place = steps[step].place;
        let came = steps[step].came.clone();
        let end = Do::Hangup { code: 16, cause: "normal_clearing" };
        if matches!(steps[step].action, Do::Goto { .. }) {
            steps[step].action = end;
        } else {
            let stop = steps.len();
            steps.push(Step { name: String::new(), came: came.clone(), place, action: end });
            steps[step].action.exits_mut().into_iter().filter(|exit| **exit == into).for_each(|exit| *exit = stop);
        }
        let advice = "the call is hung up there; put a play, menu or queue step with another way out into the circle";
        report.warning(place, "runs in a circle in which nothing waits", Some(advice.to_owned()));
    }
}

/// Whether a call is answered on every path, and on some path.
type Answered = (bool, bool);

/// The flows in which calls begin: those of numbers, and those that no other one leads to.
fn begins(plan: &Plan) -> Vec<usize> {
    let gone_to: BTreeSet<usize> = plan.flows.iter().flat_map(|flow| &flow.steps).filter_map(goes_to).collect();
    let numbered: BTreeSet<usize> = plan.numbers.iter().map(|(_, flow)| *flow).collect();
    (0..plan.flows.len()).filter(|flow| numbered.contains(flow) || !gone_to.contains(flow)).collect()
}

fn answered(plan: &Plan) -> BTreeMap<At, Answered> {
    let mut work: Vec<(At, Answered)> = begins(plan).into_iter().map(|flow| ((flow, 0), (false, false))).collect();
    let mut known: BTreeMap<At, Answered> = BTreeMap::new();
    while let Some((at, (every, some))) = work.pop() {
        let old = known.get(&at).copied();
        let joined = old.map_or((every, some), |(old_every, old_some)| (old_every && every, old_some || some));
        if old == Some(joined) {
            continue;
        }
        known.insert(at, joined);
        // What is heard has an answer put before it.
        let action = &plan.flows[at.0].steps[at.1].action;
        let after = if matches!(action, Do::Answer { .. }) || action.is_heard() { (true, true) } else { joined };
        work.extend(exits(plan, at).into_iter().map(|next| (next, after)));
    }
    known
}

fn goes_to(step: &Step) -> Option<usize> {
    match step.action {
        Do::Goto { flow } => Some(flow),
        _ => None,
    }
}

/// Takes away flows that only lead to one another since a circle was broken, which was told.
fn drop_unreached_flows(plan: &mut Plan) {
    let mut kept = BTreeSet::new();
    let mut work = begins(plan);
    while let Some(flow) = work.pop() {
        if kept.insert(flow) {
            work.extend(plan.flows[flow].steps.iter().filter_map(goes_to));
        }
    }
    let place: BTreeMap<usize, usize> = kept.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    let old = std::mem::take(&mut plan.flows);
    plan.flows = old.into_iter().enumerate().filter(|(index, _)| kept.contains(index)).map(|(_, flow)| flow).collect();
    for step in plan.flows.iter_mut().flat_map(|flow| &mut flow.steps) {
        if let Do::Goto { flow } = &mut step.action {
            // A kept flow leads to kept ones only.
            *flow = place.get(flow).copied().unwrap_or(0);
        }
    }
    plan.numbers.iter_mut().for_each(|(_, flow)| *flow = place.get(flow).copied().unwrap_or(0));
}

/// Whether a pause was taken away, so that there may be new circles.
fn answer_before_sound(plan: &mut Plan, report: &mut Report) -> bool {
    let mut changed = false;
    for (at, (every, some)) in answered(plan) {
        let steps = &mut plan.flows[at.0].steps;
        let Step { place, came, action, .. } = &steps[at.1];
        let (place, came) = (*place, came.clone());
        if action.is_heard() && !every {
            // The step keeps its place for those who lead to it, so what it did moves behind.
            let moved = Step { name: String::new(), came: came.clone(), place, action: action.clone() };
            let next = steps.len();
            steps[at.1].action = Do::Answer { next };
            steps.push(moved);
        } else if let (Do::Ring { next, .. }, true) = (action, some) {
            let next = *next;
            steps[at.1].action = Do::Jump { next };
            changed = true;
            let advice = "left out: there is no pause after the answer; play a prompt of silence if it is needed";
            let what = came.split_once(": ").map_or("", |(_, what)| what);
            report.warning(place, format!("a pause: {}", what.trim()), Some(advice.to_owned()));
        }
    }
    changed
}

/// Takes away what no path leads to, and jumps that only lead on.
fn drop_unreached(steps: &mut Vec<Step>) {
    let onward: Vec<usize> = (0..steps.len()).map(|step| behind_jumps(steps, step)).collect();
    for step in steps.iter_mut() {
        step.action.exits_mut().into_iter().for_each(|exit| *exit = onward[*exit]);
    }
    let start = onward[0];
    // In the order in which a call meets them.
    let (mut kept, mut order) = (BTreeSet::new(), Vec::new());
    let mut work = vec![start];
    while let Some(step) = work.pop() {
        if kept.insert(step) {
            order.push(step);
            work.extend(steps[step].action.exits().into_iter().rev());
        }
    }
    let place: BTreeMap<usize, usize> = order.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    let mut old: Vec<Option<Step>> = std::mem::take(steps).into_iter().map(Some).collect();
    for index in order {
        let Some(mut step) = old[index].take() else { continue };
        // Every exit of a kept step is kept.
        step.action.exits_mut().into_iter().for_each(|exit| *exit = place.get(exit).copied().unwrap_or(0));
        steps.push(step);
    }
}

/// Circles of jumps alone are broken by now.
fn behind_jumps(steps: &[Step], mut step: usize) -> usize {
    for _ in 0..steps.len() {
        let Do::Jump { next } = steps[step].action else { break };
        step = next;
    }
    step
}

fn name_steps(plan: &mut Plan) {
    let flows: Vec<String> = plan.flows.iter().map(|flow| flow.name.clone()).collect();
    for flow in &mut plan.flows {
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        for step in &mut flow.steps {
            let wished = match &step.action {
                _ if !step.name.is_empty() => step.name.clone(),
                Do::Goto { flow } => format!("to_{}", flows[*flow]),
                other => other.kind().to_owned(),
            };
            let count = taken.entry(wished.clone()).or_insert(0);
            *count += 1;
            step.name = if *count == 1 { wished } else { format!("{wished}.{count}") };
        }
        // Dots cannot be in a name that was wished, so numbered ones are free; written with `_` unless that is taken.
        let all: BTreeSet<String> = flow.steps.iter().map(|step| step.name.clone()).collect();
        let mut used = all.clone();
        for step in flow.steps.iter_mut().filter(|step| step.name.contains('.')) {
            let name = free_name(&step.name.replace('.', "_"), |name| used.contains(name));
            used.insert(name.clone());
            step.name = name;
        }
    }
}
