//! The engine and the model side by side through random events.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use trunkline::acd::{
    Acd, Ageing, Failure, Forced, Input, Member, Needs, Output, OverflowStep, Preference, QueueSettings, Relaxation,
    Settings, Untaken,
};
use trunkline::id::{AgentId, CallId, QueueId};
use trunkline::journal::{AgentState, Decision, Event, LeaveReason, Seen, Strategy};
use trunkline::time::Now;

use super::model::{Effect, Model};
use super::{START, agent, agent_settings, call, not_ready, queue, queue_settings};

/// Random days and the events of each: a million together. `make soak` plays more days.
const SEEDS: u64 = 40;
const STEPS: u64 = 25_000;
/// The whole floor is looked at after so many events.
const LOOK: u64 = 25;
/// Who may be there at all; the first twelve are from the beginning.
const AGENTS: usize = 15;

const STRATEGIES: [Strategy; 11] = [
    Strategy::LongestIdle,
    Strategy::RingAll,
    Strategy::RoundRobin,
    Strategy::FewestCalls,
    Strategy::LeastTalkTime,
    Strategy::LeastOccupied,
    Strategy::Linear,
    Strategy::Random,
    Strategy::WeightedRandom,
    Strategy::Sequential,
    Strategy::RingProgressively,
];

/// Five queues that share agents, and everything that a queue can have; `turn` gives each another strategy.
pub fn busy_settings(turn: usize) -> Settings {
    let overflow = |after_ms, to: &str| OverflowStep { after_ms, to: queue(to) };
    let mut sales = queue_settings("sales", 0..5);
    sales.overflow = vec![overflow(4_000, "support"), overflow(8_000, "vip"), overflow(8_000, "support")];
    sales.max_wait_ms = Some(30_000);
    let mut support = queue_settings("support", 3..9);
    (support.capacity, support.acw_ms) = (Some(6), 0);
    let mut vip = queue_settings("vip", 0..12);
    let billing = |least: u8| BTreeMap::from([("billing".to_owned(), least)]);
    vip.required = billing(60);
    vip.relax = vec![
        Relaxation { after_ms: 2_000, required: billing(40), tier: 1 },
        Relaxation { after_ms: 5_000, required: billing(10), tier: 2 },
    ];
    vip.tier = 0;
    vip.members.iter_mut().enumerate().for_each(|(at, member)| member.tier = (at % 3) as u8);
    let mut night = queue_settings("night", 9..12);
    (night.max_wait_ms, night.ring_timeout_ms) = (Some(10_000), 4_000);
    (night.join_needs, vip.wait_needs) = (Needs::Ready, Needs::SignedIn);
    let mut queues = vec![sales, support, vip, night, queue_settings("nobody", [])];
    for (at, queue) in queues.iter_mut().enumerate() {
        queue.untaken = Untaken { no_answer_ms: Some(2_000), most: Some(2), busy_ms: Some(500), rejected_ms: None };
        queue.strategy = STRATEGIES[(turn + at) % STRATEGIES.len()];
        queue.ring_more_ms = 1_000;
    }
    Settings { agents: (0..12).map(agent_settings).collect(), queues, ageing: Ageing { base: 5, rate: 1 } }
}

