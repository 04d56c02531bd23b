//! A plan under construction: what both importers fill, before it is mended and written.

use std::cmp::Ordering::{Greater, Less};
use std::collections::{BTreeMap, BTreeSet};

use crate::dialplan::{FACTS, Pattern, Place, Report};
use crate::journal::Strategy;

/// What is known of the floor that the plan is for, and how the plan is to be.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// The prompt files that are there already, as `<language>/<name>.wav`.
    pub prompts: BTreeSet<String>,
    /// The agents that the settings name already.
    pub agents: BTreeSet<String>,
    /// The language of the flows, such as "en".
    pub language: String,
    /// The IANA time zone of opening hours.
    pub zone: String,
    /// The contexts in which calls begin; those that no other one leads to where empty.
    pub contexts: Vec<String>,
}

/// The plan.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Numbers in the order in which they were found, and the flow of each.
    pub(super) numbers: Vec<(Pattern, usize)>,
    pub(super) hours: Vec<Hours>,
    pub(super) variables: BTreeSet<String>,
    pub(super) queues: BTreeMap<String, Queue>,
    pub(super) flows: Vec<Flow>,
}

/// Weekly hours: TOML of the days, and minutes of the day, the end excluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hours {
    pub(super) name: String,
    pub(super) days: Vec<&'static str>,
    pub(super) from: u32,
    pub(super) to: u32,
}

/// A queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    pub(super) strategy: Strategy,
    pub(super) members: Vec<String>,
    pub(super) tiers: BTreeMap<String, u8>,
    pub(super) weights: BTreeMap<String, u8>,
    pub(super) ring_s: Option<u32>,
    pub(super) acw_s: u32,
    pub(super) capacity: Option<u32>,
    pub(super) max_wait_s: Option<u32>,
    /// Seconds from one tier to the next, and the highest tier; none where all are called at once.
    pub(super) relax: Option<(u32, u8)>,
    /// After how many seconds an agent who did not take a call gets another one; not before saying so where absent.
    pub(super) no_answer_s: Option<u32>,
    pub(super) busy_s: Option<u32>,
    pub(super) rejected_s: Option<u32>,
    /// After how many calls in a row that rang out the agent has to say so all the same.
    pub(super) max_no_answer: Option<u32>,
    /// For how many seconds who hung up has the place again.
    pub(super) resume_s: Option<u32>,
    /// Who has to be there for callers to join, and to go on waiting.
    pub(super) join_needs: Option<&'static str>,
    pub(super) wait_needs: Option<&'static str>,
    /// Whether nobody is let in while nobody is signed in.
    pub(super) refuses_unstaffed: bool,
    /// What callers hear while they wait.
    pub(super) messages: Vec<Message>,
    /// The context whose single keys lead out of the queue.
    pub(super) keys_of: Option<String>,
}

/// Something said to those who wait, every so many seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) said: Vec<Said>,
    pub(super) every_s: u32,
}

/// Something that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Prompt(String),
    /// Keys one by one, or a whole number: a text with variables.
    Digits(String),
    Number(String),
    Position,
    ExpectedWait,
}

/// A flow; its first step is where it starts.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
}

/// A step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: String,
    /// Where it comes from, for people who read the plan.
    pub(super) came: String,
    pub(super) place: Place,
    pub(super) action: Do,
}

/// What a step does. Steps are named by their place in their flow, flows by theirs in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Do {
    Answer {
        next: usize,
    },
    Ring {
        ms: u64,
        next: usize,
    },
    Play {
        said: Vec<Said>,
        barge_in: bool,
        next: usize,
    },
    Menu {
        ask: Ask,
        keys: BTreeMap<char, usize>,
        no_input: usize,
        wrong_input: usize,
    },
    Gather {
        ask: Ask,
        entry: Entry,
        next: usize,
        no_input: usize,
    },
    Queue {
        queue: String,
        keys: BTreeMap<char, usize>,
        next: usize,
    },
    /// Users one after the other, those of one list at once.
    Dial {
        users: Vec<Vec<String>>,
        ring_s: u32,
        next: usize,
    },
    Voicemail {
        mailbox: String,
        prompts: Vec<String>,
        next: usize,
    },
    When {
        cases: Vec<(String, usize)>,
        otherwise: usize,
    },
    Hours {
        hours: String,
        open: usize,
        closed: usize,
    },
    Set {
        variables: BTreeMap<String, String>,
        language: Option<String>,
        next: usize,
    },
    Echo,
    Hangup {
        code: u16,
        cause: &'static str,
    },
    Jump {
        next: usize,
    },
    Goto {
        flow: usize,
    },
}

/// A question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) prompts: Vec<String>,
    /// When it is put again, and before that after a wrong key.
    pub(super) again: Vec<String>,
    pub(super) invalid: Vec<String>,
    pub(super) timeout_ms: u64,
    pub(super) retries: u32,
}

/// Several keys into a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) into: String,
    pub(super) least: u32,
    pub(super) most: u32,
    pub(super) end: Option<char>,
}

impl Do {
    /// Where it leads within its flow.
    pub(super) fn exits(&self) -> Vec<usize> {
        let mut copy = self.clone();
        copy.exits_mut().into_iter().map(|exit| *exit).collect()
    }

