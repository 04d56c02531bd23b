//! What a step does, and what it says and asks.

use std::collections::BTreeMap;

use super::condition::Condition;
use super::pattern::Pattern;
use super::program::StepRef;
use super::speech::Currency;
use super::values::Template;
use crate::id::QueueId;
use crate::journal::Cause;

/// Something that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A prompt of the catalogue.
    Prompt(String),
    /// A whole number: "one hundred and five".
    Number(Template),
    /// Keys, one by one.
    Digits(Template),
    /// An amount such as "12.50".
    Money(Template, Currency),
    /// A day, of a date such as "2026-11-27"; today where it is empty.
    Date(Template),
    /// A time of day such as "14:05"; the present one where it is empty.
    Time(Template),
    /// The caller's place in the line.
    Position,
    /// How long the caller is expected to wait, in minutes.
    ExpectedWait,
}

/// What a question to the caller has in common, be it a menu or the choice of a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The question, in order.
    pub prompts: Vec<Item>,
    /// The question when it is put again, for each time; the last one for all that follow. As `prompts` where empty.
    pub again: Vec<Vec<Item>>,
    /// Played before the question when the key was a wrong one.
    pub invalid: Vec<Item>,
    /// Played before the question when no key came.
    pub silent: Vec<Item>,
    /// Silence after the question, milliseconds.
    pub timeout_ms: u64,
    /// How often the question is put again.
    pub retries: u32,
    /// Whether a key during the question counts.
    pub barge_in: bool,
}

/// Keys that make one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The variable that takes them.
    pub into: String,
    /// How many there must be at least.
    pub least: usize,
    /// After so many it is over.
    pub most: usize,
    /// The key that ends it and is not part of it.
    pub end: Option<char>,
    /// The longest pause between two keys, milliseconds.
    pub between_ms: u64,
    /// What the keys must look like; anything where empty.
    pub fits: Vec<Pattern>,
}

/// What can happen while a caller waits in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Where each key leads, out of the queue.
    pub keys: BTreeMap<char, StepRef>,
    /// Said at the beginning and again and again, each after so many milliseconds of waiting; the last one repeats.
    pub messages: Vec<Message>,
    /// Where callers who still wait are taken when these hours close; they wait on where absent.
    pub closing: Option<(String, StepRef)>,
}

/// Something said to those who wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What.
    pub items: Vec<Item>,
    /// After how long a wait, milliseconds.
    pub after_ms: u64,
    /// How often again from then on, milliseconds; once where absent.
    pub every_ms: Option<u64>,
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

/// What a step says about the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordChange {
    /// What is said from here on is kept out; where no recording runs, one begins so.
    Paused,
    /// It is kept again.
    Running,
    /// The caller has pressed the key for yes.
    Agreed,
    /// The caller has not: nothing is recorded of this call from here on.
    Refused,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answers the call.
    Answer {
        /// Then.
        next: StepRef,
    },
    /// Lets the caller hear ringing while nothing is answered.
    Ring {
        /// For how long, milliseconds.
        for_ms: u64,
        /// Then.
        next: StepRef,
    },
    /// Plays prompts one after another.
    Play {
        /// What, in order.
        prompts: Vec<Item>,
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
        /// Where the last retry leads when no key came.
        no_input: StepRef,
        /// Where the last retry leads when the key was a wrong one.
        wrong_input: StepRef,
    },
    /// Takes several keys into a variable.
    Gather {
        /// The question.
        ask: Ask,
        /// Where the keys go.
        entry: Entry,
        /// Then.
        next: StepRef,
        /// Where the last retry leads when no key came.
        no_input: StepRef,
        /// Where the last retry leads when the keys did not fit.
        wrong_input: StepRef,
    },
    /// The first case that holds decides.
    When {
        /// In order.
        cases: Vec<(Condition, StepRef)>,
        /// Where none holds.
        otherwise: StepRef,
    },
    /// Notes things about the call.
    Set {
        /// Variables and their new values.
        variables: Vec<(String, Template)>,
        /// The caller's class from here on.
        class: Option<String>,
        /// Tags that the call carries from here on.
        tags: Vec<String>,
        /// The language from here on.
        language: Option<String>,
        /// Then.
        next: StepRef,
    },
    /// Looks the caller up in the directory.
    Customer {
        /// Whose number; the caller's where empty.
        number: Template,
        /// Where a customer is found.
        known: StepRef,
        /// Where none is.
        unknown: StepRef,
    },
    /// Goes through another flow and comes back.
    Call {
        /// Its first step.
        start: StepRef,
        /// What it is given: variables and their values, which are what they were when it has returned.
        with: Vec<(String, Template)>,
        /// Then.
        next: StepRef,
    },
    /// Comes back to where the flow was called.
    Return,
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
        /// Where to go when the queue must record and nothing can be recorded; as `next` where absent.
        unrecorded: Option<StepRef>,
        /// What can happen while the caller waits.
        waiting: Waiting,
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
    /// Says something about the recording; goes on at once.
    Record {
        /// What.
        change: RecordChange,
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
            | Self::Record { next, .. }
            | Self::Ring { next, .. }
            | Self::Set { next, .. }
            | Self::Goto { next } => vec![*next],
            Self::Menu { keys, no_input, wrong_input, .. } => {
                keys.values().copied().chain([*no_input, *wrong_input]).collect()
            }
            Self::Gather { next, no_input, wrong_input, .. } => vec![*next, *no_input, *wrong_input],
            Self::When { cases, otherwise } => cases.iter().map(|(_, next)| *next).chain([*otherwise]).collect(),
            Self::Customer { known, unknown, .. } => vec![*known, *unknown],
            Self::Call { start, next, .. } => vec![*start, *next],
            Self::Queue { next, unstaffed, unrecorded, waiting, .. } => {
                let keys = waiting.keys.values().chain(waiting.closing.as_ref().map(|(_, step)| step));
                next.iter().chain(unstaffed).chain(unrecorded).chain(keys).copied().collect()
            }
            Self::Hours { open, closed, .. } => vec![*open, *closed],
            Self::Echo | Self::Return | Self::Hangup { .. } => Vec::new(),
        }
    }

    /// Everything that the step may say.
    pub fn items(&self) -> Vec<&Item> {
        match self {
            Self::Play { prompts, .. } => prompts.iter().collect(),
            Self::Menu { ask, .. } | Self::Gather { ask, .. } | Self::Language { ask, .. } => {
                let again = ask.again.iter().flatten();
                ask.prompts.iter().chain(&ask.invalid).chain(&ask.silent).chain(again).collect()
            }
            Self::Queue { waiting, .. } => waiting.messages.iter().flat_map(|message| &message.items).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the step takes time by itself, so that a loop through it cannot spin. A queue may refuse at once.
    pub fn waits(&self) -> bool {
        !matches!(
            self,
            Self::Answer { .. }
                | Self::Hours { .. }
                | Self::Agent { .. }
                | Self::Record { .. }
                | Self::Goto { .. }
                | Self::When { .. }
                | Self::Set { .. }
                | Self::Customer { .. }
                | Self::Call { .. }
                | Self::Return
                | Self::Queue { .. }
        )
    }
}
