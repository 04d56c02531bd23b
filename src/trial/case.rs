//! What a test says: a floor, a call, and what is to come of it. Durations and instants without a zone are milliseconds.

use std::collections::BTreeMap;

use crate::id::{AgentId, QueueId, TrunkId};
use crate::journal::HangupBy;
use crate::records::Disposition;

/// One test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its name in the file.
    pub name: String,
    /// Line of the file, from 1.
    pub line: usize,
    /// Column of that line, from 1.
    pub column: usize,
    /// The floor and the call.
    pub given: Given,
    /// What is to come of the call.
    pub expected: Expected,
}

/// A floor and a call. The floor opens at 0; the call comes at `comes_ms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The number that is called; empty where nobody has said one.
    pub number: String,
    /// The caller's number.
    pub caller: String,
    /// The trunk that brings the call; none where it comes from a phone of our own.
    pub trunk: Option<TrunkId>,
    /// The caller's class, where it is known before the plan says one.
    pub class: String,
    /// When the call comes (wall ms); `None` where nobody has said it.
    pub at_wall_ms: Option<i64>,
    /// How long the floor has been open then.
    pub comes_ms: u64,
    /// What is pressed at each question, in order, once it was put; "-" is silence.
    pub keys: Vec<String>,
    /// Keys by the clock.
    pub presses: Vec<Press>,
    /// After how long the caller hangs up, counted from when the call comes.
    pub hangs_up_ms: u64,
    /// After how long in a queue the caller hangs up.
    pub patience_ms: Option<u64>,
    /// Hours that are closed by hand.
    pub closures: Vec<Closure>,
    /// Prompts in front of flows.
    pub announcements: BTreeMap<String, String>,
    /// Whether recordings can be written.
    pub can_record: bool,
    /// Who works. The others are signed out.
    pub agents: BTreeMap<AgentId, Person>,
    /// Phones outside that the plan may call, by number: what they do, and for how long they talk. The others cannot be reached.
    pub phones: BTreeMap<String, Person>,
    /// The agent whom the caller has spoken with last; empty where there is none.
    pub last_agent: String,
    /// The agent who has handed the call on to the number; empty where nobody has.
    pub transferred_by: String,
    /// Callers who wait beside this one.
    pub others: Vec<Other>,
    /// What webhooks answer, each once. One that is asked beyond that does not answer.
    pub answers: Vec<Answer>,
}

impl Default for Given {
    /// Nobody works, nobody else calls, and the caller hangs up after an hour.
    fn default() -> Self {
        Self {
            number: String::new(),
            caller: "13800138000".to_owned(),
            trunk: None,
            class: String::new(),
            at_wall_ms: None,
            comes_ms: 0,
            keys: Vec::new(),
            presses: Vec::new(),
            hangs_up_ms: 3_600_000,
            patience_ms: None,
            closures: Vec::new(),
            announcements: BTreeMap::new(),
            can_record: true,
            agents: BTreeMap::new(),
            phones: BTreeMap::new(),
            last_agent: String::new(),
            transferred_by: String::new(),
            others: Vec::new(),
            answers: Vec::new(),
        }
    }
}

/// A key by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Press {
    /// When.
    pub when: When,
    /// Which: 0-9, *, # or A-D.
    pub key: char,
}

/// From when a key's time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long after the call came.
    Called(u64),
    /// So long after the caller entered the first queue.
    Queued(u64),
}

/// Hours that somebody closes by hand, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closure {
    /// Which.
    pub hours: String,
    /// When, counted from when the call comes.
    pub after_ms: u64,
}

/// The part of an agent, or of somebody outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// When the agent signs in.
    pub from_ms: u64,
    /// When the agent signs out.
    pub until_ms: Option<u64>,
    /// Whether the agent takes calls; one who does not is signed in and not ready.
    pub ready: bool,
    /// What the phone does when it is called.
    pub phone: Phone,
    /// How long it rings before the agent answers or rejects the call.
    pub after_ms: u64,
    /// After how long in conversation with the caller the agent hangs up.
    pub talks_ms: u64,
    /// After how long the agent ends the after-call work; as long as the queue gives where absent.
    pub acw_ms: Option<u64>,
}

