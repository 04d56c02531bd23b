//! `queues.conf`: queues, how their members are called, and what callers hear.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::super::draft::{Message, Queue, Said, prompt_name, safe_name};
use super::conf::{self, Line, What};
use crate::dialplan::{Place, Report, Source};
use crate::journal::Strategy;

/// Keys without an equal, and what is done instead.
const INSTEAD: [(&str, &str); 11] = [
    ("weight", "give the queue step a priority: a class is worth five minutes of waiting, or what [ageing] says"),
    ("servicelevel", "reports say which target they take"),
    ("musicclass", "music = \"NAME\" takes NAME.wav of the folder of prompts"),
    ("musiconhold", "music = \"NAME\" takes NAME.wav of the folder of prompts"),
    ("announce", "agents hear no announcement"),
    ("queue-callerannounce", "callers hear nothing between the answer and the conversation"),
    ("monitor-format", "record = true at the queue step, with a notice before it (docs/recordings.md)"),
    ("monitor-type", "record = true at the queue step, with a notice before it (docs/recordings.md)"),
    ("ringinuse", "an agent has one call at a time, by whichever queue"),
    ("penaltymemberslimit", "write relax = [{ after = \"…\", tier = … }]"),
    ("autofill", "nothing to be done: callers are put through side by side"),
];

/// One member who is signed in and not "not ready".
const READY: &str = "ready";

/// Who has to be there, by the states of members that do not count.
fn needs_of(value: &str) -> &'static str {
    let ready = value.split(',').any(|state| matches!(state.trim(), "strict" | "paused"));
    if ready { READY } else { "signed-in" }
}

/// Keys that say how Asterisk logs and keeps its state, and nothing of any call.
const OF_ASTERISK: [&str; 8] = [
    "persistentmembers",
    "shared_lastcall",
    "log-membername-as-agent",
    "log-caller-id-name",
    "log-restricted-caller-id",
    "negative_penalty_invalid",
    "setinterfacevar",
    "setqueuevar",
];

/// The queues of a file by our names, and where each of their agents was named first.
pub(super) fn read(
    source: &Source,
    speaks: bool,
    report: &mut Report,
) -> (BTreeMap<String, Queue>, BTreeMap<String, Place>) {
    let mut queues = BTreeMap::new();
    let mut agents = BTreeMap::new();
    let mut draft: Option<Draft> = None;
    for Line { place, what, .. } in conf::lines(source, report) {
        match what {
            What::Section { name, .. } => {
                let done = draft.take();
                finish(done, &mut queues, speaks, report);
                draft = (name != "general").then(|| Draft::new(&name, place));
            }
            What::Key { key, .. } if OF_ASTERISK.contains(&key.as_str()) => {}
            What::Key { key, value } if key == "autofill" && !is_no(&value) => {}
            What::Key { key, value } => match &mut draft {
                Some(draft) => draft.take(&key, &value, place, &mut agents, report),
                None => tell(place, &key, &value, report),
            },
        }
    }
    finish(draft, &mut queues, speaks, report);
    (queues, agents)
}

fn finish(draft: Option<Draft>, queues: &mut BTreeMap<String, Queue>, speaks: bool, report: &mut Report) {
    let Some(draft) = draft else { return };
    let (name, place) = (safe_name(&draft.name), draft.place);
    let Some(queue) = draft.into_queue(speaks, report) else { return };
    match queues.entry(name) {
        Entry::Vacant(free) => {
            free.insert(queue);
        }
        Entry::Occupied(taken) => {
            let advice = Some("the first one was taken".to_owned());
            report.warning(place, format!("queue \"{}\" is there twice", taken.key()), advice);
        }
    }
}

/// A queue under reading.
struct Draft {
    name: String,
    place: Place,
    queue: Queue,
    /// Whether who does not answer gets no further calls.
    pauses: bool,
    /// Position every so many seconds, and with the expected wait.
    position: bool,
    hold_time: bool,
    frequency: u32,
    periodic: Vec<String>,
    periodic_every: u32,
    /// Prompts that were named anew.
    prompts: BTreeMap<String, String>,
}

