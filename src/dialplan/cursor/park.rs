//! A caller who waits in a slot until somebody fetches the call, and who comes to fetch it.

use std::sync::Arc;

use super::super::act::{Act, CallFacts, CursorInput, FloorView};
use super::super::action::Action;
use super::super::decision::Decision;
use super::super::program::{Program, StepRef};
use super::{Cursor, State};
use crate::time::Now;

/// Acts of a plan that are looked at ahead.
const MOST_AHEAD: usize = 64;

impl Cursor {
    /// The slot to which a call for this number comes by itself: what is played to it is taken as heard. `None` where it comes to
    /// none, or where that is for its caller or another system to say.
    pub fn slot_ahead(program: Arc<Program>, facts: CallFacts, now: Now, floor: &dyn FloorView) -> Option<String> {
        let mut cursor = Self::start(program, facts, now, floor)?;
        for _ in 0..MOST_AHEAD {
            match cursor.poll_act()? {
                Act::Park { slot, .. } => return Some(slot),
                Act::Answer => cursor.handle(CursorInput::Answered, now, floor),
                Act::Play { id, .. } | Act::PlayEarly { id, .. } => {
                    cursor.handle(CursorInput::PlayFinished { id, completed: true }, now, floor);
                }
                _ => {}
            }
        }
        None
    }

    /// Begins a park step.
    pub(super) fn park(&mut self, at: StepRef, now: Now) {
        let program = Arc::clone(&self.program);
        let Action::Park { slot, music, for_ms, .. } = &program.step(at).action else { return };
        let slot = self.fill(slot);
        self.acts.push_back(Act::Park { slot, music: music.clone() });
        self.state = State::Parked { deadline_ns: now.in_ms(*for_ms), step: at };
    }

    pub(super) fn handle_park_timeout(&mut self, step: StepRef, now: Now, floor: &dyn FloorView) {
        let program = Arc::clone(&self.program);
        let Action::Park { timeout, .. } = program.step(step).action else { return };
        self.acts.push_back(Act::Unpark);
        self.enter(timeout, now, floor);
    }

    pub(super) fn handle_not_fetched(&mut self, why: String, now: Now, floor: &dyn FloorView) {
        let State::Parked { step, .. } = self.state else { return };
        let program = Arc::clone(&self.program);
        let Action::Park { empty, .. } = program.step(step).action else { return };
        self.decide(Decision::NotFetched { why });
        self.enter(empty, now, floor);
    }
}
