//! A checked plan: every reference is a number that leads somewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::action::Action;
use super::condition::Condition;
use super::hours::Hours;
use super::numbers::Numbers;
use super::speech;
use super::talk::Said;
use super::values::Variable;
use crate::id::QueueId;
use crate::journal::{SkillWish, Strategy};

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
    /// How much louder than its file it is played, dB; as the settings say where absent.
    pub volume_db: Option<i8>,
}

impl Prompt {
    /// A prompt as loud as the settings say.
    pub fn new(language: &str, name: &str) -> Self {
        Self { language: language.to_owned(), name: name.to_owned(), volume_db: None }
    }

    /// The same at another volume, dB.
    pub fn at(self, volume_db: Option<i8>) -> Self {
        Self { volume_db, ..self }
    }

    /// The file under the folder of prompts.
    pub fn path(&self) -> String {
        format!("{}/{}.wav", self.language, self.name)
    }
}

/// A piece of music, as a plan names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Music {
    /// Its file in the folder of prompts, without .wav; music of our own where absent.
    pub name: Option<String>,
    /// How much louder than its file it is played, dB; as the settings say where absent.
    pub volume_db: Option<i8>,
}

/// One customer of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Customer {
    /// Who it is.
    pub name: String,
    /// The class: "vip".
    pub class: String,
    /// Words that are true of the customer.
    pub tags: BTreeSet<String>,
    /// The agent whose customer it is; empty where it is nobody's.
    pub agent: String,
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
    /// Keys that lead somewhere in every question of the flow that does not use them itself.
    pub keys: BTreeMap<char, StepRef>,
}

/// After how long a caller may be served by another queue, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// Wait in milliseconds.
    pub after_ms: u64,
    /// The other queue.
    pub to: QueueId,
}

/// What a queue asks of its agents once a caller has waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relaxation {
    /// Wait in milliseconds.
    pub after_ms: u64,
    /// Skill and least proficiency.
    pub skills: BTreeMap<String, u8>,
    /// The highest tier that is called.
    pub tier: u8,
}

/// Who of a queue's members has to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Needs {
    /// Nobody.
    #[default]
    Nobody,
    /// One who is signed in.
    SignedIn,
    /// One who is signed in and not "not ready".
    Ready,
}

/// After how long an agent who did not take a call gets calls again, milliseconds each; not before saying so where absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Untaken {
    /// After the phone rang out.
    pub no_answer_ms: Option<u64>,
    /// After how many calls in a row that rang out the agent has to say so all the same.
    pub most: Option<u32>,
    /// After the phone was busy.
    pub busy_ms: Option<u64>,
    /// After the agent refused.
    pub rejected_ms: Option<u64>,
}

/// How a queue is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Agents, by number, in the order of the list.
    pub members: Vec<String>,
    /// Agents of other tiers than the first, which is 0.
    pub tiers: BTreeMap<String, u8>,
    /// Agents of other weights than 1.
    pub weights: BTreeMap<String, u8>,
    /// Whom of several free agents a caller gets.
    pub strategy: Strategy,
    /// How many may wait; no limit where absent.
    pub capacity: Option<u32>,
    /// Who has to be there for a caller to join.
    pub join_needs: Needs,
    /// Who has to be there for a caller to go on waiting.
    pub wait_needs: Needs,
    /// The longest wait that may be expected of whoever joins, milliseconds; none where absent.
    pub max_expected_ms: Option<u64>,
    /// The longest further wait that may be expected of whoever waits, milliseconds; none where absent.
    pub leave_expected_ms: Option<u64>,
    /// For how long after hanging up a caller has the place again that he or she had, milliseconds; 0 for never.
    pub resume_ms: u64,
    /// How long a phone rings, milliseconds.
    pub ring_ms: u64,
    /// After how long one more phone rings, where the strategy is to ring progressively, milliseconds.
    pub ring_more_ms: u64,
    /// What becomes of agents who do not take a call.
    pub untaken: Untaken,
    /// After-call work, milliseconds.
    pub acw_ms: u64,
    /// The longest wait, milliseconds; none where absent.
    pub max_wait_ms: Option<u64>,
    /// Other queues, by growing wait.
    pub overflow: Vec<Overflow>,
    /// What an agent must know, and how well at least (1–100).
    pub skills: BTreeMap<String, u8>,
    /// The highest tier that is called at first.
    pub tier: u8,
    /// What is asked of agents later, by growing wait.
    pub relax: Vec<Relaxation>,
    /// What its callers hear while they wait.
    pub music: Music,
    /// The number that is shown where its agents call out.
    pub caller_id: Option<String>,
    /// Whether nobody is put through who cannot be recorded.
    pub must_record: bool,
    /// What holds for some of its callers: all that fit do.
    pub rules: Vec<CallerRule>,
}

/// What holds for callers of a queue who fit a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerRule {
    /// For whom.
    pub when: Condition,
    /// Is added to the priority with which they come.
    pub priority: i32,
    /// Asked of who answers, in every queue in which they wait.
    pub skills: Vec<SkillWish>,
}