impl Draft {
    fn new(name: &str, place: Place) -> Self {
        // What Asterisk does where nothing is said: who did not answer is called again after a pause.
        let (strategy, ring_s, again) = (Strategy::RingAll, Some(15), Some(5));
        let queue =
            Queue { strategy, ring_s, no_answer_s: again, busy_s: again, rejected_s: again, ..Queue::default() };
        Self {
            name: name.to_owned(),
            place,
            queue,
            pauses: false,
            position: true,
            hold_time: false,
            frequency: 0,
            periodic: Vec::new(),
            periodic_every: 60,
            prompts: BTreeMap::new(),
        }
    }

    fn take(
        &mut self,
        key: &str,
        value: &str,
        place: Place,
        agents: &mut BTreeMap<String, Place>,
        report: &mut Report,
    ) {
        let number = value.parse::<u32>().ok().filter(|number| *number <= 86_400);
        match (key, number) {
            ("strategy", _) => match value.parse() {
                Ok(strategy) => self.queue.strategy = strategy,
                Err(_) => told(place, format!("strategy = {value}"), "see \"Strategies\" in docs/acd.md", report),
            },
            ("timeout", Some(seconds)) if seconds > 0 => self.queue.ring_s = Some(seconds),
            ("wrapuptime", Some(seconds)) => self.queue.acw_s = seconds,
            ("retry", Some(seconds)) => {
                let again = Some(seconds.max(1));
                (self.queue.no_answer_s, self.queue.busy_s, self.queue.rejected_s) = (again, again, again);
            }
            ("autopause", _) => self.pauses = !is_no(value),
            ("maxlen", Some(0)) | ("weight", Some(0)) => {}
            ("maxlen", Some(most)) => self.queue.capacity = Some(most),
            ("announce-frequency", Some(seconds)) => self.frequency = seconds,
            ("periodic-announce-frequency", Some(seconds)) => self.periodic_every = seconds,
            ("announce-position", _) => self.position = !is_no(value),
            ("announce-holdtime", _) => self.hold_time = !is_no(value),
            ("periodic-announce", _) => self.periodic = value.split([',', '&']).filter_map(prompt_name).collect(),
            ("queue-thereare" | "queue-callswaiting" | "queue-holdtime", _) => {
                self.prompts.extend(prompt_name(value).map(|name| (key.to_owned(), name)));
            }
            ("context", _) if !value.is_empty() => self.queue.keys_of = Some(value.to_owned()),
            ("joinempty", _) => self.join_empty(value, place, report),
            ("leavewhenempty", _) if is_no(value) => {}
            ("leavewhenempty", _) => self.queue.wait_needs = Some(needs_of(value)),
            ("ringinuse", _) if !is_no(value) => {}
            ("member", _) => self.member(value, place, agents, report),
            _ => tell(place, key, value, report),
        }
    }

    fn join_empty(&mut self, value: &str, place: Place, report: &mut Report) {
        if value == "yes" {
            return;
        }
        self.queue.refuses_unstaffed = true;
        let needs = needs_of(value);
        self.queue.join_needs = (needs == READY).then_some(needs);
        if ["inuse", "ringing", "wrapup", "penalty"].iter().any(|state| value.contains(state)) {
            let advice = "an agent who is in a call, or rings, is there; only who is signed out or not ready is not";
            told(place, format!("joinempty = {value}"), advice, report);
        }
    }

