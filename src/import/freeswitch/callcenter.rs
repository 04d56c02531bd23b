//! `callcenter.conf.xml`: queues, agents, and the tiers that join them.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::super::draft::{Message, Queue, Said, prompt_name};
use super::{Reading, queue_name};
use crate::dialplan::Place;

/// The most steps by which a queue widens; more tiers than these come at once.
const MOST_STEPS: u8 = 20;

/// Parameters of queues without an equal, and what is done instead.
const INSTEAD: [(&str, &str); 5] = [
    ("moh-sound", "music = \"NAME\" in [queue.NAME] takes NAME.wav of the folder of prompts"),
    ("record-template", "record = true at the queue step, with a notice before it (docs/recordings.md)"),
    ("time-base-score", "the wait counts from the entry into the queue; a queue step takes a priority"),
    ("tier-rule-no-agent-no-wait", "tiers widen by the clock alone; leave the steps out of relax that are not to wait"),
    ("max-wait-time-with-no-agent", "callers go on at once where nobody is signed in (unstaffed)"),
];

/// Parameters that mean nothing by themselves, or what happens here anyway.
const SILENT: [&str; 3] =
    ["max-wait-time-with-no-agent-time-reached", "tier-rule-wait-second", "tier-rule-wait-multiply-level"];

/// What becomes of agents who do not take a call: how many that rang out in a row end it, and after how many seconds they are called
/// again.
const UNTAKEN: [&str; 4] = ["max-no-answer", "no-answer-delay-time", "busy-delay-time", "reject-delay-time"];

/// What a file says of agents.
#[derive(Debug, Default)]
pub(super) struct Agents {
    /// Their numbers by the names that tiers use.
    numbers: BTreeMap<String, (String, Place)>,
    /// After-call work and ringing by number, seconds.
    acw_s: BTreeMap<String, u32>,
    ring_s: BTreeMap<String, u32>,
    /// What the attributes of [`UNTAKEN`] say, by number.
    untaken: [BTreeMap<String, u32>; 4],
}

/// A queue's place in the files, and the rule by which its tiers widen: seconds, and whether once for each level.
pub(super) type Rules = BTreeMap<String, (Place, Option<(u32, bool)>)>;