    pub(super) fn exits_mut(&mut self) -> Vec<&mut usize> {
        match self {
            Self::Answer { next }
            | Self::Ring { next, .. }
            | Self::Play { next, .. }
            | Self::Voicemail { next, .. }
            | Self::Dial { next, .. }
            | Self::Set { next, .. }
            | Self::Jump { next } => vec![next],
            Self::Menu { keys, no_input, wrong_input, .. } => {
                keys.values_mut().chain([no_input, wrong_input]).collect()
            }
            Self::Gather { next, no_input, .. } => vec![next, no_input],
            Self::Queue { keys, next, .. } => keys.values_mut().chain([next]).collect(),
            Self::When { cases, otherwise } => cases.iter_mut().map(|(_, next)| next).chain([otherwise]).collect(),
            Self::Hours { open, closed, .. } => vec![open, closed],
            Self::Echo | Self::Hangup { .. } | Self::Goto { .. } => Vec::new(),
        }
    }

    /// Whether it takes time by itself, as the checker sees it.
    pub(super) fn waits(&self) -> bool {
        !matches!(
            self,
            Self::Answer { .. }
                | Self::Queue { .. }
                | Self::Voicemail { .. }
                | Self::Dial { .. }
                | Self::When { .. }
                | Self::Hours { .. }
                | Self::Set { .. }
                | Self::Jump { .. }
                | Self::Goto { .. }
        )
    }

    /// Whether the call must be answered before it.
    pub(super) fn is_heard(&self) -> bool {
        matches!(
            self,
            Self::Play { .. }
                | Self::Menu { .. }
                | Self::Gather { .. }
                | Self::Queue { .. }
                | Self::Voicemail { .. }
                | Self::Dial { .. }
                | Self::Echo
        )
    }

    /// The name that plans have for it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "answer",
            Self::Ring { .. } => "ring",
            Self::Play { .. } => "play",
            Self::Menu { .. } => "menu",
            Self::Gather { .. } => "gather",
            Self::Queue { .. } => "queue",
            Self::Voicemail { .. } => "voicemail",
            Self::Dial { .. } => "dial",
            Self::When { .. } => "when",
            Self::Hours { .. } => "hours",
            Self::Set { .. } => "set",
            Self::Echo => "echo",
            Self::Hangup { .. } => "hangup",
            Self::Jump { .. } | Self::Goto { .. } => "goto",
        }
    }
}

impl Plan {
    /// A flow without steps yet, under this name or one like it that is free.
    pub(super) fn add_flow(&mut self, name: &str) -> usize {
        let name = free_name(name, |name| self.flows.iter().any(|flow| flow.name == name));
        self.flows.push(Flow { name, steps: Vec::new() });
        self.flows.len() - 1
    }

    /// The number that stands before `pattern` and takes its calls: what came first has them there, and here the narrower one would.
    fn shadow(&self, pattern: &Pattern) -> Option<&Pattern> {
        let mut earlier = self.numbers.iter().map(|(earlier, _)| earlier);
        earlier.find(|earlier| {
            earlier.text() == pattern.text() || (earlier.narrowness(pattern) != Less && earlier.overlaps(pattern))
        })
    }

    /// Whether no number that was found before takes any call of this one.
    pub(super) fn is_free(&self, pattern: &Pattern) -> bool {
        self.shadow(pattern).is_none()
    }

    /// Notes a number that is not free.
    pub(super) fn tell_taken(&self, pattern: &Pattern, place: Place, report: &mut Report) {
        let Some(earlier) = self.shadow(pattern) else { return };
        let (found, advice) = if earlier.text() == pattern.text() {
            let advice = "decide which of them is meant: the first one was taken";
            (format!("number \"{}\" is there twice", pattern.text()), advice)
        } else if earlier.narrowness(pattern) == Greater {
            let advice =
                "the narrower number decides here, wherever it stands: left out; add it if it is to have its calls";
            (format!("\"{}\" comes after \"{}\", which takes its calls", pattern.text(), earlier.text()), advice)
        } else {
            let advice = "neither is narrower: left out; write both so that they mean different numbers";
            (format!("\"{}\" and \"{}\" mean some number alike", pattern.text(), earlier.text()), advice)
        };
        report.warning(place, found, Some(advice.to_owned()));
    }
}

/// A name for plans, of letters, digits, `_` and `-`, out of any text.
pub(super) fn safe_name(text: &str) -> String {
    let name: String = text.chars().take(64).map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let name = name.trim_matches('_');
    if name.is_empty() { "unnamed".to_owned() } else { name.to_owned() }
}

/// `wished`, or that with the first number behind it that makes it free.
pub(super) fn free_name(wished: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(wished) {
        return wished.to_owned();
    }
    let numbered = (2..).map(|n| format!("{wished}_{n}")).find(|name| !taken(name));
    // There is no end of numbers.
    numbered.unwrap_or_default()
}

/// The name of a prompt out of that of a sound file: its folder and ending are those of another machine.
pub(super) fn prompt_name(file: &str) -> Option<String> {
    let name = file.trim().rsplit('/').next().unwrap_or_default();
    let name = ["wav", "gsm", "ulaw", "alaw", "sln", "sln16", "g722", "mp3", "ogg"]
        .iter()
        .fold(name, |name, ending| name.strip_suffix(ending).and_then(|name| name.strip_suffix('.')).unwrap_or(name));
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    plain.then(|| name.to_owned())
}

/// Our name of a variable of theirs; `None` where it cannot be one.
pub(super) fn variable_name(name: &str) -> Option<String> {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() < 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    // What is known of every call is no variable.
    plain.then(|| if FACTS.contains(&name) { format!("{name}_") } else { name.to_owned() })
}

/// How long a phone that is dialled rings, within what our step takes; as long as may be where nothing is said.
pub(super) fn ring_s(seconds: Option<f64>) -> u32 {
    // The bounds fit.
    seconds.map_or(180, |seconds| seconds.clamp(1.0, 180.0) as u32)
}
