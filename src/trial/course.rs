//! How a call went. Instants are milliseconds since the call came.

use std::collections::BTreeMap;

use serde::Serialize;

use super::judge::seconds;
use crate::dialplan::Prompt;
use crate::records::CallRecord;

/// A step that the caller reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// When.
    pub at_ms: u64,
    /// `flow.step`, as in the path of the record.
    pub name: String,
    /// What led there: keys, silence, decisions.
    pub why: Vec<String>,
}

/// A prompt that the caller heard begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When it began.
    pub at_ms: u64,
    /// Which.
    pub prompt: Prompt,
}

/// All that is known of a call that was played.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The prompts, in order.
    pub heard: Vec<Heard>,
    /// Whose phones were called, in order.
    pub called: Vec<String>,
    /// Everything that happened, a line each; what is not a step is indented.
    lines: Vec<(u64, String)>,
    /// The call's record; none where the call went round without end and was given up.
    pub record: Option<CallRecord>,
    /// Whether a conversation or a message was recorded.
    pub recorded: bool,
    /// The number at which the caller is to be called back.
    pub callback: Option<String>,
    /// The caller's class in the end.
    pub class: String,
    /// The language in the end.
    pub language: String,
    /// What the variables held in the end; secret ones are masked where people look, not here.
    pub variables: BTreeMap<String, String>,
    /// What has happened since the last step that may lead to the next one.
    because: Vec<String>,
}

impl Course {
    pub(super) fn begun() -> Self {
        Self {
            steps: Vec::new(),
            heard: Vec::new(),
            called: Vec::new(),
            lines: Vec::new(),
            record: None,
            recorded: false,
            callback: None,
            class: String::new(),
            language: String::new(),
            variables: BTreeMap::new(),
            because: Vec::new(),
        }
    }

    /// Everything that happened, a line each with its instant.
    pub fn told(&self) -> impl Iterator<Item = String> + '_ {
        self.lines.iter().map(|(at_ms, line)| format!("{:>12}  {line}", seconds(*at_ms)))
    }

    /// Something happened.
    pub(super) fn note(&mut self, at_ms: u64, line: &str) {
        self.lines.push((at_ms, format!("  {line}")));
    }

    /// The caller reaches a step, by all that has led there.
    pub(super) fn reach(&mut self, at_ms: u64, name: String) {
        let why = std::mem::take(&mut self.because);
        self.lines.push((at_ms, name.clone()));
        self.steps.push(Step { at_ms, name, why });
    }

    /// Something that may lead to the next step.
    pub(super) fn lead(&mut self, at_ms: u64, line: String) {
        self.note(at_ms, &format!("because {line}"));
        self.because.push(line);
    }

    /// What was still to be said is not heard.
    pub(super) fn cut(&mut self, at_ms: u64) {
        self.heard.retain(|heard| heard.at_ms <= at_ms);
    }
}
