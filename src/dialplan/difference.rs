//! What a reload changes, for people.

use std::collections::BTreeMap;

use super::program::{Program, Step};

/// A line for each difference, in a fixed order; empty where both plans are the same.
pub fn differences(old: &Program, new: &Program) -> Vec<String> {
    let mut lines = Vec::new();
    if old.numbers != new.numbers {
        let (before, after): (Vec<&str>, Vec<&str>) =
            (old.numbers.written().collect(), new.numbers.written().collect());
        let added = after.iter().filter(|number| !before.contains(number));
        lines.extend(added.map(|number| format!("number {number} added")));
        let gone = before.iter().filter(|number| !after.contains(number));
        lines.extend(gone.map(|number| format!("number {number} removed")));
        if before == after {
            lines.push("numbers lead elsewhere".to_owned());
        }
    }
    compare("hours", &old.hours, &new.hours, &mut lines);
    compare("queue", &old.queues, &new.queues, &mut lines);
    compare("variable", &old.variables, &new.variables, &mut lines);
    flows(old, new, &mut lines);
    if old.customers != new.customers {
        lines.push(format!("directory: {} customers, {} before", new.customers.len(), old.customers.len()));
    }
    lines
}

fn compare<T: PartialEq>(what: &str, old: &BTreeMap<String, T>, new: &BTreeMap<String, T>, lines: &mut Vec<String>) {
    lines.extend(new.keys().filter(|name| !old.contains_key(*name)).map(|name| format!("{what} {name} added")));
    lines.extend(old.keys().filter(|name| !new.contains_key(*name)).map(|name| format!("{what} {name} removed")));
    let changed = new.iter().filter(|(name, now)| old.get(*name).is_some_and(|before| before != *now));
    lines.extend(changed.map(|(name, _)| format!("{what} {name} changed")));
}

/// Steps refer to one another by number, so they are compared by what those numbers mean.
fn flows(old: &Program, new: &Program, lines: &mut Vec<String>) {
    let (before, after) = (Named::of(old), Named::of(new));
    for name in new.flows.keys() {
        let Some(steps) = before.flows.get(name.as_str()) else {
            lines.push(format!("flow {name} added"));
            continue;
        };
        let mut steps_changed = Vec::new();
        compare("step", steps, &after.flows[name.as_str()], &mut steps_changed);
        let head = |program: &Program| {
            program.flows.get(name).map(|flow| {
                let keys: Vec<_> =
                    flow.keys.iter().map(|(key, step)| (*key, program.step(*step).name.clone())).collect();
                (program.step(flow.start).name.clone(), flow.language.clone(), keys)
            })
        };
        if head(old) != head(new) {
            steps_changed.push("start, language or keys changed".to_owned());
        }
        lines.extend(steps_changed.into_iter().map(|change| format!("flow {name}: {change}")));
    }
    let gone = old.flows.keys().filter(|name| !new.flows.contains_key(*name));
    lines.extend(gone.map(|name| format!("flow {name} removed")));
}

/// The steps of each flow by name, with the names of the steps that they lead to.
struct Named<'a> {
    flows: BTreeMap<&'a str, BTreeMap<String, String>>,
}

impl<'a> Named<'a> {
    fn of(program: &'a Program) -> Self {
        let mut flows: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
        for name in program.flows.keys() {
            flows.entry(name).or_default();
        }
        for step in &program.steps {
            flows.entry(&step.flow).or_default().insert(step.name.clone(), meaning(program, step));
        }
        Self { flows }
    }
}

/// A step as text, its references by name.
fn meaning(program: &Program, step: &Step) -> String {
    let exits: Vec<String> = step
        .action
        .exits()
        .into_iter()
        .map(|exit| program.step(exit))
        .map(|exit| format!("{}.{}", exit.flow, exit.name))
        .collect();
    // Numbers of steps are the only part of a step that another order of the file changes.
    let text = format!("{:?}", step.action);
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("StepRef(") {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        rest = from.split_once(')').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    format!("{plain} {exits:?}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Source, Surroundings, load};
    use super::*;

    fn program(text: &str) -> Program {
        let prompts = BTreeSet::from(["en/a.wav".to_owned(), "en/b.wav".to_owned()]);
        let surroundings = Surroundings {
            prompts: &prompts,
            agents: None,
            trunks: None,
            webhooks: None,
            beside: &BTreeMap::new(),
            year: None,
        };
        let source = Source { file: "p".into(), text: format!("version = 1\n{text}") };
        load(&[source], surroundings).unwrap_or_else(|problems| panic!("{problems:#?}")).0
    }

    const PLAN: &str = "number.1.flow = \"f\"\nqueue.q.members = \"1001\"\nflow.f.start = \"go\"\n[flow.f.step]\n\
                        go = { do = \"answer\", next = \"say\" }\nsay = { do = \"play\", prompts = \"a\", next = \"queue\" }\n\
                        queue = { do = \"queue\", queue = \"q\" }\n";

    #[test]
    fn differences_name_what_changed_and_nothing_else() {
        let old = program(PLAN);
        assert_eq!(differences(&old, &program(PLAN)), Vec::<String>::new());
        let moved = PLAN.replace("go = { do = \"answer\", next = \"say\" }\n", "")
            + "go = { do = \"answer\", next = \"say\" }\n";
        assert_eq!(differences(&old, &program(&moved)), Vec::<String>::new(), "another order means the same");
        let said = PLAN.replace("prompts = \"a\"", "prompts = \"b\"").replace("\"1001\"", "\"1002\"");
        assert_eq!(differences(&old, &program(&said)), ["queue q changed", "flow f: step say changed"]);
        let more = format!("number.2.flow = \"f\"\n{PLAN}");
        assert_eq!(differences(&old, &program(&more)), ["number 2 added"]);
        assert_eq!(differences(&program(&more), &old), ["number 2 removed"]);
    }
}
