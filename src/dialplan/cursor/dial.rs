//! Calls that a plan places for its caller.

use std::sync::Arc;

use super::super::act::{Act, Decision, DialPlace};
use super::super::action::Action;
use super::super::program::StepRef;
use super::message::may_be_called;
use super::{Cursor, State};
use crate::id::AgentId;

impl Cursor {
    /// Begins a dial step; the step to go on with where there is nobody who may be called.
    pub(super) fn dial(&mut self, at: StepRef) -> Option<StepRef> {
        let program = Arc::clone(&self.program);
        let Action::Dial { users, outside, ring_ms, record, next } = &program.step(at).action else { return None };
        let users = users.iter().map(|template| self.fill(template)).filter(|user| !user.is_empty());
        let mut places: Vec<DialPlace> = users.map(|user| DialPlace::User(AgentId::from(user.as_str()))).collect();
        if let Some(outside) = outside {
            let number = self.fill(&outside.number);
            if may_be_called(&number, &outside.allow) {
                places.push(DialPlace::Number { number, trunk: outside.trunk.clone() });
            } else {
                self.decide(Decision::NotAllowed { number });
            }
        }
        if places.is_empty() {
            return Some(*next);
        }
        let record = *record && self.noticed && !self.refused;
        self.acts.push_back(Act::Dial { places, ring_ms: *ring_ms, record });
        self.state = State::Dialling { next: *next };
        None
    }
}
