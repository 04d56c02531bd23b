//! Messages that callers leave, and requests to be called back: kept before the plan goes on.

use std::sync::Arc;

use super::super::act::{Act, CallbackWish, FloorView};
use super::super::action::Action;
use super::super::decision::Decision;
use super::super::pattern::Pattern;
use super::super::program::StepRef;
use super::{Cursor, State};
use crate::time::{MS, Now};

/// What is shorter is no message: the caller has changed their mind, ms.
const SHORTEST_MS: u64 = 1_000;
/// How long the disk may take to keep what was left, ms.
const STORE_MS: u64 = 10_000;
/// The longest number that is called, digits (E.164, and a prefix or two).
const LONGEST_NUMBER: usize = 20;

/// A message that is being spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    step: StepRef,
    began_ns: u64,
    /// When it counts, then when it is the longest.
    pub(super) deadline_ns: u64,
    /// It is long enough to count.
    kept: bool,
}

impl Cursor {
    /// The tone has sounded.
    pub(super) fn begin_message(&mut self, step: StepRef, now: Now) {
        self.acts.push_back(Act::BeginMessage);
        let deadline_ns = now.in_ms(SHORTEST_MS);
        self.state = State::Speaking(Message { step, began_ns: now.mono_ns, deadline_ns, kept: false });
    }

    pub(super) fn handle_message_timeout(&mut self, now: Now) {
        let program = Arc::clone(&self.program);
        let State::Speaking(message) = &mut self.state else { return };
        let Action::Voicemail { mailbox, longest_ms, .. } = &program.step(message.step).action else { return };
        if message.kept {
            return self.end_message(now);
        }
        message.kept = true;
        message.deadline_ns = message.began_ns.saturating_add(longest_ms.saturating_mul(MS));
        self.acts.push_back(Act::KeepMessage { mailbox: mailbox.clone() });
    }

    pub(super) fn handle_message_key(&mut self, key: char, now: Now) {
        if key == '#' {
            self.end_message(now);
        }
    }

    fn end_message(&mut self, now: Now) {
        let State::Speaking(Message { step, kept, .. }) = self.state else { return };
        let program = Arc::clone(&self.program);
        let Action::Voicemail { next, failed, .. } = &program.step(step).action else { return };
        self.acts.push_back(Act::EndMessage);
        let next = if kept { *next } else { *failed };
        self.state = State::Storing { deadline_ns: now.in_ms(STORE_MS), next, failed: *failed };
    }

    pub(super) fn handle_stored(&mut self, safe: bool, now: Now, floor: &dyn FloorView) {
        match &self.state {
            State::Storing { next, failed, .. } => {
                let step = if safe { *next } else { *failed };
                self.enter(step, now, floor);
            }
            // The message could not begin.
            State::Speaking(message) if !safe => {
                let Action::Voicemail { failed, .. } = self.program.step(message.step).action else { return };
                self.decide(Decision::NoMessage);
                self.enter(failed, now, floor);
            }
            _ => {}
        }
    }

    /// Begins a callback step; the step to go on with where the number is none to be called.
    pub(super) fn request_callback(&mut self, at: StepRef, now: Now, floor: &dyn FloorView) -> Option<StepRef> {
        let program = Arc::clone(&self.program);
        let Action::Callback { number, queue, priority, trunk, allow, hours, retry_ms, most, record, next, failed } =
            &program.step(at).action
        else {
            return None;
        };
        let filled = self.fill(number);
        let number = if filled.is_empty() { self.facts.caller.clone() } else { filled };
        if !may_be_called(&number, allow) {
            self.decide(Decision::NotAllowed { number });
            return Some(*failed);
        }
        let (added, wishes) = self.rules_of(queue, now, floor);
        self.acts.push_back(Act::RequestCallback(CallbackWish {
            number,
            queue: queue.clone(),
            priority: priority.saturating_add(added),
            wishes,
            trunk: trunk.clone(),
            hours: hours.clone(),
            retry_ms: *retry_ms,
            most: *most,
            record: *record && self.noticed && !self.refused,
        }));
        self.state = State::Storing { deadline_ns: now.in_ms(STORE_MS), next: *next, failed: *failed };
        None
    }
}

/// Whether a text is a number, and one that the plan lets us call.
pub(super) fn may_be_called(number: &str, allow: &[Pattern]) -> bool {
    let digits = number.strip_prefix('+').unwrap_or(number);
    let is_number = (1..=LONGEST_NUMBER).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    is_number && allow.iter().any(|pattern| pattern.fits(number))
}