/// The busy floor after an hour of an operator's work: others sit there, some queues are gone, the rest has other rules.
fn other_settings(random: &mut ChaCha12Rng) -> Settings {
    let mut settings = busy_settings(below(random, 11) as usize);
    settings.agents.extend((12..AGENTS).map(agent_settings));
    settings.agents.retain(|_| below(random, 4) > 0);
    settings.queues.retain(|_| below(random, 5) > 0);
    if below(random, 2) == 0 {
        settings.agents.reverse();
        settings.queues.reverse();
    }
    settings.ageing.base = [5, 300][below(random, 2) as usize];
    for agent in &mut settings.agents {
        agent.skills.insert("billing".to_owned(), below(random, 100) as u8);
        agent.acw_ms = [None, Some(0), Some(1_500)][below(random, 3) as usize];
    }
    let there = |queue: &QueueId, queues: &[QueueSettings]| queues.iter().any(|known| known.id == *queue);
    let known = settings.queues.clone();
    for queue in &mut settings.queues {
        queue.members = settings.agents.iter().map(|agent| Member::from(agent.id.clone())).collect();
        queue.members.retain(|_| below(random, 2) == 0);
        for member in &mut queue.members {
            (member.tier, member.weight) = (below(random, 3) as u8, 1 + below(random, 9) as u8);
        }
        queue.overflow.retain(|step| there(&step.to, &known) && below(random, 3) > 0);
        if below(random, 2) == 0 {
            queue.max_wait_ms = [None, Some(5_000), Some(40_000)][below(random, 3) as usize];
        }
        let mut needs = || [Needs::Nobody, Needs::SignedIn, Needs::Ready][below(random, 3) as usize];
        (queue.join_needs, queue.wait_needs) = (needs(), needs());
        queue.capacity = [None, Some(3)][below(random, 2) as usize];
        (queue.acw_ms, queue.ring_timeout_ms) = (below(random, 3_000), 1_000 + below(random, 9_000));
        queue.untaken.rejected_ms = [None, Some(1_000)][below(random, 2) as usize];
        queue.untaken.no_answer_ms = [None, Some(1_000)][below(random, 2) as usize];
    }
    settings
}

/// The engine, the model, and the floor as the journal tells it.
struct Pair {
    engine: Acd,
    model: Model,
    now: Now,
    told: BTreeMap<AgentId, AgentState>,
    inside: BTreeSet<(CallId, QueueId)>,
    answered: u64,
    finished: u64,
    /// What the engine wanted done in this step.
    effects: Vec<Effect>,
    steps: u64,
    /// Few callers come, so that agents wait for them and not they for agents.
    calm: bool,
    /// Every kind of ending that occurred, so that the run shows what it reached.
    reached: BTreeSet<String>,
    /// How often each strategy chose.
    chosen: BTreeMap<&'static str, u32>,
}

impl Pair {
    fn step(&mut self, input: &Input) {
        self.engine.handle(input.clone(), self.now);
        self.drain();
        self.model.handle(input, self.now.wall_ms);
        self.compare();
    }

