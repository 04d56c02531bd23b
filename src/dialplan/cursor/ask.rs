//! Questions and the keys that answer them.

use std::sync::Arc;

use super::super::act::{Act, FloorView};
use super::super::action::Action;
use super::super::change::RecordChange;
use super::super::program::{Prompt, StepRef};
use super::super::talk::{Ask, Entry, Item};
use super::{Cursor, State};
use crate::time::Now;

impl Cursor {
    pub(super) fn begin_question(&mut self, question: StepRef, now: Now, floor: &dyn FloorView) {
        match self.keys.pop_front() {
            Some(key) if self.ask_of(question).is_some_and(|ask| ask.barge_in) => {
                self.take_key(key, question, 0, now, floor);
            }
            _ => self.put_question(question, &[], 0, now, floor),
        }
    }

    pub(super) fn take_key(&mut self, key: char, question: StepRef, attempt: u32, now: Now, floor: &dyn FloorView) {
        let program = Arc::clone(&self.program);
        let step = program.step(question);
        let of_flow = || program.flows.get(&step.flow).and_then(|flow| flow.keys.get(&key).copied());
        match &step.action {
            Action::Menu { keys, .. } => match keys.get(&key).copied().or_else(of_flow) {
                Some(next) => self.enter(next, now, floor),
                None => self.ask_again(question, attempt, true, now, floor),
            },
            Action::Language { keys, next, .. } => match keys.get(&key) {
                Some(language) => {
                    self.choose(language);
                    self.enter(*next, now, floor);
                }
                None => match of_flow() {
                    Some(next) => self.enter(next, now, floor),
                    None => self.ask_again(question, attempt, true, now, floor),
                },
            },
            Action::Consent { yes, no, next, refused, .. } => match key {
                key if key == *yes => self.answer_consent(RecordChange::Agreed, *next, now, floor),
                key if key == *no => self.answer_consent(RecordChange::Refused, *refused, now, floor),
                _ => self.ask_again(question, attempt, true, now, floor),
            },
            Action::Survey { question: name, scale, next, .. } => match score(key, *scale) {
                Some(score) => {
                    self.acts.push_back(Act::Survey { question: name.clone(), score });
                    self.enter(*next, now, floor);
                }
                None => self.ask_again(question, attempt, true, now, floor),
            },
            Action::Gather { entry, .. } => {
                // A digit begins the entry; the flow's keys are those that no number has.
                let first = !matches!(self.state, State::Collecting { .. });
                match of_flow().filter(|_| first && !key.is_ascii_digit() && entry.end != Some(key)) {
                    Some(next) => self.enter(next, now, floor),
                    None => self.collect(key, entry, question, attempt, now, floor),
                }
            }
            _ => {}
        }
    }

    /// One more key of an entry, and those that came before their question.
    fn collect(&mut self, key: char, entry: &Entry, question: StepRef, attempt: u32, now: Now, floor: &dyn FloorView) {
        let mut keys = match &mut self.state {
            State::Collecting { keys, .. } => std::mem::take(keys),
            _ => String::new(),
        };
        let mut next = Some(key);
        let mut over = false;
        while let Some(key) = next.filter(|_| !over) {
            over = entry.end == Some(key);
            if !over {
                keys.push(key);
                over = keys.len() >= entry.most;
            }
            next = if over { None } else { self.keys.pop_front() };
        }
        self.state = State::Collecting { keys, deadline_ns: now.in_ms(entry.between_ms), question, attempt };
        if over {
            self.finish_entry(question, attempt, now, floor);
        }
    }

    /// What has been typed is all.
    pub(super) fn finish_entry(&mut self, question: StepRef, attempt: u32, now: Now, floor: &dyn FloorView) {
        let State::Collecting { keys, .. } = &mut self.state else { return };
        let keys = std::mem::take(keys);
        let program = Arc::clone(&self.program);
        let Action::Gather { entry, next, .. } = &program.step(question).action else { return };
        let kind = program.variables.get(&entry.into).map(|variable| variable.kind);
        let fits = entry.fits.is_empty() || entry.fits.iter().any(|pattern| pattern.fits(&keys));
        if keys.len() < entry.least || !fits || !kind.is_some_and(|kind| kind.holds(&keys)) {
            return self.ask_again(question, attempt, true, now, floor);
        }
        self.assign(&entry.into, keys);
        self.enter(*next, now, floor);
    }

    pub(super) fn ask_again(&mut self, question: StepRef, attempt: u32, wrong: bool, now: Now, floor: &dyn FloorView) {
        self.keys.clear();
        let program = Arc::clone(&self.program);
        let action = &program.step(question).action;
        let Some(ask) = action.ask() else { return };
        if attempt < ask.retries {
            let before = if wrong { &ask.invalid } else { &ask.silent };
            return self.put_question(question, before, attempt + 1, now, floor);
        }
        match action {
            Action::Menu { no_input, wrong_input, .. } | Action::Gather { no_input, wrong_input, .. } => {
                self.enter(if wrong { *wrong_input } else { *no_input }, now, floor);
            }
            Action::Survey { no_input, .. } => self.enter(*no_input, now, floor),
            Action::Consent { refused, .. } => self.answer_consent(RecordChange::Refused, *refused, now, floor),
            Action::Language { default, next, .. } => {
                self.choose(default);
                self.enter(*next, now, floor);
            }
            _ => {}
        }
    }

    fn answer_consent(&mut self, said: RecordChange, next: StepRef, now: Now, floor: &dyn FloorView) {
        self.take_consent(said);
        self.acts.push_back(Act::Record(said));
        self.enter(next, now, floor);
    }

    pub(super) fn ask_of(&self, question: StepRef) -> Option<&Ask> {
        self.program.step(question).action.ask()
    }

    fn put_question(&mut self, question: StepRef, before: &[Item], attempt: u32, now: Now, floor: &dyn FloorView) {
        let program = Arc::clone(&self.program);
        let action = &program.step(question).action;
        let Some(ask) = action.ask() else { return };
        let languages: Vec<&str> = match action {
            // Nobody has chosen yet, so everybody must understand; the order is that of the keys.
            Action::Language { keys, .. } => keys.values().map(String::as_str).collect(),
            _ => vec![self.language.as_str()],
        };
        let words = match (attempt as usize).checked_sub(1) {
            Some(again) => ask.again.get(again).or(ask.again.last()).unwrap_or(&ask.prompts),
            None => &ask.prompts,
        };
        let mut prompts = Vec::new();
        for language in languages {
            for item in before.iter().chain(words) {
                self.say(item, language, now, floor, &mut prompts);
            }
        }
        let id = self.play(prompts, ask.barge_in);
        self.state = State::Asking { id, question, attempt };
    }

    pub(super) fn play(&mut self, prompts: Vec<Prompt>, interruptible: bool) -> u32 {
        self.plays = self.plays.wrapping_add(1);
        self.acts.push_back(Act::Play { prompts, interruptible, id: self.plays });
        self.plays
    }

    pub(super) fn transition_to_listening(&mut self, question: StepRef, attempt: u32, now: Now) {
        let timeout_ms = self.ask_of(question).map_or(0, |ask| ask.timeout_ms);
        self.state = State::Listening { deadline_ns: now.in_ms(timeout_ms), question, attempt };
    }
}

/// What a key stands for on a scale from 1; the key for ten is 0.
fn score(key: char, scale: u8) -> Option<u8> {
    let digit = key.to_digit(10).and_then(|digit| u8::try_from(digit).ok())?;
    let score = if digit == 0 { 10 } else { digit };
    (score <= scale).then_some(score)
}
