//! Runs a program for one call: inputs and the time in, acts out.

mod ask;
mod consult;
mod dial;
mod enter;
mod message;
mod park;
mod queued;
mod say;
mod state;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::act::{Act, CallFacts, CursorInput, FloorView};
use super::change::RecordChange;
use super::decision::Decision;
use super::program::{Program, StepRef};
use crate::journal::{Cause, LeaveReason};
use crate::time::Now;

use state::State;

/// Keys kept for the next question when they come early.
const TYPE_AHEAD: usize = 16;
/// Plays that may fail in a row before the call is given up, so that a loop over a broken file ends.
const FAILED_PLAYS: u32 = 10;

/// Where a called flow comes back to, and what its caller's variables held.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Frame {
    next: StepRef,
    held: Vec<(String, String)>,
}

/// Where one call stands in its plan. Keeps the program that it began with over reloads.
#[derive(Clone, Debug)]
pub struct Cursor {
    program: Arc<Program>,
    facts: CallFacts,
    flow: String,
    language: String,
    state: State,
    answered: bool,
    /// Whether the caller knows of a recording: heard the notice, or was asked.
    noticed: bool,
    refused: bool,
    class: String,
    customer: String,
    /// The agent whose customer it is.
    own_agent: String,
    tags: BTreeSet<String>,
    variables: BTreeMap<String, String>,
    frames: Vec<Frame>,
    keys: VecDeque<char>,
    plays: u32,
    /// Questions to other systems so far, those asked again included.
    questions: u32,
    failed_plays: u32,
    /// How often the call went on as though another number had been called.
    transfers: u32,
    acts: VecDeque<Act>,
}

impl Cursor {
    /// Begins the flow of the called number; `None` where no flow serves it.
    pub fn start(program: Arc<Program>, facts: CallFacts, now: Now, floor: &dyn FloorView) -> Option<Self> {
        let destination = program.numbers.destination(&facts.called, facts.trunk.as_ref())?;
        let (name, flow) = program.flows.get_key_value(destination.flow)?;
        let (name, start) = (name.clone(), flow.start);
        let language = destination.language.unwrap_or(&flow.language).to_owned();
        let facts = CallFacts { called: destination.called, ..facts };
        let variables = program.variables.iter().map(|(name, variable)| (name.clone(), variable.initial.clone()));
        let mut cursor = Self {
            variables: variables.collect(),
            program: Arc::clone(&program),
            class: facts.class.clone(),
            facts,
            flow: name,
            language,
            state: State::Ended,
            answered: false,
            noticed: false,
            refused: false,
            customer: String::new(),
            own_agent: String::new(),
            tags: BTreeSet::new(),
            frames: Vec::new(),
            keys: VecDeque::new(),
            plays: 0,
            questions: 0,
            failed_plays: 0,
            transfers: 0,
            acts: VecDeque::new(),
        };
        cursor.enter(start, now, floor);
        Some(cursor)
    }

    /// The flow that the call began with.
    pub fn flow(&self) -> &str {
        &self.flow
    }

    /// The language in force.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// The caller's class; empty where nobody has said one.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// What a variable of the plan holds; `None` where there is none of this name.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// What was known when the call came in.
    pub fn facts(&self) -> &CallFacts {
        &self.facts
    }

