//! Extensions: conditions that choose, and the actions of each.

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::Node;

use super::super::draft::{Do, Hours, safe_name};
use super::super::write::quoted;
use super::Reading;
use super::menus::Menu;
use super::numbers::{captures_all, patterns};
use crate::dialplan::{Pattern, Place};

/// The days of FreeSWITCH's week, which begins on Sunday with 1.
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// An extension.
pub(super) struct Extension {
    pub(super) context: String,
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) numbers: Vec<Pattern>,
    /// Whether `$1` is the called number.
    pub(super) first_is_called: bool,
    pub(super) stages: Vec<Stage>,
    pub(super) flow: usize,
}

/// A condition, what is done where it holds and where it does not, and whether the next one is looked at then.
pub(super) struct Stage {
    asked: Asked,
    actions: Vec<Action>,
    otherwise: Vec<Action>,
    goes_on: bool,
}

enum Asked {
    Nothing,
    Condition(String),
    Hours(Hours),
}

/// An action as written.
#[derive(Clone)]
pub(super) struct Action {
    pub(super) app: String,
    pub(super) data: String,
    pub(super) place: Place,
    pub(super) came: String,
}

impl Reading<'_> {
    pub(super) fn extension(&mut self, node: Node<'_, '_>, context: &str) {
        let place = self.place(node);
        let name = node.attribute("name").unwrap_or("unnamed").to_owned();
        let mut extension = Extension {
            context: context.to_owned(),
            name,
            place,
            numbers: Vec::new(),
            first_is_called: false,
            stages: Vec::new(),
            flow: 0,
        };
        let found = format!("extension {}", extension.name);
        for condition in node.children().filter(Node::is_element) {
            let at = self.place(condition);
            if !condition.has_tag_name("condition") {
                self.todo(at, &format!("<{}> in {found}", condition.tag_name().name()), "nothing of it was taken");
                continue;
            }
            match self.asked(condition, &mut extension) {
                Ok(asked) => {
                    let stage = Stage {
                        asked,
                        actions: self.actions(condition, "action"),
                        otherwise: self.actions(condition, "anti-action"),
                        goes_on: condition.attribute("break") == Some("never"),
                    };
                    extension.stages.push(stage);
                }
                Err(why) => return self.todo(at, &format!("a condition of {found}"), why),
            }
        }
        if extension.numbers.is_empty() {
            let advice = "it is for every number, and was left out: put what it does into the flows that need it";
            return self.todo(place, &found, advice);
        }
        self.extensions.push(extension);
    }

    fn asked(&mut self, node: Node<'_, '_>, extension: &mut Extension) -> Result<Asked, &'static str> {
        let cannot = "a when step cannot ask this: the extension was left out";
        let times = ["wday", "hour", "minute-of-day", "time-of-day"];
        let known = |name: &str| times.contains(&name) || matches!(name, "field" | "expression" | "break");
        if node.attributes().any(|attribute| !known(attribute.name())) {
            return Err(cannot);
        }
        if times.iter().any(|name| node.has_attribute(*name)) {
            let hours = hours(|name| node.attribute(name)).filter(|_| !node.has_attribute("field"));
            return hours
                .map(Asked::Hours)
                .ok_or("write it as [hours.NAME] and an hours step: the extension was left out");
        }
        let expression = self.filled(node.attribute("expression").unwrap_or_default());
        match node.attribute("field").map(|field| field.trim_start_matches("${").trim_end_matches('}')) {
            None => Ok(Asked::Nothing),
            Some("destination_number") if extension.numbers.is_empty() => {
                extension.numbers = patterns(&expression)
                    .ok_or("a number that our patterns cannot mean (\"Numbers\" in docs/dialplan.md): the extension was left out")?;
                extension.first_is_called = captures_all(&expression);
                Ok(Asked::Nothing)
            }
            Some("caller_id_number") => {
                let numbers = patterns(&expression).ok_or(cannot)?;
                let numbers: Vec<String> = numbers.iter().map(|pattern| quoted(pattern.text())).collect();
                Ok(Asked::Condition(format!("caller = [{}]", numbers.join(", "))))
            }
            Some(_) => Err(cannot),
        }
    }

    fn actions(&mut self, condition: Node<'_, '_>, tag: &str) -> Vec<Action> {
        let mut actions = Vec::new();
        for node in condition.children().filter(Node::is_element) {
            let place = self.place(node);
            let name = node.tag_name().name();
            if name == tag {
                let app = node.attribute("application").unwrap_or_default().to_owned();
                let data = self.filled(node.attribute("data").unwrap_or_else(|| node.text().unwrap_or_default()));
                let came = format!("{}: {app} {data}", self.name);
                actions.push(Action { app, data: data.trim().to_owned(), place, came });
            } else if !matches!(name, "action" | "anti-action") {
                self.todo(place, &format!("<{name}> in a condition"), "nothing of it was taken");
            }
        }
        actions
    }

    /// Flows of all extensions and menus, and the numbers that lead to them.
    pub(super) fn translate(&mut self) {
        let mut extensions = std::mem::take(&mut self.extensions);
        for extension in &mut extensions {
            extension.flow = self.plan.add_flow(&safe_name(&extension.name));
        }
        let mut menus = std::mem::take(&mut self.menus);
        for (name, menu) in &mut menus {
            menu.flow = self.plan.add_flow(&safe_name(&format!("ivr_{name}")));
        }
        let led_to = led_to(&extensions, &menus);
        let only_led_to = extensions.iter().all(|extension| led_to.contains(&extension.context));
        let begins = |context: &String| match &self.wishes.contexts[..] {
            [] => only_led_to || !led_to.contains(context),
            wished => wished.contains(context),
        };
        let begins: Vec<bool> = extensions.iter().map(|extension| begins(&extension.context)).collect();
        for (extension, begins) in extensions.iter().zip(begins) {
            for pattern in extension.numbers.iter().filter(|_| begins) {
                if self.plan.is_free(pattern) {
                    self.plan.numbers.push((pattern.clone(), extension.flow));
                } else {
                    self.plan.tell_taken(pattern, extension.place, self.report);
                }
            }
        }
        (self.extensions, self.menus) = (extensions, menus);
        for index in 0..self.extensions.len() {
            self.extension_flow(index);
        }
        self.menu_flows();
    }

    fn extension_flow(&mut self, index: usize) {
        let stages = std::mem::take(&mut self.extensions[index].stages);
        let Extension { flow, place, first_is_called, .. } = self.extensions[index];
        let start = self.push(flow, "", place, Do::Echo);
        let end = self.push(flow, "", place, Do::Hangup { code: 16, cause: "normal_clearing" });
        // From the last condition to the first: each knows where it goes on.
        let mut next = end;
        for stage in stages.into_iter().rev() {
            let holds = self.chain(flow, &stage.actions, first_is_called, next);
            let onward = if stage.goes_on { next } else { end };
            let fails = self.chain(flow, &stage.otherwise, first_is_called, onward);
            next = match stage.asked {
                Asked::Nothing => holds,
                Asked::Condition(condition) => {
                    self.push(flow, "", place, Do::When { cases: vec![(condition, holds)], otherwise: fails })
                }
                Asked::Hours(hours) => {
                    let hours = self.hours(hours, place);
                    self.push(flow, "", place, Do::Hours { hours, open: holds, closed: fails })
                }
            };
        }
        self.plan.flows[flow].steps[start].action = Do::Jump { next };
    }

    /// The steps of actions one behind the other, from the last on; gives the first.
    pub(super) fn chain(&mut self, flow: usize, actions: &[Action], first_is_called: bool, end: usize) -> usize {
        let mut next = end;
        for action in actions.iter().rev() {
            let step = self.step(action, first_is_called, next);
            next = self.push(flow, &action.came, action.place, step);
        }
        next
    }

    /// The name of hours like these.
    fn hours(&mut self, hours: Hours, place: Place) -> String {
        let same = |other: &&Hours| (&other.days, other.from, other.to) == (&hours.days, hours.from, hours.to);
        if let Some(known) = self.plan.hours.iter().find(same) {
            return known.name.clone();
        }
        let name = format!("hours_{}", self.plan.hours.len() + 1);
        self.plan.hours.push(Hours { name: name.clone(), ..hours });
        let zone = &self.wishes.zone;
        let advice = format!("they are taken to be in {zone}: the other machine's clock decided; --zone says which");
        self.todo(place, "hours without a time zone", &advice);
        name
    }
}

