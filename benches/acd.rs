//! What the ACD costs: a floor where every agent talks and many wait, each end of a conversation gives the next caller to
//! somebody, and another caller comes. Agents serve four queues, and every queue asks for a skill.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use trunkline::acd::{Acd, Ageing, AgentSettings, Input, Output, QueueSettings, Settings};
use trunkline::id::{AgentId, CallId, QueueId};
use trunkline::journal::SkillWish;
use trunkline::time::Now;

/// Queues of one agent.
const QUEUES_EACH: usize = 4;
/// Conversations that end in one run.
const ENDS: usize = 200_000;

/// Kinds of callers, by what they wish, where they wish anything.
const KINDS: u64 = 8;

/// What is beyond the usual.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Floors {
    /// One call for each agent, callers without wishes.
    Plain,
    /// Two calls at once for each agent, callers of eight kinds.
    Rich,
}

/// A floor at work.
struct Floor {
    kind: Floors,
    acd: Acd,
    now: Now,
    agents: usize,
    queues: usize,
    calls: u64,
    /// Who talks in which call, the longest first.
    talking: VecDeque<(AgentId, CallId)>,
    /// Nanoseconds of each event, where they are wanted.
    spent: Option<Vec<u64>>,
    events: u64,
}

impl Floor {
    fn new(agents: usize, queues: usize, kind: Floors) -> Self {
        let of_agent = |agent: usize| (0..QUEUES_EACH).map(move |step| (agent * 7 + step * 13) % queues);
        let mut members: Vec<_> = (0..queues).map(|_| Vec::with_capacity(agents * QUEUES_EACH / queues)).collect();
        // Names are said once, as what the ACD holds is to be measured and not its settings.
        let names: Vec<AgentId> = (0..agents).map(name).collect();
        for (agent, name) in names.iter().enumerate() {
            of_agent(agent).for_each(|queue| members[queue].push(name.clone().into()));
        }
        let queue_of = |(queue, members): (usize, Vec<_>)| QueueSettings {
            members,
            required: BTreeMap::from([(skill(queue), 50)]),
            ..QueueSettings::named(queue_name(queue))
        };
        let agent_of = |agent: usize| AgentSettings {
            capacity: if kind == Floors::Rich { 2 } else { 1 },
            skills: of_agent(agent).map(|queue| (skill(queue), 50 + (agent % 50) as u8)).collect(),
            ..AgentSettings::named(names[agent].clone())
        };
        let settings = Settings {
            agents: (0..agents).map(agent_of).collect(),
            queues: members.into_iter().enumerate().map(queue_of).collect(),
            ageing: Ageing::default(),
        };
        let acd = Acd::new(settings, [0; 32]).expect("a sound floor");
        let talking = VecDeque::with_capacity(agents);
        Self { kind, acd, now: Now::default(), agents, queues, calls: 0, talking, spent: None, events: 0 }
    }

    fn tell(&mut self, input: Input) {
        let begin = self.spent.is_some().then(Instant::now);
        self.acd.handle(input, self.now);
        if let Some((begin, spent)) = begin.zip(self.spent.as_mut()) {
            spent.push(begin.elapsed().as_nanos() as u64);
        }
        self.events += 1;
    }

    fn sign_in(&mut self) {
        for agent in 0..self.agents {
            self.tell(Input::AgentSignedIn { agent: name(agent) });
            // What is left to be polled would count as the agents' memory.
            while self.acd.poll_output().is_some() {}
        }
    }

    /// A caller in the next queue; whoever is presented answers.
    fn enter(&mut self) {
        self.calls += 1;
        self.now = self.now.plus_ms(1);
        let number = self.calls as usize % self.queues;
        let (call, queue) = (CallId::new(self.now.wall_ms, self.calls.into()), queue_name(number));
        let kind = self.calls / self.queues as u64 % KINDS;
        let wish = SkillWish { skill: skill(number), least: 50 + 5 * kind as u8, for_ms: Some(60_000) };
        let wishes = Some(wish).filter(|_| self.kind == Floors::Rich && kind > 0).into_iter().collect();
        self.tell(Input::CallerEntered {
            call,
            queue,
            priority: 0,
            entered_wall_ms: self.now.wall_ms,
            wishes,
            prefer: None,
            stays: false,
        });
        self.answer();
    }

