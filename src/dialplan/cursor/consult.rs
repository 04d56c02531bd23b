//! Questions to other systems: asked again where no answer comes, and never waited for without end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::act::{Act, FloorView, Question};
use super::super::action::Action;
use super::super::decision::Decision;
use super::super::program::{Customer, StepRef};
use super::{Cursor, State};
use crate::time::Now;

impl Cursor {
    pub(super) fn begin_consultation(&mut self, step: StepRef, now: Now) {
        let about = self.questions + 1;
        self.consult(step, about, 0, now);
    }

    fn consult(&mut self, at: StepRef, about: u32, tries: u32, now: Now) {
        let program = Arc::clone(&self.program);
        let step = program.step(at);
        let (Action::Webhook { inquiry, .. } | Action::Customer { inquiry: Some(inquiry), .. }) = &step.action else {
            return;
        };
        self.questions = self.questions.wrapping_add(1);
        let (id, timeout_ms) = (self.questions, inquiry.timeout_ms);
        let sent = inquiry.send.iter().map(|(name, template)| (name.clone(), self.fill(template)));
        let number = match &step.action {
            Action::Customer { number, .. } => Some(("number".to_owned(), self.customer_number(number))),
            _ => None,
        };
        let fields = number.into_iter().chain(sent).collect();
        let (hook, step) = (inquiry.hook.clone(), format!("{}.{}", step.flow, step.name));
        self.acts.push_back(Act::Consult(Question { id, about, hook, step, fields, timeout_ms }));
        self.state = State::Consulting { id, about, deadline_ns: now.in_ms(timeout_ms), step: at, tries };
    }

    /// An answer to a question that is not open any more changes nothing.
    pub(super) fn handle_reply(
        &mut self,
        replied: u32,
        reply: Result<BTreeMap<String, String>, String>,
        now: Now,
        floor: &dyn FloorView,
    ) {
        let State::Consulting { id, about, step, tries, .. } = self.state else { return };
        let program = Arc::clone(&self.program);
        let action = &program.step(step).action;
        let (Action::Webhook { inquiry, .. } | Action::Customer { inquiry: Some(inquiry), .. }) = action else {
            return;
        };
        if id != replied {
            return;
        }
        let why = reply.as_ref().err().cloned();
        self.decide(Decision::Webhook { hook: inquiry.hook.clone(), why });
        match reply {
            Ok(fields) => {
                let next = self.take_reply(action, fields);
                self.enter(next.unwrap_or(inquiry.failed), now, floor);
            }
            Err(_) if tries < inquiry.retries => self.consult(step, about, tries + 1, now),
            Err(_) => self.enter(inquiry.failed, now, floor),
        }
    }

    /// Takes the values of an answer; the step that follows.
    fn take_reply(&mut self, action: &Action, mut fields: BTreeMap<String, String>) -> Option<StepRef> {
        match action {
            Action::Webhook { into, next, .. } => {
                for (field, variable) in into {
                    if let Some(value) = fields.remove(field) {
                        self.set(variable, value);
                    }
                }
                Some(*next)
            }
            Action::Customer { known, unknown, .. } => {
                let customer = customer_of(fields);
                Some(if self.meet(customer.as_ref()) { *known } else { *unknown })
            }
            _ => None,
        }
    }
}

/// Whom another system knows under a number: nobody where it says so, or says nothing of anybody.
fn customer_of(mut fields: BTreeMap<String, String>) -> Option<Customer> {
    let mut field = |name: &str| fields.remove(name).unwrap_or_default();
    let (known, tags) = (field("known"), field("tags"));
    let tags = tags.split_whitespace().map(str::to_owned).collect();
    let customer = Customer { name: field("name"), class: field("class"), agent: field("agent"), tags };
    match known.as_str() {
        "true" => Some(customer),
        "false" => None,
        _ => (customer != Customer::default()).then_some(customer),
    }
}
