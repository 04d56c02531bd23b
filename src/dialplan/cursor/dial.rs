//! Where a plan sends its caller: to somebody who is called, to another number, into a room.

use std::sync::Arc;

use super::super::act::{Act, DialPlace, FloorView};
use super::super::action::Action;
use super::super::decision::Decision;
use super::super::program::StepRef;
use super::message::may_be_called;
use super::{Cursor, State};
use crate::id::AgentId;
use crate::time::Now;

/// How often a call may be sent on by its plan: more is a circle.
const MOST_TRANSFERS: u32 = 16;
/// How long the phone of a user rings to whom a call is sent on, ms.
const RING_MS: u64 = 30_000;

impl Cursor {
    /// Begins a dial step; the step to go on with where there is nobody who may be called.
    pub(super) fn dial(&mut self, at: StepRef) -> Option<StepRef> {
        let program = Arc::clone(&self.program);
        let Action::Dial { users, outside, ring_ms, record, next } = &program.step(at).action else { return None };
        let mut places: Vec<Vec<DialPlace>> = Vec::new();
        for together in users {
            let users = together.iter().map(|template| self.fill(template)).filter(|user| !user.is_empty());
            let users: Vec<DialPlace> = users.map(|user| DialPlace::User(AgentId::from(user.as_str()))).collect();
            places.extend((!users.is_empty()).then_some(users));
        }
        if let Some(outside) = outside {
            let number = self.fill(&outside.number);
            if may_be_called(&number, &outside.allow) {
                places.push(vec![DialPlace::Number { number, trunk: outside.trunk.clone() }]);
            } else {
                self.decide(Decision::NotAllowed { number });
            }
        }
        if places.is_empty() {
            return Some(*next);
        }
        let record = *record && self.noticed && !self.refused;
        self.acts.push_back(Act::Dial { places, ring_ms: *ring_ms, record, goes_on: false });
        self.state = State::Dialling { next: *next };
        None
    }

    /// Begins a transfer step: a number of the plan leads into its flow, at the step that comes back; a user is called.
    pub(super) fn transfer(&mut self, at: StepRef) -> Option<StepRef> {
        let program = Arc::clone(&self.program);
        let Action::Transfer { to, failed } = &program.step(at).action else { return None };
        let number = self.fill(to);
        self.transfers += 1;
        if number.is_empty() || self.transfers > MOST_TRANSFERS {
            self.decide(Decision::NotTransferred { number });
            return Some(*failed);
        }
        let destination = program.numbers.destination(&number, self.facts.trunk.as_ref());
        let led = destination.and_then(|destination| Some((program.flows.get(destination.flow)?, destination)));
        let Some((flow, destination)) = led else {
            let places = vec![vec![DialPlace::User(AgentId::from(number.as_str()))]];
            self.acts.push_back(Act::Dial { places, ring_ms: RING_MS, record: false, goes_on: true });
            self.state = State::Dialling { next: *failed };
            return None;
        };
        let (name, language) = (destination.flow.to_owned(), destination.language.unwrap_or(&flow.language).to_owned());
        self.facts.called = destination.called;
        self.frames.clear();
        self.flow.clone_from(&name);
        self.language.clone_from(&language);
        self.acts.push_back(Act::EnterFlow { flow: name, language });
        Some(flow.start)
    }

    pub(super) fn handle_room_key(&mut self, step: StepRef, key: char, now: Now, floor: &dyn FloorView) {
        let program = Arc::clone(&self.program);
        let Action::Conference { keys, .. } = &program.step(step).action else { return };
        if let Some(next) = keys.get(&key) {
            self.acts.push_back(Act::LeaveRoom);
            self.enter(*next, now, floor);
        }
    }

    /// A room or a slot does not take the caller.
    pub(super) fn handle_not_admitted(&mut self, why: String, now: Now, floor: &dyn FloorView) {
        let (State::Conferring { step } | State::Parked { step, .. }) = self.state else { return };
        let program = Arc::clone(&self.program);
        let (Action::Conference { failed: next, .. } | Action::Park { occupied: next, .. }) = program.step(step).action
        else {
            return;
        };
        self.decide(Decision::NotAdmitted { why });
        self.enter(next, now, floor);
    }
}
