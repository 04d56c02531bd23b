//! What is written and never used: seldom an error, often a name that was changed in one place only.

use std::collections::BTreeSet;

use super::super::action::Action;
use super::super::condition::Condition;
use super::super::inquiry::Inquiry;
use super::super::load::Places;
use super::super::program::Program;
use super::super::report::Report;
use super::super::talk::{Item, Said};
use super::super::values::Template;
use super::paths::Paths;

#[derive(Default)]
struct Used {
    queues: BTreeSet<String>,
    hours: BTreeSet<String>,
    variables: BTreeSet<String>,
}

pub(super) fn check(program: &Program, paths: &Paths<'_>, places: &Places, report: &mut Report) {
    let mut used = Used::default();
    for step in &program.steps {
        used.see(&step.action);
    }
    for queue in program.queues.values() {
        used.queues.extend(queue.overflow.iter().map(|step| step.to.to_string()));
        queue.rules.iter().for_each(|rule| used.condition(&rule.when));
    }
    let begins: BTreeSet<&str> = program.numbers.flows().map(|(flow, _)| flow).collect();
    let entered: BTreeSet<&str> = program
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Goto { next } => program.steps.get(next.0).filter(|to| to.flow != step.flow),
            _ => None,
        })
        .map(|to| to.flow.as_str())
        .collect();
    for (name, place) in &places.flows {
        let used = begins.contains(name.as_str()) || entered.contains(name.as_str()) || paths.is_called(name);
        if !used {
            let hint = Some(format!("let a number lead to it: [number.\"…\"] flow = \"{name}\""));
            report.warning(*place, format!("nothing leads to flow \"{name}\""), hint);
        }
    }
    let unused = [
        ("queue", "waits in it", &places.queues, &used.queues),
        ("hours", "asks for them", &places.hours, &used.hours),
        ("variable", "reads or writes it", &places.variables, &used.variables),
    ];
    for (kind, what, all, used) in unused {
        for (name, place) in all.iter().filter(|(name, _)| !used.contains(*name)) {
            report.warning(*place, format!("{kind} \"{name}\" is unused: no step {what}"), None);
        }
    }
}

impl Used {
    fn see(&mut self, action: &Action) {
        self.items(action.items());
        match action {
            Action::Gather { entry, .. } => drop(self.variables.insert(entry.into.clone())),
            Action::When { cases, .. } => cases.iter().for_each(|(condition, _)| self.condition(condition)),
            Action::Set { variables, .. } | Action::Call { with: variables, .. } => {
                for (name, template) in variables {
                    self.variables.insert(name.clone());
                    self.template(template);
                }
            }
            Action::Customer { number, inquiry, .. } => {
                self.template(number);
                inquiry.iter().for_each(|inquiry| self.inquiry(inquiry));
            }
            Action::Transfer { to, .. } => self.template(to),
            Action::Sit { agent, pin, .. } => [agent, pin].into_iter().for_each(|template| self.template(template)),
            Action::Conference { room, .. } => self.template(room),
            Action::Park { slot, .. } => self.template(slot),
            Action::Queue { queue, waiting, prefer, .. } => {
                prefer.agents.iter().for_each(|template| self.template(template));
                self.queues.insert(queue.to_string());
                self.hours.extend(waiting.closing.iter().map(|(hours, _)| hours.clone()));
            }
            Action::Webhook { inquiry, into, .. } => {
                self.inquiry(inquiry);
                self.variables.extend(into.iter().map(|(_, variable)| variable.clone()));
            }
            Action::Dial { users, outside, .. } => {
                let number = outside.as_ref().map(|outside| &outside.number);
                users.iter().flatten().chain(number).for_each(|template| self.template(template));
            }
            Action::Callback { number, queue, hours, .. } => {
                self.template(number);
                self.hours.extend(hours.clone());
                self.queues.insert(queue.to_string());
            }
            Action::Hours { hours, .. } => {
                self.hours.insert(hours.clone());
            }
            _ => {}
        }
    }

    fn items(&mut self, items: Vec<&Item>) {
        for item in items {
            match &item.what {
                Said::Number(text)
                | Said::Digits(text)
                | Said::Money(text, _)
                | Said::Date(text)
                | Said::Time(text) => {
                    self.template(text);
                }
                Said::Prompt(_) | Said::Text(_) | Said::Position | Said::ExpectedWait => {}
            }
        }
    }

    fn inquiry(&mut self, inquiry: &Inquiry) {
        inquiry.send.iter().for_each(|(_, template)| self.template(template));
    }

    fn template(&mut self, template: &Template) {
        self.variables.extend(template.variables().map(str::to_owned));
    }

    fn condition(&mut self, condition: &Condition) {
        condition.visit(&mut |one| match one {
            Condition::Hours(hours, _) => drop(self.hours.insert(hours.clone())),
            Condition::Queue(queue, ..) => drop(self.queues.insert(queue.to_string())),
            Condition::Variable(name, _) => drop(self.variables.insert(name.clone())),
            _ => {}
        });
    }
}
