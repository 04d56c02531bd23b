//! A checked plan: every reference is a number that leads somewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::hours::Hours;
use crate::id::QueueId;
use crate::journal::Cause;

/// Leads to a step of the same [`Program`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepRef(pub(super) usize);

/// One prompt in one language; its file is `<language>/<name>.wav`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prompt {
    /// Language, as in the catalogue: "zh", "en".
    pub language: String,
    /// Name in the catalogue.
    pub name: String,
}

impl Prompt {
    /// The file under the folder of prompts.
    pub fn path(&self) -> String {
        format!("{}/{}.wav", self.language, self.name)
    }
}

/// What a question to the caller has in common, be it a menu or the choice of a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Prompts of the question, in order.
    pub prompts: Vec<String>,
    /// Played before the question when the key was a wrong one.
    pub invalid: Vec<String>,
    /// Played before the question when no key came.
    pub silent: Vec<String>,
    /// Silence after the question, milliseconds.
    pub timeout_ms: u64,
    /// How often the question is put again.
    pub retries: u32,
    /// Whether a key during the question counts.
    pub barge_in: bool,
}

/// What an agent can dial to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentChange {
    /// Takes calls.
    Available,
    /// Takes no calls after the present one.
    NotReady,
    /// Is done with after-call work.
    EndAcw,
    /// Signed out.
    SignOut,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answers the call.
    Answer {
        /// Then.
        next: StepRef,
    },
    /// Plays prompts one after another.
    Play {
        /// Names in the catalogue.
        prompts: Vec<String>,
        /// The announcement of a recording, which no key cuts short.
        notice: bool,
        /// Whether a key stops it.
        barge_in: bool,
        /// Then.
        next: StepRef,
    },
    /// Waits for one key.
    Menu {
        /// The question.
        ask: Ask,
        /// Where each key leads.
        keys: BTreeMap<char, StepRef>,
        /// Where the last retry without a valid key leads.
        no_input: StepRef,
    },
    /// Lets the caller choose a language; the question is put in each of them.
    Language {
        /// The question.
        ask: Ask,
        /// The language of each key.
        keys: BTreeMap<char, String>,
        /// The language where no valid key came.
        default: String,
        /// Then.
        next: StepRef,
    },
    /// Waits for an agent.
    Queue {
        /// Which queue.
        queue: QueueId,
        /// Greater goes first.
        priority: i32,
        /// Whether the conversation is recorded.
        record: bool,
        /// Where refusal and the longest wait lead; hang up where absent.
        next: Option<StepRef>,
        /// Where to go at once when nobody is signed in; waits where absent.
        unstaffed: Option<StepRef>,
    },
    /// Sends the caller's own voice back until the caller hangs up.
    Echo,
    /// Ends the call.
    Hangup {
        /// Why.
        cause: Cause,
    },
    /// Branches by the time of day.
    Hours {
        /// Name of the hours.
        hours: String,
        /// Within them.
        open: StepRef,
        /// Outside.
        closed: StepRef,
    },
    /// Changes the state of the agent whose phone calls; goes on at once.
    Agent {
        /// What to.
        change: AgentChange,
        /// Then.
        next: StepRef,
    },
    /// Goes on elsewhere.
    Goto {
        /// There.
        next: StepRef,
    },
}

impl Action {
    /// Every step that may come after this one.
    pub fn exits(&self) -> Vec<StepRef> {
        match self {
            Self::Answer { next }
            | Self::Play { next, .. }
            | Self::Language { next, .. }
            | Self::Agent { next, .. }
            | Self::Goto { next } => vec![*next],
            Self::Menu { keys, no_input, .. } => keys.values().copied().chain([*no_input]).collect(),
            Self::Queue { next, unstaffed, .. } => next.iter().chain(unstaffed).copied().collect(),
            Self::Hours { open, closed, .. } => vec![*open, *closed],
            Self::Echo | Self::Hangup { .. } => Vec::new(),
        }
    }

    /// Whether the step takes time by itself, so that a loop through it cannot spin. A queue may refuse at once.
    pub fn waits(&self) -> bool {
        !matches!(
            self,
            Self::Answer { .. } | Self::Hours { .. } | Self::Agent { .. } | Self::Goto { .. } | Self::Queue { .. }
        )
    }
}

/// A named step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its flow.
    pub flow: String,
    /// Its name in the flow.
    pub name: String,
    /// What it does.
    pub action: Action,
}

/// A named sequence of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Where it begins.
    pub start: StepRef,
    /// The language that it begins with.
    pub language: String,
}

/// After how long a caller may be served by another queue, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// Wait in milliseconds.
    pub after_ms: u64,
    /// The other queue.
    pub to: QueueId,
}

/// How a queue is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Agents, by number.
    pub members: Vec<String>,
    /// How long a phone rings, milliseconds.
    pub ring_ms: u64,
    /// After-call work, milliseconds.
    pub acw_ms: u64,
    /// The longest wait, milliseconds; none where absent.
    pub max_wait_ms: Option<u64>,
    /// Other queues, by growing wait.
    pub overflow: Vec<Overflow>,
    /// What an agent must know.
    pub skills: BTreeSet<String>,
    /// Name of the music, a file in the folder of prompts.
    pub music: Option<String>,
}

/// A whole plan.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Program {
    pub(super) numbers: BTreeMap<String, String>,
    pub(super) flows: BTreeMap<String, Flow>,
    pub(super) steps: Vec<Step>,
    pub(super) hours: BTreeMap<String, Hours>,
    pub(super) queues: BTreeMap<String, Queue>,
}

impl Program {
    /// The flow for a called number: the number itself, or else the longest `prefix*`.
    pub fn flow_for(&self, called: &str) -> Option<(&str, &Flow)> {
        let exact = self.numbers.get(called);
        let by_prefix = || {
            let fits = |pattern: &str| pattern.strip_suffix('*').is_some_and(|prefix| called.starts_with(prefix));
            self.numbers.iter().filter(|(p, _)| fits(p)).max_by_key(|(p, _)| p.len()).map(|(_, flow)| flow)
        };
        let (name, flow) = self.flows.get_key_value(exact.or_else(by_prefix)?)?;
        Some((name, flow))
    }

    /// The numbers and patterns that lead into the plan.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        self.numbers.keys().map(String::as_str)
    }

    /// The queues by name.
    pub fn queues(&self) -> &BTreeMap<String, Queue> {
        &self.queues
    }

    /// The hours by name.
    pub fn hours(&self) -> &BTreeMap<String, Hours> {
        &self.hours
    }

    /// A step.
    pub fn step(&self, step: StepRef) -> &Step {
        // A StepRef is only made by the loader, which counts the steps of this very program.
        &self.steps[step.0]
    }
}