    fn reconfigure(&mut self, settings: Settings) {
        self.engine.reconfigure(settings.clone(), self.now).unwrap();
        self.drain();
        self.model.reconfigure(settings, self.now.wall_ms);
        self.compare();
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= end.mono_ns) {
            self.now = self.now.plus_ms(due.saturating_sub(self.now.mono_ns) / trunkline::time::MS);
            self.engine.handle_timeout(self.now);
            self.drain();
            while self.model.fire(self.now.wall_ms) {}
            self.compare();
        }
        self.now = end;
        assert!(self.model.next_deadline().is_none_or(|due| due > self.now.wall_ms));
    }

    /// Takes what the engine wants; whom it drew by lot, the model is told.
    fn drain(&mut self) {
        self.model.drawn.clear();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Present { call, agent, queue, why } => {
                    if let Decision::Strategy { strategy, .. } = why {
                        *self.chosen.entry(strategy.name()).or_default() += 1;
                    }
                    self.model.drawn.push((call, agent.clone()));
                    self.effects.push(Effect::Present(call, agent, queue));
                }
                Output::CancelPresentation { call, agent, reason } => {
                    self.reached.insert(format!("cancel {reason:?}"));
                    self.effects.push(Effect::Cancel(call, agent, reason));
                }
                Output::CallerOut { call, reason } => self.effects.push(Effect::Out(call, reason)),
                Output::WishesUnheeded { call, .. } => panic!("{call} wishes nothing"),
                Output::Journal(event) => self.fold(event),
            }
        }
    }

    fn compare(&mut self) {
        let effects = std::mem::take(&mut self.effects);
        assert_eq!(effects, std::mem::take(&mut self.model.effects));
        self.steps += 1;
        if self.steps.is_multiple_of(LOOK) {
            self.look();
        }
    }

    /// Looks at the whole floor: a step does what it should, and the journal tells it, so it is enough to do so now and then.
    fn look(&mut self) {
        self.engine.check_invariants().unwrap();
        let view = self.engine.view();
        let mut talking = 0;
        let there: Vec<_> = self.model.agents.iter().filter(|agent| agent.is_there()).collect();
        assert_eq!(view.agents().count(), there.len());
        for (shown, agent) in view.agents().zip(there) {
            assert_eq!(*shown.state, agent.state, "agent {}", shown.id);
            assert_eq!(self.told[shown.id], agent.state, "agent {} in the journal", shown.id);
            talking += u64::from(agent.state.is_handling());
        }
        assert_eq!(self.answered, self.finished + talking, "every conversation gives one AcwEnded");
        let waits: usize = self.model.callers.iter().map(|caller| caller.queues.len()).sum();
        assert_eq!(self.inside.len(), waits, "who entered and has not left waits");
        for caller in self.model.callers.iter().rev().take(3) {
            let positions: Vec<u32> = view.positions(caller.call).into_iter().map(|(_, position)| position).collect();
            assert_eq!(positions, self.model.positions(caller));
        }
    }

    fn fold(&mut self, event: Event) {
        match event {
            Event::AgentChanged { agent, appearance: 0, state } => {
                assert_ne!(self.told[&agent], state, "a change that changes nothing");
                self.told.insert(agent, state);
            }
            Event::QueueEntered { call, queue, .. } => assert!(self.inside.insert((call, queue))),
            Event::QueueLeft { call, queue, reason, .. } => {
                assert!(self.inside.remove(&(call, queue)));
                self.reached.insert(format!("left {reason:?}"));
                self.answered += u64::from(reason == LeaveReason::Answered);
            }
            Event::AcwEnded { .. } => self.finished += 1,
            // What it leads to is compared.
            Event::AgentWished { .. } => {}
            other => panic!("the ACD does not journal {other:?}"),
        }
    }

    /// An agent as the last run left him or her.
    fn restore(&mut self, number: usize, random: &mut ChaCha12Rng) {
        let (cut, until_ms) = (call(1_000_000 + number as u64), self.now.wall_ms + below(random, 6_000) as i64 - 2_000);
        let state = match below(random, 6) {
            0 => AgentState::Available,
            1 => not_ready(["lunch", "unreachable"][below(random, 2) as usize]),
            2 => AgentState::Acw { call: cut, until_ms },
            3 => AgentState::Talking { call: cut },
            4 => AgentState::Ringing { call: cut },
            _ => AgentState::Offline,
        };
        self.answered += u64::from(matches!(state, AgentState::Acw { .. } | AgentState::Talking { .. }));
        self.told.insert(agent(number), state.clone());
        let since_wall_ms = self.now.wall_ms - below(random, 5_000) as i64;
        let seen = vec![Seen { appearance: 0, state, since_wall_ms, wish: None }];
        self.step(&Input::Restored { agent: agent(number), seen });
    }

    /// Mostly what fits the agent's state, sometimes what does not.
    fn draw(&self, calls: &mut u64, random: &mut ChaCha12Rng) -> Input {
        let agent = agent(below(random, AGENTS as u64) as usize);
        let current = match self.model.state(&agent) {
            Some(
                AgentState::Reserved { call }
                | AgentState::Ringing { call }
                | AgentState::Talking { call }
                | AgentState::Hold { call }
                | AgentState::Consult { call },
            ) => *call,
            _ => call(below(random, *calls + 1)),
        };
        let call = if below(random, 20) == 0 { call(below(random, *calls + 1)) } else { current };
        let reason = "break".to_owned();
        match below(random, 54) {
            0..=7 | 40 if self.calm && below(random, 4) > 0 => Input::SetAvailable { agent },
            0..=7 | 40 => {
                *calls += 1;
                let queue = queue(["sales", "support", "vip", "night", "nobody", "none"][below(random, 6) as usize]);
                let priority = below(random, 4) as i32 - 1;
                let entered_wall_ms = self.now.wall_ms - if below(random, 8) == 0 { 3_000 } else { 0 };
                let prefer = (below(random, 5) == 0).then(|| Preference {
                    agent: self::agent(below(random, AGENTS as u64) as usize),
                    wait_ms: below(random, 3) * 1_500,
                });
                Input::CallerEntered {
                    call: self::call(*calls),
                    queue,
                    priority,
                    entered_wall_ms,
                    wishes: Vec::new(),
                    prefer,
                    stays: false,
                }
            }
            8..=9 => Input::CallerLeft { call: self::call(calls.saturating_sub(below(random, 12))) },
            10 if below(random, 2) == 0 => Input::CallerExited { call },
            10 => Input::CallerRemoved { call },
            11..=16 => Input::PhoneRinging { agent, call },
            17..=23 | 41..=43 => Input::AgentAnswered { agent, call },
            24 => Input::AgentFailed {
                agent,
                call,
                why: [Failure::NoAnswer, Failure::Busy, Failure::Rejected, Failure::Unreachable]
                    [below(random, 4) as usize],
            },
            25 => Input::Hold { agent, call },
            26 => Input::Resume { agent, call },
            27..=31 => Input::ConversationEnded { agent, call },
            32 if below(random, 2) == 0 => Input::EndAcw { agent },
            32 => Input::ExtendAcw { agent, by_ms: below(random, 2_000) },
            33..=35 => Input::SetAvailable { agent },
            36 => Input::SetNotReady { agent, reason },
            48 => Input::PhoneTaken { agent, call: self::call(2_000_000 + below(random, 2)) },
            49..=51 => Input::PhoneFree { agent, call: self::call(2_000_000 + below(random, 2)) },
            52..=53 => Input::PhoneReach { agent, reachable: below(random, 8) > 0 },
            37 | 44..=47 => Input::AgentSignedIn { agent },
            38 => Input::AgentSignedOut { agent },
            _ => Input::Forced {
                agent,
                to: [Forced::Available, Forced::NotReady { reason }, Forced::Offline][below(random, 3) as usize]
                    .clone(),
            },
        }
    }
}

