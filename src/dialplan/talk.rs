//! What is said to a caller, and what is asked.

use std::collections::BTreeMap;

use super::pattern::Pattern;
use super::program::StepRef;
use super::speech::Currency;
use super::values::Template;
use crate::id::TrunkId;

/// Something that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What.
    pub what: Said,
    /// How much louder than its prompts are, dB; as the settings say where absent.
    pub volume_db: Option<i8>,
}

impl Item {
    /// A prompt of the catalogue, as loud as the settings say.
    pub fn prompt(name: &str) -> Self {
        Self { what: Said::Prompt(name.to_owned()), volume_db: None }
    }
}

/// What an [`Item`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A prompt of the catalogue.
    Prompt(String),
    /// A text that a machine speaks, in each of these languages.
    Text(BTreeMap<String, String>),
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

/// Whom a caller is to have, if possible.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Prefer {
    /// Agents' names; the first that is not empty counts.
    pub agents: Vec<Template>,
    /// How long that agent alone is waited for, milliseconds; 0 where only one who is free will do.
    pub for_ms: u64,
}

/// A number outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// The number.
    pub number: Template,
    /// By which trunk.
    pub trunk: TrunkId,
    /// Numbers that may be called.
    pub allow: Vec<Pattern>,
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
