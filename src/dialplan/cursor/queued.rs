//! What happens to a caller who waits in a queue: messages, keys, the end of the hours.

use std::sync::Arc;

use super::super::act::{Act, FloorView};
use super::super::action::Action;
use super::super::decision::Decision;
use super::super::program::{Program, Prompt, StepRef};
use super::super::talk::Waiting;
use super::enter::{closes_in_ms, open_by};
use super::{Cursor, State};
use crate::time::{MS, Now};

/// A caller in a queue, as the plan sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Queued {
    at: StepRef,
    pub(super) next: Option<StepRef>,
    pub(super) unrecorded: Option<StepRef>,
    /// When each message is next to be said (monotonic nanoseconds), in the order of the plan.
    due: Vec<Option<u64>>,
    /// When the hours end.
    closes_ns: Option<u64>,
    /// The message that is being said.
    pub(super) playing: Option<u32>,
}

impl Queued {
    pub(super) fn new(
        at: StepRef,
        next: Option<StepRef>,
        unrecorded: Option<StepRef>,
        waiting: &Waiting,
        closes_in_ms: Option<u64>,
        now: Now,
    ) -> Self {
        let due = waiting.messages.iter().map(|message| Some(now.in_ms(message.after_ms))).collect();
        Self { at, next, unrecorded, due, closes_ns: closes_in_ms.map(|ms| now.in_ms(ms)), playing: None }
    }

    pub(super) fn has_keys(&self, program: &Program) -> bool {
        matches!(&program.step(self.at).action, Action::Queue { waiting, .. } if !waiting.keys.is_empty())
    }

    pub(super) fn deadline_ns(&self) -> Option<u64> {
        // One message at a time: those that fall due meanwhile follow it.
        let message = self.due.iter().flatten().min().filter(|_| self.playing.is_none());
        message.into_iter().chain(&self.closes_ns).min().copied()
    }
}

impl Cursor {
    pub(super) fn handle_queue_timeout(&mut self, now: Now, floor: &dyn FloorView) {
        let program = Arc::clone(&self.program);
        let State::Queued(queued) = &mut self.state else { return };
        let Action::Queue { waiting, .. } = &program.step(queued.at).action else { return };
        if queued.closes_ns.is_some_and(|at| at <= now.mono_ns) {
            return self.handle_closing(now, floor);
        }
        let due = queued.due.iter().position(|at| at.is_some_and(|at| at <= now.mono_ns));
        let Some((index, message)) = due.and_then(|index| Some((index, waiting.messages.get(index)?))) else { return };
        // From when it was due, so that delays do not add up; but not for what was missed while another was said.
        let again = |at: u64, every: u64| {
            let missed = now.mono_ns.saturating_sub(at) / (every * MS);
            at + (missed + 1) * every * MS
        };
        queued.due[index] = queued.due[index].zip(message.every_ms).map(|(at, every)| again(at, every));
        let mut prompts = Vec::new();
        for item in &message.items {
            self.say(item, &self.language, now, floor, &mut prompts);
        }
        if prompts.is_empty() {
            return;
        }
        self.plays = self.plays.wrapping_add(1);
        let id = self.plays;
        self.acts.push_back(Act::PlayToWaiting { prompts, id });
        if let State::Queued(queued) = &mut self.state {
            queued.playing = Some(id);
        }
    }

    /// What an agent who answers hears before the caller who waits; nothing where the plan has nothing to say.
    pub fn announcement(&self, now: Now, floor: &dyn FloorView) -> Vec<Prompt> {
        let State::Queued(queued) = &self.state else { return Vec::new() };
        match &self.program.step(queued.at).action {
            Action::Queue { announce, .. } => self.said(announce, now, floor),
            _ => Vec::new(),
        }
    }

    /// From now on neither keys nor messages nor the end of the hours are the caller's, nor the end of a wait in a slot.
    pub(super) fn handle_connected(&mut self) {
        let at = match &self.state {
            State::Queued(queued) => queued.at,
            State::Parked { step, .. } => *step,
            _ => return,
        };
        let after = match &self.program.step(at).action {
            Action::Queue { after, .. } => *after,
            _ => None,
        };
        self.state = State::Talking { after };
    }

    pub(super) fn handle_message_over(&mut self) {
        if let State::Queued(queued) = &mut self.state {
            queued.playing = None;
            self.acts.push_back(Act::PlayMusic);
        }
    }

    pub(super) fn handle_queue_key(&mut self, key: char, now: Now, floor: &dyn FloorView) {
        let program = Arc::clone(&self.program);
        let State::Queued(queued) = &self.state else { return };
        let Action::Queue { waiting, .. } = &program.step(queued.at).action else { return };
        if let Some(next) = waiting.keys.get(&key).copied() {
            self.leave(Some(key), next, now, floor);
        }
    }

    /// Takes in that the hours of a queue may have closed, by the clock or by hand.
    pub fn handle_closing(&mut self, now: Now, floor: &dyn FloorView) {
        let program = Arc::clone(&self.program);
        let State::Queued(queued) = &mut self.state else { return };
        let Action::Queue { waiting, .. } = &program.step(queued.at).action else { return };
        let Some((hours, closing)) = &waiting.closing else { return };
        if open_by(&program, hours, now, floor).0 {
            // Opened again meanwhile; the next end is looked for.
            let closes_in_ms = closes_in_ms(&program, hours, now);
            queued.closes_ns = closes_in_ms.map(|ms| now.in_ms(ms));
            return;
        }
        self.decide(Decision::Closing { hours: hours.clone() });
        self.leave(None, *closing, now, floor);
    }

    fn leave(&mut self, key: Option<char>, next: StepRef, now: Now, floor: &dyn FloorView) {
        self.acts.push_back(Act::LeaveQueue { key });
        self.enter(next, now, floor);
    }
}