pub fn below(random: &mut ChaCha12Rng, limit: u64) -> u64 {
    random.next_u64() % limit
}

#[test]
fn the_engine_agrees_with_the_model_over_half_a_million_random_events() {
    walk(0);
}

/// Here an operator cannot leave the settings alone.
#[test]
fn the_engine_agrees_with_the_model_while_the_settings_change() {
    walk(1);
}

/// Plays every other day from this one on; the settings change on odd ones.
fn walk(first: u64) {
    let (mut reached, mut chosen) = (BTreeSet::new(), BTreeMap::new());
    let seeds = std::env::var("SOAK_SEEDS").map_or(SEEDS, |seeds| seeds.parse().expect("a number of seeds"));
    for seed in (first..seeds).step_by(2) {
        let mut random = ChaCha12Rng::seed_from_u64(seed);
        let mut pair = Pair {
            engine: Acd::new(busy_settings(seed as usize), [seed as u8; 32]).unwrap(),
            model: Model::new(busy_settings(seed as usize)),
            now: START,
            told: BTreeMap::new(),
            inside: BTreeSet::new(),
            answered: 0,
            finished: 0,
            effects: Vec::new(),
            steps: 0,
            calm: seed % 4 > 1,
            reached: std::mem::take(&mut reached),
            chosen: std::mem::take(&mut chosen),
        };
        pair.told = (0..AGENTS).map(|number| (agent(number), AgentState::Offline)).collect();
        (0..12).for_each(|number| pair.restore(number, &mut random));
        let mut calls = 0;
        for step in 0..STEPS {
            if seed % 2 == 1 && step % 200 == 199 {
                pair.reconfigure(other_settings(&mut random));
            }
            let input = pair.draw(&mut calls, &mut random);
            pair.step(&input);
            if below(&mut random, 2) == 0 {
                let ms = below(&mut random, 800);
                pair.pass(ms);
            }
        }
        assert!(pair.finished > 30, "seed {seed} only finished {} calls", pair.finished);
        (reached, chosen) = (pair.reached, pair.chosen);
    }
    let expected = [
        "cancel CallerLeft",
        "cancel Elsewhere",
        "cancel NoAnswer",
        "cancel Rejected",
        "cancel Switch",
        "cancel Unreachable",
        "left Abandoned",
        "left Answered",
        "left Ended",
        "left Exit",
        "left Overflow",
        "left Refused",
        "left Timeout",
    ];
    assert_eq!(reached.iter().collect::<Vec<_>>(), expected);
    let often = |strategy: &Strategy| chosen.get(strategy.name()).is_some_and(|times| *times > 200);
    assert!(STRATEGIES.iter().all(often), "{chosen:?}");
}