    fn answer(&mut self) {
        while let Some(output) = self.acd.poll_output() {
            let Output::Present { call, agent, .. } = output else { continue };
            self.tell(Input::PhoneRinging { agent: agent.clone(), call });
            self.tell(Input::AgentAnswered { agent: agent.clone(), call });
            self.talking.push_back((agent, call));
        }
    }

    fn work(&mut self) {
        for _ in 0..ENDS {
            let Some((agent, call)) = self.talking.pop_front() else { return };
            self.tell(Input::ConversationEnded { agent, call });
            self.answer();
            self.enter();
        }
    }
}

fn skill(queue: usize) -> String {
    format!("skill{}", queue % 64)
}

fn name(agent: usize) -> AgentId {
    AgentId::from(format!("{agent:05}").as_str())
}

fn queue_name(queue: usize) -> QueueId {
    QueueId::from(format!("queue{queue:04}").as_str())
}

/// A floor of so many agents, all in conversation, with so many waiting.
fn busy(agents: usize, queues: usize, waiting: usize, kind: Floors) -> Floor {
    let mut floor = Floor::new(agents, queues, kind);
    floor.sign_in();
    let talks = if kind == Floors::Rich { 2 * agents } else { agents };
    while floor.talking.len() < talks {
        floor.enter();
    }
    let more = waiting.saturating_sub(floor.calls as usize - talks);
    (0..more).for_each(|_| floor.enter());
    floor
}

/// Memory that the process holds (bytes).
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * 4096
}

fn main() {
    let mut figures: Vec<(&str, f64, &str)> = Vec::new();
    let before = resident();
    let deserted = Floor::new(0, 2_000, Floors::Plain);
    let queues = resident() - before;
    figures.push(("acd, memory of one of 2,000 queues", queues as f64 / 2_000.0, "bytes"));
    let before = resident();
    let mut large = Floor::new(20_000, 2_000, Floors::Plain);
    large.sign_in();
    // The queues are counted already.
    let agents = resident() - before - queues;
    figures.push(("acd, memory of one of 20,000 agents", agents as f64 / 20_000.0, "bytes"));
    drop(deserted);
    while large.talking.len() < 20_000 {
        large.enter();
    }
    let with_calls = resident();
    (0..100_000).for_each(|_| large.enter());
    let more = (resident() - with_calls) as f64;
    figures.push(("acd, memory of one of 100,000 waiting callers", more / 100_000.0, "bytes"));
    (large.events, large.spent) = (0, None);
    let begin = Instant::now();
    large.work();
    let rate = large.events as f64 / begin.elapsed().as_secs_f64();
    figures.push(("acd, 20,000 agents and 100,000 waiting", rate, "events/s"));
    drop(large);

    let mut floor = busy(5_000, 500, 10_000, Floors::Plain);
    (floor.events, floor.spent) = (0, None);
    let begin = Instant::now();
    floor.work();
    let rate = floor.events as f64 / begin.elapsed().as_secs_f64();
    figures.push(("acd, 5,000 agents and 10,000 waiting", rate, "events/s"));

    floor.spent = Some(Vec::with_capacity(4 * ENDS));
    floor.work();
    let mut spent = floor.spent.take().unwrap_or_default();
    spent.sort_unstable();
    for (name, share) in [("acd, an event, p50", 0.5), ("acd, an event, p99", 0.99), ("acd, an event, p99.9", 0.999)] {
        let at = (spent.len() as f64 * share) as usize;
        figures.push((name, spent[at] as f64 / 1e3, "µs"));
    }
    drop(floor);

    let mut floor = busy(5_000, 500, 10_000, Floors::Rich);
    (floor.events, floor.spent) = (0, None);
    let begin = Instant::now();
    floor.work();
    let rate = floor.events as f64 / begin.elapsed().as_secs_f64();
    figures.push(("acd, the same, two calls each, eight kinds", rate, "events/s"));
    for (name, value, unit) in &figures {
        println!("{name:<48} {value:>14.2} {unit}");
    }
    for (name, value, unit) in &figures {
        println!("{{\"name\":\"{name}\",\"value\":{value:.2},\"unit\":\"{unit}\",\"peer\":null,\"ratio\":null}}");
    }
}
