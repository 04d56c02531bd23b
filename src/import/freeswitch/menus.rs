//! `ivr.conf.xml`: menus by one key.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::super::draft::{Ask, Do, prompt_name};
use super::Reading;
use super::extensions::Action;
use crate::dialplan::Place;

/// Attributes of a menu that have a place in ours.
const TAKEN: [&str; 6] = ["name", "greet-long", "greet-short", "invalid-sound", "timeout", "max-failures"];

/// A menu.
pub(super) struct Menu {
    pub(super) flow: usize,
    place: Place,
    came: String,
    ask: Ask,
    entries: Vec<Choice>,
}

/// What a key does.
struct Choice {
    key: char,
    action: Action,
}

impl Menu {
    pub(super) fn actions(&self) -> impl Iterator<Item = &Action> {
        self.entries.iter().map(|choice| &choice.action)
    }
}

impl Reading<'_> {
    pub(super) fn menu(&mut self, node: Node<'_, '_>) {
        let place = self.place(node);
        let name = node.attribute("name").unwrap_or_default().to_owned();
        for attribute in node.attributes().filter(|attribute| !TAKEN.contains(&attribute.name())) {
            let found = format!("{}=\"{}\" of menu {name}", attribute.name(), attribute.value());
            self.todo(place, &found, "a menu step has nothing like it (docs/dialplan.md, menu)");
        }
        let mut prompts = |attribute: &str| {
            let file = self.filled(node.attribute(attribute).unwrap_or_default());
            let prompt = prompt_name(&file).filter(|_| !file.contains(':'));
            if prompt.is_none() && !file.is_empty() {
                let found = format!("{attribute}=\"{file}\" of menu {name}");
                self.todo(place, &found, "name a prompt: letters, digits, _ and -");
            }
            Vec::from_iter(prompt)
        };
        let (mut long, short, invalid) = (prompts("greet-long"), prompts("greet-short"), prompts("invalid-sound"));
        if long.is_empty() {
            long.push("silence".to_owned());
        }
        let number = |attribute: &str| node.attribute(attribute).and_then(|text| text.parse::<u32>().ok());
        let ask = Ask {
            prompts: long,
            again: short,
            invalid,
            timeout_ms: number("timeout").map_or(5_000, |ms| u64::from(ms).min(3_600_000)),
            retries: number("max-failures").map_or(2, |most| most.saturating_sub(1).min(10)),
        };
        let entries = node.children().filter(|child| child.has_tag_name("entry"));
        let entries: Vec<Choice> = entries.filter_map(|entry| self.choice(entry)).collect();
        let came = format!("{}: menu {name}", self.name);
        if entries.is_empty() {
            return self.todo(
                place,
                &format!("menu {name}"),
                "none of its keys could be taken over, so it was left out",
            );
        }
        self.menus.insert(name, Menu { flow: 0, place, came, ask, entries });
    }

    fn choice(&mut self, entry: Node<'_, '_>) -> Option<Choice> {
        let place = self.place(entry);
        let text = |name| entry.attribute(name).unwrap_or_default();
        let (digits, action, param) = (text("digits"), text("action"), self.filled(text("param")));
        let key = digits.chars().next().filter(|key| digits.len() == 1 && "0123456789*#".contains(*key));
        let (app, data) = match action {
            "menu-exec-app" => param.split_once(' ').unwrap_or((&param, "")),
            "menu-sub" => ("ivr", param.as_str()),
            "menu-exit" => ("hangup", ""),
            "menu-top" => ("menu-top", ""),
            _ => ("", ""),
        };
        let Some(key) = key.filter(|_| !app.is_empty()) else {
            let advice = "a menu step has one key for each way; several keys are asked for by a gather step";
            self.todo(place, &format!("entry {digits} {action} {param}"), advice);
            return None;
        };
        let came = format!("{}: entry {digits} {action} {param}", self.name);
        Some(Choice { key, action: Action { app: app.to_owned(), data: data.trim().to_owned(), place, came } })
    }

    pub(super) fn menu_flows(&mut self) {
        let drafts: Vec<(usize, Place, String, Ask, Vec<Choice>)> = self
            .menus
            .values_mut()
            .map(|menu| (menu.flow, menu.place, menu.came.clone(), menu.ask.clone(), std::mem::take(&mut menu.entries)))
            .collect();
        for (flow, place, came, ask, entries) in drafts {
            let start = self.push(flow, &came, place, Do::Echo);
            let end = self.push(flow, "", place, Do::Hangup { code: 16, cause: "normal_clearing" });
            let mut keys = BTreeMap::new();
            for Choice { key, action } in entries {
                // What has been done for a key comes back to the menu.
                let step = if action.app == "menu-top" { start } else { self.chain(flow, &[action], false, start) };
                keys.insert(key, step);
            }
            self.plan.flows[flow].steps[start].action = Do::Menu { ask, keys, no_input: end, wrong_input: end };
        }
    }
}
