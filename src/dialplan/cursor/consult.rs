//! Questions to other systems: asked again where no answer comes, and never waited for without end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::act::{Act, Decision, FloorView, Question};
use super::super::action::Action;
use super::super::program::StepRef;
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
        let Action::Webhook { hook, send, timeout_ms, .. } = &step.action else { return };
        self.questions = self.questions.wrapping_add(1);
        let (id, timeout_ms) = (self.questions, *timeout_ms);
        let fields = send.iter().map(|(name, template)| (name.clone(), self.fill(template))).collect();
        let (hook, step) = (hook.clone(), format!("{}.{}", step.flow, step.name));
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
        let Action::Webhook { hook, into, retries, next, failed, .. } = &program.step(step).action else { return };
        if id != replied {
            return;
        }
        let why = reply.as_ref().err().cloned();
        self.decide(Decision::Webhook { hook: hook.clone(), why });
        match reply {
            Ok(mut fields) => {
                for (field, variable) in into {
                    if let Some(value) = fields.remove(field) {
                        self.set(variable, value);
                    }
                }
                self.enter(*next, now, floor);
            }
            Err(_) if tries < *retries => self.consult(step, about, tries + 1, now),
            Err(_) => self.enter(*failed, now, floor),
        }
    }
}