/// A whole plan.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Program {
    pub(super) numbers: Numbers,
    pub(super) flows: BTreeMap<String, Flow>,
    pub(super) steps: Vec<Step>,
    pub(super) hours: BTreeMap<String, Hours>,
    pub(super) queues: BTreeMap<String, Queue>,
    pub(super) variables: BTreeMap<String, Variable>,
    pub(super) customers: BTreeMap<String, Customer>,
    /// Flows from which a step may be reached that lets callers into a room.
    pub(super) conferring: BTreeSet<String>,
    /// The same for a step that parks.
    pub(super) parking: BTreeSet<String>,
}

impl Program {
    /// Which numbers lead where.
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// Whether a call that begins in this flow may come to ask for a room.
    pub fn confers(&self, flow: &str) -> bool {
        self.conferring.contains(flow)
    }

    /// Whether a call that begins in this flow may come to a slot.
    pub fn parks(&self, flow: &str) -> bool {
        self.parking.contains(flow)
    }

    /// Finds out which flows lead to rooms and slots, once all steps are read.
    pub(super) fn find_places(&mut self) {
        self.conferring = self.leading_to(|action| matches!(action, Action::Conference { .. }));
        self.parking = self.leading_to(|action| matches!(action, Action::Park { .. }));
    }

    /// The flows from which such a step may be reached.
    fn leading_to(&self, wanted: impl Fn(&Action) -> bool) -> BTreeSet<String> {
        if !self.steps.iter().any(|step| wanted(&step.action)) {
            return BTreeSet::new();
        }
        // A transfer may lead to any number.
        let leads = |step: &Step| wanted(&step.action) || matches!(step.action, Action::Transfer { .. });
        let mut before: BTreeMap<StepRef, Vec<StepRef>> = BTreeMap::new();
        for (at, step) in self.steps() {
            let keys = self.flows.get(&step.flow).into_iter().flat_map(|flow| flow.keys.values().copied());
            for exit in step.action.exits().into_iter().chain(keys.filter(|_| step.action.ask().is_some())) {
                before.entry(exit).or_default().push(at);
            }
        }
        let mut work: Vec<StepRef> = self.steps().filter(|(_, step)| leads(step)).map(|(at, _)| at).collect();
        let mut found: BTreeSet<StepRef> = work.iter().copied().collect();
        while let Some(step) = work.pop() {
            let new = before.get(&step).into_iter().flatten().copied().filter(|earlier| found.insert(*earlier));
            work.extend(new);
        }
        self.flows.iter().filter(|(_, flow)| found.contains(&flow.start)).map(|(name, _)| name.clone()).collect()
    }

    /// The flows by name.
    pub fn flows(&self) -> &BTreeMap<String, Flow> {
        &self.flows
    }

    /// The queues by name.
    pub fn queues(&self) -> &BTreeMap<String, Queue> {
        &self.queues
    }

    /// The hours by name.
    pub fn hours(&self) -> &BTreeMap<String, Hours> {
        &self.hours
    }

    /// The variables by name.
    pub fn variables(&self) -> &BTreeMap<String, Variable> {
        &self.variables
    }

    /// What queues and steps play to who waits.
    pub fn music(&self) -> BTreeSet<&Music> {
        let of_steps = self.steps.iter().filter_map(|step| match &step.action {
            Action::Park { music, .. } => Some(music),
            _ => None,
        });
        self.queues.values().map(|queue| &queue.music).chain(of_steps).collect()
    }

    /// The files of music that queues and steps name.
    pub fn music_files(&self) -> BTreeSet<&str> {
        self.music().into_iter().filter_map(|music| music.name.as_deref()).collect()
    }

    /// Volumes of prompts that steps ask for, dB, by the prompt's name.
    pub fn volumes(&self) -> BTreeMap<String, BTreeSet<i8>> {
        let mut volumes: BTreeMap<String, BTreeSet<i8>> = BTreeMap::new();
        for item in self.steps.iter().flat_map(|step| step.action.items()) {
            let Some(volume_db) = item.volume_db else { continue };
            let names: Vec<String> = match &item.what {
                Said::Prompt(name) => vec![name.clone()],
                Said::Text(texts) => texts.values().map(|text| speech::said(text)).collect(),
                _ => speech::LANGUAGES.into_iter().flat_map(speech::vocabulary).collect(),
            };
            for name in names {
                volumes.entry(name).or_default().insert(volume_db);
            }
        }
        volumes
    }

    /// The texts that a machine has to speak, as (language, text).
    pub fn texts(&self) -> BTreeSet<(&str, &str)> {
        let items = self.steps.iter().flat_map(|step| step.action.items());
        let texts = items.filter_map(|item| match &item.what {
            Said::Text(texts) => Some(texts),
            _ => None,
        });
        texts.flatten().map(|(language, text)| (language.as_str(), text.as_str())).collect()
    }

    /// Every step, those of a flow beside one another.
    pub fn steps(&self) -> impl Iterator<Item = (StepRef, &Step)> {
        self.steps.iter().enumerate().map(|(index, step)| (StepRef(index), step))
    }

    /// A step.
    pub fn step(&self, step: StepRef) -> &Step {
        // A StepRef is only made by the loader, which counts the steps of this very program.
        &self.steps[step.0]
    }
}
