//! From contexts to flows: one for each extension that a number, a key or a goto leads to, its priorities as steps.

use std::collections::{BTreeMap, BTreeSet};

use super::super::draft::{Do, Plan, Step, Wishes, safe_name};
use super::branch::variable;
use super::contexts::{Contexts, Priority};
use super::numbers::{SPECIAL, pattern};
use crate::dialplan::{Place, Report};

/// A priority of an extension of a context.
pub(super) type Entry = (String, String, u32);

/// The translation under way.
pub(super) struct Walk<'a> {
    pub(super) contexts: &'a Contexts,
    pub(super) wishes: &'a Wishes,
    pub(super) plan: Plan,
    pub(super) report: &'a mut Report,
    /// Names of variables that some line sets.
    pub(super) variables: BTreeSet<String>,
    /// Whether numbers can be said in every language that calls may have.
    pub(super) speaks: bool,
    flows: BTreeMap<Entry, usize>,
    work: Vec<(Entry, usize)>,
    used: BTreeSet<Entry>,
    told: BTreeSet<(Place, String)>,
    /// The steps of the flow under way, by priority.
    steps: BTreeMap<u32, usize>,
    pending: Vec<u32>,
    end: Option<usize>,
}

/// The priority that is being translated.
#[derive(Clone, Debug)]
pub(super) struct Here {
    pub(super) context: String,
    pub(super) exten: String,
    pub(super) number: u32,
    pub(super) flow: usize,
    pub(super) place: Place,
    pub(super) came: String,
    pub(super) args: Vec<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(contexts: &'a Contexts, plan: Plan, wishes: &'a Wishes, report: &'a mut Report) -> Self {
        Self {
            contexts,
            wishes,
            plan,
            report,
            variables: contexts.set().filter_map(|(name, _)| variable(name)).collect(),
            speaks: contexts.speaks(&wishes.language),
            flows: BTreeMap::new(),
            work: Vec::new(),
            used: BTreeSet::new(),
            told: BTreeSet::new(),
            steps: BTreeMap::new(),
            pending: Vec::new(),
            end: None,
        }
    }

    /// Everything that calls can reach from the contexts in which they begin; what is left over is noted.
    pub(super) fn run(mut self) -> Plan {
        for root in self.roots() {
            self.numbers_of(&root);
        }
        while let Some((entry, flow)) = self.work.pop() {
            self.walk_flow(entry, flow);
        }
        self.tell_unused();
        self.plan
    }

    fn roots(&self) -> Vec<String> {
        if !self.wishes.contexts.is_empty() {
            return self.wishes.contexts.clone();
        }
        let mut led_to: BTreeSet<&str> = BTreeSet::new();
        for context in self.contexts.all.values() {
            led_to.extend(context.includes.iter().map(String::as_str));
            for step in context.extens.values().flat_map(|exten| exten.steps.values()) {
                // Targets stand between commas, question marks and colons, whatever the application.
                led_to.extend(step.args.split([',', '?', ':', '(', ')']).map(str::trim));
            }
        }
        led_to.extend(self.plan.queues.values().filter_map(|queue| queue.keys_of.as_deref()));
        let roots: Vec<String> =
            self.contexts.order.iter().filter(|name| !led_to.contains(name.as_str())).cloned().collect();
        if roots.is_empty() { self.contexts.order.clone() } else { roots }
    }

    fn numbers_of(&mut self, root: &str) {
        let contexts = self.contexts;
        if !contexts.all.contains_key(root) {
            let place = Place { file: 0, offset: 0 };
            self.todo(place, &format!("there is no context [{root}]"), "name one of the file by --context");
        }
        for name in contexts.within(root) {
            let Some(context) = contexts.all.get(name) else { continue };
            let mut found = Vec::new();
            for exten in &context.order {
                let Some(steps) = context.extens.get(exten) else { continue };
                let Some(first) = steps.steps.keys().next() else { continue };
                let entry = (name.to_owned(), exten.clone(), *first);
                match pattern(exten) {
                    Ok(pattern) => found.push((pattern, entry, steps.place)),
                    Err(_) if exten == "s" && name == root => {
                        self.flow_of(entry);
                        let advice = "say which numbers come in there: [number.\"…\"] with this flow";
                        self.todo(steps.place, &format!("calls without a number begin at s of [{name}]"), advice);
                    }
                    Err(why) if exten.starts_with('_') => self.todo(steps.place, &format!("extension {exten}"), why),
                    Err(_) => {}
                }
            }
            // Within a context the narrower one decides, as here; from one context to the next the first.
            found.sort_by(|(one, ..), (two, ..)| one.narrowness(two));
            found.into_iter().for_each(|(pattern, entry, place)| self.number(pattern, entry, place));
        }
    }

    fn number(&mut self, pattern: crate::dialplan::Pattern, entry: Entry, place: Place) {
        let known = self.plan.numbers.iter().find(|(other, _)| other.text() == pattern.text());
        let same = known.is_some_and(|(_, flow)| self.flows.get(&entry) == Some(flow));
        if same || (known.is_none() && self.plan.is_free(&pattern)) {
            let flow = self.flow_of(entry);
            if !same {
                self.plan.numbers.push((pattern, flow));
            }
        } else {
            self.plan.tell_taken(&pattern, place, self.report);
        }
    }

    /// The flow that begins at a priority.
    pub(super) fn flow_of(&mut self, entry: Entry) -> usize {
        if let Some(flow) = self.flows.get(&entry) {
            return *flow;
        }
        let (context, exten, number) = &entry;
        let first = self.contexts.exten_of(context, exten).and_then(|exten| exten.steps.keys().next());
        let label = self.contexts.exten_of(context, exten).and_then(|exten| exten.steps.get(number)?.label.clone());
        let mut name =
            if exten == "s" { context.clone() } else { format!("{context}_{}", exten.trim_start_matches('_')) };
        if first != Some(number) {
            name = format!("{name}_{}", label.unwrap_or_else(|| number.to_string()));
        }
        let flow = self.plan.add_flow(&safe_name(&name));
        self.flows.insert(entry.clone(), flow);
        self.work.push((entry, flow));
        flow
    }