    /// Whether the plan has nothing more to say.
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: CursorInput, now: Now, floor: &dyn FloorView) {
        match input {
            CursorInput::Answered => {
                self.answered = true;
                if let State::Answering { next } = self.state {
                    self.begin_talk(next, now, floor);
                }
            }
            CursorInput::PlayFinished { id, completed } => self.handle_play_finished(id, completed, now, floor),
            CursorInput::Digit(key) => self.handle_digit(key, now, floor),
            CursorInput::QueueLeft { reason } => self.handle_queue_left(reason, now, floor),
            CursorInput::Connected => self.handle_connected(),
            CursorInput::AgentLeft => {
                if let State::Talking { after: Some(after) } = self.state {
                    self.enter(after, now, floor);
                }
            }
            CursorInput::NotReached { cause } => {
                if let State::Dialling { next } = self.state {
                    self.decide(Decision::NotReached { cause });
                    self.enter(next, now, floor);
                }
            }
            CursorInput::NotAdmitted { why } => self.handle_not_admitted(why, now, floor),
            CursorInput::NotFetched { why } => self.handle_not_fetched(why, now, floor),
            CursorInput::Replied { id, reply } => self.handle_reply(id, reply, now, floor),
            CursorInput::Stored { safe } => self.handle_stored(safe, now, floor),
            CursorInput::Unrecordable => self.handle_unrecordable(now, floor),
            CursorInput::HungUp => self.state = State::Ended,
        }
    }

    /// Takes in that the deadline of [`Cursor::poll_timeout`] may have come.
    pub fn handle_timeout(&mut self, now: Now, floor: &dyn FloorView) {
        if self.poll_timeout().is_none_or(|deadline| now.mono_ns < deadline) {
            return;
        }
        match &self.state {
            State::Ringing { next, .. } => {
                let next = *next;
                self.enter(next, now, floor);
            }
            State::Listening { question, attempt, .. } => self.ask_again(*question, *attempt, false, now, floor),
            State::Collecting { question, attempt, .. } => {
                let (question, attempt) = (*question, *attempt);
                self.finish_entry(question, attempt, now, floor);
            }
            State::Parting { cause, .. } => self.hang_up(cause.clone()),
            State::Queued(_) => self.handle_queue_timeout(now, floor),
            State::Speaking(_) => self.handle_message_timeout(now),
            State::Parked { step, .. } => {
                let step = *step;
                self.handle_park_timeout(step, now, floor);
            }
            State::Consulting { id, .. } => {
                let id = *id;
                self.handle_reply(id, Err("no answer in time".to_owned()), now, floor);
            }
            State::Storing { failed, .. } => {
                let failed = *failed;
                self.enter(failed, now, floor);
            }
            _ => {}
        }
    }

    /// When to call [`Cursor::handle_timeout`] (monotonic nanoseconds).
    pub fn poll_timeout(&self) -> Option<u64> {
        self.state.deadline_ns()
    }

    /// Whether a key would lead somewhere now, or is waited for.
    pub fn takes_keys(&self) -> bool {
        self.state.takes_keys(&self.program)
    }

    /// Whether it waits to hear that something is kept.
    pub fn is_storing(&self) -> bool {
        matches!(self.state, State::Storing { .. })
    }

    /// Whether a question was put to its end, and silence runs until [`Cursor::poll_timeout`].
    pub fn is_listening(&self) -> bool {
        matches!(self.state, State::Listening { .. })
    }

    /// The next thing to do. Call until `None`.
    pub fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    fn handle_play_finished(&mut self, finished: u32, completed: bool, now: Now, floor: &dyn FloorView) {
        let current = match &self.state {
            State::Playing { id, .. } | State::Asking { id, .. } | State::Greeting { id, .. } => *id == finished,
            State::Queued(queued) => queued.playing == Some(finished),
            _ => false,
        };
        if !current {
            return;
        }
        self.failed_plays = if completed { 0 } else { self.failed_plays + 1 };
        if self.failed_plays > FAILED_PLAYS {
            return self.hang_up(Cause::new(41, "prompt_failed"));
        }
        match &self.state {
            State::Playing { notice, next, .. } => {
                let (notice, next) = (*notice, *next);
                self.noticed |= notice && completed;
                self.enter(next, now, floor);
            }
            State::Asking { question, attempt, .. } => self.transition_to_listening(*question, *attempt, now),
            State::Queued(_) => self.handle_message_over(),
            State::Greeting { step, .. } => {
                let step = *step;
                self.begin_message(step, now);
            }
            _ => {}
        }
    }

    fn handle_digit(&mut self, key: char, now: Now, floor: &dyn FloorView) {
        match &self.state {
            State::Listening { question, attempt, .. } => self.take_key(key, *question, *attempt, now, floor),
            State::Collecting { question, attempt, .. } => self.take_key(key, *question, *attempt, now, floor),
            State::Asking { question, attempt, .. } if self.ask_of(*question).is_some_and(|ask| ask.barge_in) => {
                let (question, attempt) = (*question, *attempt);
                self.acts.push_back(Act::StopPlay);
                self.take_key(key, question, attempt, now, floor);
            }
            State::Playing { interruptible: true, next, .. } => {
                let next = *next;
                self.acts.push_back(Act::StopPlay);
                self.keep(key);
                self.enter(next, now, floor);
            }
            State::Playing { .. }
            | State::Answering { .. }
            | State::Ringing { .. }
            | State::Consulting { .. }
            | State::Asking { .. } => self.keep(key),
            State::Queued(_) => self.handle_queue_key(key, now, floor),
            State::Speaking(_) => self.handle_message_key(key, now),
            State::Conferring { step } => {
                let step = *step;
                self.handle_room_key(step, key, now, floor);
            }
            State::Talking { .. }
            | State::Dialling { .. }
            | State::Greeting { .. }
            | State::Storing { .. }
            | State::Parked { .. }
            | State::Echoing
            | State::Parting { .. }
            | State::Ended => {}
        }
    }

    fn handle_queue_left(&mut self, reason: LeaveReason, now: Now, floor: &dyn FloorView) {
        let State::Queued(queued) = &self.state else { return };
        match (reason, queued.next) {
            // The call waits on in the other queue.
            (LeaveReason::Overflow, _) => {}
            (LeaveReason::Timeout | LeaveReason::Refused, Some(next)) => self.enter(next, now, floor),
            (LeaveReason::Timeout, None) => self.hang_up(Cause::new(480, "queue_timeout")),
            (LeaveReason::Refused, None) => self.hang_up(Cause::new(480, "queue_refused")),
            // It left by an act of ours, and is elsewhere by now.
            (LeaveReason::Exit, _) => {}
            // Told otherwise: by the conversation's beginning, or the call's end.
            (LeaveReason::Answered | LeaveReason::Abandoned | LeaveReason::Ended, _) => {}
        }
    }

    fn handle_unrecordable(&mut self, now: Now, floor: &dyn FloorView) {
        let State::Queued(queued) = &self.state else { return };
        match queued.unrecorded.or(queued.next) {
            Some(next) => self.enter(next, now, floor),
            None => self.hang_up(unrecordable()),
        }
    }

    fn keep(&mut self, key: char) {
        // A full buffer drops the newest key: the caller typed blindly.
        if self.keys.len() < TYPE_AHEAD {
            self.keys.push_back(key);
        }
    }

    fn choose(&mut self, language: &str) {
        language.clone_into(&mut self.language);
        self.acts.push_back(Act::ChooseLanguage(language.to_owned()));
    }

    fn hang_up(&mut self, cause: Cause) {
        self.acts.push_back(Act::Hangup { cause });
        self.state = State::Ended;
    }

    fn take_consent(&mut self, change: RecordChange) {
        match change {
            RecordChange::Agreed => (self.noticed, self.refused) = (true, false),
            RecordChange::Refused => self.refused = true,
            RecordChange::Paused | RecordChange::Running => {}
        }
    }
}

/// No recording, no call.
fn unrecordable() -> Cause {
    Cause::new(503, "recording_unavailable")
}

#[cfg(test)]
mod place_tests;
#[cfg(test)]
mod step_tests;
#[cfg(test)]
mod tests;
