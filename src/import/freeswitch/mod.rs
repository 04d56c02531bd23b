//! FreeSWITCH's XML: `callcenter.conf.xml`, `ivr.conf.xml`, and the files of a dialplan.

mod actions;
mod callcenter;
mod extensions;
mod menus;
mod numbers;

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::{Document, Node, ParsingOptions};

use super::draft::{Do, Plan, Step, Wishes, safe_name};
use super::{Imported, finish};
use crate::dialplan::{Place, Report, Source};
use callcenter::{Agents, Rules};
use extensions::Extension;
use menus::Menu;

/// The most elements that a file may have.
const MOST_NODES: u32 = 1_000_000;
/// Elements that only hold others.
const HOLDERS: [&str; 12] = [
    "document",
    "section",
    "include",
    "configuration",
    "context",
    "queues",
    "agents",
    "tiers",
    "menus",
    "settings",
    "condition",
    "X-NO-PRE-PROCESS",
];

/// Makes a plan of files in any order.
pub fn freeswitch(sources: &[Source], wishes: &Wishes) -> Imported {
    let mut report = Report::default();
    let mut reading = Reading {
        wishes,
        report: &mut report,
        plan: Plan::default(),
        globals: BTreeMap::new(),
        agents: Agents::default(),
        rules: Rules::new(),
        tiers: Vec::new(),
        extensions: Vec::new(),
        menus: BTreeMap::new(),
        file: 0,
        name: String::new(),
        told: BTreeSet::new(),
    };
    for source in sources {
        reading.read(source);
    }
    let agents = reading.join();
    reading.translate();
    let plan = reading.plan;
    let from = sources.first().map_or("", |source| source.file.as_str());
    finish(plan, &agents, from, wishes, report)
}

/// The files under reading, and the plan that comes of them.
struct Reading<'a> {
    wishes: &'a Wishes,
    report: &'a mut Report,
    plan: Plan,
    /// What `X-PRE-PROCESS` sets.
    globals: BTreeMap<String, String>,
    agents: Agents,
    rules: Rules,
    tiers: Vec<Tier>,
    extensions: Vec<Extension>,
    menus: BTreeMap<String, Menu>,
    /// The file under reading: its number in the report and its name for people.
    file: usize,
    name: String,
    told: BTreeSet<(Place, String)>,
}

/// That an agent serves a queue.
struct Tier {
    place: Place,
    agent: String,
    queue: String,
    level: u32,
    position: u32,
}

impl Reading<'_> {
    fn read(&mut self, source: &Source) {
        self.file = self.report.add_source(source.clone());
        self.name = source.file.rsplit('/').next().unwrap_or_default().to_owned();
        let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
        match Document::parse_with_options(&source.text, options) {
            Ok(document) => self.walk(document.root()),
            Err(error) => {
                let at = error.pos();
                let lines: usize =
                    source.text.split_inclusive('\n').take(at.row.saturating_sub(1) as usize).map(str::len).sum();
                let place = Place { file: self.file, offset: lines };
                self.todo(place, &format!("the file is not XML: {error}"), "mend it; nothing of it was taken");
            }
        }
    }

    fn walk(&mut self, root: Node<'_, '_>) {
        // By a list of our own: a file may be deeper than a stack.
        let mut work: Vec<(Node<'_, '_>, String)> = vec![(root, String::new())];
        while let Some((node, context)) = work.pop() {
            let mut within = context.clone();
            match (node.tag_name().name(), node.parent_element().map(|parent| parent.tag_name().name())) {
                _ if !node.is_element() && !node.is_root() => continue,
                ("queue", Some("queues")) => self.queue(node),
                ("agent", Some("agents")) => self.agent(node),
                ("tier", Some("tiers")) => self.tier(node),
                ("menu", Some("menus" | "include")) => self.menu(node),
                ("extension", _) => self.extension(node, &context),
                ("X-PRE-PROCESS", _) => self.pre_process(node),
                ("param", Some("settings")) => {
                    let name = node.attribute("name").unwrap_or_default();
                    self.todo(
                        self.place(node),
                        &format!("the setting {name}"),
                        "it is FreeSWITCH's own: see docs/dialplan.md",
                    );
                }
                (name, _) if node.is_root() || HOLDERS.contains(&name) => {
                    if name == "context" {
                        within = node.attribute("name").unwrap_or_default().to_owned();
                    }
                    work.extend(node.children().rev().map(|child| (child, within.clone())));
                }
                (name, _) => self.todo(self.place(node), &format!("<{name}>"), "nothing of it was taken"),
            }
        }
    }

    fn pre_process(&mut self, node: Node<'_, '_>) {
        let (command, data) = (node.attribute("cmd").unwrap_or_default(), node.attribute("data").unwrap_or_default());
        match data.split_once('=').filter(|_| command == "set") {
            Some((name, value)) => drop(self.globals.insert(name.trim().to_owned(), value.trim().to_owned())),
            None => {
                let advice = "give the files that it names to the import as well";
                self.todo(self.place(node), &format!("X-PRE-PROCESS {command} {data}"), advice);
            }
        }
    }

    fn tier(&mut self, node: Node<'_, '_>) {
        let text = |name| node.attribute(name).unwrap_or_default().to_owned();
        let number = |name| node.attribute(name).and_then(|text| text.parse().ok()).unwrap_or(1);
        let tier = Tier {
            place: self.place(node),
            agent: text("agent"),
            queue: text("queue"),
            level: number("level"),
            position: number("position"),
        };
        self.tiers.push(tier);
    }

    fn place(&self, node: Node<'_, '_>) -> Place {
        Place { file: self.file, offset: node.range().start }
    }

    /// A value with the globals in it, as far as there are any.
    fn filled(&self, text: &str) -> String {
        let mut whole = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("$${") {
            whole += before;
            let Some((name, behind)) = after.split_once('}') else {
                rest = after;
                break;
            };
            whole += self.globals.get(name).map_or("", String::as_str);
            rest = behind;
        }
        whole + rest
    }

    /// Notes something that needs a person, once for each place and finding.
    fn todo(&mut self, place: Place, found: &str, advice: &str) {
        if self.told.insert((place, found.to_owned())) {
            self.report.warning(place, found, Some(advice.to_owned()));
        }
    }

    /// A step at the end of a flow.
    fn push(&mut self, flow: usize, came: &str, place: Place, action: Do) -> usize {
        let steps = &mut self.plan.flows[flow].steps;
        steps.push(Step { name: String::new(), came: came.to_owned(), place, action });
        steps.len() - 1
    }
}

/// Our name of a queue: without the domain behind it.
fn queue_name(name: &str) -> String {
    safe_name(name.split('@').next().unwrap_or_default())
}