    /// interface, penalty, name, state interface, ringinuse, wrapuptime.
    fn member(&mut self, value: &str, place: Place, agents: &mut BTreeMap<String, Place>, report: &mut Report) {
        let parts = conf::split(value, ',');
        let part = |n: usize| parts.get(n).map_or("", String::as_str);
        let Some(number) = [part(0), part(3)].into_iter().find_map(agent_of) else {
            let advice = "members are agents by their number: add the one that is meant to members";
            return told(place, format!("member => {value}"), advice, report);
        };
        if self.queue.members.contains(&number) {
            return told(place, format!("member => {value}"), "the agent is a member already", report);
        }
        agents.entry(number.clone()).or_insert(place);
        match part(1).parse::<u8>() {
            Ok(penalty @ 1..=100) if self.queue.strategy == Strategy::WeightedRandom => {
                self.queue.weights.insert(number.clone(), penalty);
            }
            Ok(penalty @ 1..=100) => drop(self.queue.tiers.insert(number.clone(), penalty)),
            Ok(0) => {}
            _ if part(1).is_empty() => {}
            _ => told(place, format!("member => {value}"), "a penalty is a tier from 0 to 100", report),
        }
        if parts.iter().skip(4).any(|part| !part.is_empty()) {
            told(place, format!("member => {value}"), "ringinuse and wrapuptime are the queue's own", report);
        }
        self.queue.members.push(number);
    }

    fn into_queue(mut self, speaks: bool, report: &mut Report) -> Option<Queue> {
        if self.queue.members.is_empty() {
            let advice = "nobody is named: give it members, and queue steps to those who are to wait in it";
            told(self.place, format!("queue \"{}\" without members", self.name), advice, report);
            return None;
        }
        // Read in any order with "retry".
        self.queue.no_answer_s = self.queue.no_answer_s.filter(|_| !self.pauses);
        // Strategies are read in any order with the members, so weights and tiers are told apart at the end.
        if self.queue.strategy == Strategy::WeightedRandom {
            let tiers = std::mem::take(&mut self.queue.tiers);
            self.queue.weights.extend(tiers);
        } else {
            let weights = std::mem::take(&mut self.queue.weights);
            self.queue.tiers.extend(weights);
        }
        let prompt = |key: &str| Said::Prompt(self.prompts.get(key).cloned().unwrap_or_else(|| key.to_owned()));
        let mut said = Vec::new();
        if self.position {
            said.extend([prompt("queue-thereare"), Said::Position, prompt("queue-callswaiting")]);
        }
        if self.hold_time {
            said.extend([prompt("queue-holdtime"), Said::ExpectedWait]);
        }
        if self.frequency > 0 && !said.is_empty() {
            if speaks {
                self.queue.messages.push(Message { said, every_s: self.frequency.max(5) });
            } else {
                let advice = "positions and waits are said in English and Chinese only";
                told(self.place, format!("announcements of queue \"{}\"", self.name), advice, report);
            }
        }
        if !self.periodic.is_empty() && self.periodic_every > 0 {
            let said = self.periodic.into_iter().map(Said::Prompt).collect();
            self.queue.messages.push(Message { said, every_s: self.periodic_every.max(5) });
        }
        Some(self.queue)
    }
}

fn is_no(value: &str) -> bool {
    matches!(value.to_lowercase().as_str(), "no" | "off" | "false" | "0")
}

/// The number in "PJSIP/1001", "Local/1001@agents", "Agent:1001".
fn agent_of(interface: &str) -> Option<String> {
    let (_, name) = interface.split_once(['/', ':'])?;
    let name = name.split(['@', '/', '-']).next()?;
    let number = !name.is_empty() && name.len() <= 15 && name.bytes().all(|b| b.is_ascii_digit());
    number.then(|| name.to_owned())
}

fn tell(place: Place, key: &str, value: &str, report: &mut Report) {
    let instead = INSTEAD.iter().find(|(name, _)| *name == key).map(|(_, instead)| *instead);
    told(place, format!("{key} = {value}"), instead.unwrap_or("there is nothing like it: see docs/acd.md"), report);
}

fn told(place: Place, found: String, advice: &str, report: &mut Report) {
    report.warning(place, found, Some(advice.to_owned()));
}