    fn walk_flow(&mut self, (context, exten, number): Entry, flow: usize) {
        self.steps.clear();
        self.end = None;
        self.pending.clear();
        self.flow_step(flow, number);
        let contexts = self.contexts;
        while let Some(number) = self.pending.pop() {
            let Some(priority) = contexts.exten_of(&context, &exten).and_then(|exten| exten.steps.get(&number)) else {
                continue;
            };
            self.used.insert((context.clone(), exten.clone(), number));
            let here = Here {
                context: context.clone(),
                exten: exten.clone(),
                number,
                flow,
                place: priority.place,
                came: priority.came.clone(),
                args: super::conf::split(&priority.args, ','),
            };
            let action = self.translate(&here, priority);
            let index = self.steps[&number];
            let name = priority.label.as_deref().map_or(String::new(), safe_name);
            self.plan.flows[flow].steps[index] =
                Step { name, came: priority.came.clone(), place: priority.place, action };
        }
    }

    fn flow_step(&mut self, flow: usize, number: u32) -> usize {
        if let Some(step) = self.steps.get(&number) {
            return *step;
        }
        let index = self.push(flow, "", Place { file: 0, offset: 0 }, Do::Echo);
        self.steps.insert(number, index);
        self.pending.push(number);
        index
    }

    /// A step of its own beside those of the priorities.
    pub(super) fn push(&mut self, flow: usize, came: &str, place: Place, action: Do) -> usize {
        let steps = &mut self.plan.flows[flow].steps;
        steps.push(Step { name: String::new(), came: came.to_owned(), place, action });
        steps.len() - 1
    }

    /// The step of a priority of the extension under way; the call ends where there is none.
    pub(super) fn step_at(&mut self, here: &Here, number: u32) -> usize {
        let there = self.contexts.exten_of(&here.context, &here.exten);
        if there.is_some_and(|exten| exten.steps.contains_key(&number)) {
            return self.flow_step(here.flow, number);
        }
        self.end(here)
    }

    pub(super) fn next(&mut self, here: &Here) -> usize {
        self.step_at(here, here.number.saturating_add(1))
    }

    /// The end of the call.
    pub(super) fn end(&mut self, here: &Here) -> usize {
        let end = self.end;
        end.unwrap_or_else(|| {
            let end = self.push(here.flow, "", here.place, Do::Hangup { code: 16, cause: "normal_clearing" });
            self.end = Some(end);
            end
        })
    }

    /// A priority that a step before it has taken in.
    pub(super) fn take_in(&mut self, here: &Here, number: u32) {
        self.used.insert((here.context.clone(), here.exten.clone(), number));
    }

    /// The step that leads to an extension, this one's or another's.
    pub(super) fn lead_to(&mut self, here: &Here, (context, exten, number): Entry) -> usize {
        if context == here.context && exten == here.exten {
            return self.step_at(here, number);
        }
        let flow = self.flow_of((context, exten, number));
        self.push(here.flow, &here.came, here.place, Do::Goto { flow })
    }

    /// The same for what a caller dials within a context; `None` where nothing serves it.
    pub(super) fn dialled(&mut self, here: &Here, context: &str, dialled: &str) -> Option<usize> {
        let (context, exten) = self.contexts.find(context, dialled)?;
        let first = *self.contexts.exten_of(&context, &exten)?.steps.keys().next()?;
        Some(self.lead_to(here, (context, exten, first)))
    }

    /// Notes something that needs a person, once for each line and finding.
    pub(super) fn todo(&mut self, place: Place, found: &str, advice: &str) {
        if self.told.insert((place, found.to_owned())) {
            self.report.warning(place, found, Some(advice.to_owned()));
        }
    }

    fn tell_unused(&mut self) {
        let contexts = self.contexts;
        let nobody = "no call reaches it, so it was left out; name the context by --context if calls begin there";
        for name in &contexts.order {
            let context = &contexts.all[name];
            let unused = |exten: &String, number: &u32| !self.used.contains(&(name.clone(), exten.clone(), *number));
            let left: Vec<(&String, &Priority, bool)> = context
                .extens
                .iter()
                .filter_map(|(exten, steps)| {
                    let whole = steps.steps.keys().all(|number| unused(exten, number));
                    let (_, first) = steps.steps.iter().find(|(number, _)| unused(exten, number))?;
                    Some((exten, first, whole))
                })
                .collect();
            if !left.is_empty() && left.len() == context.extens.len() && left.iter().all(|(_, _, whole)| *whole) {
                self.todo(context.place, &format!("context [{name}]"), nobody);
                continue;
            }
            let left: Vec<(Place, String)> = left
                .into_iter()
                .filter(|(exten, _, whole)| !(*whole && exten.starts_with('_') && pattern(exten).is_err()))
                .map(|(exten, first, whole)| {
                    let found = if whole { format!("extension {exten}") } else { first.text.clone() };
                    (first.place, found)
                })
                .collect();
            for (place, found) in left {
                let special = SPECIAL.iter().any(|special| found == format!("extension {special}"));
                let advice = if special && found.ends_with(" h") {
                    "what is done after the hang-up is left out: other systems are told by webhooks"
                } else if special {
                    "left out: no question of the plan leads there"
                } else {
                    "no call reaches it, so it was left out"
                };
                self.todo(place, &found, advice);
            }
        }
    }
}