impl Default for Person {
    /// Answers after two seconds, and talks for a minute.
    fn default() -> Self {
        Self {
            from_ms: 0,
            until_ms: None,
            ready: true,
            phone: Phone::Answers,
            after_ms: 2_000,
            talks_ms: 60_000,
            acw_ms: None,
        }
    }
}

/// What an agent's phone does when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phone {
    /// Rings until it is answered.
    Answers,
    /// Rings, and nobody answers.
    Rings,
    /// Rings until the call is rejected.
    Rejects,
    /// Is busy at once.
    Busy,
    /// Cannot be reached.
    Unreachable,
}

impl Phone {
    /// The phones by the names that files use.
    pub(super) const NAMES: [(&'static str, Self); 5] = [
        ("answers", Self::Answers),
        ("rings", Self::Rings),
        ("rejects", Self::Rejects),
        ("busy", Self::Busy),
        ("unreachable", Self::Unreachable),
    ];
}

/// Callers beside the one of the test: they come to a queue at once, by no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Which queue.
    pub queue: QueueId,
    /// How many.
    pub count: u32,
    /// When, counted from when the floor opens. Those of the instant at which the call comes are before it.
    pub at_ms: u64,
    /// Greater goes first.
    pub priority: i32,
    /// How long each one's conversation takes.
    pub talks_ms: u64,
    /// After how long each one hangs up; never where absent.
    pub patience_ms: Option<u64>,
}

/// What the webhook of a step answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The step that asks, as `flow.step`.
    pub step: String,
    /// After how long.
    pub after_ms: u64,
    /// The values of the answer by name, or what is in the way.
    pub reply: Result<BTreeMap<String, String>, String>,
}

/// What is to come of a call. What is absent may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Every step, in order.
    pub steps: Option<Vec<String>>,
    /// Some of the steps, in this order.
    pub through: Option<Vec<String>>,
    /// Every prompt that the caller heard begin, by name, `language/name` or text.
    pub prompts: Option<Vec<String>>,
    /// Some of the prompts, in this order.
    pub hears: Option<Vec<String>>,
    /// The queue of the record, or "none".
    pub queue: Option<String>,
    /// The wait of the record.
    pub wait: Option<Bounds>,
    /// From when the call comes to its end, which is that of the conversation where there was one.
    pub lasts: Option<Bounds>,
    /// Who answered last, or "none".
    pub agent: Option<String>,
    /// Whose phones were called, in order: agents, and numbers outside.
    pub called: Option<Vec<String>>,
    /// What came of the call.
    pub outcome: Option<Disposition>,
    /// Our word for why it ended.
    pub cause: Option<String>,
    /// Who ended it.
    pub hangup_by: Option<HangupBy>,
    /// Whether the conversation, or a message, was recorded.
    pub recorded: Option<bool>,
    /// What the caller answered about the service; 0 for nothing.
    pub survey: Option<u8>,
    /// Where the caller has left a message; "none" for nowhere.
    pub mailbox: Option<String>,
    /// The number at which the caller is to be called back; "none" where that is not to be.
    pub callback: Option<String>,
    /// What variables hold in the end.
    pub variables: BTreeMap<String, String>,
    /// The caller's class in the end, or "none".
    pub class: Option<String>,
    /// The language in the end.
    pub language: Option<String>,
}

/// From how long to how long, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// At least so long.
    pub least_ms: u64,
    /// At most so long; without limit where absent.
    pub most_ms: Option<u64>,
}

impl Bounds {
    /// Whether a duration lies between them.
    pub fn hold(self, ms: u64) -> bool {
        self.least_ms <= ms && self.most_ms.is_none_or(|most| ms <= most)
    }
}