/// The contexts that some transfer leads to.
fn led_to(extensions: &[Extension], menus: &BTreeMap<String, Menu>) -> BTreeSet<String> {
    let stages = extensions.iter().flat_map(|extension| &extension.stages);
    let actions = stages.flat_map(|stage| stage.actions.iter().chain(&stage.otherwise));
    let actions = actions.chain(menus.values().flat_map(Menu::actions)).filter(|action| action.app == "transfer");
    actions.filter_map(|action| action.data.split_whitespace().nth(2).map(str::to_owned)).collect()
}

/// Weekly hours out of the attributes of a condition.
fn hours<'a>(attribute: impl Fn(&str) -> Option<&'a str>) -> Option<Hours> {
    let range = |text: &str| -> Option<(u32, u32)> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
    };
    let mut days = Vec::new();
    for part in attribute("wday").unwrap_or("1-7").split(',') {
        let (first, last) = range(part)?;
        if !(1..=7).contains(&first) || !(1..=7).contains(&last) {
            return None;
        }
        // A range may go on over Saturday.
        let count = (last + 7 - first) % 7 + 1;
        days.extend((first - 1..first - 1 + count).map(|day| DAYS[day as usize % 7]));
    }
    days.sort_by_key(|name| DAYS.iter().position(|day| day == name));
    days.dedup();
    let clock = |text: &str| -> Option<u32> {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute) = (hour.parse::<u32>().ok()?, minute.get(..2)?.parse::<u32>().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let spans = [attribute("hour"), attribute("minute-of-day"), attribute("time-of-day")];
    // The last hour and minute count with all that belongs to them.
    let (from, to) = match spans {
        [None, None, None] => (0, 1_440),
        [Some(hours), None, None] => {
            range(hours).filter(|(_, last)| *last < 24).map(|(first, last)| (first * 60, last * 60 + 60))?
        }
        [None, Some(minutes), None] => {
            range(minutes).filter(|(_, last)| *last < 1_440).map(|(first, last)| (first, last + 1))?
        }
        [None, None, Some(times)] => {
            let (first, last) = times.split_once('-')?;
            (clock(first)?, clock(last)? + 1)
        }
        _ => return None,
    };
    (from < to).then(|| Hours { name: String::new(), days, from, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_count_what_belongs_to_their_last_hour() {
        let read = |pairs: &[(&str, &'static str)]| {
            hours(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value))
        };
        let office = read(&[("wday", "2-6"), ("hour", "9-17")]).expect("hours");
        assert_eq!((office.days, office.from, office.to), (vec!["mon", "tue", "wed", "thu", "fri"], 540, 1_080));
        let minutes = read(&[("minute-of-day", "540-1079")]).expect("hours");
        assert_eq!((minutes.days.len(), minutes.from, minutes.to), (7, 540, 1_080));
        let times = read(&[("wday", "7-1"), ("time-of-day", "09:00-11:59:59")]).expect("hours");
        assert_eq!((times.days, times.from, times.to), (vec!["sun", "sat"], 540, 720));
        for other in [("wday", "0-3"), ("hour", "9-24"), ("hour", "17-9"), ("time-of-day", "9-17")] {
            assert_eq!(read(&[other]), None, "{other:?}");
        }
    }
}
