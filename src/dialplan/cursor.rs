//! Runs a program for one call: inputs and the time in, acts out.

use std::collections::VecDeque;
use std::sync::Arc;

use super::act::{Act, CallFacts, CursorInput, FloorView};
use super::program::{Action, Ask, Program, Prompt, StepRef};
use crate::journal::{Cause, LeaveReason};
use crate::time::Now;

/// Keys kept for the next question when they come early.
const TYPE_AHEAD: usize = 8;

/// Plays that may fail in a row before the call is given up, so that a loop over a broken file ends.
const FAILED_PLAYS: u32 = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Waiting for the 200 to leave.
    Answering {
        next: StepRef,
    },
    Playing {
        id: u32,
        notice: bool,
        interruptible: bool,
        next: StepRef,
    },
    /// The question is being played.
    Asking {
        id: u32,
        question: StepRef,
        attempt: u32,
    },
    /// The question was played, silence runs.
    Listening {
        deadline_ns: u64,
        question: StepRef,
        attempt: u32,
    },
    Queued {
        next: Option<StepRef>,
    },
    Echoing,
    Ended,
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
    noticed: bool,
    keys: VecDeque<char>,
    plays: u32,
    failed_plays: u32,
    acts: VecDeque<Act>,
}

impl Cursor {
    /// Begins the flow of the called number; `None` where no flow serves it.
    pub fn start(program: Arc<Program>, facts: CallFacts, now: Now, floor: &dyn FloorView) -> Option<Self> {
        let (name, flow) = program.flow_for(&facts.called)?;
        let (name, language, start) = (name.to_owned(), flow.language.clone(), flow.start);
        let mut cursor = Self {
            program: Arc::clone(&program),
            facts,
            flow: name,
            language,
            state: State::Ended,
            answered: false,
            noticed: false,
            keys: VecDeque::new(),
            plays: 0,
            failed_plays: 0,
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
                    self.enter(next, now, floor);
                }
            }
            CursorInput::PlayFinished { id, completed } => self.handle_play_finished(id, completed, now, floor),
            CursorInput::Digit(key) => self.handle_digit(key, now, floor),
            CursorInput::QueueLeft { reason } => self.handle_queue_left(reason, now, floor),
            CursorInput::HungUp => self.state = State::Ended,
        }
    }

    /// Takes in that the deadline of [`Cursor::poll_timeout`] may have come.
    pub fn handle_timeout(&mut self, now: Now, floor: &dyn FloorView) {
        if let State::Listening { deadline_ns, question, attempt } = self.state
            && now.mono_ns >= deadline_ns
        {
            self.ask_again(question, attempt, false, now, floor);
        }
    }

    /// When to call [`Cursor::handle_timeout`] (monotonic nanoseconds).
    pub fn poll_timeout(&self) -> Option<u64> {
        match self.state {
            State::Listening { deadline_ns, .. } => Some(deadline_ns),
            _ => None,
        }
    }

    /// The next thing to do. Call until `None`.
    pub fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    fn handle_play_finished(&mut self, finished: u32, completed: bool, now: Now, floor: &dyn FloorView) {
        let current = matches!(&self.state, State::Playing { id, .. } | State::Asking { id, .. } if *id == finished);
        if !current {
            return;
        }
        self.failed_plays = if completed { 0 } else { self.failed_plays + 1 };
        if self.failed_plays > FAILED_PLAYS {
            return self.hang_up(Cause::new(41, "prompt_failed"));
        }
        match self.state {
            State::Playing { notice, next, .. } => {
                self.noticed |= notice && completed;
                self.enter(next, now, floor);
            }
            State::Asking { question, attempt, .. } => {
                self.transition_to_listening(question, attempt, now);
            }
            _ => {}
        }
    }

    fn handle_digit(&mut self, key: char, now: Now, floor: &dyn FloorView) {
        match self.state {
            State::Listening { question, attempt, .. } => self.take_key(key, question, attempt, now, floor),
            State::Asking { question, attempt, .. } if self.ask_of(question).is_some_and(|ask| ask.barge_in) => {
                self.acts.push_back(Act::StopPlay);
                self.take_key(key, question, attempt, now, floor);
            }
            State::Playing { interruptible: true, next, .. } => {
                self.acts.push_back(Act::StopPlay);
                self.keep(key);
                self.enter(next, now, floor);
            }
            State::Playing { .. } | State::Answering { .. } | State::Asking { .. } => self.keep(key),
            State::Queued { .. } | State::Echoing | State::Ended => {}
        }
    }

    fn handle_queue_left(&mut self, reason: LeaveReason, now: Now, floor: &dyn FloorView) {
        let State::Queued { next } = self.state else { return };
        match (reason, next) {
            // The call waits on in the other queue.
            (LeaveReason::Overflow, _) => {}
            (LeaveReason::Timeout | LeaveReason::Refused, Some(next)) => self.enter(next, now, floor),
            (LeaveReason::Timeout, None) => self.hang_up(Cause::new(480, "queue_timeout")),
            (LeaveReason::Refused, None) => self.hang_up(Cause::new(480, "queue_refused")),
            (LeaveReason::Answered | LeaveReason::Abandoned | LeaveReason::Ended, _) => self.state = State::Ended,
        }
    }

    fn keep(&mut self, key: char) {
        // A full buffer drops the newest key: the caller typed blindly.
        if self.keys.len() < TYPE_AHEAD {
            self.keys.push_back(key);
        }
    }

    fn take_key(&mut self, key: char, question: StepRef, attempt: u32, now: Now, floor: &dyn FloorView) {
        let program = Arc::clone(&self.program);
        match &program.step(question).action {
            Action::Menu { keys, .. } => match keys.get(&key) {
                Some(next) => self.enter(*next, now, floor),
                None => self.ask_again(question, attempt, true, now, floor),
            },
            Action::Language { keys, next, .. } => match keys.get(&key) {
                Some(language) => {
                    self.choose(language);
                    self.enter(*next, now, floor);
                }
                None => self.ask_again(question, attempt, true, now, floor),
            },
            _ => {}
        }
    }

    fn ask_again(&mut self, question: StepRef, attempt: u32, wrong_key: bool, now: Now, floor: &dyn FloorView) {
        self.keys.clear();
        let program = Arc::clone(&self.program);
        let action = &program.step(question).action;
        let Some(ask) = ask_of(action) else { return };
        if attempt < ask.retries {
            let before = if wrong_key { &ask.invalid } else { &ask.silent };
            return self.put_question(question, before, attempt + 1);
        }
        match action {
            Action::Menu { no_input, .. } => self.enter(*no_input, now, floor),
            Action::Language { default, next, .. } => {
                self.choose(default);
                self.enter(*next, now, floor);
            }
            _ => {}
        }
    }

    fn choose(&mut self, language: &str) {
        self.language = language.to_owned();
        self.acts.push_back(Act::ChooseLanguage(language.to_owned()));
    }

    fn ask_of(&self, question: StepRef) -> Option<&Ask> {
        ask_of(&self.program.step(question).action)
    }

    fn put_question(&mut self, question: StepRef, before: &[String], attempt: u32) {
        let program = Arc::clone(&self.program);
        let action = &program.step(question).action;
        let Some(ask) = ask_of(action) else { return };
        let languages: Vec<&str> = match action {
            // Nobody has chosen yet, so everybody must understand; the order is that of the keys.
            Action::Language { keys, .. } => keys.values().map(String::as_str).collect(),
            _ => vec![self.language.as_str()],
        };
        let names: Vec<&String> = before.iter().chain(&ask.prompts).collect();
        let prompt = |language: &str, name: &str| Prompt { language: language.to_owned(), name: name.to_owned() };
        let prompts = languages.iter().flat_map(|l| names.iter().map(move |n| prompt(l, n))).collect();
        let id = self.play(prompts, ask.barge_in);
        self.state = State::Asking { id, question, attempt };
    }

    fn play(&mut self, prompts: Vec<Prompt>, interruptible: bool) -> u32 {
        self.plays = self.plays.wrapping_add(1);
        self.acts.push_back(Act::Play { prompts, interruptible, id: self.plays });
        self.plays
    }

    fn hang_up(&mut self, cause: Cause) {
        self.acts.push_back(Act::Hangup { cause });
        self.state = State::Ended;
    }

    fn transition_to_listening(&mut self, question: StepRef, attempt: u32, now: Now) {
        let timeout_ms = self.ask_of(question).map_or(0, |ask| ask.timeout_ms);
        self.state = State::Listening { deadline_ns: now.in_ms(timeout_ms), question, attempt };
    }

    /// Goes to a step and on through every one that takes no time; the checker has refused loops of those.
    fn enter(&mut self, first: StepRef, now: Now, floor: &dyn FloorView) {
        let program = Arc::clone(&self.program);
        let mut at = first;
        loop {
            let step = program.step(at);
            self.acts.push_back(Act::EnterStep { flow: step.flow.clone(), step: step.name.clone() });
            at = match &step.action {
                Action::Goto { next } => *next,
                Action::Answer { next } if self.answered => *next,
                Action::Agent { change, next } => {
                    self.acts.push_back(Act::ChangeAgent(*change));
                    *next
                }
                Action::Hours { hours, open, closed } => {
                    let is_open = program.hours.get(hours).is_some_and(|hours| hours.is_open(now.wall_ms));
                    if is_open { *open } else { *closed }
                }
                Action::Queue { queue, unstaffed: Some(next), .. } if floor.signed_in(queue) == 0 => *next,
                Action::Menu { .. } | Action::Language { .. } => return self.begin_question(at, now, floor),
                other => return self.begin(other),
            };
        }
    }

    fn begin_question(&mut self, question: StepRef, now: Now, floor: &dyn FloorView) {
        match self.keys.pop_front() {
            Some(key) if self.ask_of(question).is_some_and(|ask| ask.barge_in) => {
                self.take_key(key, question, 0, now, floor);
            }
            _ => self.put_question(question, &[], 0),
        }
    }

    fn begin(&mut self, action: &Action) {
        match action {
            Action::Answer { next } => {
                self.acts.push_back(Act::Answer);
                self.state = State::Answering { next: *next };
            }
            Action::Play { prompts, notice, barge_in, next } => {
                let language = self.language.clone();
                let prompts = prompts.iter().map(|n| Prompt { language: language.clone(), name: n.clone() }).collect();
                let id = self.play(prompts, *barge_in);
                self.state = State::Playing { id, notice: *notice, interruptible: *barge_in, next: *next };
            }
            Action::Queue { queue, priority, record, next, .. } => {
                let record = *record && self.noticed;
                self.acts.push_back(Act::Enqueue { queue: queue.clone(), priority: *priority, record });
                self.state = State::Queued { next: *next };
            }
            Action::Echo => {
                self.acts.push_back(Act::Echo);
                self.state = State::Echoing;
            }
            Action::Hangup { cause } => self.hang_up(cause.clone()),
            // The caller of this function goes through these itself.
            Action::Menu { .. }
            | Action::Language { .. }
            | Action::Hours { .. }
            | Action::Agent { .. }
            | Action::Goto { .. } => {}
        }
    }
}

fn ask_of(action: &Action) -> Option<&Ask> {
    match action {
        Action::Menu { ask, .. } | Action::Language { ask, .. } => Some(ask),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