impl Reading<'_> {
    pub(super) fn queue(&mut self, node: Node<'_, '_>) {
        let place = self.place(node);
        let Some(name) = node.attribute("name") else {
            return self.todo(place, "a queue without a name", "give it one");
        };
        let mut queue = Queue::default();
        let (mut rules, mut wait, mut multiply) = (false, 0, false);
        let (mut announce, mut every) = (None, 0);
        let (mut resumes, mut forgotten_s) = (false, 60);
        for param in node.children().filter(|child| child.has_tag_name("param")) {
            let (key, value) =
                (param.attribute("name").unwrap_or_default(), param.attribute("value").unwrap_or_default());
            let at = self.place(param);
            let number = value.parse::<u32>().ok().filter(|number| *number <= 86_400);
            match (key, number) {
                ("strategy", _) => match value.parse() {
                    Ok(strategy) => queue.strategy = strategy,
                    Err(_) => self.todo(at, &format!("strategy {value}"), "see \"Strategies\" in docs/acd.md"),
                },
                ("max-wait-time", Some(seconds)) => queue.max_wait_s = Some(seconds).filter(|seconds| *seconds > 0),
                ("max-wait-time-with-no-agent", Some(0)) => {}
                ("max-wait-time-with-no-agent", Some(_)) => {
                    queue.refuses_unstaffed = true;
                    self.without_equal(at, key, value);
                }
                ("tier-rules-apply", _) => rules = value == "true",
                ("announce-sound", _) => announce = prompt_name(value),
                ("announce-frequency", Some(seconds)) => every = seconds,
                ("time-base-score", _) if value == "queue" => {}
                ("tier-rule-no-agent-no-wait", _) if value == "false" => {}
                ("abandoned-resume-allowed", _) => resumes = value == "true",
                ("discard-abandoned-after", Some(seconds)) => forgotten_s = seconds,
                _ if !SILENT.contains(&key) => self.without_equal(at, key, value),
                _ => {}
            }
            wait = if key == "tier-rule-wait-second" { number.unwrap_or(0) } else { wait };
            multiply |= key == "tier-rule-wait-multiply-level" && value == "true";
        }
        queue.resume_s = Some(forgotten_s).filter(|seconds| resumes && *seconds > 0);
        if let (Some(prompt), 1..) = (announce, every) {
            queue.messages.push(Message { said: vec![Said::Prompt(prompt)], every_s: every.max(5) });
        }
        let safe = queue_name(name);
        if self.plan.queues.contains_key(&safe) {
            return self.todo(place, &format!("queue {name} is there twice"), "the first one was taken");
        }
        self.rules.insert(safe.clone(), (place, (rules && wait > 0).then_some((wait, multiply))));
        self.plan.queues.insert(safe, queue);
    }

    fn without_equal(&mut self, place: Place, key: &str, value: &str) {
        let instead = INSTEAD.iter().find(|(name, _)| *name == key).map(|(_, instead)| *instead);
        self.todo(place, &format!("{key} {value}"), instead.unwrap_or("there is nothing like it: see docs/acd.md"));
    }

    pub(super) fn agent(&mut self, node: Node<'_, '_>) {
        let place = self.place(node);
        let (name, contact) =
            (node.attribute("name").unwrap_or_default(), node.attribute("contact").unwrap_or_default());
        let of_contact = contact.rsplit('/').next().unwrap_or_default();
        let Some(number) = [name, of_contact].into_iter().find_map(number_of) else {
            return self.todo(
                place,
                &format!("agent {name}"),
                "agents are known by their number: add the one that is meant to members",
            );
        };
        let seconds = |text: &str| text.parse::<u32>().ok().filter(|seconds| *seconds <= 86_400);
        if let Some(acw) = node.attribute("wrap-up-time").and_then(seconds) {
            self.agents.acw_s.insert(number.clone(), acw);
        }
        let ring = contact.split_once("leg_timeout=").map(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next());
        if let Some(ring) = ring.flatten().and_then(seconds).filter(|ring| *ring > 0) {
            self.agents.ring_s.insert(number.clone(), ring);
        }
        for (key, known) in UNTAKEN.into_iter().zip(&mut self.agents.untaken) {
            if let Some(value) = node.attribute(key).and_then(seconds) {
                known.insert(number.clone(), value);
            }
        }
        self.agents.numbers.insert(name.to_owned(), (number, place));
    }

    /// Joins queues and agents, once all files are read. Gives where each agent stands.
    pub(super) fn join(&mut self) -> BTreeMap<String, Place> {
        let mut places = BTreeMap::new();
        let mut members: BTreeMap<String, Vec<(u32, u32, String)>> = BTreeMap::new();
        for tier in std::mem::take(&mut self.tiers) {
            let known = self.agents.numbers.get(&tier.agent);
            let number = known.map(|(number, _)| number.clone()).or_else(|| number_of(&tier.agent));
            let queue = queue_name(&tier.queue);
            match number.filter(|_| self.plan.queues.contains_key(&queue)) {
                Some(number) => {
                    places.entry(number.clone()).or_insert(known.map_or(tier.place, |(_, place)| *place));
                    members.entry(queue).or_default().push((tier.level, tier.position, number));
                }
                None => {
                    let found = format!("tier of {} in {}", tier.agent, tier.queue);
                    self.todo(tier.place, &found, "the queue or the agent is in none of the files");
                }
            }
        }
        for (name, (place, rule)) in std::mem::take(&mut self.rules) {
            let mut list = members.remove(&name).unwrap_or_default();
            list.sort();
            let Some(mut queue) = self.plan.queues.remove(&name) else { continue };
            if list.is_empty() {
                let advice = "nobody is named: give it members, and queue steps to those who are to wait in it";
                self.todo(place, &format!("queue {name} without members"), advice);
                continue;
            }
            self.fill(&name, place, &mut queue, list, rule);
            self.plan.queues.insert(name, queue);
        }
        places
    }

    fn fill(
        &mut self,
        name: &str,
        place: Place,
        queue: &mut Queue,
        list: Vec<(u32, u32, String)>,
        rule: Option<(u32, bool)>,
    ) {
        for (level, _, number) in list {
            if queue.members.contains(&number) {
                continue;
            }
            // Levels begin at 1, tiers at 0.
            let tier = level.saturating_sub(1).min(100) as u8;
            if tier > 0 {
                queue.tiers.insert(number.clone(), tier);
            }
            queue.members.push(number);
        }
        let highest = queue.tiers.values().copied().max().unwrap_or(0);
        if let (Some((wait, multiply)), 1..) = (rule, highest) {
            let steps = if multiply && highest <= MOST_STEPS { highest } else { 1 };
            queue.relax = Some((wait, steps));
            if steps < highest {
                // All tiers come at once after the wait.
                queue.tiers.values_mut().for_each(|tier| *tier = (*tier).min(steps));
                let advice = "higher tiers come all at once after the first wait: add steps to relax if they are to come one by one";
                self.todo(place, &format!("tiers of queue {name}"), advice);
            }
        }
        let of_members = |seconds: &BTreeMap<String, u32>| -> Vec<u32> {
            let mut all: Vec<u32> = queue.members.iter().filter_map(|member| seconds.get(member).copied()).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let (acw, ring) = (of_members(&self.agents.acw_s), of_members(&self.agents.ring_s));
        (queue.acw_s, queue.ring_s) = (acw.last().copied().unwrap_or(0), ring.last().copied());
        let untaken = self.agents.untaken.each_ref().map(of_members);
        let [most, no_answer, busy, rejected] = untaken.each_ref().map(|all| all.last().copied());
        // Who has no pause is called again at once there; here a second later.
        let pause = |seconds: Option<u32>| seconds.map(|seconds| seconds.max(1));
        (queue.busy_s, queue.rejected_s) = (pause(busy), pause(rejected));
        // One call is enough where nothing is said here; none is none there.
        if most != Some(1) {
            queue.no_answer_s = pause(no_answer.or(most.map(|_| 0)));
            queue.max_no_answer = most.filter(|most| *most > 1);
        }
        if [&acw, &ring].into_iter().chain(&untaken).any(|all| all.len() > 1) {
            let advice = "what is an agent's own there is the queue's here: the longest was taken";
            self.todo(place, &format!("agents of queue {name} differ in times or in max-no-answer"), advice);
        }
    }
}

/// The number in "1001@default" or "1001".
fn number_of(name: &str) -> Option<String> {
    let name = name.split('@').next()?;
    let number = !name.is_empty() && name.len() <= 15 && name.bytes().all(|b| b.is_ascii_digit());
    number.then(|| name.to_owned())
}
